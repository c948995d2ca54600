"""What is PayPal's own: its orders, spellings, issues, currencies, tokens and webhooks."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checkstand.errors import PaymentMethodUnknown, ProviderSilent, WebhookRefused
from checkstand.kit.money import Currency, Money
from checkstand.payments.gateways.paypal import amounts, sent
from checkstand.payments.gateways.paypal.settings import complaints
from checkstand.payments.model import (
    Approved,
    Attempt,
    AttemptState,
    Declined,
    Funds,
    NeedsAction,
    Unknown,
)
from checkstand.testing import makers
from checkstand.testing.makers import money
from checkstand.testing.peer import Fault
from tests.gateways import paypal_fake
from tests.gateways.paypal_fake import PAYPAL, FakePayPal
from tests.gateways.paypal_peer import PayPalPeer, connected, playing


@dataclass
class Watch:
    """A clock that is set by hand."""

    time: datetime = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def pass_by(self, **units: float) -> None:
        self.time += timedelta(**units)


@pytest.fixture
async def peer() -> AsyncIterator[PayPalPeer]:
    async with playing() as found:
        yield found


@pytest.fixture
def paypal(peer: PayPalPeer) -> FakePayPal:
    return peer.paypal


def due(order: str = "", **changes: Any) -> Attempt:
    return makers.attempt("paypal", reference=order, **{"binding": "cart-1", **changes})


def approved(paypal: FakePayPal, instrument: str = "good", **order: Any) -> str:
    """A PayPal order for 19.99 USD and cart-1 that the shopper has approved."""
    made = {"value": "19.99", "currency": "USD", "custom_id": "cart-1", **order}
    return paypal.approve(paypal.browser_order(**made), instrument)


def code(outcome: Any) -> str:
    assert isinstance(outcome, Declined), outcome
    assert outcome.message
    assert outcome.gateway_error["message"]
    return str(outcome.gateway_error["code"])


def moved(paypal: FakePayPal) -> list[tuple[str, str, str]]:
    return [(entry.kind, str(entry.value), entry.status) for entry in paypal.ledger]


# --- payment data -------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["paypal_order_id", "order_id", "orderID"])
@pytest.mark.parametrize("payer", ["paypal_payer_id", "payer_id", "payerID"])
async def test_every_spelling_pays(
    peer: PayPalPeer, paypal: FakePayPal, key: str, payer: str
) -> None:
    order = approved(paypal)
    payment = {
        key: order,
        payer: paypal_fake.PAYER,
        "transaction_id": "5O190127TN364715T",
        "payer_email": "ines@example.com",
        "payment_status": "COMPLETED",
        "gross_amount": "19.99",
        "payment_fee": "0.88",
        "currency": "usd",
    }
    assert peer.gateway.browser_payment(payment) == order
    attempt = due(order)
    outcome = await peer.gateway.charge(attempt, payment)
    assert outcome == Approved(Funds.CAPTURED, order)
    taken = [request for request in paypal.seen if request.path.endswith("/capture")]
    assert [request.headers["paypal-request-id"] for request in taken] == [attempt.id]


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        ({"gross_amount": "19.98"}, "amount_mismatch"),
        ({"gross_amount": 1999}, "amount_mismatch"),
        ({"gross_amount": "19,99"}, "payment_data_malformed"),
        ({"gross_amount": {"value": "19.99"}}, "payment_data_malformed"),
        ({"gross_amount": True}, "payment_data_malformed"),
        ({"gross_amount": float("nan")}, "payment_data_malformed"),
        ({"currency": "EUR"}, "currency_mismatch"),
        ({"currency": "dollars"}, "payment_data_malformed"),
        ({"payer_id": "ANOTHERPAYER1"}, "payer_mismatch"),
        ({"payer_id": ["QYR5Z8XDVJNXQ"]}, "payment_data_malformed"),
    ],
)
async def test_what_the_client_says_can_only_speak_against(
    peer: PayPalPeer, paypal: FakePayPal, hint: dict[str, Any], expected: str
) -> None:
    order = approved(paypal)
    outcome = await peer.gateway.charge(due(order), {"paypal_order_id": order, **hint})
    assert code(outcome) == expected
    assert paypal.ledger == []


@pytest.mark.parametrize("amount", ["19.99", "19.990", 19.99, "0019.99"])
async def test_an_amount_is_compared_as_a_number(
    peer: PayPalPeer, paypal: FakePayPal, amount: Any
) -> None:
    order = approved(paypal)
    payment = {"paypal_order_id": order, "gross_amount": amount}
    assert isinstance(await peer.gateway.charge(due(order), payment), Approved)


@pytest.mark.parametrize(
    "payment",
    [
        {"paypal_order_id": 7310},
        {"order_id": "x" * 5000},
        {"order_id": "../../v1/oauth2"},
        {"paypal_order_id": "5O190127TN364715T", "order_id": "8GB67279RC051624C"},
        {"paypal_order_id": {"id": "5O190127TN364715T"}},
    ],
)
async def test_an_order_id_that_is_none_is_declined_without_asking(
    peer: PayPalPeer, paypal: FakePayPal, payment: dict[str, Any]
) -> None:
    assert code(await peer.gateway.charge(due(), payment)) == "payment_data_malformed"
    assert paypal.seen == []
    assert "order_id" in sent.read(payment).wrong


async def test_an_order_of_another_shop_is_declined(peer: PayPalPeer) -> None:
    payment = {"order_id": "5O190127TN364715T"}
    outcome = await peer.gateway.charge(due("5O190127TN364715T"), payment)
    assert code(outcome) == "order_unknown"


# --- binding ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("custom_id", "setting", "pays"),
    [
        ("cart-1", "refuse", True),
        (None, "refuse", False),
        ("cart-2", "refuse", False),
        ("cart-1", "accept", True),
        (None, "accept", True),
        ("cart-2", "accept", False),
    ],
)
async def test_an_order_pays_for_its_own_cart(
    paypal: FakePayPal, custom_id: str | None, setting: str, pays: bool
) -> None:
    gateway = connected(paypal, unbound_orders=setting)
    order = approved(paypal, custom_id=custom_id)
    outcome = await gateway.charge(due(order), {"order_id": order})
    assert isinstance(outcome, Approved) is pays, outcome
    if not pays:
        assert code(outcome) == "binding_mismatch"
    # Without a binding there is nothing that an order could be bound to.
    other = approved(paypal, custom_id=None)
    unbound = await gateway.charge(due(other, binding=""), {"order_id": other})
    assert isinstance(unbound, Approved) is (setting == "accept")
    await gateway.close()


async def test_an_order_that_is_changed_while_it_is_captured_is_given_back(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    order = approved(paypal)

    def cheaper(name: str) -> None:
        paypal.orders[name]["units"][0]["amount"] = {"currency_code": "USD", "value": "0.01"}

    paypal.before_take = cheaper
    attempt = due(order)
    assert code(await peer.gateway.charge(attempt, {"order_id": order})) == "amount_mismatch"
    assert moved(paypal) == [("charge", "0.01", "REFUNDED"), ("refund", "0.01", "COMPLETED")]
    again = replace(attempt, repeated=True)
    assert isinstance(await peer.gateway.charge(again, {"order_id": order}), Declined)
    assert isinstance(await peer.gateway.lookup(again), Declined)
    assert len(paypal.ledger) == 2


# --- what PayPal answers ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("issue", "expected"),
    [
        ("INSTRUMENT_DECLINED", "instrument_declined"),
        ("CARD_EXPIRED", "card_expired"),
        ("DUPLICATE_INVOICE_ID", "duplicate_invoice_id"),
        ("TRANSACTION_REFUSED", "transaction_refused"),
        ("COMPLIANCE_VIOLATION", "compliance_violation"),
        ("PAYEE_ACCOUNT_RESTRICTED", "configuration_error"),
        ("SOMETHING_NEW", "something_new"),
    ],
)
async def test_issues_are_declines(
    peer: PayPalPeer, paypal: FakePayPal, issue: str, expected: str
) -> None:
    order = approved(paypal, issue)
    outcome = await peer.gateway.charge(due(order), {"order_id": order})
    assert code(outcome) == expected
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["issue"] == issue
    assert outcome.gateway_error["paypal_order_id"] == order
    assert paypal.ledger == []


async def test_after_an_issue_that_is_not_known_the_order_is_closed(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    """It may be said of one request while another one of the attempt is being carried out."""
    order = approved(paypal, "SOMETHING_NEW")
    assert isinstance(await peer.gateway.charge(due(order), {"order_id": order}), Declined)
    assert paypal.orders[order]["units"][0]["custom_id"] == "checkstand-closed"
    other = approved(paypal, "SOMETHING_NEW")

    def overtaken(name: str) -> None:
        paypal.orders[name]["instrument"] = "good"
        paypal.take_in_browser(name)
        paypal.orders[name].update(status="APPROVED", instrument="SOMETHING_NEW")

    paypal.before_take = overtaken
    shown = paypal._patch

    def completed(name: str, changes: Any) -> Any:
        paypal.orders[name]["status"] = "COMPLETED"
        return shown(name, changes)

    paypal._patch = completed  # type: ignore[method-assign]
    assert isinstance(await peer.gateway.charge(due(other), {"order_id": other}), Approved)


async def test_after_a_decline_the_shopper_can_choose_another_instrument(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    order = approved(paypal, "INSTRUMENT_DECLINED")
    assert isinstance(await peer.gateway.charge(due(order), {"order_id": order}), Declined)
    paypal.orders[order]["instrument"] = "good"
    assert isinstance(await peer.gateway.charge(due(order), {"order_id": order}), Approved)


async def test_paypal_may_ask_the_shopper_back(peer: PayPalPeer, paypal: FakePayPal) -> None:
    order = approved(paypal, "action")
    attempt = due(order)
    outcome = await peer.gateway.charge(attempt, {"order_id": order})
    assert isinstance(outcome, NeedsAction)
    assert outcome.redirect_url.endswith(f"{order}&again")
    assert outcome.action_type == "paypal_approve"
    assert outcome.action_data == {"paypal_order_id": order}
    paypal.approve(order)
    continued = makers.continued(attempt, outcome)
    assert isinstance(await peer.gateway.charge(continued, {}), Approved)


async def test_an_order_that_the_browser_captures_first_is_approved(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    order = approved(paypal)
    paypal.before_take = paypal.take_in_browser
    outcome = await peer.gateway.charge(due(order), {"order_id": order})
    assert outcome == Approved(Funds.CAPTURED, order)
    assert moved(paypal) == [("charge", "19.99", "COMPLETED")]


@pytest.mark.parametrize("reason", ["ECHECK", "PENDING_REVIEW"])
async def test_a_pending_capture_is_unknown_until_it_is_decided(
    peer: PayPalPeer, paypal: FakePayPal, reason: str
) -> None:
    order = approved(paypal, f"PENDING {reason}")
    attempt = due(order)
    outcome = await peer.gateway.charge(attempt, {"order_id": order})
    assert isinstance(outcome, Unknown)
    assert (reason in outcome.reason, outcome.reference) == (True, order)
    assert isinstance(await peer.gateway.lookup(attempt), Unknown)
    assert isinstance(await peer.gateway.void(attempt), Unknown)
    paypal.ledger[0].status = "COMPLETED"
    assert isinstance(await peer.gateway.lookup(attempt), Approved)
    paypal.ledger[0].status = "DECLINED"
    assert code(await peer.gateway.lookup(attempt)) == "capture_declined"


async def test_a_declined_capture_of_a_completed_order_is_a_decline(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    order = approved(paypal, "declined later")
    outcome = await peer.gateway.charge(due(order), {"order_id": order})
    assert code(outcome) == "capture_declined"


async def test_a_payment_that_was_given_back_does_not_pay(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    order = approved(paypal)
    attempt = due(order)
    first = await peer.gateway.charge(attempt, {"order_id": order})
    assert isinstance(first, Approved)
    kept = makers.approved(attempt, first)
    assert isinstance(await peer.gateway.refund(makers.refund(kept)), Approved)
    assert code(await peer.gateway.charge(due(order), {"order_id": order})) == "refunded"
    assert isinstance(await peer.gateway.lookup(kept), Approved)


async def test_a_minimal_answer_is_looked_up(peer: PayPalPeer, paypal: FakePayPal) -> None:
    paypal.minimal = True
    order = approved(paypal)
    outcome = await peer.gateway.charge(due(order), {"order_id": order})
    assert outcome == Approved(Funds.CAPTURED, order)


async def test_what_cannot_be_read_is_unknown(peer: PayPalPeer, paypal: FakePayPal) -> None:
    order = approved(paypal)
    paypal.broken = True
    assert isinstance(await peer.gateway.charge(due(order), {"order_id": order}), Unknown)
    assert isinstance(await peer.gateway.lookup(due(order)), Unknown)


# --- by redirect --------------------------------------------------------------------------------


async def test_without_an_order_the_shopper_is_sent_to_paypal(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    attempt = due()
    outcome = await peer.gateway.charge(attempt, {})
    assert isinstance(outcome, NeedsAction)
    made = next(r for r in paypal.seen if r.path == "/v2/checkout/orders")
    body = json.loads(made.body)
    assert made.headers["paypal-request-id"] == attempt.id
    assert body["purchase_units"] == [
        {
            "reference_id": "default",
            "custom_id": "cart-1",
            "invoice_id": attempt.id,
            "amount": {"currency_code": "USD", "value": "19.99"},
        }
    ]
    manners = body["payment_source"]["paypal"]["experience_context"]
    assert manners["return_url"] == manners["cancel_url"] == attempt.return_url
    assert outcome.redirect_url == paypal._page(outcome.reference)
    # Asked again without having noted the reference: the same order, by the request id.
    again = await peer.gateway.charge(replace(attempt, repeated=True), {})
    assert again == outcome
    # Back from PayPal without having agreed: it is still to be done.
    continued = makers.continued(attempt, outcome)
    assert await peer.gateway.charge(continued, {}) == outcome
    assert await peer.gateway.lookup(continued) == outcome


async def test_a_browsers_order_that_waits_is_an_action(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    order = paypal.browser_order("19.99", "USD", "cart-1")
    outcome = await peer.gateway.charge(due(order), {"orderID": order})
    assert isinstance(outcome, NeedsAction)
    assert (outcome.redirect_url, outcome.reference) == (paypal._page(order), order)


async def test_a_shopper_who_starts_again_in_the_browser_pays_once(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    first = due()
    action = await peer.gateway.charge(first, {})
    assert isinstance(action, NeedsAction)
    other = approved(paypal)
    outcome = await peer.gateway.charge(makers.continued(first, action), {"order_id": other})
    assert code(outcome) == "other_paypal_order"
    paypal.approve(action.reference)  # the first window was still open
    assert isinstance(await peer.gateway.lookup(makers.continued(first, action)), Declined)
    assert isinstance(await peer.gateway.charge(due(other), {"order_id": other}), Approved)
    assert moved(paypal) == [("charge", "19.99", "COMPLETED")]


# --- look-ups and late requests -----------------------------------------------------------------


async def test_a_capture_that_comes_too_late_takes_nothing(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    order = approved(paypal)
    paypal.hold_next = True
    attempt = due(order)
    assert isinstance(await peer.gateway.charge(attempt, {"order_id": order}), Unknown)
    assert code(await peer.gateway.lookup(replace(attempt, repeated=True))) == "not_finished"
    assert paypal.release() == [422]
    with pytest.raises(paypal_fake.Refused, match="INTENT"):
        paypal._take(order, "capture", "")  # the browser's own
    assert paypal.ledger == []


async def test_a_decline_of_what_was_asked_for_before_closes_the_order(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    """The first capture is still on its way when the client comes again with another amount."""
    order = approved(paypal)
    paypal.hold_next = True
    attempt = due(order)
    assert isinstance(await peer.gateway.charge(attempt, {"order_id": order}), Unknown)
    again = replace(attempt, repeated=True)
    payment = {"order_id": order, "gross_amount": "5.00"}
    assert code(await peer.gateway.charge(again, payment)) == "amount_mismatch"
    assert paypal.release() == [422]
    assert paypal.ledger == []


async def test_what_cannot_be_closed_stays_unknown_until_paypal_has_forgotten_it(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    order = approved(paypal)
    paypal.patchable = False
    assert isinstance(await peer.gateway.lookup(due(order)), Unknown)
    assert isinstance(await peer.gateway.void(due(order)), Unknown)
    paypal.expire(order)
    assert code(await peer.gateway.lookup(due(order))) == "order_unknown"
    assert isinstance(await peer.gateway.void(due(order)), Approved)


@pytest.mark.parametrize("state", [AttemptState.NEEDS_ACTION, AttemptState.UNKNOWN])
async def test_a_look_up_finishes_what_the_shopper_counts_on(
    peer: PayPalPeer, paypal: FakePayPal, state: AttemptState
) -> None:
    order = approved(paypal)
    attempt = due(order, state=state)
    found = await asyncio.gather(*(peer.gateway.lookup(attempt) for _ in range(3)))
    assert {type(outcome) for outcome in found} == {Approved}
    assert moved(paypal) == [("charge", "19.99", "COMPLETED")]


async def test_after_an_hour_the_shopper_has_given_up(peer: PayPalPeer, paypal: FakePayPal) -> None:
    order = approved(paypal)
    old = datetime.now(UTC) - timedelta(minutes=61)
    attempt = due(order, state=AttemptState.NEEDS_ACTION, created_at=old)
    assert code(await peer.gateway.lookup(attempt)) == "not_finished"
    assert code(await peer.gateway.charge(attempt, {"order_id": order})) == "order_closed"
    assert paypal.ledger == []


async def test_a_closed_order_is_seen_as_captured_when_the_browser_was_faster(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    order = approved(paypal)
    shown, take = paypal._patch, paypal.take_in_browser

    def faster(name: str, changes: Any) -> Any:
        take(name)
        return shown(name, changes)

    paypal._patch = faster  # type: ignore[method-assign]
    assert isinstance(await peer.gateway.lookup(due(order)), Approved)


async def test_a_payment_of_somebody_else_is_not_voided(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    order = approved(paypal, custom_id="cart-2")
    assert isinstance(await peer.gateway.void(due(order)), Approved)
    assert paypal.orders[order]["units"][0]["custom_id"] == "cart-2"
    assert paypal.orders[order]["intent"] == "CAPTURE"


async def test_what_a_context_prepared_is_called_off_when_nobody_came(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    """The worker does, with an attempt that has no binding, only the reference."""
    context = await peer.gateway.context(makers.due(binding="cart-1"))
    prepared = due(context.reference, binding="", state=AttemptState.NEEDS_ACTION)
    paypal.approve(context.reference)
    for _ in range(2):
        assert isinstance(await peer.gateway.void(prepared), Approved)
    late = await peer.gateway.charge(due(context.reference), {"order_id": context.reference})
    assert code(late) == "order_closed"
    again = await peer.gateway.context(makers.due(binding="cart-1"))
    paypal.take_in_browser(paypal.approve(again.reference))
    assert code(await peer.gateway.void(replace(prepared, reference=again.reference))) == "too_late"


@pytest.mark.parametrize("state", [AttemptState.DECLINED, AttemptState.VOID])
async def test_an_attempt_that_is_over_leaves_its_order_to_the_next(
    peer: PayPalPeer, paypal: FakePayPal, state: AttemptState
) -> None:
    """A webhook tells that the shopper has approved again, with another card."""
    order = approved(paypal)
    over = due(order, state=state, amount=money(2500))
    assert isinstance(await peer.gateway.lookup(over), Declined)
    assert isinstance(await peer.gateway.lookup(replace(over, amount=money(1999))), Declined)
    assert isinstance(await peer.gateway.charge(due(order), {"order_id": order}), Approved)
    assert code(await peer.gateway.lookup(over)) == "amount_mismatch"
    assert moved(paypal) == [("charge", "19.99", "COMPLETED")]


async def test_nothing_that_was_begun_is_nothing_to_charge(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    assert code(await peer.gateway.lookup(due())) == "never_begun"
    assert isinstance(await peer.gateway.void(due()), Approved)
    assert paypal.seen == []


# --- capture, void and refund -------------------------------------------------------------------


@pytest.mark.parametrize("patchable", [True, False])
@pytest.mark.parametrize("taken", [False, True], ids=["approved", "reserved in the browser"])
async def test_a_shop_that_captures_at_once_captures_what_a_browser_reserves(
    peer: PayPalPeer, paypal: FakePayPal, patchable: bool, taken: bool
) -> None:
    paypal.patchable = patchable
    order = approved(paypal, intent="AUTHORIZE")
    if taken:
        paypal.take_in_browser(order)
    for _ in range(2):
        outcome = await peer.gateway.charge(due(order), {"order_id": order})
        assert outcome == Approved(Funds.CAPTURED, order)
    assert [entry for entry in moved(paypal) if entry[0] == "charge"] == [
        ("charge", "19.99", "COMPLETED")
    ]


async def test_a_reservation_of_another_amount_is_let_go_of(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    order = approved(paypal, intent="AUTHORIZE", value="5.00")
    paypal.take_in_browser(order)
    outcome = await peer.gateway.charge(due(order), {"order_id": order})
    assert code(outcome) == "amount_mismatch"
    assert moved(paypal) == [("reservation", "5.00", "VOIDED")]


@pytest.mark.parametrize("status", ["EXPIRED", "VOIDED", "DENIED"])
async def test_a_reservation_that_is_gone(
    peer: PayPalPeer, paypal: FakePayPal, status: str
) -> None:
    order = approved(paypal, intent="AUTHORIZE")
    paypal.take_in_browser(order)
    paypal.ledger[0].status = status
    attempt = due(order, funds=Funds.AUTHORISED)
    assert code(await peer.gateway.capture(attempt, attempt.amount)).startswith("authorization_")
    assert isinstance(await peer.gateway.void(attempt), Approved)
    assert code(await peer.gateway.lookup(attempt)).startswith("authorization_")


async def test_a_refund_that_is_on_its_way_counts(peer: PayPalPeer, paypal: FakePayPal) -> None:
    order = approved(paypal)
    attempt = due(order)
    outcome = await peer.gateway.charge(attempt, {"order_id": order})
    assert isinstance(outcome, Approved)
    refund = makers.refund(makers.approved(attempt, outcome), 500, reason="Broken")
    first = await peer.gateway.refund(refund)
    paid = paypal.ledger[-1]
    assert first == Approved(Funds.RETURNED, paid.id)
    assert (paid.request_id, paid.custom_id) == (refund.id, refund.id)
    assert b"Broken" not in paypal.seen[-1].body
    paypal._answers.clear()  # PayPal has forgotten the request id
    for status, expected in (("PENDING", Approved), ("FAILED", Declined), ("NEW", Unknown)):
        paid.status = status
        assert isinstance(await peer.gateway.refund(replace(refund, repeated=True)), expected)
    assert len(paypal.ledger) == 2


# --- currencies ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (money(1999), "19.99"),
        (money(5), "0.05"),
        (money(500, "JPY"), "500"),
        (money(150_000, "HUF"), "1500"),
        (money(150_050, "HUF"), None),
        (money(1234, "TWD"), None),
        (money(1200, "TWD"), "12"),
        (Money(1500, Currency("HUF", 0)), "1500"),
        (Money(20, Currency("USD", 0)), "20.00"),
    ],
)
def test_paypals_decimals(amount: Money, text: str | None) -> None:
    assert amounts.written(amount) == text
    assert (amounts.untakable(amount) is None) is (text is not None)


async def test_a_currency_that_paypal_does_not_take(peer: PayPalPeer, paypal: FakePayPal) -> None:
    kuwait = due(amount=money(12_340, "KWD"))
    assert code(await peer.gateway.charge(kuwait, {})) == "currency_not_supported"
    forint = due(amount=money(150_050, "HUF"))
    assert code(await peer.gateway.charge(forint, {})) == "amount_not_supported"
    with pytest.raises(PaymentMethodUnknown, match="KWD"):
        await peer.gateway.context(makers.due(money(12_340, "KWD")))
    assert paypal.seen == []


# --- context ------------------------------------------------------------------------------------


async def test_the_context_is_for_buttons_of_both_kinds(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    asked = makers.due(binding="cart-1")
    context = await peer.gateway.context(asked)
    assert context.fields == {
        "client_id": paypal_fake.CLIENT_ID,
        "environment": "sandbox",
        "intent": "capture",
        "paypal_order_id": context.reference,
        "custom_id": "cart-1",
    }
    order = paypal.orders[context.reference]
    assert (order["intent"], order["status"]) == ("CAPTURE", "CREATED")
    assert order["units"][0]["custom_id"] == "cart-1"
    payment = {"paypal_order_id": paypal.approve(context.reference)}
    attempt = due(context.reference)
    assert isinstance(await peer.gateway.charge(attempt, payment), Approved)
    # Paid: it is not handed out again, not even by the same request key.
    later = await peer.gateway.context(replace(asked, reference=context.reference))
    assert later.reference != context.reference
    assert paypal.orders[later.reference]["status"] == "CREATED"
    changed = replace(asked, reference=later.reference, amount=money(2000), request_key="k" * 300)
    assert (await peer.gateway.context(changed)).reference != later.reference


async def test_a_shop_that_reserves_says_so(paypal: FakePayPal) -> None:
    gateway = connected(paypal, capture="manual")
    context = await gateway.context(makers.due())
    assert context.fields["intent"] == "authorize"
    assert paypal.orders[context.reference]["intent"] == "AUTHORIZE"
    await gateway.close()


# --- tokens and credentials ---------------------------------------------------------------------


def tokens(paypal: FakePayPal) -> int:
    return sum(request.path == "/v1/oauth2/token" for request in paypal.seen)


async def test_a_token_is_used_until_a_minute_before_its_end() -> None:
    watch = Watch()
    async with FakePayPal(clock=watch, token_seconds=600) as paypal:
        gateway = connected(paypal)
        await asyncio.gather(*(gateway.context(makers.due()) for _ in range(4)))
        watch.pass_by(seconds=539)
        await gateway.context(makers.due())
        assert tokens(paypal) == 1
        watch.pass_by(seconds=2)
        await gateway.context(makers.due())
        assert tokens(paypal) == 2
        await gateway.close()


async def test_a_token_that_is_refused_is_renewed_once(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    await peer.gateway.context(makers.due())
    paypal.tokens.clear()
    order = approved(paypal)
    assert isinstance(await peer.gateway.charge(due(order), {"order_id": order}), Approved)
    assert tokens(paypal) == 2
    paypal.token_seconds = -1  # every token is refused
    paypal.tokens.clear()
    outcome = await peer.gateway.charge(due(), {})
    assert code(outcome) == "configuration_error"
    assert tokens(paypal) == 3


async def test_refused_credentials_decline_only_what_was_never_asked(
    paypal: FakePayPal, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = connected(paypal, client_secret="EwRoNgSeCrEtWrOnGsEcReT")
    with caplog.at_level(logging.DEBUG):
        assert code(await gateway.charge(due(), {})) == "configuration_error"
        assert isinstance(await gateway.charge(due(repeated=True), {}), Unknown)
        order = approved(paypal)
        assert isinstance(await gateway.lookup(due(order)), Unknown)
    assert "gateways.paypal.client_id" in caplog.text
    assert "EwRoNgSeCrEt" not in caplog.text
    assert "EwRoNgSeCrEt" not in repr(gateway)
    await gateway.close()


async def test_no_answer_in_the_middle_keeps_the_reference(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    """A browser's reservation, captured at once: the capture's answer is lost."""
    order = approved(paypal, intent="AUTHORIZE")
    paypal.take_in_browser(order)
    paypal.faults.append(Fault.ERROR_AFTER)
    outcome = await peer.gateway.charge(due(order), {"order_id": order})
    assert isinstance(outcome, Unknown)
    assert outcome.reference == order
    assert isinstance(await peer.gateway.lookup(due(order)), Approved)


# --- webhooks -----------------------------------------------------------------------------------


def event(kind: str, resource: Any, **more: Any) -> bytes:
    return json.dumps({"id": "WH-1", "event_type": kind, "resource": resource, **more}).encode()


async def test_webhooks_of_orders_captures_and_refunds_name_the_order(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    order = approved(paypal)
    attempt = due(order)
    outcome = await peer.gateway.charge(attempt, {"order_id": order})
    assert isinstance(outcome, Approved)
    await peer.gateway.refund(makers.refund(makers.approved(attempt, outcome), 500))
    charge, refund = (paypal._movement(entry) for entry in paypal.ledger)
    for kind, resource in (
        ("CHECKOUT.ORDER.APPROVED", {"id": order}),
        ("CHECKOUT.PAYMENT-APPROVAL.REVERSED", {"order_id": order}),
        ("PAYMENT.CAPTURE.PENDING", charge),
        ("PAYMENT.CAPTURE.REFUNDED", refund),
    ):
        raw = event(kind, resource)
        notice = await peer.gateway.parse_webhook(raw, paypal.sign(raw))
        assert notice is not None
        assert (notice.id, notice.kind, notice.reference) == ("WH-1", kind, order)


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        ("CUSTOMER.DISPUTE.CREATED", {"id": "PP-D-27803"}),
        ("BILLING.SUBSCRIPTION.ACTIVATED", {"id": "I-BW452GLLEP1G"}),
        ("PAYMENT.CAPTURE.COMPLETED", {"id": "5O190127TN364715T"}),
        ("CHECKOUT.ORDER.APPROVED", {"id": "../x"}),
        ("CHECKOUT.ORDER.APPROVED", []),
    ],
)
async def test_webhooks_about_nothing_of_ours_are_none(
    peer: PayPalPeer, paypal: FakePayPal, kind: str, resource: Any
) -> None:
    raw = event(kind, resource)
    assert await peer.gateway.parse_webhook(raw, paypal.sign(raw)) is None


async def test_the_body_goes_back_byte_for_byte(peer: PayPalPeer, paypal: FakePayPal) -> None:
    raw = (
        b'{ "id":"WH-1" ,\n"event_type" : "CHECKOUT.ORDER.APPROVED", "n": 1.10e1, "s": "\\u00e9 '
        + "é".encode()
        + b'", "resource": {"id":"5O190127TN364715T"}, "x": {"webhook_event": 1}}'
    )
    assert await peer.gateway.parse_webhook(raw, paypal.sign(raw)) is not None
    assert paypal.seen[-1].body.endswith(b'"webhook_event": ' + raw + b"}")


@pytest.mark.parametrize(
    "url",
    [
        f"http://api.{PAYPAL}/v1/notifications/certs/CERT-1",
        f"https://{PAYPAL}.evil.example/certs/CERT-1",
        f"https://evil{PAYPAL}/certs/CERT-1",
        f"https://api.{PAYPAL}@evil.example/certs/CERT-1",
        f"https://api.{PAYPAL}:8443/certs/CERT-1",
        "https://evil.example/?api.paypal.com",
        "https://[::1/certs",
        "file:///etc/passwd",
    ],
)
async def test_a_certificate_from_elsewhere_is_refused_without_asking(
    peer: PayPalPeer, paypal: FakePayPal, url: str
) -> None:
    raw = event("CHECKOUT.ORDER.APPROVED", {"id": "5O190127TN364715T"})
    headers = {**paypal.sign(raw), "paypal-cert-url": url}
    with pytest.raises(WebhookRefused, match="certificate"):
        await peer.gateway.parse_webhook(raw, headers)
    assert paypal.seen == []


@pytest.mark.parametrize(
    "sent_at",
    ["", "yesterday", "2026-11-22T12:00:00", "9999-12-31T23:59:59-14:00", "2016-02-18T20:01:35Z"],
)
async def test_a_time_that_is_none_or_long_ago_is_refused(
    peer: PayPalPeer, paypal: FakePayPal, sent_at: str
) -> None:
    raw = event("CHECKOUT.ORDER.APPROVED", {"id": "5O190127TN364715T"})
    headers = {**paypal.sign(raw), "paypal-transmission-time": sent_at}
    with pytest.raises(WebhookRefused):
        await peer.gateway.parse_webhook(raw, headers)
    assert paypal.seen == []


async def test_a_body_cannot_break_out_of_its_place(peer: PayPalPeer, paypal: FakePayPal) -> None:
    """What would read as members of our own request is no single JSON object."""
    raw = b'{}, "webhook_id": "mine", "x": {"id": "WH-1"}'
    with pytest.raises(WebhookRefused, match="JSON"):
        await peer.gateway.parse_webhook(raw, paypal.sign(raw))
    assert paypal.seen == []


async def test_webhooks_wait_for_paypal_and_need_an_id(paypal: FakePayPal) -> None:
    raw = event("CHECKOUT.ORDER.APPROVED", {"id": "5O190127TN364715T"})
    without, other = connected(paypal, webhook_id=""), connected(paypal, webhook_id="ANOTHER1")
    with pytest.raises(WebhookRefused, match="webhook_id"):
        await without.parse_webhook(raw, paypal.sign(raw))
    with pytest.raises(WebhookRefused):
        await other.parse_webhook(raw, paypal.sign(raw))
    paypal.broken = True
    with pytest.raises(ProviderSilent):
        await other.parse_webhook(raw, paypal.sign(raw))
    await without.close()
    await other.close()


# --- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"client_id": ""}, "client_id is empty"),
        ({"client_secret": ""}, "client_secret is empty"),
        ({"client_id": "pk_test_51"}, "another provider"),
        ({"client_secret": "sk_live_51"}, "another provider"),
        ({"client_id": "shop_api1.example.com@paypal"}, "no REST credential"),
        ({"client_secret": "two words"}, "no REST credential"),
        ({"client_secret": "AbCdEf"}, "is the client id"),
        ({"webhook_id": "https://shop.example/webhooks"}, "webhook_id"),
        ({"api_base": f"http://api-m.{PAYPAL}"}, "https"),
        ({"api_base": f"https://api-m.{PAYPAL}"}, "environment says sandbox"),
        ({"environment": "live", "api_base": f"https://api-m.sandbox.{PAYPAL}"}, "says live"),
    ],
)
def test_wrong_settings_are_named(changes: dict[str, str], word: str) -> None:
    good = {
        "environment": "sandbox",
        "client_id": "AbCdEf",
        "client_secret": "EfGhIj",
        "webhook_id": "0EH40505U7160970P",
        "api_base": "",
    }
    assert complaints(**good) == []
    found = complaints(**{**good, **changes})
    assert any(word in complaint for complaint in found), found
    assert not any("sk_live" in complaint for complaint in found)


async def test_the_shop_is_told_apart_from_a_test(paypal: FakePayPal) -> None:
    sandbox = connected(paypal, title="Pay by PayPal")
    live = connected(paypal, environment="live", client_secret="")
    assert (sandbox.description.title, sandbox.description.test_mode) == ("Pay by PayPal", True)
    assert (live.description.test_mode, live.description.is_connected) == (False, False)
    assert live.orders.approve_page == f"https://www.{PAYPAL}/checkoutnow?token="
    await sandbox.close()
    await live.close()
