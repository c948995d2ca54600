"""Which schema a database has, and which this version needs. Servers ask at their start: without
Alembic, which would stay in the memory of every worker (some 28 MB) for one look."""

from __future__ import annotations

from pathlib import Path

import asyncpg

from checkstand.errors import StorageError

_VERSIONS = Path(__file__).parent / "migrations" / "versions"


def head() -> str:
    """The revision that this version of Checkstand works with: revisions are numbered, and their
    files begin with the number."""
    numbers = [file.name.partition("_")[0] for file in _VERSIONS.glob("[0-9]*.sql")]
    if not numbers:
        raise StorageError("this installation has no migrations; install Checkstand again")
    return max(numbers)


async def current(url: str) -> str | None:
    """The revision that the database has; None for an empty database. StorageError when it cannot
    be asked."""
    try:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            found = await connection.fetchval("SELECT version_num FROM alembic_version")
        finally:
            await connection.close()
    except asyncpg.UndefinedTableError:
        return None
    except (
        OSError,
        TimeoutError,
        ValueError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
    ) as error:
        reason = str(error).partition("\n")[0]
        raise StorageError(f"cannot use the database: {reason}") from error
    return None if found is None else str(found)
