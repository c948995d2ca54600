"""Whatever the order in which they come, with the provider that is made for it."""

from __future__ import annotations

import pytest

from checkstand.testing.proofs.interleavings import InterleavingProofs, play
from checkstand.testing.proofs.till import Stage


class TestInterleavings(InterleavingProofs):
    seeds = range(12)
    every = 10


@pytest.mark.prove
class TestManyInterleavings(InterleavingProofs):
    seeds = range(1_000, 1_300)


async def test_a_seed_plays_the_same_again(stage: Stage) -> None:
    """Some 150 steps of five actors in the same order: that is no accident. A machine with much
    other work may spoil one play of three."""
    plays = [tuple(await play(stage, 3)) for _ in range(3)]
    assert len(set(plays)) < len(plays)
