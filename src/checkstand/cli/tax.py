"""checkstand tax: the tax rates of the shop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from checkstand.catalog.importers.report import ImportReport
from checkstand.cli.importing import (
    OnBad,
    OnProgress,
    errors_option,
    file_argument,
    printable,
    run_import,
)
from checkstand.tax import store
from checkstand.tax.importer import import_rates
from checkstand.tax.model import TaxRate

_TITLES = (
    "ID", "Country", "State", "Postcodes", "Cities", "Rate %", "Name", "Priority", "Compound",
    "Shipping", "Class",
)  # fmt: skip


@click.group()
def tax() -> None:
    """Tax rates: bring a table in, list it."""


@tax.command("import")
@file_argument
@errors_option
@click.option(
    "--replace",
    is_flag=True,
    help="Also remove the rates that are not in FILE, unless one of its rows is bad.",
)
def import_table(file: Path, errors: Path | None, replace: bool) -> None:
    """Import tax rates from FILE, a CSV as WooCommerce exports it.

    A rate is found again by country, state, postcodes, cities, priority, class and name. The
    file is imported in one piece: no purchase sees half of it.

    Exit code 0: all rows are in. 1: some rows are bad, the others are in. 2: the file is not
    usable, nothing has changed.
    """

    async def importing(on_progress: OnProgress, on_bad: OnBad) -> ImportReport:
        from checkstand.cli.session import database_session

        async with database_session() as session:
            return await import_rates(
                session.database, file, on_progress, replace_all=replace, on_bad=on_bad
            )

    run_import("Importing tax rates", errors, importing)


@tax.command("list")
def list_rates() -> None:
    """List all tax rates."""

    async def reading() -> Sequence[TaxRate]:
        from checkstand.cli.session import database_session

        async with database_session() as session, session.database.acquire() as connection:
            return await store.rates(connection)

    rows = [_row(rate) for rate in asyncio.run(reading())]
    widths = [max(map(len, column)) for column in zip(_TITLES, *rows, strict=True)]
    for row in (_TITLES, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _row(rate: TaxRate) -> tuple[str, ...]:
    """The cells of one line; `*` is everywhere."""
    return (
        str(rate.id),
        rate.country or "*",
        rate.state or "*",
        printable("; ".join(rate.postcodes), 30) or "*",
        printable("; ".join(rate.cities), 30) or "*",
        f"{rate.rate:.4f}",
        printable(rate.label, 30),
        str(rate.priority),
        "yes" if rate.compound else "no",
        "yes" if rate.on_shipping else "no",
        rate.tax_class or "standard",
    )
