"""Idempotency keys: a request that carries one is carried out once, however often it is sent.

Scope is caller and operation; the same key with another request is refused; the answer is
stored in the transaction that has the effect, so neither is ever there without the other
(DECISIONS 17). Refusals, declines and faults are not stored: they may be tried again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from checkstand.errors import (
    CheckstandError,
    IdempotencyKeyMalformed,
    IdempotencyMismatch,
)
from checkstand.storage.database import Connection

KEPT_FOR = timedelta(hours=48)
SHORTEST_ALONE = 16


class Replay(CheckstandError):
    """Not a failure: this request was answered before, and this is that answer (JSON text)."""

    def __init__(self, response: str, cart_key: str) -> None:
        super().__init__("already answered")
        self.response = response
        self.cart_key = cart_key


@dataclass(frozen=True, slots=True)
class Ticket:
    """One request with an Idempotency-Key. `scope` is the operation, and within it the caller;
    `render` makes the answer from the use case's result, so that what is stored is what is sent."""

    scope: str
    key: str
    fingerprint: str
    render: Callable[[Any], str]

    def within(self, caller: str) -> Ticket:
        """The ticket of that caller. Nothing tells callers without a cart apart but the key
        itself: theirs must be too long to be guessed, or to be chosen twice."""
        if not caller and len(self.key) < SHORTEST_ALONE:
            raise IdempotencyKeyMalformed(
                f"Without a cart, an Idempotency-Key needs at least {SHORTEST_ALONE} characters, "
                "such as a UUID: nothing else tells shoppers apart."
            )
        return replace(self, scope=f"{self.scope} by {caller}")


async def replay(connection: Connection, ticket: Ticket | None, now: datetime) -> None:
    """Raises Replay when the request was answered before, IdempotencyMismatch when the key was
    used for another. Call it under the lock that the effect is made under."""
    if ticket is None:
        return
    row = await connection.fetchrow(
        "SELECT fingerprint, response, cart_key FROM idempotency_keys"
        " WHERE scope = $1 AND key = $2 AND expires_at > $3",
        ticket.scope,
        ticket.key,
        now,
    )
    if row is None:
        return
    if row["fingerprint"] != ticket.fingerprint:
        raise IdempotencyMismatch
    raise Replay(row["response"], row["cart_key"])


async def serialise(connection: Connection, ticket: Ticket | None) -> None:
    """Makes requests with the same key wait for each other where no row can be locked yet."""
    if ticket is not None:
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"{ticket.scope}\n{ticket.key}"
        )


async def remember(
    connection: Connection, ticket: Ticket | None, result: Any, cart_key: str, now: datetime
) -> None:
    """Stores the answer beside its effect."""
    if ticket is None:
        return
    await connection.execute(
        "INSERT INTO idempotency_keys (scope, key, fingerprint, response, cart_key, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (scope, key) DO UPDATE SET"
        " fingerprint = excluded.fingerprint, response = excluded.response,"
        " cart_key = excluded.cart_key, expires_at = excluded.expires_at",
        ticket.scope,
        ticket.key,
        ticket.fingerprint,
        ticket.render(result),
        cart_key,
        now + KEPT_FOR,
    )


async def delete_expired(connection: Connection, now: datetime, limit: int) -> int:
    """Deletes up to `limit` keys whose 48 hours are over; says how many."""
    done = await connection.execute(
        "DELETE FROM idempotency_keys WHERE (scope, key) IN (SELECT scope, key FROM"
        " idempotency_keys WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now,
        limit,
    )
    return int(done.split()[-1])
