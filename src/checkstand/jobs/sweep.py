"""Deleting what is over: carts and links to them, idempotency keys, sessions, mailed keys, old
webhooks."""

from __future__ import annotations

from datetime import datetime, timedelta

from checkstand.access import account_store, session_store
from checkstand.cart import link_store
from checkstand.cart import store as carts
from checkstand.kit.clock import Clock
from checkstand.payments.store import notices
from checkstand.storage import idempotency
from checkstand.storage.database import Connection, Database

_BATCH = 500
_NOTICES_KEPT_FOR = timedelta(days=60)


async def sweep(database: Database, clock: Clock) -> int:
    """Deletes what has expired, a batch a transaction; says how many rows went."""
    gone = 0
    for delete in _SWEPT:
        batch = _BATCH
        while batch == _BATCH:
            async with database.transaction() as connection:
                batch = await delete(connection, clock.now(), _BATCH)
            gone += batch
    return gone


async def _old_notices(connection: Connection, now: datetime, limit: int) -> int:
    return await notices.delete_old(connection, now - _NOTICES_KEPT_FOR, limit)


_SWEPT = (
    carts.delete_expired,
    link_store.delete_expired,
    idempotency.delete_expired,
    session_store.delete_expired,
    account_store.delete_expired_keys,
    _old_notices,
)
