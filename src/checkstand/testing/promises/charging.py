"""Promises about charging: once, never by mistake, to the unit, and only for whom it is meant."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from checkstand.kit.money import Currency
from checkstand.payments.gateway import Gateway
from checkstand.payments.model import Approved, Attempt, Declined, Funds, NeedsAction, Unknown
from checkstand.testing import makers
from checkstand.testing.makers import money
from checkstand.testing.peer import Peer, Wish
from checkstand.testing.promises.asking import (
    Bill,
    asked,
    assert_declined,
    bill,
    charge,
    expect,
    looked_up,
    matches_ledger,
    paid,
)


class Charging:
    async def test_an_approved_payment_is_charged_once(self, peer: Peer) -> None:
        due = await bill(peer, Wish.APPROVE)
        outcome = await charge(peer, due)
        assert isinstance(outcome, Approved), outcome
        assert outcome.funds is Funds.CAPTURED
        assert outcome.reference, "an approved payment has a name at the provider"
        assert await peer.charged(due.attempt.id) == [1999]
        found = await looked_up(peer, makers.approved(due.attempt, outcome))
        assert isinstance(found, Approved), found
        assert (found.funds, found.reference) == (outcome.funds, outcome.reference)

    @pytest.mark.parametrize("repeated", [False, True])
    async def test_the_same_attempt_asked_again_charges_once(
        self, peer: Peer, repeated: bool
    ) -> None:
        due = await bill(peer, Wish.APPROVE)
        first = await charge(peer, due)
        again = Bill(replace(due.attempt, repeated=repeated), due.payment)
        second = await charge(peer, again)
        assert isinstance(first, Approved), first
        assert isinstance(second, Approved), second
        assert second.reference == first.reference
        assert await peer.charged(due.attempt.id) == [1999]

    @pytest.mark.parametrize("repeated", [False, True])
    async def test_the_same_attempt_asked_at_the_same_time_charges_once(
        self, peer: Peer, repeated: bool
    ) -> None:
        due = await bill(peer, Wish.APPROVE)
        other = Bill(replace(due.attempt, repeated=repeated), due.payment)
        outcomes = await asyncio.gather(*(charge(peer, b) for b in (due, other, other)))
        assert all(isinstance(outcome, Approved | Unknown) for outcome in outcomes), outcomes
        assert await peer.charged(due.attempt.id) == [1999]
        assert isinstance(await looked_up(peer, due.attempt), Approved)

    async def test_two_attempts_are_two_charges(self, peer: Peer) -> None:
        first, second = await paid(peer), await paid(peer)
        assert first.reference != second.reference
        assert await peer.charged(first.id) == [1999]
        assert await peer.charged(second.id) == [1999]

    @pytest.mark.parametrize("wish", [Wish.DECLINE, Wish.INSUFFICIENT_FUNDS])
    async def test_a_decline_says_why_and_charges_nothing(self, peer: Peer, wish: Wish) -> None:
        due = await bill(peer, wish)
        declined = assert_declined(await charge(peer, due))
        if wish is Wish.INSUFFICIENT_FUNDS:
            assert "insufficient" in json.dumps(dict(declined.gateway_error)).lower()
        assert await peer.charged(due.attempt.id) == []
        assert isinstance(await looked_up(peer, due.attempt), Declined)
        again = await charge(peer, Bill(replace(due.attempt, repeated=True), due.payment))
        assert not isinstance(again, Approved), again
        assert await peer.charged(due.attempt.id) == []

    @pytest.mark.parametrize(
        ("minor", "code"),
        [
            (1999, "USD"),
            (100_000, "USD"),
            (500, "JPY"),
            (12_340, "KWD"),
            (12_345, "KWD"),
            (150_000, "HUF"),
            (150_050, "HUF"),
        ],
    )
    async def test_amounts_are_charged_to_the_unit(self, peer: Peer, minor: int, code: str) -> None:
        """Or the provider cannot take the amount, and the decline says so."""
        due = await bill(peer, Wish.APPROVE, money(minor, code))
        outcome = await charge(peer, due)
        if not isinstance(outcome, Approved):
            assert code != "USD", outcome
            assert_declined(outcome)
        await matches_ledger(peer, due.attempt, outcome)

    async def test_an_amount_without_cents_is_charged_in_the_providers_units(
        self, peer: Peer
    ) -> None:
        """A shop may keep its prices with fewer decimals than ISO 4217: 25 dollars are no cents."""
        whole = Currency("USD", 0)
        attempt = await paid(peer, whole.money(25))
        assert await peer.charged(attempt.id) == [2500]
        found = await looked_up(peer, attempt)
        assert isinstance(found, Approved), found
        assert found.captured is None, "it is the whole"
        refund = makers.refund(attempt)
        outcome = await asked(peer.gateway, peer.gateway.refund(refund))
        assert isinstance(outcome, Approved), outcome
        kept = sum(await peer.charged(attempt.id)) - sum(await peer.returned(attempt.id))
        assert kept == 0, "all of it went back, or was called off"


class Acting:
    """Promises about payments for which the shopper has to do something."""

    @staticmethod
    async def begun(peer: Peer) -> tuple[Bill, NeedsAction]:
        due = await bill(peer, Wish.ACTION)
        outcome = await charge(peer, due)
        assert isinstance(outcome, NeedsAction), outcome
        assert outcome.redirect_url or outcome.action_type, "the shopper is told what to do"
        json.dumps(dict(outcome.action_data))
        assert await peer.charged(due.attempt.id) == []
        return Bill(makers.continued(due.attempt, outcome), due.payment), outcome

    @pytest.mark.parametrize("payment", ["the same", "none"])
    async def test_an_agreed_action_is_charged_once(self, peer: Peer, payment: str) -> None:
        due, action = await self.begun(peer)
        await peer.act(action, agree=True)
        sent = due.payment if payment == "the same" else {}
        outcome = await charge(peer, Bill(due.attempt, sent))
        assert isinstance(outcome, Approved), outcome
        assert await peer.charged(due.attempt.id) == [1999]
        repeated = await charge(peer, Bill(due.attempt, sent))
        assert isinstance(repeated, Approved), repeated
        assert await peer.charged(due.attempt.id) == [1999]

    async def test_asked_too_early_it_still_needs_the_action(self, peer: Peer) -> None:
        due, action = await self.begun(peer)
        early = await charge(peer, due)
        assert isinstance(early, NeedsAction), early
        assert await peer.charged(due.attempt.id) == []
        await peer.act(action, agree=True)
        assert isinstance(await charge(peer, due), Approved)
        assert await peer.charged(due.attempt.id) == [1999]

    async def test_a_refused_action_is_declined(self, peer: Peer) -> None:
        due, action = await self.begun(peer)
        await peer.act(action, agree=False)
        assert_declined(await charge(peer, due))
        assert await peer.charged(due.attempt.id) == []
        assert isinstance(await looked_up(peer, due.attempt), Declined)

    async def test_a_shopper_who_agrees_and_never_comes_back(self, peer: Peer) -> None:
        due, action = await self.begun(peer)
        await peer.act(action, agree=True)
        outcome = await peer.gateway.lookup(due.attempt)
        await matches_ledger(peer, due.attempt, outcome)
        if isinstance(outcome, NeedsAction | Unknown):
            outcome = await charge(peer, due)
            assert isinstance(outcome, Approved), outcome
            await matches_ledger(peer, due.attempt, outcome)


class Browsing:
    """Promises about payments that the shopper's browser began."""

    async def test_a_payment_from_the_browser_is_charged_once(self, peer: Peer) -> None:
        due = await bill(peer, Wish.BROWSER)
        assert due.attempt.reference, "browser_payment tells the reference"
        for _ in range(2):
            outcome = await charge(peer, due)
            assert isinstance(outcome, Approved), outcome
            assert await peer.charged(due.attempt.id) == [1999]

    async def test_it_does_not_pay_another_amount(self, peer: Peer) -> None:
        due = await bill(peer, Wish.BROWSER)
        await self.refused(peer, due, replace(due.attempt, amount=money(199_900)))

    async def test_it_does_not_pay_a_smaller_amount(self, peer: Peer) -> None:
        due = await bill(peer, Wish.BROWSER)
        await self.refused(peer, due, replace(due.attempt, amount=money(1998)))

    async def test_it_does_not_pay_in_another_currency(self, peer: Peer) -> None:
        due = await bill(peer, Wish.BROWSER)
        await self.refused(peer, due, replace(due.attempt, amount=money(1999, "EUR")))

    @pytest.mark.parametrize("binding", ["another-cart", ""])
    async def test_it_does_not_pay_for_another_cart(self, peer: Peer, binding: str) -> None:
        due = await bill(peer, Wish.BROWSER)
        await self.refused(peer, due, replace(due.attempt, binding=binding))

    async def test_its_look_up_tells_the_truth(self, peer: Peer) -> None:
        """The shop was stopped between the shopper's payment and the charge."""
        due = await bill(peer, Wish.BROWSER)
        outcome = await looked_up(peer, due.attempt)
        await matches_ledger(peer, due.attempt, outcome)
        if isinstance(outcome, Declined):
            assert not isinstance(await charge(peer, due), Approved)
            assert await peer.charged(due.attempt.id) == []

    @staticmethod
    async def refused(peer: Peer, due: Bill, attempt: Attempt) -> None:
        expect(peer, attempt)
        gateway: Gateway = peer.gateway
        assert_declined(await gateway.charge(attempt, due.payment))
        kept = sum(await peer.charged(attempt.id)) - sum(await peer.returned(attempt.id))
        assert kept == 0, "declined, and the money kept"
