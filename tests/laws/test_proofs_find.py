"""The proofs can fail: gateways that are broken on purpose are found out."""

from __future__ import annotations

from typing import Any

import pytest

from checkstand.payments.model import Attempt, Declined, Outcome
from checkstand.testing.proofs.crashes import Crash, play, rehearse
from checkstand.testing.proofs.crashing import Moment
from checkstand.testing.proofs.interleavings import play as interleaving
from checkstand.testing.proofs.scenes import Ordering
from checkstand.testing.proofs.till import MovedClock, Stage
from checkstand.testing.provider import ProviderPeer
from checkstand.testing.provider.gateway import ProviderGateway


class ChargesAgain(ProviderGateway):
    """No idempotency key: asked twice, it charges twice."""

    async def _moved(self, what: str, said: dict[str, Any]) -> Any:
        return await super()._moved(what, {**said, "again": True})


class DeclinesTooEarly(ProviderGateway):
    """What it has not heard of at once, it calls declined, and leaves it be."""

    async def lookup(self, attempt: Attempt) -> Outcome:
        return Declined("Not paid.", {"code": "declined", "message": "Not paid."})


def broken(stage: Stage, kind: type[ProviderGateway]) -> Stage:
    def connect(clock: MovedClock) -> ProviderPeer:
        peer = stage.connect(clock)
        assert isinstance(peer, ProviderPeer)
        peer.gateway = kind(peer.url, clock, 1.0)
        return peer

    return Stage(stage.database_url, connect)


@pytest.mark.parametrize(
    ("kind", "client_first"),
    [(ChargesAgain, True), (DeclinesTooEarly, False)],
    ids=["charges again", "declines too early"],
)
def test_the_crash_matrix_finds(
    stage: Stage, kind: type[ProviderGateway], client_first: bool
) -> None:
    """The first points, where nothing was asked yet, pass; some later one does not."""
    rehearse(stage)
    scene = Ordering()
    assert play(broken(stage, kind), Crash(scene, 1, Moment.SENT, client_first))
    with pytest.raises(AssertionError, match="killed at point"):
        for point in range(26, 200, 4):
            if not play(broken(stage, kind), Crash(scene, point, Moment.ANSWERED, client_first)):
                pytest.fail("nobody has noticed")


async def test_the_interleavings_find(stage: Stage) -> None:
    with pytest.raises(AssertionError) as found:
        for seed in range(40):
            await interleaving(broken(stage, DeclinesTooEarly), seed)
    assert "seed" in "".join(found.value.__notes__)
