"""The sandbox keeps every promise of a gateway, on a real PostgreSQL."""

from __future__ import annotations

import pytest

from checkstand.storage.database import Database
from checkstand.testing.suite import GatewaySuite
from tests.gateways.sandbox_peer import SandboxPeer


class TestSandbox(GatewaySuite):
    @pytest.fixture
    async def peer(self, database: Database) -> SandboxPeer:
        return SandboxPeer(database)
