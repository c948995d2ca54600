"""Resident memory of a worker that serves a mixed load: how much, and whether it grows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench import load
from bench.answers import Answer
from bench.paths import CARTS, Measured
from bench.serving import serving
from bench.stage import Stage

BUDGET_MB = 120.0
_FLAT_MB = 4.0
# Of twenty requests: a shopper looks more often than he adds, and orders once.
_MIX = {"read-checkout": 7, "read-cart": 7, "add-item": 3, "update": 2, "process": 1}


@dataclass(frozen=True, slots=True)
class Footprint:
    """In MB: at the start, after `requests`, and after as many again."""

    requests: int
    started: float
    first: float
    second: float
    failures: int

    @property
    def ok(self) -> bool:
        """Within the budget, and flat."""
        flat = self.second - self.first <= _FLAT_MB
        return flat and max(self.first, self.second) <= BUDGET_MB and not self.failures


def measure(
    stage: Stage, paths: Sequence[Measured], answers: list[Answer], requests: int
) -> Footprint:
    """Loads a fresh worker twice with `requests` mixed requests."""
    with serving("shop", stage, answers) as worker:
        started = worker.resident_mb()
        failures, sizes = 0, []
        for half in ("first", "second"):
            shots = load.save(_mixed(stage, paths, requests, half), stage.folder / "mixed.shots")
            failures += load.whole_file(worker.port, shots).failures
            sizes.append(worker.resident_mb())
    return Footprint(requests, started, sizes[0], sizes[1], failures)


def _mixed(stage: Stage, paths: Sequence[Measured], requests: int, half: str) -> Iterator[bytes]:
    cycle = [path for path in paths for _ in range(_MIX.get(path.name, 0))]
    kept = stage.carts("shop", CARTS * 4, f"mixed {half}")
    orders = iter(stage.carts("shop", requests // len(cycle) + 1, f"mixed orders {half}"))
    for number in range(requests):
        # A step that shares no factor with the cycle mixes the kinds and reaches each of them.
        path = cycle[number * 7 % len(cycle)]
        cart = next(orders) if path.once else kept[number // 3 % len(kept)]
        yield path.request(cart, stage.keys, number)
