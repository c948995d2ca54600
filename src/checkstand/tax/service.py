"""The shop's tax table in memory, exact at every use: each cart read and each purchase carries the
table's revision, and another number means that it is read again."""

from __future__ import annotations

from checkstand.storage.database import Connection
from checkstand.tax import store
from checkstand.tax.rates import TaxTable


class TaxTables:
    def __init__(self) -> None:
        self._revision = -1
        self._table = TaxTable.of(())

    async def at(self, connection: Connection, revision: int) -> TaxTable:
        """The table of this revision; one statement when it is not the one in memory."""
        if revision != self._revision:
            table = TaxTable.of(await store.rates(connection))
            self._table, self._revision = table, revision
            return table
        return self._table

    @property
    def latest(self) -> TaxTable:
        """The table in memory: for showing a cart that has nothing in it."""
        return self._table
