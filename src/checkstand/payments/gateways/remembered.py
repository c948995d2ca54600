"""What a gateway remembers of attempts while its process runs."""

from __future__ import annotations

from collections import OrderedDict

_MOST = 10_000


class Remembered:
    """The last 10,000 ids that were added. For providers that cannot be told to refuse a request
    which they have not seen yet: a charge of ours that was held up in this process must not begin,
    nor finish, what a look-up has declined meanwhile. Between processes the attempt's state does
    the same: only an open one is charged."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()

    def add(self, name: str) -> bool:
        """Whether it is new."""
        if name in self._ids:
            return False
        self._ids[name] = None
        while len(self._ids) > _MOST:
            self._ids.popitem(last=False)
        return True

    def __contains__(self, name: str) -> bool:
        return name in self._ids
