"""All SQL about sessions: one access token with its refresh token each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from checkstand.access.principal import Account, Role
from checkstand.storage.database import Connection


@dataclass(frozen=True, slots=True)
class Session:
    pat: str
    family: str
    account: Account
    alive: bool
    """Neither ended, nor expired, nor older than the account's password."""
    used_at: datetime | None
    """When it was refreshed before: another one took its place."""


async def add(
    connection: Connection,
    *,
    pat: str,
    family: str,
    account: Account,
    refresh_hash: str,
    now: datetime,
    expires_at: datetime,
) -> bool:
    """A new session, unless the account's password, e-mail or role changed since `account` was
    read: False then. The account's row is locked until the transaction ends."""
    same = await connection.fetchval(
        "SELECT generation = $2 FROM accounts WHERE id = $1 FOR NO KEY UPDATE",
        account.id,
        account.generation,
    )
    if not same:
        return False
    await connection.execute(
        "INSERT INTO sessions (pat, family, account_id, generation, refresh_hash, created_at,"
        " expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        pat,
        family,
        account.id,
        account.generation,
        refresh_hash,
        now,
        expires_at,
    )
    return True


async def evict(connection: Connection, account_id: int, keep: int, now: datetime) -> list[str]:
    """Ends the oldest living sessions of an account beyond `keep`; says which."""
    rows = await connection.fetch(
        "UPDATE sessions SET ended_at = $3 WHERE pat IN (SELECT pat FROM sessions"
        " WHERE account_id = $1 AND ended_at IS NULL AND used_at IS NULL AND expires_at > $3"
        " ORDER BY created_at DESC, pat OFFSET $2) RETURNING pat",
        account_id,
        keep,
        now,
    )
    return [row["pat"] for row in rows]


async def account_of(connection: Connection, pat: str) -> Account | None:
    """Whose living session this is; None when it was refreshed, ended or outlived."""
    row = await connection.fetchrow(
        "SELECT a.id, a.username, a.role, a.generation FROM sessions s"
        " JOIN accounts a ON a.id = s.account_id AND a.generation = s.generation"
        " WHERE s.pat = $1 AND s.used_at IS NULL AND s.ended_at IS NULL",
        pat,
    )
    return (
        Account(row["id"], row["username"], Role(row["role"]), row["generation"]) if row else None
    )


async def use(connection: Connection, refresh_hash: str, now: datetime) -> Session | None:
    """The session of a refresh token, as it was found; a living one is marked as used. Locked."""
    row = await connection.fetchrow(
        "SELECT s.pat, s.family, s.used_at, s.ended_at IS NULL"
        " AND s.expires_at > $2 AND s.generation = a.generation AS alive,"
        " a.id, a.username, a.role, a.generation"
        " FROM sessions s JOIN accounts a ON a.id = s.account_id"
        " WHERE s.refresh_hash = $1 FOR NO KEY UPDATE OF s",
        refresh_hash,
        now,
    )
    if row is None:
        return None
    if row["alive"] and row["used_at"] is None:
        await connection.execute("UPDATE sessions SET used_at = $2 WHERE pat = $1", row["pat"], now)
    account = Account(row["id"], row["username"], Role(row["role"]), row["generation"])
    return Session(row["pat"], row["family"], account, row["alive"], row["used_at"])


async def end(connection: Connection, pat: str, now: datetime) -> None:
    """Ends one session."""
    await connection.execute(
        "UPDATE sessions SET ended_at = $2 WHERE pat = $1 AND ended_at IS NULL", pat, now
    )


async def end_family(connection: Connection, family: str, now: datetime) -> list[str]:
    """Ends every session that goes back to one sign-in; says which."""
    rows = await connection.fetch(
        "UPDATE sessions SET ended_at = $2 WHERE family = $1 AND ended_at IS NULL RETURNING pat",
        family,
        now,
    )
    return [row["pat"] for row in rows]


async def delete_expired(connection: Connection, now: datetime, limit: int) -> int:
    """Deletes up to `limit` sessions whose refresh token has expired; says how many."""
    done = await connection.execute(
        "DELETE FROM sessions WHERE pat IN (SELECT pat FROM sessions WHERE expires_at <= $1"
        " LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now,
        limit,
    )
    return int(done.split()[-1])
