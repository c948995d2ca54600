"""Brings a database to the schema that this version needs: Alembic behind one verb.

Revisions are SQL files run as they are by the driver (several statements, no bind markers), all in
one transaction under an advisory lock, so that two servers that start together migrate once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from checkstand.errors import StorageError

_SCRIPTS = Path(__file__).parent / "migrations"
_LOCK = 0x636865636B  # any number, the same everywhere: "check"


async def upgrade(url: str, revision: str = "head") -> None:
    """Migrates up to `revision`; does nothing when the database is there already."""

    def run(connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _LOCK})
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    await _with_connection(url, run)


async def _with_connection(url: str, work: Any) -> Any:
    engine = _engine(url)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    except (
        OSError,
        TimeoutError,
        ValueError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        SQLAlchemyError,
    ) as error:
        reason = str(error).partition("\n")[0]
        raise StorageError(f"cannot use the database: {reason}") from error
    finally:
        await engine.dispose()


def _engine(url: str) -> AsyncEngine:
    async def connect() -> Any:
        return await asyncpg.connect(url, timeout=10)

    return create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config
