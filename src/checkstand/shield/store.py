"""All SQL of the card-testing shield."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from checkstand.storage.database import Connection

UNDER_WAY = timedelta(seconds=20)
"""How long a charge may be at its gateway and count as under way."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known about one value of a dimension: when charges were declined, the oldest first,
    and how many are at their gateway right now."""

    declines: list[datetime] = field(default_factory=list)
    under_way: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision about a charge, with the counts that it was made of."""

    at: datetime
    verdict: str
    mode: str
    gateway: str
    request_id: str
    counts: Mapping[str, Mapping[str, int]]
    reason: str
    id: int = 0


async def queue_up(connection: Connection, values: Sequence[str]) -> None:
    """Waits for other charges of the same values whose transactions are about to end, so that
    `ask` sees them. Nothing else is locked after this: nobody can wait for each other."""
    locks = sorted(int.from_bytes(bytes.fromhex(value[:16]), signed=True) for value in values)
    await connection.execute(
        "SELECT pg_advisory_xact_lock(lock) FROM unnest($1::bigint[]) AS t (lock)", locks
    )


async def ask(
    connection: Connection,
    attempt_id: str,
    marks: Mapping[str, str],
    since: Mapping[str, datetime],
    now: datetime,
) -> dict[str, Seen]:
    """When charges of each dimension's value were declined since its moment, and how many of them
    are under way. Notes for whom this charge is, so that its decline is counted later; when it is
    refused, the note goes with its transaction."""
    names = list(marks)
    rows = await connection.fetch(
        "WITH noted AS (INSERT INTO shield_marks (attempt_id, dimension, value, asked_at)"
        " SELECT $4, d, v, $5 FROM unnest($1::text[], $2::text[]) AS t (d, v)"
        " ON CONFLICT DO NOTHING)"
        " SELECT m.dimension, m.declined_at FROM unnest($1::text[], $2::text[], $3::timestamptz[])"
        " AS w (dimension, value, since) JOIN LATERAL (SELECT dimension, declined_at"
        " FROM shield_marks WHERE dimension = w.dimension AND value = w.value"
        " AND declined_at > w.since ORDER BY declined_at DESC LIMIT 10000) m ON true"
        # By the time first: a shop has few charges in these seconds, and one value many in a month.
        " UNION ALL SELECT m.dimension, NULL FROM shield_marks m"
        " JOIN payment_attempts a ON a.id = m.attempt_id"
        " WHERE m.asked_at > $6 AND m.declined_at IS NULL AND a.state = 'open'"
        " AND (m.dimension, m.value) IN (SELECT * FROM unnest($1::text[], $2::text[]))"
        " AND m.attempt_id <> $4 ORDER BY declined_at",
        names,
        [marks[name] for name in names],
        [since[name] for name in names],
        attempt_id,
        now,
        now - UNDER_WAY,
    )
    found = {name: Seen() for name in names}
    for row in rows:
        seen = found[row["dimension"]]
        if row["declined_at"] is None:
            found[row["dimension"]] = replace(seen, under_way=seen.under_way + 1)
        else:
            seen.declines.append(row["declined_at"])
    return found


async def declined(connection: Connection, attempt_id: str, now: datetime) -> bool:
    """Counts a decline, once; whether it was not counted before."""
    rows = await connection.fetch(
        "UPDATE shield_marks SET declined_at = $2 WHERE attempt_id = $1 AND declined_at IS NULL"
        " RETURNING 1",
        attempt_id,
        now,
    )
    return bool(rows)


async def drop_before(connection: Connection, marks: datetime, decisions: datetime) -> None:
    await connection.execute("DELETE FROM shield_marks WHERE asked_at < $1", marks)
    await connection.execute("DELETE FROM shield_decisions WHERE at < $1", decisions)


async def add_decisions(connection: Connection, decisions: Sequence[Decision]) -> None:
    await connection.executemany(
        "INSERT INTO shield_decisions (at, verdict, mode, gateway, request_id, counts, reason)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [
            (
                each.at,
                each.verdict,
                each.mode,
                each.gateway,
                each.request_id,
                {name: dict(count) for name, count in each.counts.items()},
                each.reason,
            )
            for each in decisions
        ],
    )


async def decisions(connection: Connection, before: int, limit: int) -> list[Decision]:
    """Decisions with a smaller id, the latest first."""
    rows = await connection.fetch(
        "SELECT * FROM shield_decisions WHERE id < $1 ORDER BY id DESC LIMIT $2", before, limit
    )
    return [Decision(**_known(row)) for row in rows]


def _known(row: Any) -> dict[str, Any]:
    return dict(row)
