"""The pool: trouble becomes a refusal, a change is heard, statements can be counted."""

from __future__ import annotations

import asyncio

import pytest

from checkstand.errors import CheckoutInProgress, ServiceUnavailable, StorageError
from checkstand.storage import changes
from checkstand.storage.database import Database, PoolOptions


async def test_an_unreachable_database_is_said() -> None:
    with pytest.raises(StorageError, match="cannot connect"):
        await Database.open("postgresql://nobody@127.0.0.1:1/none", PoolOptions(connect_timeout=2))


async def test_a_connection_that_is_cut_is_service_unavailable(
    empty_database: str, database: Database
) -> None:
    with pytest.raises(ServiceUnavailable):
        async with database.transaction() as connection:
            pid = connection.get_server_pid()
            async with database.acquire() as other:
                await other.execute("SELECT pg_terminate_backend($1)", pid)
            await connection.execute("SELECT 1")
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_an_exhausted_pool_is_service_unavailable(empty_database: str) -> None:
    small = await Database.open(
        empty_database, PoolOptions(min_size=1, max_size=1, acquire_timeout=0.1)
    )
    try:
        async with small.acquire():
            with pytest.raises(ServiceUnavailable):
                async with small.acquire():
                    pass
    finally:
        await small.close()


async def test_a_lock_that_does_not_come_is_in_progress(
    empty_database: str, database: Database
) -> None:
    impatient = await Database.open(empty_database, PoolOptions(min_size=1, lock_timeout=0.1))
    lock = "SELECT * FROM revisions FOR UPDATE"
    try:
        async with database.transaction() as holder:
            await holder.execute(lock)
            with pytest.raises(CheckoutInProgress):
                async with impatient.transaction() as waiter:
                    await waiter.execute(lock)
    finally:
        await impatient.close()


async def test_a_failed_block_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO tags (name, slug) VALUES ('a', 'a')")
            raise ZeroDivisionError
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM tags") == 0


async def test_changes_are_heard_also_after_the_connection_was_cut(
    empty_database: str, database: Database
) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    listener = asyncio.create_task(
        changes.listen(
            empty_database,
            {"catalog": lambda: heard.put_nowait("catalog"), "keys": lambda: None},
        )
    )
    try:
        async with asyncio.timeout(20):
            assert await heard.get() == "catalog", "everything is forgotten on connecting"
            async with database.acquire() as connection:
                await connection.execute(
                    "INSERT INTO products (type, name, tax_status, tax_class, shipping_class)"
                    " VALUES ('simple', 'x', 'taxable', '', '')"
                )
                assert await heard.get() == "catalog"
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE query LIKE 'LISTEN%'"
                )
            assert await heard.get() == "catalog", "it came back"
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)
