"""All SQL of the card-testing shield."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from checkstand.storage.database import Connection


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


async def ask(
    connection: Connection,
    attempt_id: str,
    marks: Mapping[str, str],
    since: Mapping[str, datetime],
    now: datetime,
) -> dict[str, list[datetime]]:
    """When charges of each dimension's value were declined since its moment, the oldest first.
    Notes for whom this charge is, so that its decline is counted later; when it is refused, the
    note goes with its transaction."""
    names = list(marks)
    rows = await connection.fetch(
        "WITH noted AS (INSERT INTO shield_marks (attempt_id, dimension, value, asked_at)"
        " SELECT $4, d, v, $5 FROM unnest($1::text[], $2::text[]) AS t (d, v)"
        " ON CONFLICT DO NOTHING)"
        " SELECT m.dimension, m.declined_at FROM unnest($1::text[], $2::text[], $3::timestamptz[])"
        " AS w (dimension, value, since) JOIN LATERAL (SELECT dimension, declined_at"
        " FROM shield_marks WHERE dimension = w.dimension AND value = w.value"
        " AND declined_at > w.since ORDER BY declined_at DESC LIMIT 10000) m ON true"
        " ORDER BY m.declined_at",
        names,
        [marks[name] for name in names],
        [since[name] for name in names],
        attempt_id,
        now,
    )
    found: dict[str, list[datetime]] = {name: [] for name in names}
    for row in rows:
        found[row["dimension"]].append(row["declined_at"])
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
