"""All SQL about payment attempts."""

from __future__ import annotations

from datetime import datetime

from asyncpg import Record

from checkstand.kit.money import Currency, Money
from checkstand.payments.model import Attempt, AttemptState
from checkstand.storage.database import Connection


async def open_attempt(connection: Connection, attempt: Attempt, now: datetime) -> None:
    """Stores a new attempt; the database refuses a second live one of the same order."""
    await connection.execute(
        "INSERT INTO payment_attempts (id, order_id, gateway, state, amount, currency,"
        " lease_until, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        attempt.id,
        attempt.order_id,
        attempt.gateway,
        attempt.state.value,
        attempt.amount.minor,
        attempt.amount.currency.code,
        attempt.lease_until,
        now,
    )


async def live_attempt(connection: Connection, order_id: int, exponent: int) -> Attempt | None:
    """The attempt of the order that may still move money. The order is locked by the caller."""
    row = await connection.fetchrow(
        "SELECT * FROM payment_attempts WHERE order_id = $1"
        " AND state IN ('open', 'needs_action', 'unknown')",
        order_id,
    )
    return _attempt(row, exponent) if row else None


async def renew_lease(connection: Connection, attempt_id: str, until: datetime) -> None:
    """A process takes an attempt over whose lease has run out."""
    await connection.execute(
        "UPDATE payment_attempts SET lease_until = $2 WHERE id = $1", attempt_id, until
    )


async def settle(
    connection: Connection, attempt_id: str, state: AttemptState, reference: str, now: datetime
) -> bool:
    """Records what came of a live attempt; False when it was settled before."""
    found = await connection.fetchval(
        "UPDATE payment_attempts SET state = $2, reference = $3, settled_at = $4"
        " WHERE id = $1 AND state IN ('open', 'needs_action', 'unknown') RETURNING 1",
        attempt_id,
        state.value,
        reference,
        None if state.live else now,
    )
    return found is not None


async def abandoned(connection: Connection, now: datetime, limit: int) -> list[str]:
    """Keys of carts with an attempt that nobody is charging and nobody has settled."""
    rows = await connection.fetch(
        "SELECT o.cart_key FROM payment_attempts a JOIN orders o ON o.id = a.order_id"
        " WHERE a.state IN ('open', 'unknown') AND a.lease_until < $1"
        " ORDER BY a.lease_until LIMIT $2",
        now,
        limit,
    )
    return [row["cart_key"] for row in rows]


def _attempt(row: Record, exponent: int) -> Attempt:
    return Attempt(
        id=row["id"],
        order_id=row["order_id"],
        gateway=row["gateway"],
        state=AttemptState(row["state"]),
        amount=Money(row["amount"], Currency(row["currency"], exponent)),
        lease_until=row["lease_until"],
        reference=row["reference"],
    )
