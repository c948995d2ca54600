"""A bounded cache whose entries grow too old."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class AgingCache(Generic[K, V]):
    """Keeps the `size` entries used last, each for `max_age` seconds.

    `clock` counts seconds and never goes back (time.monotonic).
    """

    def __init__(self, size: int, max_age: float, clock: Callable[[], float]) -> None:
        self._size = size
        self._max_age = max_age
        self._clock = clock
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> tuple[V] | None:
        """The value in a tuple of one, so that None can be a value; None when not kept fresh."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        since, value = entry
        if self._clock() - since >= self._max_age:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return (value,)

    def put(self, key: K, value: V, since: float) -> None:
        """Keep `value`, which was true at `since` (on the cache's clock)."""
        self._entries[key] = (since, value)
        self._entries.move_to_end(key)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        self._entries.clear()
