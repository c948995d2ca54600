"""`python -m bench`: how fast the shop is, against a floor on the same machine.

Starts a PostgreSQL, a demo shop and the floor of its own, and stops them again. Needs a minute
or four; `--quick` says in half a minute whether everything works. Timings never fail a build.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import (
    answers,
    checkouts,
    guarding,
    importing,
    listing,
    logins,
    memory,
    paths,
    profiling,
    report,
    statements,
)
from bench.paths import Measured, measured_paths
from bench.report import Findings
from bench.serving import serving
from bench.stage import Stage, open_stage
from bench.throughput import Turns, compare

_PARTS = (*paths.NAMES, "checkouts", "guards", "logins", "memory", "import", "listing")
_PROFILE_SECONDS = 8


def main() -> int:
    given = _arguments()
    _only_our_settings()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    found = Findings(given.quick)
    try:
        with open_stage() as stage:
            every = measured_paths(stage.product_id)
            if given.profile:
                chosen = next(path for path in every if path.name == given.profile)
                captured = answers.capture(stage, every)
                profiling.profile(chosen, stage, captured, 2 if given.quick else _PROFILE_SECONDS)
                return 0
            _measure(stage, every, given.only or _PARTS, found)
    except KeyboardInterrupt:
        print("\nStopped; this is what was measured until then.", file=sys.stderr)
    report.show(found)
    print(f"Kept in {os.path.relpath(report.keep(found), Path.cwd())}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small numbers: does it all work?")
    parser.add_argument(
        "--only", action="append", choices=_PARTS, help="this part; may be repeated"
    )
    parser.add_argument("--profile", choices=paths.NAMES, help="show where the time goes instead")
    return parser.parse_args()


def _only_our_settings() -> None:
    """What the environment says of a shop of the caller's must not change what is measured."""
    for name in [name for name in os.environ if name.startswith("CHECKSTAND_")]:
        del os.environ[name]


def _measure(
    stage: Stage, every: Sequence[Measured], parts: Sequence[str], found: Findings
) -> None:
    """Fills `found` part by part, so that what is there can be shown when it is interrupted."""
    captured = answers.capture(stage, every)
    chosen = [path for path in every if path.name in parts]
    if chosen:
        _say("counting statements")
        found.costs = statements.count(stage, chosen)
        turns = Turns(rounds=1, seconds=1, warm_up=0) if found.quick else Turns()
        with serving("shop", stage, captured) as shop, serving("floor", stage, captured) as floor:
            for path in chosen:
                _say(f"{path.name}: shop and floor in turns")
                found.comparisons[path.name] = compare(path, stage, shop, floor, turns)
                found.paths = [*found.paths, path]
    if "guards" in parts:
        _say("guards: GET checkout with and without key and limits")
        found.guards = guarding.measure(stage, 20 if found.quick else 200)
    if "logins" in parts:
        _say("logins: can a wrong password be told from an unknown name?")
        found.logins = logins.measure(stage, 40 if found.quick else 120)
    if "checkouts" in parts:
        orders = 500 if found.quick else 3_000
        _say(f"{orders:,} checkouts through the sandbox, {checkouts.AT_ONCE} at once")
        found.checkouts = checkouts.measure(stage, captured, orders)
    if "memory" in parts:
        requests = 1_000 if found.quick else 20_000
        _say(f"memory: 2 x {requests:,} mixed requests")
        found.footprint = memory.measure(stage, every, captured, requests)
    if "import" in parts:
        rows = 2_000 if found.quick else 50_000
        _say(f"import of {rows:,} rows")
        found.imported = importing.measure(stage, rows)
    if "listing" in parts:
        rows = 2_000 if found.quick else 50_000
        _say(f"lists of {rows:,} products")
        found.listing = listing.measure(stage, rows, 1 if found.quick else 6)


def _say(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
