from __future__ import annotations

import pytest

from checkstand.testing.suite import GatewaySuite
from tests.gateways.stripe.peer import StripePeer


class TestStripe(GatewaySuite):
    @pytest.fixture
    def peer(self, peer: StripePeer) -> StripePeer:
        return peer
