"""Where a worker's time goes on one path, seen in two ways.

`cprofile` counts every call, which makes small functions look larger than they are. `samples`
looks at the stack at every few milliseconds of CPU time: shares are true, there are no counts.
"""

from __future__ import annotations

import cProfile
import pstats
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType

import orjson

from bench import load
from bench.answers import Answer
from bench.paths import Measured
from bench.serving import serving
from bench.stage import Stage

KINDS = ("cprofile", "samples")
_EVERY = 0.001  # seconds of CPU time; the kernel may make it 4 ms
_SHOWN = 40


def run_profiled(kind: str, file: Path, serve: Callable[[], None]) -> None:
    """In the worker: serves, and writes the profile when that ends."""
    if kind == "cprofile":
        profile = cProfile.Profile()
        try:
            profile.runcall(serve)
        finally:
            profile.dump_stats(file)
        return
    sampler = _Sampler()
    try:
        sampler.start()
        serve()
    finally:
        sampler.stop()
        file.write_bytes(orjson.dumps(sampler.shares()))


class _Sampler:
    """Counts the functions on the stack each time the timer fires."""

    def __init__(self) -> None:
        self._stacks: Counter[tuple[CodeType, ...]] = Counter()

    def start(self) -> None:
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, _EVERY, _EVERY)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _look(self, number: int, frame: FrameType | None) -> None:
        stack = []
        while frame is not None:
            stack.append(frame.f_code)
            frame = frame.f_back
        self._stacks[tuple(stack)] += 1

    def shares(self) -> dict[str, object]:
        """Samples by function: on top of the stack, and anywhere on it."""
        own: Counter[str] = Counter()
        within: Counter[str] = Counter()
        for stack, seen in self._stacks.items():
            own[_named(stack[0])] += seen
            for name in {_named(code) for code in stack}:
                within[name] += seen
        return {"samples": sum(self._stacks.values()), "own": own, "within": within}


def _named(code: CodeType) -> str:
    """`cart/service.py:128 change`, with enough of the path to find it."""
    _, found, inside = code.co_filename.rpartition("site-packages/")
    short = inside if found else code.co_filename.rpartition("/src/checkstand/")[2]
    return f"{short}:{code.co_firstlineno} {code.co_qualname}"


def profile(path: Measured, stage: Stage, answers: list[Answer], seconds: int) -> None:
    """Loads the shop on one path, once for each kind of profile, and prints them."""
    for kind in KINDS:
        file = stage.folder / f"{path.name}.{kind}"
        with serving("shop", stage, answers, (kind, file)) as worker:
            count = seconds * 2000 if path.once else path.carts
            carts = stage.carts("shop", count, f"profile {kind} {path.name}", path.promoted)
            turns = range(max(1, len(path.bodies)))
            shots = [path.request(cart, stage.keys, turn) for turn in turns for cart in carts]
            saved = load.save(shots, stage.folder / "profile.shots")
            tally = load.for_seconds(worker.port, saved, seconds)
        print(f"\n=== {path.name}, {kind}: {tally.requests} requests ===")
        _show(kind, file, tally.requests)


def _show(kind: str, file: Path, requests: int) -> None:
    if kind == "cprofile":
        stats = pstats.Stats(str(file))
        for order in ("tottime", "cumtime"):
            print(f"--- top {_SHOWN} by {order}")
            stats.sort_stats(order).print_stats(_SHOWN)
        return
    found = orjson.loads(file.read_bytes())
    for column in ("own", "within"):
        print(f"--- top {_SHOWN} of {found['samples']} samples, {column}")
        ordered = sorted(found[column].items(), key=lambda entry: -entry[1])
        for name, seen in ordered[: _SHOWN * (2 if column == "within" else 1)]:
            print(f"{seen / found['samples']:7.1%}  {name}")
