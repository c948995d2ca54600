"""The provider of the proofs, and the gateway to it, keep the promises that every gateway keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from checkstand.testing.provider import ProviderPeer, played
from checkstand.testing.suite import GatewaySuite


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with played() as url:
        yield url


class TestProvider(GatewaySuite):
    @pytest.fixture
    async def peer(self, provider: str) -> AsyncIterator[ProviderPeer]:
        peer = ProviderPeer(provider)
        yield peer
        await peer.gateway.close()
