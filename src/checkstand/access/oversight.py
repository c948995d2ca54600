"""What administrators may look at: alerts and the audit log."""

from __future__ import annotations

from dataclasses import dataclass

from checkstand import audit
from checkstand.access.principal import Caller
from checkstand.audit import store
from checkstand.audit.chain import Entry
from checkstand.audit.store import Alert
from checkstand.storage.database import Database


@dataclass(frozen=True, slots=True)
class Oversight:
    database: Database

    async def alerts(self, caller: Caller, before: int, limit: int) -> list[Alert]:
        """The latest first, those with a smaller number than `before`."""
        caller.must_administer()
        async with self.database.acquire() as connection:
            return await store.alerts(connection, before, limit)

    async def entries(
        self, caller: Caller, before: int, limit: int, action: str = "", subject: str = ""
    ) -> list[Entry]:
        """The latest first. Addresses are in them: that somebody looked is an entry itself."""
        caller.must_administer()
        async with self.database.transaction() as connection:
            found = await store.newest(connection, before, limit, action, subject)
            await audit.record(connection, "audit.read", subject, {"entries": len(found)})
        return found
