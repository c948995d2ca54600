"""The later passes: batches of rows written, each in one transaction and with few statements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from checkstand.catalog.importers import families
from checkstand.catalog.importers.fields import LINKS
from checkstand.catalog.importers.plan import Plan
from checkstand.catalog.importers.report import RowWarning, Tally
from checkstand.catalog.importers.rows import ProductRow
from checkstand.catalog.importers.survey import find_in_shop
from checkstand.catalog.model import Attribute, ProductType
from checkstand.catalog.slugs import slug_of
from checkstand.catalog.store import taxonomies, writing
from checkstand.storage.database import Connection

_HEADERS = {column: header.capitalize() for header, column in LINKS.items()}


@dataclass(frozen=True, slots=True)
class Item:
    """A row with the product that it is."""

    row: ProductRow
    id: int
    parent_id: int


class Writer:
    """Writes batches of good rows. What taxonomies it has seen it remembers for the next batch."""

    def __init__(self, plan: Plan, tally: Tally, updates_sku: bool) -> None:
        self._plan = plan
        self._tally = tally
        self._updates_sku = updates_sku
        self._categories: dict[taxonomies.Path, int] = {}
        self._tags: dict[str, int] = {}
        self._attributes: dict[str, tuple[int, str]] = {}
        self._terms: dict[tuple[str, str], tuple[str, str]] = {}

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
        options = await self._options(connection, items)
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
        in_file = {each: found.id for each in wanted if (found := self._plan.find(each))}
        shop = await find_in_shop(connection, wanted - set(in_file))
        return in_file | {each: found.id for each, found in shop.items()}

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

    # --- attributes and options ---------------------------------------------------------------

    async def _options(
        self, connection: Connection, items: Sequence[Item]
    ) -> dict[int, dict[str, Any]]:
        """The columns `attributes`, `default_options` and `variation`, if the file has any."""
        if all(item.row.attributes is None for item in items):
            return {}
        variations = items[0].row.type is ProductType.VARIATION
        before = await writing.attributes_of(
            connection,
            {
                item.parent_id if variations else item.id
                for item in items
                if variations or item.row.type is ProductType.VARIABLE
            },
        )
        if variations:
            return await self._fixed_options(connection, items, before)
        await self._learn_terms(
            connection,
            [
                (each.name, value)
                for item in items
                for each in item.row.attributes or ()
                if each.shared
                for value in each.values
            ],
        )
        return {item.id: self._own_options(item, before.get(item.id, ())) for item in items}

    def _own_options(self, item: Item, before: Sequence[Attribute]) -> dict[str, Any]:
        varied = self._plan.varied.get(item.id)
        names = {slug: name for slug, (_, name) in self._attributes.items()}
        attributes, defaults = families.own_attributes(item.row, names, self._terms, varied or ())
        if varied is None:  # its variations are not in this file
            attributes = families.with_flags_of(attributes, before)
        return {"attributes": attributes, "default_options": defaults}

    async def _fixed_options(
        self,
        connection: Connection,
        items: Sequence[Item],
        before: dict[int, tuple[Attribute, ...]],
    ) -> dict[int, dict[str, Any]]:
        parents = {
            id: families.with_flags_for(attributes, self._plan.varied.get(id, ()))
            for id, attributes in before.items()
        }
        changed = {id: parents[id] for id in parents if parents[id] != before[id]}
        if changed:  # their own rows are not in this file
            await writing.set_attributes(connection, changed)
        shared = {
            id: {name for each in attributes if each.shared for name in families.called(each)}
            for id, attributes in parents.items()
        }
        await self._learn_terms(
            connection,
            [
                (each.name, value)
                for item in items
                for each in item.row.attributes or ()
                if slug_of(each.name) in shared.get(item.parent_id, ())
                for value in each.values
                if value
            ],
        )
        columns = {}
        for item in items:
            fixed, warnings = families.chosen_options(
                item.row, parents.get(item.parent_id, ()), self._terms
            )
            columns[item.id] = {"variation": fixed}
            for warning in warnings:
                self._tally.warn(warning)
        return columns

    async def _learn_terms(self, connection: Connection, wanted: Iterable[tuple[str, str]]) -> None:
        """Make sure that `_attributes` and `_terms` know these (attribute name, term name)s."""
        lacking: dict[str, dict[str, None]] = {}
        for attribute, term in wanted:
            slug = families.shared_slug(attribute)
            if slug not in self._attributes:
                self._attributes[slug] = await taxonomies.ensure_attribute(
                    connection, slug, attribute
                )
            if (slug, term) not in self._terms:
                lacking.setdefault(slug, {})[term] = None
        for slug, terms in lacking.items():
            id, _ = self._attributes[slug]
            found = await taxonomies.ensure_terms(connection, id, terms)
            self._terms |= {(slug, term): each for term, each in found.items()}

    # --- categories and tags ------------------------------------------------------------------

    async def _file(self, connection: Connection, items: Sequence[Item]) -> set[int]:
        """Put the products into their categories and tag them; the ids for which that is new."""
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
        tags = {
            item.id: item.row.tags
            for item in items
            if item.row.tags is not None and not item.parent_id
        }
        if tags:
            names = {name for each in tags.values() for name in each} - set(self._tags)
            self._tags |= await taxonomies.ensure_tags(connection, names)
            changed |= await writing.put_tags(
                connection, {id: {self._tags[name] for name in each} for id, each in tags.items()}
            )
        return changed


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
