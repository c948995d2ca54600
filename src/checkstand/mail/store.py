"""All SQL about letters that wait to be carried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from checkstand.storage.database import Connection


@dataclass(frozen=True, slots=True)
class Waiting:
    """A letter that is to be carried now; `tries` counts this one."""

    id: int
    occasion: str
    account_id: int
    generation: int
    recipient: str
    tries: int
    created_at: datetime


async def put(
    connection: Connection,
    occasion: str,
    account_id: int,
    generation: int,
    recipient: str,
    now: datetime,
    instead_of: Sequence[str] = (),
) -> None:
    """A letter that is due at once, in the place of those that wait about `instead_of`."""
    if instead_of:
        await connection.execute(
            "DELETE FROM letters WHERE account_id = $1 AND occasion = ANY ($2)",
            account_id,
            list(instead_of),
        )
    await connection.execute(
        "INSERT INTO letters (occasion, account_id, generation, recipient, created_at, due_at)"
        " VALUES ($1, $2, $3, $4, $5, $5)",
        occasion,
        account_id,
        generation,
        recipient,
        now,
    )


async def waits(
    connection: Connection, account_id: int, occasions: Sequence[str], since: datetime
) -> bool:
    """Whether a letter about one of these was written since then and waits still."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM letters WHERE account_id = $1 AND occasion = ANY ($2)"
            " AND created_at > $3)",
            account_id,
            list(occasions),
            since,
        )
    )


async def claim(connection: Connection, now: datetime, until: datetime) -> Waiting | None:
    """The letter that has waited longest, kept from others `until` then; None when none is due."""
    row = await connection.fetchrow(
        "UPDATE letters SET tries = tries + 1, due_at = $2 WHERE id = (SELECT id FROM letters"
        " WHERE due_at <= $1 ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING *",
        now,
        until,
    )
    if row is None:
        return None
    return Waiting(
        row["id"],
        row["occasion"],
        row["account_id"],
        row["generation"],
        row["recipient"],
        row["tries"],
        row["created_at"],
    )


async def again(connection: Connection, letter: Waiting, due_at: datetime) -> None:
    """It was not carried; somebody tries again then."""
    await connection.execute("UPDATE letters SET due_at = $2 WHERE id = $1", letter.id, due_at)


async def over(connection: Connection, letter: Waiting) -> None:
    """It was carried, or is of no use any more."""
    await connection.execute("DELETE FROM letters WHERE id = $1", letter.id)
