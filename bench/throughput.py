"""Shop and floor under the same load, in turns, so that the machine's noise meets both."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from statistics import mean

from bench import load
from bench.load import CONNECTIONS, Tally
from bench.paths import CARTS, Measured
from bench.serving import Worker
from bench.stage import Stage

_FIRST_GUESS = 4000
"""Orders a second that no server of one process makes."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What one server did on one path, over all its turns."""

    per_second: float
    cpu_ms: float
    """CPU time of the server's process for one request; other processes' noise is not in it."""
    p50: float
    p95: float
    p99: float
    failures: int

    @classmethod
    def of(cls, tallies: list[Tally], cpu_seconds: float) -> Pace:
        requests = sum(tally.requests for tally in tallies)
        return cls(
            per_second=requests / sum(tally.seconds for tally in tallies),
            cpu_ms=cpu_seconds * 1000 / max(requests, 1),
            p50=mean(tally.p50 for tally in tallies),
            p95=mean(tally.p95 for tally in tallies),
            p99=mean(tally.p99 for tally in tallies),
            failures=sum(tally.failures for tally in tallies),
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    shop: Pace
    floor: Pace

    @property
    def ratio(self) -> float:
        return self.shop.per_second / self.floor.per_second if self.floor.per_second else 0.0

    @property
    def cpu_ratio(self) -> float:
        """As `ratio`, from CPU time: what it would be if the worker were all that counts."""
        return self.floor.cpu_ms / self.shop.cpu_ms if self.shop.cpu_ms else 0.0


@dataclass(frozen=True, slots=True)
class Turns:
    """How long to load: `rounds` turns of `seconds` for each server, after a warm-up. Whole
    seconds, as wrk wants them."""

    rounds: int = 2
    seconds: int = 4
    warm_up: int = 1


def compare(path: Measured, stage: Stage, shop: Worker, floor: Worker, turns: Turns) -> Comparison:
    """Warms both up, then measures shop, floor, shop, floor ..."""
    contestants = [_Contestant(path, stage, worker) for worker in (shop, floor)]
    if turns.warm_up:
        for contestant in contestants:
            contestant.warm_up(turns.warm_up)
    for _ in range(turns.rounds):
        for contestant in contestants:
            contestant.run(turns.seconds)
    return Comparison(*(contestant.pace() for contestant in contestants))


class _Contestant:
    """One server on one path, with carts of its own."""

    def __init__(self, path: Measured, stage: Stage, worker: Worker) -> None:
        self._path, self._stage, self._worker = path, stage, worker
        self._labels = (f"{path.name} {worker.owner} {turn}" for turn in itertools.count())
        self._rate = float(_FIRST_GUESS)
        self._cpu = 0.0
        self._tallies: list[Tally] = []
        if not path.once:
            self._make_shots(path.carts)

    def warm_up(self, seconds: int) -> None:
        """Says what rate to expect."""
        if self._path.once:
            self._make_shots(int(self._rate * seconds))
        self._rate = self._load(seconds).per_second

    def run(self, seconds: int) -> None:
        """One turn. RuntimeError when carts that can be used once ran out."""
        carts = int(self._rate * seconds * 2) + CARTS
        if self._path.once:
            self._make_shots(carts)
        before = self._worker.cpu_seconds()
        tally = self._load(seconds)
        self._cpu += self._worker.cpu_seconds() - before
        self._tallies.append(tally)
        if self._path.once and tally.requests + CONNECTIONS > carts:
            raise RuntimeError(f"{carts} carts were not enough for {self._path.name}")

    def pace(self) -> Pace:
        return Pace.of(self._tallies, self._cpu)

    def _load(self, seconds: int) -> Tally:
        return load.for_seconds(self._worker.port, self._file, seconds)

    def _make_shots(self, count: int) -> None:
        """New carts, and a file with a request for each of them and each body."""
        owner, label = self._worker.owner, next(self._labels)
        carts = self._stage.carts(owner, count, label, self._path.promoted)
        turns = range(max(1, len(self._path.bodies)))
        keys = self._stage.keys
        shots = (self._path.request(cart, keys, turn) for turn in turns for cart in carts)
        self._file = load.save(shots, self._stage.folder / f"{self._worker.owner}.shots")
