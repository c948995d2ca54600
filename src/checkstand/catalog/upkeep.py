"""What time alone changes in the catalogue: sales that begin or end, and what was sold meanwhile.

Every step may run in several processes at once: each row is done by one of them.
"""

from __future__ import annotations

import asyncio
import logging
import random
from datetime import timedelta

from checkstand.catalog.store import listing
from checkstand.errors import CheckstandError
from checkstand.kit.clock import Clock
from checkstand.storage.database import Database

_log = logging.getLogger(__name__)
_EVERY = 15.0
_SETTLED = timedelta(minutes=2)
"""An order is placed in a transaction that takes seconds at most: after that, none is missed."""


async def run(database: Database, clock: Clock) -> None:
    """Runs until cancelled; trouble is logged and tried again at the next turn."""
    while True:
        # Apart from each other, when several processes start together.
        await asyncio.sleep(_EVERY * random.uniform(0.8, 1.2))
        try:
            await keep_listing_true(database, clock)
        except CheckstandError as error:
            _log.warning("upkeep of the catalogue will try again: %s", error)
        except Exception:
            _log.exception("upkeep of the catalogue will try again")


async def keep_listing_true(database: Database, clock: Clock) -> None:
    """Brings prices up to date where a sale began or ended, and counts new sales."""
    refreshed = 1
    while refreshed:
        async with database.transaction() as connection:
            refreshed = await listing.refresh_sales(connection, clock.now())
    async with database.transaction() as connection:
        await listing.count_sales(connection, clock.now() - _SETTLED)
