"""Payments as clients, providers and shop managers meet them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from checkstand.payments.model import (
    Approved,
    Declined,
    Funds,
    NeedsAction,
    SavedMethod,
    Unknown,
)
from checkstand.storage.database import Database
from tests.fakes import ScriptedGateway
from tests.makers import (
    BILLING,
    PREVIEW,
    V2,
    Storefront,
    administrator,
    product,
    running,
    shop_settings,
)

ADMIN = "/wp-json/checkstand/v1/admin"
HOOKS = "/wp-json/checkstand/v1/webhooks"
PASSWORD = "correct horse battery staple"
MOVED = {"city": "Elsewhere"}
ACTION = NeedsAction("https://bank.example/3ds", "confirm", {"client_secret": "sek_1"}, "pi_1")


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway()


@pytest.fixture
async def shopper(
    empty_database: str, database: Database, gateway: ScriptedGateway
) -> AsyncIterator[Storefront]:
    """A cart with two of a product of which there are five, paid by the scripted gateway."""
    async with database.acquire() as connection:
        mug = await product(connection, name="Mug", slug="mug", stock=5, regular_price=1000)
    settings = shop_settings(empty_database, checkout={"wait_seconds": 2})
    async with running(settings, gateways={"card": gateway}) as storefront:
        await storefront.add(mug, 2)
        await storefront.update(billing_address=BILLING, payment_method="card")
        yield storefront


async def sql(shopper: Storefront, query: str) -> list[Any]:
    async with shopper.shop.database.acquire() as connection:
        return [tuple(row) for row in await connection.fetch(query)]


async def stock(shopper: Storefront) -> tuple[int, int]:
    """On the shelf, and held."""
    shelf = await sql(shopper, "SELECT quantity FROM stock")
    held = await sql(shopper, "SELECT coalesce(sum(quantity), 0)::int FROM stock_holds")
    return shelf[0][0], held[0][0]


async def manage(
    shopper: Storefront, method: str, path: str, body: Any = None, user: str = "admin"
) -> Any:
    return await shopper.http.request(method, f"{ADMIN}{path}", json=body, auth=(user, PASSWORD))


# --- contexts ----------------------------------------------------------------------------------


async def context(shopper: Storefront) -> dict[str, Any]:
    answer = await shopper.call(
        "POST", f"{PREVIEW}/checkout/payment-context", {"payment_method": "card"}
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_context_is_bound_and_used_again(shopper: Storefront) -> None:
    first = await context(shopper)
    assert (first["cart_total"], first["currency"]) == ("25.00", "USD")
    assert first["public_key"] == "pk_test_scripted"
    assert first["expires_at"].endswith("Z")
    assert (await context(shopper))["context_id"] == first["context_id"]
    await shopper.add(1, 1)
    assert (await context(shopper))["context_id"] != first["context_id"], "another amount"
    stored = await sql(shopper, "SELECT * FROM payment_contexts")
    assert "secret" not in repr(stored)


async def test_a_prepared_payment_pays_for_its_cart_and_amount_only(shopper: Storefront) -> None:
    ready = await context(shopper)
    [(reference,)] = await sql(shopper, "SELECT reference FROM payment_contexts")
    await shopper.add(1, 1)
    answer = await shopper.process(payment_data={"payment_id": reference})
    assert (answer.status_code, answer.json()["code"]) == (400, "cocart_payment_context_expired")
    stranger = shopper.another()
    await stranger.add(1, 2)
    await stranger.update(billing_address=BILLING, payment_method="card")
    stolen = await stranger.process(payment_data={"payment_id": reference})
    assert stolen.json()["code"] == "cocart_payment_context_expired"
    named = await stranger.process(payment_data={"context_id": ready["context_id"]})
    assert named.json()["code"] == "cocart_payment_context_expired"


async def test_a_browser_payment_pays_one_order(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    gateway.script = [Declined("No.")]
    assert (await shopper.process(payment_data={"payment_id": "pi_9"})).status_code == 400
    paid = await shopper.process(payment_data={"payment_id": "pi_9"})
    assert paid.status_code == 200, "it paid for nothing before"
    other = shopper.another()
    await other.add(1, 2)
    await other.update(billing_address=BILLING, payment_method="card")
    again = await other.process(payment_data={"payment_id": "pi_9"})
    assert (again.status_code, again.json()["code"]) == (409, "cocart_payment_already_used")


# --- actions -----------------------------------------------------------------------------------


async def test_an_action_is_continued(shopper: Storefront, gateway: ScriptedGateway) -> None:
    gateway.script = [ACTION]
    first = (await shopper.process(payment_data={"token": "one"})).json()
    assert first["payment_result"]["payment_status"] == "requires_action"
    assert first["payment_result"]["action_data"] == {"client_secret": "sek_1"}
    again = (await shopper.process(payment_data={"payment_id": "pi_1"})).json()
    assert again["payment_result"]["payment_status"] == "success"
    assert again["order_id"] == first["order_id"]
    assert len(set(gateway.asked)) == 1
    assert "sek_1" not in repr(await sql(shopper, "SELECT * FROM payment_attempts"))


@pytest.mark.parametrize("edit", ["add", "update"])
async def test_an_edit_calls_the_payment_off(
    shopper: Storefront, gateway: ScriptedGateway, edit: str
) -> None:
    gateway.script = [ACTION]
    first = (await shopper.process()).json()
    answer = await (shopper.add(1, 1) if edit == "add" else shopper.update(billing_address=MOVED))
    assert answer.status_code == 200, answer.text
    assert len(gateway.voided) == 1
    assert await sql(shopper, "SELECT state FROM payment_attempts") == [("void",)]
    assert await sql(shopper, "SELECT status FROM orders") == [("failed",)]
    assert await stock(shopper) == (5, 0)
    placed = (await shopper.process()).json()
    assert placed["payment_result"]["payment_status"] == "success"
    assert (placed["order_id"] == first["order_id"]) == (edit == "update")


async def test_an_edit_does_not_undo_what_was_paid_meanwhile(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    gateway.script = [ACTION]
    first = (await shopper.process()).json()
    gateway.ledger[first["attempt_id"]] = 2500
    added = await shopper.add(1, 1)
    assert added.status_code == 200
    assert added.json()["item_count"] == 1, "a new document: the old one is ordered"
    assert await sql(shopper, "SELECT id, status FROM orders") == [
        (first["order_id"], "processing")
    ]


async def test_another_card_takes_the_place_of_an_action(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    gateway.script = [ACTION]
    first = (await shopper.process(payment_data={"token": "one"})).json()
    second = (await shopper.process(payment_data={"token": "two"})).json()
    assert second["payment_result"]["payment_status"] == "success"
    assert second["order_id"] == first["order_id"]
    states = await sql(shopper, "SELECT state FROM payment_attempts ORDER BY created_at")
    assert states == [("void",), ("approved",)]


async def test_a_payment_that_cannot_be_called_off_keeps_the_cart(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    gateway.script, gateway.voids = [ACTION], [Unknown("silent")]
    await shopper.process()
    answer = await shopper.add(1, 1)
    assert (answer.status_code, answer.json()["code"]) == (409, "cocart_checkout_payment_pending")
    again = (await shopper.process()).json()
    assert again["payment_result"]["payment_status"] == "success", "it can still be finished"


async def test_an_action_that_nobody_takes_expires(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    gateway.script, gateway.looks = [ACTION], [ACTION, ACTION]
    await shopper.process()
    await sql(
        shopper,
        "UPDATE payment_attempts SET next_look_at = now(), lease_until = now() RETURNING 1",
    )
    assert await shopper.shop.worker.finish_attempts() == 1
    assert await sql(shopper, "SELECT state FROM payment_attempts") == [("needs_action",)]
    await sql(
        shopper,
        "UPDATE payment_attempts SET next_look_at = now(), lease_until = now(),"
        " created_at = now() - interval '31 minutes' RETURNING 1",
    )
    assert await shopper.shop.worker.finish_attempts() == 1
    assert await sql(shopper, "SELECT state FROM payment_attempts") == [("void",)]
    assert (await shopper.add(1, 1)).status_code == 200


# --- asking about an attempt -------------------------------------------------------------------


async def test_a_lost_answer_can_be_asked_for(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    gateway.script = [Unknown("timeout")]
    pending = (await shopper.process()).json()
    path = f"{PREVIEW}/checkout/attempts/{pending['attempt_id']}"
    standing = (await shopper.call("GET", path)).json()
    assert standing["state"] == "unknown"
    assert standing["payment_status"] == "pending"
    assert standing["order_id"] == pending["order_id"]
    assert 1 <= standing["poll_after"] <= 10
    assert standing["next_action"] is None
    stranger = shopper.another()
    await stranger.add(1, 1)
    assert (await stranger.call("GET", path)).status_code == 404
    with_key = await stranger.call("GET", path, keys={}, order_key=pending["order_key"])
    assert with_key.json() == standing
    wrong = await stranger.call("GET", path, keys={}, order_key="wc_order_guess")
    assert wrong.status_code == 404


# --- webhooks and the worker -------------------------------------------------------------------


async def hook(shopper: Storefront, said: dict[str, Any], signature: str = "right") -> Any:
    return await shopper.http.post(
        f"{HOOKS}/card", content=json.dumps(said), headers={"Signature": signature}
    )


async def test_a_webhook_finishes_what_is_unknown(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    gateway.script = [Unknown("timeout")]
    pending = (await shopper.process()).json()
    said = {"id": "evt_1", "attempt": pending["attempt_id"]}
    assert (await hook(shopper, said)).json() == {"received": True}
    assert (await hook(shopper, said)).status_code == 200
    assert await sql(shopper, "SELECT count(*)::int FROM webhook_events") == [(1,)]
    gateway.looks = [Approved(Funds.CAPTURED, "pi_2")]
    await shopper.shop.worker.turn()
    assert await sql(shopper, "SELECT status FROM orders") == [("processing",)]
    assert await sql(shopper, "SELECT outcome FROM webhook_events") == [("looked",)]


async def test_a_forged_webhook_leaves_nothing(shopper: Storefront) -> None:
    answer = await hook(shopper, {"id": "evt_1"}, "wrong")
    assert (answer.status_code, answer.json()["code"]) == (400, "cocart_webhook_refused")
    assert await sql(shopper, "SELECT * FROM webhook_events") == []
    unknown = await shopper.http.post(f"{HOOKS}/nobody", content="{}")
    assert unknown.status_code == 400
    for junk in (b"", b"\xff", b"[]", b"[" * 5000):
        answer = await shopper.http.post(
            f"{HOOKS}/card", content=junk, headers={"Signature": "right"}
        )
        assert answer.status_code == 400


async def test_money_that_comes_too_late_goes_back(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    gateway.script, gateway.looks = [Unknown("timeout")], [Declined("Not completed.")]
    pending = (await shopper.process()).json()
    await sql(
        shopper, "UPDATE payment_attempts SET next_look_at = now(), lease_until = now() RETURNING 1"
    )
    await shopper.shop.worker.turn()
    paid = await shopper.process(payment_data={"token": "two"})
    assert paid.status_code == 200
    for event in ("evt_1", "evt_2"):
        gateway.looks = [Approved(Funds.CAPTURED, "pi_late")]
        await hook(shopper, {"id": event, "attempt": pending["attempt_id"]})
        await shopper.shop.worker.turn()
        await shopper.shop.worker.turn()
    assert list(gateway.returned.values()) == [2500]
    assert await sql(shopper, "SELECT status FROM orders") == [("processing",)]


# --- pay for order -----------------------------------------------------------------------------


async def failed_order(shopper: Storefront, gateway: ScriptedGateway) -> dict[str, Any]:
    gateway.script = [Declined("No.")]
    data = (await shopper.process()).json()["data"]
    [(key,)] = await sql(shopper, "SELECT order_key FROM orders")
    return {"id": data["order_id"], "key": key}


async def test_pay_for_order(shopper: Storefront, gateway: ScriptedGateway) -> None:
    order = await failed_order(shopper, gateway)
    path = f"{PREVIEW}/order-received/{order['id']}/pay"
    received = await shopper.call(
        "GET", f"{PREVIEW}/order-received/{order['id']}", order_key=order["key"]
    )
    assert received.json()["needs_payment"] is True
    wrong = await shopper.call("POST", path, {"order_key": "x", "payment_method": "card"})
    assert (wrong.status_code, wrong.json()["code"]) == (403, "cocart_invalid_order_key")
    absent = await shopper.call("POST", path, {"payment_method": "card"})
    assert (absent.status_code, absent.json()["code"]) == (400, "rest_missing_callback_param")
    unknown = await shopper.call(
        "POST", path, {"order_key": order["key"], "payment_method": "gold"}
    )
    assert unknown.json()["code"] == "cocart_invalid_payment_method"
    paid = await shopper.call("POST", path, {"payment_method": "card"}, order_key=order["key"])
    assert paid.json()["success"] is True
    assert paid.json()["order_status"] == "processing"
    assert await stock(shopper) == (3, 0)
    assert (await shopper.call("GET", f"{V2}/cart")).json()["items"] == []
    again = await shopper.call("POST", path, {"payment_method": "card"}, order_key=order["key"])
    assert again.json() == paid.json(), "the answer again, not a second payment"
    other = await shopper.call("POST", path, {"payment_method": "bacs"}, order_key=order["key"])
    assert (other.status_code, other.json()["code"]) == (400, "cocart_order_not_payable")
    assert len(gateway.ledger) == 1


async def test_what_was_prepared_for_another_amount_is_called_off_soon(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    """The browser has paid for the cart as it is now, and the page pays an older order with it."""
    order = await failed_order(shopper, gateway)
    await shopper.add(1, 1)
    await context(shopper)
    [(reference,)] = await sql(shopper, "SELECT reference FROM payment_contexts")
    refused = await shopper.call(
        "POST",
        f"{PREVIEW}/order-received/{order['id']}/pay",
        {"payment_method": "card", "payment_data": {"payment_id": reference}},
        order_key=order["key"],
    )
    assert refused.json()["code"] == "cocart_payment_context_expired"
    await shopper.shop.worker.end_contexts()
    assert len(gateway.voided) == 1


async def test_paying_an_order_can_fail_and_need_action(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    order = await failed_order(shopper, gateway)
    path = f"{PREVIEW}/order-received/{order['id']}/pay"
    body = {"order_key": order["key"], "payment_method": "card"}
    gateway.script = [Declined("Again no.", {"code": "card_declined"}), ACTION]
    declined = await shopper.call("POST", path, body)
    assert (declined.status_code, declined.json()["code"]) == (400, "cocart_payment_failed")
    assert declined.json()["data"]["gateway_error"] == {"code": "card_declined"}
    waiting = (await shopper.call("POST", path, body)).json()
    assert (waiting["success"], waiting["order_status"]) == (False, "pending")
    assert waiting["payment_result"]["payment_status"] == "requires_action"
    paid = (await shopper.call("POST", path, body)).json()
    assert paid["success"] is True


async def test_an_order_that_is_sold_out_cannot_be_paid(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    order = await failed_order(shopper, gateway)
    await sql(shopper, "UPDATE stock SET quantity = 1 RETURNING 1")
    answer = await shopper.call(
        "POST",
        f"{PREVIEW}/order-received/{order['id']}/pay",
        {"order_key": order["key"], "payment_method": "card"},
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "cocart_insufficient_stock")
    assert answer.json()["data"]["stock_data"][0]["available"] == 1


# --- the back office ---------------------------------------------------------------------------


async def test_only_those_who_run_the_shop(shopper: Storefront, gateway: ScriptedGateway) -> None:
    placed = (await shopper.process()).json()
    order = f"/orders/{placed['order_id']}"
    routes = [
        ("GET", f"{order}/payments"),
        ("POST", f"{order}/refunds"),
        ("POST", f"{order}/capture"),
        ("POST", f"{order}/void"),
        ("POST", "/attempts/att_1/look"),
        ("POST", "/reload"),
    ]
    for method, path in routes:
        for keys in ({}, shopper.keys):
            answer = await shopper.call(method, f"{ADMIN}{path}", keys=keys)
            assert (answer.status_code, answer.json()["code"]) == (403, "cocart_rest_cannot_manage")
    assert gateway.returned == {}


async def test_refunds(shopper: Storefront, gateway: ScriptedGateway) -> None:
    await administrator(shopper.shop, PASSWORD)
    placed = (await shopper.process()).json()
    order = f"/orders/{placed['order_id']}"
    [(item,)] = await sql(shopper, "SELECT id FROM order_lines")
    part = await manage(shopper, "POST", f"{order}/refunds", {"amount": "5.00", "reason": "late"})
    assert (part.json()["state"], part.json()["amount"]) == ("done", "5.00")
    line = {"lines": [{"item_id": item, "quantity": 1}], "restock": True}
    of_line = await manage(shopper, "POST", f"{order}/refunds", line)
    assert of_line.json()["amount"] == "10.00"
    assert await stock(shopper) == (4, 0)
    too_much = await manage(shopper, "POST", f"{order}/refunds", {"amount": "10.01"})
    assert (too_much.status_code, too_much.json()["code"]) == (400, "cocart_refund_too_large")
    assert too_much.json()["data"]["refundable"] == "10.00"
    units = {"lines": [{"item_id": item, "quantity": 2}]}
    assert (await manage(shopper, "POST", f"{order}/refunds", units)).status_code == 400
    rest = await manage(shopper, "POST", f"{order}/refunds", {"restock": True})
    assert rest.json()["amount"] == "10.00"
    assert await stock(shopper) == (5, 0)
    assert sum(gateway.returned.values()) == 2500
    found = (await manage(shopper, "GET", f"{order}/payments")).json()
    assert found["order_status"] == "refunded"
    assert found["attempts"][0]["refunded"] == "25.00"
    received = await shopper.call(
        "GET", f"{PREVIEW}/order-received/{placed['order_id']}", order_key=placed["order_key"]
    )
    assert received.json()["items"][0]["refunded_qty"] == "2"


async def test_authorise_then_capture(shopper: Storefront, gateway: ScriptedGateway) -> None:
    await administrator(shopper.shop, PASSWORD)
    gateway.script = [Approved(Funds.AUTHORISED, "pi_3")]
    placed = (await shopper.process()).json()
    assert placed["status"] == "on-hold"
    order = f"/orders/{placed['order_id']}"
    early = await manage(shopper, "POST", f"{order}/refunds", {})
    assert early.json()["code"] == "cocart_refund_too_large", "nothing is captured"
    captured = await manage(shopper, "POST", f"{order}/capture", {})
    assert captured.json()["order_status"] == "processing"
    assert captured.json()["attempts"][0]["captured"] == "25.00"
    again = await manage(shopper, "POST", f"{order}/capture", {})
    assert again.json()["code"] == "cocart_nothing_to_capture"
    assert (await manage(shopper, "POST", f"{order}/void", {})).status_code == 400


async def test_authorise_then_void(shopper: Storefront, gateway: ScriptedGateway) -> None:
    await administrator(shopper.shop, PASSWORD)
    gateway.script = [Approved(Funds.AUTHORISED, "pi_3")]
    placed = (await shopper.process()).json()
    assert await stock(shopper) == (3, 0)
    voided = await manage(shopper, "POST", f"/orders/{placed['order_id']}/void", {})
    assert voided.json()["order_status"] == "cancelled"
    assert await stock(shopper) == (5, 0)


async def told(shopper: Storefront, order_id: int) -> list[tuple[str, str]]:
    """What the audit log says about the money of an order: who, and what."""
    return await sql(
        shopper,
        "SELECT actor, action FROM audit_log WHERE action <> 'order.moved'"
        f" AND subject = 'order {order_id}' ORDER BY id",
    )


async def test_who_takes_and_looks_is_in_the_audit_log(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    await administrator(shopper.shop, PASSWORD)
    gateway.script = [Approved(Funds.AUTHORISED, "pi_3")]
    placed = (await shopper.process()).json()
    order = f"/orders/{placed['order_id']}"
    found = (await manage(shopper, "GET", f"{order}/payments")).json()
    await manage(shopper, "POST", f"{order}/capture", {})
    await manage(shopper, "POST", f"{order}/refunds", {"amount": "5.00"})
    await manage(shopper, "POST", f"/attempts/{found['attempts'][0]['id']}/look")
    await manage(shopper, "POST", f"{order}/capture", {})  # nothing is left to take
    told_of = await told(shopper, placed["order_id"])
    assert {actor for actor, _ in told_of} == {"account 1"}
    assert [action for _, action in told_of] == [
        "payments.read", "capture.opened", "capture.settled", "refund.opened", "refund.settled",
        "payment.looked",
    ]  # fmt: skip


async def test_a_void_is_in_the_audit_log_also_when_it_is_refused(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    await administrator(shopper.shop, PASSWORD)
    gateway.script = [Approved(Funds.AUTHORISED, "pi_3")]
    gateway.voids = [Declined("It is too late.")]
    placed = (await shopper.process()).json()
    for status in (400, 200):
        answer = await manage(shopper, "POST", f"/orders/{placed['order_id']}/void", {})
        assert answer.status_code == status
    assert [action for _, action in await told(shopper, placed["order_id"])] == [
        "void.opened", "void.refused", "void.opened", "void.settled",
    ]  # fmt: skip


async def test_a_bank_transfer_that_came(shopper: Storefront) -> None:
    await administrator(shopper.shop, PASSWORD)
    await shopper.update(payment_method="bacs")
    placed = (await shopper.process()).json()
    assert placed["status"] == "on-hold"
    order = f"/orders/{placed['order_id']}"
    came = await manage(shopper, "POST", f"{order}/capture", {})
    assert came.json()["order_status"] == "processing"
    assert came.json()["attempts"][0]["captured"] == "25.00"


async def test_a_refund_without_an_answer_is_asked_again(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    await administrator(shopper.shop, PASSWORD)
    placed = (await shopper.process()).json()
    good = gateway.refund

    async def silent(refund: Any) -> Any:
        await good(refund)
        return Unknown("timeout")

    gateway.refund = silent  # type: ignore[method-assign]
    opened = await manage(shopper, "POST", f"/orders/{placed['order_id']}/refunds", {})
    assert opened.json()["state"] == "open"
    gateway.refund = good  # type: ignore[method-assign]
    await sql(shopper, "UPDATE refunds SET lease_until = now() RETURNING 1")
    assert await shopper.shop.worker.finish_refunds() == 1
    assert await sql(shopper, "SELECT state FROM refunds") == [("done",)]
    assert len(gateway.returned) == 1


# --- payment methods ---------------------------------------------------------------------------


async def test_debug_information_is_for_administrators_who_ask(shopper: Storefront) -> None:
    await administrator(shopper.shop, PASSWORD)
    path = f"{PREVIEW}/checkout/payment-methods"
    plain = (await shopper.call("GET", path, debug="true")).json()
    assert "card" in plain
    assert "debug_info" not in plain
    http, auth = shopper.http, ("admin", PASSWORD)
    await http.post(f"{V2}/cart/add-item", json={"id": "1", "quantity": "1"}, auth=auth)
    unasked = (await http.get(path, auth=auth)).json()
    asked = (await http.get(path, params={"debug": "true"}, auth=auth)).json()
    assert "debug_info" not in unasked
    hints = asked["debug_info"]["payment_context"]["card"]
    assert hints["webhook_endpoint"] == f"http://shop.test{HOOKS}/card"
    assert asked["payment_methods"].keys() == plain.keys()


async def test_a_customer_pays_with_what_he_saved(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    await administrator(shopper.shop, PASSWORD)
    auth = ("admin", PASSWORD)

    async def order(token: Any) -> Any:
        await shopper.http.post(f"{V2}/cart/add-item", json={"id": "1", "quantity": "1"}, auth=auth)
        body = {
            "billing_address": BILLING,
            "payment_method": "card",
            "payment_data": {"wc-card-payment-token": token},
        }
        return await shopper.http.post(f"{PREVIEW}/checkout", json=body, auth=auth)

    saved = SavedMethod("pm_1", "Visa ending in 4242", "cc", "04/2031", "cus_1")
    gateway.script = [Approved(Funds.CAPTURED, "pi_5", saved)]
    assert (await order("new")).status_code == 200
    await shopper.http.post(f"{V2}/cart/add-item", json={"id": "1", "quantity": "1"}, auth=auth)
    methods = (await shopper.http.get(f"{PREVIEW}/checkout/payment-methods", auth=auth)).json()
    [token] = methods["card"]["saved_tokens"]
    assert token["token"] == "Visa ending in 4242"
    assert (token["expires"], token["is_default"]) == ("04/2031", True)
    assert "pm_1" not in json.dumps(methods)
    seen: list[Any] = []
    good = gateway.charge

    async def charge(attempt: Any, payment: Any) -> Any:
        seen.append(payment)
        return await good(attempt, payment)

    gateway.charge = charge  # type: ignore[method-assign]
    assert (await order(str(token["id"]))).status_code == 200
    assert seen[0]["saved_token"] == "pm_1"
    stolen = await shopper.process(payment_data={"token_id": token["id"], "saved_token": "pm_1"})
    assert stolen.json()["code"] == "cocart_payment_token_unknown"
    await shopper.process(payment_data={"saved_token": "pm_1", "token": "x"})
    assert "saved_token" not in seen[-1], "only we say what was saved"


# --- card data ---------------------------------------------------------------------------------

CARD = "4242 4242 4242 4242"


@pytest.mark.parametrize(
    "payment",
    [
        {"number": CARD},
        {"number": 4242424242424242},
        {"card": {"deep": [{"n": "5555-5555-5555-4444"}]}},
        {"4000056655665556": "x"},
        [{"key": "card", "value": "card 378282246310005 exp 12/30 cvc 1234"}],
        {"note": "４２４２４２４２４２４２４２４２"},
    ],
)
@pytest.mark.parametrize("field", ["payment_data", "payment_method_data"])
async def test_card_numbers_are_refused(
    shopper: Storefront,
    gateway: ScriptedGateway,
    caplog: pytest.LogCaptureFixture,
    payment: Any,
    field: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    for verb in (shopper.process, shopper.update):
        answer = await verb(**{field: payment})
        assert (answer.status_code, answer.json()["code"]) == (400, "cocart_card_data_refused")
    order = await shopper.call(
        "POST",
        f"{PREVIEW}/order-received/1/pay",
        {"order_key": "k", "payment_method": "card", field: payment},
    )
    assert order.json()["code"] == "cocart_card_data_refused"
    assert gateway.asked == []
    said = caplog.text + answer.text
    assert not any(number in said for number in ("4242", "5555-5555", "37828224", "４２４２"))


@pytest.mark.parametrize("value", ["pi_4242424242424242", "4242424242424241", "20261121", "tok_1"])
async def test_what_is_no_card_number_passes(
    shopper: Storefront, gateway: ScriptedGateway, value: str
) -> None:
    assert (await shopper.process(payment_data={"token": value})).status_code == 200


async def test_nothing_secret_is_kept(
    shopper: Storefront, gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """Tokens, client secrets and what a webhook says are in no table and no log."""
    caplog.set_level(logging.DEBUG)

    said_by_library = "sek_in_error"

    async def broken() -> None:
        raise RuntimeError(said_by_library)

    action = NeedsAction("https://bank.example/3ds", "confirm", {"client_secret": "sek_1"}, "pi_1")
    gateway.script = [
        Declined("No.", {"code": "card_declined"}),
        action,
        broken,
        Approved(Funds.CAPTURED, "pi_2"),
    ]
    gateway.looks = [action, Declined("Not completed.")]
    for token in ("sek_tok_1", "sek_tok_2", "sek_tok_3"):
        await shopper.process(payment_data={"token": token, "deep": {"token": token}})
    await sql(
        shopper, "UPDATE payment_attempts SET next_look_at = now(), lease_until = now() RETURNING 1"
    )
    await shopper.shop.worker.turn()
    paid = await shopper.process(payment_data={"token": "sek_tok_4"})
    assert paid.json()["payment_result"]["payment_status"] == "success", paid.text
    await hook(shopper, {"id": "evt_1", "reference": "pi_2", "secret": "sek_hook"})
    names = await sql(
        shopper, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    )
    kept = [await sql(shopper, f"SELECT to_jsonb(t)::text FROM {name} t") for (name,) in names]
    assert "att_" in repr(kept)
    assert "sek_" not in repr(kept)
    said = "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("checkstand")
    )
    assert "sek_" not in said
    for secret in shopper.keys.values():
        assert secret not in repr(kept)


# --- reload ------------------------------------------------------------------------------------


async def test_settings_are_read_again(empty_database: str, database: Database) -> None:
    async with database.acquire() as connection:
        await product(connection)
    settings = shop_settings(empty_database)
    fresh = shop_settings(empty_database, gateways={"bacs": {"enabled": True, "title": "By wire"}})
    async with running(settings, reread=lambda: fresh) as shopper:
        await shopper.ready_to_order()
        before = (await shopper.state())["payment_methods"]["bacs"]["title"]
        await administrator(shopper.shop, PASSWORD)
        assert (await manage(shopper, "POST", "/reload")).json() == {"announced": True}
        async with asyncio.timeout(5):
            while (await shopper.state())["payment_methods"]["bacs"]["title"] == before:
                await asyncio.sleep(0.05)
        assert (await shopper.state())["payment_methods"]["bacs"]["title"] == "By wire"
