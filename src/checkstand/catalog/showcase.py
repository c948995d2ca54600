"""The catalogue as strangers may see it: published products, with all that is shown beside them.

A page costs at most four statements, whatever its size: the page with its facts, how many there
are (remembered for a few seconds), the products that memory lacks, and stock with prices.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
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
LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Display:
    """Products to be shown at one moment. `products` holds their variations and what they link to
    as well; `prices` are lowest prices of these, minor units of the base currency."""

    now: datetime
    listed: tuple[Listed, ...]
    products: Mapping[int, Product]
    stock: Mapping[int, int]
    """Stock row -> units that a stranger can have."""
    prices: Mapping[int, int]

    def available(self, product: Product) -> int | None:
        """Units that can be had of a product; None when it does not keep count."""
        return self.stock.get(product.stock_id, 0) if product.manages_stock else None

    def variations(self, listed: Listed) -> list[Product]:
        return [self.products[id] for id in listed.variation_ids if id in self.products]

    def linked(self, ids: Iterable[int]) -> list[Product]:
        """Those of the products that strangers may see."""
        found = (self.products.get(id) for id in ids)
        return [each for each in found if each and each.published and each.parent_published]


@dataclass(frozen=True, slots=True)
class DisplayPage:
    display: Display
    total: int
    """On all pages."""


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
        self.answers = AnswerShelf(_SHELF, max_age, seconds)

    @property
    def generation(self) -> int:
        return self._catalogue.generation

    async def page(self, query: ProductQuery) -> DisplayPage:
        """A page of published products, and how many there are."""
        alike = counted_alike(query)
        known = self._totals.get(alike)
        async with self._pool.acquire() as connection:
            listed = await store.page(connection, query)
            if known is not None and known[0][0] == self.generation:
                total = known[0][1]
            else:
                generation, asked = self.generation, self.seconds()
                total = await store.count(connection, alike)
                self._totals.put(alike, (generation, total), asked)
        return DisplayPage(await self._display(listed), total)

    async def product(self, reference: str, *, with_reviews: bool = False) -> Display:
        """One product by ID, else SKU, else slug. ProductNotFound when it is not published."""
        if reference.isascii() and reference.isdecimal() and not 0 < int(reference) <= LARGEST_ID:
            raise ProductIdInvalid
        async with self._pool.acquire() as connection:
            listed = await store.by_reference(connection, reference, with_reviews=with_reviews)
        if listed is None:
            raise ProductNotFound
        return await self._display([listed])

    async def variable(self, reference: str) -> Product:
        """The published product with variations that is meant; ProductNotFound otherwise."""
        display = await self.product(reference)
        product = display.products[display.listed[0].id]
        if product.type is not ProductType.VARIABLE:
            raise ProductNotFound("This product has no variations, or there is no such product.")
        return product

    async def variation(self, reference: str, variation_id: int) -> Display:
        """A published variation of a product. ProductNotFound, VariationNotFound."""
        parent = await self.variable(reference)
        async with self._pool.acquire() as connection:
            listed = await store.by_reference(connection, str(variation_id))
        if listed is None:
            raise VariationNotFound
        display = await self._display([listed])
        if display.products[listed.id].parent_id != parent.id:
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
        if not expected:
            return True
        async with self._pool.acquire() as connection:
            found, _ = await store.stock_and_prices(
                connection, list(expected), [], self._clock.now()
            )
        return found == expected

    async def _display(self, listed: Sequence[Listed]) -> Display:
        now = self._clock.now()
        if not listed:
            return Display(now, (), {}, {}, {})
        sold = {id for each in listed for id in (each.id, *each.variation_ids, *each.grouped_ids)}
        linked = {id for each in listed for id in (*each.related_ids, *each.linked_ids)}
        found = await self._catalogue.load(sorted(sold | linked))
        stock_ids = sorted(
            {found[id].stock_id for id in sold if id in found and found[id].manages_stock}
        )
        ranges = (ProductType.VARIABLE, ProductType.GROUPED)
        priced = [id for id in linked if id in found and found[id].type in ranges]
        async with self._pool.acquire() as connection:
            stock, prices = await store.stock_and_prices(connection, stock_ids, priced, now)
        return Display(now, tuple(listed), found, stock, prices)
