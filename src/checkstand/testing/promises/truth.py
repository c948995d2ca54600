"""Promises about what a look-up finds out when an answer was lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from checkstand.payments.model import Approved, Attempt, Declined, NeedsAction, Unknown
from checkstand.testing import makers
from checkstand.testing.peer import Fault, Peer, Wish
from checkstand.testing.promises.asking import (
    Bill,
    asked,
    bill,
    charge,
    looked_up,
    matches_ledger,
    paid,
    until_approved,
)


def play(peer: Peer, fault: Fault) -> None:
    if fault not in peer.faults:
        pytest.skip(f"the provider cannot play: {fault.value}")
    peer.fail_next(fault)


class Truth:
    @pytest.mark.parametrize("fault", list(Fault))
    @pytest.mark.parametrize("crashed", [False, True], ids=["answered", "crashed"])
    async def test_after_a_fault_the_look_up_agrees_with_the_ledger(
        self, peer: Peer, fault: Fault, crashed: bool
    ) -> None:
        """`crashed`: the shop was stopped before it could note what the gateway said."""
        due = await bill(peer, Wish.APPROVE)
        play(peer, fault)
        outcome = await charge(peer, due)
        attempt = due.attempt
        if not isinstance(outcome, Unknown):
            await matches_ledger(peer, attempt, outcome)
        if not crashed and isinstance(outcome, Approved | Unknown) and outcome.reference:
            attempt = replace(attempt, reference=outcome.reference)
        found = await looked_up(peer, attempt)
        if fault in (Fault.TIMEOUT_AFTER, Fault.ERROR_AFTER, Fault.TWICE):
            assert isinstance(found, Approved), f"charged, and yet {found}"
        await matches_ledger(peer, attempt, found)
        await self.stays(peer, Bill(attempt, due.payment), found)

    async def test_what_the_provider_never_saw_is_declined_for_good(self, peer: Peer) -> None:
        due = await bill(peer, Wish.APPROVE)
        found = await looked_up(peer, due.attempt)
        assert isinstance(found, Declined), found
        assert await peer.charged(due.attempt.id) == []
        await self.stays(peer, due, found)

    async def test_what_waits_for_its_shopper_too_long_can_be_voided(self, peer: Peer) -> None:
        due = await bill(peer, Wish.ACTION)
        action = await charge(peer, due)
        attempt = replace(due.attempt, reference=getattr(action, "reference", ""), repeated=True)
        for _ in range(2):
            outcome = await asked(peer.gateway, peer.gateway.void(attempt))
            assert isinstance(outcome, Approved), outcome
        assert isinstance(await looked_up(peer, attempt), Declined)
        assert not isinstance(await charge(peer, Bill(attempt, due.payment)), Approved)
        assert await peer.charged(attempt.id) == []

    @staticmethod
    async def stays(peer: Peer, due: Bill, found: Approved | Declined) -> None:
        """The lost request comes at last, and is asked again by who knows that it is again."""
        for repeated in (False, True):
            resent = Bill(replace(due.attempt, repeated=repeated), due.payment)
            outcome = await charge(peer, resent)
            if isinstance(found, Declined):
                assert not isinstance(outcome, Approved), outcome
            await matches_ledger(peer, due.attempt, found)
        final = await looked_up(peer, due.attempt)
        assert type(final) is type(found), f"first {found}, later {final}"


class Returns:
    """Promises about giving money back."""

    @staticmethod
    async def paid(peer: Peer) -> Attempt:
        if "refunds" not in peer.gateway.description.supports:
            pytest.skip("the gateway does not give money back")
        return await paid(peer)

    async def test_a_full_refund_returns_all(self, peer: Peer) -> None:
        attempt = await self.paid(peer)
        outcome = await asked(peer.gateway, peer.gateway.refund(makers.refund(attempt)))
        assert isinstance(outcome, Approved), outcome
        assert outcome.reference, "a refund has a name at the provider"
        assert await peer.returned(attempt.id) == [1999]

    async def test_partial_refunds_add_up(self, peer: Peer) -> None:
        attempt = await self.paid(peer)
        for minor in (500, 500, 999):
            outcome = await peer.gateway.refund(makers.refund(attempt, minor))
            assert isinstance(outcome, Approved), outcome
            attempt = replace(attempt, refunded=attempt.refunded + minor)
        assert sorted(await peer.returned(attempt.id)) == [500, 500, 999]

    async def test_the_same_refund_pays_once(self, peer: Peer) -> None:
        attempt = await self.paid(peer)
        first = makers.refund(attempt, 700)
        for refund in (first, first, replace(first, repeated=True)):
            outcome = await peer.gateway.refund(refund)
            assert isinstance(outcome, Approved), outcome
        assert await peer.returned(attempt.id) == [700]

    async def test_the_same_refund_asked_at_the_same_time_pays_once(self, peer: Peer) -> None:
        attempt = await self.paid(peer)
        refund = makers.refund(attempt, 700)
        gateway = peer.gateway
        await asyncio.gather(*(asked(gateway, gateway.refund(refund)) for _ in range(3)))
        assert await peer.returned(attempt.id) == [700]

    async def test_a_refund_of_more_than_was_captured_is_declined(self, peer: Peer) -> None:
        attempt = await self.paid(peer)
        outcome = await asked(peer.gateway, peer.gateway.refund(makers.refund(attempt, 2000)))
        assert isinstance(outcome, Declined), outcome
        assert await peer.returned(attempt.id) == []

    async def test_a_refund_of_more_than_is_left_is_declined(self, peer: Peer) -> None:
        attempt = await self.paid(peer)
        first = await peer.gateway.refund(makers.refund(attempt, 1500))
        assert isinstance(first, Approved), first
        attempt = replace(attempt, refunded=1500)
        outcome = await asked(peer.gateway, peer.gateway.refund(makers.refund(attempt, 500)))
        assert isinstance(outcome, Declined), outcome
        assert await peer.returned(attempt.id) == [1500]

    @pytest.mark.parametrize("fault", list(Fault))
    async def test_after_a_fault_the_refund_still_pays_once(self, peer: Peer, fault: Fault) -> None:
        attempt = await self.paid(peer)
        refund = makers.refund(attempt, 700)
        play(peer, fault)
        outcome = await asked(peer.gateway, peer.gateway.refund(refund))
        assert not isinstance(outcome, Declined), outcome
        again = replace(refund, repeated=True)
        await until_approved(peer, lambda: peer.gateway.refund(again))
        assert await peer.returned(attempt.id) == [700]

    async def test_what_was_captured_cannot_be_voided(self, peer: Peer) -> None:
        attempt = await paid(peer)
        outcome = await asked(peer.gateway, peer.gateway.void(attempt))
        assert isinstance(outcome, Declined), outcome
        assert await peer.charged(attempt.id) == [1999]
        assert await peer.returned(attempt.id) == []


class Outages:
    """Promises about a provider that answers nothing of use: a revoked key, an exhausted limit, a
    bad day. What was paid before is still paid."""

    @pytest.mark.parametrize("status", [400, 401, 403, 405, 429, 500, 502, 503, 200])
    async def test_what_is_not_understood_is_never_a_decline(self, peer: Peer, status: int) -> None:
        due = await bill(peer, Wish.APPROVE)
        outcome = await charge(peer, due)
        assert isinstance(outcome, Approved), outcome
        attempt = makers.approved(due.attempt, outcome)
        gateway, refundable = peer.gateway, "refunds" in peer.gateway.description.supports
        refund = makers.refund(attempt, 700, repeated=True)
        if refundable:
            assert isinstance(await gateway.refund(refund), Approved)
        self.answer_all(peer, status)
        forgotten = replace(due.attempt, repeated=True)
        known = await asked(gateway, gateway.lookup(attempt))
        lost = await asked(gateway, gateway.lookup(forgotten))
        again = await asked(gateway, gateway.charge(forgotten, due.payment))
        for outcome in (known, lost, again):
            assert not isinstance(outcome, Declined), f"paid, and yet {outcome}"
        if refundable:
            outcome = await asked(gateway, gateway.refund(refund))
            assert not isinstance(outcome, Declined), f"given back, and yet {outcome}"
        self.answer_all(peer, None)
        assert isinstance(await looked_up(peer, attempt), Approved)
        assert await peer.charged(attempt.id) == [1999]
        assert await peer.returned(attempt.id) == ([700] if refundable else [])

    @pytest.mark.parametrize("status", [401, 429, 500, 200])
    async def test_a_first_charge_in_an_outage_charges_nothing(
        self, peer: Peer, status: int
    ) -> None:
        due = await bill(peer, Wish.APPROVE)
        self.answer_all(peer, status)
        outcome = await charge(peer, due)
        assert not isinstance(outcome, Approved | NeedsAction), outcome
        self.answer_all(peer, None)
        assert await peer.charged(due.attempt.id) == []

    @staticmethod
    def answer_all(peer: Peer, status: int | None) -> None:
        play = getattr(peer, "answer_all", None)
        if play is None or getattr(play, "__func__", None) is Peer.answer_all:
            pytest.skip("the peer cannot answer everything with one status")
        play(status)
