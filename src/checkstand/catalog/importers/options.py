"""What a batch of rows says about attributes: of products, and the options that variations fix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from checkstand.catalog.importers import families
from checkstand.catalog.importers.plan import Plan
from checkstand.catalog.importers.report import Tally
from checkstand.catalog.importers.rows import Item
from checkstand.catalog.model import Attribute, ProductType
from checkstand.catalog.store import taxonomies, writing
from checkstand.storage.database import Connection


class Options:
    """Knows the shared attributes and terms that it has met, and makes those that are new."""

    def __init__(self, plan: Plan, tally: Tally) -> None:
        self._plan = plan
        self._tally = tally
        self._ids: dict[str, int] = {}
        self._names: dict[str, str] = {}
        self._terms: dict[tuple[str, str], tuple[str, str]] = {}

    async def columns(
        self, connection: Connection, items: Sequence[Item]
    ) -> Mapping[int, dict[str, Any]]:
        """By id, the columns `attributes` and `default_options`, or of variations `variation`.

        The items are all variations or all not. Nothing for a file without attribute columns.
        """
        if all(item.row.attributes is None for item in items):
            return {}
        if items[0].row.type is ProductType.VARIATION:
            return await self._of_variations(connection, items)
        return await self._of_products(connection, items)

    async def _of_products(
        self, connection: Connection, items: Sequence[Item]
    ) -> Mapping[int, dict[str, Any]]:
        variable = {item.id for item in items if item.row.type is ProductType.VARIABLE}
        before = await writing.attributes_of(connection, variable)
        for item in items:
            for given in item.row.attributes or ():
                if given.shared:
                    await self._learn_attribute(
                        connection, families.shared_slug(given.name), given.name
                    )
        await self._learn_terms(
            connection,
            (
                (families.shared_slug(given.name), value)
                for item in items
                for given in item.row.attributes or ()
                if given.shared
                for value in given.values
            ),
        )
        return {item.id: self._of_product(item, before.get(item.id, ())) for item in items}

    def _of_product(self, item: Item, before: Sequence[Attribute]) -> dict[str, Any]:
        varied = self._plan.varied.get(item.id)
        attributes, defaults = families.own_attributes(
            item.row, self._names, self._terms, varied or ()
        )
        if varied is None:  # its variations are not in this file
            attributes = families.with_flags_of(attributes, before)
        return {"attributes": attributes, "default_options": defaults}

    async def _of_variations(
        self, connection: Connection, items: Sequence[Item]
    ) -> Mapping[int, dict[str, Any]]:
        parents = await self._parents(connection, {item.parent_id for item in items})
        said = {item.id: families.said(item.row, parents.get(item.parent_id, ())) for item in items}
        shared = [
            (attribute, value)
            for pairs, _ in said.values()
            for attribute, value in pairs
            if attribute.shared and value
        ]
        for attribute, _ in shared:
            await self._learn_attribute(connection, attribute.slug, attribute.name)
        await self._learn_terms(connection, ((each.slug, value) for each, value in shared))
        columns = {}
        for item in items:
            pairs, strangers = said[item.id]
            fixed, warnings = families.fixed(item.row, pairs, self._terms)
            columns[item.id] = {"variation": fixed}
            for warning in (*strangers, *warnings):
                self._tally.warn(warning)
        return columns

    async def _parents(
        self, connection: Connection, ids: set[int]
    ) -> Mapping[int, tuple[Attribute, ...]]:
        """The attributes of the parents, those flagged that variations in the file use."""
        before = await writing.attributes_of(connection, ids)
        parents = {
            id: families.with_flags_for(attributes, self._plan.varied.get(id, ()))
            for id, attributes in before.items()
        }
        changed = {id: parents[id] for id in parents if parents[id] != before[id]}
        if changed:  # parents whose own rows are not in this file
            await writing.set_attributes(connection, changed)
        return parents

    async def _learn_attribute(self, connection: Connection, slug: str, name: str) -> None:
        if slug not in self._ids:
            self._ids[slug], self._names[slug] = await taxonomies.ensure_attribute(
                connection, slug, name
            )

    async def _learn_terms(self, connection: Connection, wanted: Iterable[tuple[str, str]]) -> None:
        """Make sure that `_terms` knows these terms: slug of the attribute, name of the term."""
        lacking: dict[str, dict[str, None]] = {}
        for slug, term in wanted:
            if (slug, term) not in self._terms:
                lacking.setdefault(slug, {})[term] = None
        for slug, terms in lacking.items():
            found = await taxonomies.ensure_terms(connection, self._ids[slug], terms)
            self._terms |= {(slug, term): each for term, each in found.items()}
