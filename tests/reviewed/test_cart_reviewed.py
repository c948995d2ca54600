"""What fresh eyes found in the cart and its coupons."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest

from checkstand.access import keys as key_room
from checkstand.access.key_store import Terms
from checkstand.access.principal import Caller, KeyKind
from checkstand.checkout.back_office import RefundCommand
from checkstand.promotions import store as promotions
from checkstand.storage.database import Database
from tests.makers import (
    BILLING,
    PREVIEW,
    SHIRT,
    V2,
    Shopper,
    Storefront,
    coupon,
    fewest,
    product,
    running,
    shop_settings,
    shopper,
)

CART = f"{V2}/cart"
SIZES = ["small", "large"]


@pytest.fixture
async def storefront(empty_database: str, database: Database) -> Any:
    async with database.acquire() as connection:
        await product(connection)
    async with running(shop_settings(empty_database)) as client:
        yield client


async def make(database: Database, code: str, **terms: Any) -> int:
    async with database.acquire() as connection:
        return await coupon(connection, code, **terms)


async def apply(front: Storefront, code: str, **more: Any) -> Any:
    return await front.call("POST", f"{CART}/apply-coupon", {"coupon": code, **more})


# --- who may set prices --------------------------------------------------------------------------


async def test_a_publishable_key_sets_no_prices_whatever_the_shop_trusts(
    storefront: Storefront, empty_database: str
) -> None:
    origin = "https://shop.example"
    async with running(shop_settings(empty_database, cart={"trusted_keys": True})) as front:
        async with front.shop.database.transaction() as connection:
            terms = Terms("page", kind=KeyKind.PUBLISHABLE, origins=(origin,))
            made = await key_room.create(connection, terms)
        keys, page = {"consumer_key": made.consumer_key}, {"Origin": origin}
        body = {"id": str(SHIRT), "price": "0.01"}
        added = await front.call("POST", f"{CART}/add-item", body, keys=keys, headers=page)
        assert added.json()["items"][0]["price"] == "1999"
        fee = {"name": "Gift", "amount": "-19"}
        refused = await front.call("POST", f"{CART}/add-fee", fee, keys=keys, headers=page)
        assert (refused.status_code, refused.json()["code"]) == (403, "cocart_fees_not_allowed")


# --- whose coupon it is --------------------------------------------------------------------------


async def order(who: Shopper, code: str, email: str) -> Any:
    """An order with the coupon, under this billing e-mail; the answer of the process."""
    await who.call("POST", f"{CART}/add-item", {"id": str(SHIRT)})
    applied = await who.call("POST", f"{CART}/apply-coupon", {"coupon": code})
    if applied.status_code != 200:
        return applied
    body = {"billing_address": {**BILLING, "email": email}, "payment_method": "bacs"}
    return await who.call("POST", f"{PREVIEW}/checkout", body)


async def as_guest(front: Storefront, code: str, email: str) -> Any:
    guest = front.another()
    await guest.add()
    await apply(guest, code)
    address = {**BILLING, "email": email}
    return await guest.process(billing_address=address, payment_method="bacs")


async def test_an_account_is_known_by_its_own_email_too(
    storefront: Storefront, database: Database
) -> None:
    await make(database, "ines-only", emails=("ines@example.com",))
    ines = await shopper(storefront, "ines@example.com")
    placed = await order(ines, "ines-only", "office@elsewhere.example")
    assert placed.status_code == 200, placed.text
    other = await shopper(storefront, "other@example.com")
    refused = await order(other, "ines-only", "other@elsewhere.example")
    assert (refused.status_code, refused.json()["data"]["reason"]) == (400, "email_restriction")


async def test_a_use_counts_for_whoever_it_was_under_any_name(
    storefront: Storefront, database: Database
) -> None:
    await make(database, "once-each", customer_limit=1)
    ines = await shopper(storefront, "ines@example.com")
    # As a guest under the e-mail of the account, then signed in under another billing e-mail.
    assert (await as_guest(storefront, "once-each", "Ines@Example.com")).status_code == 200
    again = await order(ines, "once-each", "office@elsewhere.example")
    assert (again.status_code, again.json()["data"]["reason"]) == (400, "usage_limit_per_customer")
    # Signed in under another billing e-mail, then as a guest under the e-mail of the account.
    omar = await shopper(storefront, "omar@example.com")
    assert (await order(omar, "once-each", "office@omar.example")).status_code == 200
    again = await as_guest(storefront, "once-each", "omar@example.com")
    assert (again.status_code, again.json()["code"]) == (400, "cocart_coupon_usage_limit")
    # Somebody else is not in the way of anybody.
    assert (await as_guest(storefront, "once-each", "third@example.com")).status_code == 200


async def test_who_lost_his_own_race_is_told_so(storefront: Storefront, database: Database) -> None:
    await make(database, "mine", customer_limit=1)
    answers = await asyncio.gather(*(as_guest(storefront, "mine", "i@example.com") for _ in "1234"))
    refused = [answer.json() for answer in answers if answer.status_code != 200]
    assert len(refused) == 3
    assert {each["data"]["reason"] for each in refused} == {"usage_limit_per_customer"}


async def test_an_email_that_is_none_is_said(storefront: Storefront, database: Database) -> None:
    await make(database, "staff", emails=("*@shop.example",))
    await storefront.add()
    assert (await apply(storefront, "staff")).status_code == 200
    wrong = await storefront.call("GET", f"{CART}/coupons/validate", email="nobody")
    assert (wrong.status_code, wrong.json()["data"]["params"]) == (
        400,
        {"email": "is no e-mail address"},
    )
    assert (await apply(storefront, "staff", email="nobody")).status_code == 400


# --- codes ---------------------------------------------------------------------------------------


async def test_a_longer_code_is_another_code(storefront: Storefront, database: Database) -> None:
    await make(database, "x" * 100)
    await storefront.add()
    refused = await apply(storefront, "x" * 120)
    assert (refused.status_code, refused.json()["code"]) == (404, "cocart_coupon_not_exist")


@pytest.mark.parametrize("code", ["2 for 1", "50%", "a/b", "été", "a.b", "x?y#z"])
async def test_any_code_can_be_taken_off_by_itself(
    storefront: Storefront, database: Database, code: str
) -> None:
    await make(database, code)
    await storefront.add()
    assert (await apply(storefront, code.upper())).status_code == 200
    path = f"{CART}/coupons/{quote(code, safe='')}"
    removed = await storefront.call("DELETE", path)
    assert (removed.status_code, removed.json()["coupons"]) == (200, [])


# --- reading -------------------------------------------------------------------------------------


async def test_no_items_are_a_number_or_not_found(storefront: Storefront) -> None:
    path = f"{CART}/items/count"
    assert (await storefront.call("GET", path)).json() == 0
    assert (await storefront.call("GET", path, **{"return": "numeric"})).json() == 0
    other = await storefront.call("GET", path, **{"return": "items"})
    assert (other.status_code, other.json()["code"]) == (404, "cocart_no_items_in_cart")
    await storefront.add(quantity=2)
    assert (await storefront.call("GET", path, **{"return": "items"})).json() == 2


async def test_the_lines_as_the_engine_has_them(storefront: Storefront, database: Database) -> None:
    assert (await storefront.call("GET", CART, default="true")).json() == []
    await make(database, "ten")
    key = (await storefront.add(quantity=2, item_data={"engraving": "Ada"})).json()["items"][0][
        "item_key"
    ]
    await apply(storefront, "ten")
    assert (await storefront.call("GET", CART, default="true")).json() == {
        key: {
            "key": key,
            "product_id": SHIRT,
            "variation_id": 0,
            "variation": [],
            "quantity": 2,
            "cart_item_data": {"engraving": "Ada"},
            "line_subtotal": 39.98,
            "line_subtotal_tax": 0.0,
            "line_total": 35.98,
            "line_tax": 0.0,
        }
    }


async def test_tags_of_carts_compare_as_those_of_products(
    storefront: Storefront, empty_database: str
) -> None:
    async with running(shop_settings(empty_database, cart={"etags": True})) as front:
        await front.add()
        tag = (await front.call("GET", CART)).headers["ETag"]
        for said in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
            known = await front.call("GET", CART, headers={"If-None-Match": said})
            assert (known.status_code, known.headers["CoCart-Cache"]) == (304, "HIT"), said
            assert known.headers["Cart-Key"] == front.cart_key
        twin = front.another()
        await twin.add()
        seen = await twin.call("GET", CART, headers={"If-None-Match": tag})
        assert seen.status_code == 200, "another cart that looks the same has another tag"


async def test_coupons_with_all_terms_cost_no_further_statement(
    storefront: Storefront, database: Database
) -> None:
    await make(
        database,
        "picky",
        usage_limit=9,
        customer_limit=2,
        emails=("*@example.com",),
        product_ids=frozenset({SHIRT}),
    )
    ines = await shopper(storefront, "ines@example.com")
    await ines.call("POST", f"{CART}/add-item", {"id": str(SHIRT)})
    assert (await ines.call("POST", f"{CART}/apply-coupon", {"coupon": "picky"})).is_success
    # One finds the account of the token, one the cart with all that is asked of its coupons.
    plain = await shopper(storefront, "plain@example.com")
    await plain.call("POST", f"{CART}/add-item", {"id": str(SHIRT)})
    bare = await fewest(storefront, lambda: plain.call("GET", CART))
    assert await fewest(storefront, lambda: ines.call("GET", CART)) == bare


# --- changing a line -----------------------------------------------------------------------------


@pytest.fixture
async def hoodie(database: Database, storefront: Storefront) -> int:
    """A variable product; its small variation is id + 1, its large one id + 2."""
    attributes = [
        {
            "slug": "pa_size",
            "name": "Size",
            "shared": True,
            "visible": True,
            "for_variations": True,
            "options": [{"slug": size, "name": size.title()} for size in SIZES],
        }
    ]
    async with database.acquire() as connection:
        parent = await product(
            connection, type="variable", name="Hoodie", slug="hoodie", attributes=attributes,
            regular_price=None,
        )  # fmt: skip
        for size in SIZES:
            await product(
                connection, type="variation", parent_id=parent, name=f"Hoodie - {size}",
                slug=f"hoodie-{size}", variation={"pa_size": size}, regular_price=4500,
            )  # fmt: skip
    return parent


async def test_an_item_becomes_another_variation(storefront: Storefront, hoodie: int) -> None:
    added = (await storefront.add(hoodie, variation={"Size": "small"})).json()
    await storefront.add(SHIRT)
    key = added["items"][0]["item_key"]
    changed = await storefront.call(
        "POST", f"{CART}/item/{key}", {"quantity": "3", "variation": {"attribute_pa_size": "large"}}
    )
    items = changed.json()["items"]
    assert [(each["id"], each["quantity"]["value"]) for each in items] == [
        (hoodie + 2, 3),
        (SHIRT, 1),
    ]
    assert items[0]["item_key"] != key
    assert changed.json()["removed_items"] == []
    back = await storefront.call(
        "POST", f"{CART}/item/{items[0]['item_key']}", {"quantity": 1, "id": hoodie + 1}
    )
    assert back.json()["items"][0]["item_key"] == key


async def test_an_item_gets_other_data_and_adds_up_with_its_like(storefront: Storefront) -> None:
    await storefront.add(SHIRT, item_data={"for": "Ada"})
    keys = [each["item_key"] for each in (await storefront.add(SHIRT, 2)).json()["items"]]
    changed = await storefront.call(
        "POST", f"{CART}/item/{keys[0]}", {"quantity": "1", "item_data": {"for": "Bo"}}
    )
    first = changed.json()["items"][0]
    assert (first["cart_item_data"], first["quantity"]["value"]) == ({"for": "Bo"}, 1)
    merged = await storefront.call(
        "POST", f"{CART}/item/{first['item_key']}", {"quantity": "1", "item_data": {}}
    )
    [only] = merged.json()["items"]
    assert (only["item_key"], only["quantity"]["value"]) == (keys[1], 3)


async def test_an_item_does_not_become_what_it_cannot(storefront: Storefront, hoodie: int) -> None:
    key = (await storefront.add(hoodie + 1)).json()["items"][0]["item_key"]
    for body, code in (
        ({"id": str(SHIRT)}, "cocart_can_not_update_item"),
        ({"variation": {"Size": "huge"}}, "cocart_no_variation_found"),
        ({"id": "999999"}, "cocart_invalid_product"),
    ):
        refused = await storefront.call("POST", f"{CART}/item/{key}", {"quantity": "1", **body})
        assert refused.json()["code"] == code
    gone = await storefront.call("POST", f"{CART}/item/nokey", {"quantity": "1", "item_data": {}})
    assert (gone.status_code, gone.json()["code"]) == (404, "cocart_item_not_in_cart")
    assert [each["item_key"] for each in (await storefront.call("GET", CART)).json()["items"]] == [
        key
    ]


async def test_a_switch_that_is_sent_again_is_answered_again(
    storefront: Storefront, hoodie: int
) -> None:
    key = (await storefront.add(hoodie + 1)).json()["items"][0]["item_key"]
    body = {"quantity": "2", "variation": {"Size": "large"}}
    once = {"Idempotency-Key": "switch-1"}
    first = await storefront.call("POST", f"{CART}/item/{key}", body, headers=once)
    again = await storefront.call("POST", f"{CART}/item/{key}", body, headers=once)
    assert (first.status_code, again.json()) == (200, first.json())


async def test_a_price_that_was_set_does_not_go_to_another_thing(
    storefront: Storefront, empty_database: str
) -> None:
    async with running(shop_settings(empty_database, cart={"trusted_keys": True})) as front:
        body = {"id": str(SHIRT), "price": "1.00"}
        added = await front.call("POST", f"{CART}/add-item", body, keys=front.keys)
        key = added.json()["items"][0]["item_key"]
        refused = await front.call(
            "POST", f"{CART}/item/{key}", {"quantity": "1", "item_data": {"x": "y"}}
        )
        assert (refused.status_code, refused.json()["code"]) == (400, "cocart_can_not_update_item")


async def test_a_use_is_given_back_when_its_order_is_cancelled(
    storefront: Storefront, database: Database
) -> None:
    await make(database, "last", usage_limit=1, amount=Decimal(5))
    placed = (await as_guest(storefront, "last", "a@example.com")).json()
    await storefront.add()
    refused = await apply(storefront, "last")
    assert refused.json()["data"]["reason"] == "usage_limit"
    await storefront.shop.back_office.void(Caller(operator=True), placed["order_id"])
    assert (await apply(storefront, "last")).status_code == 200


async def test_a_use_is_given_back_when_the_shopper_cancels(
    storefront: Storefront, database: Database
) -> None:
    last = await make(database, "last", usage_limit=1)
    ines = await shopper(storefront, "ines@example.com")
    await ines.call("POST", f"{CART}/add-item", {"id": str(SHIRT)})
    await ines.call("POST", f"{CART}/apply-coupon", {"coupon": "last"})
    declined = await ines.call(
        "POST",
        f"{PREVIEW}/checkout",
        {
            "billing_address": BILLING,
            "payment_method": "sandbox",
            "payment_data": {"token": "tok_declined"},
        },
    )
    assert declined.status_code == 400
    order_id = declined.json()["data"]["order_id"]
    now = datetime.now(UTC)
    async with database.transaction() as connection:  # as if its payment had been begun again
        until = now + timedelta(hours=1)
        held = await promotions.hold(connection, order_id, [last], ines.id, "", now, until)
        assert held == []
    await storefront.add()
    assert (await apply(storefront, "last")).json()["data"]["reason"] == "usage_limit"
    cancelled = await ines.call("POST", f"{V2}/my-account/orders/{order_id}/cancel")
    assert cancelled.status_code == 200, cancelled.text
    assert (await apply(storefront, "last")).status_code == 200


async def test_the_mini_cart_takes_fields_as_the_cart_does(storefront: Storefront) -> None:
    await storefront.add()
    cut = await storefront.call("GET", f"{CART}/mini", fields="item_count,totals:total")
    assert cut.json() == {"item_count": 1, "totals": {"total": "1999"}}
    for path in (CART, f"{CART}/mini"):
        assert (await storefront.call("GET", path, fields="x" * 501)).status_code == 400


async def test_refunds_by_line_give_back_what_was_paid_for_it(
    storefront: Storefront, empty_database: str, database: Database
) -> None:
    await make(database, "third", amount=Decimal("33.3333"))
    async with database.acquire() as connection:
        mug = await product(connection, name="Mug", slug="mug", regular_price=1250)
        await connection.execute(
            "INSERT INTO tax_rates (country, rate, name, priority, tax_class) VALUES "
            "('US', 8.875, 'Tax', 1, '')"
        )
    async with running(shop_settings(empty_database, tax={"enabled": True})) as front:
        await front.add(SHIRT, 3)
        await front.add(mug)
        await apply(front, "third")
        paid = {"payment_method": "sandbox", "payment_data": {"token": "tok_success"}}
        placed = await front.process(billing_address=BILLING, **paid)
        assert placed.status_code == 200, placed.text
        office, operator = front.shop.back_office, Caller(operator=True)
        order = (await office.payments(operator, placed.json()["order_id"])).order
        line = next(each for each in order.lines if each.quantity == 3)
        assert (line.subtotal.minor, line.total.minor) == (5997, 3998)
        back = [
            (await office.refund(operator, order.id, RefundCommand(lines=((line.id, 1),)))).amount
            for _ in range(3)
        ]
        # 39.98 and 3.55 tax, not the 59.97 that it cost before the coupon.
        assert [each.minor for each in back] == [1451, 1451, 1451]
        assert sum(each.minor for each in back) == (line.total + line.tax).minor == 4353


async def test_a_suggestion_says_how_it_is_rated(
    storefront: Storefront, database: Database
) -> None:
    async with database.acquire() as connection:
        socks = await product(connection, name="Socks", slug="socks")
        boots = await product(connection, name="Boots", slug="boots", cross_sell_ids=[socks])
        await connection.execute(
            "INSERT INTO product_reviews (product_id, reviewer, email, review, rating, verified,"
            " status, created_at) SELECT $1, 'Ada', n || '@x.example', 'Warm', n, true, 'approved',"
            " now() FROM unnest(ARRAY[4, 5]) AS n",
            socks,
        )
    [beside] = (await storefront.add(boots)).json()["cross_sells"]
    assert (beside["id"], beside["average_rating"]) == (socks, "Rated 4.50 out of 5")
    assert (await storefront.add(SHIRT)).json()["cross_sells"][0] == beside
