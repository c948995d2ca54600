"""The first pass over a file: every row is understood and matched with the shop.

Nothing is written; after it the bad rows are known, and every good row has its id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from checkstand.catalog.importers.batches import TransactionSource, batched
from checkstand.catalog.importers.csvfile import CsvFile, Malformed, Record
from checkstand.catalog.importers.plan import Plan, Target, id_in
from checkstand.catalog.importers.reading import LARGEST_ID, RowReader
from checkstand.catalog.importers.report import BadRow, RowWarning, Tally
from checkstand.catalog.importers.rows import ProductRow
from checkstand.catalog.model import ProductType
from checkstand.catalog.slugs import slug_of
from checkstand.catalog.store import writing
from checkstand.catalog.store.writing import Existing
from checkstand.storage.database import Connection


@dataclass(frozen=True, slots=True)
class _Child:
    """A variation that waits for its parent to be known."""

    row: int
    line: int
    parent: str
    existing_parent: int
    attributes: tuple[str, ...]


class Survey:
    """Fills a plan and a tally from a file."""

    def __init__(self, reader: RowReader, tally: Tally) -> None:
        self.plan = Plan()
        self._reader = reader
        self._tally = tally
        self._children: list[_Child] = []
        self._texts: dict[tuple[str, ...], tuple[str, ...]] = {}

    async def run(
        self, file: CsvFile, transactions: TransactionSource, on_progress: Callable[[int], None]
    ) -> Plan:
        for batch in batched(file.records(), lambda: file.position):
            rows = [self._understood(record) for _, record in batch]
            async with transactions.transaction() as connection:
                await self._match(connection, rows)
            on_progress(file.position)
        async with transactions.transaction() as connection:
            unnamed = self.plan.unnamed()
            largest = self.plan.largest_id()
            ids = await writing.reserve_ids(connection, largest, len(unnamed))
            self.plan.name_unnamed(unnamed, ids)
            await self._join_families(connection)
        return self.plan

    def _understood(self, record: Record | Malformed) -> ProductRow | Malformed:
        self._tally.rows += 1
        if isinstance(record, Malformed):
            self._tally.refuse(BadRow(record.line, "", record.reason))
            return record
        row = self._reader.read(record)
        if row.problems:
            self._tally.refuse(*row.problems)
        else:
            for warning in row.warnings:
                self._tally.warn(warning)
        return row

    async def _match(self, connection: Connection, rows: list[ProductRow | Malformed]) -> None:
        good = [row for row in rows if isinstance(row, ProductRow) and not row.problems]
        found = await writing.existing(
            connection,
            [row.file_id for row in good if row.file_id is not None],
            [row.sku for row in good if row.sku],
        )
        by_id = {each.id: each for each in found}
        by_sku = {each.sku: each for each in found if each.sku}
        for row in rows:
            if isinstance(row, Malformed):
                self.plan.skip(row.line)
            elif row.problems:
                self.plan.add(row, 0)
            else:
                self._place(row, by_id.get(row.file_id or 0), by_sku.get(row.sku))

    def _place(self, row: ProductRow, by_id: Existing | None, by_sku: Existing | None) -> None:
        problem = self._conflict(row, by_id, by_sku)
        if problem is not None:
            self._tally.refuse(problem)
            self.plan.add(row, 0)
            return
        known = by_id or by_sku
        if known is not None and row.file_id not in (None, known.id):
            self._tally.warn(
                RowWarning(
                    row.line,
                    "ID",
                    f"was matched by its SKU with product {known.id}, which keeps its ID",
                )
            )
        id = known.id if known else row.file_id
        number = self.plan.add_unnamed(row) if id is None else self.plan.add(row, id)
        if row.type is ProductType.VARIATION:
            names = tuple(slug_of(each.name) for each in row.attributes or ())
            self._children.append(
                _Child(
                    number,
                    row.line,
                    row.parent,
                    known.parent_id if known else 0,
                    self._texts.setdefault(names, names),
                )
            )

    def _conflict(
        self, row: ProductRow, by_id: Existing | None, by_sku: Existing | None
    ) -> BadRow | None:
        """Why the row cannot be the product that it says it is."""
        if row.file_id and (line := self.plan.line_with_file_id(row.file_id)):
            return BadRow(row.line, "ID", f"is on line {line} too; each product has one row")
        if row.sku and (line := self.plan.line_with_sku(row.sku)):
            return BadRow(row.line, "SKU", f"is on line {line} too; each product has its own SKU")
        if by_id and by_sku and by_id.id != by_sku.id:
            return BadRow(
                row.line,
                "SKU",
                f"belongs to product {by_sku.id} of the shop; give the row that ID or another SKU",
            )
        known = by_id or by_sku
        if known is None:
            return None
        if line := self.plan.line_with_id(known.id):
            field = "ID" if by_id else "SKU"
            return BadRow(row.line, field, f"is of the same product as line {line}; keep one row")
        if known.type is not row.type:
            return BadRow(
                row.line,
                "ID" if by_id else "SKU",
                f"belongs to product {known.id} of the shop, which is of type {known.type}; "
                f"give this {row.type} row another one",
            )
        return None

    async def _join_families(self, connection: Connection) -> None:
        """Find the parent of every variation, in the file or in the shop."""
        in_file = {each.parent: self.plan.find(each.parent) for each in self._children}
        lookup = [each for each, found in in_file.items() if found is None or not found.id]
        shop = await find_in_shop(connection, lookup)
        for child in self._children:
            parent = shop.get(child.parent) or in_file[child.parent]
            reason = _unfit(parent, child)
            if reason is not None or parent is None:
                self._tally.refuse(BadRow(child.line, "Parent", reason or ""))
                self.plan.drop(child.row)
                continue
            self.plan.parents[child.row] = parent.id
            self.plan.varied.setdefault(parent.id, set()).update(child.attributes)


def _unfit(parent: Target | None, child: _Child) -> str | None:
    shown = child.parent[:100]
    if parent is None:
        return f"'{shown}' is neither in the file nor in the shop; a parent has to be imported too"
    if parent.id == 0:
        return f"'{shown}' is on line {parent.line}, which could not be imported; repair that first"
    if parent.type is not ProductType.VARIABLE:
        return f"'{shown}' is of type {parent.type}; only variable products have variations"
    if child.existing_parent not in (0, parent.id):
        return f"in the shop this variation belongs to product {child.existing_parent}"
    return None


async def find_in_shop(connection: Connection, references: Iterable[str]) -> dict[str, Target]:
    """Products of the shop by SKU or `id:44`; those that do not exist are left out."""
    wanted = list(references)
    ids = {reference: id_in(reference) for reference in wanted}
    known_ids = [id for id in ids.values() if id is not None and id <= LARGEST_ID]
    found: dict[str, Target] = {}
    existing = await writing.existing(connection, known_ids, wanted) if wanted else []
    by_id = {each.id: each for each in existing}
    by_sku = {each.sku: each for each in existing if each.sku}
    for reference in wanted:
        each = by_sku.get(reference) or by_id.get(ids[reference] or 0)
        if each is not None:
            found[reference] = Target(each.id, each.type, 0)
    return found
