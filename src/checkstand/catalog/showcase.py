"""The catalogue as strangers may see it: published products, with all that is shown beside them.

A page costs at most four statements, whatever its size: its products and how many there are on all
pages (remembered for a few seconds), the facts and then the products that memory lacks, and stock
with prices.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from checkstand.catalog.cache import AgingCache, AnswerShelf
from checkstand.catalog.listing import Kind, Listed, ProductQuery, TermQuery
from checkstand.catalog.model import Product, ProductType
from checkstand.catalog.service import Catalogue, ConnectionSource
from checkstand.catalog.store import listing as store
from checkstand.catalog.store import terms as term_store
from checkstand.catalog.store.filters import counted_alike
from checkstand.errors import (
    AttributeNotFound,
    ProductIdInvalid,
    ProductNotFound,
    TermNotFound,
    VariationNotFound,
)
from checkstand.kit.clock import Clock

_SHELF = 16 * 1024 * 1024
_EXHIBITS = 4_000
_LONGEST_KEPT = 8 * 1024
LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A product with all that is shown beside it, but for its stock. `products` holds what it links
    to and its variations as well; `prices` are lowest prices of these, minor units of the base
    currency. `told`: what was made of it, and of which stock."""

    generation: int
    listed: Listed
    products: Mapping[int, Product]
    prices: Mapping[int, int]
    stock_ids: tuple[int, ...]
    told: dict[object, tuple[tuple[int | None, ...], bytes]] = field(default_factory=dict)

    @property
    def product(self) -> Product:
        return self.products[self.listed.id]


@dataclass(frozen=True, slots=True)
class Display:
    """An exhibit to be shown at one moment, with its stock."""

    now: datetime
    exhibit: Exhibit
    stock: Mapping[int, int]
    """Stock row -> units that a stranger can have; of others too."""

    @property
    def shown_stock(self) -> dict[int, int]:
        """The stock that this shows."""
        return {id: self.stock[id] for id in self.exhibit.stock_ids if id in self.stock}

    def available(self, product: Product) -> int | None:
        """Units that can be had of a product; None when it does not keep count."""
        return self.stock.get(product.stock_id, 0) if product.manages_stock else None

    def variations(self) -> list[Product]:
        products = self.exhibit.products
        return [products[id] for id in self.exhibit.listed.variation_ids if id in products]

    def linked(self, ids: Iterable[int]) -> list[Product]:
        """Those of the products that strangers may see."""
        found = (self.exhibit.products.get(id) for id in ids)
        return [each for each in found if each and each.published and each.parent_published]

    def promoted(self, ids: Iterable[int]) -> list[Product]:
        """Those of them that may be shown beside another product."""
        return [each for each in self.linked(ids) if each.promoted]

    def told(self, how: object, make: Callable[[], bytes]) -> bytes:
        """What `make` gives, made once for as long as the exhibit is kept and its stock is the
        same. `how` tells one way to tell it from others."""
        stock = tuple(self.stock.get(id) for id in self.exhibit.stock_ids)
        known = self.exhibit.told.get(how)
        if known is not None and known[0] == stock:
            return known[1]
        text = make()
        if len(text) <= _LONGEST_KEPT:
            self.exhibit.told[how] = (stock, text)
        return text


@dataclass(frozen=True, slots=True)
class DisplayPage:
    displays: tuple[Display, ...]
    total: int
    """On all pages."""

    @property
    def stock(self) -> dict[int, int]:
        """The stock that the page shows."""
        return {id: units for each in self.displays for id, units in each.shown_stock.items()}


class Showcase:
    """`answers` is for presenters: what they made, for when it is asked for again unchanged."""

    def __init__(
        self,
        pool: ConnectionSource,
        catalogue: Catalogue,
        clock: Clock,
        seconds: Callable[[], float] = time.monotonic,
        max_age: float = 5.0,
    ) -> None:
        self._pool = pool
        self._catalogue = catalogue
        self._clock = clock
        self.seconds = seconds
        self._totals: AgingCache[ProductQuery, tuple[int, int]] = AgingCache(2000, max_age, seconds)
        self._exhibits: AgingCache[tuple[int, bool], Exhibit] = AgingCache(
            _EXHIBITS, max_age, seconds
        )
        self.answers = AnswerShelf(_SHELF, max_age, seconds)

    @property
    def generation(self) -> int:
        return self._catalogue.generation

    async def page(self, query: ProductQuery, *, anew: bool = False) -> DisplayPage:
        """A page of published products, and how many there are. `anew`: with nothing that was kept
        but products, which the database announces changes of."""
        alike = counted_alike(query)
        generation, asked = self.generation, self.seconds()
        known = None if anew else self._totals.get(alike)
        total = known[0][1] if known is not None and known[0][0] == generation else None
        async with self._pool.acquire() as connection:
            ids, counted = await store.found(connection, query, total)
            if total is None:
                self._totals.put(alike, (generation, counted), asked)
            kept = {} if anew else self._kept(ids, query.with_reviews)
            lacking = [id for id in ids if id not in kept]
            asked = self.seconds()
            listed = (
                await store.facts(connection, lacking, with_reviews=query.with_reviews)
                if lacking
                else []
            )
        shown = await self._displays(listed, (generation, asked), query.with_reviews, kept)
        return DisplayPage(tuple(shown[id] for id in ids if id in shown), counted)

    async def product(self, reference: str, *, with_reviews: bool = False) -> Display:
        """One product by ID, else SKU, else slug. ProductNotFound when it is not published."""
        if reference.isascii() and reference.isdecimal() and not 0 < int(reference) <= LARGEST_ID:
            raise ProductIdInvalid
        generation, asked = self.generation, self.seconds()
        async with self._pool.acquire() as connection:
            listed = await store.by_reference(connection, reference, with_reviews=with_reviews)
        shown = await self._displays([listed] if listed else [], (generation, asked), with_reviews)
        if listed is None or listed.id not in shown:
            raise ProductNotFound
        return shown[listed.id]

    async def variable(self, reference: str) -> Product:
        """The published product with variations that is meant; ProductNotFound otherwise."""
        product = (await self.product(reference)).exhibit.product
        if product.type is not ProductType.VARIABLE:
            raise ProductNotFound("This product has no variations, or there is no such product.")
        return product

    async def variation(self, reference: str, variation_id: int) -> Display:
        """A published variation of a product. ProductNotFound, VariationNotFound."""
        parent = await self.variable(reference)
        try:
            display = await self.product(str(variation_id))
        except ProductNotFound:
            raise VariationNotFound from None
        if display.exhibit.listed.id != variation_id:  # a SKU in digits
            raise VariationNotFound
        if display.exhibit.product.parent_id != parent.id:
            raise VariationNotFound
        return display

    # --- what products are sorted into --------------------------------------------------------

    async def terms(self, query: TermQuery) -> tuple[list[Mapping[str, Any]], int]:
        """A page of categories, tags, brands or terms, and how many there are on all pages."""
        async with self._pool.acquire() as connection:
            return await term_store.terms(connection, query)

    async def attributes(self) -> list[Mapping[str, Any]]:
        """The attributes that the shop's products share, by name."""
        async with self._pool.acquire() as connection:
            return await term_store.attributes(connection)

    async def attribute(self, reference: str) -> Mapping[str, Any]:
        """One attribute by ID, else slug; AttributeNotFound."""
        async with self._pool.acquire() as connection:
            found = await term_store.attributes(connection, reference)
        if not found:
            raise AttributeNotFound
        return found[0]

    async def term(self, attribute_id: int, reference: str) -> Mapping[str, Any]:
        """One term of an attribute by ID, else slug; TermNotFound."""
        async with self._pool.acquire() as connection:
            id = await term_store.term_id(connection, attribute_id, reference)
            if id is None:
                raise TermNotFound
            query = TermQuery(kind=Kind.TERM, attribute_id=attribute_id, include=(id,))
            found, _ = await term_store.terms(connection, query)
        if not found:
            raise TermNotFound
        return found[0]

    async def stock_is(self, shown: Iterable[tuple[int, int]]) -> bool:
        """Whether these stock rows still have these units; one statement, or none for no rows."""
        expected = dict(shown)
        found, _ = await self._stock_and_prices(expected, [], self._clock.now())
        return found == expected

    def _kept(self, ids: Sequence[int], with_reviews: bool) -> dict[int, Exhibit]:
        """Those that memory has fresh."""
        generation = self.generation
        found = ((id, self._exhibits.get((id, with_reviews))) for id in ids)
        return {
            id: entry[0]
            for id, entry in found
            if entry is not None and entry[0].generation == generation
        }

    async def _displays(
        self,
        listed: Sequence[Listed],
        read: tuple[int, float],
        with_reviews: bool,
        kept: Mapping[int, Exhibit] = MappingProxyType({}),
    ) -> dict[int, Display]:
        """These, and those that were kept, each with its stock. `read`: in which generation and
        when `listed` was read."""
        generation, asked = read
        now = self._clock.now()
        sold = {each.id: (each.id, *each.variation_ids, *each.grouped_ids) for each in listed}
        linked = {each.id: (*each.related_ids, *each.linked_ids) for each in listed}
        wanted = {id for ids in (*sold.values(), *linked.values()) for id in ids}
        found = await self._catalogue.load(sorted(wanted))
        rows = {
            id: {
                found[each].stock_id for each in ids if each in found and found[each].manages_stock
            }
            for id, ids in sold.items()
        }
        ranges = (ProductType.VARIABLE, ProductType.GROUPED)
        asked_rows = {id for ids in rows.values() for id in ids}
        stock, prices = await self._stock_and_prices(
            asked_rows.union(*(each.stock_ids for each in kept.values())),
            [
                id
                for ids in linked.values()
                for id in ids
                if id in found and found[id].type in ranges
            ],
            now,
        )
        exhibits = dict(kept)
        for each in listed:
            if each.id not in found:
                continue
            exhibits[each.id] = Exhibit(
                generation,
                each,
                {id: found[id] for id in (*sold[each.id], *linked[each.id]) if id in found},
                {id: prices[id] for id in linked[each.id] if id in prices},
                tuple(sorted(rows[each.id])),
            )
            self._exhibits.put((each.id, with_reviews), exhibits[each.id], asked)
        return {id: Display(now, each, stock) for id, each in exhibits.items()}

    async def _stock_and_prices(
        self, stock_ids: Iterable[int], priced: Sequence[int], now: datetime
    ) -> tuple[dict[int, int], dict[int, int]]:
        """One statement, or none when nothing keeps count or has a range of prices."""
        rows = sorted(stock_ids)
        if not rows and not priced:
            return {}, {}
        async with self._pool.acquire() as connection:
            return await store.stock_and_prices(connection, rows, priced, now)
