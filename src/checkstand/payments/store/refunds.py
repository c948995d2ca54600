"""All SQL about refunds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from asyncpg import Record

from checkstand.kit.money import Money
from checkstand.payments.model import Attempt, Refund, RefundLine, RefundState
from checkstand.payments.store import attempts
from checkstand.storage.database import Connection


async def insert(
    connection: Connection, refund: Refund, asked_by: int | None, lease_until: datetime
) -> bool:
    """Stores an open refund; False when one of this id is there. The order is locked by the
    caller, who has checked that the amount is not spoken for."""
    stored = await connection.fetchval(
        "INSERT INTO refunds (id, order_id, attempt_id, state, amount, currency, reason, lines,"
        " restock, asked_by, created_at, lease_until)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        " ON CONFLICT DO NOTHING RETURNING 1",
        refund.id,
        refund.attempt.order_id,
        refund.attempt.id,
        refund.state.value,
        refund.amount.minor,
        refund.amount.currency.code,
        refund.reason,
        [asdict(line) for line in refund.lines],
        refund.restock,
        asked_by,
        refund.created_at,
        lease_until,
    )
    return stored is not None


async def settle(
    connection: Connection, refund_id: str, state: RefundState, reference: str, now: datetime
) -> bool:
    """Records what came of an open refund; False when it was settled before."""
    found = await connection.fetchval(
        "UPDATE refunds SET state = $2, reference = $3, settled_at = $4"
        " WHERE id = $1 AND state = 'open' RETURNING 1",
        refund_id,
        state.value,
        reference,
        now,
    )
    return found is not None


async def of_order(connection: Connection, order_id: int) -> list[Refund]:
    """Every refund of the order, oldest first."""
    rows = await connection.fetch(
        "SELECT * FROM refunds WHERE order_id = $1 ORDER BY created_at, id", order_id
    )
    known = {attempt.id: attempt for attempt in await attempts.of_order(connection, order_id)}
    return [_refund(row, known[row["attempt_id"]]) for row in rows]


async def claim_due(
    connection: Connection, now: datetime, until: datetime, limit: int, busy: Sequence[str] = ()
) -> list[Refund]:
    """Takes over open refunds that nobody is at: two workers never get the same one. `busy`:
    gateways that are left out."""
    rows = await connection.fetch(
        "UPDATE refunds SET lease_until = $2, looks = looks + 1 WHERE id IN (SELECT id FROM refunds"
        " WHERE state = 'open' AND lease_until <= $1 AND NOT EXISTS (SELECT FROM payment_attempts a"
        " WHERE a.id = refunds.attempt_id AND a.gateway = ANY($4)) ORDER BY lease_until LIMIT $3"
        " FOR UPDATE SKIP LOCKED) RETURNING *",
        now,
        until,
        limit,
        list(busy),
    )
    refunds = []
    for row in rows:
        attempt = await attempts.find(connection, row["attempt_id"])
        assert attempt is not None, "a refund refers to its attempt"
        refunds.append(_refund(row, attempt))
    return refunds


async def put_off(connection: Connection, refund_id: str, now: datetime) -> None:
    """Asks again later, ever less often: after 2 s, 4 s, 8 s … 15 minutes."""
    await connection.execute(
        "UPDATE refunds SET lease_until = $2::timestamptz + least(900, 2 * 2 ^ least(looks, 10))"
        " * interval '1 second' WHERE id = $1 AND state = 'open'",
        refund_id,
        now,
    )


def _refund(row: Record, attempt: Attempt) -> Refund:
    return Refund(
        id=row["id"],
        attempt=attempt,
        amount=Money(row["amount"], attempt.amount.currency),
        created_at=row["created_at"],
        state=RefundState(row["state"]),
        reason=row["reason"],
        reference=row["reference"],
        repeated=row["looks"] > 0,
        restock=row["restock"],
        lines=tuple(RefundLine(**line) for line in row["lines"]),
    )
