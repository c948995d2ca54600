"""Where the proofs of payments play: the run's PostgreSQL, emptied, and the played provider."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from checkstand.testing.proofs.till import Stage
from checkstand.testing.provider import ProviderPeer, played
from tests.conftest import emptied


@pytest.fixture(scope="session")
def provider() -> Iterator[str]:
    with played() as url:
        yield url


@pytest.fixture
def stage(postgres_url: str, provider: str) -> Stage:
    asyncio.run(emptied(postgres_url))
    return Stage(postgres_url, lambda clock: ProviderPeer(provider, clock, timeout=1.0))
