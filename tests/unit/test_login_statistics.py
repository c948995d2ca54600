"""The statistics of `bench.logins`, which decide whether times tell something."""

from __future__ import annotations

import random

import pytest

from bench.logins import Logins, compared


def test_times_that_say_nothing() -> None:
    dice = random.Random(4)
    these, those = ([dice.gauss(100, 20) for _ in range(300)] for _ in range(2))
    share, off = compared(these, those)
    assert abs(share - 0.5) < 0.06
    assert abs(off) < 3
    assert Logins("", {}, share, off).ok


def test_times_that_tell() -> None:
    dice = random.Random(4)
    these = [dice.gauss(110, 20) for _ in range(300)]
    those = [dice.gauss(100, 20) for _ in range(300)]
    share, off = compared(these, those)
    assert share > 0.58
    assert off > 3
    assert not Logins("", {}, share, off).ok


def test_the_share_of_pairs() -> None:
    assert compared([2.0, 3.0], [1.0, 1.0])[0] == 1
    assert compared([1.0, 1.0], [1.0, 1.0])[0] == pytest.approx(0.5)
    assert compared([1.0, 2.0], [3.0])[0] == 0
