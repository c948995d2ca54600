"""Keys that are mailed: random, stored as SHA-256, for one purpose, one use and a short life."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Literal

from checkstand.access import account_store
from checkstand.access.account_store import StoredAccount
from checkstand.kit import crypto
from checkstand.storage.database import Connection

Purpose = Literal["password", "email", "orders"]
LONGEST = 200


async def make(
    connection: Connection,
    stored: StoredAccount,
    purpose: Purpose,
    email: str,
    now: datetime,
    life: timedelta,
) -> str:
    """A new key of the account; older ones of the same purpose are void."""
    key = secrets.token_urlsafe(32)
    await account_store.add_mailed_key(
        connection,
        stored,
        key_hash=crypto.sha256(key),
        purpose=purpose,
        email=email,
        now=now,
        expires_at=now + life,
    )
    return key


async def known(connection: Connection, key: str, purpose: Purpose) -> bool:
    """Whether there is such a key, living or not."""
    return 0 < len(key) <= LONGEST and await account_store.has_mailed_key(
        connection, crypto.sha256(key), purpose
    )


async def use(
    connection: Connection, key: str, purpose: Purpose, now: datetime
) -> tuple[StoredAccount, str] | None:
    """The account of a living key, locked, and the address that it was sent to; it is used up."""
    if not 0 < len(key) <= LONGEST:
        return None
    return await account_store.use_mailed_key(connection, crypto.sha256(key), purpose, now)
