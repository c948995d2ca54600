"""Verifying, exporting and shortening the audit log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from checkstand.audit import store
from checkstand.audit.chain import Entry, seal
from checkstand.storage.database import Connection, Database

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification found. `head` is the hash of the last entry: written down elsewhere, it
    proves later that nothing before it was changed. `fault` is empty when the chain holds."""

    entries: int
    head: str
    erased: int
    fault: str = ""


async def seal_all(database: Database) -> int:
    """Chains everything that is not yet; says how many entries that were."""
    total = 0
    while True:
        async with database.transaction() as connection:
            done = await store.seal_some(connection, _BATCH)
        total += done
        if done < _BATCH:
            return total


async def verify(database: Database, expected: str = "") -> Verdict:
    """Walks the whole chain, as it was at the beginning: a shop goes on meanwhile. `expected` is a
    head that was written down before: it must be the hash of one of the entries."""
    await seal_all(database)
    async with database.snapshot() as connection:
        return await _walked(connection, expected)


async def _walked(connection: Connection, expected: str) -> Verdict:
    ends = await store.chain(connection)
    position, previous = ends.first_position - 1, ends.first_previous
    count = erased = 0
    found = not expected or previous == expected
    async for entry in _entries(connection):
        if entry.position != position + 1:
            return Verdict(count, previous, erased, f"entry {position + 1} is not there")
        if entry.hash != seal(entry, entry.position, previous):
            return Verdict(count, previous, erased, f"entry {entry.position} was changed")
        if not entry.genuine:
            fault = f"the personal part of entry {entry.position} was changed"
            return Verdict(count, previous, erased, fault)
        position, previous = entry.position, entry.hash
        count += 1
        erased += entry.personal is None and entry.personal_digest != ""
        found = found or previous == expected
    if (position, previous) != (ends.last_position, ends.last_hash):
        fault = f"the chain goes to entry {ends.last_position}, the log ends at {position}"
        return Verdict(count, previous, erased, fault)
    if not found:
        return Verdict(count, previous, erased, "no entry has the head that was expected")
    return Verdict(count, previous, erased)


async def entries(database: Database) -> AsyncIterator[Entry]:
    """All chained entries in their order, as they are at the beginning."""
    async with database.snapshot() as connection:
        async for entry in _entries(connection):
            yield entry


async def _entries(connection: Connection) -> AsyncIterator[Entry]:
    after = 0
    while True:
        batch = await store.sealed(connection, after, _BATCH)
        for entry in batch:
            yield entry
        if len(batch) < _BATCH:
            return
        after = batch[-1].position or 0


async def shorten(database: Database, before: datetime) -> int:
    """Takes out what is older; the chain begins later from then on and still holds."""
    total = 0
    while True:
        async with database.transaction() as connection:
            done = await store.drop_before(connection, before, _BATCH)
            if done:
                await store.record(connection, "audit.shortened", "", {"entries": done})
        total += done
        if done < _BATCH:
            return total
