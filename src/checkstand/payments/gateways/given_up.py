"""Attempts that a gateway has said will never be charged, so that it keeps its word."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

_REMEMBERED = 10_000


class GivenUp:
    """The last 10,000 attempts of this process whose look-up was declined as never received.

    For providers that cannot be told to refuse a request which they have not seen yet: a charge of
    ours that was held up in this process must not begin, nor finish, what a look-up has declined
    meanwhile. Between processes the attempt's state does the same: only an open one is charged.
    """

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def add(self, attempt_id: str) -> None:
        with self._lock:
            self._ids[attempt_id] = None
            while len(self._ids) > _REMEMBERED:
                self._ids.popitem(last=False)

    def __contains__(self, attempt_id: str) -> bool:
        return attempt_id in self._ids
