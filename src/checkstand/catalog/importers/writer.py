"""The later passes: batches of rows written, each in one transaction and with few statements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from checkstand.catalog.importers.fields import LINKS
from checkstand.catalog.importers.options import Options
from checkstand.catalog.importers.plan import Plan
from checkstand.catalog.importers.report import RowWarning, Tally
from checkstand.catalog.importers.rows import Item, ProductRow
from checkstand.catalog.importers.survey import find_in_shop
from checkstand.catalog.slugs import slug_of
from checkstand.catalog.store import taxonomies, writing
from checkstand.storage.database import Connection

_HEADERS = {column: header.capitalize() for header, column in LINKS.items()}


class Writer:
    """Writes batches of good rows. What taxonomies it has seen it remembers for the next batch."""

    def __init__(self, plan: Plan, tally: Tally, updates_sku: bool) -> None:
        self._plan = plan
        self._tally = tally
        self._updates_sku = updates_sku
        self._categories: dict[taxonomies.Path, int] = {}
        self._tags: dict[str, int] = {}
        self._brands: dict[str, int] = {}
        self._options = Options(plan, tally)

    async def write(self, connection: Connection, items: Sequence[Item]) -> None:
        """Bring the shop to what the rows say; the caller's transaction makes it whole.

        The items are all variations or all not. Stock comes last: its rows are locked shortest.
        """
        await writing.lock_for_import(connection)
        records = await self._records(connection, items)
        created, changed = await writing.upsert_products(connection, records)
        changed |= await self._file(connection, items)
        changed |= await writing.set_stock(
            connection, {item.id: item.row.stock for item in items if item.row.stock is not None}
        )
        changed -= created
        self._tally.created += len(created)
        self._tally.updated += len(changed)
        self._tally.unchanged += len(items) - len(created) - len(changed)

    # --- the products themselves --------------------------------------------------------------

    async def _records(self, connection: Connection, items: Sequence[Item]) -> list[dict[str, Any]]:
        links = await self._linked(connection, items)
        slugs = await _new_slugs(connection, items)
        options = await self._options.columns(connection, items)
        records = []
        for item in items:
            record = (
                item.row.values
                | options.get(item.id, {})
                | {
                    "id": item.id,
                    "type": item.row.type,
                    "parent_id": item.parent_id or None,
                    "name": item.row.name,
                    "slug": slugs.get(item.id),
                }
            )
            if self._updates_sku:
                record["sku"] = item.row.sku or None
            for column, references in item.row.links.items():
                record[column] = self._ids(item.row, column, references, links)
            records.append(record)
        return records

    async def _linked(self, connection: Connection, items: Sequence[Item]) -> dict[str, int]:
        """Our ids of everything that the rows link to."""
        wanted = {each for item in items for links in item.row.links.values() for each in links}
        found = {each: self._plan.find(each) for each in wanted}
        in_file = {each: target.id for each, target in found.items() if target and target.id}
        shop = await find_in_shop(connection, wanted - set(in_file))
        return in_file | {each: target.id for each, target in shop.items()}

    def _ids(
        self, row: ProductRow, column: str, references: Iterable[str], links: dict[str, int]
    ) -> list[int]:
        ids = []
        for reference in references:
            if id := links.get(reference, 0):
                ids.append(id)
            else:
                reason = f"'{reference[:100]}' is not a product of the shop; it was left out"
                self._tally.warn(RowWarning(row.line, _HEADERS[column], reason))
        return list(dict.fromkeys(ids))

    # --- categories, tags and brands ----------------------------------------------------------

    async def _file(self, connection: Connection, items: Sequence[Item]) -> set[int]:
        """Put the products into categories, tag and brand them; the ids for which that is new."""
        changed: set[int] = set()
        paths = {
            item.id: item.row.categories
            for item in items
            if item.row.categories is not None and not item.parent_id
        }
        if paths:
            wanted = {path for each in paths.values() for path in each} - set(self._categories)
            self._categories |= await taxonomies.ensure_categories(connection, wanted)
            changed |= await writing.put_in_categories(
                connection,
                {id: {self._categories[path] for path in each} for id, each in paths.items()},
            )
        tags, brands = _named(items, "tags"), _named(items, "brands")
        if tags:
            names = {name for each in tags.values() for name in each} - set(self._tags)
            self._tags |= await taxonomies.ensure_tags(connection, names)
            changed |= await writing.put_tags(
                connection, {id: {self._tags[name] for name in each} for id, each in tags.items()}
            )
        if brands:
            names = {name for each in brands.values() for name in each} - set(self._brands)
            self._brands |= await taxonomies.ensure_brands(connection, names)
            changed |= await writing.put_brands(
                connection,
                {id: {self._brands[name] for name in each} for id, each in brands.items()},
            )
        return changed


def _named(items: Sequence[Item], kind: str) -> dict[int, tuple[str, ...]]:
    """The tags or brands of each product; a file without such a column says nothing of them."""
    said = {item.id: getattr(item.row, kind) for item in items if not item.parent_id}
    return {id: names for id, names in said.items() if names is not None}


async def _new_slugs(connection: Connection, items: Sequence[Item]) -> dict[int, str]:
    """A free slug for each product; a variation has none. Used only if the product is new."""
    stems = {item.id: slug_of(item.row.name) for item in items if not item.parent_id}
    numbered = {id: f"{stem}-{id}" for id, stem in stems.items()}
    taken = await writing.slugs_taken(connection, [*stems.values(), *numbered.values()])
    slugs: dict[int, str] = {}
    for id, stem in stems.items():
        candidates = (stem, numbered[id], *(f"{numbered[id]}-{n}" for n in range(2, 100)))
        slugs[id] = next(each for each in candidates if each not in taken)
        taken.add(slugs[id])
    return slugs
