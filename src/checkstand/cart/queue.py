"""Requests for one cart take turns, in order, without holding a database connection meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from checkstand.errors import CheckoutInProgress


class _Turnstile:
    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0


class CartQueue:
    """One per process. The row lock keeps processes apart; this keeps waiters off the pool."""

    def __init__(self) -> None:
        self._turnstiles: dict[str, _Turnstile] = {}

    @asynccontextmanager
    async def turn(self, key: str, timeout: float) -> AsyncIterator[None]:
        """Waits for `key`'s turn, at most `timeout` seconds: CheckoutInProgress after that.

        "" is a cart that does not exist yet: nobody else can be at it.
        """
        if not key:
            yield
            return
        turnstile = self._turnstiles.setdefault(key, _Turnstile())
        turnstile.users += 1
        try:
            try:
                async with asyncio.timeout(timeout):
                    await turnstile.lock.acquire()
            except TimeoutError:
                raise CheckoutInProgress from None
            try:
                yield
            finally:
                turnstile.lock.release()
        finally:
            turnstile.users -= 1
            if turnstile.users == 0:
                self._turnstiles.pop(key, None)
