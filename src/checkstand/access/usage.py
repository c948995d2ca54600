"""How keys are used: counted in memory, written together every few seconds, and looked at for what
is unusual. A request never waits for it. Each process looks at its own requests."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

from checkstand.access import key_store as store
from checkstand.access.key_store import Usage
from checkstand.kit.clock import Clock
from checkstand.kit.network import neighbourhood
from checkstand.storage.database import Database

UNKNOWN = 0
"""Stands for all keys that do not exist."""
_MOST = 20_000
_WATCHED = timedelta(minutes=1)
_QUIET = timedelta(minutes=15)
"""An alert about a key is not repeated before that."""

Alert = Callable[[str, str, dict[str, object]], None]


@dataclass
class _Tally:
    requests: int = 0
    failures: int = 0
    limited: int = 0


@dataclass
class KeyUsage:
    """`failures` and `limited`: how many a minute make an alert."""

    database: Database
    clock: Clock
    alert: Alert
    failures: int = 20
    limited: int = 50
    _tallies: dict[tuple[int, str], _Tally] = field(default_factory=dict)
    _networks: set[tuple[int, str]] = field(default_factory=set)
    _known: OrderedDict[tuple[int, str], date] = field(default_factory=OrderedDict)
    _recent: dict[tuple[str, int], deque[float]] = field(default_factory=dict)
    _alerted: dict[tuple[str, int], float] = field(default_factory=dict)

    def used(self, key_id: int, route: str, address: str, *, publishable: bool) -> None:
        """A request came with the key. Where from counts for secret keys only: a page is opened
        everywhere."""
        self._tally(key_id, route).requests += 1
        if not publishable:
            place = (key_id, neighbourhood(address))
            today = self.clock.now().date()
            if place[1] and self._known.get(place) != today and len(self._networks) < _MOST:
                self._networks.add(place)

    def failed(self, key_id: int, route: str) -> None:
        """The key was refused: not known, a wrong secret, or not for there or now."""
        if key_id != UNKNOWN:
            self._tally(key_id, route).failures += 1
        self._happened("key.failures", key_id, self.failures)

    def was_limited(self, key_id: int, route: str) -> None:
        """A request with the key was one too many."""
        self._tally(key_id, route).limited += 1
        self._happened("key.limited", key_id, self.limited)

    async def flush(self) -> None:
        """Writes what was counted; on trouble it is counted again next time."""
        if not self._tallies and not self._networks:
            return
        now = self.clock.now()
        tallies, self._tallies = self._tallies, {}
        networks, self._networks = self._networks, set()
        rows = [
            (key_id, Usage(now.date(), route, each.requests, each.failures, each.limited, now))
            for (key_id, route), each in sorted(tallies.items())
        ]
        try:
            async with self.database.transaction() as connection:
                if rows:
                    await store.add_usage(connection, rows)
                new = (
                    await store.add_networks(connection, sorted(networks), now) if networks else []
                )
        except BaseException:
            for place, each in tallies.items():
                again = self._tallies.setdefault(place, _Tally())
                again.requests += each.requests
                again.failures += each.failures
                again.limited += each.limited
            self._networks |= networks
            raise
        for seen in networks:
            self._known[seen] = now.date()  # noted again tomorrow: what is in use is not forgotten
            self._known.move_to_end(seen)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)
        for key_id, network in new:
            self.alert("key.new_network", f"key {key_id}", {"network": network})

    async def sweep(self) -> None:
        """Forgets counts older than 400 days and networks not seen for 90."""
        now = self.clock.now()
        async with self.database.transaction() as connection:
            before = now.date() - timedelta(days=400)
            await store.drop_usage(connection, before, now - timedelta(days=90))

    def _tally(self, key_id: int, route: str) -> _Tally:
        place = (key_id, route)
        found = self._tallies.get(place)
        if found is None:
            found = self._tallies[place] = _Tally()
        return found

    def _happened(self, topic: str, key_id: int, limit: int) -> None:
        """Counts within a minute, and says so once when it was unusually often."""
        now = self.clock.now().timestamp()
        place = (topic, key_id)
        times = self._recent.setdefault(place, deque(maxlen=limit))
        times.append(now)
        often = len(times) == limit and times[0] > now - _WATCHED.total_seconds()
        said = self._alerted.get(place)
        if often and (said is None or said < now - _QUIET.total_seconds()):
            self._alerted[place] = now
            subject = f"key {key_id}" if key_id != UNKNOWN else "unknown keys"
            self.alert(topic, subject, {"in_a_minute": limit})
