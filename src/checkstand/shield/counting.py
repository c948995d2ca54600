"""Where requests are counted: in this process, or in a Valkey that several processes share.

Both are storages of the `limits` library, whose moving window does the deciding.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from limits import RateLimitItem
from limits.aio.storage import MovingWindowSupport, RedisStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter

_log = logging.getLogger(__name__)
_MAX_REMEMBERED = 50_000
PATIENCE = 0.5
"""Seconds that a shared store gets to answer, unless the settings say otherwise."""
_LEFT_ALONE = 2.0
"""Seconds that a store which did not answer is not asked again."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a caller stands after a request was counted. `reset` is a Unix time in seconds."""

    allowed: bool
    limit: int
    remaining: int
    reset: float


class InProcess(Storage, MovingWindowSupport):
    """The times of the last requests by key, at most 50,000 keys: who has not asked for longest is
    forgotten first. The library's own memory starts a task that looks through every key on each
    hit: 115 to 200 us, where this one takes two."""

    STORAGE_SCHEME = ["async+checkstand"]  # noqa: RUF012 - as the library declares it

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        return ValueError

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        if amount > limit:
            return False
        now = self._clock()
        times = self._times.get(key)
        if times is None:
            times = self._times[key] = deque(maxlen=limit)
            while len(self._times) > _MAX_REMEMBERED:
                self._times.popitem(last=False)
        else:
            self._times.move_to_end(key)
        # The one that has to be out of the window before there is room for `amount` more.
        if len(times) > limit - amount and times[amount - limit - 1] > now - expiry:
            return False
        times.extend([now] * amount)
        return True

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        now = self._clock()
        times = self._times.get(key)
        if times is None:
            return now, 0
        while times and times[0] <= now - expiry:
            times.popleft()
        return (times[0], len(times)) if times else (now, 0)

    async def clear(self, key: str) -> None:
        self._times.pop(key, None)

    async def check(self) -> bool:
        return True

    async def reset(self) -> int | None:
        gone = len(self._times)
        self._times.clear()
        return gone

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        raise NotImplementedError("counts in windows only")

    async def get(self, key: str) -> int:
        raise NotImplementedError("counts in windows only")

    async def get_expiry(self, key: str) -> float:
        raise NotImplementedError("counts in windows only")


_Deed: TypeAlias = Callable[
    [MovingWindowRateLimiter, RateLimitItem, str], Awaitable[Standing | None]
]


class Counter:
    """Counts in the shared store while it answers, else in this process when that is wanted."""

    def __init__(
        self,
        local: InProcess,
        shared: Storage | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE,
    ) -> None:
        self._patience = patience
        self._local = MovingWindowRateLimiter(local)
        self._shared = MovingWindowRateLimiter(shared) if shared is not None else None
        self._monotonic = monotonic
        self._ask_again_at = 0.0
        self._down = False

    async def hit(self, item: RateLimitItem, who: str, *, must_count: bool) -> Standing | None:
        """Counts one request of `who`. None when the shared store does not answer and the request
        may go uncounted."""
        if self._shared is None:
            return await _hit(self._local, item, who)
        standing = await self._try(_hit, item, who)
        if standing is None and must_count:
            return await _hit(self._local, item, who)
        return standing

    async def look(self, item: RateLimitItem, who: str) -> Standing:
        """How `who` stands, without counting."""
        return (
            await self._try(_look, item, who) if self._shared is not None else None
        ) or await _look(self._local, item, who)

    async def forgive(self, item: RateLimitItem, who: str) -> None:
        """Forgets what was counted for `who`, wherever it was."""
        await self._local.clear(item, who)
        if self._shared is not None:
            await self._try(_clear, item, who)

    async def answers(self) -> bool:
        """Whether the shared store does; true without one."""
        if self._shared is None:
            return True
        try:
            async with asyncio.timeout(self._patience):
                return bool(await self._shared.storage.check())
        except Exception:
            return False

    async def close(self) -> None:
        """Lets the shared store's connections go."""
        if self._shared is not None:
            store: Any = self._shared.storage
            client = store.bridge.storage
            with suppress(Exception):  # it may be gone already
                await client.aclose()

    async def _try(self, do: _Deed, item: RateLimitItem, who: str) -> Standing | None:
        """What the shared store says; None while it does not answer."""
        now = self._monotonic()
        if self._shared is None or now < self._ask_again_at:
            return None
        if self._down:
            # One request tries whether it is back, and the others do not wait for that.
            self._ask_again_at = now + _LEFT_ALONE
        try:
            async with asyncio.timeout(self._patience):
                standing = await do(self._shared, item, who)
        except Exception as error:  # whatever a driver raises: the shop goes on
            self._is_down(error)
            return None
        self._is_back()
        return standing

    def _is_down(self, error: Exception) -> None:
        """Says it once, however many requests meet it."""
        self._ask_again_at = self._monotonic() + _LEFT_ALONE
        if not self._down:
            self._down = True
            _log.error(
                "the shared rate limits cannot be reached (%s): until they can, reads are not "
                "limited and this process limits everything else by itself",
                type(error).__name__,
            )

    def _is_back(self) -> None:
        if self._down:
            self._down = False
            self._ask_again_at = 0.0
            _log.warning("the shared rate limits can be reached again")


async def _hit(limiter: MovingWindowRateLimiter, item: RateLimitItem, who: str) -> Standing:
    allowed = await limiter.hit(item, who)
    seen = await limiter.get_window_stats(item, who)
    return Standing(allowed, item.amount, max(0, seen.remaining), seen.reset_time)


async def _look(limiter: MovingWindowRateLimiter, item: RateLimitItem, who: str) -> Standing:
    seen = await limiter.get_window_stats(item, who)
    return Standing(seen.remaining > 0, item.amount, max(0, seen.remaining), seen.reset_time)


async def _clear(limiter: MovingWindowRateLimiter, item: RateLimitItem, who: str) -> None:
    await limiter.clear(item, who)


def shared_store(url: str, patience: float = PATIENCE) -> Storage:
    """A Valkey or Redis by its address: valkey://, valkeys:// (TLS), redis:// or rediss://."""
    return RedisStorage(
        url,
        implementation="valkey",
        key_prefix="checkstand",
        socket_timeout=patience,
        socket_connect_timeout=patience,
    )
