"""How `checkstand demo` is stopped while it fills the shop."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from checkstand.cli.demo import _completed, _Stop


@pytest.fixture
def stop() -> Iterator[_Stop]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [(number, signal.getsignal(number)) for number in numbers]
    stop = _Stop()
    stop.listen()
    yield stop
    for number, handler in before:
        signal.signal(number, handler)


def test_a_second_signal_leaves_the_unwinding_alone(stop: _Stop) -> None:
    unwound: list[str] = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(10)
        finally:  # as a transaction does that is rolled back
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.05)
            unwound.append("to the end")

    with pytest.raises(KeyboardInterrupt):
        _completed(work(), stop)
    assert unwound == ["to the end"]
