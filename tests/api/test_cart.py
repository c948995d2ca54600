"""The v2 cart over the wire (contract cart.md)."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checkstand.storage.database import Database
from tests.makers import BILLING, SHIRT, V2, Storefront, administrator, execute, product

MEMBERS = [
    "cart_hash",
    "cart_key",
    "currency",
    "customer",
    "items",
    "item_count",
    "items_weight",
    "coupons",
    "needs_payment",
    "needs_shipping",
    "shipping",
    "fees",
    "taxes",
    "totals",
    "removed_items",
    "cross_sells",
    "notices",
    "extensions",
]


async def cart(storefront: Storefront, **query: Any) -> dict[str, Any]:
    response = await storefront.call("GET", f"{V2}/cart", **query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_create_gives_a_key(storefront: Storefront) -> None:
    response = await storefront.call("POST", f"{V2}/cart")
    assert response.status_code == 200
    key = response.json()["cart_key"]
    assert key.startswith("t_")
    assert len(key) == 32
    assert response.headers["Cart-Key"] == response.headers["CoCart-API-Cart-Key"] == key
    assert (await cart(storefront))["cart_key"] == key


async def test_reading_never_makes_a_cart(storefront: Storefront, database: Database) -> None:
    empty = await cart(storefront)
    assert list(empty) == MEMBERS
    assert empty["cart_key"] == ""
    assert empty["cart_hash"] == "No items in cart so no hash"
    assert empty["items"] == []
    assert set(empty["totals"].values()) == {"0"}
    assert empty["notices"] == []
    unknown = await storefront.call("GET", f"{V2}/cart", headers={"Cart-Key": "t_of_nobody"})
    assert unknown.status_code == 200
    assert unknown.json()["cart_key"] == ""
    assert "Cart-Key" not in unknown.headers
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM carts") == 0


async def test_a_key_of_the_callers_choice_is_never_taken(storefront: Storefront) -> None:
    storefront.cart_key = "my-own-key"
    response = await storefront.add()
    assert response.status_code == 200
    assert response.json()["cart_key"].startswith("t_")


async def test_add_gives_the_whole_cart(storefront: Storefront) -> None:
    response = await storefront.add(SHIRT, 2)
    assert response.status_code == 200, response.text
    seen = response.json()
    assert list(seen) == MEMBERS
    assert seen["item_count"] == 2
    assert seen["totals"]["subtotal"] == seen["totals"]["total"] == "3998"
    assert seen["notices"]["success"] == ["2 × “Premium T-Shirt” was added to your cart."]
    (item,) = seen["items"]
    assert item["item_key"] == "c4ca4238a0b923820dcc509a6f75849b"
    assert item["quantity"] == {
        "value": 2,
        "min_purchase": 1,
        "max_purchase": -1,
        "minimum": 1,
        "maximum": -1,
        "multiple_of": 1,
        "editable": True,
    }
    assert item["totals"] == {"subtotal": "3998", "subtotal_tax": "0", "total": "3998", "tax": "0"}
    assert item["price"] == "1999"
    again = await cart(storefront)
    assert again["notices"] == []
    assert again["cart_hash"] == seen["cart_hash"]


@pytest.mark.parametrize("spelling", ["Cart-Key", "CoCart-API-Cart-Key", "query"])
async def test_key_in_every_spelling(storefront: Storefront, spelling: str) -> None:
    await storefront.add()
    key, storefront.cart_key = storefront.cart_key, ""
    if spelling == "query":
        seen = await cart(storefront, cart_key=key)
    else:
        response = await storefront.call("GET", f"{V2}/cart", headers={spelling: key})
        seen = response.json()
    assert seen["item_count"] == 1


async def test_header_wins_over_query(storefront: Storefront) -> None:
    await storefront.add(SHIRT, 3)
    other = storefront.another()
    await other.add(SHIRT, 5)
    seen = await cart(storefront, cart_key=other.cart_key)
    assert seen["item_count"] == 3


async def test_headers(storefront: Storefront) -> None:
    response = await storefront.add()
    now = datetime.now(UTC).timestamp()
    expires = int(response.headers["Cart-Expiration"])
    assert expires == int(response.headers["CoCart-API-Cart-Expiration"])
    assert abs(expires - now - 48 * 3600) < 60
    assert int(response.headers["Cart-Expiring"]) == expires - 3600
    assert response.headers["Cache-Control"] == "no-store, private"
    assert response.headers["CoCart-Version"]
    assert abs(int(response.headers["Timestamp"]) - now) < 60


async def test_same_product_adds_up_and_item_data_does_not(storefront: Storefront) -> None:
    await storefront.add(SHIRT, 1)
    await storefront.add("TSHIRT-PREMIUM", 2)
    await storefront.add(SHIRT, 1, item_data={"engraving": "Ada"})
    seen = await cart(storefront)
    assert [item["quantity"]["value"] for item in seen["items"]] == [3, 1]
    assert seen["items"][1]["cart_item_data"] == {"engraving": "Ada"}


async def test_return_item(storefront: Storefront) -> None:
    await storefront.add(SHIRT, 1, item_data={"a": "b"})
    response = await storefront.add(SHIRT, 2, return_item=True)
    assert response.json()["quantity"]["value"] == 2
    assert "totals" in response.json()


async def test_update_remove_restore_clear(storefront: Storefront) -> None:
    key = (await storefront.add(SHIRT, 2)).json()["items"][0]["item_key"]
    path = f"{V2}/cart/item/{key}"
    changed = await storefront.call("POST", path, {"quantity": "5"})
    assert changed.json()["item_count"] == 5
    status = await storefront.call("POST", path, {"quantity": 4, "return_status": True})
    assert status.json() == {"message": "The quantity is decreased.", "quantity": 4}
    assert (await storefront.call("GET", path)).json()["quantity"]["value"] == 4
    removed = await storefront.call("DELETE", path)
    assert removed.json()["items"] == []
    (gone,) = removed.json()["removed_items"]
    assert gone["quantity"] == 4
    assert "extensions" not in gone
    assert (await storefront.call("DELETE", path)).json()["code"] == "cocart_no_items"
    assert (await storefront.call("GET", path)).status_code == 404
    restored = await storefront.call("PUT", path)
    assert restored.json()["item_count"] == 4
    assert restored.json()["removed_items"] == []
    twice = await storefront.call("PUT", path)
    assert (twice.status_code, twice.json()["code"]) == (405, "cocart_item_restored_to_cart")
    never = await storefront.call("PUT", f"{V2}/cart/item/{'0' * 32}")
    assert (never.status_code, never.json()["code"]) == (404, "cocart_item_restored_to_cart")
    text = await storefront.call("DELETE", path, return_status="true")
    assert text.json() == "“Premium T-Shirt” was removed from your cart."
    await storefront.call("PUT", path)
    zero = await storefront.call("POST", path, {"quantity": 0})
    assert zero.json()["items"] == []
    cleared = await storefront.call("POST", f"{V2}/cart/clear")
    assert cleared.json()["removed_items"] == []


async def test_clear_can_keep_what_was_removed(storefront: Storefront) -> None:
    key = (await storefront.add()).json()["items"][0]["item_key"]
    await storefront.call("DELETE", f"{V2}/cart/item/{key}")
    response = await storefront.call("POST", f"{V2}/cart/clear", {"keep_removed_items": True})
    assert len(response.json()["removed_items"]) == 1


async def test_put_with_a_quantity_updates(storefront: Storefront) -> None:
    key = (await storefront.add()).json()["items"][0]["item_key"]
    response = await storefront.call("PUT", f"{V2}/cart/item/{key}", {"quantity": 3})
    assert response.json()["item_count"] == 3


async def test_items_count_totals_calculate(storefront: Storefront) -> None:
    for path, code in [
        ("items", "cocart_no_items_in_cart"),
        ("totals", "cocart_cart_totals_empty"),
    ]:
        response = await storefront.call("GET", f"{V2}/cart/{path}")
        assert (response.status_code, response.json()["code"]) == (404, code)
    assert (await storefront.call("GET", f"{V2}/cart/items/count")).json() == 0
    key = (await storefront.add(SHIRT, 2)).json()["items"][0]["item_key"]
    assert list((await storefront.call("GET", f"{V2}/cart/items")).json()) == [key]
    assert (await storefront.call("GET", f"{V2}/cart/items/count")).json() == 2
    totals = (await storefront.call("GET", f"{V2}/cart/totals")).json()
    assert totals["total"] == "39.98"
    assert len(totals) == 15
    shown = (await storefront.call("GET", f"{V2}/cart/totals", html="true")).json()
    assert shown["total"] == "$39.98"
    only = await storefront.call("POST", f"{V2}/cart/calculate", {"return_totals": True})
    assert only.json()["total"] == "3998"
    assert (await storefront.call("POST", f"{V2}/cart/calculate")).json()["item_count"] == 2


async def test_add_items_is_all_or_none(storefront: Storefront, database: Database) -> None:
    async with database.acquire() as connection:
        mug = await product(connection, name="Mug", slug="mug", stock=1)
    both = {"items": [{"id": str(SHIRT), "quantity": "2"}, {"id": mug, "quantity": 2}]}
    refused = await storefront.call("POST", f"{V2}/cart/add-items", both)
    assert refused.status_code == 405
    assert storefront.cart_key == ""
    both["items"][1]["quantity"] = 1
    done = await storefront.call("POST", f"{V2}/cart/add-items", {**both, "return_items": True})
    assert [item["id"] for item in done.json()] == [SHIRT, mug]
    empty = await storefront.call("POST", f"{V2}/cart/add-items", {"items": []})
    assert empty.status_code == 400
    nothing = await storefront.call("POST", f"{V2}/cart/add-items", {})
    assert nothing.json()["code"] == "rest_missing_callback_param"


async def test_grouped(storefront: Storefront, database: Database) -> None:
    async with database.acquire() as connection:
        mug = await product(connection, name="Mug", slug="mug")
        group = await product(
            connection, name="Set", slug="set", type="grouped", grouped_ids=[SHIRT, mug]
        )
    path = f"{V2}/cart/add-items"
    done = await storefront.call(
        "POST", path, {"id": str(group), "quantity": {str(SHIRT): "2", str(mug): "0"}}
    )
    assert done.json()["item_count"] == 2
    for quantity, code in [
        ({}, "cocart_grouped_product_empty"),
        ({str(mug): 0}, "cocart_grouped_product_failed"),
        ({"999": 1}, "cocart_invalid_product"),
    ]:
        refused = await storefront.call("POST", path, {"id": str(group), "quantity": quantity})
        assert refused.json()["code"] == code


async def test_refusals_in_the_contracts_order(storefront: Storefront, database: Database) -> None:
    async with database.acquire() as connection:
        link = await product(connection, name="Link", slug="link", type="external")
        single = await product(connection, name="One", slug="one", sold_individually=True)
        limited = await product(
            connection, name="Six", slug="six", min_quantity=6, max_quantity=12, step_quantity=6
        )
        few = await product(connection, name="Few", slug="few", stock=3)
        gone = await product(connection, name="Gone", slug="gone", stock=0)
        marked = await product(connection, name="Marked", slug="marked", stock_status="outofstock")
        priceless = await product(connection, name="No price", slug="np", regular_price=None)
        draft = await product(connection, name="Draft", slug="draft", published=False)
    table = [
        ({}, 400, "rest_missing_callback_param"),
        ({"id": "1", "quantity": "many"}, 400, "rest_invalid_param"),
        ({"id": ""}, 404, "cocart_product_id_required"),
        ({"id": "NO-SUCH-SKU"}, 404, "cocart_unknown_product_id"),
        ({"id": "999999"}, 400, "cocart_invalid_product"),
        ({"id": str(draft)}, 400, "cocart_invalid_product"),
        ({"id": "1", "quantity": "1.5"}, 405, "cocart_quantity_not_numeric"),
        ({"id": "1", "quantity": "0"}, 405, "cocart_quantity_invalid_amount"),
        ({"id": "1", "quantity": "-1"}, 405, "cocart_quantity_invalid_amount"),
        ({"id": "1", "quantity": "1000000000"}, 405, "cocart_quantity_invalid_amount"),
        ({"id": str(limited), "quantity": "5"}, 405, "cocart_quantity_invalid_amount"),
        ({"id": str(limited), "quantity": "7"}, 405, "cocart_quantity_invalid_amount"),
        ({"id": str(limited), "quantity": "18"}, 405, "cocart_quantity_invalid_amount"),
        ({"id": str(few), "quantity": "4"}, 405, "cocart_quantity_invalid_amount"),
        ({"id": str(link)}, 403, "cocart_cannot_add_product_type_to_cart"),
        ({"id": str(priceless)}, 400, "cocart_cannot_be_purchased"),
        ({"id": str(gone)}, 404, "cocart_product_out_of_stock"),
        ({"id": str(marked)}, 404, "cocart_product_out_of_stock"),
    ]
    for body, status, code in table:
        response = await storefront.call("POST", f"{V2}/cart/add-item", body)
        assert (response.status_code, response.json()["code"]) == (status, code), body
        assert response.json()["data"]["status"] == status
    assert (await storefront.add(single)).status_code == 200
    again = await storefront.add(single)
    assert (again.status_code, again.json()["code"]) == (403, "cocart_product_sold_individually")
    more = await storefront.call(
        "POST",
        f"{V2}/cart/item/{(await cart(storefront))['items'][0]['item_key']}",
        {"quantity": 2},
    )
    assert (more.status_code, more.json()["code"]) == (405, "cocart_can_not_increase_quantity")
    assert (await storefront.add(few, 2)).status_code == 200
    over = await storefront.add(few, 2)
    assert (over.status_code, over.json()["code"]) == (404, "cocart_not_enough_stock_remaining")
    assert (await storefront.add(limited, 6)).status_code == 200
    assert (await cart(storefront))["item_count"] == 9


async def test_held_stock_is_not_there_for_others(
    storefront: Storefront, database: Database
) -> None:
    async with database.transaction() as connection:
        few = await product(connection, name="Few", slug="few", stock=5)
        await connection.execute(
            "INSERT INTO stock_holds VALUES (77, $1, 3, now() + interval '1 hour')", few
        )
        await connection.execute(
            "INSERT INTO stock_holds VALUES (78, $1, 3, now() - interval '1 minute')", few
        )
    response = await storefront.add(few, 3)
    assert response.status_code == 405
    assert (await storefront.add(few, 2)).status_code == 200


async def test_backorders(storefront: Storefront, database: Database) -> None:
    async with database.acquire() as connection:
        notify = await product(connection, name="Later", slug="later", stock=1, backorders="notify")
    response = await storefront.add(notify, 4)
    assert response.status_code == 200
    assert response.json()["items"][0]["backorders"] == "Available on backorder"
    assert response.json()["items"][0]["quantity"]["max_purchase"] == -1


async def test_variation_by_parent_and_by_id(storefront: Storefront, database: Database) -> None:
    size = {
        "slug": "pa_size",
        "name": "Size",
        "shared": True,
        "visible": True,
        "for_variations": True,
        "options": [{"slug": "small", "name": "Small"}, {"slug": "large", "name": "Large"}],
    }
    async with database.acquire() as connection:
        parent = await product(
            connection, name="Hoodie", slug="hoodie", type="variable", attributes=[size]
        )
        large = await product(
            connection,
            name="Hoodie - Large",
            type="variation",
            parent_id=parent,
            variation={"pa_size": "large"},
            regular_price=4500,
        )
    for spelling in ("attribute_pa_size", "pa_size", "Size"):
        response = await storefront.add(parent, 1, variation={spelling: "large"})
        assert response.status_code == 200, response.text
    await storefront.add(large, 1)
    seen = await cart(storefront)
    (item,) = seen["items"]
    assert item["quantity"]["value"] == 4
    assert item["id"] == large
    assert item["meta"]["variation"] == {"Size": "Large"}
    assert item["title"] == "Hoodie"
    wrong = await storefront.add(large, 1, variation={"Size": "huge"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "cocart_invalid_variation_data")
    nothing = await storefront.add(parent, 1)
    assert nothing.status_code in (400, 404)
    none = await storefront.add(parent, 1, variation={"Size": "small"})
    assert (none.status_code, none.json()["code"]) == (404, "cocart_no_variation_found")


async def test_update_namespaces(storefront: Storefront) -> None:
    path = f"{V2}/cart/update"
    missing = await storefront.call("POST", path, {})
    assert (missing.status_code, missing.json()["code"]) == (
        404,
        "cocart_update_cart_namespace_error",
    )
    unknown = await storefront.call("POST", path, {"namespace": "x"})
    assert unknown.json()["code"] == "cocart_update_cart_no_namespace_error"
    key = (await storefront.add()).json()["items"][0]["item_key"]
    for count, body in enumerate(
        [
            {"namespace": "update-cart", "quantity": {key: "2", "unknown": "1"}},
            {"namespace": "update-cart", "items": {key: {"quantity": 3}}},
            {"items": [{"item_key": key, "quantity": "4"}]},
        ],
        2,
    ):
        assert (await storefront.call("POST", path, body)).json()["item_count"] == count
    for body in (
        {"namespace": "update-customer", "first_name": "Ada", "s_city": "Dunmore"},
        {"billing_first_name": "Ada", "shipping_city": "Dunmore"},
    ):
        seen = (await storefront.call("POST", path, body)).json()
        assert seen["customer"]["billing_address"]["billing_first_name"] == "Ada"
        assert seen["customer"]["shipping_address"]["shipping_city"] == "Dunmore"
    partly = await storefront.call(
        "POST",
        path,
        {"namespace": "update-customer", "country": "US", "postcode": "nope", "city": "Reno"},
    )
    assert partly.status_code == 200
    billing = partly.json()["customer"]["billing_address"]
    assert (billing["billing_city"], billing["billing_postcode"]) == ("Reno", "")
    assert partly.json()["notices"]["error"]


async def test_selecting_fields(storefront: Storefront) -> None:
    await storefront.add()
    assert list(await cart(storefront, fields="currency,totals:subtotal-total")) == [
        "currency",
        "totals",
    ]
    assert (await cart(storefront, fields="totals:total"))["totals"] == {"total": "1999"}
    assert await cart(storefront, _fields="item_count,totals.total") == {
        "item_count": 1,
        "totals": {"total": "1999"},
    }
    bare = await cart(storefront, thumb="false")
    assert bare["items"][0]["featured_image"] == ""


async def test_shipping_and_addresses(storefront: Storefront) -> None:
    seen = (await storefront.add(SHIRT, 2)).json()
    assert seen["needs_shipping"] is True
    assert seen["shipping"]["has_calculated_shipping"] is False
    assert seen["shipping"]["packages"] == []
    await storefront.update(billing_address=BILLING)
    seen = await cart(storefront)
    package = seen["shipping"]["packages"]["default"]
    assert package["chosen_method"] == "flat_rate:1"
    assert package["formatted_destination"] == "8 Quarry Row, Dunmore, CA 90011"
    assert package["rates"]["flat_rate:1"]["html"] == "Flat rate: $5.00"
    assert seen["totals"]["shipping_total"] == "500"
    assert seen["customer"]["shipping_address"]["shipping_city"] == "Dunmore"


async def test_a_product_that_is_gone_leaves_with_a_notice(
    storefront: Storefront, empty_database: str
) -> None:
    await storefront.add()
    await execute(empty_database, "UPDATE products SET published = false")
    storefront.shop.catalogue.forget()
    seen = await cart(storefront)
    assert seen["items"] == []
    assert seen["notices"]["error"]
    assert (await cart(storefront))["notices"]["error"], "reading does not write"


async def test_text_is_stored_as_text(storefront: Storefront) -> None:
    odd = "<b>Ö’Brien</b> & 🧵 \u202e"
    await storefront.add(SHIRT, 1, item_data={"note": odd})
    assert (await cart(storefront))["items"][0]["cart_item_data"] == {"note": odd}


async def test_an_expired_cart_is_nobodys(
    storefront: Storefront, empty_database: str, database: Database
) -> None:
    await storefront.add()
    key = storefront.cart_key
    await execute(empty_database, "UPDATE carts SET expires_at = now() - interval '1 second'")
    assert (await cart(storefront))["items"] == []
    added = await storefront.add()
    assert added.json()["cart_key"] != key


async def test_expiry_moves_by_writes_once_an_hour(
    storefront: Storefront, empty_database: str, database: Database
) -> None:
    await storefront.add()
    async with database.acquire() as connection:
        first = await connection.fetchval("SELECT expires_at FROM carts")
        await storefront.add()
        assert await connection.fetchval("SELECT expires_at FROM carts") == first
        await connection.execute("UPDATE carts SET expires_at = expires_at - interval '2 hours'")
        await storefront.call("GET", f"{V2}/cart")
        assert await connection.fetchval("SELECT expires_at FROM carts") < first
        await storefront.add()
        moved = await connection.fetchval("SELECT expires_at FROM carts")
    assert timedelta(0) <= moved - first < timedelta(minutes=1)


async def test_a_customers_cart_answers_to_nobody_else(storefront: Storefront) -> None:
    response = await storefront.call("GET", f"{V2}/cart", headers={"Cart-Key": "1"})
    assert (response.status_code, response.json()["code"]) == (403, "cocart_must_authenticate_user")


async def test_an_account_gets_a_new_cart_when_its_old_one_has_expired(
    storefront: Storefront, empty_database: str
) -> None:
    await administrator(storefront.shop, "correct horse")
    signed_in = {"Authorization": "Basic " + b64encode(b"admin:correct horse").decode()}
    path = f"{V2}/cart/add-item"
    await storefront.call("POST", path, {"id": "1", "quantity": "3"}, headers=signed_in)
    await execute(empty_database, "UPDATE carts SET expires_at = now() - interval '1 second'")
    response = await storefront.call("POST", path, {"id": "1"}, headers=signed_in)
    assert response.status_code == 200, response.text
    assert response.json()["item_count"] == 1


async def test_idempotency_key_on_add(storefront: Storefront, database: Database) -> None:
    body = {"id": "1", "quantity": "2"}
    headers = {"Idempotency-Key": "add-once-and-for-all"}
    first = await storefront.call("POST", f"{V2}/cart/add-item", body, headers=headers)
    storefront.cart_key = ""
    again = await storefront.call("POST", f"{V2}/cart/add-item", body, headers=headers)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.content == first.content
    assert again.headers["Cart-Key"] == first.headers["Cart-Key"]
    storefront.cart_key = ""
    other = await storefront.call(
        "POST", f"{V2}/cart/add-item", {"id": "1", "quantity": "3"}, headers=headers
    )
    assert (other.status_code, other.json()["code"]) == (422, "cocart_idempotency_mismatch")
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM carts") == 1
    refused = await storefront.call(
        "POST", f"{V2}/cart/add-item", body, headers={"Idempotency-Key": "x" * 300}
    )
    assert refused.status_code == 400


async def test_statement_counts(storefront: Storefront, database: Database) -> None:
    from tests.makers import sql_count

    async with database.acquire() as connection:
        ids = [await product(connection, name=f"P{n}", slug=f"p{n}", stock=50) for n in range(9)]
    for product_id in [SHIRT, *ids]:
        await storefront.add(product_id)
    await storefront.update(billing_address=BILLING)
    key = (await cart(storefront))["items"][0]["item_key"]

    async def count(method: str, path: str, body: Any = None) -> int:
        for _ in range(2):
            storefront.statements.clear()
            response = await storefront.call(method, path, body)
            assert response.status_code == 200, response.text
        return sql_count(storefront.statements)

    assert await count("GET", f"{V2}/cart") == 1
    assert await count("GET", "/wp-json/cocart/preview/checkout") == 1
    assert await count("POST", f"{V2}/cart/add-item", {"id": "1"}) <= 3
    assert await count("POST", f"{V2}/cart/item/{key}", {"quantity": 2}) <= 3
    assert await count("PUT", "/wp-json/cocart/preview/checkout", {"currency": "EUR"}) <= 3
