"""All SQL about accounts as somebody signs in to them: names, passwords, roles, mailed keys."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from asyncpg import Record, UniqueViolationError

from checkstand import audit
from checkstand.access.principal import Account, Role
from checkstand.storage.database import Connection

_SHORTEST_PHONE = 7
_PHONE = re.compile(r"[+(]?[0-9][0-9 ()./-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class StoredAccount:
    account: Account
    password_hash: str
    email: str
    first_name: str
    last_name: str
    display_name: str
    created_at: datetime
    proven: bool = False
    """Whether its owner has shown that he reads mail at its address."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who an account is said to be."""

    email: str
    first_name: str = ""
    last_name: str = ""
    display_name: str = ""


# A name wins over an e-mail address, and both over a phone number, which several may share. Three
# look-ups of an index each, in one statement: known and unknown names cost the same.
_BY_LOGIN = """
SELECT rank, a.* FROM (
    SELECT 0 AS rank, id FROM accounts WHERE lower(username) = lower($1)
    UNION ALL SELECT 1, id FROM accounts WHERE lower(email) = lower($1)
    UNION ALL SELECT 2, account_id FROM customers WHERE phone = $2 AND phone <> ''
) found JOIN accounts a USING (id) ORDER BY rank, id LIMIT 3
"""


def _digits(phone: str) -> str:
    """The digits of a phone number, as `customers.phone` has them; "" when there are too few, or
    anything else between them: a name must have one spelling, or each is guessed by itself."""
    if not _PHONE.fullmatch(phone.strip()):
        return ""
    found = "".join(char for char in phone if char.isascii() and char.isdecimal())
    return found if len(found) >= _SHORTEST_PHONE else ""


async def by_login(connection: Connection, login: str) -> StoredAccount | None:
    """The account with this user name or e-mail, whatever the case, or with this billing phone
    when it is the only one."""
    rows = await connection.fetch(_BY_LOGIN, login, _digits(login))
    if not rows or (rows[0]["rank"] == 2 and len(rows) > 1):
        return None
    return _stored(rows[0])


async def by_id(
    connection: Connection, account_id: int, *, lock: bool = False
) -> StoredAccount | None:
    """The account; locked until the transaction ends when asked."""
    row = await connection.fetchrow(
        f"SELECT * FROM accounts WHERE id = $1{' FOR NO KEY UPDATE' if lock else ''}", account_id
    )
    return _stored(row) if row else None


async def taken(connection: Connection, username: str, email: str) -> tuple[bool, bool]:
    """Whether an account has this user name, and whether one has this e-mail."""
    row = await connection.fetchrow(
        "SELECT EXISTS (SELECT FROM accounts WHERE lower(username) = lower($1)) AS name,"
        " EXISTS (SELECT FROM accounts WHERE lower(email) = lower($2)) AS email",
        username,
        email,
    )
    assert row is not None
    return row["name"], row["email"]


async def add(
    connection: Connection, username: str, person: Person, password_hash: str, role: Role
) -> int | None:
    """A new account; None when its user name or e-mail is taken."""
    added: int | None = await connection.fetchval(
        "INSERT INTO accounts (username, email, password_hash, role, first_name, last_name,"
        " display_name) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id",
        username,
        person.email,
        password_hash,
        role.value,
        person.first_name,
        person.last_name,
        person.display_name or username,
    )
    if added is not None:
        await audit.record(connection, "account.added", f"account {added}", {"role": role.value})
    return added


async def put(
    connection: Connection, username: str, email: str, password_hash: str, role: Role
) -> int:
    """Adds the account, or gives an account of that name this password and role."""
    account_id = await connection.fetchval(
        "INSERT INTO accounts (username, email, password_hash, role, display_name)"
        " VALUES ($1, $2, $3, $4, $1)"
        " ON CONFLICT (lower(username)) DO UPDATE SET password_hash = excluded.password_hash,"
        " role = excluded.role, generation = accounts.generation + 1 RETURNING id",
        username,
        email,
        password_hash,
        role.value,
    )
    await audit.record(connection, "account.put", f"account {account_id}", {"role": role.value})
    return int(account_id)


async def all_accounts(connection: Connection, limit: int) -> list[StoredAccount]:
    """Accounts by id, staff first."""
    rows = await connection.fetch(
        "SELECT * FROM accounts ORDER BY role = 'customer', id LIMIT $1", limit
    )
    return [_stored(row) for row in rows]


async def describe(connection: Connection, account_id: int, person: Person) -> None:
    """Gives the account other names; its e-mail stays."""
    await connection.execute(
        "UPDATE accounts SET first_name = $2, last_name = $3, display_name = $4 WHERE id = $1",
        account_id,
        person.first_name,
        person.last_name,
        person.display_name,
    )


async def set_password(connection: Connection, account_id: int, password_hash: str) -> None:
    """Another password; every session of the account is over."""
    await connection.execute(
        "UPDATE accounts SET password_hash = $2, generation = generation + 1 WHERE id = $1",
        account_id,
        password_hash,
    )
    await audit.record(connection, "account.password_set", f"account {account_id}")


async def renew_hash(connection: Connection, stored: StoredAccount, password_hash: str) -> None:
    """The same password, hashed anew: nobody is signed out. Nothing when it has become another one
    meanwhile."""
    await connection.execute(
        "UPDATE accounts SET password_hash = $3 WHERE id = $1 AND password_hash = $2",
        stored.account.id,
        stored.password_hash,
        password_hash,
    )


async def set_email(connection: Connection, account_id: int, email: str) -> bool:
    """Another e-mail address, which ends every session; False when another account has it."""
    try:
        async with connection.transaction():  # or the whole would be lost when it is taken
            done = await connection.fetchval(
                "UPDATE accounts SET email = $2, generation = generation + 1 WHERE id = $1"
                " RETURNING 1",
                account_id,
                email,
            )
    except UniqueViolationError:
        return False
    if done is not None:
        await audit.record(connection, "account.email_set", f"account {account_id}")
    return done is not None


async def prove_email(connection: Connection, account_id: int, email: str) -> None:
    """Its owner has shown that he reads mail there. Another address has to be proven anew."""
    await connection.execute(
        "UPDATE accounts SET proven_email = $2 WHERE id = $1", account_id, email
    )


async def set_role(connection: Connection, account_id: int, role: Role) -> bool:
    """Another role, which ends every session; False when there is no such account."""
    done = await connection.fetchval(
        "UPDATE accounts SET role = $2, generation = generation + 1 WHERE id = $1 RETURNING 1",
        account_id,
        role.value,
    )
    if done is not None:
        await audit.record(
            connection, "account.role_set", f"account {account_id}", {"role": role.value}
        )
    return done is not None


async def sign_out(connection: Connection, account_id: int) -> bool:
    """Ends every session of the account; False when there is no such account."""
    done = await connection.fetchval(
        "UPDATE accounts SET generation = generation + 1 WHERE id = $1 RETURNING 1", account_id
    )
    if done is not None:
        await audit.record(connection, "account.signed_out", f"account {account_id}")
    return done is not None


async def add_mailed_key(
    connection: Connection,
    stored: StoredAccount,
    *,
    key_hash: str,
    purpose: str,
    email: str,
    now: datetime,
    expires_at: datetime,
) -> None:
    """A key that was mailed to `email`; older ones of that purpose are void."""
    await connection.execute(
        "DELETE FROM mailed_keys WHERE account_id = $1 AND purpose = $2",
        stored.account.id,
        purpose,
    )
    await connection.execute(
        "INSERT INTO mailed_keys (key_hash, account_id, generation, purpose, email, created_at,"
        " expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        key_hash,
        stored.account.id,
        stored.account.generation,
        purpose,
        email,
        now,
        expires_at,
    )


async def mailed_lately(
    connection: Connection, account_id: int, purpose: str, since: datetime
) -> bool:
    """Whether a key for that purpose was mailed since then."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM mailed_keys WHERE account_id = $1 AND purpose = $2"
            " AND created_at > $3)",
            account_id,
            purpose,
            since,
        )
    )


async def has_mailed_key(connection: Connection, key_hash: str, purpose: str) -> bool:
    """Whether there is such a key, living or not."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM mailed_keys WHERE key_hash = $1 AND purpose = $2)",
            key_hash,
            purpose,
        )
    )


async def use_mailed_key(
    connection: Connection, key_hash: str, purpose: str, now: datetime
) -> tuple[StoredAccount, str] | None:
    """The account of a living key, locked, and where the key was sent to. It works once."""
    row = await connection.fetchrow(
        "DELETE FROM mailed_keys WHERE key_hash = $1 AND purpose = $2"
        " RETURNING account_id, generation, email, expires_at",
        key_hash,
        purpose,
    )
    if row is None or row["expires_at"] <= now:
        return None
    stored = await by_id(connection, row["account_id"], lock=True)
    if stored is None or stored.account.generation != row["generation"]:
        return None
    return stored, row["email"]


async def delete_expired_keys(connection: Connection, now: datetime, limit: int) -> int:
    """Deletes up to `limit` mailed keys whose time is over; says how many."""
    done = await connection.execute(
        "DELETE FROM mailed_keys WHERE key_hash IN (SELECT key_hash FROM mailed_keys"
        " WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now,
        limit,
    )
    return int(done.split()[-1])


def _stored(row: Record) -> StoredAccount:
    return StoredAccount(
        Account(row["id"], row["username"], Role(row["role"]), row["generation"]),
        row["password_hash"],
        row["email"],
        row["first_name"],
        row["last_name"],
        row["display_name"],
        row["created_at"],
        row["proven_email"].lower() == row["email"].lower(),
    )
