"""A real PostgreSQL from the wheel for the whole run, emptied between tests."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import hypothesis
import pytest

from checkstand.storage import migrate
from checkstand.storage.database import Database, PoolOptions
from checkstand.storage.embedded import EmbeddedPostgres

hypothesis.settings.register_profile("default", max_examples=100, deadline=None)
# `make prove` asks for it with --hypothesis-profile.
hypothesis.settings.register_profile("prove", max_examples=2000, deadline=None)

pytest_plugins = ["checkstand.testing.plugin"]
_KEPT = {"alembic_version", "revisions", "tax_classes"}


hypothesis.settings.load_profile("default")


def pytest_collection_finish(session: pytest.Session) -> None:
    """What was collected stays to the end: thousands of tests that the garbage collector would go
    through again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A migrated database on a server of our own."""
    folder: Path = tmp_path_factory.mktemp("postgres")
    with EmbeddedPostgres(folder, durable=False) as server:
        import asyncio

        asyncio.run(migrate.upgrade(server.url))
        yield server.url


@pytest.fixture
async def empty_database(postgres_url: str) -> str:
    """The address of the database, with every table empty."""
    await emptied(postgres_url)
    return postgres_url


async def emptied(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        names = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
        tables = ", ".join(row[0] for row in names if row[0] not in _KEPT)
        await connection.execute(
            f"TRUNCATE {tables} RESTART IDENTITY CASCADE;"
            "UPDATE revisions SET number = number + 1;"
            "DELETE FROM tax_classes WHERE slug NOT IN ('', 'reduced-rate', 'zero-rate')"
        )
    finally:
        await connection.close()


@pytest.fixture
async def database(empty_database: str) -> AsyncIterator[Database]:
    """An open pool on an empty database."""
    opened = await Database.open(empty_database, PoolOptions(min_size=1, max_size=10))
    yield opened
    await opened.close()
