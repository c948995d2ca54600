"""All SQL about consumer keys and sign-in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from asyncpg import Record

from checkstand.access.principal import Account, ConsumerKey, Dialect, Permission, Role
from checkstand.storage.database import Connection


@dataclass(frozen=True, slots=True)
class StoredKey:
    key: ConsumerKey
    secret_hash: str
    tail: str
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredAccount:
    account: Account
    password_hash: str


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


async def account_by_login(connection: Connection, login: str) -> StoredAccount | None:
    """The account with this user name or e-mail, whatever the case."""
    row = await connection.fetchrow(
        "SELECT id, username, role, password_hash FROM accounts"
        " WHERE lower(username) = lower($1) OR lower(email) = lower($1) ORDER BY id LIMIT 1",
        login,
    )
    if row is None:
        return None
    account = Account(row["id"], row["username"], Role(row["role"]))
    return StoredAccount(account, row["password_hash"])


async def put_account(
    connection: Connection, username: str, email: str, password_hash: str, role: Role
) -> int:
    """Adds the account, or gives an account of that name this password and role."""
    return int(
        await connection.fetchval(
            "INSERT INTO accounts (username, email, password_hash, role) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (lower(username)) DO UPDATE SET password_hash = excluded.password_hash,"
            " role = excluded.role RETURNING id",
            username,
            email,
            password_hash,
            role.value,
        )
    )


def _key(row: Record) -> StoredKey:
    dialect = Dialect(row["dialect"]) if row["dialect"] else None
    return StoredKey(
        ConsumerKey(row["id"], row["name"], Permission(row["permission"]), dialect),
        row["secret_hash"],
        row["key_tail"],
        row["created_at"],
        row["revoked_at"],
    )
