"""Requests made from openapi.json, right and wrong ones, against a real server and database.

For every route: no 5xx, no status that is not documented, answers in the documented shape and
content type, 405 with a truthful Allow for other methods, and (`polite`) errors in the envelope,
nothing to be cached, a request id.

Left out is a check that costs too much, and two where the contract asks for leniency:

* `ignored_auth`: it sends each request twice more with made-up passwords, and each of these takes
  as long as a password hash does. tests/api/test_hostile.py tries credentials on every route.
* `positive_data_acceptance`, everywhere: a well-formed request may be refused by a rule of the shop
  (no such SKU, a quantity that is not allowed, an address that does not fit its country). JSON
  Schema cannot say these, and the contract answers most of them with 400.
* `negative_data_rejection`, on the routes of LENIENT: their bodies hold booleans, which may also be
  sent as 0, 1, "true" or "false" (contract README 3), or numbers, which may be sent as text;
  on lists of products and reviews an empty parameter is none, and one number is a list of one;
  `cart/update` takes five spellings in one free-form object (cart.md 7); and what only another verb
  or version knows is ignored rather than refused (checkout.md 2, DECISIONS 6). Elsewhere it is on.

The default run is the same every time; `-m prove` draws other and more examples.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
import requests
import schemathesis

from checkstand.access import credentials
from checkstand.access.principal import Role
from checkstand.app import create_app
from checkstand.kit import ids
from checkstand.settings import Settings
from checkstand.storage.database import Database, PoolOptions
from tests.contract.live import LiveShop, live_shop_process, stock_the_shop
from tests.makers import BILLING, PREVIEW, V2, shop_settings

TIMEOUT = 60
CUSTOMER, ADMINISTRATOR = ("ines", "Quarry-Row-8"), ("boss", "Quarry-Row-9")
OF_CUSTOMERS = ("/v2/logout", "/reviews/mine", "/v2/login")
"""Besides my-account."""
ADMIN = "/wp-json/checkstand/v1/admin"
SHIRT_KEY = ids.item_key(1, 0, {}, {})
REMOVED_KEY = ids.item_key(1, 0, {}, {"print": "A"})
CHOICES = {
    "billing_address": BILLING,
    "shipping_address": {"city": "Los Angeles"},
    "payment_method": "cod",
    "shipping_method": "flat_rate:1",
    "currency": "EUR",
    "create_account": False,
}

LENIENT = (
    "/cart/add-item$",
    "/cart/add-items$",
    "/cart/item/",
    "/cart/calculate$",
    "/cart/clear$",
    "/cart/update$",
    "/preview/checkout$",
    "/v2/products",
    "/my-account/reviews$",
    "/v2/login$",
)
# The contract's own: a shop without address search, or with a provider that is away, is a 500.
FAULTS_BY_CONTRACT = ("/address/search$", "/address/details$")


def _described(examples: int, *, deterministic: bool) -> Any:
    """The API of a shop, with how it is to be tested."""
    generation = {
        "max-examples": examples,
        "deterministic": deterministic,
        "database": "none",
        "no-shrink": deterministic,
        "with-security-parameters": False,  # the calls below are signed
    }
    lenient = {"negative_data_rejection": {"enabled": False}}
    config = schemathesis.Config.from_dict(
        {
            **({"seed": 2026} if deterministic else {}),
            "generation": generation,
            "checks": {
                "positive_data_acceptance": {"enabled": False},
                "ignored_auth": {"enabled": False},
            },
            "operations": [
                *({"include-path-regex": path, "checks": lenient} for path in LENIENT),
                *(
                    {
                        "include-path-regex": path,
                        "checks": {**lenient, "not_a_server_error": {"enabled": False}},
                    }
                    for path in FAULTS_BY_CONTRACT
                ),
            ],
        }
    )
    return schemathesis.openapi.from_dict(create_app(Settings()).openapi(), config=config)


@dataclass
class Shopper:
    """Somebody who always has a cart with two shirts, a printed one that was removed, an address
    and a payment method."""

    shop: LiveShop
    session: requests.Session = field(default_factory=requests.Session)
    cart_key: str = ""
    order: dict[str, Any] = field(default_factory=dict)
    own_keys: set[int] = field(default_factory=set)
    """What the calls are signed with, and must not be revoked by one of them."""

    def looks_after_keys(self) -> None:
        self.own_keys = {key["id"] for key in self._administer("GET", "keys", None)}

    def spare_key(self) -> int:
        return int(self._administer("POST", "keys", {"name": "spare"})["id"])

    def _administer(self, method: str, path: str, body: Any) -> Any:
        url = f"{self.shop.url}{ADMIN}/{path}"
        answer = self.session.request(method, url, json=body, auth=ADMINISTRATOR, timeout=TIMEOUT)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ready(self) -> None:
        """A cart as above, unless there is one that nothing was done to."""
        if self.cart_key:
            return
        items = [{"id": "1", "quantity": "2"}, {"id": "1", "item_data": {"print": "A"}}]
        added = self._call("POST", f"{V2}/cart/add-items", {"items": items})
        self.cart_key = added.headers["Cart-Key"]
        self._call("DELETE", f"{V2}/cart/item/{REMOVED_KEY}", None)
        ready = {"billing_address": BILLING, "payment_method": "bacs"}
        self._call("PATCH", f"{PREVIEW}/checkout", ready)

    def orders(self) -> None:
        self.ready()
        self.order = self._call("POST", f"{PREVIEW}/checkout", {}).json()
        self.cart_key = ""

    def _call(self, method: str, path: str, body: Any) -> requests.Response:
        answer = self.session.request(
            method,
            self.shop.url + path,
            json=body,
            auth=self.shop.reference,
            headers={"Cart-Key": self.cart_key} if self.cart_key else {},
            timeout=TIMEOUT,
        )
        assert answer.status_code == 200, answer.text
        return answer


@pytest.fixture(scope="module")
def shopper(postgres_url: str) -> Iterator[Shopper]:
    asyncio.run(_emptied(postgres_url))
    asyncio.run(stock_the_shop(postgres_url))
    asyncio.run(_populated(postgres_url))
    with live_shop_process(shop_settings(postgres_url)) as shop:
        shopper = Shopper(shop)
        shopper.looks_after_keys()
        shopper.orders()
        with shopper.session:
            yield shopper


async def _emptied(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("TRUNCATE products, accounts RESTART IDENTITY CASCADE")
    finally:
        await connection.close()


async def _populated(url: str) -> None:
    database = await Database.open(url, PoolOptions(min_size=1, max_size=1))
    try:
        async with database.transaction() as connection:
            for name, password, role in (
                (*CUSTOMER, Role.CUSTOMER),
                (*ADMINISTRATOR, Role.ADMINISTRATOR),
            ):
                email = f"{name}@shop.example"
                await credentials.create_account(connection, name, email, password, role)
    finally:
        await database.close()


def _signed(case: schemathesis.Case, keys: tuple[str, str]) -> tuple[str, str]:
    """Who a route is for: whoever else calls is refused before anything is looked at."""
    if case.path.startswith(ADMIN):
        return ADMINISTRATOR
    return CUSTOMER if case.path.endswith(OF_CUSTOMERS) or "/my-account" in case.path else keys


def polite(ctx: Any, response: Any, case: schemathesis.Case) -> None:
    """What every answer of this server has, whatever it says."""
    kept = "etag" in response.headers
    expected = "no-cache" if kept else "no-store, private"
    assert response.headers["cache-control"] == [expected]
    assert not kept or "/products" in case.path
    assert len(response.headers["x-request-id"][0]) == 16
    if response.status_code >= 400 and case.method != "HEAD":
        body = response.json()
        assert set(body) == {"code", "message", "data"}
        assert body["data"]["status"] == response.status_code


def _aimed(case: schemathesis.Case, shopper: Shopper, dice: int) -> None:
    """Gives three of four right requests things that exist, which no generator could guess."""
    assert case.meta is not None
    if _number(case.path_parameters.get("key_id")) in shopper.own_keys:
        case.path_parameters["key_id"] = shopper.spare_key()
    if not case.meta.generation.mode.is_positive or dice % 4 == 0:
        return
    if "item_key" in case.path_parameters:
        restoring = case.method in ("PUT", "PATCH")
        case.path_parameters["item_key"] = REMOVED_KEY if restoring else SHIRT_KEY
    if "key_id" in case.path_parameters:
        case.path_parameters["key_id"] = shopper.spare_key()
    if "order_id" in case.path_parameters:
        case.path_parameters["order_id"] = shopper.order["order_id"]
        case.query["order_key"] = shopper.order["order_key"]
        if "/my-account/" in case.path:
            case.query["email"] = BILLING["email"]
    for name in ("consumer_key", "consumer_secret"):
        case.query.pop(name, None)
    if isinstance(case.body, dict):
        _aimed_body(case)


def _number(value: Any) -> int:
    """The number that is meant: `1`, `"1"`, `"01"`, `"1.0"`; 0 for what is none."""
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError):
        return 0


def _aimed_body(case: schemathesis.Case) -> None:
    body = case.body
    if case.path.endswith("/cart/add-item"):
        body |= {"id": "1", "quantity": "1"}
    for entry in body.get("items") or () if case.path.endswith("/cart/add-items") else ():
        entry |= {"id": "1", "quantity": "1"}
    if case.path.endswith("/cart/update"):
        body |= {"namespace": "update-cart", "quantity": {SHIRT_KEY: 3}}
    if case.path.endswith("/payment-context"):
        body["payment_method"] = "cod"
    if case.path.endswith("/preview/checkout"):
        body |= {name: value for name, value in CHOICES.items() if name in body}
        body.pop("expected_total", None)


def _tried(case: schemathesis.Case, shopper: Shopper) -> None:
    dice = zlib.crc32(repr((case.path_parameters, case.query, case.body)).encode())
    _aimed(case, shopper, dice)
    shopper.ready()
    # Half of the calls speak the other dialect, and some have no cart but that of the query.
    keys = shopper.shop.tutorial if dice // 4 % 2 else shopper.shop.reference
    headers = {"Cart-Key": shopper.cart_key} if dice // 8 % 8 else {}
    answer = case.call_and_validate(
        base_url=shopper.shop.url,
        session=shopper.session,
        headers=headers,
        auth=_signed(case, keys),
        additional_checks=[polite],
        timeout=TIMEOUT,
    )
    if answer.status_code == 200 and case.method != "GET":
        shopper.cart_key = ""


@_described(12, deterministic=True).parametrize()
def test_as_described(case: schemathesis.Case, shopper: Shopper) -> None:
    _tried(case, shopper)


@pytest.mark.prove
@_described(400, deterministic=False).parametrize()
def test_as_described_at_length(case: schemathesis.Case, shopper: Shopper) -> None:
    _tried(case, shopper)
