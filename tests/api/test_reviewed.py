"""Found by a reviewer with fresh eyes; each failed before it was mended."""

from __future__ import annotations

from typing import Any

import pytest

from checkstand.storage.database import Database
from tests.makers import (
    BILLING,
    PREVIEW,
    SHIRT,
    V2,
    Storefront,
    administrator,
    execute,
    product,
    running,
    shop_settings,
)

UK = {"country": "GB", "state": "", "postcode": "SW1A 1AA", "city": "London"}
CHANGED = (409, "cocart_checkout_totals_changed")


def said(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


async def test_an_address_at_process_that_moves_the_shown_total_is_shown_first(
    storefront: Storefront,
) -> None:
    await storefront.ready_to_order()
    refused = await storefront.process(billing_address=UK)
    assert said(refused) == CHANGED
    assert refused.json()["data"]["total"] == "37.99"
    assert (await storefront.state())["shipping_method"] == "flat_rate:5"
    assert (await storefront.process(billing_address=UK)).status_code == 200


async def test_what_the_request_names_itself_is_known_to_it(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    assert (await storefront.process(currency="EUR")).status_code == 200
    other = await storefront.another().ready_to_order()
    assert (await other.process(shipping_method="flat_rate:4")).status_code == 200


async def test_an_equal_rate_does_not_slip_in(empty_database: str, database: Database) -> None:
    async with database.acquire() as connection:
        await product(connection)

    def zones(*ids: int) -> dict[str, Any]:
        methods = [{"id": n, "kind": "flat_rate", "cost": "5.00"} for n in ids]
        return {"zones": [{"name": "US", "countries": ["US"], "methods": methods}]}

    async with running(shop_settings(empty_database, shipping=zones(1, 7))) as storefront:
        await storefront.ready_to_order()
        await storefront.update(shipping_method="flat_rate:7")
        key = storefront.cart_key
    async with running(shop_settings(empty_database, shipping=zones(1))) as storefront:
        storefront.cart_key = key
        assert said(await storefront.process()) == CHANGED
        assert (await storefront.process()).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE products SET published = false WHERE regular_price = 0",
        "UPDATE products SET regular_price = regular_price"
        " + CASE name WHEN 'Cup' THEN 100 WHEN 'Saucer' THEN -100 ELSE 0 END",
    ],
)
async def test_contents_do_not_change_behind_an_equal_total(
    storefront: Storefront, database: Database, empty_database: str, change: str
) -> None:
    async with database.acquire() as connection:
        ids = [
            await product(connection, name=name, slug=name.lower(), regular_price=price)
            for name, price in (("Gift", 0), ("Cup", 900), ("Saucer", 800))
        ]
    for product_id in ids:
        await storefront.add(product_id)
    await storefront.ready_to_order()
    await execute(empty_database, change)
    assert said(await storefront.process()) == CHANGED
    assert (await storefront.process()).status_code == 200


async def test_no_stranger_gets_a_cart_by_a_guessed_idempotency_key(
    storefront: Storefront,
) -> None:
    body = {"id": "1", "quantity": "1"}
    path = f"{V2}/cart/add-item"
    short = await storefront.call("POST", path, body, headers={"Idempotency-Key": "1"})
    assert said(short) == (400, "cocart_idempotency_key_malformed")
    assert "16" in short.json()["message"]
    mine, theirs = storefront.another(), storefront.another()
    for shopper in (mine, theirs):
        shopper.cart_key = "undefined"
        sent = await shopper.call("POST", path, body, headers={"Idempotency-Key": "first"})
        assert sent.status_code == 400
    await mine.add()
    await theirs.add()
    headers = {"Idempotency-Key": "1"}
    for shopper in (mine, theirs):
        added = await shopper.call("POST", path, body, headers=headers)
        assert "Idempotency-Replayed" not in added.headers
        assert added.json()["cart_key"] == shopper.cart_key


async def test_a_removed_line_of_counted_stock_comes_back(
    storefront: Storefront, database: Database, empty_database: str
) -> None:
    async with database.acquire() as connection:
        mug = await product(connection, name="Mug", slug="mug", stock=3)
        later = await product(connection, name="Later", slug="later")
    key = (await storefront.add(mug)).json()["items"][0]["item_key"]
    await storefront.call("DELETE", f"{V2}/cart/item/{key}")
    back = await storefront.call("PUT", f"{V2}/cart/item/{key}")
    assert back.status_code == 200, back.text
    await storefront.add(later)
    await execute(
        empty_database,
        f"UPDATE products SET manages_stock = true WHERE id = {later}",
        f"INSERT INTO stock VALUES ({later}, 50)",
    )
    storefront.shop.catalogue.forget()
    cart = (await storefront.call("GET", f"{V2}/cart")).json()
    assert cart["notices"] == []
    assert cart["items"][1]["quantity"]["max_purchase"] == 50


async def test_totals_that_no_database_can_hold_are_refused(
    storefront: Storefront, database: Database
) -> None:
    async with database.acquire() as connection:
        gold = await product(connection, name="Gold", slug="gold", regular_price=9_999_999_999_999)
        absurd = await product(connection, name="Absurd", slug="absurd", regular_price=9 * 10**15)
    for product_id, quantity in ((gold, 900_000), (absurd, 2)):
        refused = await storefront.add(product_id, quantity)
        assert said(refused) == (400, "cocart_cart_too_large")


async def test_a_cart_cannot_be_made_to_grow_without_end(storefront: Storefront) -> None:
    big = await storefront.add(SHIRT, 1, item_data={"a": "x" * 20_000})
    assert said(big) == (400, "rest_invalid_param")
    for batch in range(3):
        items = [{"id": "1", "item_data": {"n": f"{batch}.{n}"}} for n in range(90)]
        await storefront.call("POST", f"{V2}/cart/add-items", {"items": items})
        await storefront.call("DELETE", f"{V2}/cart/items")
    cart = (await storefront.call("GET", f"{V2}/cart")).json()
    assert len(cart["removed_items"]) == 100
    assert cart["removed_items"][-1]["cart_item_data"] == {"n": "2.89"}


async def test_a_replay_is_the_answer_that_was_given(storefront: Storefront) -> None:
    await storefront.add()
    headers = {"Idempotency-Key": "cut-down"}
    path = f"{V2}/cart/add-item"
    first = await storefront.call("POST", path, {"id": "1"}, headers=headers, _fields="item_count")
    again = await storefront.call("POST", path, {"id": "1"}, headers=headers, _fields="item_count")
    assert first.json() == {"item_count": 2}
    assert again.content == first.content


async def test_different_data_never_shares_a_line(storefront: Storefront) -> None:
    await storefront.add(SHIRT, 1, item_data={"engraving": "Ada"})
    await storefront.add(SHIRT, 1, item_data={"engravingA": "da"})
    await storefront.add(SHIRT, 1, item_data={"engravingA": "da"})
    items = (await storefront.call("GET", f"{V2}/cart")).json()["items"]
    assert [(item["quantity"]["value"], item["cart_item_data"]) for item in items] == [
        (1, {"engraving": "Ada"}),
        (2, {"engravingA": "da"}),
    ]
    assert len({item["item_key"] for item in items}) == 2


async def test_a_notice_is_said_once(storefront: Storefront, empty_database: str) -> None:
    await storefront.ready_to_order()
    await execute(empty_database, "UPDATE products SET stock_status = 'outofstock'")
    storefront.shop.catalogue.forget()
    updated = await storefront.update(currency="EUR")
    assert updated.json()["notices"] == {"error": ["“Premium T-Shirt” has sold out."]}


async def test_checkout_answers_carry_the_cart_headers(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    for response in (
        await storefront.call("GET", f"{PREVIEW}/checkout"),
        await storefront.update(currency="EUR"),
    ):
        for name in ("Key", "Expiring", "Expiration"):
            assert response.headers[f"Cart-{name}"] == response.headers[f"CoCart-API-Cart-{name}"]
    placed = await storefront.process()
    assert "Cart-Key" not in placed.headers


async def test_an_account_cannot_name_another_accounts_cart(storefront: Storefront) -> None:
    from base64 import b64encode

    account = await administrator(storefront.shop, "correct horse")
    signed_in = {"Authorization": "Basic " + b64encode(b"admin:correct horse").decode()}
    own = await storefront.call(
        "GET", f"{V2}/cart", headers={**signed_in, "Cart-Key": str(account)}
    )
    assert own.status_code == 200
    other = await storefront.call(
        "GET", f"{V2}/cart", headers={**signed_in, "Cart-Key": str(account + 1)}
    )
    assert said(other) == (403, "cocart_must_authenticate_user")


@pytest.mark.parametrize("quantity", ["1_0", "１２", "0x1", "1e", " ", "++1"])
async def test_odd_numbers_are_no_quantities(storefront: Storefront, quantity: str) -> None:
    refused = await storefront.call(
        "POST", f"{V2}/cart/add-item", {"id": "1", "quantity": quantity}
    )
    assert said(refused) == (400, "rest_invalid_param")


async def test_an_empty_order_key_is_a_missing_one(storefront: Storefront) -> None:
    refused = await storefront.call("GET", f"{PREVIEW}/order-received/1001", order_key="")
    assert said(refused) == (400, "rest_missing_callback_param")


async def test_contact_at_add_is_tidied(storefront: Storefront) -> None:
    added = await storefront.add(SHIRT, 1, email="  a@shop.example \u202e")
    assert added.json()["customer"]["billing_address"]["billing_email"] == "a@shop.example"
    assert BILLING["email"] != "a@shop.example"


@pytest.mark.parametrize("query", [{"thumb": "maybe"}, {"fields": "x" * 501}])
async def test_a_bad_query_is_refused_before_anything_is_written(
    storefront: Storefront, query: dict[str, str]
) -> None:
    await storefront.add()
    refused = await storefront.call("POST", f"{V2}/cart/add-item", {"id": "1"}, **query)
    assert said(refused) == (400, "rest_invalid_param")
    assert (await storefront.call("GET", f"{V2}/cart")).json()["item_count"] == 1
