"""What an import says about a file: what became of its rows, and what was wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

_KEPT = 1000


@dataclass(frozen=True, slots=True)
class BadRow:
    """One thing that kept a row from being imported; `reason` says how to put it right.

    `line` is the line of the file on which the row starts, `field` the header of the column.
    """

    line: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class RowWarning:
    """Something that was changed or left out of a row that was imported."""

    line: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """`rows` = `created` + `updated` + `unchanged` + `bad_rows`. The counts are exact; of `bad`
    and `warnings` the first 1000 are kept. A row can have several entries in `bad`."""

    rows: int
    created: int
    updated: int
    unchanged: int
    bad: tuple[BadRow, ...]
    warnings: tuple[RowWarning, ...]
    bad_rows: int
    warning_count: int
    removed: int = 0
    """What was in the shop and not in the file, where an import removes that."""


@dataclass(slots=True)
class Tally:
    """Counts while an import runs. `on_bad` is told of every entry, also of those not kept."""

    on_bad: Callable[[BadRow], None] | None = None
    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    bad_rows: int = 0
    warning_count: int = 0
    removed: int = 0
    _bad: list[BadRow] = field(default_factory=list)
    _warnings: list[RowWarning] = field(default_factory=list)

    def refuse(self, *problems: BadRow) -> None:
        """One row is not imported, for these reasons."""
        self.bad_rows += 1
        for problem in problems:
            if len(self._bad) < _KEPT:
                self._bad.append(problem)
            if self.on_bad is not None:
                self.on_bad(problem)

    def warn(self, warning: RowWarning) -> None:
        self.warning_count += 1
        if len(self._warnings) < _KEPT:
            self._warnings.append(warning)

    def report(self) -> ImportReport:
        return ImportReport(
            rows=self.rows,
            created=self.created,
            updated=self.updated,
            unchanged=self.unchanged,
            bad=tuple(sorted(self._bad, key=lambda each: each.line)),
            warnings=tuple(sorted(self._warnings, key=lambda each: each.line)),
            bad_rows=self.bad_rows,
            warning_count=self.warning_count,
            removed=self.removed,
        )
