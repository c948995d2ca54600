"""What all imports have in common on the command line: progress, summary, bad rows, exit code."""

from __future__ import annotations

import asyncio
import csv
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from checkstand.catalog.importers.csvfile import UnusableFile
from checkstand.catalog.importers.report import BadRow, ImportReport

OnProgress = Callable[[int, int], None]
OnBad = Callable[[BadRow], None]
Importing = Callable[[OnProgress, OnBad], Coroutine[Any, Any, ImportReport]]

_SHOWN = 20
SOME_BAD, UNUSABLE = 1, 2

file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
errors_option = click.option(
    "--errors",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write every bad row to this CSV file: line, field, reason.",
)


def run_import(label: str, errors: Path | None, importing: Importing) -> None:
    """Run an import to its end and exit: 0 all rows in, 1 some rows bad, 2 nothing of the file
    usable. Bad rows are shown, the first 20 of them; `errors` gets all, as CSV."""
    try:
        with _errors_file(errors) as on_bad, _progress(label) as on_progress:
            report = asyncio.run(importing(on_progress, on_bad))
    except UnusableFile as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(UNUSABLE)
    _show(report, errors)
    sys.exit(SOME_BAD if report.bad_rows else 0)


def printable(text: str, longest: int = 200) -> str:
    """`text` without what would steer a terminal, cut to `longest` characters."""
    clean = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
    return clean if len(clean) <= longest else f"{clean[: longest - 1]}…"


@contextmanager
def _progress(label: str) -> Iterator[OnProgress]:
    """A bar on stderr; on what is no terminal, nothing."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=1, label=label, file=sys.stderr, hidden=hidden) as bar:

        def on_progress(done: int, of: int) -> None:
            bar.length = max(of, 1)
            bar.update(done - bar.pos)

        yield on_progress


@contextmanager
def _errors_file(path: Path | None) -> Iterator[OnBad]:
    if path is None:
        yield lambda bad: None
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Line", "Field", "Reason"])
        yield lambda bad: writer.writerow([bad.line, bad.field, bad.reason])


def _show(report: ImportReport, errors: Path | None) -> None:
    counts = {
        "Rows": report.rows,
        "Created": report.created,
        "Updated": report.updated,
        "Unchanged": report.unchanged,
        "Bad": report.bad_rows,
        "Warnings": report.warning_count,
    }
    if report.removed:
        counts["Removed"] = report.removed
    for name, count in counts.items():
        click.echo(f"{name:<10}{count:>9}")
    _list("Not imported", [(bad.line, bad.field, bad.reason) for bad in report.bad])
    _list("Warnings", [(each.line, each.field, each.reason) for each in report.warnings])
    if report.bad_rows:
        where = f"All bad rows: {errors}. " if errors else "All bad rows: --errors FILE. "
        click.echo(f"\n{where}Repair them and import the file again; the rest stays as it is.")


def _list(title: str, entries: list[tuple[int, str, str]]) -> None:
    if not entries:
        return
    click.echo(f"\n{title}:")
    for line, field, reason in entries[:_SHOWN]:
        where = f"line {line}, {printable(field, 40)}" if field else f"line {line}"
        click.echo(f"  {where}: {printable(reason)}")
    if len(entries) > _SHOWN:
        click.echo("  and more")
