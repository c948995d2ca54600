"""Notes for the audit log of what has no transaction of its own, and alerts: kept for a moment,
written together, so that no request waits for them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from checkstand.audit import store
from checkstand.audit.origin import Origin, origin
from checkstand.kit.clock import Clock
from checkstand.storage.database import Database

_log = logging.getLogger(__name__)
_MOST = 5_000
"""Notes kept between two writings. What comes on top is counted: an attack must not fill memory."""


@dataclass(frozen=True, slots=True)
class _Note:
    action: str
    subject: str
    detail: Mapping[str, Any]
    personal: Mapping[str, Any]
    by: Origin


@dataclass
class Journal:
    database: Database
    clock: Clock
    _notes: list[_Note] = field(default_factory=list)
    _alerts: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)
    _lost: int = 0

    def note(
        self,
        action: str,
        subject: str,
        detail: Mapping[str, Any] | None = None,
        *,
        personal: Mapping[str, Any] | None = None,
        by: Origin | None = None,
    ) -> None:
        """As `audit.record`, written within a second or two."""
        if len(self._notes) >= _MOST:
            self._lost += 1
            return
        self._notes.append(_Note(action, subject, detail or {}, personal or {}, by or origin.get()))

    def alert(self, topic: str, subject: str, detail: Mapping[str, Any]) -> None:
        """Something unusual: said in the log at once, kept for the admin API. `topic`, `subject`
        and `detail` are what a webhook would carry; nothing personal."""
        _log.warning("alert %s: %s %s", topic, subject, dict(detail))
        if len(self._alerts) < _MOST:
            self._alerts.append((topic, subject, detail))

    async def flush(self) -> None:
        """Writes what there is; what could not be written stays for the next time."""
        if not (self._notes or self._alerts or self._lost):
            return
        notes, self._notes = self._notes, []
        alerts, self._alerts = self._alerts, []
        lost, self._lost = self._lost, 0
        try:
            async with self.database.transaction() as connection:
                for each in notes:
                    await store.record(
                        connection,
                        each.action,
                        each.subject,
                        each.detail,
                        personal=each.personal,
                        by=each.by,
                    )
                if lost:
                    await store.record(connection, "audit.overflow", "", {"lost": lost})
                for topic, subject, detail in alerts:
                    await store.add_alert(connection, topic, subject, detail, self.clock.now())
        except BaseException:
            self._notes = [*notes, *self._notes][:_MOST]
            self._alerts = [*alerts, *self._alerts][:_MOST]
            self._lost += lost
            raise
