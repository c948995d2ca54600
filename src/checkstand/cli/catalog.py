"""checkstand catalog: the products of the shop."""

from __future__ import annotations

from pathlib import Path

import click

from checkstand.catalog.importers.report import ImportReport
from checkstand.catalog.importers.woocommerce import import_products
from checkstand.cli.importing import OnBad, OnProgress, errors_option, file_argument, run_import


@click.group()
def catalog() -> None:
    """Products: bring a catalogue in."""


@catalog.command("import")
@file_argument
@errors_option
@click.option(
    "--decimal-comma", is_flag=True, help="Read 12,50 as twelve and a half. 12.50 stays so."
)
def import_catalogue(file: Path, errors: Path | None, decimal_comma: bool) -> None:
    """Import products from FILE, a CSV as WooCommerce exports it.

    Products are found again by ID, else by SKU, so importing a file twice changes nothing.
    Prices are taken to be in the store's currency. A quantity in the column Stock replaces the
    quantity in the shop; what open orders have reserved stays reserved.

    Exit code 0: all rows are in. 1: some rows are bad, the others are in. 2: the file is not
    usable, nothing has changed.
    """

    async def importing(on_progress: OnProgress, on_bad: OnBad) -> ImportReport:
        from checkstand.cli.session import database_session
        from checkstand.wiring import base_currency

        async with database_session() as session:
            return await import_products(
                session.database,
                file,
                base_currency(session.settings.store),
                on_progress,
                decimal_comma=decimal_comma,
                on_bad=on_bad,
            )

    run_import("Importing products", errors, importing)
