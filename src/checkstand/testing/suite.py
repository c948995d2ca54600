"""The suite that every gateway passes, ours and third parties'.

    class TestAcme(GatewaySuite):
        @pytest.fixture
        async def peer(self) -> AsyncIterator[Peer]:
            async with fake_acme() as provider:
                yield AcmePeer(provider)

Each test proves one promise of `payments.gateway` with nothing but the peer: it asks the gateway
as the shop does, and believes only the peer's ledger. What the provider cannot play is skipped,
and pytest says so.
"""

from __future__ import annotations

import pytest

from checkstand.testing.peer import Peer
from checkstand.testing.promises.charging import Acting, Browsing, Charging
from checkstand.testing.promises.hostile import Hostile, Webhooks
from checkstand.testing.promises.reserving import Reserving
from checkstand.testing.promises.telling import Telling
from checkstand.testing.promises.truth import Outages, Returns, Truth


class GatewaySuite(
    Charging, Acting, Browsing, Truth, Outages, Returns, Reserving, Hostile, Webhooks, Telling
):
    """Subclass it and say how a peer is made; every test gets a new one."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def peer(self) -> Peer:
        raise NotImplementedError("a subclass of GatewaySuite has a fixture `peer`")
