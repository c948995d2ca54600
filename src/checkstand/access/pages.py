"""Which pages a shop's publishable keys name: they may read answers, as `security.cors_origins`
may."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from checkstand.access import key_store
from checkstand.errors import Refusal
from checkstand.storage.database import Database

_log = logging.getLogger(__name__)
MAX_AGE = 5.0


class Pages:
    """Remembers the origins of living keys for a few seconds; a change notice forgets them."""

    def __init__(self, database: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic
        self._origins: frozenset[str] = frozenset()
        self._until = 0.0
        self._asking = asyncio.Lock()

    async def named(self, origin: str) -> bool:
        """Whether a living publishable key is for pages of this origin. While the database does
        not answer, what was known holds."""
        if self._monotonic() >= self._until:
            async with self._asking:  # one of many requests asks for all
                if self._monotonic() >= self._until:
                    await self._ask()
        return origin in self._origins

    def forget(self) -> None:
        """A key has changed."""
        self._until = 0.0

    async def _ask(self) -> None:
        self._until = self._monotonic() + MAX_AGE  # before: a notice that comes meanwhile counts
        try:
            async with self._database.acquire() as connection:
                self._origins = await key_store.pages(connection)
        except Refusal as error:
            _log.warning("the pages of publishable keys are as before: %s", error)
