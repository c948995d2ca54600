"""Promises about manual capture: reserved first, taken or let go of later."""

from __future__ import annotations

from typing import cast

import pytest

from checkstand.kit.money import Currency
from checkstand.payments.gateway import Gateway
from checkstand.payments.model import Approved, Attempt, Declined, Funds, Unknown
from checkstand.testing import makers
from checkstand.testing.makers import money
from checkstand.testing.peer import Fault, Peer, Wish
from checkstand.testing.promises.asking import (
    asked,
    assert_declined,
    bill,
    charge,
    looked_up,
    optional,
    until_approved,
)
from checkstand.testing.promises.truth import play


class Reserving:
    @pytest.fixture
    def gateway(self, peer: Peer) -> Gateway:
        """The gateway with manual capture."""
        found = optional(peer, "reserving")
        if found is None:
            pytest.skip("the gateway has no manual capture")
        return cast("Gateway", found)

    @staticmethod
    async def reserved(peer: Peer, gateway: Gateway) -> Attempt:
        due = await bill(peer, Wish.APPROVE, gateway=gateway)
        first, second = await charge(peer, due, gateway), await charge(peer, due, gateway)
        assert isinstance(first, Approved), first
        assert first.funds is Funds.AUTHORISED
        assert second == first
        assert await peer.reserved(due.attempt.id) == [1999]
        assert await peer.charged(due.attempt.id) == []
        return makers.approved(due.attempt, first)

    async def test_money_is_reserved_once_then_captured_once(
        self, peer: Peer, gateway: Gateway
    ) -> None:
        attempt = await self.reserved(peer, gateway)
        for _ in range(2):
            outcome = await asked(gateway, gateway.capture(attempt, attempt.amount))
            assert isinstance(outcome, Approved), outcome
            assert outcome.funds is Funds.CAPTURED
            assert outcome.captured is None, "it is the whole"
        assert await peer.charged(attempt.id) == [1999]
        assert await peer.reserved(attempt.id) == []

    async def test_less_than_was_reserved_can_be_captured(
        self, peer: Peer, gateway: Gateway
    ) -> None:
        """Whoever captures or looks it up is told how much it was."""
        attempt = await self.reserved(peer, gateway)
        for _ in range(2):
            outcome = await asked(gateway, gateway.capture(attempt, money(1200)))
            assert isinstance(outcome, Approved), outcome
            assert (outcome.funds, outcome.captured) == (Funds.CAPTURED, money(1200))
        assert await peer.charged(attempt.id) == [1200]
        found = await looked_up(peer, attempt, gateway)
        assert isinstance(found, Approved), found
        assert (found.funds, found.captured) == (Funds.CAPTURED, money(1200))

    @pytest.mark.parametrize(("first", "then"), [(1200, 1999), (1200, 700), (1999, 1200)])
    async def test_another_amount_than_was_captured_is_not_confirmed(
        self, peer: Peer, gateway: Gateway, first: int, then: int
    ) -> None:
        attempt = await self.reserved(peer, gateway)
        assert isinstance(await gateway.capture(attempt, money(first)), Approved)
        kept = makers.approved(attempt, Approved(Funds.CAPTURED, captured=money(first)))
        for known in (attempt, kept):  # the answer was lost, or not
            outcome = await asked(gateway, gateway.capture(known, money(then)))
            declined = assert_declined(outcome)
            assert declined.gateway_error["code"] == "already_captured"
        assert await peer.charged(attempt.id) == [first]

    @pytest.mark.parametrize("fault", list(Fault))
    async def test_after_a_fault_it_is_known_how_much_was_captured(
        self, peer: Peer, gateway: Gateway, fault: Fault
    ) -> None:
        attempt = await self.reserved(peer, gateway)
        play(peer, fault)
        outcome = await asked(gateway, gateway.capture(attempt, money(1200)))
        assert isinstance(outcome, Approved | Unknown), outcome
        found = await looked_up(peer, attempt, gateway)
        assert isinstance(found, Approved), found
        charged = await peer.charged(attempt.id)
        if found.funds is Funds.AUTHORISED:
            assert charged == []
        else:
            assert (charged, found.captured) == ([1200], money(1200))

    async def test_a_reservation_counts_in_the_providers_units(
        self, peer: Peer, gateway: Gateway
    ) -> None:
        """A shop may keep its prices without cents: `captured` is what it booked, in its units."""
        whole = Currency("USD", 0)
        due = await bill(peer, Wish.APPROVE, whole.money(25), gateway=gateway)
        outcome = await charge(peer, due, gateway)
        assert isinstance(outcome, Approved), outcome
        assert await peer.reserved(due.attempt.id) == [2500]
        attempt = makers.approved(due.attempt, outcome)
        taken = await asked(gateway, gateway.capture(attempt, whole.money(10)))
        assert isinstance(taken, Approved), taken
        assert taken.captured == whole.money(10)
        assert await peer.charged(attempt.id) == [1000]
        again = await asked(gateway, gateway.capture(attempt, whole.money(25)))
        assert isinstance(again, Declined), again
        found = await looked_up(peer, attempt, gateway)
        assert isinstance(found, Approved), found
        assert found.captured == whole.money(10)

    async def test_more_than_was_reserved_is_not_captured(
        self, peer: Peer, gateway: Gateway
    ) -> None:
        attempt = await self.reserved(peer, gateway)
        outcome = await asked(gateway, gateway.capture(attempt, money(2000)))
        assert isinstance(outcome, Declined), outcome
        assert await peer.charged(attempt.id) == []

    async def test_what_is_reserved_can_be_let_go_of(self, peer: Peer, gateway: Gateway) -> None:
        attempt = await self.reserved(peer, gateway)
        for _ in range(2):
            outcome = await asked(gateway, gateway.void(attempt))
            assert isinstance(outcome, Approved), outcome
            assert outcome.funds is Funds.RETURNED
        late = await asked(gateway, gateway.capture(attempt, attempt.amount))
        assert not isinstance(late, Approved), late
        assert await peer.charged(attempt.id) == []
        assert await peer.reserved(attempt.id) == []

    async def test_what_was_captured_later_cannot_be_voided(
        self, peer: Peer, gateway: Gateway
    ) -> None:
        attempt = await self.reserved(peer, gateway)
        assert isinstance(await gateway.capture(attempt, attempt.amount), Approved)
        outcome = await asked(gateway, gateway.void(attempt))
        assert isinstance(outcome, Declined), outcome
        assert await peer.charged(attempt.id) == [1999]

    async def test_its_look_up_says_that_it_is_reserved(self, peer: Peer, gateway: Gateway) -> None:
        attempt = await self.reserved(peer, gateway)
        found = await looked_up(peer, attempt, gateway)
        assert isinstance(found, Approved), found
        assert found.funds is Funds.AUTHORISED

    @pytest.mark.parametrize("fault", list(Fault))
    async def test_after_a_fault_the_capture_takes_once(
        self, peer: Peer, gateway: Gateway, fault: Fault
    ) -> None:
        attempt = await self.reserved(peer, gateway)
        play(peer, fault)
        outcome = await asked(gateway, gateway.capture(attempt, attempt.amount))
        assert isinstance(outcome, Approved | Unknown), outcome
        await until_approved(peer, lambda: gateway.capture(attempt, attempt.amount))
        assert await peer.charged(attempt.id) == [1999]
