"""What comes after the first request: look-ups, late requests, capture, void, refund."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checkstand.payments.model import (
    Approved,
    Attempt,
    AttemptState,
    Declined,
    Funds,
    Unknown,
)
from checkstand.testing import makers
from checkstand.testing.makers import money
from tests.gateways import paypal_fake
from tests.gateways.paypal_fake import FakePayPal
from tests.gateways.paypal_peer import PayPalPeer, approved, code, due, moved, playing


@pytest.fixture
async def peer() -> AsyncIterator[PayPalPeer]:
    async with playing() as found:
        yield found


@pytest.fixture
def paypal(peer: PayPalPeer) -> FakePayPal:
    return peer.paypal


# --- look-ups and late requests -------------------------------------------------------------------


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


# --- capture, void and refund ---------------------------------------------------------------------


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


async def test_a_reservation_that_cannot_be_captured_is_let_go_of(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    order = approved(paypal, intent="AUTHORIZE")
    paypal.take_in_browser(order)
    paypal.capturable = False
    outcome = await peer.gateway.charge(due(order), {"order_id": order})
    assert code(outcome) == "payer_cannot_pay"
    assert moved(paypal) == [("reservation", "19.99", "VOIDED")]


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


async def reserved(peer: PayPalPeer, paypal: FakePayPal) -> Attempt:
    assert peer.reserving is not None
    attempt = due(approved(paypal, intent="AUTHORIZE"))
    outcome = await peer.reserving.charge(attempt, {"order_id": attempt.reference})
    assert isinstance(outcome, Approved), outcome
    return makers.approved(attempt, outcome)


async def test_a_part_is_read_in_the_order_when_the_answer_is_minimal(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    attempt = await reserved(peer, paypal)
    paypal.minimal = True
    outcome = await peer.reserving.capture(attempt, money(1200))
    assert outcome == Approved(Funds.CAPTURED, attempt.reference, captured=money(1200))


async def test_a_part_that_paypal_does_not_tell_is_not_taken_for_the_whole(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    attempt = await reserved(peer, paypal)
    paypal.ledger[-1].status = "PARTIALLY_CAPTURED"
    assert isinstance(await peer.reserving.lookup(attempt), Unknown)


async def test_a_part_stays_what_was_taken_when_it_is_given_back(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    attempt = await reserved(peer, paypal)
    outcome = await peer.reserving.capture(attempt, money(1200))
    assert isinstance(outcome, Approved), outcome
    attempt = makers.approved(attempt, outcome)
    assert isinstance(await peer.reserving.refund(makers.refund(attempt, 1200)), Approved)
    found = await peer.reserving.lookup(attempt)
    assert found == Approved(Funds.CAPTURED, attempt.reference, captured=money(1200))
