"""The pool and the two ways to use it: `acquire` for a read, `transaction` for a change.

Only this room and the `store` modules know asyncpg. Trouble with the connection becomes a
ServiceUnavailable refusal here, so that no caller has to know a driver's exceptions.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import orjson

from checkstand.errors import CheckoutInProgress, ServiceUnavailable, StorageError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
"""A pooled connection, as `acquire` and `transaction` hand out."""


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """Sizes in connections, times in seconds."""

    min_size: int = 2
    max_size: int = 10
    acquire_timeout: float = 10.0
    connect_timeout: float = 10.0
    statement_timeout: float = 15.0
    lock_timeout: float = 10.0
    prepared_statements: bool = True
    """False behind pgbouncer in transaction mode."""


if TYPE_CHECKING:
    _DriverConnection = asyncpg.Connection[asyncpg.Record]
else:
    _DriverConnection = asyncpg.Connection


class _PlainConnection(_DriverConnection):
    """Released without a reset query: we set no session state, and the trip costs a third of a
    keyed read (DESIGN, decision "Hot rows stay hot")."""

    def get_reset_query(self) -> str:
        return ""


class Database:
    """An open pool. `on_query`, when given, is told every statement (tests count them)."""

    def __init__(self, pool: Any, acquire_timeout: float) -> None:
        self._pool = pool
        self._acquire_timeout = acquire_timeout

    @classmethod
    async def open(
        cls,
        url: str,
        options: PoolOptions | None = None,
        on_query: Callable[[str], None] | None = None,
    ) -> Database:
        """Connects; StorageError with the reason when the server cannot be reached."""
        chosen = options or PoolOptions()

        async def prepare(connection: Connection) -> None:
            await _use_orjson(connection)
            if on_query is not None:
                connection.add_query_logger(lambda query: on_query(query.query))

        try:
            pool = await asyncpg.create_pool(  # type: ignore[call-overload]
                url,
                min_size=chosen.min_size,
                max_size=chosen.max_size,
                timeout=chosen.connect_timeout,
                command_timeout=chosen.statement_timeout + 5,
                statement_cache_size=1024 if chosen.prepared_statements else 0,
                max_inactive_connection_lifetime=300,
                connection_class=_PlainConnection,
                init=prepare,
                server_settings=_session_settings(chosen),
            )
        except (
            OSError,
            ValueError,
            TimeoutError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
        ) as error:
            raise StorageError(f"cannot connect to the database: {error}") from error
        return cls(pool, chosen.acquire_timeout)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        """A connection for reading. Nothing that it does is in a transaction."""
        with _connection_trouble():
            async with self._pool.acquire(timeout=self._acquire_timeout) as connection:
                yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside a READ COMMITTED transaction: committed at the end of the block,
        rolled back when it raises. Never hold one across a call to another service."""
        with _connection_trouble():
            async with (
                self._pool.acquire(timeout=self._acquire_timeout) as connection,
                connection.transaction(),
            ):
                yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """A connection that reads everything as it was at its first statement. For commands that
        walk through a table; between two statements it may pause as long as it likes."""
        with _connection_trouble():
            async with (
                self._pool.acquire(timeout=self._acquire_timeout) as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
                yield connection

    async def server(self) -> tuple[int, datetime]:
        """The server's version (160014 for 16.14) and its clock, for who examines it."""
        async with self.acquire() as connection:
            row = await connection.fetchrow(
                "SELECT current_setting('server_version_num')::int, clock_timestamp()"
            )
            assert row is not None
            return row[0], row[1]

    async def close(self) -> None:
        try:
            await asyncio.wait_for(self._pool.close(), timeout=10)
        except TimeoutError:
            self._pool.terminate()


class _connection_trouble:  # noqa: N801 - reads as a statement where it is used
    """Turns a driver's connection trouble into ServiceUnavailable, and a lock that did not come
    in time into CheckoutInProgress."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        match error:
            case asyncpg.LockNotAvailableError() | asyncpg.DeadlockDetectedError():
                raise CheckoutInProgress from error
            case (
                asyncpg.PostgresConnectionError()
                | asyncpg.InterfaceError()
                | asyncpg.InternalClientError()
                | asyncpg.CannotConnectNowError()
                | asyncpg.TooManyConnectionsError()
                | asyncpg.AdminShutdownError()
                | asyncpg.CrashShutdownError()
                | asyncpg.QueryCanceledError()
                | asyncpg.DiskFullError()
                | asyncpg.ReadOnlySQLTransactionError()
                | asyncpg.OutOfMemoryError()
                | OSError()
                | TimeoutError()
            ):
                raise ServiceUnavailable(retry_after=2) from error
            case _:
                return


async def _use_orjson(connection: Connection) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda value: orjson.loads(value[1:]),
    )


def _session_settings(options: PoolOptions) -> dict[str, str]:
    """What each session starts with. pgbouncer refuses parameters that it does not know: behind
    it, the limits have to be set on the role or the database."""
    if not options.prepared_statements:
        return {"application_name": "checkstand"}
    return {
        "application_name": "checkstand",
        "timezone": "UTC",
        "statement_timeout": _milliseconds(options.statement_timeout),
        "lock_timeout": _milliseconds(options.lock_timeout),
        "idle_in_transaction_session_timeout": "60000",
        "jit": "off",
    }


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))
