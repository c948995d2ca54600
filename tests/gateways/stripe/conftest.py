from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.gateways.stripe import localstripe
from tests.gateways.stripe.front import Front, front
from tests.gateways.stripe.peer import StripePeer, connected


@pytest.fixture(scope="session")
def localstripe_url() -> Iterator[str]:
    with localstripe.running() as url:
        yield url


@pytest.fixture
async def stripe_front(localstripe_url: str) -> AsyncIterator[Front]:
    async with front(localstripe_url) as made:
        yield made


@pytest.fixture
async def peer(stripe_front: Front) -> AsyncIterator[StripePeer]:
    charging, reserving = connected(stripe_front), connected(stripe_front, capture="manual")
    yield StripePeer(stripe_front, charging, reserving)
    await charging.close()
    await reserving.close()
