"""Faults on the link to the provider, and races for the same money."""

from __future__ import annotations

import pytest

from checkstand.testing.proofs.faults import FaultProofs
from checkstand.testing.proofs.races import RaceProofs


class TestFaults(FaultProofs):
    """All of them."""


class TestRaces(RaceProofs):
    seeds = range(3)


@pytest.mark.prove
class TestManyRaces(RaceProofs):
    seeds = range(100, 160)
