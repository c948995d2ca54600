"""The catalogue as a running shop reads it: from memory where that is fresh enough.

Prices that are charged never come from here but from `fresh`, on the connection of the purchase.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from checkstand.catalog import store
from checkstand.catalog.cache import AgingCache
from checkstand.catalog.model import Product
from checkstand.storage.database import Connection


class ConnectionSource(Protocol):
    def acquire(self) -> AbstractAsyncContextManager[Connection]:
        """A connection of the pool, given back at the end of the block."""


class Catalogue:
    """Products by id, SKU and parent; what is answered is at most `max_age` seconds old.

    Ids and SKUs that do not exist are remembered as well, so asking for them again is free.
    """

    def __init__(
        self,
        pool: ConnectionSource,
        clock: Callable[[], float] = time.monotonic,
        max_products: int = 10_000,
        max_age: float = 5.0,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._products: AgingCache[int, Product | None] = AgingCache(max_products, max_age, clock)
        self._skus: AgingCache[str, int | None] = AgingCache(max_products, max_age, clock)
        self._children: AgingCache[int, tuple[int, ...]] = AgingCache(max_products, max_age, clock)
        # Raised by forget(): what was read before must not be put in after.
        self._generation = 0

    def cached(self, ids: Iterable[int]) -> dict[int, Product] | None:
        """All of them (without those known not to exist) if memory has them fresh, else None."""
        found: dict[int, Product] = {}
        for id in ids:
            entry = self._products.get(id)
            if entry is None:
                return None
            if entry[0] is not None:
                found[id] = entry[0]
        return found

    async def load(self, ids: Collection[int]) -> dict[int, Product]:
        """The products with these ids, with one statement for those that memory lacks."""
        found: dict[int, Product] = {}
        lacking: list[int] = []
        for id in ids:
            entry = self._products.get(id)
            if entry is None:
                lacking.append(id)
            elif entry[0] is not None:
                found[id] = entry[0]
        if lacking:
            async with self._pool.acquire() as connection:
                found |= await self.fresh(connection, lacking)
        return found

    async def fresh(self, connection: Connection, ids: Collection[int]) -> dict[int, Product]:
        """The products as `connection` sees them now; memory is brought up to date by it.

        Not for a transaction that has changed products itself: it may yet roll back.
        """
        generation, asked = self._generation, self._clock()
        found = await store.products(connection, ids)
        self._remember({id: found.get(id) for id in ids}, generation, asked)
        return found

    async def by_sku(self, sku: str) -> Product | None:
        """The product or variation with exactly this SKU."""
        entry = self._skus.get(sku)
        if entry is not None:
            id = entry[0]
            return None if id is None else (await self.load([id])).get(id)
        generation, asked = self._generation, self._clock()
        async with self._pool.acquire() as connection:
            id = await store.product_id_by_sku(connection, sku)
            if generation == self._generation:
                self._skus.put(sku, id, asked)
            if id is None:
                return None
            known = self.cached([id])
            return (known or await self.fresh(connection, [id])).get(id)

    async def variations(self, parent_id: int) -> tuple[Product, ...]:
        """The variations of a product in menu order, published or not; empty when it has none."""
        entry = self._children.get(parent_id)
        if entry is not None:
            known = self.cached(entry[0])
            if known is not None:
                return tuple(known[id] for id in entry[0] if id in known)
        generation, asked = self._generation, self._clock()
        async with self._pool.acquire() as connection:
            found = await store.variations_of(connection, parent_id)
        if generation == self._generation:
            self._children.put(parent_id, tuple(each.id for each in found), asked)
        self._remember({each.id: each for each in found}, generation, asked)
        return tuple(found)

    @property
    def generation(self) -> int:
        """Another number after each change of the catalogue that this process was told of."""
        return self._generation

    def forget(self) -> None:
        """The catalogue has changed: nothing that was read before now is answered again."""
        self._generation += 1
        for cache in (self._products, self._skus, self._children):
            cache.clear()

    def _remember(self, found: Mapping[int, Product | None], generation: int, since: float) -> None:
        if generation != self._generation:
            return
        for id, product in found.items():
            self._products.put(id, product, since)
