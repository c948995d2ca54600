"""Who gets at what is another's: every route, tried by everybody who should not.

    python -m tests.idor

prints the table. Each cell is what the attacker was answered when aiming at the customer's things
and, after the slash, at the guest's; `own` means 200 with nothing of the victims in it. Whatever
the answer, the victims' rows must be as they were, and nothing of theirs may be in it.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx2

from checkstand.access import keys
from checkstand.access.key_store import Terms
from checkstand.access.principal import Account, Permission, Role
from checkstand.access.tokens import Origin
from checkstand.storage import migrate
from checkstand.storage.embedded import EmbeddedPostgres
from tests.fakes import Letterbox
from tests.makers import PASSWORD, PREVIEW, V2, Storefront, product, running, shop_settings, shopper

ATTACKERS = (
    "nobody",
    "other guest",
    "other customer",
    "wrong order key",
    "read-only key",
    "customer as admin",
)
_NOBODYS = ("attribute", "code", "key_id", "reference", "review_id", "subscription_id",
            "term", "term_id", "variation_id")  # fmt: skip
JWT = "/wp-json/cocart/jwt"
ADMIN = "/wp-json/checkstand/v1/admin"
BILLING = {
    "first_name": "Vic",
    "last_name": "Timm",
    "address_1": "77 Private Lane",
    "city": "Dunmore",
    "state": "CA",
    "postcode": "90011",
    "country": "US",
    "phone": "+13105550177",
}
THEIRS = {**BILLING, "first_name": "Tom", "address_1": "1 Elsewhere", "phone": "+13105550101",
          "email": "tom@example.com"}  # fmt: skip


@dataclass(frozen=True)
class Victim:
    """A cart and an order of somebody; `cart_key` is what an attacker can know of the cart."""

    name: str
    email: str
    cart_key: str
    known_key: str
    item_key: str
    order_id: int
    order_key: str
    attempt_id: str
    account_id: int = 0

    @property
    def secrets(self) -> list[str]:
        """What no answer to somebody else may contain."""
        found = [self.email, BILLING["address_1"], BILLING["phone"], self.order_key]
        return found if self.account_id else [*found, self.cart_key]


@dataclass
class Stage:
    client: Storefront
    database: asyncpg.Connection[asyncpg.Record]
    read_only: dict[str, str]
    victims: list[Victim]
    tom: Account
    own_order_key: str
    token_id: int
    """A card that the customer has saved."""
    trouble: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Attack:
    """What an attacker sends besides the route itself."""

    headers: dict[str, str]
    query: dict[str, str]
    more: dict[str, Any]


def bodies(victim: Victim, *, with_key: bool) -> dict[tuple[str, str], Any]:
    """A body that each writing route accepts, aimed at the victim where it can be. `with_key`: the
    attacker has a consumer key, to which carts are open (contract README 7.6)."""
    login = {"username": victim.email, "password": "not it"}
    update = {"billing_address": THEIRS, "payment_method": "bacs"}
    passwords = {"password_current": "not it", "password_1": PASSWORD, "password_2": PASSWORD}
    account = {
        "account_first_name": "Tom",
        "account_last_name": "Other",
        "account_display_name": "Tom",
        "account_email": "tom@example.com",
    }
    found: dict[tuple[str, str], Any] = {
        ("POST", f"{V2}/cart/add-item"): {"id": "1"},
        ("POST", f"{V2}/cart/add-items"): {"items": [{"id": "1"}]},
        ("POST", f"{V2}/cart/item/{{item_key}}"): {"quantity": "3"},
        ("PUT", f"{V2}/cart/item/{{item_key}}"): {"quantity": "3"},
        ("PATCH", f"{V2}/cart/item/{{item_key}}"): {"quantity": "3"},
        ("POST", f"{V2}/cart/link"): {"keep_cart": False},
        ("POST", f"{V2}/cart/load"): {"token": victim.cart_key},
        ("POST", f"{V2}/cart/update"): {"quantity": {victim.item_key: "3"}},
        ("POST", f"{PREVIEW}/checkout"): update,
        ("PUT", f"{PREVIEW}/checkout"): update,
        ("PATCH", f"{PREVIEW}/checkout"): update,
        ("POST", f"{PREVIEW}/checkout/payment-context"): {"payment_method": "bacs"},
        **{(verb, f"{V2}/checkout"): update for verb in ("POST", "PUT", "PATCH")},
        **{
            ("POST", f"{namespace}/order-received/{{order_id}}/pay"): {
                "order_key": "wc_order_of_another",
                "payment_method": "bacs",
            }
            for namespace in (V2, PREVIEW)
        },
        ("POST", f"{V2}/cart/apply-coupon"): {"coupon": "WELCOME"},
        ("POST", f"{V2}/cart/set-shipping-method"): {"rate_id": "flat_rate:1"},
        ("POST", f"{V2}/cart/add-fee"): {"name": "Haste", "amount": "1.00"},
        ("POST", f"{V2}/products/reviews"): {
            "product_id": 1,
            "reviewer": "Tom",
            "reviewer_email": "tom@example.com",
            "review": "Hm.",
            "rating": 3,
        },
        ("POST", f"{ADMIN}/keys"): {"name": "mine", "permission": "read_write"},
        ("POST", "/wp-json/cocart/batch"): batch(victim, ("GET", "POST"), sessions=not with_key),
        ("POST", "/wp-json/batch/v1"): batch(victim, ("POST",), sessions=False),
        ("POST", f"{ADMIN}/orders/{{order_id}}/refunds"): {"amount": "1.00"},
        ("POST", f"{ADMIN}/orders/{{order_id}}/capture"): {"amount": "1.00"},
        ("POST", f"{V2}/login"): login,
        ("POST", f"{JWT}/refresh-token"): {"refresh_token": "0" * 128},
    }
    for namespace in (V2, PREVIEW):
        found |= {
            ("POST", f"{namespace}/register"): {
                "email": "vic@example.com",
                "requested_password": PASSWORD,
            },
            ("POST", f"{namespace}/lost-password"): {"username": victim.email},
            ("POST", f"{namespace}/reset-password"): {"key": "0" * 43, "password": PASSWORD},
            ("POST", f"{namespace}/my-account"): account,
            ("POST", f"{namespace}/my-account/change-password"): passwords,
            ("PATCH", f"{namespace}/my-account/address"): {"billing_address": {"city": "Oslo"}},
        }
    return found


def batch(victim: Victim, methods: tuple[str, ...], *, sessions: bool) -> dict[str, Any]:
    """Everything that is another's, asked for in one request."""
    order = f"/cocart/v2/my-account/orders/{victim.order_id}"
    key = {"order_key": "wc_order_of_another", "payment_method": "bacs"}
    account = {"billing_address": {"city": "Oslo"}}
    parts = [
        ("GET", "/cocart/v2/cart", {}),
        ("GET", order, {"email": "tom@example.com"}),
        ("GET", f"/cocart/v2/order-received/{victim.order_id}", {"key": "wc_order_of_another"}),
        ("GET", f"/cocart/v2/session/{victim.cart_key}", {}),
        ("GET", f"/cocart/preview/checkout/attempts/{victim.attempt_id}", {}),
        ("POST", f"{order}/cancel", {}),
        ("POST", f"/cocart/v2/order-received/{victim.order_id}/pay", key),
        ("POST", f"/cocart/v2/cart/item/{victim.item_key}", {"quantity": "3"}),
        ("POST", "/cocart/v2/cart/clear", {}),
        ("POST", "/cocart/preview/checkout", account),
    ]
    return {
        "requests": [
            {"method": method, "path": path, "body": body}
            for method, path, body in parts
            if method in methods and (sessions or "/session/" not in path)
        ]
    }


async def attempt_of(database: asyncpg.Connection[asyncpg.Record], order_id: int) -> str:
    return str(
        await database.fetchval("SELECT id FROM payment_attempts WHERE order_id = $1", order_id)
    )


async def saved_card(database: asyncpg.Connection[asyncpg.Record], account_id: int) -> int:
    return int(
        await database.fetchval(
            "INSERT INTO payment_tokens (customer_id, gateway, token, label, kind, created_at)"
            " VALUES ($1, 'sandbox', 'pm_of_vic', 'Visa ending in 1881', 'cc', now()) RETURNING id",
            account_id,
        )
    )


async def set_stage(client: Storefront, database: asyncpg.Connection[asyncpg.Record]) -> Stage:
    """Two victims, each with a cart and an order, and Tom, who is after them."""
    ines = await shopper(client, "vic@example.com")
    billing = {**BILLING, "email": "vic@example.com"}
    order = await ines.order(billing_address=billing)
    line = {"id": "1", "item_data": {"engraving": "Vic"}}
    cart = (await ines.call("POST", f"{V2}/cart/add-item", line)).json()
    customer = Victim(
        "customer", "vic@example.com", str(ines.id), str(ines.id), cart["items"][0]["item_key"],
        order["order_id"], order["order_key"],
        await attempt_of(database, order["order_id"]), ines.id,
    )  # fmt: skip
    guest = client.another()
    billing = {**BILLING, "email": "gus@example.com"}
    await guest.add()
    placed = await guest.process(billing_address=billing, payment_method="bacs")
    assert placed.status_code == 200, placed.text
    guest = client.another()
    cart = (await guest.call("POST", f"{V2}/cart/add-item", line)).json()
    await guest.update(billing_address=billing)
    anonymous = Victim(
        "guest", "gus@example.com", guest.cart_key, "", cart["items"][0]["item_key"],
        placed.json()["order_id"], placed.json()["order_key"],
        await attempt_of(database, placed.json()["order_id"]),
    )  # fmt: skip
    tom = await shopper(client, "tom@example.com")
    own = await tom.order(billing_address=THEIRS)
    async with client.shop.database.transaction() as connection:
        made = await keys.create(connection, Terms("reading", Permission.READ))
    return Stage(
        client,
        database,
        {"consumer_key": made.consumer_key, "consumer_secret": made.consumer_secret},
        [customer, anonymous],
        Account(tom.id, tom.username, Role.CUSTOMER),
        own["order_key"],
        await saved_card(database, ines.id),
    )


async def armed(stage: Stage, attacker: str, victim: Victim, path: str) -> Attack:
    """The attacker with fresh things of their own: a session, and a cart where it matters."""
    shops, orders = "/cart" in path or "/checkout" in path, "/checkout" in path
    query: dict[str, str] = {"email": "tom@example.com"}
    if attacker in ("other customer", "customer as admin"):
        pair = await stage.client.shop.sessions.begin(stage.tom, Origin("127.0.0.1", ""))
        headers = {"Authorization": f"Bearer {pair.token}", "User-Agent": ""}
        if shops:
            await stage.client.http.post(f"{V2}/cart/add-item", json={"id": "1"}, headers=headers)
        if victim.known_key:
            headers["Cart-Key"] = victim.known_key
        if attacker == "other customer":
            return Attack(headers, query, {})
        claim = {
            "role": "administrator",
            "capabilities": "manage_options",
            "customer_id": str(victim.account_id),
            "user_id": str(victim.account_id or 1),
        }
        return Attack(headers, query | claim, dict(claim))
    if attacker == "nobody":
        return Attack({"Cart-Key": victim.known_key} if victim.known_key else {}, query, {})
    # Sessions are the back office's: the key is the credential there, and an attacker has none.
    if "/session" not in path:
        query |= stage.read_only if attacker == "read-only key" else stage.client.keys
    mine = stage.client.another()
    if shops:
        await mine.add()
    if orders:
        await mine.update(billing_address=THEIRS)
    if attacker == "wrong order key":
        query |= {"order_key": stage.own_order_key, "key": stage.own_order_key}
    key = victim.known_key or mine.cart_key
    return Attack({"Cart-Key": key} if key else {}, query, {})


async def attack(
    stage: Stage, method: str, path: str, attacker: str, victim: Victim
) -> httpx2.Response:
    """One request of the attacker, aimed at the victim by everything that the route takes."""
    with_what = await armed(stage, attacker, victim, path)
    with_key = attacker in ("other guest", "wrong order key", "read-only key")
    body = bodies(victim, with_key=with_key).get((method, path))
    if body is not None and with_what.more:
        body = {**body, **with_what.more}
    query: Mapping[str, str] = with_what.query
    if path.endswith(("/verify-email", "/verify-order-email")):
        query = {**query, "key": "0" * 43, "user_id": str(victim.account_id or 1)}
    url = path.format(
        item_key=victim.item_key,
        order_id=victim.order_id,
        attempt_id=victim.attempt_id,
        gateway_id="bacs",
        token_id=stage.token_id,
        # Things of the shop, which are nobody's.
        **dict.fromkeys(_NOBODYS, "1"),
        session_key=victim.cart_key,
    )
    return await stage.client.http.request(
        method, url, json=body, params=query, headers=with_what.headers
    )


async def belongings(stage: Stage) -> dict[str, list[str]]:
    """Everything of the victims that is stored."""
    keys = [victim.cart_key for victim in stage.victims]
    ids = [victim.order_id for victim in stage.victims]
    accounts = [victim.account_id for victim in stage.victims]
    found = {}
    for table, column, values in (
        ("carts", "cart_key", keys),
        ("cart_links", "maker", keys),
        ("orders", "id", ids),
        ("order_lines", "order_id", ids),
        ("payment_attempts", "order_id", ids),
        ("accounts", "id", accounts),
        ("customers", "account_id", accounts),
        ("sessions", "account_id", accounts),
        ("payment_tokens", "customer_id", accounts),
    ):
        rows = await stage.database.fetch(
            f"SELECT t::text FROM {table} t WHERE {column} = ANY($1) ORDER BY 1", values
        )
        found[table] = [row[0] for row in rows]
    return found


async def cell(stage: Stage, method: str, path: str, attacker: str) -> str:
    """What the attacker was answered, by victim; what went wrong is noted on the stage."""
    answers = []
    before = await belongings(stage)
    for victim in stage.victims:
        response = await attack(stage, method, path, attacker, victim)
        said = response.text + str(response.headers)
        where = f"{method} {path} by {attacker} at the {victim.name}"
        stage.trouble += [
            f"{where}: tells {secret!r}"
            for each in stage.victims
            for secret in each.secrets
            if secret in said
        ]
        if await belongings(stage) != before:
            stage.trouble.append(f"{where}: changes what is another's")
        answers.append("own" if response.status_code == 200 else str(response.status_code))
    return answers[0] if answers[0] == answers[1] else "/".join(answers)


async def matrix(stage: Stage) -> dict[tuple[str, str], tuple[str, ...]]:
    """Every route of the description, with a cell for each attacker."""
    paths = (await stage.client.http.get("/openapi.json")).json()["paths"]
    found = {}
    for path, operations in paths.items():
        for verb in operations:
            method = verb.upper()
            cells = [await cell(stage, method, path, attacker) for attacker in ATTACKERS]
            found[method, path] = tuple(cells)
    async with stage.client.shop.database.acquire() as connection:
        role = await connection.fetchval("SELECT role FROM accounts WHERE id = $1", stage.tom.id)
    if role != "customer":
        stage.trouble.append(f"Tom has become {role}")
    return found


async def explore(url: str) -> tuple[dict[tuple[str, str], tuple[str, ...]], list[str]]:
    """The matrix of an empty, migrated database, and what is wrong with it."""
    settings = shop_settings(url, rate_limits={"enabled": False})
    connection = await asyncpg.connect(url)
    try:
        await product(connection, sku="TSHIRT-PREMIUM", slug="premium-t-shirt")
        async with running(settings, carrier=Letterbox()) as client:
            stage = await set_stage(client, connection)
            return await matrix(stage), stage.trouble
    finally:
        await connection.close()


def table(found: Mapping[tuple[str, str], tuple[str, ...]]) -> str:
    """The matrix as text."""
    head = ("route", *ATTACKERS)
    rows = [(f"{method:<6} {path.removeprefix('/wp-json/cocart')}", *cells)
            for (method, path), cells in found.items()]  # fmt: skip
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, tuple("-" * width for width in widths), *rows)
    ]
    return "\n".join(lines)


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="checkstand-idor-") as folder,
        EmbeddedPostgres(Path(folder), durable=False) as server,
    ):
        asyncio.run(migrate.upgrade(server.url))
        found, trouble = asyncio.run(explore(server.url))
    print(table(found))
    print(f"\n{len(found)} routes x {len(ATTACKERS)} attackers x 2 victims: ", end="")
    print("\n".join(trouble) if trouble else "nothing of another's was told or changed")
    if trouble:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
