"""All SQL about load-cart links. A link is a row until it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from checkstand.storage.database import Connection


@dataclass(frozen=True, slots=True)
class StoredLink:
    """`maker` is the key of the cart that it was made of."""

    maker: str
    contents: Mapping[str, Any]
    target: str


async def insert(
    connection: Connection,
    digest: str,
    link: StoredLink,
    now: datetime,
    expires_at: datetime,
    most: int,
) -> None:
    """Stores a link. Of one cart the `most` newest work; call it under the cart's lock."""
    await connection.execute(
        "WITH old AS (DELETE FROM cart_links WHERE digest IN (SELECT digest FROM cart_links"
        " WHERE maker = $2 ORDER BY created_at DESC, digest OFFSET $7))"
        " INSERT INTO cart_links (digest, maker, contents, target, created_at, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        digest,
        link.maker,
        dict(link.contents),
        link.target,
        now,
        expires_at,
        most - 1,
    )


async def find(connection: Connection, digest: str, now: datetime) -> StoredLink | None:
    """The link, while it can be opened."""
    row = await connection.fetchrow(
        "SELECT maker, contents, target FROM cart_links WHERE digest = $1 AND expires_at > $2",
        digest,
        now,
    )
    return StoredLink(row["maker"], row["contents"], row["target"]) if row else None


async def take(connection: Connection, digest: str, now: datetime) -> bool:
    """Opens the link; False when it was opened before, or its time is over. Of several at once one
    waits for the other's transaction, and gets it only when that came to nothing."""
    taken: bool | None = await connection.fetchval(
        "DELETE FROM cart_links WHERE digest = $1 AND expires_at > $2 RETURNING true", digest, now
    )
    return taken is True


async def delete_of(connection: Connection, maker: str) -> None:
    """Deletes the links that were made of a cart."""
    await connection.execute("DELETE FROM cart_links WHERE maker = $1", maker)


async def delete_expired(connection: Connection, now: datetime, limit: int) -> int:
    """Deletes up to `limit` links whose time is over; says how many."""
    done = await connection.execute(
        "DELETE FROM cart_links WHERE digest IN (SELECT digest FROM cart_links"
        " WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now,
        limit,
    )
    return int(done.split()[-1])
