"""The catalogue in memory: what it answers from there, and what never gets in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from checkstand.catalog.cache import AgingCache
from checkstand.catalog.service import Catalogue


class Watch:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Counted:
    """A database that counts how often a connection is asked for.

    `meanwhile` is called once a statement has read, before its rows are handed over.
    """

    def __init__(self, database: Any) -> None:
        self.asked = 0
        self.meanwhile: Callable[[], None] = lambda: None
        self._database = database

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        self.asked += 1
        async with self._database.acquire() as connection:
            yield _Interrupted(connection, self.meanwhile)


class _Interrupted:
    def __init__(self, connection: Any, meanwhile: Callable[[], None]) -> None:
        self._connection = connection
        self._meanwhile = meanwhile

    async def fetch(self, *arguments: Any) -> Any:
        rows = await self._connection.fetch(*arguments)
        self._meanwhile()
        return rows

    async def fetchval(self, *arguments: Any) -> Any:
        value = await self._connection.fetchval(*arguments)
        self._meanwhile()
        return value


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def pool(database: Any) -> Counted:
    return Counted(database)


async def _insert(database: Any, id: int, name: str = "Cup", sku: str | None = None) -> None:
    async with database.transaction() as connection:
        await connection.execute(
            "INSERT INTO products (id, type, name, slug, sku) VALUES ($1, 'simple', $2, $3, $4)",
            id, name, f"cup-{id}", sku,
        )  # fmt: skip


async def test_loads_once_and_then_answers_from_memory(
    database: Any, pool: Counted, watch: Watch
) -> None:
    await _insert(database, 1)
    catalogue = Catalogue(pool, watch)
    assert catalogue.cached([1]) is None
    assert (await catalogue.load([1]))[1].name == "Cup"
    assert (await catalogue.load([1]))[1].name == "Cup"
    assert catalogue.cached([1]) == await catalogue.load([1])
    assert pool.asked == 1


async def test_unknown_ids_are_remembered_as_unknown(pool: Counted, watch: Watch) -> None:
    catalogue = Catalogue(pool, watch)
    assert await catalogue.load([7]) == {}
    assert await catalogue.load([7]) == {}
    assert catalogue.cached([7]) == {}
    assert pool.asked == 1


async def test_asks_only_for_what_memory_lacks(database: Any, pool: Counted, watch: Watch) -> None:
    await _insert(database, 1)
    await _insert(database, 2)
    catalogue = Catalogue(pool, watch)
    await catalogue.load([1])
    assert catalogue.cached([1, 2]) is None
    assert set(await catalogue.load([1, 2])) == {1, 2}
    assert pool.asked == 2


async def test_nothing_is_answered_that_is_older_than_its_age(
    database: Any, pool: Counted, watch: Watch
) -> None:
    await _insert(database, 1)
    catalogue = Catalogue(pool, watch, max_age=5.0)
    await catalogue.load([1])
    watch.seconds += 4.9
    assert catalogue.cached([1]) is not None
    watch.seconds += 0.1
    assert catalogue.cached([1]) is None


async def test_forgets_everything_when_told(database: Any, pool: Counted, watch: Watch) -> None:
    await _insert(database, 1, sku="CUP")
    catalogue = Catalogue(pool, watch)
    await catalogue.load([1])
    await catalogue.by_sku("CUP")
    await catalogue.variations(1)
    catalogue.forget()
    before = pool.asked
    assert catalogue.cached([1]) is None
    await catalogue.by_sku("CUP")
    await catalogue.variations(1)
    assert pool.asked == before + 2


async def test_what_was_read_before_forget_is_not_remembered_after_it(
    database: Any, pool: Counted, watch: Watch
) -> None:
    await _insert(database, 1, name="Old", sku="CUP")
    catalogue = Catalogue(pool, watch)
    pool.meanwhile = catalogue.forget
    assert (await catalogue.load([1]))[1].name == "Old"
    assert await catalogue.variations(1) == ()
    assert await catalogue.by_sku("NONE") is None
    pool.meanwhile = lambda: None
    before = pool.asked
    assert catalogue.cached([1]) is None
    await catalogue.variations(1)
    await catalogue.by_sku("NONE")
    assert pool.asked == before + 2


async def test_fresh_bypasses_memory_and_renews_it(
    database: Any, pool: Counted, watch: Watch
) -> None:
    await _insert(database, 1, name="Old")
    catalogue = Catalogue(pool, watch)
    await catalogue.load([1])
    async with database.transaction() as connection:
        await connection.execute("UPDATE products SET name = 'New'")
    assert (await catalogue.load([1]))[1].name == "Old"
    async with database.acquire() as connection:
        assert (await catalogue.fresh(connection, [1]))[1].name == "New"
    assert (await catalogue.load([1]))[1].name == "New"


async def test_finds_by_sku_and_remembers_that_there_is_none(
    database: Any, pool: Counted, watch: Watch
) -> None:
    await _insert(database, 1, sku="CUP")
    catalogue = Catalogue(pool, watch)
    for _ in range(3):
        found = await catalogue.by_sku("CUP")
        assert found is not None
        assert found.id == 1
        assert await catalogue.by_sku("cup") is None
    assert pool.asked == 2


async def test_variations_are_kept_together(database: Any, pool: Counted, watch: Watch) -> None:
    async with database.transaction() as connection:
        await connection.execute(
            "INSERT INTO products (id, type, name, parent_id, position) VALUES"
            " (1, 'variable', 'Tee', NULL, 0), (2, 'variation', '', 1, 2),"
            " (3, 'variation', '', 1, 1)"
        )
    catalogue = Catalogue(pool, watch)
    assert [each.id for each in await catalogue.variations(1)] == [3, 2]
    assert [each.id for each in await catalogue.variations(1)] == [3, 2]
    assert catalogue.cached([2, 3]) is not None
    assert pool.asked == 1
    assert await catalogue.variations(99) == ()


async def test_memory_is_bounded_and_keeps_what_was_used_last(watch: Watch) -> None:
    cache: AgingCache[int, str] = AgingCache(2, 5.0, watch)
    for number in (1, 2):
        cache.put(number, str(number), watch())
    assert cache.get(1) == ("1",)
    cache.put(3, "3", watch())
    assert (cache.get(1), cache.get(2), cache.get(3)) == (("1",), None, ("3",))
    assert len(cache) == 2
