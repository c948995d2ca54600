"""What is printed and what is kept of a run."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson

from bench import guarding, importing, load, memory
from bench.checkouts import Checkouts
from bench.guarding import Guards
from bench.importing import Imported
from bench.listing import BUDGET_PER_SECOND, BUDGET_STATEMENTS, Listing
from bench.logins import TELLS_NOTHING, Logins
from bench.memory import Footprint
from bench.paths import Measured
from bench.statements import Cost
from bench.throughput import Comparison

_RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(slots=True)
class Findings:
    """All that a run has found so far."""

    quick: bool
    paths: Sequence[Measured] = ()
    costs: dict[str, Cost] = field(default_factory=dict)
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    guards: Guards | None = None
    logins: Sequence[Logins] = ()
    checkouts: Sequence[Checkouts] = ()
    footprint: Footprint | None = None
    imported: Imported | None = None
    listing: Listing | None = None


def show(found: Findings) -> None:
    """Prints the tables; budgets that are exceeded stand out."""
    if found.comparisons:
        _table(_PACE_HEAD, [_pace_row(path, found) for path in found.paths])
        _table(_DETAIL_HEAD, [_detail_row(path, found) for path in found.paths])
    if found.checkouts:
        _table(_CHECKOUT_HEAD, [_checkout_row(seen) for seen in found.checkouts])
    if found.logins:
        _table(_LOGIN_HEAD, [_login_row(seen) for seen in found.logins])
    rows = [
        *_guard_rows(found.guards),
        *_memory_rows(found.footprint),
        *_import_rows(found.imported),
        *_listing_rows(found.listing),
    ]
    if rows:
        _table(("what", "measured", "budget", "ok?"), rows)
    for path in found.paths:
        cost = found.costs.get(path.name)
        if cost is not None and cost.over(path):
            print(f"OVER BUDGET: {path.name} costs {_counted(cost)}, not {_budget(path)}:")
            print("".join(f"    {number}. {text}\n" for number, text in _numbered(cost)))


_PACE_HEAD = (
    "path", "shop req/s", "floor req/s", "ratio", "budget", "statements", "budget", "ok?",
)  # fmt: skip
_DETAIL_HEAD = (
    "path", "shop ms p50", "p95", "p99", "floor ms p50", "p95", "p99",
    "shop CPU ms", "floor CPU ms", "CPU ratio",
)  # fmt: skip


def _pace_row(path: Measured, found: Findings) -> tuple[str, ...]:
    seen, cost = found.comparisons[path.name], found.costs[path.name]
    failures = seen.shop.failures + seen.floor.failures
    wrong = [
        f"{failures} failures" if failures else "",
        "STATEMENTS" if cost.over(path) else "",
        "slow" if seen.ratio < path.ratio else "",
    ]
    return (
        path.name,
        f"{seen.shop.per_second:,.0f}",
        f"{seen.floor.per_second:,.0f}",
        f"{seen.ratio:.2f}",
        f">= {path.ratio:.2f}",
        _counted(cost),
        _budget(path),
        ", ".join(filter(None, wrong)) or "ok",
    )


_CHECKOUT_HEAD = (
    "checkouts through the sandbox", "orders", "checkouts/s", "ms p50", "p95", "p99",
    "failures", "orders = ledger", "ok?",
)  # fmt: skip


def _checkout_row(seen: Checkouts) -> tuple[str, ...]:
    return (
        f"{seen.at_once} at once",
        f"{seen.orders:,}",
        f"{seen.per_second:,.0f}",
        *(f"{value:.1f}" for value in (seen.p50, seen.p95, seen.p99)),
        str(seen.failures),
        "yes" if seen.agrees else "NO",
        "ok" if seen.ok else "WRONG",
    )


_LOGIN_HEAD = (
    "logins", "each", "right p50 ms", "wrong p50", "p95", "unknown p50", "p95",
    "wrong slower", "std errors", "budget", "ok?",
)  # fmt: skip


def _login_row(seen: Logins) -> tuple[str, ...]:
    right, wrong, unknown = seen.took.values()
    return (
        seen.noise,
        str(wrong.count),
        *(f"{value:.1f}" for value in (right.p50, wrong.p50, wrong.p95, unknown.p50, unknown.p95)),
        f"{seen.slower:.3f}",
        f"{seen.errors_off:+.1f}",
        f"0.5 +- {TELLS_NOTHING}",
        "ok" if seen.ok else "TELLS",
    )


def _counted(cost: Cost) -> str:
    return _spelled(len(cost.statements), cost.transactions)


def _budget(path: Measured) -> str:
    return "<= " + _spelled(path.statements, path.transactions)


def _spelled(statements: int, transactions: int) -> str:
    return f"{statements} in {transactions} tx" if transactions else str(statements)


def _numbered(cost: Cost) -> list[tuple[int, str]]:
    return list(enumerate((text[:110] for text in cost.statements), start=1))


def _detail_row(path: Measured, found: Findings) -> tuple[str, ...]:
    seen = found.comparisons[path.name]
    times = [
        f"{value:.1f}"
        for pace in (seen.shop, seen.floor)
        for value in (pace.p50, pace.p95, pace.p99)
    ]
    cpu = (f"{seen.shop.cpu_ms:.3f}", f"{seen.floor.cpu_ms:.3f}", f"{seen.cpu_ratio:.2f}")
    return (path.name, *times, *cpu)


def _guard_rows(seen: Guards | None) -> list[tuple[str, ...]]:
    if seen is None:
        return []
    measured = f"{seen.share:.0%} ({seen.bare_us:.0f} us without, {seen.guarded_us:.0f} us with)"
    return [("key and limits of GET checkout", measured, f"<= {guarding.BUDGET:.0%}", _ok(seen.ok))]


def _memory_rows(seen: Footprint | None) -> list[tuple[str, ...]]:
    if seen is None:
        return []
    what = f"worker after {seen.requests:,} and {2 * seen.requests:,} mixed requests"
    failed = f" ({seen.failures} failures)" if seen.failures else ""
    measured = f"{seen.first:.1f} MB, {seen.second:.1f} MB (start {seen.started:.1f}){failed}"
    return [(what, measured, f"<= {memory.BUDGET_MB:.0f} MB, flat", _ok(seen.ok))]


def _import_rows(seen: Imported | None) -> list[tuple[str, ...]]:
    if seen is None:
        return []
    budget = f"<= {importing.BUDGET_SECONDS:.0f} s, <= {importing.BUDGET_MB:.0f} MB"
    measured = f"{seen.seconds:.1f} s, peak {seen.peak_mb:.0f} MB"
    return [(f"import of {seen.rows:,} rows", measured, budget, _ok(seen.ok))]


def _listing_rows(seen: Listing | None) -> list[tuple[str, ...]]:
    if seen is None:
        return []
    what = f"pages of 10 of {seen.rows:,} products, {seen.queries:,} filters"
    rows: list[tuple[str, ...]] = [
        (
            f"{what}, {how}",
            f"{tally.per_second:,.0f} req/s, p95 {tally.p95:.1f} ms, {tally.failures} failures, "
            f"{cpu:.1f} ms CPU of worker and database each",
            f">= {BUDGET_PER_SECOND:,.0f} req/s",
            _ok(tally.per_second >= BUDGET_PER_SECOND and not tally.failures),
        )
        for how, tally, cpu in (
            ("as asked", seen.kept, seen.kept_cpu_ms),
            ("each made anew", seen.anew, seen.anew_cpu_ms),
        )
    ]
    most = f"{seen.statements} statements at most"
    rows.append(
        (f"{what}, each made anew", most, f"<= {BUDGET_STATEMENTS}", _ok(seen.ok_statements))
    )
    return rows


def _ok(ok: bool) -> str:
    return "ok" if ok else "OVER"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for number, line in enumerate(lines):
        (first, width), *rest = zip(line, widths, strict=True)
        print("  ".join([first.ljust(width), *(text.rjust(wide) for text, wide in rest)]))
        if number == 0:
            print("  ".join("-" * width for width in widths))
    print()


def keep(found: Findings) -> Path:
    """Writes the figures, with the machine that they were taken on; gives the file."""
    now = datetime.now(UTC)
    content = {
        "taken_at": now.isoformat(timespec="seconds"),
        "quick": found.quick,
        "machine": _machine(),
        "paths": {path.name: _kept(path, found) for path in found.paths},
        "guards": asdict(found.guards) if found.guards else None,
        "logins": [asdict(seen) for seen in found.logins],
        "checkouts": [asdict(seen) for seen in found.checkouts],
        "memory": asdict(found.footprint) if found.footprint else None,
        "import": asdict(found.imported) if found.imported else None,
        "listing": asdict(found.listing) if found.listing else None,
    }
    _RESULTS.mkdir(exist_ok=True)
    file = _RESULTS / f"{now:%Y%m%dT%H%M%SZ}.json"
    file.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    return file


def _kept(path: Measured, found: Findings) -> dict[str, object]:
    seen, cost = found.comparisons.get(path.name), found.costs.get(path.name)
    budgets = {"ratio": path.ratio, "statements": path.statements}
    return {
        "budgets": {**budgets, "transactions": path.transactions},
        "throughput": {**asdict(seen), "ratio": seen.ratio, "cpu_ratio": seen.cpu_ratio}
        if seen
        else None,
        "statements": len(cost.statements) if cost else None,
        "transactions": cost.transactions if cost else None,
    }


def _machine() -> dict[str, object]:
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=_RESULTS.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return {
        "revision": described.stdout.strip(),
        "python": sys.version.split()[0],
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "busy": os.getloadavg()[0],
        "load": load.generator(),
    }
