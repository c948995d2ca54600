"""Every route of the contract that is served, in the states that matter: each documented member is
there, in its documented type, and no other; what is empty is empty in the documented form, which
clients in PHP tell apart (`[]` and `{}`).

A row is a route as docs/contract-routes.txt has it, the shape of its answer, and the state to ask
in. The catalogue's reads have their table in test_product_shapes.py; together the two must cover
whatever is served.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from checkstand.payments.model import Declined, NeedsAction
from checkstand.storage.database import Database
from tests.api import test_product_shapes as catalogue
from tests.api.wardrobe import furnish
from tests.fakes import Letterbox, ScriptedGateway
from tests.makers import (
    BILLING,
    PASSWORD,
    PREVIEW,
    V2,
    Shopper,
    Storefront,
    administrator,
    basic,
    coupon,
    product,
    running,
    shop_settings,
    shopper,
)
from tests.shapes import EMPTY_LIST, Each, Text, differences
from tests.tables import accounts, cart, preview, v2_checkout

ROUTES = Path(__file__).parents[2] / "docs" / "contract-routes.txt"
API = "/wp-json/cocart"
# Landed beside this table, and are looked at in test_my_account.py and its like only.
NO_ROW_YET = r"/my-account/(subscriptions|verify-order-email|reviews)"
SONG = 20


@dataclass
class Scene:
    """Who asks, and what the placeholders of the route, its body and its query stand for."""

    client: Storefront
    values: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] | None = None


@dataclass
class Stage:
    """A shop with everything in it, and the states in which its routes are asked."""

    shop: Storefront
    card: ScriptedGateway
    letters: Letterbox
    admin: dict[str, str]
    people: int = 0

    # carts

    async def nobody(self) -> Scene:
        return Scene(self.shop.another())

    async def full(self) -> Scene:
        """A cart with one of everything: lines of all sorts, a removed one, a coupon, a fee."""
        client = self.shop.another()
        shirt = await client.add(1, 2, item_data={"engraving": "Ada"}, return_item=True)
        await client.add("HOODIE-S")
        gone = await client.add(6, return_item=True)
        await client.call("DELETE", f"{V2}/cart/item/{gone.json()['item_key']}")
        for path, body in [
            ("update", {"namespace": "update-customer", **BILLING}),
            ("apply-coupon", {"coupon": "spring"}),
            ("add-fee", {"name": "Wrapping", "amount": "2.50", "taxable": True}),
        ]:
            done = await client.call("POST", f"{V2}/cart/{path}", body, keys=self.shop.keys)
            assert done.status_code == 200, done.text
        values = {"item_key": shirt.json()["item_key"], "code": "spring"}
        return Scene(client, {**values, "removed": gone.json()["item_key"]})

    async def removed(self) -> Scene:
        scene = await self.full()
        return Scene(scene.client, {"item_key": scene.values["removed"]})

    async def emptied(self) -> Scene:
        client = self.shop.another()
        await client.call("POST", f"{V2}/cart")
        return Scene(client)

    async def managed(self) -> Scene:
        """A full cart, asked about by who may set prices."""
        scene = await self.full()
        scene.keys = self.shop.keys
        return scene

    async def virtual(self) -> Scene:
        """A cart that nothing is shipped of and nothing is due for."""
        client = self.shop.another()
        await client.add(6)
        return Scene(client)

    async def session(self) -> Scene:
        scene = await self.full()
        return Scene(self.shop.another(), {"key": scene.client.cart_key}, keys=self.shop.keys)

    async def manager(self) -> Scene:
        await self.full()
        return Scene(self.shop.another(), keys=self.shop.keys)

    # checkouts and orders

    async def ready(self) -> Scene:
        scene = await self.full()
        chosen = {"billing_address": BILLING, "payment_method": "card"}
        done = await scene.client.call("PUT", f"{V2}/checkout", chosen)
        assert done.status_code == 200, done.text
        return scene

    async def tutorial(self) -> Scene:
        scene = await self.ready()
        scene.keys = self.shop.tutorial
        return scene

    async def action(self) -> Scene:
        scene = await self.ready()
        self.card.script = [
            NeedsAction("https://bank.example/3ds", "confirm", {"secret": "s"}, "ref_1")
        ]
        return scene

    async def administering(self) -> Scene:
        await self.ready()
        return Scene(self.shop.another(), headers={**self.admin, "Cart-Key": ""}, keys={})

    async def ordered(self) -> Scene:
        scene = await self.ready()
        return self._order(await scene.client.call("POST", f"{V2}/checkout", {}))

    async def declined(self) -> Scene:
        scene = await self.ready()
        self.card.script = [Declined("The bank refused this card.")]
        return self._order(await scene.client.call("POST", f"{V2}/checkout", {}))

    def _order(self, placed: httpx2.Response) -> Scene:
        assert placed.status_code == 200, placed.text
        body = placed.json()
        known = {"order_id": body["order_id"], "order_key": body["order_key"]}
        return Scene(self.shop.another(), known)

    # accounts

    async def somebody(self) -> Shopper:
        self.people += 1
        return await shopper(self.shop, f"ines{self.people}@example.com")

    async def customer(self) -> Scene:
        """Somebody who never ordered."""
        ines = await self.somebody()
        return Scene(self.shop.another(), {"ines": ines.email}, ines.signed)

    async def buyer(self) -> Scene:
        ines = await self.somebody()
        placed = await ines.order(SONG, payment_method="card")
        scene = Scene(self.shop.another(), {"order_id": placed["order_id"]}, ines.signed)
        scene.values["id"] = placed["order_id"]
        return scene

    async def frequent(self) -> Scene:
        ines = await self.somebody()
        for _ in range(2):
            await ines.order(SONG, payment_method="card")
        return Scene(self.shop.another(), {}, ines.signed)

    async def owing(self) -> Scene:
        """Somebody whose order can still be called off."""
        ines = await self.somebody()
        self.card.script = [Declined("No.")]
        await ines.call("POST", f"{V2}/cart/add-item", {"id": "1"})
        body = {"billing_address": BILLING, "payment_method": "card"}
        placed = await ines.call("POST", f"{V2}/checkout", body)
        return Scene(self.shop.another(), {"id": placed.json()["order_id"]}, ines.signed)

    async def stranger(self) -> Scene:
        self.people += 1
        return Scene(self.shop.another(), {"new": f"new{self.people}@example.com"})

    async def known(self) -> Scene:
        ines = await self.somebody()
        return Scene(self.shop.another(), {"ines": ines.email, "refresh": ines.refresh})

    async def mailed(self) -> Scene:
        """Somebody who is to confirm a new e-mail address."""
        ines = await self.somebody()
        new = f"moved{self.people}@example.com"
        names = dict.fromkeys(("first_name", "last_name", "display_name"), "Ines")
        body = {f"account_{name}": text for name, text in names.items()}
        await ines.call("POST", f"{V2}/my-account", {**body, "account_email": new})
        link = (await self.letters.next(new)).text
        key = re.search(r"key=([^&\s]+)", link)
        assert key is not None
        return Scene(self.shop.another(), {"mailed": key[1], "user": ines.id})


@dataclass(frozen=True)
class Row:
    route: str
    shape: Any
    given: str = "full"
    body: Any = None
    query: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


ADDED = {"id": "1", "quantity": "1"}
NAMES = {"account_first_name": "Ines", "account_last_name": "Okafor"}
ME = {**NAMES, "account_display_name": "Ines O."}
CHANGED = {"password_current": PASSWORD, "password_1": "Quarry-Row-9", "password_2": "Quarry-Row-9"}
KEY = {"order_key": "<order_key>"}
PAY = {"payment_method": "card"}
NOTE = Text(".+")
REPLY = {"status": int, "headers": Each(str, empty=True), "body": (cart.CART, Each(lambda _: True))}

CARTS = [
    Row("GET /v2/cart", cart.CART),
    Row("GET /v2/cart", cart.NO_CART, "nobody"),
    Row("GET /v2/cart", cart.NO_CART, "emptied"),
    Row("GET /v2/cart", {**cart.CART, "shipping": EMPTY_LIST}, "virtual"),
    Row("POST /v2/cart", cart.CREATED, "nobody"),
    Row("POST /v2/cart/add-item", cart.CART, body=ADDED),
    Row("POST /v2/cart/add-item", cart.ITEM, body={**ADDED, "return_item": True}),
    Row("POST /v2/cart/add-items", cart.CART, body={"items": [ADDED]}),
    Row("POST /v2/cart/add-items", [cart.ITEM], body={"items": [ADDED], "return_items": True}),
    Row("POST /v2/cart/add-items", cart.CART, body={"id": "4", "quantity": {"1": "2"}}),
    Row("GET /v2/cart/item/{item_key}", cart.ITEM),
    Row("POST /v2/cart/item/{item_key}", cart.CART, body={"quantity": "3"}),
    Row("POST /v2/cart/item/{item_key}", cart.STATUS, body={"quantity": 3, "return_status": True}),
    Row("PUT /v2/cart/item/{item_key}", cart.CART, "removed"),
    Row("PUT /v2/cart/item/{item_key}", cart.ITEM, "removed", {"return_item": True}),
    Row("PATCH /v2/cart/item/{item_key}", cart.CART, "removed"),
    Row("DELETE /v2/cart/item/{item_key}", cart.CART),
    Row("DELETE /v2/cart/item/{item_key}", NOTE, body={"return_status": True}),
    Row("GET /v2/cart/items", Each(cart.ITEM, keys="[0-9a-f]{32}")),
    Row("DELETE /v2/cart/items", {**cart.CART, "items": EMPTY_LIST}),
    Row("GET /v2/cart/items/count", int),
    Row("GET /v2/cart/items/count", {0}, "emptied"),
    Row("GET /v2/cart/totals", cart.ENGINE_TOTALS),
    Row("GET /v2/cart/mini", cart.MINI),
    Row("GET /v2/cart/mini", {**cart.MINI, "cart_hash": None, "items": EMPTY_LIST}, "emptied"),
    Row("POST /v2/cart/calculate", cart.CART),
    Row("POST /v2/cart/calculate", cart.TOTALS, body={"return_totals": True}),
    Row("POST /v2/cart/calculate/shipping", cart.CART, body={"country": "US", "state": "CA"}),
    Row("POST /v2/cart/clear", {**cart.NO_CART, "notices": cart.NOTICES}),
    Row("POST /v2/cart/update", cart.CART, body={"quantity": {"<item_key>": "3"}}),
    Row("POST /v2/cart/update", cart.CART, body={"namespace": "update-customer", "city": "Oslo"}),
    Row("POST /v2/cart/apply-coupon", cart.CART, body={"code": "five"}),
    Row("GET /v2/cart/coupons", [cart.LISTED_COUPON]),
    Row("GET /v2/cart/coupons/validate", cart.CART),
    Row("DELETE /v2/cart/coupons", {**cart.CART, "coupons": EMPTY_LIST}),
    Row("DELETE /v2/cart/coupons/{code}", {**cart.CART, "coupons": EMPTY_LIST}),
    Row("POST /v2/cart/add-fee", cart.CART, "managed", {"name": "Rush", "amount": 5}),
    Row("POST /v2/cart/remove-fees", {**cart.CART, "fees": EMPTY_LIST}, "managed"),
    Row("POST /v2/cart/set-shipping-method", cart.CART, body={"rate_id": "flat_rate:4"}),
]
CHECKOUTS = [
    Row("GET /v2/checkout", v2_checkout.STATE, "ready"),
    Row("GET /v2/checkout", {**v2_checkout.STATE, "items": {}, "shipping_methods": {},
        "coupons": EMPTY_LIST, "fees": EMPTY_LIST, "payment_method": {""}}, "emptied"),
    Row("PUT /v2/checkout", v2_checkout.UPDATED, "ready", {"currency": "EUR"}),
    Row("PATCH /v2/checkout", v2_checkout.UPDATED, "ready", {"coupon_code": "five"}),
    Row("POST /v2/checkout", v2_checkout.processed_shape("success"), "ready", {}),
    Row("POST /v2/checkout", v2_checkout.processed_shape("requires_action"), "action", {}),
    Row("POST /v2/checkout", v2_checkout.processed_shape("no_payment_required"), "virtual",
        {"billing_address": BILLING}),
    Row("GET /v2/checkout/payment-methods", Each(v2_checkout.METHOD), "ready"),
    Row("GET /v2/order-received/{order_id}", v2_checkout.RECEIVED, "ordered", query=KEY),
    Row("GET /v2/order-received/{order_id}", v2_checkout.PAYABLE, "declined", query=KEY),
    Row("POST /v2/order-received/{order_id}/pay", v2_checkout.PAID, "declined", PAY, KEY),
    Row("GET /preview/checkout", preview.STATE, "ready"),
    Row("GET /preview/checkout", {**preview.STATE, "shipping_methods": {}, "shipping_packages": {},
        "coupons": EMPTY_LIST, "notices": EMPTY_LIST}, "virtual"),
    Row("PUT /preview/checkout", preview.UPDATED, "ready", {"payment_method": "bacs"}),
    Row("PUT /preview/checkout", preview.PROCESSED, "tutorial", {}),
    Row("PATCH /preview/checkout", preview.UPDATED, "ready", {"coupon_code": "five"}),
    Row("PATCH /preview/checkout", preview.UPDATED, "tutorial", {}),
    Row("POST /preview/checkout", preview.UPDATED, "tutorial", {"payment_method": "bacs"}),
    Row("POST /preview/checkout", preview.PROCESSED, "ready", {}),
    Row("POST /preview/checkout", preview.TO_BE_CONTINUED, "action", {}),
    Row("GET /preview/checkout/payment-methods", preview.METHODS, "ready"),
    Row("POST /preview/checkout/payment-context", preview.CONTEXT, "ready", PAY),
    Row("POST /preview/checkout/payment-context", preview.OFFLINE_CONTEXT, "ready",
        {"payment_method": "bacs"}),
    Row("GET /preview/order-received/{order_id}", preview.RECEIVED, "ordered", query=KEY),
    Row("GET /preview/order-received/{order_id}", preview.PAYABLE, "declined", query=KEY),
    Row("POST /preview/order-received/{order_id}/pay", preview.PAID, "declined", {**PAY, **KEY}),
]  # fmt: skip


def _account(space: str) -> list[Row]:
    """The routes of my-account in one namespace."""
    me, older = f"/{space}/my-account", space == "preview"
    return [
        Row(f"POST /{space}/register", accounts.REGISTERED, "stranger",
            {"email": "<new>", "requested_password": PASSWORD}),
        Row(f"GET {me}", accounts.PREVIEW_ACCOUNT if older else accounts.ACCOUNT, "buyer"),
        Row(f"GET {me}", accounts.PREVIEW_NEW_ACCOUNT if older else accounts.NEW_ACCOUNT,
            "customer"),
        Row(f"POST {me}", accounts.UPDATED, "customer", {**ME, "account_email": "<ines>"}),
        Row(f"POST {me}/change-password", accounts.DONE, "customer", CHANGED),
        Row(f"PATCH {me}/address", accounts.CHANGED_ADDRESSES, "customer",
            {"billing_address": BILLING}),
        Row(f"GET {me}/orders", accounts.PREVIEW_ORDERS if older else accounts.ORDERS, "buyer"),
        Row(f"GET {me}/orders", accounts.PREVIEW_FIRST_OF_TWO if older else accounts.FIRST_OF_TWO,
            "frequent", query={"per_page": 1}),
        Row(f"GET {me}/orders/{{id}}", accounts.ORDER, "buyer"),
        Row(f"GET {me}/orders/{{id}}", accounts.ORDER, "owing"),
        Row(f"GET {me}/orders/{{id}}/downloads", [accounts.DOWNLOAD], "buyer"),
        Row(f"POST {me}/orders/{{id}}/cancel", accounts.CANCELLED, "owing"),
        Row(f"GET {me}/downloads", [accounts.DOWNLOAD], "buyer"),
        Row(f"GET {me}/downloads", EMPTY_LIST if older else NOTE, "customer"),
        Row(f"GET {me}/verify-email", accounts.VERIFIED, "mailed",
            query={"key": "<mailed>", "user_id": "<user>"}),
    ]  # fmt: skip


SIGN_IN = [
    Row("POST /v2/login", accounts.LOGIN, "known", {"username": "<ines>", "password": PASSWORD}),
    Row("POST /v2/logout", {True}, "customer"),
    Row("POST /jwt/refresh-token", accounts.PAIR, "known", {"refresh_token": "<refresh>"}),
    Row("POST /jwt/validate-token", accounts.VALID, "customer"),
]
A_REVIEW = {"review": "Wears well.", "reviewer": "Mara", "reviewer_email": "mara@example.com"}
REST = [
    Row("GET /v2/sessions", [cart.SESSION], "manager"),
    *(
        row
        for word in ("session", "sessions")
        for row in (
            Row(f"GET /v2/{word}/{{key}}", cart.SESSION, "session"),
            Row(f"GET /v2/{word}/{{key}}/items", [cart.SESSION_ITEM], "session"),
            Row(f"DELETE /v2/{word}/{{key}}", {"deleted": {True}}, "session"),
        )
    ),
    Row("POST /v2/products/reviews", catalogue.REVIEW, "nobody",
        {**A_REVIEW, "product_id": 1, "rating": 4}, status=201),
    Row("GET /v2/products/reviews/mine", EMPTY_LIST, "customer"),
    Row("POST /batch", cart.CART,
        body={"requests": [{"method": "GET", "path": "/cocart/v2/cart"}]}),
    Row("POST /batch", {"responses": [REPLY]}, status=207,
        body={"requests": [{"method": "GET", "path": path}
                           for path in ("/cocart/v2/cart", "/cocart/v2/nowhere")]}),
]  # fmt: skip
TABLE = [*CARTS, *CHECKOUTS, *SIGN_IN, *_account("v2"), *_account("preview"), *REST]


@pytest.fixture
async def stage(empty_database: str, database: Database) -> AsyncIterator[Stage]:
    async with database.acquire() as connection:
        await furnish(connection, datetime(2026, 5, 1, 12, tzinfo=UTC))
        await product(
            connection, id=SONG, name="Song", regular_price=100, virtual=True, downloadable=True,
            downloads=[{"name": "Song.mp3", "url": "https://shop.example/song.mp3"}],
        )  # fmt: skip
        await connection.execute("UPDATE stock SET quantity = 1000")
        await connection.execute(
            "INSERT INTO tax_rates (country, state, rate, name, priority, tax_class) "
            "VALUES ('US', 'CA', 8.875, 'CA', 1, '')"
        )
        await coupon(connection, "spring")
        await coupon(connection, "five", amount=5)
    card, letters = ScriptedGateway(), Letterbox()
    settings = shop_settings(empty_database, tax={"enabled": True}, cart={"trusted_keys": True})
    async with running(settings, gateways={"card": card}, carrier=letters) as shop:
        await administrator(shop.shop, "correct horse")
        yield Stage(shop, card, letters, basic("admin", "correct horse"))


def filled(value: Any, values: Mapping[str, Any]) -> Any:
    """A body or a query with its placeholders as they are in this scene."""
    if isinstance(value, dict):
        return {filled(key, values): filled(inner, values) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(each, values) for each in value]
    if isinstance(value, str) and value.startswith("<"):
        return values[value.strip("<>")]
    return value


async def asked(stage: Stage, row: Row) -> list[str]:
    """What is wrong with the answer of a row."""
    scene: Scene = await getattr(stage, row.given)()
    method, _, path = row.route.partition(" ")
    response = await scene.client.call(
        method,
        API + path.format(**scene.values),
        filled(row.body, scene.values),
        headers=scene.headers,
        keys={} if scene.headers else scene.keys,
        **filled(dict(row.query), scene.values),
    )
    about = f"{row.route} ({row.given})"
    if response.status_code != row.status:
        return [f"{about}: {response.status_code} {response.text[:300]}"]
    return [f"{about}{found}" for found in differences(row.shape, response.json())]


@pytest.mark.parametrize(
    "rows",
    [CARTS, CHECKOUTS, [*SIGN_IN, *_account("v2")], _account("preview"), REST],
    ids=["cart", "checkout", "v2 accounts", "preview accounts", "rest"],
)
async def test_every_member_of_every_answer(stage: Stage, rows: list[Row]) -> None:
    wrong = [found for row in rows for found in await asked(stage, row)]
    assert wrong == [], "\n".join(wrong)


async def test_what_administrators_see_of_payment_methods(stage: Stage) -> None:
    path = f"{PREVIEW}/checkout/payment-methods"
    client = stage.shop.another()
    added = await client.call("POST", f"{V2}/cart/add-item", ADDED, headers=stage.admin)
    assert added.status_code == 200, added.text
    response = await client.call("GET", path, headers=stage.admin, keys={}, debug="yes")
    assert differences(preview.DEBUG, response.json()) == []


async def test_the_table_looks_at_what_is_full_and_at_what_is_empty(stage: Stage) -> None:
    """Otherwise a member that is always empty would pass as any list."""
    full = (await (await stage.full()).client.call("GET", f"{V2}/cart")).json()
    for member in ("items", "coupons", "shipping", "fees", "taxes", "removed_items"):
        assert full[member], member
    assert [item["cart_item_data"] for item in full["items"]] == [{"engraving": "Ada"}, []]
    assert [item["meta"]["variation"] for item in full["items"]] == [[], {"Size": "Small"}]
    added = await (await stage.full()).client.add(1)
    assert added.json()["notices"]["success"]
    assert added.json()["cross_sells"], "product 1 has one"
    ready = (await (await stage.ready()).client.call("GET", f"{V2}/checkout")).json()
    for member in ("items", "coupons", "shipping_methods", "fees"):
        assert ready[member], member


def test_every_route_of_the_contract_that_is_served_has_a_row(stage: Stage) -> None:
    app = stage.shop.http._transport.app  # type: ignore[attr-defined]
    ours = [route for route in app.routes if route.path.startswith(API)]

    def of(method: str, path: str) -> tuple[str, str]:
        """The route that answers there."""
        scope = {"type": "http", "method": method, "path": path, "headers": []}
        found = next(route for route in ours if route.matches(scope)[0].name == "FULL")
        return method, found.path

    told = {tuple(row.route.split(" ")) for row in TABLE}
    covered = {of(method, API + re.sub(r"\{\w+\}", "1", path)) for method, path in told}
    covered |= {of("GET", path.partition("?")[0]) for path, _ in catalogue.TABLE}
    promised = set()
    for line in ROUTES.read_text().splitlines():
        if line and not line.startswith("#"):
            method, path = line.split(" | ")[0].split()
            concrete = API + re.sub(r"\{\w+\}", "1", path)
            scope = {"type": "http", "method": method, "path": concrete, "headers": []}
            if any(route.matches(scope)[0].name == "FULL" for route in ours):
                promised.add(of(method, concrete))
    assert len(promised) >= 100
    missing = {route for route in promised - covered if not re.search(NO_ROW_YET, route[1])}
    assert missing == set()
