"""Makers of things in a given state, for tests: products in the database, and a running shop."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import asyncpg
import httpx2

from checkstand.access import credentials, keys
from checkstand.access.key_store import Terms
from checkstand.access.principal import Dialect, Role
from checkstand.app import create_app
from checkstand.cli.demo_settings import demo_settings
from checkstand.promotions import store as promotions
from checkstand.promotions.model import Coupon, CouponKind
from checkstand.settings import Settings
from checkstand.wiring import Shop

V2 = "/wp-json/cocart/v2"
PREVIEW = "/wp-json/cocart/preview"
SHIRT = 1
JWT_SECRET = "a secret of the tests, which is long enough"

BILLING = {
    "first_name": "Ines",
    "last_name": "Okafor",
    "address_1": "8 Quarry Row",
    "city": "Dunmore",
    "state": "CA",
    "postcode": "90011",
    "country": "US",
    "phone": "+13105550142",
    "email": "ines@example.com",
}


async def product(connection: Any, **columns: Any) -> int:
    """A product row; simple, published, 19.99 unless said otherwise. `stock` makes it counted."""
    stock = columns.pop("stock", None)
    values = {"type": "simple", "name": "Premium T-Shirt", "regular_price": 1999, **columns}
    if stock is not None:
        values["manages_stock"] = True
    if values["type"] != "variation":
        values.setdefault("tax_status", "taxable")
        values.setdefault("tax_class", "")
        values.setdefault("shipping_class", "")
    names = ", ".join(values)
    marks = ", ".join(f"${i}" for i in range(1, len(values) + 1))
    product_id = await connection.fetchval(
        f"INSERT INTO products ({names}) VALUES ({marks}) RETURNING id", *values.values()
    )
    await connection.execute(
        "SELECT setval(pg_get_serial_sequence('products', 'id'), greatest($1, 1))", product_id
    )
    if stock is not None:
        await connection.execute(
            "INSERT INTO stock (product_id, quantity) VALUES ($1, $2)", product_id, stock
        )
    return int(product_id)


@dataclass
class Storefront:
    """A client of a running shop, with a consumer key and a cart of its own."""

    http: httpx2.AsyncClient
    shop: Shop
    keys: dict[str, str]
    tutorial: dict[str, str]
    statements: list[str] = field(default_factory=list)
    cart_key: str = ""

    def another(self) -> Storefront:
        """The same shop, another shopper."""
        return Storefront(self.http, self.shop, self.keys, self.tutorial, self.statements)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        keys: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> httpx2.Response:
        """A call with the shopper's cart key; checkout calls carry the consumer key as well."""
        params: dict[str, Any] = dict(query)
        if keys is not None:
            params |= keys
        elif "/checkout" in path:
            params |= self.keys
        sent = {**({"Cart-Key": self.cart_key} if self.cart_key else {}), **(headers or {})}
        response = await self.http.request(method, path, json=body, params=params, headers=sent)
        if response.headers.get("Cart-Key"):
            self.cart_key = response.headers["Cart-Key"]
        return response

    async def add(
        self, product_id: int | str = SHIRT, quantity: Any = 1, **more: Any
    ) -> httpx2.Response:
        body = {"id": str(product_id), "quantity": str(quantity), **more}
        return await self.call("POST", f"{V2}/cart/add-item", body)

    async def state(self) -> dict[str, Any]:
        response = await self.call("GET", f"{PREVIEW}/checkout")
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def update(self, **body: Any) -> httpx2.Response:
        return await self.call("PUT", f"{PREVIEW}/checkout", body)

    async def process(
        self, headers: Mapping[str, str] | None = None, **body: Any
    ) -> httpx2.Response:
        return await self.call("POST", f"{PREVIEW}/checkout", body, headers=headers)

    async def ready_to_order(self, product_id: int = SHIRT, quantity: int = 1) -> Storefront:
        """With a cart, an address and a payment method."""
        added = await self.add(product_id, quantity)
        assert added.status_code == 200, added.text
        updated = await self.update(billing_address=BILLING, payment_method="bacs")
        assert updated.status_code == 200, updated.text
        return self


def shop_settings(database_url: str, **sections: Any) -> Settings:
    """The demo shop's settings, with sections changed. Limits are off unless a test asks: tests
    send more than people do."""
    settings = demo_settings(database_url, "http://shop.test", JWT_SECRET)
    sections = {**sections, "rate_limits": {"enabled": False, **sections.get("rate_limits", {})}}
    for name, values in sections.items():
        section = getattr(settings, name)
        merged = section.model_validate({**section.model_dump(), **values})
        settings = settings.model_copy(update={name: merged})
    return settings


@asynccontextmanager
async def running(settings: Settings, **open_with: Any) -> AsyncIterator[Storefront]:
    """A shop in this process, and a client of it. Its statements are recorded; what a shop does by
    itself, whose statements would be among them, it does only when asked with `work=True`."""
    statements: list[str] = []
    app = create_app(settings, on_query=statements.append, **{"work": False, **open_with})
    async with app.router.lifespan_context(app):
        shop: Shop = app.state.shop
        async with shop.database.transaction() as connection:
            reference = await keys.create(connection, Terms("test"))
            tutorial = await keys.create(connection, Terms("tutorial", dialect=Dialect.TUTORIAL))
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://shop.test") as client:
            yield Storefront(
                client,
                shop,
                {
                    "consumer_key": reference.consumer_key,
                    "consumer_secret": reference.consumer_secret,
                },
                {
                    "consumer_key": tutorial.consumer_key,
                    "consumer_secret": tutorial.consumer_secret,
                },
                statements,
            )


async def administrator(shop: Shop, password: str) -> int:
    async with shop.database.transaction() as connection:
        return await credentials.create_account(
            connection, "admin", "admin@shop.example", password, Role.ADMINISTRATOR
        )


def basic(user: str, password: str) -> dict[str, str]:
    """The header of Basic credentials."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


PASSWORD = "Quarry-Row-8"


@dataclass
class Shopper:
    """Somebody with an account, signed in by a token."""

    storefront: Storefront
    id: int
    email: str
    username: str
    token: str
    refresh: str

    @property
    def signed(self) -> dict[str, str]:
        return bearer(self.token)

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> httpx2.Response:
        """A call with the token and nothing else."""
        headers = {**self.signed, **more.pop("headers", {})}
        return await self.storefront.another().call(
            method, path, body, keys={}, headers=headers, **more
        )

    async def order(self, product_id: int = SHIRT, **body: Any) -> dict[str, Any]:
        """An order of one piece."""
        added = await self.call("POST", f"{V2}/cart/add-item", {"id": str(product_id)})
        assert added.status_code == 200, added.text
        body = {"billing_address": BILLING, "payment_method": "bacs", **body}
        placed = await self.call("POST", f"{PREVIEW}/checkout", body)
        assert placed.status_code == 200, placed.text
        found: dict[str, Any] = placed.json()
        return found


async def shopper(storefront: Storefront, email: str = "ines@example.com") -> Shopper:
    """Registers somebody, and signs in."""
    body = {"email": email, "requested_password": PASSWORD}
    made = await storefront.http.post(f"{V2}/register", json=body)
    assert made.status_code == 200, made.text
    login = await storefront.http.post(
        f"{V2}/login", json={"username": email, "password": PASSWORD}
    )
    assert login.status_code == 200, login.text
    extras = login.json()["extras"]
    return Shopper(
        storefront,
        made.json()["user_id"],
        email,
        made.json()["username"],
        extras["jwt_token"],
        extras["jwt_refresh"],
    )


def sql_count(statements: list[str]) -> int:
    """Statements without transaction control."""
    control = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")
    return sum(not text.strip().upper().startswith(control) for text in statements)


async def fewest(storefront: Storefront, ask: Callable[[], Awaitable[object]]) -> int:
    """The statements that a request costs: the least of three, for the housekeeping of the shop
    may add a look of its own to one of them."""
    counts = []
    for _ in range(3):
        storefront.statements.clear()
        await ask()
        counts.append(sql_count(storefront.statements))
    return min(counts)


async def execute(url: str, *statements: str) -> None:
    """SQL on the database, as an operator would."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def coupon(connection: Any, code: str, **terms: Any) -> int:
    """A stored coupon: 10 per cent unless said otherwise; its id."""
    given = {"kind": CouponKind.PERCENT, "amount": Decimal(10), **terms}
    made = await promotions.insert(connection, Coupon(code=code, **given))
    assert made is not None, f"there is a coupon {code} already"
    return made
