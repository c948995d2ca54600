"""Bounded caches whose entries grow too old."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it was sent: its body, its headers, and the stock that it shows (stock row ->
    units), which has to be looked at again before it is sent once more."""

    body: bytes
    headers: tuple[tuple[str, str], ...]
    stock: tuple[tuple[int, int], ...]
    generation: int
    since: float


class AnswerShelf:
    """Keeps the answers used last, up to `size` bytes together, each for `max_age` seconds and only
    while the catalogue's generation is the one that it was made of."""

    def __init__(self, size: int, max_age: float, clock: Callable[[], float]) -> None:
        self._room = size
        self._max_age = max_age
        self._clock = clock
        self._kept: OrderedDict[object, KeptAnswer] = OrderedDict()

    def get(self, key: object, generation: int) -> KeptAnswer | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.generation != generation or self._clock() - kept.since >= self._max_age:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept

    def put(self, key: object, answer: KeptAnswer) -> None:
        self._drop(key)
        self._kept[key] = answer
        self._room -= len(answer.body)
        while self._room < 0:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: object) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self._room += len(gone.body)
