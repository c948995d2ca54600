"""Answers that were lost: whatever happened in between, a look-up's word is final."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from checkstand.payments.model import Approved, Declined, Funds, NeedsAction, Unknown
from checkstand.testing import makers
from checkstand.testing.makers import money
from checkstand.testing.peer import Fault, Wish
from tests.gateways.stripe.peer import StripePeer, connected

PAYMENT = {"payment_method_id": "pm_card_visa"}
CREATE, CUSTOMERS = re.compile("/v1/payment_intents"), re.compile("/v1/customers")
LONG_AGO = datetime.now(UTC) - timedelta(days=2)


@pytest.mark.parametrize("fault", list(Fault))
async def test_faults_of_the_first_request(peer: StripePeer, fault: Fault) -> None:
    """Nobody has confirmed what it made: nothing is charged, now or later, or exactly once."""
    attempt = makers.attempt("stripe")
    peer.front.fault_on = CREATE
    peer.fail_next(fault)
    first = await peer.gateway.charge(attempt, PAYMENT)
    assert isinstance(first, Approved if fault is Fault.TWICE else Unknown), first
    if fault is not Fault.TWICE:
        assert isinstance(await peer.gateway.lookup(attempt), Declined)
        for repeated in (False, True):
            late = await peer.gateway.charge(replace(attempt, repeated=repeated), PAYMENT)
            assert not isinstance(late, Approved), late
    assert await peer.charged(attempt.id) == ([1999] if fault is Fault.TWICE else [])


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.TIMEOUT_AFTER])
async def test_silence_ends_in_time(peer: StripePeer, fault: Fault) -> None:
    """The line stays open, and nothing comes."""
    hasty = connected(peer.front, timeout=0.6)
    attempt = makers.attempt("stripe")
    peer.front.silent = True
    peer.fail_next(fault)
    async with asyncio.timeout(5):
        outcome = await hasty.charge(attempt, PAYMENT)
    await hasty.close()
    assert isinstance(outcome, Unknown)
    found = await peer.gateway.lookup(attempt)
    assert isinstance(found, Declined if fault is Fault.LOST else Approved)
    assert await peer.charged(attempt.id) == ([] if fault is Fault.LOST else [1999])


async def test_a_repeated_charge_goes_on_where_the_first_was_cut_off(peer: StripePeer) -> None:
    attempt = makers.attempt("stripe")
    peer.front.fault_on = CREATE
    peer.fail_next(Fault.TIMEOUT_AFTER)
    assert isinstance(await peer.gateway.charge(attempt, PAYMENT), Unknown)
    again = await peer.gateway.charge(replace(attempt, repeated=True), PAYMENT)
    assert isinstance(again, Approved)
    assert await peer.charged(attempt.id) == [1999]
    assert len(await peer.front.intents(attempt.id)) == 1


@pytest.mark.parametrize("fault", [Fault.ERROR_BEFORE, Fault.LOST])
async def test_a_confirmation_that_never_happened_can_be_repeated(
    peer: StripePeer, fault: Fault
) -> None:
    attempt = makers.attempt("stripe")
    peer.fail_next(fault)
    assert isinstance(await peer.gateway.charge(attempt, PAYMENT), Unknown)
    again = await peer.gateway.charge(replace(attempt, repeated=True), PAYMENT)
    assert isinstance(again, Approved)
    assert await peer.charged(attempt.id) == [1999]


async def test_an_error_that_stripe_remembers_does_not_stand_in_the_way(peer: StripePeer) -> None:
    """The confirmation was answered 500 and did nothing: its key says 500 for a day."""
    attempt = makers.attempt("stripe")
    peer.fail_next(Fault.LOST)
    assert isinstance(await peer.gateway.charge(attempt, PAYMENT), Unknown)
    real = peer.front._confirmed

    async def broken(name: str, params: dict[str, str]) -> tuple[int, dict[str, object]]:
        return 500, {"error": {"type": "api_error"}}

    peer.front._confirmed = broken  # type: ignore[method-assign]
    repeated = replace(attempt, repeated=True)
    assert isinstance(await peer.gateway.charge(repeated, PAYMENT), Unknown)
    peer.front._confirmed = real  # type: ignore[method-assign]
    assert isinstance(await peer.gateway.charge(repeated, PAYMENT), Approved)
    assert await peer.charged(attempt.id) == [1999]


async def test_a_charge_that_was_paid_is_found_after_its_keys_are_forgotten(
    peer: StripePeer,
) -> None:
    """The shop was down for two days; Stripe forgets keys after one."""
    attempt = makers.attempt("stripe", created_at=LONG_AGO)
    assert isinstance(await peer.gateway.charge(attempt, PAYMENT), Approved)
    peer.front.stored.clear()
    assert isinstance(await peer.gateway.lookup(attempt), Approved)
    again = await peer.gateway.charge(replace(attempt, repeated=True), PAYMENT)
    assert isinstance(again, Approved)
    assert await peer.charged(attempt.id) == [1999]


async def test_what_was_never_begun_is_declined_after_days_too(peer: StripePeer) -> None:
    attempt = makers.attempt("stripe", created_at=LONG_AGO)
    assert isinstance(await peer.gateway.lookup(attempt), Declined)
    late = await peer.gateway.charge(replace(attempt, repeated=True), PAYMENT)
    assert isinstance(late, Declined)


async def test_a_charge_made_under_other_settings_is_found(peer: StripePeer) -> None:
    """The shop went from automatic to manual capture while the answer was lost."""
    assert peer.reserving is not None
    attempt = makers.attempt("stripe")
    assert isinstance(await peer.gateway.charge(attempt, PAYMENT), Approved)
    assert isinstance(await peer.reserving.lookup(attempt), Approved)
    again = await peer.reserving.charge(replace(attempt, repeated=True), PAYMENT)
    assert isinstance(again, Approved)
    assert await peer.charged(attempt.id) == [1999]


async def test_a_repeated_charge_without_payment_data_settles_the_first(peer: StripePeer) -> None:
    attempt = makers.attempt("stripe")
    assert isinstance(await peer.gateway.charge(attempt, PAYMENT), Approved)
    again = await peer.gateway.charge(replace(attempt, repeated=True), {})
    assert isinstance(again, Approved)


async def test_a_refund_is_found_after_its_key_is_forgotten(peer: StripePeer) -> None:
    attempt = makers.attempt("stripe")
    outcome = await peer.gateway.charge(attempt, PAYMENT)
    assert isinstance(outcome, Approved)
    refund = makers.refund(makers.approved(attempt, outcome), 700)
    first = await peer.gateway.refund(refund)
    peer.front.stored.clear()
    assert await peer.gateway.refund(replace(refund, repeated=True)) == first
    assert await peer.returned(attempt.id) == [700]


async def test_a_refund_that_failed_and_is_remembered_so_is_found(peer: StripePeer) -> None:
    attempt = makers.attempt("stripe")
    outcome = await peer.gateway.charge(attempt, PAYMENT)
    assert isinstance(outcome, Approved)
    refund = makers.refund(makers.approved(attempt, outcome), 700)
    peer.fail_next(Fault.ERROR_AFTER)
    assert isinstance(await peer.gateway.refund(refund), Unknown)
    # Not told that it is a repetition: the stored failure itself says so.
    assert isinstance(await peer.gateway.refund(refund), Approved)
    assert await peer.returned(attempt.id) == [700]


async def test_a_look_up_keeps_what_a_lost_answer_has_reserved(peer: StripePeer) -> None:
    assert peer.reserving is not None
    attempt = makers.attempt("stripe")
    peer.fail_next(Fault.TIMEOUT_AFTER)
    assert isinstance(await peer.reserving.charge(attempt, PAYMENT), Unknown)
    outcome = await peer.reserving.lookup(attempt)
    assert isinstance(outcome, Approved)
    assert outcome.funds is Funds.AUTHORISED
    assert await peer.reserved(attempt.id) == [1999]


async def test_a_look_up_keeps_what_waits_for_the_shopper(peer: StripePeer) -> None:
    attempt = makers.attempt("stripe")
    payment = await peer.payment(Wish.ACTION, attempt.amount, attempt.binding)
    peer.fail_next(Fault.TIMEOUT_AFTER)
    assert isinstance(await peer.gateway.charge(attempt, payment), Unknown)
    action = await peer.gateway.lookup(attempt)
    assert isinstance(action, NeedsAction)
    await peer.act(action, agree=True)
    assert isinstance(await peer.gateway.lookup(attempt), Approved)
    assert await peer.charged(attempt.id) == [1999]


async def test_a_void_says_when_it_is_too_late(peer: StripePeer) -> None:
    attempt = makers.attempt("stripe", money(1999))
    assert isinstance(await peer.gateway.charge(attempt, PAYMENT), Approved)
    outcome = await peer.gateway.void(attempt)
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["code"] == "already_captured"


async def test_a_void_of_what_never_arrived_keeps_it_from_arriving(peer: StripePeer) -> None:
    attempt = makers.attempt("stripe")
    assert isinstance(await peer.gateway.void(attempt), Approved)
    assert isinstance(await peer.gateway.charge(attempt, PAYMENT), Declined)
    assert await peer.charged(attempt.id) == []


async def test_a_gateway_elsewhere_charges_the_same_attempt_once(peer: StripePeer) -> None:
    attempt = makers.attempt("stripe")
    other = connected(peer.front)
    assert isinstance(await peer.gateway.charge(attempt, PAYMENT), Approved)
    assert isinstance(await other.charge(attempt, {"payment_method_id": "pm_other"}), Approved)
    await other.close()
    assert await peer.charged(attempt.id) == [1999]
