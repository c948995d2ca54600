"""All SQL about webhooks that were verified."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from checkstand.payments.gateway import Notice
from checkstand.storage.database import Connection


@dataclass(frozen=True, slots=True)
class StoredNotice:
    gateway: str
    notice: Notice


async def insert(connection: Connection, gateway: str, notice: Notice, now: datetime) -> bool:
    """Stores it; False when it was there before."""
    stored = await connection.fetchval(
        "INSERT INTO webhook_events (gateway, event_id, kind, attempt_id, reference, received_at)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING 1",
        gateway,
        notice.id,
        notice.kind,
        notice.attempt_id,
        notice.reference,
        now,
    )
    return stored is not None


async def open_ones(connection: Connection, limit: int) -> list[StoredNotice]:
    """Those that nobody has handled, oldest first, locked; others skip them meanwhile."""
    rows = await connection.fetch(
        "SELECT * FROM webhook_events WHERE handled_at IS NULL ORDER BY received_at LIMIT $1"
        " FOR UPDATE SKIP LOCKED",
        limit,
    )
    return [
        StoredNotice(
            row["gateway"],
            Notice(row["event_id"], row["kind"], row["attempt_id"], row["reference"]),
        )
        for row in rows
    ]


async def handled(
    connection: Connection, stored: StoredNotice, outcome: str, now: datetime
) -> None:
    await connection.execute(
        "UPDATE webhook_events SET handled_at = $3, outcome = $4"
        " WHERE gateway = $1 AND event_id = $2",
        stored.gateway,
        stored.notice.id,
        now,
        outcome,
    )


async def delete_old(connection: Connection, before: datetime, limit: int) -> int:
    """Forgets handled ones that came before then: no provider sends one again so late."""
    done = await connection.execute(
        "DELETE FROM webhook_events WHERE (gateway, event_id) IN (SELECT gateway, event_id"
        " FROM webhook_events WHERE handled_at < $1 LIMIT $2)",
        before,
        limit,
    )
    return int(done.split()[-1])
