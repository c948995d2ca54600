"""The promises of every gateway, kept by PayPal's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from checkstand.testing.peer import Peer, Wish
from checkstand.testing.promises.asking import assert_declined, bill, charge
from checkstand.testing.promises.charging import Browsing
from checkstand.testing.suite import GatewaySuite
from tests.gateways.paypal_peer import PayPalPeer, playing


class TestPayPal(GatewaySuite):
    @pytest.fixture
    async def peer(self) -> AsyncIterator[Peer]:
        async with playing() as peer:
            yield peer


class TestPayPalCapturedInTheBrowser(Browsing):
    """As `Browsing`, where PayPal's script has taken the money before the server hears of it."""

    @pytest.fixture
    async def peer(self) -> AsyncIterator[PayPalPeer]:
        async with playing(captured_in_browser=True) as peer:
            yield peer

    @pytest.mark.parametrize("binding", ["another-cart", ""])
    async def test_it_does_not_pay_for_another_cart(self, peer: PayPalPeer, binding: str) -> None:
        """It is declined, and left alone: it may be the payment of something that was delivered,
        in this shop or in another one of the same PayPal account. Whoever sends its id must not
        be able to have it given back."""
        due = await bill(peer, Wish.BROWSER)
        attempt = replace(due.attempt, binding=binding)
        declined = assert_declined(await peer.gateway.charge(attempt, due.payment))
        assert declined.gateway_error["code"] == "binding_mismatch"
        assert await peer.charged(due.attempt.id) == [1999]
        assert await peer.returned(due.attempt.id) == []
        assert type(await charge(peer, due)).__name__ == "Approved"
