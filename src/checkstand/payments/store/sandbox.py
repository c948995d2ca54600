"""What the sandbox knows of payments: it is its own provider, and this is that provider's ledger.

Each change is one statement that reads and writes the payment's row under its lock, so whatever is
asked twice, or at the same time, happens once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from asyncpg import Record

from checkstand.kit.money import Money
from checkstand.storage.database import Connection, Database

State = Literal["requires_action", "approved", "declined", "void"]


@dataclass(frozen=True, slots=True)
class Played:
    """A payment at the sandbox; there is one for each attempt. Amounts in minor units."""

    id: str
    """Random, 128 bits: who knows it may decide about the payment on its page."""
    attempt_id: str
    token: str
    """The test token that it was begun with, "" for an unknown one or none."""
    state: State
    amount: int
    currency: str
    visible_at: datetime
    """Until then, the sandbox does not tell that it knows the payment."""
    created_at: datetime
    authorised_only: bool = False
    captured: int = 0
    return_url: str = field(default="", repr=False)
    refunds: Mapping[str, int] = field(default_factory=dict)
    """Minor units by the id of the refund."""
    begun_now: bool = False
    """Whether this very call has written it."""


@dataclass(frozen=True, slots=True)
class SandboxLedger:
    """The ledger in PostgreSQL."""

    database: Database

    async def open(self, payment: Played) -> Played:
        """Writes the payment, unless its attempt has one: then that one, as it stands."""
        return await self._one(
            "INSERT INTO sandbox_payments (id, attempt_id, token, state, amount, currency,"
            " authorised_only, captured, visible_at, return_url, created_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
            # Updated to what it is: this waits for whoever is writing it, and returns the row.
            " ON CONFLICT (attempt_id) DO UPDATE SET attempt_id = excluded.attempt_id"
            " RETURNING *, xmax = 0 AS begun_now",
            *_values(payment),
        )

    async def void(self, payment: Played) -> Played:
        """The attempt's payment, void if it waited or was reserved; `payment` when it had none."""
        return await self._one(
            "INSERT INTO sandbox_payments AS p (id, attempt_id, token, state, amount, currency,"
            " authorised_only, captured, visible_at, return_url, created_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
            " ON CONFLICT (attempt_id) DO UPDATE SET state = CASE"
            " WHEN p.state = 'requires_action' OR (p.state = 'approved' AND p.captured = 0)"
            " THEN 'void' ELSE p.state END RETURNING p.*",
            *_values(payment),
        )

    async def capture(self, attempt_id: str, amount: Money) -> Played | None:
        """Takes `amount` of what is reserved, once; the payment as it stands then. None when the
        attempt has no payment in that currency."""
        return await self._row(
            "UPDATE sandbox_payments SET captured = CASE WHEN state = 'approved' AND captured = 0"
            " AND $2 BETWEEN 1 AND amount THEN $2 ELSE captured END"
            " WHERE attempt_id = $1 AND currency = $3 RETURNING *",
            attempt_id,
            amount.minor,
            amount.currency.code,
        )

    async def refund(self, attempt_id: str, refund_id: str, amount: Money) -> Played | None:
        """Gives `amount` back, once for each refund and never more than is left of what was
        captured; the payment as it stands then. None as with `capture`."""
        return await self._row(
            "UPDATE sandbox_payments SET refunds = CASE"
            " WHEN refunds ? $2 OR state <> 'approved' OR $3::bigint < 1 OR captured < $3 +"
            " (SELECT coalesce(sum(value::bigint), 0) FROM jsonb_each_text(refunds))"
            " THEN refunds ELSE refunds || jsonb_build_object($2::text, $3::bigint) END"
            " WHERE attempt_id = $1 AND currency = $4 RETURNING *",
            attempt_id,
            refund_id,
            amount.minor,
            amount.currency.code,
        )

    async def decide(self, payment_id: str, *, agree: bool) -> Played | None:
        """What the shopper decided, if it was waited for; the payment as it stands then."""
        return await self._row(
            "UPDATE sandbox_payments SET"
            " captured = CASE WHEN state = 'requires_action' AND $2 AND NOT authorised_only"
            " THEN amount ELSE captured END,"
            " state = CASE WHEN state <> 'requires_action' THEN state"
            " WHEN $2 THEN 'approved' ELSE 'declined' END"
            " WHERE id = $1 RETURNING *",
            payment_id,
            agree,
        )

    async def find(self, payment_id: str) -> Played | None:
        async with self.database.acquire() as connection:
            row = await connection.fetchrow(
                "SELECT * FROM sandbox_payments WHERE id = $1", payment_id
            )
        return _played(row) if row else None

    async def _row(self, statement: str, *values: Any) -> Played | None:
        connection: Connection
        async with self.database.transaction() as connection:
            row = await connection.fetchrow(statement, *values)
        return _played(row) if row else None

    async def _one(self, statement: str, *values: Any) -> Played:
        found = await self._row(statement, *values)
        assert found is not None  # an upsert that updates returns its row
        return found


def _values(payment: Played) -> tuple[Any, ...]:
    return (
        payment.id,
        payment.attempt_id,
        payment.token,
        payment.state,
        payment.amount,
        payment.currency,
        payment.authorised_only,
        payment.captured,
        payment.visible_at,
        payment.return_url,
        payment.created_at,
    )


def _played(row: Record) -> Played:
    return Played(**dict(row.items()))
