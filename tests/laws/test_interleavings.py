"""Whatever the order in which they come, with the provider that is made for it."""

from __future__ import annotations

import pytest

from checkstand.testing.proofs.interleavings import InterleavingProofs


class TestInterleavings(InterleavingProofs):
    seeds = range(12)
    every = 10


@pytest.mark.prove
class TestManyInterleavings(InterleavingProofs):
    seeds = range(1_000, 1_300)
