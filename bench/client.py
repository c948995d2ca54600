"""A load generator for machines without wrk: keep-alive connections, one request at a time on each.

    python -m bench.client PORT FILE --seconds N [--repeat] [--connections N]

Sends the requests of FILE (written by `bench.load.save`) once, or again and again, for at most N
seconds, and prints what came of it as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import orjson
import uvloop

from bench.load import CONNECTIONS, Tally

_LENGTH = b"content-length:"
_LAST_ANSWERS = 30
"""Seconds that answers under way at the end may take."""


class Run:
    """One measurement: the requests still to be sent, and the time that each answer took."""

    def __init__(self, shots: Iterator[bytes], seconds: float) -> None:
        self._shots = shots
        self._until = time.perf_counter() + seconds
        self.took: list[float] = []
        self.failures = 0

    def next(self) -> bytes | None:
        """None when the time or the requests are over."""
        return None if time.perf_counter() >= self._until else next(self._shots, None)


class Connection(asyncio.Protocol):
    """Sends the next request once the last is answered; `ended` is set after the last."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._received = b""
        self._whole = 0
        self._since = 0.0
        self._transport: asyncio.Transport | None = None
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._whole:
            self._whole = _size(self._received)
        if self._whole and len(self._received) >= self._whole:
            self._run.took.append(time.perf_counter() - self._since)
            self._run.failures += self._received[9:10] != b"2"
            self._received, self._whole = b"", 0
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        self._run.failures += not self.ended.is_set()
        self.ended.set()

    def _send(self) -> None:
        assert self._transport is not None
        shot = self._run.next()
        if shot is None:
            self.ended.set()
            self._transport.close()
            return
        self._since = time.perf_counter()
        self._transport.write(shot)


def _size(received: bytes) -> int:
    """The length of the answer with its head; 0 while the head is not complete."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return 0
    head = received[:end].lower()
    at = head.index(_LENGTH) + len(_LENGTH)
    return end + 4 + int(head[at:].split(b"\r", 1)[0])


async def measure(
    port: int, shots: Iterator[bytes], seconds: float, connections: int = CONNECTIONS
) -> Tally:
    """Loads 127.0.0.1:`port` over so many connections."""
    started = time.perf_counter()
    run = Run(shots, seconds)
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(lambda: Connection(run), "127.0.0.1", port)
        for _ in range(connections)
    ]
    async with asyncio.timeout(seconds + _LAST_ANSWERS):
        for _, connection in opened:
            await connection.ended.wait()
    taken = time.perf_counter() - started
    run.took.sort()
    p50, p95, p99 = (_percentile(run.took, part) for part in (0.50, 0.95, 0.99))
    return Tally(len(run.took), taken, run.failures, p50, p95, p99)


def _percentile(ordered: list[float], part: float) -> float:
    """In milliseconds."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000 if ordered else 0.0


def read(file: Path) -> list[bytes]:
    """The requests of a file."""
    shots = []
    with file.open("rb") as stream:
        while size := stream.readline():
            shots.append(stream.read(int(size)))
    return shots


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--repeat", action="store_true")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    given = parser.parse_args()
    shots = read(given.file)
    turn = itertools.cycle(shots) if given.repeat else iter(shots)
    tally = uvloop.run(measure(given.port, turn, given.seconds, given.connections))
    print(orjson.dumps(tally).decode())


if __name__ == "__main__":
    main()
