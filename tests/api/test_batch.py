"""Batch: one cart, each part on its own feet (contract README 9)."""

from __future__ import annotations

from typing import Any

import pytest

from checkstand.storage.database import Database
from tests.makers import (
    BILLING,
    V2,
    Storefront,
    administrator,
    product,
    running,
    shop_settings,
    sql_count,
)
from tests.shapes import differences
from tests.tables.v2_checkout import STATE, processed_shape

BATCH = "/wp-json/cocart/batch"
ADD = {"method": "POST", "path": "/cocart/v2/cart/add-item", "body": {"id": "1"}}
CART = {"method": "GET", "path": "/cocart/v2/cart"}
CHECKOUT = {"method": "GET", "path": "/cocart/v2/checkout"}


async def send(shop: Storefront, *parts: Any, path: str = BATCH, **more: Any) -> Any:
    query = more.pop("query", {})
    headers = more.pop("headers", None)
    return await shop.call(
        "POST", path, {"requests": list(parts), **more}, headers=headers, **query
    )


async def test_one_cart(storefront: Storefront) -> None:
    response = await send(storefront, ADD, {**ADD, "body": {"id": "1", "quantity": 2}}, CART)
    assert response.status_code == 200, response.text
    cart = response.json()
    assert (cart["item_count"], cart["cart_key"]) == (3, storefront.cart_key)
    assert len(cart["notices"]["success"]) == 2, "the messages of all operations"
    assert response.headers["Cart-Key"] == response.headers["CoCart-API-Cart-Key"]
    key = cart["items"][0]["item_key"]
    emptied = await send(
        storefront,
        {"method": "POST", "path": f"/cocart/v2/cart/item/{key}", "body": {"quantity": "5"}},
        {"method": "DELETE", "path": f"/cocart/v2/cart/item/{key}"},
    )
    assert (emptied.json()["items"], emptied.json()["cart_key"]) == ([], cart["cart_key"])
    fewer = await send(storefront, ADD, query={"_fields": "item_count,notices"})
    assert set(fewer.json()) == {"item_count", "notices"}


@pytest.mark.parametrize("how", ["header", "older header", "query"])
async def test_the_cart_is_named_once(storefront: Storefront, how: str) -> None:
    await storefront.add()
    key, storefront.cart_key = storefront.cart_key, ""
    headers = {"header": {"Cart-Key": key}, "older header": {"CoCart-API-Cart-Key": key}}
    query = {"cart_key": key} if how == "query" else {}
    response = await send(storefront, ADD, ADD, headers=headers.get(how), query=query)
    assert (response.json()["item_count"], response.json()["cart_key"]) == (3, key)


async def test_an_account(storefront: Storefront) -> None:
    import base64

    account = await administrator(storefront.shop, "correct horse")
    signed_in = {"Authorization": "Basic " + base64.b64encode(b"admin:correct horse").decode()}
    response = await send(storefront, ADD, CART, headers=signed_in)
    assert response.json()["cart_key"] == str(account)
    stranger = storefront.another()
    stranger.cart_key = str(account)
    response = await send(stranger, ADD, CART)
    said = [each["body"]["code"] for each in response.json()["responses"]]
    assert (response.status_code, said) == (207, ["cocart_must_authenticate_user"] * 2)


async def test_what_fails_is_said_and_the_rest_is_done(storefront: Storefront) -> None:
    wrong = {**ADD, "body": {"id": "987654"}}
    nowhere = {"method": "POST", "path": "/cocart/v2/nowhere"}
    response = await send(storefront, ADD, wrong, nowhere, ADD)
    assert response.status_code == 207
    replies = response.json()["responses"]
    assert [each["status"] for each in replies] == [200, 400, 404, 200]
    assert replies[1]["body"]["code"] == "cocart_invalid_product"
    assert replies[2]["body"]["code"] == "rest_no_route"
    assert replies[3]["body"]["item_count"] == 2
    assert replies[3]["headers"]["cart-key"] == response.headers["Cart-Key"]
    assert "failed" not in response.json()


async def test_checkout_needs_its_key_in_a_batch_too(storefront: Storefront) -> None:
    update = {"method": "PUT", "path": "/cocart/v2/checkout", "body": {"billing_address": BILLING}}
    order = {
        "method": "POST",
        "path": "/cocart/v2/checkout",
        "body": {"payment_method": "bacs"},
    }
    parts = [ADD, update, CHECKOUT, order]
    refused = (await send(storefront, *parts)).json()["responses"]
    assert [each["status"] for each in refused] == [200, 401, 401, 401]
    done = await send(storefront.another(), *parts, query=storefront.keys)
    assert done.status_code == 207, "not only the cart"
    replies = [each["body"] for each in done.json()["responses"]]
    assert differences(STATE, replies[2]) == []
    assert differences(processed_shape("success"), replies[3]) == []


async def test_all_or_none(storefront: Storefront) -> None:
    malformed = {**ADD, "body": {"id": "1", "quantity": "many"}}
    response = await send(storefront, ADD, malformed, validation="require-all-validate")
    assert (response.status_code, response.json()["failed"]) == (207, "validation")
    good, bad = response.json()["responses"]
    assert good is None
    assert (bad["status"], bad["body"]["code"]) == (400, "rest_invalid_param")
    assert (await storefront.call("GET", f"{V2}/cart")).json()["item_count"] == 0
    storefront.statements.clear()
    response = await send(storefront, ADD, ADD, validation="require-all-validate")
    assert response.json()["item_count"] == 2
    order = {"method": "POST", "path": "/cocart/v2/checkout", "body": {"payment_method": []}}
    response = await send(storefront, order, CHECKOUT, validation="require-all-validate")
    assert response.json()["responses"][0]["body"]["code"] == "rest_invalid_param"


async def test_no_batch_in_a_batch(storefront: Storefront) -> None:
    inner = {"requests": [ADD]}
    for path in ("/cocart/batch", "/cocart/b%61tch", "/wp-json/cocart/batch"):
        response = await send(storefront, {"method": "POST", "path": path, "body": inner}, ADD)
        first, second = response.json()["responses"]
        assert (first["status"], first["body"]["code"]) == (400, "rest_batch_not_allowed")
        assert second["body"]["item_count"] >= 1
    response = await send(storefront, {"path": "/batch/v1", "body": inner})
    assert response.json()["code"] == "rest_invalid_param"


async def test_what_is_refused_as_a_whole(storefront: Storefront) -> None:
    for parts in (
        [],
        [ADD] * 26,
        [{"method": "HEAD", "path": "/cocart/v2/cart"}],
        [{"method": "GET", "path": "/openapi.json"}],
        [{"method": "GET", "path": "/../openapi.json"}],
        [{**ADD, "headers": {"Cart-Key": "t_other"}}],
        [{**ADD, "headers": {"authorization": "Basic eDp5"}}],
        [{**ADD, "path": "/cocart/v2/cart/add-item?cart_key=t_other"}],
        [{**CHECKOUT, "path": "/cocart/v2/checkout?consumer_key=ck_x"}],
        [{**CART, "body": {"fields": ["a"] * 200}}],
        [{**CART, "path": "/cocart/v2/cart?" + "a=1&" * 200}],
        ["text"],
    ):
        response = await send(storefront, *parts)
        assert (response.status_code, response.json()["code"]) == (400, "rest_invalid_param"), parts
    assert (await storefront.call("POST", BATCH, {})).json()["code"].startswith("rest_missing")
    assert len((await send(storefront, *[ADD] * 25)).json()["notices"]["success"]) == 25


async def test_an_override_on_the_batch_is_not_one_of_its_parts(storefront: Storefront) -> None:
    response = await storefront.call(
        "POST", BATCH, {"requests": [ADD]}, headers={"X-HTTP-Method-Override": "POST"}
    )
    assert response.json()["item_count"] == 1


async def test_an_idempotency_key_covers_every_part(storefront: Storefront) -> None:
    await storefront.add()
    headers = {"Idempotency-Key": "batch-of-today-01"}
    first = await send(storefront, ADD, ADD, headers=headers)
    again = await send(storefront, ADD, ADD, headers=headers)
    assert first.json()["item_count"] == again.json()["item_count"] == 3
    own = {**ADD, "headers": {"Idempotency-Key": "a-part-of-its-own"}}
    assert (await send(storefront, own)).json()["item_count"] == 4
    assert (await send(storefront, own, own)).json()["item_count"] == 4


async def test_query_and_body_of_a_get(storefront: Storefront) -> None:
    await storefront.add()
    count = {"method": "GET", "path": "/cocart/v2/cart/items/count?removed_items=true"}
    totals = {"method": "GET", "path": "/cocart/v2/cart/totals", "body": {"html": True}}
    wrong = {"method": "GET", "path": "/cocart/v2/cart", "body": {"thumb": "perhaps"}}
    replies = (await send(storefront, count, totals, wrong)).json()["responses"]
    assert replies[0]["body"] == 0
    assert replies[1]["body"]["total"].startswith("$")
    assert replies[2]["status"] == 400


async def test_lists_in_the_body_of_a_get(storefront: Storefront, empty_database: str) -> None:
    listed = {"method": "GET", "path": "/cocart/v2/products"}
    both = {**listed, "body": {"include": [1, "2"], "_fields": "products.id"}}
    none = {**listed, "body": {"include": [2], "page": None, "_fields": "products.id"}}
    replies = (await send(storefront, both, none)).json()["responses"]
    assert [reply["body"]["products"] for reply in replies] == [[{"id": 1}], []]


async def test_what_every_answer_has_is_said_once(storefront: Storefront) -> None:
    response = await send(storefront, ADD, {**ADD, "body": {"id": "987654"}})
    assert "vary" in response.headers
    for reply in response.json()["responses"]:
        odd = ("access-control-", "vary", "cache-control", "x-frame", "content-", "referrer")
        assert not [name for name in reply["headers"] if name.startswith(odd)]


async def test_a_batch_counts_as_its_parts(empty_database: str, database: Database) -> None:
    """As many as a batch takes are as many as a limit of that size allows, and the cart that the
    answer shows is read for nothing; one more request is one too many."""
    async with database.acquire() as connection:
        await product(connection)
    limits = {"enabled": True, "other": "25/10 seconds"}
    async with running(shop_settings(empty_database, rate_limits=limits)) as shop:
        whole = await send(shop, *[ADD] * 25)
        assert (whole.status_code, whole.json()["item_count"]) == (200, 25), whole.text
        late = await send(shop, ADD, ADD)
        assert [each["status"] for each in late.json()["responses"]] == [429, 429]
        assert late.json()["responses"][0]["headers"]["retry-after"]
        assert (await shop.call("GET", f"{V2}/cart")).status_code == 429


async def test_the_platforms_shape(storefront: Storefront) -> None:
    path = "/wp-json/batch/v1"
    response = await send(storefront, ADD, ADD, path=path)
    assert response.status_code == 207
    replies = response.json()["responses"]
    assert [each["body"]["item_count"] for each in replies] == [1, 2]
    response = await send(storefront, ADD, CART, path=path)
    assert (response.status_code, response.json()["code"]) == (400, "rest_invalid_param")
    nested = {"method": "POST", "path": "/cocart/batch", "body": {"requests": [ADD]}}
    [reply] = (await send(storefront, nested, path=path)).json()["responses"]
    assert reply["body"]["code"] == "rest_batch_not_allowed"


async def test_statements_are_those_of_the_parts(storefront: Storefront) -> None:
    await storefront.add()
    storefront.statements.clear()
    await storefront.add()
    alone = sql_count(storefront.statements)
    storefront.statements.clear()
    await send(storefront, ADD, ADD, ADD)
    assert sql_count(storefront.statements) <= 3 * alone + 1
