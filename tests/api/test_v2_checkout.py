"""The v2 checkout: the contract's tables, field by field, and parity with preview."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from checkstand.payments.model import Declined, NeedsAction, Unknown
from checkstand.storage.database import Database
from tests.fakes import ScriptedGateway
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
    sql_count,
)
from tests.shapes import MINOR, Each, differences
from tests.tables.v2_checkout import (
    METHOD,
    PAID,
    PAYABLE,
    PAYMENT_RESULTS,
    RECEIVED,
    SHIPPING_ADDRESS,
    STATE,
    TOTALS,
    UPDATED,
    processed_shape,
)

CHECKOUT = f"{V2}/checkout"


async def v2(storefront: Storefront, method: str, body: Any = None, **more: Any) -> Any:
    return await storefront.call(method, CHECKOUT, body, **more)


def failed(response: Any, status: int, code: str) -> dict[str, Any]:
    found = response.json()
    assert (response.status_code, found["code"]) == (status, code), found
    assert found["data"]["status"] == status
    data: dict[str, Any] = found["data"]
    return data


@pytest.fixture
def card() -> ScriptedGateway:
    return ScriptedGateway()


@pytest.fixture
async def shop(
    empty_database: str, database: Database, card: ScriptedGateway
) -> AsyncIterator[Storefront]:
    """The demo shop, with a card gateway that plays a script."""
    async with database.acquire() as connection:
        await product(connection, sku="TSHIRT-PREMIUM", slug="premium-t-shirt")
    settings = shop_settings(empty_database, tax={"enabled": True})
    async with running(settings, gateways={"card": card}) as storefront:
        yield storefront


# --- every field --------------------------------------------------------------------------------


async def test_every_field_of_the_state(shop: Storefront) -> None:
    await shop.add(quantity=2, item_data={"engraving": "I"})
    read = await v2(shop, "GET")
    assert differences(STATE, read.json()) == []
    assert read.json()["message"] == ""
    for verb in ("PUT", "PATCH"):
        updated = await v2(
            shop,
            verb,
            {"billing_address": BILLING, "payment_method": "bacs", "currency": "EUR"},
        )
        assert updated.status_code == 200, updated.text
        assert differences(UPDATED, updated.json()) == []
        assert updated.headers["Cart-Key"] == shop.cart_key
        assert updated.headers["Cache-Control"] == "no-store, private"
    body = updated.json()
    assert body["shipping_methods"]
    assert body["customer"]["billing_address"]["email"] == "ines@example.com"
    assert body["currency"]["currency_code"] == "EUR"
    assert body["payment_method"] == "bacs"
    [key] = body["items"]
    assert body["items"][key]["item_key"] == key
    # `_fields` cuts this down as it does everything.
    read = await v2(shop, "GET", _fields="cart_totals.total,message")
    assert list(read.json()) == ["cart_totals", "message"]


async def test_empty_collections(shop: Storefront) -> None:
    await shop.add()
    [item] = (await shop.call("GET", f"{V2}/cart")).json()["items"]
    await shop.call("DELETE", f"{V2}/cart/item/{item['item_key']}")
    body = (await v2(shop, "GET")).json()
    assert differences(STATE, body) == []
    assert (body["items"], body["coupons"], body["shipping_methods"]) == ({}, [], {})
    assert (body["fees"], body["payment_method"], body["customer"]["customer_id"]) == ([], "", 0)
    assert set(body["cart_totals"].values()) == {"0"}
    for verb in ("PUT", "POST"):
        failed(await v2(shop, verb, {}), 400, "cocart_cant_checkout_empty_cart")
    await shop.add()
    body = (await v2(shop, "GET")).json()
    [line] = body["items"].values()
    assert line["cart_item_data"] == {}


async def test_every_field_of_payment_methods(shop: Storefront) -> None:
    await shop.ready_to_order()
    methods = (await shop.call("GET", f"{CHECKOUT}/payment-methods")).json()
    assert differences(Each(METHOD), methods) == []
    assert {"bacs", "cod", "card"} <= set(methods)
    assert all(key == method["id"] for key, method in methods.items())


async def test_a_restricted_method_says_so(empty_database: str, database: Database) -> None:
    async with database.acquire() as connection:
        await product(connection)
    only = {"cod": {"enabled": True, "shipping_methods": ["flat_rate:1"]}}
    async with running(shop_settings(empty_database, gateways=only)) as shop:
        await shop.ready_to_order()
        methods = (await shop.call("GET", f"{CHECKOUT}/payment-methods")).json()
        said = methods["cod"]["config"]["restricted_to_shipping_methods"]
        assert said == ["flat_rate:1"]
        assert methods["bacs"]["config"]["restricted_to_shipping_methods"] is None


async def test_a_success(shop: Storefront) -> None:
    await shop.ready_to_order()
    answer = await v2(shop, "POST", {"payment_method": "card", "customer_note": "ring twice"})
    body = answer.json()
    assert differences(processed_shape("success"), body) == []
    assert (body["status"], "cart_key" in body) == ("processing", False)
    assert (await v2(shop, "POST", {"payment_method": "card"})).json() == body  # a repeat
    path = f"{V2}/order-received/{body['order_id']}"
    received = (await shop.call("GET", path, order_key=body["order_key"])).json()
    assert differences(RECEIVED, received) == []
    assert (received["customer_note"], received["needs_payment"]) == ("ring twice", False)
    assert received["date_paid"] is not None
    assert [row["key"] for row in received["totals"]][-1] == "total"
    data = failed(
        await shop.call(
            "POST", f"{path}/pay", {"payment_method": "bacs"}, order_key=body["order_key"]
        ),
        400,
        "cocart_order_no_payment_needed",
    )
    assert data == {"status": 400}


async def test_nothing_to_pay(shop: Storefront, database: Database) -> None:
    async with database.acquire() as connection:
        free = await product(connection, name="Leaflet", regular_price=0, virtual=True)
    await shop.add(free)
    body = (await v2(shop, "POST", {"billing_address": BILLING})).json()
    assert differences(processed_shape("no_payment_required"), body) == []


async def test_a_decline_is_an_answer(shop: Storefront, card: ScriptedGateway) -> None:
    card.script = [Declined("The bank refused this card."), Declined("Again.")]
    await shop.ready_to_order()
    answer = await v2(shop, "POST", {"payment_method": "card"})
    assert answer.status_code == 200
    body = answer.json()
    assert differences(processed_shape("failed"), body) == []
    assert body["payment_result"]["message"] == "The bank refused this card."
    assert body["status"] == "failed"
    # The same outcome by the older namespace: an error (DECISIONS 12).
    refused = failed(
        await shop.process(payment_method="card"),
        400,
        "cocart_payment_failed",
    )
    assert refused["order_id"] == body["order_id"], "the unpaid order of the same cart is reused"
    path = f"{V2}/order-received/{body['order_id']}"
    waiting = (await shop.call("GET", path, order_key=body["order_key"])).json()
    assert differences(PAYABLE, waiting) == []
    card.script = [Declined("No.")]
    failed(
        await shop.call(
            "POST", f"{path}/pay", {"payment_method": "card"}, order_key=body["order_key"]
        ),
        400,
        "cocart_payment_failed",
    )
    paid = (
        await shop.call(
            "POST", f"{path}/pay", {"payment_method": "card"}, order_key=body["order_key"]
        )
    ).json()
    assert differences(PAID, paid) == []
    assert differences(PAYMENT_RESULTS["success"], paid["payment_result"]) == []
    assert (paid["success"], paid["order_status"]) == (True, "processing")


async def test_an_action(shop: Storefront, card: ScriptedGateway) -> None:
    data = {"client_secret": "pi_secret_1", "intent_type": "payment_intent"}
    card.script = [
        NeedsAction(
            action_type="stripe_confirm_payment",
            action_data=data,
            redirect_url="https://bank.example/3ds",
            reference="pi_1",
        )
    ]
    await shop.ready_to_order()
    body = (await v2(shop, "POST", {"payment_method": "card"})).json()
    assert differences(processed_shape("requires_action"), body) == []
    result = body["payment_result"]
    assert (result["action_type"], result["action_data"]) == ("stripe_confirm_payment", data)
    assert (await v2(shop, "GET")).json()["items"], "the cart stays"
    again = (await v2(shop, "POST", {"payment_method": "card"})).json()
    assert differences(processed_shape("success"), again) == []
    assert again["order_id"] == body["order_id"]


async def test_an_action_without_data_is_a_redirect(
    shop: Storefront, card: ScriptedGateway
) -> None:
    card.script = [NeedsAction(redirect_url="https://bank.example/3ds", reference="pi_1")]
    await shop.ready_to_order()
    result = (await v2(shop, "POST", {"payment_method": "card"})).json()["payment_result"]
    assert differences(PAYMENT_RESULTS["requires_action"], result) == []
    assert result["action_data"] == {"redirect_url": "https://bank.example/3ds"}


async def test_a_payment_that_nobody_knows_about(shop: Storefront, card: ScriptedGateway) -> None:
    card.script = [Unknown("no answer", "")]
    await shop.ready_to_order()
    body = (await v2(shop, "POST", {"payment_method": "card"})).json()
    assert differences(processed_shape("pending"), body) == []
    assert body["attempt_id"]
    failed(await v2(shop, "PUT", {"currency": "EUR"}), 409, "cocart_checkout_payment_pending")


# --- one engine, two presenters -----------------------------------------------------------------


@pytest.mark.parametrize("currency", ["USD", "EUR", "JPY"])
@pytest.mark.parametrize("quantity", [1, 3, 7])
async def test_the_same_cart_comes_to_the_same_in_both(
    empty_database: str, database: Database, currency: str, quantity: int
) -> None:
    async with database.acquire() as connection:
        await product(connection)
        await product(connection, name="Odd", regular_price=333, sku="ODD")
        await connection.execute(
            "INSERT INTO tax_rates (country, state, rate, name, priority, tax_class) "
            "VALUES ('US', 'CA', 8.875, 'CA', 1, '')"
        )
    rates = {"EUR": {"rate": "0.85"}, "JPY": {"rate": "151.37"}}
    settings = shop_settings(empty_database, tax={"enabled": True}, store={"currencies": rates})
    async with running(settings) as shop:
        await shop.add(quantity=quantity)
        await shop.add("ODD", quantity)
        updated = await v2(
            shop, "PUT", {"billing_address": BILLING, "payment_method": "cod", "currency": currency}
        )
        assert updated.status_code == 200, updated.text
        newer, older = (await v2(shop, "GET")).json(), await shop.state()
        exponent = newer["currency"]["currency_minor_unit"]
        scale = Decimal(10) ** exponent

        def same(in_minor: str, decimal: str) -> bool:
            return Decimal(in_minor) == Decimal(decimal) * scale

        assert set(newer["cart_totals"]) == set(older["cart_totals"])
        for name, amount in newer["cart_totals"].items():
            assert same(amount, older["cart_totals"][name]), name
        assert Decimal(newer["cart_totals"]["total_tax"]) > 0
        for key, line in older["cart_contents"].items():
            assert same(newer["items"][key]["totals"]["subtotal"], line["line_subtotal"])
            assert same(newer["items"][key]["totals"]["total"], line["line_total"])
        for key, rate in older["shipping_methods"].items():
            assert same(newer["shipping_methods"][key]["cost"], rate["cost"])
        for name in ("cart_hash", "cart_key", "needs_payment", "needs_shipping", "payment_method"):
            assert newer[name] == older[name], name
        placed = (await v2(shop, "POST", {})).json()
        asked = {"order_key": placed["order_key"]}
        path = f"order-received/{placed['order_id']}"
        new = (await shop.call("GET", f"{V2}/{path}", **asked)).json()
        old = (await shop.call("GET", f"{PREVIEW}/{path}", **asked)).json()
        for name in ("total", "subtotal", "tax_total", "shipping_total", "discount_total"):
            assert same(new[name], old[name]), name
        assert same(newer["cart_totals"]["total"], old["total"]), "shown is charged"
        assert new["totals"] == old["totals"]


async def test_processing_by_one_is_replayed_by_the_other(shop: Storefront) -> None:
    await shop.ready_to_order()
    first = (await v2(shop, "POST", {"payment_method": "card"})).json()
    second = (await shop.process(payment_method="card")).json()
    assert first["order_id"] == second["order_id"]


# --- verbs and bodies ---------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", ["reference", "tutorial"])
async def test_there_are_no_dialects(empty_database: str, database: Database, dialect: str) -> None:
    async with database.acquire() as connection:
        await product(connection)
    async with running(shop_settings(empty_database, checkout={"dialect": dialect})) as shop:
        await shop.add()
        body = {"billing_address": BILLING, "payment_method": "bacs"}
        for keys in (shop.keys, shop.tutorial):
            for verb in ("PUT", "PATCH"):
                updated = await v2(
                    shop, verb, body, keys=keys, headers={"Checkstand-Dialect": dialect}
                )
                assert differences(UPDATED, updated.json()) == []
        placed = await v2(shop, "POST", body, keys=shop.tutorial)
        assert differences(processed_shape("success"), placed.json()) == []


async def test_one_address_for_both(shop: Storefront) -> None:
    await shop.add()
    sent = {**BILLING, "email": "one@example.com"}
    body = (
        await v2(shop, "PUT", {"shipping_address": sent, "use_different_billing": False})
    ).json()
    billing = body["customer"]["billing_address"]
    assert (billing["email"], billing["phone"]) == ("one@example.com", "+13105550142")
    assert {k: billing[k] for k in SHIPPING_ADDRESS} == body["customer"]["shipping_address"]
    # Without e-mail and phone in it, the billing address keeps its own.
    moved = {k: v for k, v in sent.items() if k not in ("email", "phone")} | {"city": "Elsewhere"}
    body = (
        await v2(shop, "PUT", {"shipping_address": moved, "use_different_billing": False})
    ).json()
    billing = body["customer"]["billing_address"]
    assert (billing["city"], billing["email"]) == ("Elsewhere", "one@example.com")


async def test_the_total_that_was_seen(shop: Storefront) -> None:
    await shop.ready_to_order()
    total = int((await v2(shop, "GET")).json()["cart_totals"]["total"])
    body = {"payment_method": "card", "expected_total": total + 1}
    data = failed(await v2(shop, "POST", body), 409, "cocart_checkout_totals_changed")
    assert (data["total"], data["previous_total"]) == (str(total), str(total + 1))
    assert differences(dict.fromkeys(TOTALS, MINOR), data["cart_totals"]) == []
    placed = await v2(shop, "POST", {"payment_method": "card", "expected_total": total})
    assert placed.json()["payment_result"]["payment_status"] == "success"


async def test_a_price_that_changed(shop: Storefront, empty_database: str) -> None:
    await shop.ready_to_order()
    await execute(empty_database, "UPDATE products SET regular_price = 2499")
    data = failed(await v2(shop, "POST", {}), 409, "cocart_checkout_totals_changed")
    assert int(data["total"]) - int(data["previous_total"]) >= 500
    assert (await v2(shop, "POST", {})).json()["order_id"]


async def test_an_idempotency_key(shop: Storefront) -> None:
    await shop.ready_to_order()
    key = {"Idempotency-Key": "one-purchase"}
    first = await v2(shop, "POST", {"payment_method": "card"}, headers=key)
    again = await v2(shop, "POST", {"payment_method": "card"}, headers=key)
    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    failed(
        await v2(shop, "POST", {"payment_method": "bacs"}, headers=key),
        422,
        "cocart_idempotency_mismatch",
    )


async def test_card_data_is_refused(shop: Storefront) -> None:
    await shop.ready_to_order()
    for verb in ("PUT", "PATCH", "POST"):
        body = {"payment_data": [{"key": "note", "value": "4242 4242 4242 4242"}]}
        response = await v2(shop, verb, body)
        failed(response, 400, "cocart_card_data_refused")
        assert "4242" not in response.text
    path = f"{V2}/order-received/1/pay"
    body = {"payment_method": "card", "payment_data": {"n": "4242424242424242"}}
    failed(await shop.call("POST", path, body, order_key="x"), 400, "cocart_card_data_refused")


async def test_an_update_with_payment_data(shop: Storefront) -> None:
    await shop.ready_to_order()
    data = failed(
        await v2(shop, "PUT", {"currency": "EUR", "payment_data": {"token": "tok_1"}}),
        400,
        "cocart_checkout_wrong_verb",
    )
    assert data["process_verb"] == "POST"
    assert (await v2(shop, "GET")).json()["currency"]["currency_code"] == "USD"


async def test_there_is_no_payment_context(shop: Storefront) -> None:
    await shop.ready_to_order()
    for verb in ("GET", "POST"):
        response = await shop.call(verb, f"{CHECKOUT}/payment-context", {})
        failed(response, 404, "rest_no_route")


# --- every refusal of 3.5, 6 and 7 --------------------------------------------------------------


async def test_who_may(shop: Storefront) -> None:
    await shop.ready_to_order()
    key = shop.cart_key
    wrong = {"consumer_key": shop.keys["consumer_key"], "consumer_secret": "cs_no"}
    shop.cart_key = ""
    table: list[tuple[dict[str, str], dict[str, str], int, str]] = [
        ({}, {"Cart-Key": key}, 401, "cocart_authentication_error"),
        (wrong, {"Cart-Key": key}, 401, "cocart_authentication_error"),
        (shop.keys, {}, 401, "cocart_rest_authentication_required"),
        (shop.keys, {"Cart-Key": "t_unknown"}, 404, "cocart_cart_not_found"),
        (shop.keys, {"Cart-Key": "1"}, 403, "cocart_must_authenticate_user"),
    ]
    for keys, headers, status, code in table:
        for verb, path in [
            ("GET", CHECKOUT),
            ("PUT", CHECKOUT),
            ("PATCH", CHECKOUT),
            ("POST", CHECKOUT),
            ("GET", f"{CHECKOUT}/payment-methods"),
        ]:
            body = None if verb == "GET" else {}
            response = await shop.call(verb, path, body, keys=keys, headers=headers)
            failed(response, status, code)


@pytest.mark.parametrize(
    ("change", "code", "on_update"),
    [
        ({"email": "nonsense"}, "cocart_invalid_email_address", True),
        ({"phone": "call me"}, "cocart_invalid_phone_number", True),
        ({"country": "ZZ"}, "cocart_invalid_billing_country_code", True),
        ({"postcode": "no"}, "cocart_invalid_billing_postcode", True),
        ({"state": "Nowhere"}, "cocart_invalid_address_fields", True),
        ({"email": "no", "phone": "no"}, "cocart_invalid_address_fields", True),
        ({"city": ""}, "cocart_address_field_required", False),
        ({"first_name": "", "last_name": ""}, "cocart_address_field_required", False),
        ({"email": ""}, "cocart_address_field_required", False),
    ],
)
async def test_address_refusals(
    shop: Storefront, change: dict[str, str], code: str, on_update: bool
) -> None:
    await shop.add()
    body = {"billing_address": {**BILLING, **change}, "payment_method": "bacs"}
    data = failed(await v2(shop, "POST", body), 400, code)
    assert {f"billing_address.{field}" for field in change} == set(data["invalid_fields"])
    updated = await v2(shop, "PUT", body)
    if on_update:  # one code for all, and nothing is stored (2)
        failed(updated, 400, "cocart_invalid_address_fields")
        state = (await v2(shop, "GET")).json()
        assert state["payment_method"] == ""
    else:
        assert updated.status_code == 200


async def test_shipping_address_refusals(shop: Storefront) -> None:
    await shop.add()
    for change, code in [
        ({"country": "ZZ"}, "cocart_invalid_shipping_country_code"),
        ({"postcode": "no", "country": "US"}, "cocart_invalid_shipping_postcode"),
    ]:
        body = {"billing_address": BILLING, "shipping_address": change, "payment_method": "bacs"}
        failed(await v2(shop, "POST", body), 400, code)


async def test_choices_that_are_refused(shop: Storefront) -> None:
    await shop.add()
    ready = {"billing_address": BILLING, "payment_method": "bacs"}
    for change, code in [
        ({"currency": "XXX"}, "cocart_invalid_currency"),
        ({"shipping_method": "flat_rate:99"}, "cocart_invalid_shipping_method"),
        ({"payment_method": "barter"}, "cocart_invalid_payment_method"),
        ({"payment_method": "stripe"}, "cocart_payment_method_disabled"),
    ]:
        for verb in ("PUT", "POST"):
            failed(await v2(shop, verb, {**ready, **change}), 400, code)
    body = {"billing_address": BILLING}
    failed(await v2(shop, "POST", body), 400, "cocart_invalid_payment_method")
    failed(await v2(shop, "PUT", {"coupon_code": "brew10"}), 400, "cocart_invalid_coupon")
    failed(
        await v2(shop, "PUT", {"coupon_code": "x", "coupon_action": "shake"}),
        400,
        "rest_invalid_param",
    )


async def test_a_method_that_is_not_for_this_cart(empty_database: str, database: Database) -> None:
    async with database.acquire() as connection:
        await product(connection)
    only = {"cod": {"enabled": True, "shipping_methods": ["local_pickup:77"]}}
    async with running(shop_settings(empty_database, gateways=only)) as shop:
        await shop.ready_to_order()
        body = {"payment_method": "cod"}
        failed(await v2(shop, "POST", body), 400, "cocart_payment_method_not_available")


async def test_nowhere_to_ship_to(empty_database: str, database: Database) -> None:
    async with database.acquire() as connection:
        await product(connection)
    async with running(shop_settings(empty_database, shipping={"zones": []})) as shop:
        await shop.add()
        body = {"billing_address": BILLING, "payment_method": "bacs"}
        failed(await v2(shop, "POST", body), 400, "cocart_no_shipping_method")


async def test_products_that_are_gone(
    shop: Storefront, database: Database, empty_database: str
) -> None:
    async with database.acquire() as connection:
        second = await product(connection, name="Second", regular_price=500)
    for sql, code in [
        (f"UPDATE products SET published = false WHERE id = {second}", "not_purchasable"),
        (f"DELETE FROM products WHERE id = {second}", "not_exists"),
    ]:
        await execute(empty_database, f"UPDATE products SET published = true WHERE id = {second}")
        shop.shop.catalogue.forget()
        shopper = shop.another()
        assert (await shopper.add(second)).status_code == 200
        await shopper.ready_to_order()
        await execute(empty_database, sql)
        shop.shop.catalogue.forget()
        data = failed(await v2(shopper, "POST", {}), 400, f"cocart_product_{code}")
        assert not differences(MINOR, data["total"])
        placed = await v2(shopper, "POST", {})
        assert placed.json()["order_id"], "the line is out, and the rest can be ordered"
    shopper = shop.another()
    await shopper.ready_to_order()
    await execute(empty_database, f"DELETE FROM products WHERE id = {SHIRT}")
    shop.shop.catalogue.forget()
    failed(await v2(shopper, "POST", {}), 400, "cocart_product_not_exists")


async def test_stock_refusals(shop: Storefront, database: Database, empty_database: str) -> None:
    async with database.acquire() as connection:
        few = await product(connection, name="Few", stock=5, sku="FEW")
    await shop.ready_to_order(few, 4)
    await execute(empty_database, "UPDATE stock SET quantity = 3")
    data = failed(await v2(shop, "POST", {}), 400, "cocart_insufficient_stock")
    [row] = data["stock_data"]
    assert (row["product_id"], row["requested"], row["available"]) == (few, 4, 3)
    other = shop.another()
    await other.ready_to_order()
    await execute(empty_database, "UPDATE products SET stock_status = 'outofstock'")
    shop.shop.catalogue.forget()
    failed(await v2(other, "POST", {}), 400, "cocart_product_out_of_stock")


async def test_order_refusals(shop: Storefront, empty_database: str) -> None:
    await shop.ready_to_order()
    placed = (await v2(shop, "POST", {"payment_method": "bacs"})).json()
    path, key = f"{V2}/order-received/{placed['order_id']}", placed["order_key"]
    pay = {"payment_method": "card"}
    for verb, where, body in [("GET", path, None), ("POST", f"{path}/pay", pay)]:
        failed(await shop.call(verb, where, body), 400, "cocart_order_invalid_params")
        failed(
            await shop.call(verb, where, body, order_key="wc_order_no"),
            403,
            "cocart_order_invalid_key",
        )
        nobody = where.replace(str(placed["order_id"]), "987654")
        failed(await shop.call(verb, nobody, body, order_key=key), 404, "cocart_order_not_found")
    await administrator(shop.shop, "correct horse")
    await execute(empty_database, "UPDATE orders SET customer_id = NULL")
    await execute(
        empty_database,
        "INSERT INTO accounts (username, email, password_hash, role) "
        "VALUES ('owner', 'owner@shop.example', 'x', 'customer')",
        "UPDATE orders SET customer_id = (SELECT id FROM accounts WHERE username = 'owner')",
    )
    import base64

    basic = "Basic " + base64.b64encode(b"admin:correct horse").decode()
    failed(
        await shop.another().call("GET", path, headers={"Authorization": basic}, order_key=key),
        403,
        "cocart_order_not_owned",
    )
    await execute(empty_database, "UPDATE orders SET status = 'cancelled', placed_at = NULL")
    failed(
        await shop.call("POST", f"{path}/pay", pay, order_key=key),
        400,
        "cocart_order_invalid_status",
    )
    await execute(empty_database, "UPDATE orders SET status = 'failed'")
    for method, code in [
        ("barter", "cocart_invalid_payment_method"),
        ("stripe", "cocart_payment_method_disabled"),
    ]:
        failed(
            await shop.call("POST", f"{path}/pay", {"payment_method": method}, order_key=key),
            400,
            code,
        )
    by_body = await shop.call("POST", f"{path}/pay", {**pay, "order_key": key})
    assert differences(PAID, by_body.json()) == []


# --- what it costs ------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [1, 6])
async def test_statements(shop: Storefront, database: Database, lines: int) -> None:
    async with database.acquire() as connection:
        for index in range(1, lines):
            await product(connection, name=f"P{index}", stock=50, sku=f"P{index}")
    await shop.add()
    for index in range(1, lines):
        await shop.add(f"P{index}")
    body = {"billing_address": BILLING, "payment_method": "bacs"}
    await v2(shop, "PUT", body)
    await v2(shop, "GET")

    async def counted(method: str, sent: Any = None) -> tuple[int, int]:
        shop.statements.clear()
        response = await v2(shop, method, sent)
        assert response.status_code == 200, response.text
        begun = sum(text.upper().startswith("BEGIN") for text in shop.statements)
        return sql_count(shop.statements), begun

    assert await counted("GET") == (1, 0)
    for verb, currency in (("PUT", "EUR"), ("PATCH", "USD")):
        statements, transactions = await counted(verb, {"currency": currency})
        assert statements <= 3
        assert transactions == 1
    for warm in (False, True):  # the first lets asyncpg ask about types, once for a connection
        shopper = shop.another()
        await shopper.add()
        for index in range(1, lines):
            await shopper.add(f"P{index}")
        await v2(shopper, "PUT", body)
        shop.statements.clear()
        assert (await v2(shopper, "POST", {})).status_code == 200
        if warm:
            assert sql_count(shop.statements) <= 14, "\n".join(shop.statements)
            assert sum(text.upper().startswith("BEGIN") for text in shop.statements) == 2
