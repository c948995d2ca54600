"""All SQL about the audit log and alerts."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asyncpg import Record

from checkstand.audit.chain import Entry, personal_digest, seal
from checkstand.audit.origin import Origin, origin
from checkstand.storage.database import Connection

_SEALER = 0x61756469
"""The advisory lock of who chains entries."""


@dataclass(frozen=True, slots=True)
class Chain:
    """`first_previous` is the hash before the first entry that retention has left."""

    first_position: int = 1
    first_previous: str = ""
    last_position: int = 0
    last_hash: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something unusual that a person should look at."""

    id: int
    topic: str
    subject: str
    detail: Mapping[str, Any]
    created_at: datetime


_INSERT = (
    "INSERT INTO audit_log (at, actor, action, subject, request_id, detail, personal, salt,"
    " personal_digest) VALUES (clock_timestamp(), {})"
)


async def record(
    connection: Connection,
    action: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
    *,
    personal: Mapping[str, Any] | None = None,
    by: Origin | None = None,
) -> None:
    """Writes an entry, in the transaction of what it is about. Who and from where is taken from the
    request or command that is under way, unless `by` says. `detail` must not hold anything
    personal nor secret; `personal` is what an erasure takes away."""
    values = _values(action, subject, detail, personal, by)
    await connection.execute(_INSERT.format(_marks(0)), *values)


async def record_with(
    connection: Connection,
    change: str,
    arguments: Sequence[Any],
    action: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """As `record`, together with an UPDATE, INSERT or DELETE in one statement: for changes whose
    trips to the database are counted."""
    entry = _INSERT.format(_marks(len(arguments)))
    values = _values(action, subject, detail, None, None)
    await connection.execute(f"WITH entry AS ({entry}) {change}", *arguments, *values)


def _marks(after: int) -> str:
    return ", ".join(f"${after + number}" for number in range(1, 9))


def _values(
    action: str,
    subject: str,
    detail: Mapping[str, Any] | None,
    personal: Mapping[str, Any] | None,
    by: Origin | None,
) -> tuple[Any, ...]:
    who = by or origin.get()
    own = {**(personal or {}), **({"address": who.address} if who.address else {})}
    salt = secrets.token_hex(16) if own else None
    return (
        who.actor,
        action,
        subject,
        who.request_id,
        dict(detail or {}),
        own or None,
        salt,
        personal_digest(salt, own) if salt else "",
    )


async def seal_some(connection: Connection, limit: int) -> int:
    """Chains entries that are not yet, in a transaction; says how many, 0 when somebody else is at
    it. Entries of transactions that end later come later in the chain."""
    if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _SEALER):
        return 0
    rows = await connection.fetch(
        "SELECT * FROM audit_log WHERE position IS NULL ORDER BY id LIMIT $1", limit
    )
    if not rows:
        return 0
    ends = await chain(connection)
    position, previous = ends.last_position, ends.last_hash
    sealed = []
    for row in rows:
        position += 1
        previous = seal(_entry(row), position, previous)
        sealed.append((row["id"], position, previous))
    await connection.executemany(
        "UPDATE audit_log SET position = $2, hash = $3 WHERE id = $1", sealed
    )
    await connection.execute(
        "INSERT INTO audit_chain (last_position, last_hash) VALUES ($1, $2)"
        " ON CONFLICT (single) DO UPDATE SET last_position = $1, last_hash = $2",
        position,
        previous,
    )
    return len(sealed)


async def chain(connection: Connection) -> Chain:
    row = await connection.fetchrow(
        "SELECT first_position, first_previous, last_position, last_hash FROM audit_chain"
    )
    return Chain(*row) if row else Chain()


async def sealed(connection: Connection, after: int, limit: int) -> list[Entry]:
    """Chained entries in their order, from the one after this position on."""
    rows = await connection.fetch(
        "SELECT * FROM audit_log WHERE position > $1 ORDER BY position LIMIT $2", after, limit
    )
    return [_entry(row) for row in rows]


async def newest(
    connection: Connection, before: int, limit: int, action: str, subject: str
) -> list[Entry]:
    """Entries with a smaller id, the latest first; "" for an action or subject is any."""
    rows = await connection.fetch(
        "SELECT * FROM audit_log WHERE id < $1 AND ($3 = '' OR action = $3)"
        " AND ($4 = '' OR subject = $4) ORDER BY id DESC LIMIT $2",
        before,
        limit,
        action,
        subject,
    )
    return [_entry(row) for row in rows]


async def last_detail(connection: Connection, action: str) -> Mapping[str, Any] | None:
    """The detail of the latest entry of this action."""
    found: Mapping[str, Any] | None = await connection.fetchval(
        "SELECT detail FROM audit_log WHERE action = $1 ORDER BY id DESC LIMIT 1", action
    )
    return found


async def drop_before(connection: Connection, moment: datetime, limit: int) -> int:
    """Takes the oldest sealed entries out that are older than that, and notes where the chain
    begins from then on; says how many. One at a time: who comes second must see what is left."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _SEALER)
    rows = await connection.fetch(
        "SELECT id, position, hash, at < $1 AS old FROM audit_log WHERE position IS NOT NULL"
        " ORDER BY position LIMIT $2",
        moment,
        limit,
    )
    gone = []
    for row in rows:
        if not row["old"]:
            break
        gone.append(row)
    if not gone:
        return 0
    await connection.execute("SELECT set_config('checkstand.audit_retention', 'on', true)")
    await connection.execute(
        "DELETE FROM audit_log WHERE id = ANY ($1)", [row["id"] for row in gone]
    )
    await connection.execute("SELECT set_config('checkstand.audit_retention', 'off', true)")
    await connection.execute(
        "UPDATE audit_chain SET first_position = $1, first_previous = $2",
        gone[-1]["position"] + 1,
        gone[-1]["hash"],
    )
    return len(gone)


async def erase_personal(connection: Connection, names: Sequence[str]) -> int:
    """Takes the personal parts out of the entries by or about these; says how many had one."""
    gone = await connection.fetch(
        "UPDATE audit_log SET personal = NULL, salt = NULL"
        " WHERE personal IS NOT NULL AND (actor = ANY ($1) OR subject = ANY ($1)) RETURNING 1",
        list(names),
    )
    return len(gone)


async def about(connection: Connection, names: Sequence[str]) -> list[Entry]:
    """Entries by or about these, the oldest first."""
    rows = await connection.fetch(
        "SELECT * FROM audit_log WHERE actor = ANY ($1) OR subject = ANY ($1) ORDER BY id",
        list(names),
    )
    return [_entry(row) for row in rows]


# --- alerts ---------------------------------------------------------------------------------------


async def add_alert(
    connection: Connection, topic: str, subject: str, detail: Mapping[str, Any], now: datetime
) -> None:
    await connection.execute(
        "INSERT INTO alerts (topic, subject, detail, created_at) VALUES ($1, $2, $3, $4)",
        topic,
        subject,
        dict(detail),
        now,
    )


async def alerts(connection: Connection, before: int, limit: int) -> list[Alert]:
    """Alerts with a smaller id, the latest first."""
    rows = await connection.fetch(
        "SELECT id, topic, subject, detail, created_at FROM alerts WHERE id < $1"
        " ORDER BY id DESC LIMIT $2",
        before,
        limit,
    )
    return [Alert(*row) for row in rows]


async def drop_alerts(connection: Connection, moment: datetime) -> None:
    await connection.execute("DELETE FROM alerts WHERE created_at < $1", moment)


def _entry(row: Record) -> Entry:
    return Entry(
        id=row["id"],
        at=row["at"],
        actor=row["actor"],
        action=row["action"],
        subject=row["subject"],
        request_id=row["request_id"],
        detail=row["detail"],
        personal=row["personal"],
        salt=row["salt"],
        personal_digest=row["personal_digest"],
        position=row["position"],
        hash=row["hash"],
    )
