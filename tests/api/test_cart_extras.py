"""Fees, prices that are set, shipping choices, the mini cart, cross-sells, tags (contract cart.md,
v2-cart.md, sdk-expectations.md)."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from checkstand.access import keys as key_room
from checkstand.access.key_store import Terms
from checkstand.access.principal import Permission
from checkstand.storage.database import Database
from tests.makers import (
    BILLING,
    SHIRT,
    V2,
    Storefront,
    administrator,
    product,
    running,
    shop_settings,
    sql_count,
)

CART = f"{V2}/cart"
PARCEL = "flat_rate:1"
TO_AUSTIN = {"country": "US", "state": "TX", "postcode": "78701", "city": "Austin"}


@pytest.fixture
async def trusting(storefront: Storefront, empty_database: str) -> Any:
    """A shop that lets consumer keys set prices."""
    async with running(shop_settings(empty_database, cart={"trusted_keys": True})) as client:
        yield client


async def fee(shopper: Storefront, keys: Any = None, **body: Any) -> Any:
    return await shopper.call("POST", f"{CART}/add-fee", body, keys=keys)


async def test_a_shopper_adds_no_fees(storefront: Storefront) -> None:
    await storefront.add()
    for keys in (None, storefront.keys):
        for path, body in (("add-fee", {"name": "x", "amount": "-5"}), ("remove-fees", None)):
            refused = await storefront.call("POST", f"{CART}/{path}", body, keys=keys)
            assert (refused.status_code, refused.json()["code"]) == (403, "cocart_fees_not_allowed")


async def test_fees_by_a_trusted_key(trusting: Storefront, database: Database) -> None:
    keys = trusting.keys
    early = await fee(trusting, keys, name="Gift wrap", amount="2.50")
    assert (early.status_code, early.json()["code"]) == (404, "cocart_fee_cannot_add")
    await trusting.add()
    assert (await fee(trusting, keys, amount=1)).json()["code"] == "cocart_fee_missing_name"
    assert (await fee(trusting, keys, name="x")).json()["code"] == "cocart_fee_missing_amount"
    for wrong in ("NaN", "1e99", "much"):
        assert (await fee(trusting, keys, name="x", amount=wrong)).status_code == 400
    unknown = await fee(trusting, keys, name="x", amount=1, taxable=True, tax_class="nowhere")
    assert unknown.json()["data"]["params"] == {"tax_class": "is not a tax class of this shop"}
    added = (await fee(trusting, keys, name="Gift wrap", amount=2.5)).json()
    assert added["fees"]["gift-wrap"] == {
        "name": "Gift wrap",
        "fee": "250",
        "amount": 2.5,
        "taxable": False,
        "tax_class": "",
        "total": 2.5,
        "tax": 0.0,
    }
    assert added["totals"]["fee_total"] == "250"
    again = (await fee(trusting, keys, name="gift wrap", amount=9)).json()
    assert again["totals"]["fee_total"] == "250"
    assert "there already" in again["notices"]["notice"][0]
    off = (await fee(trusting, keys, name="Goodwill", amount="-1000000")).json()
    assert int(off["totals"]["total"]) == 0
    none = (await trusting.call("POST", f"{CART}/remove-fees", keys=keys)).json()
    assert (none["fees"], none["totals"]["fee_total"]) == ([], "0")
    async with database.transaction() as connection:
        reader = await key_room.create(connection, Terms("reader", Permission.READ))
    readers = {"consumer_key": reader.consumer_key, "consumer_secret": reader.consumer_secret}
    assert (await fee(trusting, readers, name="x", amount=1)).status_code == 403


async def test_a_fee_is_in_the_order(trusting: Storefront) -> None:
    await trusting.ready_to_order()
    added = (await fee(trusting, trusting.keys, name="Gift wrap", amount="2.50")).json()
    placed = (await trusting.process()).json()
    path = f"/wp-json/cocart/preview/order-received/{placed['order_id']}"
    order = (await trusting.call("GET", path, order_key=placed["order_key"])).json()
    assert {"key": "fee", "label": "Gift wrap", "value": "$2.50"} in order["totals"]
    assert order["total"].replace(".", "") == added["totals"]["total"]


async def test_a_price_is_never_taken_from_a_shopper(
    storefront: Storefront, trusting: Storefront
) -> None:
    asked = (await storefront.add(price="0.01")).json()
    assert asked["items"][0]["price"] == "1999"
    with_key = await storefront.call(
        "POST", f"{CART}/add-item", {"id": "1", "price": "0.01"}, keys=storefront.keys
    )
    assert with_key.json()["items"][0]["price"] == "1999"
    untrusted = (await trusting.add(price="0.01")).json()
    assert untrusted["items"][0]["price"] == "1999"


async def test_a_price_that_was_set_stays_with_its_units(trusting: Storefront) -> None:
    body = {"id": "1", "quantity": 2, "price": "12.00"}
    made = (await trusting.call("POST", f"{CART}/add-item", body, keys=trusting.keys)).json()
    key = made["items"][0]["item_key"]
    assert (made["items"][0]["price"], made["totals"]["subtotal"]) == ("1200", "2400")
    assert made["items"][0]["quantity"]["editable"] is False
    both = (await trusting.add()).json()
    assert [item["price"] for item in both["items"]] == ["1200", "1999"]
    more = await trusting.call("POST", f"{CART}/item/{key}", {"quantity": 3})
    assert more.json()["code"] == "cocart_can_not_increase_quantity"
    less = await trusting.call("POST", f"{CART}/item/{key}", {"quantity": 1})
    assert less.json()["totals"]["subtotal"] == "3199"
    removed = await trusting.call("DELETE", f"{CART}/item/{key}")
    assert removed.json()["removed_items"][0]["price"] == "1200"
    restored = await trusting.call("PUT", f"{CART}/item/{key}")
    assert restored.json()["totals"]["subtotal"] == "3199"
    for wrong in ("-1", "1e40", "free"):
        body = {"id": "1", "price": wrong}
        refused = await trusting.call("POST", f"{CART}/add-item", body, keys=trusting.keys)
        assert refused.status_code == 400
    await trusting.update(billing_address=BILLING, payment_method="bacs")
    assert (await trusting.process()).status_code == 200


async def test_a_manager_sets_prices_on_an_own_cart(storefront: Storefront) -> None:
    await administrator(storefront.shop, "correct horse battery")
    basic = b64encode(b"admin:correct horse battery").decode()
    headers = {"Authorization": f"Basic {basic}"}
    body = {"id": "1", "price": "5.00"}
    made = await storefront.call("POST", f"{CART}/add-item", body, headers=headers)
    assert made.json()["items"][0]["price"] == "500"


async def test_a_rate_is_chosen_by_any_of_its_names(storefront: Storefront) -> None:
    path = f"{CART}/set-shipping-method"
    await storefront.add()
    early = await storefront.call("POST", path, {"rate_id": PARCEL})
    assert (early.status_code, early.json()["code"]) == (404, "cocart_shipping_not_calculated")
    nothing = await storefront.call("POST", path)
    assert (nothing.status_code, nothing.json()["code"]) == (404, "cocart_missing_rate_id")
    estimated = await storefront.call("POST", f"{CART}/calculate/shipping", TO_AUSTIN)
    package = estimated.json()["shipping"]["packages"]["default"]
    rates = list(package["rates"])
    assert len(rates) > 1
    for name in ("rate_id", "method_key", "key"):
        for rate in rates:
            for package_id in (None, "default", 0, int(rate.split(":")[1])):
                body = {name: rate, "package_id": package_id}
                chosen = (await storefront.call("POST", path, body)).json()
                assert chosen["shipping"]["packages"]["default"]["chosen_method"] == rate
    for body in ({"rate_id": "flat_rate:99"}, {"rate_id": rates[0], "package_id": 7}):
        refused = await storefront.call("POST", path, body)
        assert (refused.status_code, refused.json()["code"]) == (
            404,
            "cocart_shipping_rate_not_offered",
        )
    after = (await storefront.call("GET", CART)).json()
    assert after["shipping"]["packages"]["default"]["chosen_method"] == rates[-1]


async def test_a_shop_that_does_not_ship(empty_database: str, storefront: Storefront) -> None:
    async with running(shop_settings(empty_database, shipping={"enabled": False})) as shopper:
        await shopper.add()
        refused = await shopper.call("POST", f"{CART}/set-shipping-method", {"key": PARCEL})
        assert refused.json()["code"] == "cocart_shipping_disabled"


async def test_an_estimate_needs_no_further_address_to_order(storefront: Storefront) -> None:
    await storefront.add()
    await storefront.call("POST", f"{CART}/calculate/shipping", TO_AUSTIN)
    placed = await storefront.process(billing_address=BILLING, payment_method="bacs")
    if placed.status_code == 409:  # the taxes of the address were not known
        placed = await storefront.process()
    assert placed.status_code == 200, placed.text
    wrong = await storefront.add()
    assert wrong.status_code == 200
    refused = await storefront.call("POST", f"{CART}/calculate/shipping", {"country": "XX"})
    assert "country" in refused.json()["notices"]["error"][0].lower()


async def test_mini_cart(storefront: Storefront) -> None:
    empty = (await storefront.call("GET", f"{CART}/mini")).json()
    assert (empty["cart_hash"], empty["items"], empty["subtotal"]) == (None, [], "0")
    await storefront.add(SHIRT, 2)
    mini = (await storefront.call("GET", f"{CART}/mini")).json()
    assert mini["items"][0]["quantity"] == 2
    assert (mini["item_count"], mini["subtotal"]) == (2, "3998")
    shown = (await storefront.call("GET", f"{CART}/mini", formatted="true")).json()
    assert (shown["subtotal"], shown["items"][0]["price"]) == ("$39.98", "$19.99")
    some = (await storefront.call("GET", f"{CART}/mini", fields="item_count,subtotal")).json()
    assert some == {"item_count": 2, "subtotal": "3998"}


async def test_cross_sells(storefront: Storefront, database: Database) -> None:
    async with database.acquire() as connection:
        beside = [
            await product(connection, name=f"C{n}", slug=f"c{n}", regular_price=500, **more)
            for n, more in enumerate(({"published": False}, {"sale_price": 400}, {}, {}, {}))
        ]
        ids = [SHIRT, 999, *beside]
        shoes = await product(connection, name="Shoes", slug="shoes", cross_sell_ids=ids)
    await storefront.add(SHIRT)
    body = (await storefront.add(shoes)).json()
    assert [each["id"] for each in body["cross_sells"]] == beside[1:4]
    first = body["cross_sells"][0]
    assert (first["price"], first["regular_price"], first["sale_price"]) == ("400", "500", "400")
    assert first["product_name"] == first["name"] == "C1"
    storefront.statements.clear()
    read = (await storefront.call("GET", CART)).json()
    assert read["cross_sells"] == body["cross_sells"]
    assert sql_count(storefront.statements) == 1
    more = (await storefront.add(beside[1])).json()
    assert [each["id"] for each in more["cross_sells"]] == beside[2:5]


async def test_amounts_as_people_read_them(storefront: Storefront) -> None:
    key = (await storefront.add(SHIRT, 2)).json()["items"][0]["item_key"]
    shown = (await storefront.call("GET", CART, formatted="true")).json()
    assert shown["items"][0]["price"] == "$19.99"
    assert shown["totals"]["total"] == "$39.98"
    assert (await storefront.call("GET", CART)).json()["totals"]["total"] == "3998"
    one = (await storefront.call("GET", f"{CART}/item/{key}", formatted="1")).json()
    assert one["totals"]["subtotal"] == "$39.98"
    totals = (await storefront.call("GET", f"{CART}/totals", formatted="true")).json()
    assert totals["total"] == "$39.98"
    added = await storefront.call("POST", f"{CART}/add-item", {"id": "1"}, formatted="true")
    assert added.json()["totals"]["total"] == "$59.97"
    assert (await storefront.call("GET", CART, formatted="maybe")).status_code == 400


async def test_presets_and_lists_of_fields(storefront: Storefront) -> None:
    await storefront.add()
    preset = (await storefront.call("GET", CART, **{"config[fields]": "digital"})).json()
    assert set(preset) == {
        "currency", "customer", "items", "coupons", "needs_payment", "taxes", "totals", "notices",
    }  # fmt: skip
    listed = (await storefront.call("GET", CART, **{"fields[]": ["items", "totals"]})).json()
    assert set(listed) == {"items", "totals"}
    assert len((await storefront.call("GET", CART, **{"config[fields]": "?"})).json()) == 18


async def test_older_clients(storefront: Storefront) -> None:
    key = (await storefront.add()).json()["items"][0]["item_key"]
    assert (await storefront.call("GET", f"{CART}/count-items")).json() == 1
    await storefront.call("DELETE", f"{CART}/item/{key}")
    restored = await storefront.call("POST", f"{CART}/item/{key}/restore")
    assert restored.json()["item_count"] == 1
    body = {"billing_city": "Austin", "billing_country": "US"}
    told = (await storefront.call("POST", f"{CART}/customer", body)).json()
    assert told["customer"]["billing_address"]["billing_city"] == "Austin"
    assert (await storefront.call("DELETE", f"{CART}/clear")).json()["items"] == []


async def test_no_tags_unless_wanted(storefront: Storefront) -> None:
    await storefront.add()
    read = await storefront.call("GET", CART)
    assert "ETag" not in read.headers
    assert "CoCart-Cache" not in read.headers


async def test_tags(empty_database: str, storefront: Storefront) -> None:
    async with running(shop_settings(empty_database, cart={"etags": True})) as shopper:
        await shopper.add()
        first = await shopper.call("GET", CART)
        tag = first.headers["ETag"]
        assert (tag[:3], first.headers["CoCart-Cache"]) == ('W/"', "MISS")
        headers = {"If-None-Match": f'W/"0", {tag}'}
        again = await shopper.call("GET", CART, headers=headers)
        assert (again.status_code, again.content) == (304, b"")
        assert (again.headers["ETag"], again.headers["CoCart-Cache"]) == (tag, "HIT")
        assert again.headers["Cart-Key"] == shopper.cart_key
        skipped = await shopper.call("GET", CART, headers=headers, _skip_cache="true")
        assert (skipped.status_code, skipped.headers["CoCart-Cache"]) == (200, "SKIP")
        other = shopper.another()
        await other.add()
        path = f"{CART}/items/count"
        mine, theirs = await shopper.call("GET", path), await other.call("GET", path)
        assert mine.content == theirs.content
        assert mine.headers["ETag"] != theirs.headers["ETag"]
        written = await shopper.call("POST", f"{CART}/add-item", {"id": "1"}, headers=headers)
        assert written.status_code == 200
        changed = await shopper.call("GET", CART, headers=headers)
        assert (changed.status_code, changed.headers["CoCart-Cache"]) == (200, "MISS")
