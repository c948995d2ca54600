"""How the promises are put to a gateway: as the shop asks it, with the peer's ledger beside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from checkstand.kit.clock import SystemClock
from checkstand.kit.money import Money
from checkstand.payments.gateway import Gateway
from checkstand.payments.model import Approved, Attempt, Declined, Outcome, Unknown
from checkstand.testing import makers
from checkstand.testing.peer import Impossible, Peer, Wish

_SLACK = 2.0  # seconds, for machines with other work


@dataclass(frozen=True, slots=True)
class Bill:
    """An attempt and the payment data that the shopper sent with it."""

    attempt: Attempt
    payment: Mapping[str, Any]


def optional(peer: Peer, name: str) -> Any:
    """A member of the peer that it may leave out."""
    return getattr(peer, name, getattr(Peer, name))


def clock_of(peer: Peer) -> Any:
    return getattr(peer, "clock", SystemClock())


async def bill(
    peer: Peer, wish: Wish, amount: Money | None = None, *, gateway: Gateway | None = None
) -> Bill:
    """What the shop has when a shopper has sent a payment; the test is skipped when the provider
    cannot play the wish."""
    if wish not in peer.wishes:
        pytest.skip(f"the provider cannot play: {wish.value}")
    asked = gateway or peer.gateway
    made = makers.attempt(asked.description.id, amount)
    made = replace(made, created_at=clock_of(peer).now())
    try:
        payment = await peer.payment(wish, made.amount, made.binding)
    except Impossible as reason:
        pytest.skip(f"the provider does not begin it: {reason}")
    made = replace(made, reference=asked.browser_payment(payment))
    expect(peer, made)
    return Bill(made, payment)


def expect(peer: Peer, attempt: Attempt) -> None:
    told = getattr(peer, "expect", None)
    if told is not None:
        told(attempt)


async def asked(gateway: Gateway, answer: Awaitable[Outcome]) -> Outcome:
    """The answer as the shop takes it: what is raised is Unknown; it is there within the
    gateway's own timeout."""
    try:
        async with asyncio.timeout(gateway.timeout + _SLACK) as limit:
            outcome = await answer
    except AssertionError:
        raise
    except Exception as error:
        assert not limit.expired(), "no answer within the gateway's own timeout"
        return Unknown(type(error).__name__)
    assert isinstance(outcome, Outcome), f"not an outcome: {outcome!r}"
    return outcome


async def charge(peer: Peer, of: Bill, gateway: Gateway | None = None) -> Outcome:
    told = gateway or peer.gateway
    return await asked(told, told.charge(of.attempt, of.payment))


async def paid(peer: Peer, amount: Money | None = None) -> Attempt:
    """An attempt that was charged and approved."""
    due = await bill(peer, Wish.APPROVE, amount)
    outcome = await charge(peer, due)
    assert isinstance(outcome, Approved), outcome
    return makers.approved(due.attempt, outcome)


async def looked_up(
    peer: Peer, attempt: Attempt, gateway: Gateway | None = None
) -> Approved | Declined:
    """What the gateway finds out in the end, asked as often as it takes."""
    told = gateway or peer.gateway
    patience: float = optional(peer, "patience")
    started = time.monotonic()
    looked = replace(attempt, repeated=True)
    while True:
        outcome = await asked(told, told.lookup(looked))
        if isinstance(outcome, Approved | Declined):
            return outcome
        spent = time.monotonic() - started
        assert spent < patience, f"after {spent:.0f} s the look-up still says {outcome}"
        if outcome.reference:
            looked = replace(looked, reference=outcome.reference)
        if spent > patience / 10:
            older = looked.created_at - timedelta(minutes=10)
            looked = replace(looked, created_at=older, looks=looked.looks + 1)
        await asyncio.sleep(patience / 50)


async def until_approved(peer: Peer, ask: Callable[[], Awaitable[Outcome]]) -> Approved:
    """Asked again while the answer is Unknown, as the shop's worker does."""
    deadline = time.monotonic() + float(optional(peer, "patience"))
    while True:
        outcome = await asked(peer.gateway, ask())
        if isinstance(outcome, Approved):
            return outcome
        assert isinstance(outcome, Unknown), outcome
        assert time.monotonic() < deadline, f"still {outcome}"
        await asyncio.sleep(0.05)


async def matches_ledger(peer: Peer, attempt: Attempt, outcome: Outcome) -> None:
    """Approved: charged once. Anything else: not charged at all."""
    charged = await peer.charged(attempt.id)
    if isinstance(outcome, Approved):
        assert charged == [attempt.amount.minor], f"approved, but charged {charged}"
    else:
        assert charged == [], f"{type(outcome).__name__}, but charged {charged}"


def assert_declined(outcome: Outcome) -> Declined:
    """Declined with what contract checkout.md 9.1 and a shopper need."""
    assert isinstance(outcome, Declined), outcome
    assert outcome.message.strip(), "a decline has a message for the shopper"
    code = outcome.gateway_error.get("code")
    assert isinstance(code, str), "gateway_error has a code"
    assert code, "gateway_error has a code"
    assert isinstance(outcome.gateway_error.get("message"), str), "gateway_error has a message"
    return outcome
