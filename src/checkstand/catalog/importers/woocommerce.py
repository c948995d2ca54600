"""Import of the product CSV that WooCommerce exports (Products > Export), or one written like it.

A file is read three times as a stream: once to understand every row, once to write what is not a
variation, once to write the variations, so that parents may come after their children. Each
batch of a thousand rows is one transaction: after an interruption whole batches are there, and
importing the file again carries on, because rows that are as the shop has them are left alone.

Rows are matched by ID, else by SKU. Columns that a file lacks stay as they are. A quantity in the
column `Stock` is the new quantity: holds of open orders stay and are taken off it, but what was
sold between the export and this import is not known to the file. Times without an offset are UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from checkstand.catalog.importers.batches import TransactionSource, batched
from checkstand.catalog.importers.columns import REQUIRED, Columns
from checkstand.catalog.importers.csvfile import CsvFile, Record, UnusableFile, open_csv
from checkstand.catalog.importers.plan import Plan
from checkstand.catalog.importers.reading import RowReader
from checkstand.catalog.importers.report import BadRow, ImportReport, RowWarning, Tally
from checkstand.catalog.importers.rows import Item
from checkstand.catalog.importers.survey import Survey
from checkstand.catalog.importers.writer import Writer
from checkstand.kit.money import Currency

__all__ = ["BadRow", "ImportReport", "RowWarning", "UnusableFile", "import_products"]

_PASSES = 3


async def import_products(
    transaction_source: TransactionSource,
    path: Path | str,
    currency: Currency,
    on_progress: Callable[[int, int], None] | None = None,
    *,
    decimal_comma: bool = False,
    on_bad: Callable[[BadRow], None] | None = None,
) -> ImportReport:
    """Bring the catalogue to what the file says, as far as its rows are good.

    Prices are in `currency`, the base currency of the shop. `on_progress` is told how much is
    done and of how much (bytes, over all passes); `on_bad` hears of every bad row, the report
    keeps the first thousand. `decimal_comma` lets `12,50` be a price. UnusableFile, before
    anything is written, when the file is not such a CSV at all.
    """
    tally = Tally(on_bad=on_bad)
    with open_csv(Path(path), REQUIRED, "a WooCommerce product export (CSV)") as file:
        columns = Columns.of(file.header)
        reader = RowReader(columns, currency, decimal_comma)

        def progress(passes: int) -> Callable[[int], None]:
            def report(position: int) -> None:
                if on_progress is not None:
                    on_progress(passes * file.size + position, _PASSES * file.size)

            return report

        plan = await Survey(reader, tally).run(file, transaction_source, progress(0))
        writer = Writer(plan, tally, updates_sku="sku" in columns.single)
        for number, variations in enumerate((False, True), start=1):
            report = progress(number)
            for items in batched(_items(file, reader, plan, variations), lambda: file.position):
                async with transaction_source.transaction() as connection:
                    await writer.write(connection, items)
                report(file.position)
            report(file.size)
    return tally.report()


def _items(file: CsvFile, reader: RowReader, plan: Plan, variations: bool) -> Iterator[Item]:
    """The rows that are good, of one kind, with the products that they are."""

    def wanted(number: int) -> bool:
        return plan.ids[number] != 0 and (number in plan.parents) is variations

    for number, record in file.records(wanted):
        if isinstance(record, Record):
            yield Item(reader.read(record), plan.ids[number], plan.parents.get(number, 0))
