"""Coupons over the wire (contract cart.md 1.5 and 9, v2-cart.md 10, v2-checkout.md 3.5)."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from checkstand.promotions.model import CouponKind
from checkstand.storage.database import Database
from tests.makers import (
    BILLING,
    PREVIEW,
    SHIRT,
    V2,
    Storefront,
    administrator,
    coupon,
    execute,
    product,
    running,
    shop_settings,
    sql_count,
)

CHECKOUT = f"{PREVIEW}/checkout"


@pytest.fixture(autouse=True)
async def ten(storefront: Storefront, database: Database) -> None:
    """The coupon `ten`: 10 per cent."""
    async with database.acquire() as connection:
        await coupon(connection, "ten")


async def make(database: Database, code: str, **terms: Any) -> int:
    async with database.acquire() as connection:
        return await coupon(connection, code, **terms)


async def apply(storefront: Storefront, code: str, **more: Any) -> Any:
    return await storefront.call("POST", f"{V2}/cart/apply-coupon", {"coupon": code, **more})


async def cart(storefront: Storefront) -> dict[str, Any]:
    found: dict[str, Any] = (await storefront.call("GET", f"{V2}/cart")).json()
    return found


async def test_a_coupon_is_applied_listed_and_removed(storefront: Storefront) -> None:
    await storefront.add(SHIRT, 2)
    applied = await apply(storefront, " TEN ")
    assert applied.status_code == 200, applied.text
    body = applied.json()
    assert body["coupons"] == [
        {
            "coupon": "ten",
            "label": "Coupon: ten",
            "discount_type": "percent",
            "saving": "-400",
            "saving_html": "-$4.00",
        }
    ]
    assert body["totals"]["discount_total"] == "400"
    assert body["totals"]["subtotal"] == "3998"
    assert body["items"][0]["totals"]["total"] == "3598"
    assert body["notices"]["success"] == ["The coupon “ten” is applied."]
    read = await cart(storefront)
    assert read["coupons"] == body["coupons"]
    assert read["totals"] == body["totals"]
    listed = (await storefront.call("GET", f"{V2}/cart/coupons")).json()
    assert listed[0]["totals"] == {"discount": "400", "discount_tax": "0"}
    again = (await apply(storefront, "ten")).json()
    assert again["notices"] == {"info": ["The coupon “ten” is applied already."]}
    removed = await storefront.call("DELETE", f"{V2}/cart/coupons/TEN")
    assert removed.json()["coupons"] == []
    assert removed.json()["totals"]["discount_total"] == "0"
    gone = await storefront.call("DELETE", f"{V2}/cart/coupon/ten")
    assert (gone.status_code, gone.json()["code"]) == (404, "cocart_cart_coupon_invalid_code")


async def test_all_coupons_are_removed_at_once(storefront: Storefront, database: Database) -> None:
    await make(database, "two", kind=CouponKind.FIXED_CART, amount=Decimal(200))
    await storefront.add()
    await apply(storefront, "ten")
    both = (await apply(storefront, "two")).json()
    assert [each["coupon"] for each in both["coupons"]] == ["ten", "two"]
    assert both["totals"]["discount_total"] == "400"
    none = await storefront.call("DELETE", f"{V2}/cart/coupons")
    assert none.json()["coupons"] == []
    empty = await storefront.call("GET", f"{V2}/cart/coupons")
    assert (empty.status_code, empty.json()["code"]) == (404, "cocart_cart_no_coupons_applied")


async def test_refusals_name_what_is_wrong(storefront: Storefront) -> None:
    early = await apply(storefront, "ten")
    assert (early.status_code, early.json()["code"]) == (404, "cocart_coupon_cannot_add")
    await storefront.add()
    for code, wanted in (("", "cocart_coupon_code_required"), ("nope", "cocart_coupon_not_exist")):
        refused = await apply(storefront, code)
        assert (refused.status_code, refused.json()["code"]) == (404, wanted)


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"minimum": 2000}, "minimum_spend"),
        ({"maximum": 1998}, "maximum_spend"),
        ({"product_ids": frozenset({99})}, "not_applicable"),
        ({"excluded_product_ids": frozenset({SHIRT})}, "not_applicable"),
        ({"expires_at": datetime.now(UTC) - timedelta(seconds=1)}, "expired"),
        ({"emails": ("*@shop.example",)}, "email_restriction"),
    ],
)
async def test_a_coupon_that_does_not_fit_is_refused_with_its_reason(
    storefront: Storefront, database: Database, terms: dict[str, Any], reason: str
) -> None:
    await make(database, "picky", **terms)
    await storefront.add(email="ines@example.com")
    refused = await apply(storefront, "picky")
    assert (refused.status_code, refused.json()["code"]) == (400, "cocart_invalid_coupon")
    assert refused.json()["data"]["reason"] == reason
    assert (await cart(storefront))["coupons"] == []


async def test_categories_hold_for_what_is_below_them(
    storefront: Storefront, empty_database: str, database: Database
) -> None:
    await execute(
        empty_database,
        "INSERT INTO categories (id, name, slug) VALUES (1, 'Clothes', 'clothes')",
        "INSERT INTO categories (id, parent_id, name, slug) VALUES (2, 1, 'Shirts', 'shirts')",
        f"INSERT INTO product_categories VALUES ({SHIRT}, 2)",
    )
    await make(database, "clothes", category_ids=frozenset({1}))
    await make(database, "no-clothes", excluded_category_ids=frozenset({1}))
    await storefront.add()
    assert (await apply(storefront, "clothes")).json()["totals"]["discount_total"] == "200"
    assert (await apply(storefront, "no-clothes")).json()["data"]["reason"] == "not_applicable"


async def test_individual_use_stands_alone(storefront: Storefront, database: Database) -> None:
    await make(database, "alone", individual_use=True)
    await storefront.add()
    await apply(storefront, "ten")
    body = (await apply(storefront, "alone")).json()
    assert [each["coupon"] for each in body["coupons"]] == ["alone"]
    assert "taken off" in body["notices"]["notice"][0]
    refused = await apply(storefront, "ten")
    assert refused.json()["data"]["reason"] == "individual_use"


async def test_a_coupon_that_no_longer_fits_is_removed_and_said(
    storefront: Storefront, database: Database
) -> None:
    await make(database, "big", minimum=3000)
    key = (await storefront.add(SHIRT, 2)).json()["items"][0]["item_key"]
    await apply(storefront, "big")
    less = await storefront.call("POST", f"{V2}/cart/item/{key}", {"quantity": "1"})
    assert less.json()["coupons"] == []
    assert "needs a larger cart" in less.json()["notices"]["error"][0]
    assert (await cart(storefront))["notices"] == []


async def test_validate_says_what_does_not_hold_and_stores_nothing(
    storefront: Storefront, empty_database: str, database: Database
) -> None:
    await make(database, "staff", emails=("*@shop.example",))
    await storefront.add()
    assert (await apply(storefront, "staff")).status_code == 200  # nobody knows the e-mail yet
    path = f"{V2}/cart/coupons/validate"
    assert (await storefront.call("GET", path)).json()["notices"] == {
        "success": ["All coupons hold."]
    }
    other = (await storefront.call("GET", path, email="ines@example.com")).json()
    assert other["coupons"] == []
    assert "not for this e-mail" in other["notices"]["error"][0]
    assert other["customer"]["billing_address"]["billing_email"] == ""
    assert len((await cart(storefront))["coupons"]) == 1
    await execute(empty_database, "UPDATE coupons SET enabled = false")
    gone = (await storefront.call("GET", path)).json()
    assert gone["notices"]["error"] == ["The coupon “staff” does not exist."]


async def test_every_presenter_shows_the_discount(storefront: Storefront) -> None:
    await storefront.ready_to_order(SHIRT, 2)
    await apply(storefront, "ten")
    state = await storefront.state()
    assert state["coupons"] == [
        {
            "coupon": "ten",
            "label": "Coupon: ten",
            "discount_type": "percent",
            "saving": "-4.00",
            "discount_tax": state["coupons"][0]["discount_tax"],
        }
    ]
    assert state["totals"]["discount_total"] == "4.00"
    placed = (await storefront.process(expected_total=state["totals"]["total"])).json()
    received = await storefront.call(
        "GET",
        f"{PREVIEW}/order-received/{placed['order_id']}",
        order_key=placed["order_key"],
    )
    order = received.json()
    assert order["discount_total"] == "4.00"
    assert {"key": "discount", "label": "Coupon: ten", "value": "-$4.00"} in order["totals"]
    assert (order["items"][0]["subtotal"], order["items"][0]["total"]) == ("39.98", "35.98")
    page = await storefront.call(
        "GET", f"/checkout/order-received/{placed['order_id']}/", key=placed["order_key"]
    )
    assert "Coupon: ten" in page.text
    assert "-$4.00" in page.text


async def test_amounts_are_converted(storefront: Storefront, database: Database) -> None:
    await make(database, "five", kind=CouponKind.FIXED_CART, amount=Decimal(500), minimum=1999)
    await storefront.add()
    await apply(storefront, "five")
    changed = await storefront.update(currency="EUR")
    state = changed.json()
    rate = Decimal(str(state["currency"]["exchange_rate"]))
    assert state["totals"]["discount_total"] == str((5 * rate).quantize(Decimal("0.01")))


async def test_free_shipping_by_coupon(empty_database: str, database: Database) -> None:
    zones = [
        {
            "name": "US",
            "countries": ["US"],
            "methods": [
                {"id": 1, "kind": "flat_rate", "cost": "5"},
                {"id": 2, "kind": "free_shipping", "requires": "coupon"},
            ],
        }
    ]
    await make(database, "postage", amount=Decimal(0), free_shipping=True)
    async with running(shop_settings(empty_database, shipping={"zones": zones})) as shopper:
        await shopper.add()
        before = (await shopper.update(billing_address=BILLING)).json()
        assert list(before["shipping_methods"]) == ["flat_rate:1"]
        body = (await apply(shopper, "postage")).json()
        assert body["coupons"][0]["saving_html"] == "Free shipping coupon"
        assert body["totals"]["shipping_total"] == "0"
        after = await shopper.state()
        assert after["shipping_method"] == "free_shipping:2"
        removed = (await shopper.call("DELETE", f"{V2}/cart/coupons/postage")).json()
        assert removed["totals"]["shipping_total"] == "500"


async def test_coupons_can_be_switched_off(empty_database: str, storefront: Storefront) -> None:
    async with running(shop_settings(empty_database, coupons={"enabled": False})) as shopper:
        await shopper.add()
        refused = await apply(shopper, "ten")
        assert (refused.status_code, refused.json()["code"]) == (404, "cocart_coupons_not_enabled")


async def test_a_coupon_that_ended_is_refused_at_process_and_is_off_the_cart(
    storefront: Storefront, empty_database: str
) -> None:
    await storefront.ready_to_order()
    await apply(storefront, "ten")
    await execute(empty_database, "UPDATE coupons SET enabled = false")
    refused = await storefront.process()
    assert (refused.status_code, refused.json()["code"]) == (400, "cocart_invalid_coupon")
    assert (await storefront.state())["coupons"] == []
    assert (await storefront.process()).status_code == 200


async def test_terms_that_changed_are_another_total(
    storefront: Storefront, empty_database: str
) -> None:
    await storefront.ready_to_order()
    await apply(storefront, "ten")
    await execute(empty_database, "UPDATE coupons SET amount = 5")
    refused = await storefront.process()
    assert (refused.status_code, refused.json()["code"]) == (409, "cocart_checkout_totals_changed")
    assert (await storefront.process()).status_code == 200


async def test_another_coupon_of_the_same_worth_is_another_purchase(
    storefront: Storefront, empty_database: str, database: Database
) -> None:
    await make(database, "twin")
    await storefront.ready_to_order()
    await apply(storefront, "ten")
    # The stored document says `twin`, what was shown said `ten`: as if an edit had been lost.
    await execute(
        empty_database,
        "UPDATE carts SET coupon_codes = '{twin}',"
        " document = jsonb_set(document, '{coupons}', '[\"twin\"]')",
    )
    assert (await storefront.process()).json()["code"] == "cocart_checkout_totals_changed"


async def test_an_email_that_is_not_for_it_is_refused_at_process(
    storefront: Storefront, database: Database
) -> None:
    await make(database, "staff", emails=("*@shop.example",))
    await storefront.add()
    await apply(storefront, "staff")
    refused = await storefront.process(billing_address=BILLING, payment_method="bacs")
    assert (refused.status_code, refused.json()["code"]) == (400, "cocart_coupon_email_restricted")
    assert (await storefront.state())["coupons"] == []
    assert (await storefront.process()).status_code == 200


async def test_uses_are_counted_in_total_and_per_customer(
    storefront: Storefront, database: Database
) -> None:
    await make(database, "once", customer_limit=1, usage_limit=2)

    async def order(email: str) -> Any:
        shopper = storefront.another()
        await shopper.add()
        if (applied := await apply(shopper, "once")).status_code != 200:
            return applied
        address = {**BILLING, "email": email}
        return await shopper.process(billing_address=address, payment_method="bacs")

    assert (await order("a@example.com")).status_code == 200
    again = await order("A@Example.com")
    assert (again.status_code, again.json()["code"]) == (400, "cocart_coupon_usage_limit")
    assert (await order("b@example.com")).status_code == 200
    last = await order("c@example.com")
    assert last.json()["data"]["reason"] == "usage_limit"
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT used FROM coupons WHERE code = 'once'") == 2
        assert await connection.fetchval("SELECT count(*) FROM coupon_uses") == 2


async def test_a_decline_gives_the_use_back(storefront: Storefront, database: Database) -> None:
    await make(database, "last", usage_limit=1)
    await storefront.ready_to_order()
    await apply(storefront, "last")
    declined = await storefront.process(
        payment_method="sandbox", payment_data={"token": "tok_declined"}
    )
    assert declined.json()["code"] == "cocart_payment_failed", declined.text
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM coupon_uses") == 0
    paid = await storefront.process(payment_method="bacs")
    assert paid.status_code == 200, paid.text
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT used FROM coupons WHERE code = 'last'") == 1


async def test_statement_counts_with_coupons(storefront: Storefront, database: Database) -> None:
    await make(database, "two", kind=CouponKind.FIXED_CART, amount=Decimal(200), usage_limit=50)
    async with database.acquire() as connection:
        mug = await product(connection, name="Mug", slug="mug", stock=99)

    async def ready() -> Storefront:
        shopper = await storefront.another().ready_to_order(mug)
        for code in ("ten", "two"):
            await apply(shopper, code)
        return shopper

    shopper = await ready()
    for path in (f"{V2}/cart", f"{V2}/cart/coupons", f"{V2}/cart/coupons/validate", CHECKOUT):
        await shopper.call("GET", path)
        storefront.statements.clear()
        assert (await shopper.call("GET", path)).status_code == 200
        assert sql_count(storefront.statements) == 1
    storefront.statements.clear()
    assert (await apply(shopper, "ten")).status_code == 200
    assert sql_count(storefront.statements) <= 3
    assert (await shopper.process()).status_code == 200
    another = await ready()
    storefront.statements.clear()
    assert (await another.process()).status_code == 200
    # One statement holds all uses, one redeems them; without coupons there is neither.
    assert sql_count(storefront.statements) <= 16, "\n".join(storefront.statements)
    assert sum("coupon_uses" in text for text in storefront.statements) == 2
    assert storefront.statements.count("COMMIT;") == 2


async def test_an_update_of_the_checkout_applies_and_removes(storefront: Storefront) -> None:
    await storefront.add()
    applied = (await storefront.update(coupon_code="TEN", currency="EUR")).json()
    assert [each["coupon"] for each in applied["coupons"]] == ["ten"]
    refused = await storefront.update(coupon_code="nope", currency="USD")
    assert (refused.status_code, refused.json()["code"]) == (400, "cocart_coupon_not_exist")
    assert refused.json()["data"]["invalid_fields"] == ["coupon_code"]
    assert (await storefront.state())["currency"]["code"] == "EUR"
    removed = (await storefront.update(coupon_code="ten", coupon_action="remove")).json()
    assert removed["coupons"] == []


async def test_a_guest_who_signs_in_keeps_the_coupon(storefront: Storefront) -> None:
    await administrator(storefront.shop, "correct horse battery")
    await storefront.add(SHIRT, 2)
    guest = (await apply(storefront, "ten")).json()
    basic = b64encode(b"admin:correct horse battery").decode()
    headers = {"Authorization": f"Basic {basic}"}
    own = (await storefront.call("GET", f"{V2}/cart", headers=headers)).json()
    assert own["cart_key"] != guest["cart_key"]
    assert own["coupons"] == guest["coupons"]
    assert own["totals"] == guest["totals"]
