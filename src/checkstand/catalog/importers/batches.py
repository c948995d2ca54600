"""How much of a file is written at once, and where to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from checkstand.storage.database import Connection

BATCH = 1000
_BATCH_BYTES = 8 * 1024 * 1024

T = TypeVar("T")


class TransactionSource(Protocol):
    def transaction(self) -> AbstractAsyncContextManager[Connection]:
        """A connection in a transaction that is committed at the end of the block."""


def batched(items: Iterable[T], position: Callable[[], int]) -> Iterator[list[T]]:
    """The items in lists of a thousand, or of fewer when they take many bytes of the file.

    `position` says how far the file has been read.
    """
    batch: list[T] = []
    start = position()
    for item in items:
        batch.append(item)
        if len(batch) == BATCH or position() - start > _BATCH_BYTES:
            yield batch
            batch, start = [], position()
    if batch:
        yield batch
