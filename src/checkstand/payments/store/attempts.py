"""All SQL about payment attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from asyncpg import Record

from checkstand.kit.money import Currency, Money
from checkstand.payments.model import Attempt, AttemptState, Declined, Funds, NeedsAction
from checkstand.storage.database import Connection

_LIVE = "('open', 'needs_action', 'unknown')"
_ATTEMPT = """
SELECT a.*, o.cart_key,
    (SELECT coalesce(sum(r.amount), 0)::bigint FROM refunds r
     WHERE r.attempt_id = a.id AND r.state <> 'refused') AS refunded
FROM payment_attempts a JOIN orders o ON o.id = a.order_id
"""
_CLAIM = """
WITH due AS (
    SELECT id FROM payment_attempts
    WHERE next_look_at <= $1 AND lease_until <= $1 AND gateway <> ALL($4)
    ORDER BY next_look_at LIMIT $3 FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE payment_attempts a SET lease_until = $2, next_look_at = $2, looks = a.looks + 1
    FROM due WHERE a.id = due.id RETURNING a.*
)
SELECT a.*, o.cart_key, 0::bigint AS refunded
FROM claimed a JOIN orders o ON o.id = a.order_id
"""


async def open_attempt(connection: Connection, attempt: Attempt) -> None:
    """Stores a new attempt; the database refuses a second live one of the same order."""
    await connection.execute(
        "INSERT INTO payment_attempts (id, order_id, gateway, state, amount, currency, reference,"
        " binding, payment_hash, customer_id, lease_until, next_look_at, created_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12)",
        attempt.id,
        attempt.order_id,
        attempt.gateway,
        attempt.state.value,
        attempt.amount.minor,
        attempt.amount.currency.code,
        attempt.reference,
        attempt.binding,
        attempt.payment_hash,
        attempt.customer_id,
        attempt.lease_until,
        attempt.created_at,
    )


async def live_attempt(connection: Connection, order_id: int) -> Attempt | None:
    """The attempt of the order that may still move money."""
    row = await connection.fetchrow(
        f"{_ATTEMPT} WHERE a.order_id = $1 AND a.state IN {_LIVE}", order_id
    )
    return _attempt(row) if row else None


async def live_of_cart(connection: Connection, cart_key: str) -> Attempt | None:
    """The attempt that is under way for the order that the cart is becoming."""
    row = await connection.fetchrow(
        f"{_ATTEMPT} JOIN carts c ON c.order_id = o.id AND c.cart_key = $1"
        f" WHERE a.state IN {_LIVE}",
        cart_key,
    )
    return _attempt(row) if row else None


async def find(connection: Connection, attempt_id: str, *, lock: bool = False) -> Attempt | None:
    """Locked, with its order, until the transaction ends when asked."""
    lock_clause = " FOR NO KEY UPDATE OF a" if lock else ""
    row = await connection.fetchrow(f"{_ATTEMPT} WHERE a.id = $1{lock_clause}", attempt_id)
    return _attempt(row) if row else None


async def by_reference(connection: Connection, gateway: str, reference: str) -> Attempt | None:
    """The newest attempt with the provider's payment of that name."""
    row = await connection.fetchrow(
        f"{_ATTEMPT} WHERE a.gateway = $1 AND a.reference = $2 AND a.reference <> ''"
        " ORDER BY a.created_at DESC LIMIT 1",
        gateway,
        reference,
    )
    return _attempt(row) if row else None


async def of_order(connection: Connection, order_id: int) -> list[Attempt]:
    """Every attempt to pay the order, oldest first."""
    rows = await connection.fetch(
        f"{_ATTEMPT} WHERE a.order_id = $1 ORDER BY a.created_at", order_id
    )
    return [_attempt(row) for row in rows]


async def claim(connection: Connection, attempt_id: str, now: datetime, until: datetime) -> bool:
    """Takes over a live attempt whose lease has run out; False when somebody else is at it."""
    done = await connection.fetchval(
        "UPDATE payment_attempts SET lease_until = $3, next_look_at = $3"
        f" WHERE id = $1 AND lease_until <= $2 AND state IN {_LIVE} RETURNING 1",
        attempt_id,
        now,
        until,
    )
    return done is not None


async def claim_due(
    connection: Connection, now: datetime, until: datetime, limit: int, busy: Sequence[str] = ()
) -> list[Attempt]:
    """Takes over attempts whose next look is due, in one statement: two workers never get the
    same one. `busy`: gateways that are left out."""
    rows = await connection.fetch(_CLAIM, now, until, limit, list(busy))
    return [_attempt(row) for row in rows]


async def renew_lease(connection: Connection, attempt_id: str, until: datetime) -> None:
    """Whoever is at the attempt says that it still is."""
    await connection.execute(
        "UPDATE payment_attempts SET lease_until = $2, next_look_at = $2"
        f" WHERE id = $1 AND state IN {_LIVE}",
        attempt_id,
        until,
    )


async def look_soon(connection: Connection, attempt_id: str, now: datetime) -> None:
    """The worker is to ask the provider: as soon as nobody is at a live attempt, and once more
    about one that is over, whatever a look that is under way will find."""
    await connection.execute(
        "UPDATE payment_attempts SET next_look_at = CASE WHEN"
        f" state IN {_LIVE} THEN least(next_look_at, greatest($2, lease_until)) ELSE $2 END"
        " WHERE id = $1",
        attempt_id,
        now,
    )


async def looked(
    connection: Connection, attempt: Attempt, now: datetime, next_look_at: datetime | None
) -> None:
    """Lets go of an attempt that was over when the worker took it for a look. When a webhook has
    come since, it stays due."""
    await connection.execute(
        "UPDATE payment_attempts SET next_look_at = $4, lease_until = least(lease_until, $3)"
        f" WHERE id = $1 AND next_look_at = $2 AND state NOT IN {_LIVE}",
        attempt.id,
        attempt.next_look_at,
        now,
        next_look_at,
    )


async def settle(
    connection: Connection,
    attempt: Attempt,
    now: datetime,
    next_look_at: datetime | None,
) -> bool:
    """Records what came of a live attempt (`state`, `reference`, `funds`, `captured` and `action`
    of what is given), and lets it go; False when it was settled before."""
    found = await connection.fetchval(
        "UPDATE payment_attempts SET state = $2, reference = $3, funds = $4, captured = $5,"
        " action = $6, next_look_at = $7, settled_at = $8, lease_until = least(lease_until, $9),"
        " decline = $10"
        f" WHERE id = $1 AND state IN {_LIVE} RETURNING 1",
        attempt.id,
        attempt.state.value,
        attempt.reference,
        attempt.funds.value if attempt.funds else None,
        attempt.captured,
        asdict(attempt.action) if attempt.action else None,
        next_look_at,
        None if attempt.state.live else now,
        now,
        asdict(attempt.decline) if attempt.decline else None,
    )
    return found is not None


async def set_funds(
    connection: Connection, attempt_id: str, funds: Funds, captured: int, reference: str
) -> None:
    """Where the money of an attempt that was settled before is now."""
    await connection.execute(
        "UPDATE payment_attempts SET funds = $2, captured = $3, reference = $4 WHERE id = $1",
        attempt_id,
        funds.value,
        captured,
        reference,
    )


async def claim_reference(
    connection: Connection, gateway: str, reference: str, order_id: int
) -> bool:
    """A payment at a provider pays for one order: False when it belongs to another. One that paid
    for nothing, because every attempt with it has failed, may be used again."""
    row = await connection.fetchrow(
        "INSERT INTO provider_payments AS p (gateway, reference, order_id) VALUES ($1, $2, $3)"
        " ON CONFLICT (gateway, reference) DO UPDATE SET order_id = p.order_id"
        " RETURNING order_id, EXISTS (SELECT FROM payment_attempts a WHERE a.gateway = $1"
        " AND a.reference = $2 AND a.state IN ('declined', 'void') AND a.funds IS NOT NULL)"
        " AS goes_back",
        gateway,
        reference,
        order_id,
    )
    assert row is not None, "it is there now"
    if row["goes_back"]:
        return False  # it came too late for an attempt, and is on its way to the shopper
    if row["order_id"] == order_id:
        return True
    # A statement of its own, now that the row is locked: it sees what its owner has stored.
    taken = await connection.fetchval(
        "UPDATE provider_payments SET order_id = $3 WHERE gateway = $1 AND reference = $2"
        " AND NOT EXISTS (SELECT FROM payment_attempts a WHERE a.gateway = $1"
        " AND a.reference = $2 AND a.state NOT IN ('declined', 'void')) RETURNING 1",
        gateway,
        reference,
        order_id,
    )
    return taken is not None


async def used_by_another(connection: Connection, attempt: Attempt, reference: str) -> bool:
    """Whether the provider's payment belongs to another attempt that is live or approved."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM payment_attempts WHERE gateway = $1 AND reference = $2"
            " AND reference <> '' AND id <> $3 AND state NOT IN ('declined', 'void'))",
            attempt.gateway,
            reference,
            attempt.id,
        )
    )


def _attempt(row: Record) -> Attempt:
    return Attempt(
        id=row["id"],
        order_id=row["order_id"],
        gateway=row["gateway"],
        state=AttemptState(row["state"]),
        amount=Money(row["amount"], Currency.of(row["currency"])),
        lease_until=row["lease_until"],
        reference=row["reference"],
        cart_key=row["cart_key"],
        binding=row["binding"],
        created_at=row["created_at"],
        repeated=True,
        customer_id=row["customer_id"],
        payment_hash=row["payment_hash"],
        action=_action(row["action"]),
        funds=Funds(row["funds"]) if row["funds"] else None,
        captured=row["captured"],
        refunded=row["refunded"],
        looks=row["looks"],
        next_look_at=row["next_look_at"],
        decline=Declined(**row["decline"]) if row["decline"] else None,
    )


def _action(stored: Mapping[str, Any] | None) -> NeedsAction | None:
    return NeedsAction(**stored) if stored else None
