"""All SQL about payment contexts: what was prepared for which cart, without any secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from asyncpg import Record

from checkstand.storage.database import Connection


@dataclass(frozen=True, slots=True)
class Prepared:
    """`minor`: minor units of `currency`. `reference`: what the provider calls it."""

    id: str
    gateway: str
    cart_key: str
    reference: str
    minor: int
    currency: str
    expires_at: datetime
    ending: bool = False
    """A worker is calling it off: it pays for nothing any more."""

    def pays(self, cart_key: str, minor: int, currency: str) -> bool:
        return (self.cart_key, self.minor, self.currency) == (cart_key, minor, currency)


async def insert(connection: Connection, prepared: Prepared) -> None:
    await connection.execute(
        "INSERT INTO payment_contexts (id, gateway, cart_key, reference, amount, currency,"
        " expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        prepared.id,
        prepared.gateway,
        prepared.cart_key,
        prepared.reference,
        prepared.minor,
        prepared.currency,
        prepared.expires_at,
    )


async def usable(connection: Connection, like: Prepared, not_before: datetime) -> Prepared | None:
    """One for the same cart, gateway, amount and currency that lasts until `not_before`."""
    row = await connection.fetchrow(
        "SELECT * FROM payment_contexts WHERE cart_key = $1 AND gateway = $2 AND amount = $3"
        " AND currency = $4 AND expires_at > $5 ORDER BY expires_at DESC LIMIT 1",
        like.cart_key,
        like.gateway,
        like.minor,
        like.currency,
        not_before,
    )
    return _prepared(row) if row else None


async def by_reference(connection: Connection, gateway: str, reference: str) -> Prepared | None:
    row = await connection.fetchrow(
        "SELECT * FROM payment_contexts WHERE gateway = $1 AND reference = $2 AND reference <> ''"
        " FOR NO KEY UPDATE",
        gateway,
        reference,
    )
    return _prepared(row) if row else None


async def by_id(connection: Connection, context_id: str) -> Prepared | None:
    row = await connection.fetchrow("SELECT * FROM payment_contexts WHERE id = $1", context_id)
    return _prepared(row) if row else None


async def expire(connection: Connection, gateway: str, reference: str, now: datetime) -> None:
    """Its time is over already."""
    await connection.execute(
        "UPDATE payment_contexts SET expires_at = least(expires_at, $3)"
        " WHERE gateway = $1 AND reference = $2 AND reference <> ''",
        gateway,
        reference,
        now,
    )


async def forget(connection: Connection, gateway: str, reference: str) -> None:
    """Erases what was prepared for a payment that is over."""
    await connection.execute(
        "DELETE FROM payment_contexts WHERE gateway = $1 AND reference = $2 AND reference <> ''",
        gateway,
        reference,
    )


async def take_expired(
    connection: Connection, now: datetime, until: datetime, limit: int
) -> list[Prepared]:
    """Forgets contexts whose time is over and that need nothing more; gives those whose payment
    nobody has ordered with, to be called off at the provider by `until`. From now on they pay for
    nothing, and they stay until `drop`."""
    rows = await connection.fetch(
        "SELECT c.*, c.reference <> '' AND NOT EXISTS (SELECT FROM provider_payments p"
        " WHERE p.gateway = c.gateway AND p.reference = c.reference) AS loose"
        " FROM payment_contexts c WHERE expires_at <= $1"
        " AND coalesce(ending_until, $1) <= $1 ORDER BY expires_at LIMIT $2"
        " FOR UPDATE OF c SKIP LOCKED",
        now,
        limit,
    )
    loose = [row["id"] for row in rows if row["loose"]]
    await connection.execute(
        "UPDATE payment_contexts SET ending_until = $2 WHERE id = ANY($1)", loose, until
    )
    settled = [row["id"] for row in rows if not row["loose"]]
    await connection.execute("DELETE FROM payment_contexts WHERE id = ANY($1)", settled)
    return [_prepared(row) for row in rows if row["loose"]]


async def drop(connection: Connection, context_id: str) -> None:
    """It is called off, or given back."""
    await connection.execute("DELETE FROM payment_contexts WHERE id = $1", context_id)


def _prepared(row: Record) -> Prepared:
    return Prepared(
        id=row["id"],
        gateway=row["gateway"],
        cart_key=row["cart_key"],
        reference=row["reference"],
        minor=row["amount"],
        currency=row["currency"],
        expires_at=row["expires_at"],
        ending=row["ending_until"] is not None,
    )
