"""What PayPal's orders come to: spellings, binding, issues, the way by redirect."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkstand.payments.gateways.paypal import sent
from checkstand.payments.model import (
    Approved,
    Declined,
    Funds,
    NeedsAction,
    Unknown,
)
from checkstand.testing import makers
from checkstand.testing.promises.hostile import JUNK
from tests.gateways import paypal_fake
from tests.gateways.paypal_fake import FakePayPal
from tests.gateways.paypal_peer import PayPalPeer, approved, code, connected, due, moved, playing


@pytest.fixture
async def peer() -> AsyncIterator[PayPalPeer]:
    async with playing() as found:
        yield found


@pytest.fixture
def paypal(peer: PayPalPeer) -> FakePayPal:
    return peer.paypal


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.from_regex(r"[A-Z0-9]{7,37}", fullmatch=True)
)

# --- payment data ---------------------------------------------------------------------------------


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


KEYS = ("paypal_order_id", "order_id", "orderID", "paypal_payer_id", "gross_amount", "currency")


@pytest.mark.parametrize("junk", JUNK)
async def test_junk_is_declined_or_as_if_nothing_was_sent(
    peer: PayPalPeer, paypal: FakePayPal, junk: str
) -> None:
    payment = dict.fromkeys(KEYS, JUNK[junk])
    assert peer.gateway.browser_payment(payment) == ""
    outcome = await peer.gateway.charge(due(), payment)
    empty = JUNK[junk] is None or JUNK[junk] == ""
    assert isinstance(outcome, NeedsAction if empty else Declined), outcome
    assert paypal.ledger == []


@given(st.dictionaries(st.sampled_from(KEYS), st.recursive(LEAVES, st.lists)))
def test_nothing_that_is_sent_breaks_the_reading(payment: dict[str, Any]) -> None:
    found = sent.read(payment)
    assert found.order_id in ("", *payment.values())
    assert sent.order_id(payment) == found.order_id
    assert found.refusal is None or found.wrong


async def test_an_order_of_another_shop_is_declined(peer: PayPalPeer) -> None:
    payment = {"order_id": "5O190127TN364715T"}
    outcome = await peer.gateway.charge(due("5O190127TN364715T"), payment)
    assert code(outcome) == "order_unknown"


# --- binding --------------------------------------------------------------------------------------


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


# --- what PayPal answers --------------------------------------------------------------------------


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
    assert isinstance(await peer.gateway.charge(due(), {}), NeedsAction)
    asked = makers.due()
    prepared = await peer.gateway.context(asked)
    again = await peer.gateway.context(asked)  # by the request id alone
    assert again.reference == prepared.reference


async def test_what_cannot_be_read_is_unknown(peer: PayPalPeer, paypal: FakePayPal) -> None:
    order = approved(paypal)
    paypal.broken = True
    assert isinstance(await peer.gateway.charge(due(order), {"order_id": order}), Unknown)
    assert isinstance(await peer.gateway.lookup(due(order)), Unknown)


# --- by redirect ----------------------------------------------------------------------------------


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
