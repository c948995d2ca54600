"""All SQL about consumer keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from asyncpg import Record

from checkstand.access.principal import ConsumerKey, Dialect, Permission
from checkstand.storage.database import Connection


@dataclass(frozen=True, slots=True)
class StoredKey:
    key: ConsumerKey
    secret_hash: str
    tail: str
    created_at: datetime
    revoked_at: datetime | None


async def add_key(
    connection: Connection,
    *,
    name: str,
    permission: Permission,
    dialect: Dialect | None,
    key_hash: str,
    tail: str,
    secret_hash: str,
) -> int:
    """Stores a new key by its hashes and returns its id."""
    return int(
        await connection.fetchval(
            "INSERT INTO consumer_keys (name, permission, dialect, key_hash, key_tail, secret_hash)"
            " VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
            name,
            permission.value,
            dialect.value if dialect else None,
            key_hash,
            tail,
            secret_hash,
        )
    )


async def key_by_hash(connection: Connection, key_hash: str) -> StoredKey | None:
    row = await connection.fetchrow("SELECT * FROM consumer_keys WHERE key_hash = $1", key_hash)
    return _key(row) if row else None


async def all_keys(connection: Connection) -> list[StoredKey]:
    return [_key(row) for row in await connection.fetch("SELECT * FROM consumer_keys ORDER BY id")]


async def revoke_key(connection: Connection, key_id: int, now: datetime) -> bool:
    """Whether there was such a key that was not revoked yet."""
    done = await connection.fetchval(
        "UPDATE consumer_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING 1",
        key_id,
        now,
    )
    return done is not None


def _key(row: Record) -> StoredKey:
    dialect = Dialect(row["dialect"]) if row["dialect"] else None
    return StoredKey(
        ConsumerKey(row["id"], row["name"], Permission(row["permission"]), dialect),
        row["secret_hash"],
        row["key_tail"],
        row["created_at"],
        row["revoked_at"],
    )
