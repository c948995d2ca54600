"""All SQL about signing in."""

from __future__ import annotations

from dataclasses import dataclass

from checkstand.access.principal import Account, Role
from checkstand.storage.database import Connection


@dataclass(frozen=True, slots=True)
class StoredAccount:
    account: Account
    password_hash: str


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
