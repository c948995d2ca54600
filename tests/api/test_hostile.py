"""Requests that nobody sends by mistake: each is refused with a clear 4xx in the envelope, never a
5xx, repeats nothing of what was sent, and leaves the cart as it was."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import unicodedata
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx2
import pytest

from checkstand.kit import ids
from tests.contract.live import LiveShop, live_shop
from tests.makers import BILLING, PREVIEW, SHIRT, V2, Storefront, administrator, shop_settings

MARK = "<i>\"zqx'9137"
"""Part of hostile values: no answer may repeat it."""
MEGABYTE = 1_048_576
LINE = ids.item_key(1, 0, {}, {})
REMOVED = ids.item_key(1, 0, {}, {"print": "A"})
JSON = {"Content-Type": "application/json"}

INVALID = "rest_invalid_param"
MISSING = "rest_missing_callback_param"
UNREADABLE = "rest_invalid_json"


@dataclass(frozen=True)
class Route:
    """`good` is a body that the route accepts; None when it takes none."""

    method: str
    path: str
    good: Any = None
    tutorial: bool = False

    def __str__(self) -> str:
        return f"{self.method:.10} {self.path:.80}{' in tutorial' if self.tutorial else ''}"


CHECKOUT = f"{PREVIEW}/checkout"
ADD, ADD_ALL = f"{V2}/cart/add-item", f"{V2}/cart/add-items"
ITEM, GONE = f"{V2}/cart/item/{LINE}", f"{V2}/cart/item/{REMOVED}"
CONTEXT = f"{CHECKOUT}/payment-context"
CREATES = Route("POST", f"{V2}/cart")
ADDS = Route("POST", ADD, {"id": "1"})
ADDS_ALL = Route("POST", ADD_ALL, {"items": [{"id": "1"}]})
CHANGES = Route("POST", ITEM, {"quantity": 3})
UPDATES = Route("POST", f"{V2}/cart/update", {"quantity": {LINE: 3}})
PREPARES = Route("POST", CONTEXT, {"payment_method": "cod"})
READS, READS_STATE = Route("GET", f"{V2}/cart"), Route("GET", CHECKOUT)
V2_ROUTES = (
    CREATES,
    ADDS,
    ADDS_ALL,
    CHANGES,
    UPDATES,
    Route("DELETE", f"{V2}/cart/items"),
    Route("PUT", GONE, {"return_item": True}),
    Route("PATCH", GONE, {"return_item": True}),
    Route("DELETE", ITEM, {"return_status": True}),
    Route("POST", f"{V2}/cart/calculate", {"return_totals": True}),
    Route("POST", f"{V2}/cart/clear", {"keep_removed_items": True}),
)
CHECKOUT_ROUTES = tuple(
    Route(method, CHECKOUT, {"payment_method": "cod"}, tutorial)
    for tutorial in (False, True)
    for method in ("POST", "PUT", "PATCH")
)
BACK_OFFICE = ("/wp-json/checkstand/v1/admin/keys", f"{V2}/session")
NEWER_ROUTES = tuple(
    Route(method, f"{V2}/checkout", {"payment_method": "cod"})
    for method in ("POST", "PUT", "PATCH")
)
SHOP_ROUTES = (*V2_ROUTES, *CHECKOUT_ROUTES, *NEWER_ROUTES, PREPARES)
BATCHED = {"requests": [{"method": "POST", "path": "/cocart/v2/cart/calculate"}]}
PAYS = Route(
    "POST", f"{PREVIEW}/order-received/1/pay", {"order_key": "k", "payment_method": "card"}
)
PAYS_NEWER = Route(
    "POST", f"{V2}/order-received/1/pay", {"order_key": "k", "payment_method": "card"}
)
BATCH_ROUTES = (
    Route("POST", "/wp-json/cocart/batch", BATCHED),
    Route("POST", "/wp-json/batch/v1", BATCHED),
)
ADMIN = "/wp-json/checkstand/v1/admin"
ADMIN_ROUTES = (
    Route("POST", f"{ADMIN}/orders/1/refunds", {"amount": "1.00"}),
    Route("POST", f"{ADMIN}/orders/1/capture", {"amount": "1.00"}),
    Route("POST", f"{ADMIN}/orders/1/void"),
    Route("POST", f"{ADMIN}/attempts/1/look"),
    Route("POST", f"{ADMIN}/reload"),
)
ROUTES = (*SHOP_ROUTES, PAYS, PAYS_NEWER, *BATCH_ROUTES, *ADMIN_ROUTES)
REVIEWS = ("POST", f"{V2}/products/reviews")
"""Knows neither carts nor keys: tests/api/test_reviews.py tries it."""
RAW = {("POST", "/wp-json/checkstand/v1/webhooks/{gateway_id}"), REVIEWS}
"""Takes any bytes: they are signed. See test_payments.py."""
ACTIONS = ("suspend", "cancel", "reactivate", "resubscribe", "auto-renew", "payment-method")
OLDER_ACTIONS = ("on-hold", "renew-enable", "renew-disable")
ACCOUNT_ROUTES = (
    Route("POST", f"{V2}/login", {"username": "ines", "password": "x"}),
    Route("POST", f"{V2}/logout"),
    Route("POST", "/wp-json/cocart/jwt/refresh-token", {"refresh_token": "x"}),
    Route("POST", "/wp-json/cocart/jwt/validate-token"),
    *(
        Route(method, f"{namespace}{path}", good)
        for namespace in (V2, PREVIEW)
        for method, path, good in (
            ("POST", "/register", {"email": "x", "requested_password": "x"}),
            ("POST", "/lost-password", {"username": "x"}),
            ("POST", "/reset-password", {"key": "x", "password": "x"}),
            ("POST", "/my-account", {"account_email": "x"}),
            ("POST", "/my-account/change-password", {"password_1": "x"}),
            ("PATCH", "/my-account/address", {"billing_address": {"city": "x"}}),
            ("POST", "/my-account/orders/1/cancel", None),
            ("POST", "/my-account/verify-order-email", None),
            ("DELETE", "/my-account/subscriptions/1/resubscribe", None),
            *(
                ("POST", f"/my-account/subscriptions/1/{action}", None)
                for action in (*ACTIONS, *(OLDER_ACTIONS if namespace == PREVIEW else ()))
            ),
        )
    ),
    Route("DELETE", "/wp-json/checkstand/v1/my-account/payment-methods/1"),
)
"""What they take is judged in test_sign_in and test_my_account; here, that they can be sent
anything."""
EXTRA_ROUTES = (
    Route("POST", f"{V2}/cart/apply-coupon", {"coupon": "x"}),
    Route("DELETE", f"{V2}/cart/coupons"),
    Route("DELETE", f"{V2}/cart/coupons/x"),
    Route("POST", f"{V2}/cart/add-fee", {"name": "x", "amount": "1"}),
    Route("POST", f"{V2}/cart/remove-fees"),
    Route("POST", f"{V2}/cart/set-shipping-method", {"rate_id": "flat_rate:1"}),
    Route("POST", f"{V2}/cart/calculate/shipping", {"country": "US"}),
    Route("POST", f"{V2}/cart/link", {"notify": True}),
    Route("POST", f"{V2}/cart/load", {"token": "x"}),
)
"""What they take is judged in test_coupons, test_cart_extras and test_cart_links."""
EVERY_ROUTE = (*ROUTES, *ACCOUNT_ROUTES, *EXTRA_ROUTES)


@dataclass
class Siege:
    """A shop with a cart that is ready to order, and what went wrong with it so far."""

    storefront: Storefront
    connection: asyncpg.Connection[Any]
    failures: list[str] = field(default_factory=list)

    async def state(self) -> Any:
        """All that a shopper can see, and all rows that a request could have left behind."""
        rows = await self.connection.fetchrow(
            "SELECT (SELECT jsonb_agg(to_jsonb(c) ORDER BY c.cart_key) FROM carts c)::text,"
            " (SELECT count(*) FROM orders), (SELECT count(*) FROM idempotency_keys)"
        )
        cart = await self.storefront.call("GET", f"{V2}/cart")
        return rows, cart.json(), await self.storefront.state()

    async def send(
        self,
        route: Route,
        content: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        **query: str,
    ) -> httpx2.Response:
        shopper = self.storefront
        params = dict(query)
        if route.path.startswith((PREVIEW, f"{V2}/checkout")):
            params |= shopper.tutorial if route.tutorial else shopper.keys
        return await shopper.http.request(
            route.method,
            route.path,
            content=content,
            params=params,
            headers={
                name: value.encode()
                for name, value in {
                    "Cart-Key": shopper.cart_key,
                    **JSON,
                    **(headers or {}),
                }.items()
            },
        )

    def judge(
        self,
        label: str,
        response: httpx2.Response,
        statuses: Iterable[int] = (400,),
        codes: Iterable[str] = (),
    ) -> None:
        """Notes what is wrong with the refusal."""
        wrong = faults_of(response)
        if response.status_code not in tuple(statuses):
            wrong.append(f"status {response.status_code}")
        elif codes and not wrong and response.json()["code"] not in tuple(codes):
            wrong.append(f"code {response.json()['code']}")
        if wrong:
            self.failures.append(f"{label}: {', '.join(wrong)}: {response.text[:200]}")


def faults_of(response: httpx2.Response) -> list[str]:
    """What is wrong with an answer, as a refusal."""
    wrong = []
    if not 400 <= response.status_code < 500:
        wrong.append("not a 4xx")
    if "zqx" in response.text or "9137" in response.text:
        wrong.append("repeats what was sent")
    try:
        body = response.json()
        if set(body) != {"code", "message", "data"} or not isinstance(body["message"], str):
            wrong.append("no envelope")
        elif body["data"]["status"] != response.status_code:
            wrong.append("another status inside")
    except ValueError:
        wrong.append("not JSON")
    return wrong


@pytest.fixture
async def siege(storefront: Storefront, empty_database: str) -> AsyncIterator[Siege]:
    """Unchanged at the end, whatever the test sent."""
    items = [{"id": str(SHIRT), "quantity": "2"}, {"id": str(SHIRT), "item_data": {"print": "A"}}]
    added = await storefront.call("POST", ADD_ALL, {"items": items})
    assert added.status_code == 200, added.text
    assert (await storefront.call("DELETE", GONE)).status_code == 200
    updated = await storefront.update(billing_address=BILLING, payment_method="bacs")
    assert updated.status_code == 200, updated.text
    connection = await asyncpg.connect(empty_database)
    try:
        siege = Siege(storefront, connection)
        before = await siege.state()
        yield siege
        assert not siege.failures, "\n" + "\n".join(siege.failures)
        assert await siege.state() == before
    finally:
        await connection.close()


async def test_the_routes_are_all_and_answer(siege: Siege) -> None:
    """The list above is complete for who may be hostile, and its bodies are good: what is refused
    below is refused for what is hostile in it. The back office has tests of its own."""
    described = (await siege.storefront.http.get("/openapi.json")).json()["paths"]
    mutating = {
        (method.upper(), path)
        for path, operations in described.items()
        for method in operations
        if method != "get" and not path.startswith(BACK_OFFICE)
    }
    assert {(route.method, template(route.path)) for route in EVERY_ROUTE} | RAW == mutating


def template(path: str) -> str:
    """The path with its parameters' names."""
    path = re.sub(r"/cart/item/.*", "/cart/item/{item_key}", path)
    path = re.sub(r"/cart/coupons/.+", "/cart/coupons/{code}", path)
    path = re.sub(r"/subscriptions/1/", "/subscriptions/{subscription_id}/", path)
    path = re.sub(r"/payment-methods/1$", "/payment-methods/{token_id}", path)
    path = re.sub(r"/(orders|order-received)/1/", r"/\1/{order_id}/", path)
    return path.replace("/attempts/1/", "/attempts/{attempt_id}/")


async def test_good_bodies_are_accepted(storefront: Storefront) -> None:
    items = [{"id": str(SHIRT)}, {"id": str(SHIRT), "item_data": {"print": "A"}}]
    for route in SHOP_ROUTES:
        shopper = storefront.another()
        await shopper.call("POST", ADD_ALL, {"items": items})
        await shopper.call("DELETE", GONE)
        await shopper.update(billing_address=BILLING)
        keys = shopper.tutorial if route.tutorial else shopper.keys
        response = await shopper.call(route.method, route.path, route.good, keys=keys)
        assert response.status_code == 200, (route, response.text)


# --- bodies that cannot be read ------------------------------------------------------------------


def nested(opening: str, closing_: str, depth: int) -> bytes:
    return (opening * depth + "1" + closing_ * depth).encode()


UNREADABLE_BODIES: dict[str, bytes] = {
    "cut off": b'{"id":"1"',
    "a comma too much": b'{"id":"1",}',
    "single quotes": b"{'id':'1'}",
    "white space only": b" \r\n\t ",
    "text": f"hello {MARK}".encode(),
    "two documents": b"{}{}",
    "a comment": b"{}//",
    "invalid UTF-8": b'{"id":"\xff\xfe\x80"}',
    "overlong UTF-8": b'{"id":"\xc0\xaf"}',
    "UTF-16": '{"id":"1"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"id":"1"}',
    "a raw surrogate": b'{"id":"\xed\xa0\x80"}',
    "a lone surrogate": b'{"id":"\\ud800"}',
    "a lone surrogate as a key": b'{"\\udfff":"1"}',
    "a raw NUL": b'{"id":"\0"}',
    "NaN": b'{"id":NaN}',
    "Infinity": b'{"quantity":Infinity}',
    "minus Infinity": b'{"quantity":-Infinity}',
    "1e999": b'{"quantity":1e999}',
    "10^400": b'{"quantity":1' + b"0" * 400 + b"}",
    "a hexadecimal number": b'{"quantity":0x10}',
    "arrays, 10^5 deep": nested("[", "]", 100_000),
    "objects, 10^5 deep": nested('{"a":', "}", 100_000),
    "both, 10^5 deep": nested('[{"a":', "}]", 50_000),
    "only opened, 10^5 deep": b"[" * 100_000,
}
BOUNDED_BODIES: dict[str, bytes] = {
    "a NUL": b'{"id":"1\\u0000"}',
    "a NUL in what is ignored": b'{"else":[{"a":"\\u0000"}]}',
    "a NUL in a key": b'{"i\\u0000d":"1"}',
    "arrays, 21 deep": nested("[", "]", 21),
    "objects, 21 deep": nested('{"a":', "}", 21),
    "objects, 900 deep": nested('{"a":', "}", 900),
    "very many values": b'{"a":[' + b"0," * 30_000 + b"0]}",
    "very many keys": json.dumps({str(key): 0 for key in range(30_000)}).encode(),
}


@pytest.mark.parametrize(
    ("bodies", "code"), [(UNREADABLE_BODIES, UNREADABLE), (BOUNDED_BODIES, INVALID)]
)
async def test_what_cannot_be_read(siege: Siege, bodies: dict[str, bytes], code: str) -> None:
    for label, body in bodies.items():
        for route in EVERY_ROUTE:
            response = await siege.send(route, body)
            siege.judge(f"{route} {label}", response, codes=[code])


async def test_a_body_that_is_no_object(siege: Siege) -> None:
    for body in (b"5", b"1.5", b"true", json.dumps(MARK).encode(), b"[1]", b'[{"id":"1"}]'):
        for route in EVERY_ROUTE:
            if route.good is not None:
                response = await siege.send(route, body)
                siege.judge(f"{route} {body!r}", response, codes=[INVALID])


async def test_no_body_where_one_is_needed(siege: Siege) -> None:
    for route in (ADDS, ADDS_ALL, CHANGES, UPDATES, PREPARES):
        for body, headers in ((b"", {}), (b"{}", {}), (b"[]", {}), (b"{}", {"Content-Type": ""})):
            response = await siege.send(route, body, headers=headers)
            label = f"{route} {body!r}"
            if route.path.endswith("/update"):
                siege.judge(label, response, [404], ["cocart_update_cart_namespace_error"])
            else:
                siege.judge(label, response, codes=[MISSING])


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PARTS = {"Content-Type": "multipart/form-data; boundary=x"}


async def test_forms_beyond_their_bounds(siege: Siege) -> None:
    """As strict as JSON: depth, number of values, NUL, surrogates, charset; and no files."""
    many = "&".join(f"f{index}=1" for index in range(1_001)).encode()
    a_file = (
        b'--x\r\nContent-Disposition: form-data; name="id"; filename="a.txt"\r\n\r\n1\r\n--x--\r\n'
    )
    for route in ROUTES:
        for body in (
            b"id=%00",
            b"id%00=1",
            b"id[%00]=1",
            b"id=%ed%a0%80",
            b"id=%ff",
            b"id=\xff",
            many,
            b"id" + b"[x]" * 25 + b"=1",
            b"id" + b"[]" * 200_000 + b"=1",
        ):
            response = await siege.send(route, body, headers=FORM)
            siege.judge(f"{route} {body[:30]!r}", response, codes=[INVALID])
        for body in (b"id=1", a_file, b"--x\r\n" * 1_000, b"\xff"):
            response = await siege.send(route, body, headers=PARTS)
            siege.judge(f"{route} {body[:30]!r}", response, codes=[INVALID])
        for kind in ("utf-16", "unicode_escape", "punycode", MARK):
            for headers in (FORM, PARTS):
                sent = {"Content-Type": f"{headers['Content-Type']}; charset={kind}"}
                response = await siege.send(route, b"id=1", headers=sent)
                siege.judge(f"{route} {kind}", response, [415], ["rest_unsupported_media_type"])


async def test_another_kind_of_body(siege: Siege) -> None:
    for kind in (
        "multipart/mixed; boundary=x",
        "application/x-www-form-urlencoded-not",
        "text/plain",
        "text/json",
        "application/xml",
        "application/octet-stream",
        "application/jsonx",
        "application/json/x",
        "evil+json",
        "; charset=utf-8",
        MARK,
    ):
        for route in EVERY_ROUTE:
            for body in (b"id=1&quantity=2", b'{"id":"1"}'):
                response = await siege.send(route, body, headers={"Content-Type": kind})
                siege.judge(f"{route} {kind}", response, [415], ["rest_unsupported_media_type"])


@pytest.mark.parametrize("announced", [True, False], ids=["content-length", "chunked"])
async def test_a_body_that_is_too_large(siege: Siege, announced: bool) -> None:
    async def pieces(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // 65_536 + 1):
            yield b" " * 65_536

    for route in EVERY_ROUTE:
        for size in (MEGABYTE + 1, 3 * MEGABYTE):
            content = b" " * size if announced else pieces(size)
            siege.judge(
                f"{route} {size}", await siege.send(route, content), [413], ["rest_body_too_large"]
            )


# --- fields of the wrong kind --------------------------------------------------------------------

FLAG = (MARK, 5, 1.5, [True], {"a": True})
TEXT = (True, 5, 1.5, [MARK], {"a": MARK})
OBJECT = (True, 5, MARK, [1], [MARK])
LONG = "x" * 5_001
AMOUNTS = (True, [1], {"a": 1}, MARK, "", "NaN", "Infinity", "1e999999999", "1,5", "9" * 40, 1e22)
ADDRESS = (
    *OBJECT,
    *({"first_name": value} for value in TEXT),
    *({part: MARK} for part in ("country", "email", "phone")),
    {"country": "US", "postcode": MARK},
    {"country": "US", "state": MARK},
    {"city": "x" * 201},
    {"city": "x" * 501},
    {"country": "ZZ"},
    {"country": "\u202eUS\u202e\u202e\u200bX"},
    {"email": "a@b@c.example"},
    {"email": "x" * 300 + "@example.com"},
    {"email": "ines@example.com\r\nBcc: all@example.com"},
    {"phone": "+1 310 555 0142; DROP TABLE carts"},
)
PAYMENT = (True, 5, MARK, [5], [MARK], [{"key": 5, "value": 1}], [{"value": 1}])
PAYMENT += ([{"key": "a", "value": [MARK]}], [{"key": "a", "value": 1}] * 101)  # type: ignore[assignment]
NOT_NUMBERS = ([1], {"a": 1}, None, True)
CHECKOUT_FIELDS: dict[str, tuple[Any, ...]] = {
    "billing_address": ADDRESS,
    "shipping_address": (*OBJECT, {"first_name": 5}, {"country": MARK}, {"city": "x" * 201}),
    "payment_method": (*TEXT, MARK, "x" * 101, "BACS", "bacs\u200b", "nobody"),
    "shipping_method": (*TEXT, MARK, "x" * 201, "flat_rate:99", "flat_rate:1 "),
    "currency": (*TEXT, MARK, "usd", "US", "USDD", "ZZZ", "GBP", "\u202eUSD", "$", "x" * 21),
    "payment_data": PAYMENT,
    "payment_method_data": PAYMENT,
    "customer_password": (*TEXT, "x" * 4_097),
}
PROCESS_FIELDS: dict[str, tuple[Any, ...]] = {
    "use_different_billing": FLAG,
    "create_account": FLAG,
    "customer_note": (*TEXT, LONG),
    "expected_total": AMOUNTS,
}
FIELDS: dict[str, dict[str, tuple[Any, ...]]] = {
    ADD: {
        "id": (True, 1.5, None, [MARK], {"a": MARK}, "x" * 201),
        "quantity": (*NOT_NUMBERS, MARK, "", "NaN", "sNaN", "Infinity", "1" * 31, "1e" + "9" * 20),
        "variation": (*OBJECT, {"a": 1}, {MARK: [MARK]}, {"a": "x" * 201}),
        "item_data": (*OBJECT, {"a": "x" * 16_400}, {str(key): 1 for key in range(51)}),
        "email": (*TEXT, "x" * 321),
        "phone": (*TEXT, "x" * 101),
        "price": ([1], {"a": 1}, True),
        "return_item": FLAG,
    },
    ADD_ALL: {
        "items": (
            True,
            MARK,
            {"a": MARK},
            [5],
            [MARK],
            [{}],
            [{"id": [1]}],
            [],
            [{"id": "1"}] * 101,
        ),
        "return_items": FLAG,
    },
    ITEM: {"quantity": NOT_NUMBERS, "return_status": FLAG},
    f"{V2}/cart/calculate": {"return_totals": FLAG},
    f"{V2}/cart/clear": {"keep_removed_items": FLAG},
    f"{V2}/cart/update": {
        "namespace": (*TEXT, "x" * 101),
        "quantity": (5, MARK, True, [5], [{"item_key": 5}], [{"quantity": 1}]),
        "items": (5, MARK, [5], [{"item_key": 5}]),
        "billing_first_name": (*TEXT, "x" * 501),
        "shipping_city": (*TEXT, "x" * 501),
    },
    CONTEXT: {"payment_method": (*TEXT, MARK, None, "", "x" * 101, "nobody")},
}


async def test_fields_of_the_wrong_kind(siege: Siege) -> None:
    for path, fields in FIELDS.items():
        (route,) = [each for each in ROUTES if each.path == path and each.method == "POST"]
        base = {} if route is UPDATES else route.good
        for name, values in fields.items():
            for value in values:
                response = await siege.send(route, json.dumps({**base, name: value}))
                siege.judge(f"{route} {name}={value!r:.60}", response)


async def test_checkout_fields_of_the_wrong_kind(siege: Siege) -> None:
    for route in CHECKOUT_ROUTES:
        fields = CHECKOUT_FIELDS if route.method == "PATCH" else CHECKOUT_FIELDS | PROCESS_FIELDS
        for name, values in fields.items():
            for value in values:
                response = await siege.send(route, json.dumps({name: value}))
                siege.judge(f"{route} {name}={value!r:.60}", response)


async def test_quantities_that_cannot_be(siege: Siege) -> None:
    """What looks like a number and is no quantity is 405 (contract cart.md 3.1, rows 6 and 7)."""
    wrong = (0, -1, 1.5, "-1", "1.5", 10**6, 2**53, 2**64, 1e300, "1e300", "1e999999999", "1e-99")
    for value in wrong:
        response = await siege.send(ADDS, json.dumps({"id": "1", "quantity": value}))
        siege.judge(f"add {value}", response, [405])
        body = json.dumps({"items": [{"id": "1"}, {"id": "1", "quantity": value}]})
        siege.judge(f"add all {value}", await siege.send(ADDS_ALL, body), [405])
    for value in (*wrong[1:], MARK, "", "NaN", "Infinity", "1" * 31, "0x10", "1e" + "9" * 20):
        for route, body_ in (
            (CHANGES, {"quantity": value}),
            (Route("PUT", ITEM), {"quantity": value}),
            (UPDATES, {"quantity": {LINE: value}}),
            (UPDATES, {"items": [{"item_key": LINE, "quantity": value}]}),
            (UPDATES, {"items": {LINE: {"quantity": value}}}),
        ):
            response = await siege.send(route, json.dumps(body_))
            siege.judge(f"{route} {body_}", response, [405])
    for value in (None, [1], {"a": 1}, True):
        response = await siege.send(UPDATES, json.dumps({"quantity": {LINE: value}}))
        siege.judge(f"update {value}", response, [405])


NO_PRODUCTS = (0, -1, 2**31, 2**63, 2**64 - 1, "0", "-1", "9" * 200, "1.0", "１", "", " ", MARK)
NO_SKUS = ("1; DROP TABLE products", "' OR '1'='1", "../1", "%31", "1\u200b", "\u202e1", "null")


async def test_products_that_are_not_there(siege: Siege) -> None:
    for value in (*NO_PRODUCTS, *NO_SKUS):
        for route, body in (
            (ADDS, {"id": value}),
            (ADDS_ALL, {"items": [{"id": value}]}),
            (ADDS_ALL, {"id": value, "quantity": {"1": 1}}),
        ):
            response = await siege.send(route, json.dumps(body))
            siege.judge(f"{route} {body}", response, [400, 404])


async def test_several_problems_are_told_at_once_without_values(siege: Siege) -> None:
    wrong = {
        "billing_address": {"country": "US", "postcode": MARK, "email": MARK},
        "currency": MARK,
    }
    for route in CHECKOUT_ROUTES:
        response = await siege.send(route, json.dumps(wrong))
        siege.judge(str(route), response, codes=["cocart_checkout_invalid_address"])
        fields = {"billing_address.postcode", "billing_address.email", "currency"}
        assert set(response.json()["data"]["invalid_fields"]) == fields


async def test_a_wrong_name_is_told_only_when_it_is_harmless(siege: Siege) -> None:
    response = await siege.send(
        ADDS, json.dumps({"id": "1", "variation": {MARK: 5, "size": 5, "x" * 61: 5}})
    )
    assert set(response.json()["data"]["params"]) == {"variation.…", "variation.size"}
    unions = {"payment_data": 5, "billing_address": {"city": [MARK]}}
    response = await siege.send(CHECKOUT_ROUTES[0], json.dumps(unions))
    assert set(response.json()["data"]["params"]) == {"payment_data", "billing_address.city"}
    response = await siege.send(CHECKOUT_ROUTES[0], b'{"payment_data":[{"value":1}]}')
    assert response.json()["data"]["params"] == ["payment_data.0.key"]


# --- text that is only strange -------------------------------------------------------------------

STRANGE = (
    "Robert'); DROP TABLE carts;--",
    '<script>alert("x")</script>',
    "<img src=x onerror=alert(1)>",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "%s%n%x %(name)s {0}",
    "../../etc/passwd",
    "\\u0000 &lt; &#x3c; %00",
    "O’Brien–Łódź",
    "אבג דהו",
    "مرحبا بالعالم",
    "नमस्ते",
    "👩\u200d👩\u200d👧\u200d👦",
    unicodedata.normalize("NFC", "Z\u0351\u036b\u0343a\u0321l\u0353g\u031eo\u0344 e\u0301"),
    "null",
    "undefined",
    "NaN",
    "=cmd|' /C calc'!A1",
)


async def test_strange_text_is_text(storefront: Storefront) -> None:
    """Stored as it was sent, and given back as it was stored."""
    await storefront.ready_to_order()
    for text in STRANGE:
        names = {"first_name": text, "company": text, "address_1": text, "city": text}
        updated = await storefront.update(billing_address=names)
        assert updated.status_code == 200, (text, updated.text)
        billing = (await storefront.state())["billing_address"]
        assert {name: billing[name] for name in names} == names
        added = await storefront.add(item_data={"note": text, text: [text]}, return_item=True)
        assert added.json()["cart_item_data"] == {"note": text, text: [text]}
    seen = (await storefront.call("GET", f"{V2}/cart")).json()
    assert seen["customer"]["billing_address"]["billing_city"] == STRANGE[-1]
    placed = await storefront.process(customer_note="\n".join(STRANGE))
    assert placed.status_code == 200, placed.text
    order = placed.json()
    received = await storefront.call(
        "GET", f"{PREVIEW}/order-received/{order['order_id']}", order_key=order["order_key"]
    )
    assert received.json()["customer_note"] == "\n".join(STRANGE)
    assert received.json()["billing_address"]["city"] == STRANGE[-1]


async def test_marks_that_steer_text_are_taken_out_of_addresses(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    names = {"first_name": "\u202eIn\u202ces\u200b", "city": "\ufeff Dun\tmore\u2066 "}
    updated = await storefront.update(billing_address=names)
    assert updated.json()["billing_address"]["first_name"] == "Ines"
    assert updated.json()["billing_address"]["city"] == "Dun more"


async def test_contact_data_beside_an_item_is_as_tidy(storefront: Storefront) -> None:
    """`email` and `phone` of add-item end up in the same address."""
    await storefront.add(email=" ines@example.com\u202e ", phone="\u200b+13105550142\t")
    billing = (await storefront.call("GET", f"{V2}/cart")).json()["customer"]["billing_address"]
    assert billing["billing_email"] == "ines@example.com"
    assert billing["billing_phone"] == "+13105550142"


async def test_extreme_numbers_in_free_data_come_back(storefront: Storefront) -> None:
    sent = {"large": 1e308, "small": 5e-324, "zero": -0.0, "whole": 2**64 - 1, "least": -(2**63)}
    added = await storefront.add(item_data=sent, return_item=True)
    assert added.status_code == 200, added.text
    assert added.json()["cart_item_data"] == sent
    items = (await storefront.call("GET", f"{V2}/cart")).json()["items"]
    assert items[0]["cart_item_data"] == sent


async def test_of_a_doubled_key_the_last_counts(storefront: Storefront) -> None:
    """As in every JSON reader that clients know; nothing looks at the first."""
    response = await storefront.http.post(
        ADD, content=b'{"id":"999","quantity":7,"id":"1","quantity":2}', headers=JSON
    )
    assert response.status_code == 200, response.text
    assert response.json()["item_count"] == 2


async def test_no_content_type_is_json(storefront: Storefront) -> None:
    response = await storefront.http.post(ADD, content=b'{"id":"1"}')
    assert response.status_code == 200, response.text
    for kind in ("application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json"):
        headers = {"Content-Type": kind}
        response = await storefront.http.post(ADD, content=b'{"id":"1"}', headers=headers)
        assert response.status_code == 200, (kind, response.text)


async def test_an_empty_list_is_an_empty_object(storefront: Storefront) -> None:
    """DECISIONS 21: what PHP makes of an empty array, for the body as well."""
    await storefront.add()
    response = await storefront.call("POST", f"{V2}/cart/calculate", [])
    assert response.status_code == 200, response.text


async def test_removed_lines_are_bounded(empty_database: str, database: Any) -> None:
    """What is added and removed again stays with the cart, so it has to end somewhere."""
    from tests.makers import product, running

    async with database.acquire() as connection:
        await product(connection)
    async with running(shop_settings(empty_database, cart={"max_items": 3})) as storefront:
        for number in range(8):
            data = {"n": number}
            added = await storefront.add(item_data=data)
            assert added.status_code == 200, added.text
            await storefront.call("DELETE", f"{V2}/cart/item/{ids.item_key(1, 0, {}, data)}")
        cart = (await storefront.call("GET", f"{V2}/cart")).json()
        assert len(cart["removed_items"]) <= 3


# --- headers, queries, paths ---------------------------------------------------------------------


async def test_idempotency_keys_that_cannot_be(siege: Siege) -> None:
    for key in ("", " ", "x" * 256, "a\tb", "a\0b", "ключ", " a", "a "):
        for route in (
            *V2_ROUTES,
            *CHECKOUT_ROUTES,
        ):  # a payment context changes nothing and keeps none
            content = None if route.good is None else json.dumps(route.good)
            response = await siege.send(route, content, headers={"Idempotency-Key": key})
            siege.judge(
                f"{route} {key!r:.20}", response, codes=["cocart_idempotency_key_malformed"]
            )


STRANGE_KEYS = ("x" * 10_000, '"; DROP TABLE carts;--', "a\0b", "\0", "ü", "'", "undefined", "-")
ACCOUNT_KEYS = ("1", "1'", "0", "9" * 10_000, '"2"', "１2", "3\0")


@pytest.mark.parametrize("where", ["Cart-Key", "CoCart-API-Cart-Key", "cart_key"])
async def test_cart_keys_of_nobody(siege: Siege, where: str) -> None:
    for key in (*STRANGE_KEYS, *ACCOUNT_KEYS):
        sent: dict[str, Any] = {"headers": {"Cart-Key": "", where: key}}
        if where == "cart_key":
            sent = {"headers": {"Cart-Key": ""}, where: key}
        account = key in ACCOUNT_KEYS
        for route in (*CHECKOUT_ROUTES, PREPARES, READS_STATE):
            response = await siege.send(route, json.dumps(route.good or {}), **sent)
            label = f"{route} {key!r:.20}"
            if account:
                siege.judge(label, response, [403], ["cocart_must_authenticate_user"])
            else:
                siege.judge(label, response, [404], ["cocart_cart_not_found"])
        read = await siege.send(READS, **sent)
        if account:
            siege.judge(f"read {key!r:.20}", read, [403], ["cocart_must_authenticate_user"])
            for route in V2_ROUTES[1:]:
                response = await siege.send(route, json.dumps(route.good or {}), **sent)
                siege.judge(f"{route} {key!r:.20}", response, [403])
        else:
            assert read.status_code == 200
            assert read.json()["cart_key"] == ""


async def test_the_cart_key_header_wins(siege: Siege) -> None:
    mine, route = siege.storefront.cart_key, READS
    for headers, query in (
        ({"Cart-Key": mine, "CoCart-API-Cart-Key": "t_other"}, {}),
        ({"Cart-Key": mine}, {"cart_key": "t_other"}),
        ({"Cart-Key": "", "CoCart-API-Cart-Key": mine}, {"cart_key": "t_other"}),
        ({"Cart-Key": "", "CoCart-API-Cart-Key": mine.upper()}, {}),
    ):
        response = await siege.send(route, headers=headers, **query)
        assert response.json()["cart_key"] == mine
    response = await siege.send(
        route, headers={"Cart-Key": "t_other", "CoCart-API-Cart-Key": mine}, cart_key=mine
    )
    assert response.json()["cart_key"] == ""


async def test_strangers_with_the_same_useless_cart_key_stay_strangers(
    storefront: Storefront,
) -> None:
    """`Cart-Key: undefined` is what a broken storefront sends for everybody. An Idempotency-Key
    that two of its shoppers have in common must not give one the cart of the other."""

    headers = {"Cart-Key": "undefined", "Idempotency-Key": "add-1"}
    for agent in ("Firefox", "Safari"):
        response = await storefront.http.post(
            ADD, json={"id": "1"}, headers={**headers, "User-Agent": agent}
        )
        assert response.status_code == 400
        assert response.json()["code"] == "cocart_idempotency_key_malformed"


async def test_an_agent_with_a_nul_byte(storefront: Storefront) -> None:
    headers = {"User-Agent": "a\0b", "Idempotency-Key": "a-key-long-enough"}
    response = await storefront.http.post(f"{V2}/cart", headers=headers)
    assert response.status_code == 200, response.text


async def test_credentials_that_cannot_be_read(siege: Siege) -> None:
    codes = ["cocart_authentication_error"]
    for authorization in (
        "Basic",
        "Basic ",
        "Basic %%%",
        "Basic bm9jb2xvbg==",  # no colon
        "Basic Og==",  # nothing but a colon
        "Basic //79/A==",  # no UTF-8
        "Basic YQBiOng=",  # a NUL in the user name
        "Basic " + "QUFB" * 20_000,
        "Digest username=x",
        MARK,
        "Bearer x.y.z",
        "bearer",
    ):
        status = 403 if authorization.lower().startswith("bearer") else 401
        for route in (*ROUTES, READS, READS_STATE):
            content = None if route.good is None else json.dumps(route.good)
            response = await siege.send(route, content, headers={"Authorization": authorization})
            siege.judge(f"{route} {authorization:.20}", response, [status], codes)


async def test_consumer_keys_that_are_wrong(siege: Siege) -> None:
    for key, secret in (
        (MARK, MARK),
        ("ck_" + "0" * 40, "cs_" + "0" * 40),
        (siege.storefront.keys["consumer_key"], siege.storefront.tutorial["consumer_secret"]),
        (siege.storefront.keys["consumer_key"], ""),
        ("", ""),
        ("ck_\0", "cs_\0"),
        ("x" * 30_000, "y"),
    ):
        for route in ROUTES:
            content = None if route.good is None else json.dumps(route.good)
            response = await siege.storefront.http.request(
                route.method,
                route.path,
                content=content,
                params={"consumer_key": key, "consumer_secret": secret},
                headers={"Cart-Key": siege.storefront.cart_key, **JSON},
            )
            codes = ["cocart_authentication_error"]
            siege.judge(f"{route} {key!r:.20}", response, [401], codes)


async def test_a_password_with_a_nul_byte(siege: Siege) -> None:
    await administrator(siege.storefront.shop, "correct horse")
    for user, password in (("admin", "correct\0horse"), ("ad\0min", "x"), ("admin", "x" * 50_000)):
        response = await siege.storefront.http.get(f"{V2}/cart", auth=(user, password))
        siege.judge(user, response, [401], ["cocart_authentication_error"])


async def test_orders_that_are_not_there(siege: Siege) -> None:
    for order_id in ("0", "-1", "-0", 2**63 - 1, 2**63, 2**64, 10**400):
        route = Route("GET", f"{PREVIEW}/order-received/{order_id}")
        for key in ("x", MARK, "\0", "wc_order_" + "a" * 22):
            response = await siege.send(route, order_key=key)
            siege.judge(f"{route}", response, [404], ["cocart_order_not_found"])
    for wrong in ("1" + "0" * 5_000, "1.5", "x", "0x1", "%31%20%27", "１", "1_0"):
        route = Route("GET", f"{PREVIEW}/order-received/{wrong}")
        siege.judge(f"{route}", await siege.send(route, order_key="x"), [400, 404])


async def test_order_keys_that_are_wrong(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    order = (await storefront.process()).json()
    path = f"{PREVIEW}/order-received/{order['order_id']}"
    right = order["order_key"]
    for key in (MARK, "\0", right[:-1], right + "\0", right.lower(), " " + right, "' OR 1=1--"):
        response = await storefront.call("GET", path, order_key=key)
        assert not faults_of(response)
        assert (response.status_code, response.json()["code"]) == (403, "cocart_invalid_order_key")
    for query, code in (({}, MISSING), ({"order_key": "x" * 101}, INVALID)):
        response = await storefront.call("GET", path, **query)
        assert (response.status_code, response.json()["code"]) == (400, code)


async def test_items_that_are_not_there(siege: Siege) -> None:
    for key in ("null", "ü", "１", "x" * 64, "-", "_", "c4ca", LINE.upper()):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            body = None if method == "GET" else '{"quantity":1}' if method == "POST" else "{}"
            response = await siege.send(Route(method, f"{V2}/cart/item/{key}"), body)
            siege.judge(f"{method} {key}", response, [404])
    for key in ("x" * 65, "a%20b", "%27%3B--", "%3Cscript%3E", "a.b", "%ED%A0%80", "👻"):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            body = None if method == "GET" else '{"quantity":1}'
            response = await siege.send(Route(method, f"{V2}/cart/item/{key}"), body)
            siege.judge(f"{method} {key}", response, codes=[INVALID])
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        body = None if method == "GET" else '{"quantity":1}'
        response = await siege.send(Route(method, f"{V2}/cart/item/0"), body)
        siege.judge(f"{method} 0", response, [404], ["cocart_cart_item_key_required"])


async def test_queries_that_cannot_be(siege: Siege) -> None:
    for route, names in (
        (READS, ("thumb",)),
        (Route("GET", f"{V2}/cart/items"), ("thumb",)),
        (Route("GET", f"{V2}/cart/items/count"), ("removed_items",)),
        (Route("GET", f"{V2}/cart/totals"), ("html",)),
        (Route("PUT", GONE), ("return_item",)),
        (Route("DELETE", ITEM), ("return_status",)),
    ):
        for name in names:
            for value in (MARK, "", "\0", "2", "truee"):
                siege.judge(f"{route} {name}", await siege.send(route, **{name: value}))
    response = await siege.send(READS, fields="x" * 501)
    siege.judge("fields", response, codes=[INVALID])
    for value in ("\0", MARK, "__class__", "totals:" + "-" * 400, "," * 400, "." * 400):
        for name in ("fields", "_fields"):
            response = await siege.send(READS, **{name: value})
            assert response.status_code == 200, (name, value)
    many = ",".join(f"items.{'a.' * 200}{number}" for number in range(100))
    response = await siege.send(READS, _fields=many)
    assert response.status_code == 200


async def test_a_dialect_that_is_not_spoken(siege: Siege) -> None:
    for dialect in (MARK, "reference,tutorial", "\0", "x" * 10_000):
        for route in CHECKOUT_ROUTES[:3]:
            response = await siege.send(route, "{}", headers={"Checkstand-Dialect": dialect})
            siege.judge(f"{route} {dialect!r:.20}", response, codes=[INVALID])


# --- methods and routes --------------------------------------------------------------------------

METHODS = {
    **{route.path: "POST" for route in (PAYS, PAYS_NEWER, *BATCH_ROUTES, *ADMIN_ROUTES)},
    f"{V2}/checkout": "GET, POST, PUT, PATCH",
    f"{V2}/cart": "GET, POST",
    ADD: "POST",
    ADD_ALL: "POST",
    f"{V2}/cart/items": "GET, DELETE",
    f"{V2}/cart/items/count": "GET",
    ITEM: "GET, POST, PUT, PATCH, DELETE",
    f"{V2}/cart/totals": "GET",
    f"{V2}/cart/calculate": "POST",
    f"{V2}/cart/clear": "POST, DELETE",
    f"{V2}/cart/coupons": "GET, DELETE",
    f"{V2}/cart/update": "POST",
    CHECKOUT: "GET, POST, PUT, PATCH",
    f"{CHECKOUT}/payment-methods": "GET",
    CONTEXT: "POST",
    f"{PREVIEW}/order-received/1": "GET",
}
EVERY_METHOD = "GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT PROPFIND QUERY FOO".split()


async def test_methods_that_a_route_has_not(siege: Siege) -> None:
    for path, allowed in METHODS.items():
        for method in EVERY_METHOD:
            if method in allowed.split(", "):
                continue
            response = await siege.send(Route(method, path), headers={"X-Secret": MARK})
            assert response.status_code == 405, (method, path)
            assert response.headers["Allow"] == allowed
            if method == "HEAD":
                assert response.content == b""
            else:
                siege.judge(f"{method} {path}", response, [405], ["rest_method_not_allowed"])


async def test_a_page_that_is_only_read(siege: Siege) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        response = await siege.send(Route(method, "/"))
        siege.judge(f"{method} /", response, [405], ["rest_method_not_allowed"])
    siege.judge("GET /", await siege.send(Route("GET", "/")), [404], ["rest_no_route"])


async def test_routes_that_are_not_there(siege: Siege) -> None:
    for path in (
        "/wp-json",
        "/wp-json/cocart/v2",
        "/wp-json/cocart/v3/cart",
        "/wp-json/cocart/v2/cart/",
        "/wp-json/cocart/v2/Cart",
        "/wp-json//cocart/v2/cart",
        "/wp-json/cocart/v2/cart/../cart/nothing",
        "/wp-json/cocart/v2/cart%00",
        "/wp-json/cocart/v2/cart%0A",
        "/wp-json/cocart/v2/cart%0D%0ASet-Cookie:%20a=b",
        "/wp-json/cocart/v2/cart/item/",
        "/wp-json/cocart/v2/cart/item/a%2Fb",
        f"/wp-json/cocart/v2/cart/item/{LINE}%00",
        f"/wp-json/cocart/v2/cart/item/{LINE}%0A",
        "/wp-json/cocart/preview/order-received/",
        "/wp-json/cocart/preview/order-received/%00",
        "/wp-json/cocart/preview/checkout/pay",
        "/%ED%A0%80",
        "/" + "x" * 20_000,
        "/<i>zqx9137",
    ):
        for method in ("GET", "POST", "DELETE", "OPTIONS"):
            response = await siege.send(Route(method, path))
            siege.judge(f"{method} {path:.60}", response, [404], ["rest_no_route"])


async def test_an_overridden_method_is_the_method(siege: Siege) -> None:
    """What no route has is refused, and never carried out as the POST that it came as."""
    for method in ("TRACE", "OPTIONS", "HEAD", "FOO", MARK, "GET, POST", "\0", "x" * 10_000):
        for route in ROUTES:
            if route.method == "POST":
                headers = {"X-HTTP-Method-Override": method}
                response = await siege.send(route, json.dumps(route.good or {}), headers=headers)
                siege.judge(f"{route} {method:.20}", response, [405], ["rest_method_not_allowed"])
                assert response.headers["Allow"] == METHODS[route.path]
    read = await siege.send(CREATES, headers={"X-HTTP-Method-Override": " get "})
    assert read.json()["cart_key"] == siege.storefront.cart_key
    for method in ("GET", "DELETE", "PUT", "PATCH"):  # of a POST only
        headers = {"X-HTTP-Method-Override": "DELETE"}
        response = await siege.send(Route(method, f"{V2}/cart/totals"), headers=headers)
        assert response.status_code == (200 if method == "GET" else 405)


# --- over a real socket --------------------------------------------------------------------------


@pytest.fixture
def live(empty_database: str, storefront: Storefront) -> Any:
    with live_shop(shop_settings(empty_database)) as shop:
        yield shop


def _request(path: str, *headers: str, method: str = "POST", body: bytes = b"") -> bytes:
    head = "\r\n".join((f"{method} {path} HTTP/1.1", "Host: shop.test", *headers, "", ""))
    return head.encode("latin-1") + body


class Wire:
    """One connection, spoken to byte by byte."""

    def __init__(self, shop: LiveShop) -> None:
        self.socket = socket.create_connection(("127.0.0.1", shop.port), timeout=30)
        self._stream = self.socket.makefile("rb")

    def close(self) -> None:
        self._stream.close()
        self.socket.close()

    def say(self, *parts: bytes) -> None:
        for part in parts:
            self.socket.sendall(part)

    def answer(self) -> tuple[int, dict[str, str], Any]:
        """Status, headers and parsed body of the next answer."""
        status = int(self._stream.readline().split()[1])
        headers = {}
        while line := self._stream.readline().strip():
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        body = self._stream.read(int(headers.get("content-length", 0)))
        kind = headers.get("content-type", "")
        return status, headers, json.loads(body) if "json" in kind else body


def assert_too_large(answer: tuple[int, dict[str, str], Any]) -> None:
    status, headers, body = answer
    assert status == body["data"]["status"] == 413
    assert body["code"] == "rest_body_too_large"
    assert headers["cache-control"] == "no-store, private"
    assert headers["x-request-id"]


async def test_who_sends_three_megabytes_reads_the_answer(live: LiveShop) -> None:
    """The body is read to its end first: most clients look at the answer only then."""

    def talk() -> None:
        size = 3 * MEGABYTE
        with closing(Wire(live)) as wire:
            wire.say(_request(ADD, f"Content-Length: {size}"), b" " * size)
            assert_too_large(wire.answer())
        with closing(Wire(live)) as wire:
            wire.say(_request(ADD, "Transfer-Encoding: chunked"))
            for _ in range(size // 65_536):
                wire.say(b"10000\r\n", b" " * 65_536, b"\r\n")
            wire.say(b"0\r\n\r\n")
            assert_too_large(wire.answer())
        answer = httpx2.post(live.url + ADD, content=b" " * 8 * MEGABYTE, headers=JSON)
        assert answer.status_code == 413

    await asyncio.to_thread(talk)


async def test_long_bodies_are_no_long_headers(live: LiveShop) -> None:
    """However many pieces they come in, one after the other on one connection."""
    body = b'{"id":"1"}' + b" " * 900_000
    head = _request(ADD, f"Content-Length: {len(body)}")

    def talk() -> None:
        with closing(Wire(live)) as wire:
            for piece in (1_000, 65_536, len(head) + len(body)):
                whole = head + body
                wire.say(*(whole[at : at + piece] for at in range(0, len(whole), piece)))
                assert wire.answer()[0] == 200
            short = _request(ADD, "Content-Length: 10", body=b'{"id":"1"}')
            wire.say(whole + short * 50)  # without waiting for answers
            assert [wire.answer()[0] for _ in range(51)] == [200] * 51

    await asyncio.to_thread(talk)


async def test_who_never_stops_sending_is_cut_off(live: LiveShop) -> None:
    def talk() -> None:
        for framing in ("Content-Length: 1000000000", "Transfer-Encoding: chunked"):
            with closing(Wire(live)) as wire:
                wire.say(_request(ADD, framing))
                sent = 0
                with pytest.raises(OSError, match=r"reset|[Bb]roken"):
                    while sent < 200 * MEGABYTE:
                        wire.say(b"10000\r\n", b" " * 65_536, b"\r\n")
                        sent += 65_536
                assert sent < 100 * MEGABYTE
        with closing(Wire(live)) as wire:
            wire.say(_request(f"{V2}/cart", method="GET"))
            assert wire.answer()[0] == 200

    await asyncio.to_thread(talk)


async def test_who_leaves_before_the_end_of_the_body_orders_nothing(
    live: LiveShop, storefront: Storefront
) -> None:
    """Otherwise half a request would be carried out as if it had no body."""
    await storefront.ready_to_order()
    before = (await storefront.state())["cart_contents"]
    keys = storefront.keys
    path = (
        f"{CHECKOUT}?consumer_key={keys['consumer_key']}&consumer_secret={keys['consumer_secret']}"
    )

    def talk() -> None:
        for framing, body in (
            ("Content-Length: 500", b""),
            ("Content-Length: 500", b"{}"),
            ("Transfer-Encoding: chunked", b"2\r\n{}\r\n"),
            ("Transfer-Encoding: chunked", b""),
        ):
            for half_closed in (True, False):
                with closing(Wire(live)) as wire:
                    cart = f"Cart-Key: {storefront.cart_key}"
                    wire.say(_request(path, cart, framing, body=body))
                    if half_closed:
                        wire.socket.shutdown(socket.SHUT_WR)
                        assert wire.socket.recv(1_000) == b""

    await asyncio.to_thread(talk)
    await asyncio.sleep(0.3)
    assert (await storefront.state())["cart_contents"] == before
    async with storefront.shop.database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM orders") == 0


async def test_headers_without_end_are_cut_off(live: LiveShop) -> None:
    """Otherwise one client makes the server keep as much as it likes, before anybody can look."""

    def talk(line: bytes) -> bytes:
        with closing(Wire(live)) as wire, suppress(OSError):
            wire.say(_request(f"{V2}/cart", method="GET")[:-2])
            for _ in range(2 * MEGABYTE // 65_536):
                wire.say(line * (65_536 // len(line)))
            wire.say(b"\r\n\r\n")
            return wire.socket.recv(12)
        return b""

    for line in (b"X-Endless: 1234567890\r\n", b"X-Endless: " + b"x" * 65_000 + b"\r\n"):
        assert await asyncio.to_thread(talk, line) in (b"", b"HTTP/1.1 431", b"HTTP/1.1 400")


NO_HTTP = (
    _request(f"{V2}/cart", "Cart-Key: a\0b", method="GET"),
    _request(f"{V2}/cart", "Cart\0Key: a", method="GET"),
    _request(f"{V2}/cart\0", method="GET"),
    _request(f"{V2}/cart", "Content-Length: 1", "Content-Length: 2", body=b"{}"),
    _request(f"{V2}/cart", "Content-Length: -1"),
    _request(f"{V2}/cart", "Content-Length: 2", "Transfer-Encoding: chunked", body=b"{}"),
    _request(f"{V2}/cart", "Transfer-Encoding: chunked", body=b"zz\r\n"),
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"FOO / HTTP/9.9\r\n\r\n",
)


async def test_what_is_no_http_is_refused_by_the_server(live: LiveShop) -> None:
    def talk(request: bytes) -> int:
        with closing(Wire(live)) as wire:
            wire.say(request)
            return wire.answer()[0]

    for request in NO_HTTP:
        assert await asyncio.to_thread(talk, request) == 400, request
