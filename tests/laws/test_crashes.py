"""The crash matrix, with the provider that is made for it."""

from __future__ import annotations

import pytest

from checkstand.testing.proofs.crashes import CrashProofs


class TestCrashes(CrashProofs):
    every = 41


@pytest.mark.prove
class TestEveryCrash(CrashProofs):
    """Each point."""
