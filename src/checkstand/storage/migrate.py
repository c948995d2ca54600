"""Brings a database to the schema that this version needs: Alembic behind one verb.

Revisions are SQL files run as they are by the driver (several statements, no bind markers), all in
one transaction under an advisory lock, so that two servers that start together migrate once.

Alembic is loaded when it is used: it would stay in the memory of whoever serves afterwards.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from checkstand.errors import StorageError

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

_SCRIPTS = Path(__file__).parent / "migrations"
_LOCK = 0x636865636B  # any number, the same everywhere: "check"


async def upgrade(url: str, revision: str = "head") -> None:
    """Migrates up to `revision`; does nothing when the database is there already."""
    from sqlalchemy.exc import SQLAlchemyError

    engine = _engine(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_run, revision)
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


def _run(connection: Connection, revision: str) -> None:
    from alembic import command
    from sqlalchemy import text

    connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _LOCK})
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _engine(url: str) -> AsyncEngine:
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    async def connect() -> Any:
        return await asyncpg.connect(url, timeout=10)

    return create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config
