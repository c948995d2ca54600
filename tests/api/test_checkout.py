"""Preview checkout: state, update, process, in both dialects (contract checkout.md, DECISIONS)."""

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
    sql_count,
)

CHECKOUT = f"{PREVIEW}/checkout"


def basic(user: str, password: str) -> dict[str, str]:
    import base64

    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


# --- who may ------------------------------------------------------------------------------------


async def test_keys_and_carts(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    key = storefront.cart_key
    wrong = {"consumer_key": storefront.keys["consumer_key"], "consumer_secret": "cs_no"}
    table: list[tuple[dict[str, str], dict[str, str], int, str]] = [
        ({}, {"Cart-Key": key}, 401, "cocart_authentication_error"),
        (wrong, {"Cart-Key": key}, 401, "cocart_authentication_error"),
        ({"consumer_key": "ck_x"}, {"Cart-Key": key}, 401, "cocart_authentication_error"),
        (storefront.keys, {}, 401, "cocart_rest_authentication_required"),
        (storefront.keys, {"Cart-Key": "t_unknown"}, 404, "cocart_cart_not_found"),
        (storefront.keys, {"Cart-Key": "1"}, 403, "cocart_must_authenticate_user"),
        (
            {},
            {"Cart-Key": key, "Authorization": "Bearer a.b.c"},
            403,
            "cocart_authentication_error",
        ),
        ({}, {"Cart-Key": key, "Authorization": "Digest x"}, 401, "cocart_authentication_error"),
        ({}, {"Cart-Key": key, **basic("nobody", "x")}, 401, "cocart_authentication_error"),
    ]
    storefront.cart_key = ""
    for keys, headers, status, code in table:
        for method, path in [
            ("GET", CHECKOUT),
            ("PUT", CHECKOUT),
            ("POST", CHECKOUT),
            ("PATCH", CHECKOUT),
            ("GET", f"{CHECKOUT}/payment-methods"),
            ("POST", f"{CHECKOUT}/payment-context"),
        ]:
            body = None if method == "GET" else {"payment_method": "bacs"}
            response = await storefront.call(method, path, body, keys=keys, headers=headers)
            assert (response.status_code, response.json()["code"]) == (status, code), (method, path)
    as_basic = basic(storefront.keys["consumer_key"], storefront.keys["consumer_secret"])
    response = await storefront.call(
        "GET", CHECKOUT, keys={}, headers={"Cart-Key": key, **as_basic}
    )
    assert response.status_code == 200
    # A key that is sent must be valid everywhere.
    response = await storefront.call("GET", f"{V2}/cart", keys=wrong)
    assert response.status_code == 401


async def test_permissions(storefront: Storefront) -> None:
    from checkstand.access import credentials
    from checkstand.access.principal import Permission

    await storefront.ready_to_order()
    for permission, reads, writes in [(Permission.READ, 200, 403), (Permission.WRITE, 403, 200)]:
        async with storefront.shop.database.transaction() as connection:
            made = await credentials.create_key(connection, "x", permission, None)
        keys = {"consumer_key": made.consumer_key, "consumer_secret": made.consumer_secret}
        read = await storefront.call("GET", CHECKOUT, keys=keys)
        written = await storefront.call("PUT", CHECKOUT, {"currency": "USD"}, keys=keys)
        assert (read.status_code, written.status_code) == (reads, writes)
        refused = read if reads == 403 else written
        assert refused.json()["code"] == "cocart_rest_cannot_checkout"


async def test_a_revoked_key_is_refused_at_once(storefront: Storefront, database: Database) -> None:
    import asyncio

    await storefront.ready_to_order()
    async with database.transaction() as connection:
        await connection.execute("UPDATE consumer_keys SET revoked_at = now()")
    for _ in range(100):  # the notice is on its way
        response = await storefront.call("GET", CHECKOUT)
        if response.status_code == 401:
            break
        await asyncio.sleep(0.02)
    assert response.json()["code"] == "cocart_authentication_error"


async def test_an_account_needs_no_consumer_key(storefront: Storefront) -> None:
    account = await administrator(storefront.shop, "correct horse")
    signed_in = basic("admin", "correct horse")
    added = await storefront.call("POST", f"{V2}/cart/add-item", {"id": "1"}, headers=signed_in)
    assert added.json()["cart_key"] == str(account)
    storefront.cart_key = ""
    state = await storefront.call("GET", CHECKOUT, keys={}, headers=signed_in)
    assert state.status_code == 200
    assert state.json()["customer_id"] == account
    body = {"billing_address": BILLING, "payment_method": "cod"}
    placed = await storefront.call("POST", CHECKOUT, body, keys={}, headers=signed_in)
    assert placed.json()["customer_id"] == account
    path = f"{PREVIEW}/order-received/{placed.json()['order_id']}"
    for headers, status in [({}, 200), (signed_in, 200)]:
        received = await storefront.call(
            "GET", path, headers=headers, order_key=placed.json()["order_key"]
        )
        assert received.status_code == status


async def test_open_access(empty_database: str, database: Database) -> None:
    async with database.acquire() as connection:
        await product(connection)
    async with running(shop_settings(empty_database, checkout={"access": "open"})) as storefront:
        await storefront.ready_to_order()
        assert (await storefront.call("GET", CHECKOUT, keys={})).status_code == 200
        wrong = {"consumer_key": "ck_no", "consumer_secret": "cs_no"}
        assert (await storefront.call("GET", CHECKOUT, keys=wrong)).status_code == 401


# --- dialects -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "header", "setting", "processes"),
    [
        ("plain", None, "reference", "POST"),
        ("plain", None, "tutorial", "PUT"),
        ("plain", "tutorial", "reference", "PUT"),
        ("plain", "Reference", "tutorial", "POST"),
        ("tutorial", None, "reference", "PUT"),
        ("tutorial", "reference", "reference", "PUT"),
    ],
)
async def test_who_chooses_the_dialect(
    empty_database: str,
    database: Database,
    keys: str,
    header: str | None,
    setting: str,
    processes: str,
) -> None:
    async with database.acquire() as connection:
        await product(connection)
    async with running(shop_settings(empty_database, checkout={"dialect": setting})) as storefront:
        await storefront.add()
        sent = storefront.keys if keys == "plain" else storefront.tutorial
        headers = {"Checkstand-Dialect": header} if header else {}
        updates = "PUT" if processes == "POST" else "POST"
        body = {"billing_address": BILLING, "payment_method": "bacs"}
        for verb in (updates, "PATCH"):
            updated = await storefront.call(verb, CHECKOUT, body, keys=sent, headers=headers)
            assert updated.json()["success"] is True
            assert updated.json()["message"]
        for data in (
            {"payment_data": {"a": 1}},
            {"payment_method_data": {"payment_method": "pm_1"}},
            {"payment_data": [{"key": "a", "value": True}]},
            {"customer_password": "x"},
        ):
            refused = await storefront.call(
                updates, CHECKOUT, {"currency": "EUR", **data}, keys=sent, headers=headers
            )
            assert refused.json()["code"] == "cocart_checkout_wrong_verb"
            assert refused.json()["data"]["process_verb"] == processes
            assert "checkout.dialect" in refused.json()["message"]
        assert (await storefront.state())["currency"]["code"] == "USD"
        empty = await storefront.call(
            updates, CHECKOUT, {"payment_data": {}}, keys=sent, headers=headers
        )
        assert empty.status_code == 200
        processed = await storefront.call(processes, CHECKOUT, body, keys=sent, headers=headers)
        assert processed.json()["order_id"]


async def test_method_override_comes_first(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    override = {"X-HTTP-Method-Override": "PUT"}
    updated = await storefront.call("POST", CHECKOUT, {"currency": "EUR"}, headers=override)
    assert updated.json()["success"] is True
    wrong = await storefront.call(
        "PUT", CHECKOUT, {"currency": "EUR"}, headers={"Checkstand-Dialect": "other"}
    )
    assert wrong.json()["code"] == "rest_invalid_param"


# --- state and update ---------------------------------------------------------------------------


async def test_state_has_every_member(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    state = await storefront.state()
    assert list(state)[:12] == [
        "cart_key",
        "cart_hash",
        "currency",
        "customer_id",
        "billing_address",
        "shipping_address",
        "cart_contents",
        "cart_totals",
        "shipping_methods",
        "needs_payment",
        "needs_shipping",
        "payment_method",
    ]
    assert {"payment_methods", "customer_data", "cart", "totals", "coupons", "id"} <= set(state)
    assert list(state["payment_methods"]) == ["sandbox", "bacs", "cheque", "cod"]
    (line,) = state["cart"].values()
    assert line["totals"]["subtotal"] == "19.99"
    assert state["totals"]["total"] == state["cart_totals"]["total"] == "24.99"


async def test_empty_cart(storefront: Storefront) -> None:
    await storefront.call("POST", f"{V2}/cart")
    for method, path in [
        ("GET", CHECKOUT),
        ("PUT", CHECKOUT),
        ("POST", CHECKOUT),
        ("POST", f"{CHECKOUT}/payment-context"),
    ]:
        body = None if method == "GET" else {"payment_method": "bacs"}
        response = await storefront.call(method, path, body)
        assert (response.status_code, response.json()["code"]) == (
            400,
            "cocart_checkout_empty_cart",
        )


async def test_update_reports_everything_and_changes_nothing(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    before = await storefront.state()
    response = await storefront.update(
        billing_address={"postcode": "nope", "email": "no-mail", "first_name": "Changed"},
        shipping_address={"country": "US", "state": "Atlantis"},
        payment_method="magic",
        shipping_method="flat_rate:99",
        currency="XYZ",
    )
    assert response.status_code == 400
    body = response.json()
    assert body["code"] == "cocart_checkout_invalid_address"
    assert set(body["data"]["invalid_fields"]) == {
        "billing_address.postcode",
        "billing_address.email",
        "shipping_address.state",
        "payment_method",
        "shipping_method",
        "currency",
    }
    assert {"code", "field", "message"} == set(body["data"]["problems"][0])
    assert "nope" not in response.text
    assert "Atlantis" not in response.text
    assert await storefront.state() == before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"payment_method": "magic"}, "cocart_invalid_payment_method"),
        ({"shipping_method": "flat_rate:99"}, "cocart_invalid_shipping_method"),
        ({"currency": "CHF"}, "cocart_invalid_currency"),
        ({"currency": "usd"}, "cocart_invalid_currency"),
    ],
)
async def test_one_problem_has_its_own_code(
    storefront: Storefront, body: dict[str, Any], code: str
) -> None:
    await storefront.ready_to_order()
    response = await storefront.update(**body)
    assert (response.status_code, response.json()["code"]) == (400, code)


async def test_patch_semantics(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    await storefront.update(currency="EUR", shipping_address={**BILLING, "city": "Reno"})
    await storefront.update(billing_address={"company": "Acme"})
    state = await storefront.state()
    assert state["currency"]["code"] == "EUR", "currency is sticky"
    assert state["billing_address"]["company"] == "Acme"
    assert state["billing_address"]["city"] == "Dunmore"
    assert state["payment_method"] == "bacs"
    await storefront.update(
        billing_address={"company": None}, shipping_address=None, payment_method=None, currency=None
    )
    state = await storefront.state()
    assert state["billing_address"]["company"] == ""
    assert state["shipping_address"]["city"] == "Dunmore"
    assert state["payment_method"] == ""
    assert state["currency"]["code"] == "USD"


async def test_a_choice_that_no_longer_fits_is_cleared_and_said(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    await storefront.update(shipping_method="local_pickup:3")
    assert (await storefront.state())["shipping_method"] == "local_pickup:3"
    moved = await storefront.update(
        billing_address={
            "country": "DE",
            "state": "",
            "postcode": "10115",
            "city": "Berlin",
        }
    )
    assert moved.status_code == 200, moved.text
    assert moved.json()["notices"]["notice"]
    assert list(moved.json()["shipping_methods"]) == ["flat_rate:5"]


UK = {"country": "GB", "state": "", "postcode": "SW1A 1AA", "city": "London"}


async def test_any_write_clears_a_choice_that_no_longer_fits(storefront: Storefront) -> None:
    """Found in review: shown without shipping, charged with another rate."""
    await storefront.ready_to_order()
    await storefront.update(shipping_method="flat_rate:4")
    seen = await storefront.call(
        "POST", f"{V2}/cart/update", {"namespace": "update-customer", **UK}
    )
    assert seen.json()["notices"]["notice"]
    package = seen.json()["shipping"]["packages"]["default"]
    assert package["chosen_method"] == "flat_rate:5"
    assert seen.json()["totals"]["total"] == "3799"
    placed = await storefront.process()
    received = await storefront.call(
        "GET",
        f"{PREVIEW}/order-received/{placed.json()['order_id']}",
        order_key=placed.json()["order_key"],
    )
    assert received.json()["total"] == "37.99"


async def test_a_rate_that_the_shop_withdrew_is_not_replaced_silently(
    empty_database: str, database: Database
) -> None:
    async with database.acquire() as connection:
        await product(connection)
    async with running(shop_settings(empty_database)) as storefront:
        await storefront.ready_to_order()
        await storefront.update(shipping_method="local_pickup:3")
        key = storefront.cart_key
    zones = [
        {
            "name": "US",
            "countries": ["US"],
            "methods": [{"id": 1, "kind": "flat_rate", "cost": "5.00"}],
        }
    ]
    async with running(shop_settings(empty_database, shipping={"zones": zones})) as storefront:
        storefront.cart_key = key
        refused = await storefront.process()
        assert (refused.status_code, refused.json()["code"]) == (
            409,
            "cocart_checkout_totals_changed",
        )
        assert refused.json()["data"]["previous_total"] == "19.99"
        assert refused.json()["data"]["total"] == "24.99"
        assert (await storefront.process()).status_code == 200


async def test_a_process_that_moves_house_must_choose_again(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    await storefront.update(shipping_method="flat_rate:4")
    refused = await storefront.process(billing_address=UK)
    assert (refused.status_code, refused.json()["code"]) == (
        400,
        "cocart_invalid_shipping_method",
    )
    assert (await storefront.state())["billing_address"]["country"] == "US"
    placed = await storefront.process(billing_address=UK, shipping_method="flat_rate:5")
    assert placed.status_code == 200


async def test_a_currency_that_was_withdrawn(empty_database: str, database: Database) -> None:
    async with database.acquire() as connection:
        await product(connection)
    async with running(shop_settings(empty_database)) as storefront:
        await storefront.ready_to_order()
        await storefront.update(currency="JPY")
        key = storefront.cart_key
    async with running(shop_settings(empty_database, store={"currencies": {}})) as storefront:
        storefront.cart_key = key
        refused = await storefront.process()
        assert refused.json()["code"] == "cocart_checkout_totals_changed"
        assert refused.json()["data"]["previous_total"] == "3749"
        assert refused.json()["data"]["previous_currency"] == "JPY"
        assert (await storefront.process()).status_code == 200


async def test_the_hash_moves_with_tax_and_not_with_currency(
    storefront: Storefront, empty_database: str
) -> None:
    await storefront.ready_to_order()
    before = (await storefront.state())["cart_hash"]
    await storefront.update(currency="EUR")
    assert (await storefront.state())["cart_hash"] == before
    await execute(
        empty_database,
        "INSERT INTO tax_rates (country, state, rate, name) VALUES ('US', 'CA', 8.25, 'State')",
    )
    taxed = (await storefront.state())["cart_hash"]
    assert taxed != before
    await storefront.update(currency="JPY")
    assert (await storefront.state())["cart_hash"] == taxed


async def test_rates_of_one_code_add_up(
    storefront: Storefront, empty_database: str, database: Database
) -> None:
    await execute(
        empty_database,
        "INSERT INTO tax_rates (country, rate, name, tax_class) VALUES"
        " ('US', 20, 'VAT', ''), ('US', 5, 'VAT', 'reduced-rate')",
    )
    async with database.acquire() as connection:
        book = await product(connection, name="Book", slug="book", tax_class="reduced-rate")
    await storefront.ready_to_order()
    await storefront.add(book)
    cart = (await storefront.call("GET", f"{V2}/cart")).json()
    (tax,) = cart["taxes"].values()
    assert tax["price"] == cart["totals"]["total_tax"] == "600"  # 4.00 + 1.00 + 1.00 shipping
    totals = (await storefront.call("GET", f"{V2}/cart/totals")).json()
    assert totals["cart_contents_taxes"] == {"US-VAT-1": "5.00"}
    assert totals["shipping_taxes"] == {"US-VAT-1": "1.00"}


async def test_methods_and_context(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    methods = (await storefront.call("GET", f"{CHECKOUT}/payment-methods")).json()
    assert list(methods) == ["sandbox", "bacs", "cheque", "cod"]
    assert methods["bacs"]["id"] == "bacs"
    assert set(methods["bacs"]["config"].values()) == {True, False}
    context = await storefront.call(
        "POST", f"{CHECKOUT}/payment-context", {"payment_method": "bacs"}
    )
    assert context.json() == {
        "gateway_id": "bacs",
        "title": "Direct bank transfer",
        "cart_total": "24.99",
        "currency": "USD",
    }
    unknown = await storefront.call(
        "POST", f"{CHECKOUT}/payment-context", {"payment_method": "magic"}
    )
    assert (unknown.status_code, unknown.json()["code"]) == (400, "cocart_invalid_payment_method")
    missing = await storefront.call("POST", f"{CHECKOUT}/payment-context", {})
    assert missing.json()["code"] == "rest_missing_callback_param"


# --- process ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "status"), [("bacs", "on-hold"), ("cheque", "on-hold"), ("cod", "processing")]
)
async def test_offline_gateways(storefront: Storefront, method: str, status: str) -> None:
    await storefront.ready_to_order()
    cart_key = storefront.cart_key
    response = await storefront.process(payment_method=method, customer_note="Ring <twice> & wait")
    assert response.status_code == 200, response.text
    placed = response.json()
    assert placed["status"] == status
    assert placed["order_key"].startswith("wc_order_")
    assert placed["order_number"] == str(placed["order_id"])
    result = placed["payment_result"]
    assert result["payment_status"] == "success"
    assert result["redirect_url"] == (
        f"http://shop.test/checkout/order-received/{placed['order_id']}/?key={placed['order_key']}"
    )
    received = (
        await storefront.call(
            "GET",
            f"{PREVIEW}/order-received/{placed['order_id']}",
            order_key=placed["order_key"],
        )
    ).json()
    assert received["customer_note"] == "Ring <twice> & wait"
    assert received["total"] == "24.99"
    assert [row["key"] for row in received["totals"]] == [
        "subtotal",
        "shipping",
        "payment_method",
        "total",
    ]
    assert received["items"][0]["quantity"] == 1
    assert received["date_paid"] is None
    assert (await storefront.call("GET", f"{V2}/cart")).json()["items"] == []
    assert storefront.cart_key == cart_key


async def test_order_data_needs_the_key(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    placed = (await storefront.process()).json()
    path = f"{PREVIEW}/order-received/{placed['order_id']}"
    for query, status, code in [
        ({}, 400, "rest_missing_callback_param"),
        ({"order_key": "wc_order_guess"}, 403, "cocart_invalid_order_key"),
    ]:
        response = await storefront.call("GET", path, **query)
        assert (response.status_code, response.json()["code"]) == (status, code)
    for wrong in ("999999", "0", str(2**70)):
        response = await storefront.call(
            "GET", f"{PREVIEW}/order-received/{wrong}", order_key=placed["order_key"]
        )
        assert (response.status_code, response.json()["code"]) == (404, "cocart_order_not_found")


async def test_everything_in_one_call(storefront: Storefront) -> None:
    await storefront.add()
    response = await storefront.process(
        billing_address=BILLING, payment_method="bacs", shipping_method="flat_rate:1"
    )
    assert response.status_code == 200, response.text


async def test_process_says_all_that_lacks(storefront: Storefront) -> None:
    await storefront.add()
    response = await storefront.process(billing_address={"first_name": "Ines", "country": "US"})
    body = response.json()
    assert response.status_code == 400
    assert {
        "billing_address.last_name",
        "billing_address.address_1",
        "billing_address.city",
        "billing_address.state",
        "billing_address.postcode",
        "billing_address.email",
        "payment_method",
    } <= set(body["data"]["invalid_fields"])
    state = await storefront.state()
    assert state["billing_address"]["first_name"] == "", "nothing was changed"


async def test_accounts_are_refused_clearly(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    response = await storefront.process(create_account=True, customer_password="secret")
    assert (response.status_code, response.json()["code"]) == (
        400,
        "cocart_account_creation_failed",
    )
    assert (await storefront.process()).status_code == 200


async def test_one_address_for_both(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    await storefront.update(shipping_address={**BILLING, "city": "Elsewhere"})
    placed = await storefront.process(billing_address=BILLING, use_different_billing=False)
    assert placed.json()["shipping_address"]["city"] == "Dunmore"
    other = await storefront.another().ready_to_order()
    placed = await other.process(
        shipping_address={k: v for k, v in BILLING.items() if k not in ("phone", "email")}
        | {"city": "Harbor"},
        use_different_billing=False,
    )
    assert placed.json()["billing_address"]["city"] == "Harbor"
    assert placed.json()["billing_address"]["email"] == BILLING["email"]


async def test_nothing_to_pay(storefront: Storefront, database: Database) -> None:
    async with database.acquire() as connection:
        free = await product(
            connection, name="Free", slug="free", regular_price=0, virtual=True, downloadable=True
        )
        ticket = await product(connection, name="Seat", slug="seat", regular_price=0, virtual=True)
    for product_id, status in [(free, "completed"), (ticket, "processing")]:
        shopper = storefront.another()
        await shopper.add(product_id)
        state = await shopper.state()
        assert state["needs_payment"] is False
        assert state["needs_shipping"] is False
        response = await shopper.process(billing_address=BILLING, payment_method="cod")
        assert response.json()["payment_result"]["payment_status"] == "no_payment_required"
        assert response.json()["status"] == status


async def test_replay_until_something_is_added(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    first = await storefront.process()
    again = await storefront.process(billing_address={**BILLING, "city": "Other"})
    assert again.content == first.content
    await storefront.add()
    assert (await storefront.state())["billing_address"]["city"] == ""
    second = await storefront.process(billing_address=BILLING, payment_method="bacs")
    assert second.json()["order_id"] != first.json()["order_id"]


async def test_only_an_add_ends_the_replay(storefront: Storefront) -> None:
    """Official clients clear the cart after ordering; the order must still answer a retry."""
    await storefront.ready_to_order()
    first = await storefront.process()
    for path, body in [
        ("clear", None),
        ("calculate", None),
        ("update", {"namespace": "update-customer", "first_name": "Ada"}),
    ]:
        await storefront.call("POST", f"{V2}/cart/{path}", body)
    assert (await storefront.process()).content == first.content


async def test_replay_ends_after_48_hours(storefront: Storefront, empty_database: str) -> None:
    await storefront.ready_to_order()
    await storefront.process()
    await execute(empty_database, "UPDATE carts SET placed_at = now() - interval '49 hours'")
    response = await storefront.process()
    assert (response.status_code, response.json()["code"]) == (400, "cocart_checkout_empty_cart")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE products SET regular_price = 2499",
        "INSERT INTO tax_rates (country, state, rate, name) VALUES ('US', 'CA', 8.25, 'State')",
    ],
)
async def test_a_change_is_never_charged_silently(
    storefront: Storefront, empty_database: str, change: str
) -> None:
    await storefront.ready_to_order()
    await execute(empty_database, change)
    refused = await storefront.process()
    assert (refused.status_code, refused.json()["code"]) == (
        409,
        "cocart_checkout_totals_changed",
    )
    data = refused.json()["data"]
    assert data["previous_total"] == "24.99"
    assert data["total"] == data["cart_totals"]["total"] != "24.99"
    placed = await storefront.process()
    assert placed.status_code == 200
    received = await storefront.call(
        "GET",
        f"{PREVIEW}/order-received/{placed.json()['order_id']}",
        order_key=placed.json()["order_key"],
    )
    assert received.json()["total"] == data["total"]


async def test_expected_total(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    refused = await storefront.process(expected_total="19.99")
    assert refused.json()["code"] == "cocart_checkout_totals_changed"
    assert (await storefront.process(expected_total="24.99")).status_code == 200


async def test_shortage(storefront: Storefront, database: Database) -> None:
    async with database.acquire() as connection:
        few = await product(connection, name="Few", slug="few", stock=5)
    await storefront.ready_to_order(few, 4)
    async with database.acquire() as connection:
        await connection.execute("UPDATE stock SET quantity = 3")
    response = await storefront.process()
    assert (response.status_code, response.json()["code"]) == (400, "cocart_insufficient_stock")
    (row,) = response.json()["data"]["stock_data"]
    assert row == {
        "item_key": row["item_key"],
        "product_id": few,
        "requested": 4,
        "available": 3,
    }
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM orders") == 0
        assert await connection.fetchval("SELECT count(*) FROM stock_holds") == 0


async def test_stock_is_taken_once(storefront: Storefront, database: Database) -> None:
    async with database.acquire() as connection:
        few = await product(connection, name="Few", slug="few", stock=5)
    await storefront.ready_to_order(few, 4)
    for _ in range(3):
        assert (await storefront.process()).status_code == 200
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT quantity FROM stock") == 1
        assert await connection.fetchval("SELECT count(*) FROM stock_holds") == 0


async def test_idempotency_key_on_process(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    headers = {"Idempotency-Key": "order-1"}
    first = await storefront.process(headers, payment_method="cod")
    again = await storefront.process(headers, payment_method="cod")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.content == first.content
    other = await storefront.process(headers, payment_method="bacs")
    assert (other.status_code, other.json()["code"]) == (422, "cocart_idempotency_mismatch")


async def test_a_refusal_is_not_remembered(storefront: Storefront) -> None:
    await storefront.add()
    headers = {"Idempotency-Key": "order-2"}
    refused = await storefront.process(headers, billing_address=BILLING)
    assert refused.status_code == 400
    await storefront.update(billing_address=BILLING, payment_method="bacs")
    assert (await storefront.process(headers, billing_address=BILLING)).status_code == 200


async def test_guest_checkout_off(empty_database: str, database: Database) -> None:
    async with database.acquire() as connection:
        await product(connection)
    settings = shop_settings(empty_database, checkout={"guest_checkout": False})
    async with running(settings) as storefront:
        await storefront.ready_to_order()
        response = await storefront.process()
        assert response.json()["code"] == "cocart_guest_checkout_disabled"


async def test_statement_count_of_process(storefront: Storefront, database: Database) -> None:
    async with database.acquire() as connection:
        ids = [await product(connection, name=f"P{n}", slug=f"p{n}", stock=99) for n in range(9)]
    warm = False
    for count in (1, 1, 9):  # the first warms the connection up: asyncpg asks about types once
        shopper = storefront.another()
        for product_id in ids[:count]:
            await shopper.add(product_id)
        await shopper.update(billing_address=BILLING, payment_method="bacs")
        storefront.statements.clear()
        assert (await shopper.process()).status_code == 200
        if warm:
            assert sql_count(storefront.statements) <= 14, "\n".join(storefront.statements)
        warm = True
        assert storefront.statements.count("COMMIT;") == 2


async def test_unmanaged_sold_out_product_is_refused(
    storefront: Storefront, empty_database: str
) -> None:
    await storefront.ready_to_order(SHIRT)
    await execute(empty_database, "UPDATE products SET stock_status = 'outofstock'")
    response = await storefront.process()
    assert response.json()["code"] == "cocart_insufficient_stock"
