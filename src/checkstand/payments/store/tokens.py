"""All SQL about instruments that customers have saved."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from checkstand.payments.model import SavedMethod
from checkstand.storage.database import Connection


@dataclass(frozen=True, slots=True)
class SavedToken:
    """One that a customer sees and chooses by `id`."""

    id: int
    gateway: str
    method: SavedMethod = field(repr=False)
    is_default: bool = False


async def of_customer(connection: Connection, customer_id: int) -> list[SavedToken]:
    """The customer's, the default one first, then the newest."""
    rows = await connection.fetch(
        "SELECT * FROM payment_tokens WHERE customer_id = $1 ORDER BY is_default DESC, id DESC",
        customer_id,
    )
    return [
        SavedToken(
            row["id"],
            row["gateway"],
            SavedMethod(
                row["token"], row["label"], row["kind"], row["expires"], row["provider_customer"]
            ),
            row["is_default"],
        )
        for row in rows
    ]


async def save(
    connection: Connection, customer_id: int, gateway: str, method: SavedMethod, now: datetime
) -> None:
    """Keeps it; the customer's first of a gateway becomes the default."""
    await connection.execute(
        "INSERT INTO payment_tokens (customer_id, gateway, token, provider_customer, label, kind,"
        " expires, is_default, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7,"
        " NOT EXISTS (SELECT FROM payment_tokens WHERE customer_id = $1 AND gateway = $2), $8)"
        " ON CONFLICT (customer_id, gateway, token) DO UPDATE SET label = excluded.label,"
        " expires = excluded.expires",
        customer_id,
        gateway,
        method.token,
        method.customer,
        method.label,
        method.kind,
        method.expires,
        now,
    )


async def forget(connection: Connection, customer_id: int, token_id: int) -> str | None:
    """Deletes one of the customer's, and lets the newest of the same gateway be the default where
    that was it; the gateway, None when the customer has no such one."""
    row = await connection.fetchrow(
        "DELETE FROM payment_tokens WHERE id = $2 AND customer_id = $1"
        " RETURNING gateway, is_default",
        customer_id,
        token_id,
    )
    if row is None:
        return None
    if row["is_default"]:
        await connection.execute(
            "UPDATE payment_tokens SET is_default = true WHERE id = (SELECT max(id) FROM"
            " payment_tokens WHERE customer_id = $1 AND gateway = $2)",
            customer_id,
            row["gateway"],
        )
    return str(row["gateway"])
