"""Listens for change notices, so that a server drops what it has cached when another changed it.

Needs a direct connection (`database.listen_url` when pgbouncer stands in front of the rest).
While it has none, caches still age out by themselves: being deaf is slow, not wrong.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

import asyncpg

from checkstand.storage.database import Database

CHANNEL = "checkstand_changes"
_LONGEST_PAUSE = 5.0
_log = logging.getLogger(__name__)


async def tell(database: Database, topic: str) -> None:
    """Tells every server of this database."""
    async with database.acquire() as connection:
        await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, topic)


async def listen(
    url: str,
    forget: Mapping[str, Callable[[], None]],
    do: Mapping[str, Callable[[], None]] | None = None,
) -> None:
    """Runs until cancelled. Calls `forget[topic]()` on each notice of a topic, and all of them
    after every (re)connection, for what was said meanwhile; `do[topic]()` on notices only."""
    pause = 0.1
    while True:
        try:
            connection = await asyncpg.connect(url, timeout=10)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            _log.warning("cannot listen for changes (%s); next try in %.1f s", error, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            continue
        pause = 0.1
        lost = asyncio.Event()
        connection.add_termination_listener(lambda *_, lost=lost: lost.set())
        try:
            known = {**forget, **(do or {})}
            await connection.add_listener(
                CHANNEL, lambda *notice, known=known: _heard(known, str(notice[-1]))
            )
            for drop in forget.values():
                drop()
            await lost.wait()
            _log.warning("the connection that listens for changes was lost; connecting again")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _log.warning("listening for changes failed (%s)", error)
        finally:
            connection.terminate()


def _heard(known: Mapping[str, Callable[[], None]], topic: str) -> None:
    act = known.get(topic)
    if act is not None:
        act()
