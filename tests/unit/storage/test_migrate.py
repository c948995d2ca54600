"""The schema: from nothing, by several at once, and what it promises."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from alembic.script import ScriptDirectory

from checkstand.errors import StorageError
from checkstand.storage import migrate, schema


@pytest.fixture
async def bare_url(postgres_url: str) -> AsyncIterator[str]:
    """An empty database on the same server."""
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("DROP DATABASE IF EXISTS bare")
    await connection.execute("CREATE DATABASE bare")
    yield urlunsplit(urlsplit(postgres_url)._replace(path="/bare"))
    await connection.execute("DROP DATABASE bare WITH (FORCE)")
    await connection.close()


async def test_from_nothing_to_head(bare_url: str) -> None:
    assert await schema.current(bare_url) is None
    await migrate.upgrade(bare_url)
    assert await schema.current(bare_url) == schema.head()
    await migrate.upgrade(bare_url)
    assert await schema.current(bare_url) == schema.head()


def test_the_numbers_of_the_files_are_the_chain() -> None:
    chain = ScriptDirectory(str(Path(schema.__file__).parent / "migrations"))
    revisions = [each.revision for each in chain.walk_revisions()]
    assert chain.get_heads() == [schema.head()], "one head, and it is the highest number"
    assert revisions == sorted(revisions, reverse=True)


def test_a_server_does_without_alembic() -> None:
    code = "import sys, checkstand.app; print({'alembic', 'sqlalchemy'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"


async def test_two_servers_that_start_together_migrate_once(bare_url: str) -> None:
    await asyncio.gather(*(migrate.upgrade(bare_url) for _ in range(4)))
    assert await schema.current(bare_url) == schema.head()


async def test_an_unreachable_database_is_said(tmp_path: object) -> None:
    with pytest.raises(StorageError, match="cannot use the database"):
        await migrate.upgrade("postgresql://nobody@127.0.0.1:1/none")


async def test_one_live_attempt_of_an_order(bare_url: str) -> None:
    """The database itself refuses a second attempt that may move money."""
    await migrate.upgrade(bare_url)
    connection = await asyncpg.connect(bare_url)
    try:
        order_id = await connection.fetchval(
            "INSERT INTO orders (order_key, number, status, cart_key, fingerprint, currency,"
            " exponent, base_currency, exchange_rate, prices_include_tax, totals, total,"
            " needs_payment, needs_shipping, needs_processing, billing, shipping, payment_method,"
            " payment_method_title, created_at) VALUES ('k', '1', 'pending', 'c', 'f', 'USD', 2,"
            " 'USD', 1, false, '{}', 1, true, true, true, '{}', '{}', 'x', 'x', now())"
            " RETURNING id"
        )
        insert = (
            "INSERT INTO payment_attempts (id, order_id, gateway, state, amount, currency,"
            " lease_until, created_at) VALUES ($1, $2, 'x', $3, 1, 'USD', now(), now())"
        )
        await connection.execute(insert, "a", order_id, "declined")
        await connection.execute(insert, "b", order_id, "open")
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute(insert, "c", order_id, "unknown")
    finally:
        await connection.close()
