"""Charges that are at their gateway right now, in this process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

LONGEST = timedelta(seconds=20)
"""How long a charge counts as under way whose end nobody told: its transaction was rolled back, or
the gateway is slow."""


@dataclass
class UnderWay:
    """Counts by value. What is begun between a look and an `await` is seen by the next look."""

    _begun: OrderedDict[str, tuple[datetime, tuple[str, ...]]] = field(default_factory=OrderedDict)
    _counts: dict[str, int] = field(default_factory=dict)

    def count(self, value: str, now: datetime) -> int:
        while self._begun:
            attempt_id, (begun, _) = next(iter(self._begun.items()))
            if now - begun < LONGEST:
                break
            self.end(attempt_id)
        return self._counts.get(value, 0)

    def begin(self, attempt_id: str, values: Sequence[str], now: datetime) -> None:
        self.end(attempt_id)
        self._begun[attempt_id] = (now, tuple(values))
        for value in values:
            self._counts[value] = self._counts.get(value, 0) + 1

    def end(self, attempt_id: str) -> None:
        _, values = self._begun.pop(attempt_id, (None, ()))
        for value in values:
            self._counts[value] -= 1
            if not self._counts[value]:
                del self._counts[value]
