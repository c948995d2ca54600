"""What a server does between requests: finish payments that a crash left open, and delete carts,
idempotency keys, sessions and mailed keys whose time is over. Every step may run in several
processes at once."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import Protocol

from checkstand.access import account_store, session_store
from checkstand.cart import store as carts
from checkstand.errors import CheckstandError
from checkstand.kit.clock import Clock
from checkstand.storage import idempotency
from checkstand.storage.database import Database

_log = logging.getLogger(__name__)
_LOOK_EVERY = 5.0
_SWEEP_EVERY = 600.0
_BATCH = 500
_SWEPT = (
    carts.delete_expired,
    idempotency.delete_expired,
    session_store.delete_expired,
    account_store.delete_expired_keys,
)


class Finisher(Protocol):
    async def finish_abandoned(self) -> int: ...


async def run(database: Database, clock: Clock, finisher: Finisher) -> None:
    """Runs until cancelled; trouble is logged and tried again at the next turn."""
    swept = -_SWEEP_EVERY
    while True:
        # Apart from each other, when several processes start together.
        await asyncio.sleep(_LOOK_EVERY * random.uniform(0.8, 1.2))
        try:
            finished = await finisher.finish_abandoned()
            if finished:
                _log.warning("settled %d payment attempts that were left open", finished)
            if time.monotonic() - swept >= _SWEEP_EVERY:
                swept = time.monotonic()
                await sweep(database, clock)
        except CheckstandError as error:
            _log.warning("housekeeping will try again: %s", error)
        except Exception:
            _log.exception("housekeeping will try again")


async def sweep(database: Database, clock: Clock) -> int:
    """Deletes what has expired, a batch a transaction; says how many rows went."""
    gone = 0
    for delete in _SWEPT:
        batch = _BATCH
        while batch == _BATCH:
            async with database.transaction() as connection:
                batch = await delete(connection, clock.now(), _BATCH)
            gone += batch
    return gone
