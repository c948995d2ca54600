"""Holds: all or nothing, one's own never in the way, expired ones forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from checkstand.stock import store
from checkstand.stock.model import Shortage, Want
from checkstand.storage.database import Database
from tests.makers import product

NOW = datetime(2026, 5, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
async def ids(database: Database) -> list[int]:
    async with database.acquire() as connection:
        return [
            await product(connection, name=f"P{n}", slug=f"p{n}", stock=stock)
            for n, stock in enumerate((5, 0, 3))
        ]


async def held(database: Database) -> list[tuple[int, int, int]]:
    async with database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT order_id, product_id, quantity FROM stock_holds ORDER BY 1, 2"
        )
    return [(row[0], row[1], row[2]) for row in rows]


async def hold(database: Database, order: int, *wants: Want, now: datetime = NOW) -> list[Shortage]:
    async with database.transaction() as connection:
        return await store.hold(connection, order, wants, now, now + timedelta(hours=1))


async def test_all_or_nothing(database: Database, ids: list[int]) -> None:
    short = await hold(database, 1, Want(ids[0], 5), Want(ids[2], 4))
    assert short == [Shortage(ids[2], 4, 3)]
    assert await held(database) == []
    assert await hold(database, 1, Want(ids[0], 5), Want(ids[2], 3)) == []
    assert await held(database) == [(1, ids[0], 5), (1, ids[2], 3)]


async def test_others_holds_count_and_ones_own_do_not(database: Database, ids: list[int]) -> None:
    assert await hold(database, 1, Want(ids[0], 3)) == []
    assert await hold(database, 2, Want(ids[0], 3)) == [Shortage(ids[0], 3, 2)]
    assert await hold(database, 1, Want(ids[0], 5)) == []
    assert await held(database) == [(1, ids[0], 5)]


async def test_expired_holds_are_forgotten(database: Database, ids: list[int]) -> None:
    assert await hold(database, 1, Want(ids[0], 5)) == []
    assert await hold(database, 2, Want(ids[0], 5), now=LATER + timedelta(seconds=1)) == []


async def test_backorders_may_exceed(database: Database, ids: list[int]) -> None:
    assert await hold(database, 1, Want(ids[1], 4, may_exceed=True)) == []
    async with database.transaction() as connection:
        await store.take(connection, 1)
        await store.take(connection, 1)
        assert (
            await connection.fetchval("SELECT quantity FROM stock WHERE product_id = $1", ids[1])
            == -4
        )


async def test_a_product_that_counts_without_a_count_has_none(
    database: Database, ids: list[int]
) -> None:
    assert await hold(database, 1, Want(999, 1)) == [Shortage(999, 1, 0)]
    assert await hold(database, 1, Want(999, 1, may_exceed=True)) == []
    assert await held(database) == []
