"""All SQL about carts. A read is one statement, stock included; a write holds the row's lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from asyncpg import Record

from checkstand.cart.model import Cart, from_document
from checkstand.storage.database import Connection

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""As `now` of a look-up: finds a cart whether it has expired or not."""


@dataclass(frozen=True, slots=True)
class StoredCart:
    """`stock`: product id -> units that this cart can still have, for products that keep count.
    `tax_revision` moves when a tax rate changes. `coupons`: terms and uses of the cart's coupons by
    code, as `promotions.model.states_of` reads them."""

    cart: Cart | None
    stock: Mapping[int, int]
    tax_revision: int
    coupons: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


# From `revisions`, so that there is a row, with all that was asked for, even without a cart.
_FIND = """
SELECT c.cart_key, c.version, c.customer_id, c.document, c.order_id, c.placed_at,
    c.paying_until, c.awaits_action, c.expires_at,
    CASE WHEN coalesce(c.stock_ids, '{}') = '{}' AND $3::bigint[] = '{}' THEN NULL
         ELSE stock_available(coalesce(c.stock_ids, '{}') || $3::bigint[], c.order_id, $2)
    END AS stock,
    CASE WHEN coalesce(c.coupon_codes, '{}') = '{}' AND $4::text[] = '{}' THEN NULL
         ELSE coupons_for(coalesce(c.coupon_codes, '{}') || $4::text[], c.order_id, c.customer_id,
            c.document->'billing'->>'email', $2)
    END AS coupons,
    r.number AS tax_revision
FROM revisions r
LEFT JOIN carts c ON c.cart_key = $1 AND c.expires_at > $2
WHERE r.topic = 'tax'
"""

_LOCK = (
    _FIND.replace(
        "LEFT JOIN carts c ON c.cart_key = $1 AND c.expires_at > $2\nWHERE",
        "JOIN carts c ON c.cart_key = $1 AND c.expires_at > $2\nWHERE",
    )
    + "FOR NO KEY UPDATE OF c"
)

_AFRESH = """
SELECT number, CASE WHEN $1::text[] = '{}' THEN NULL
    ELSE coupons_for($1::text[], $2, $3, $4, $5) END AS coupons
FROM revisions WHERE topic = 'tax'
"""


async def find(
    connection: Connection,
    key: str,
    now: datetime,
    stock_ids: Sequence[int] = (),
    codes: Sequence[str] = (),
) -> StoredCart:
    """The living cart with this key, the stock of its lines and of `stock_ids`, its coupons and
    those with these codes."""
    row = await connection.fetchrow(_FIND, key, now, list(stock_ids), list(codes))
    assert row is not None, "the migration writes the tax revision"
    return _stored(row)


async def lock(
    connection: Connection,
    key: str,
    now: datetime,
    stock_ids: Sequence[int] = (),
    codes: Sequence[str] = (),
) -> StoredCart:
    """As `find`, with the row locked until the transaction ends. Stock, coupons and tax revision
    are those from before a wait for the lock: good for showing, not for selling."""
    row = None
    if key:
        row = await connection.fetchrow(_LOCK, key, now, list(stock_ids), list(codes))
    return _stored(row) if row else await find(connection, "", now, stock_ids, codes)


async def insert(
    connection: Connection, cart: Cart, stock_ids: Sequence[int], now: datetime
) -> bool:
    """Stores a new cart, also in the place of an expired one that nobody has swept away yet; False
    when another request made a cart under this key meanwhile."""
    done = await connection.fetchval(
        "INSERT INTO carts (cart_key, customer_id, version, document, stock_ids, expires_at,"
        " coupon_codes) VALUES ($1, $2, 1, $3, $4, $5, $7)"
        " ON CONFLICT (cart_key) DO UPDATE SET version = 1, document = excluded.document,"
        " stock_ids = excluded.stock_ids, coupon_codes = excluded.coupon_codes,"
        " expires_at = excluded.expires_at, created_at = now(), order_id = NULL,"
        " placed_at = NULL WHERE carts.expires_at <= $6 AND carts.paying_until IS NULL RETURNING 1",
        cart.key,
        cart.customer_id,
        cart.as_document(),
        list(stock_ids),
        cart.expires_at,
        now,
        list(cart.coupons),
    )
    return done is not None


async def save(connection: Connection, cart: Cart, stock_ids: Sequence[int]) -> None:
    """Stores the new state of a locked cart; its version moves by one."""
    await connection.execute(
        "UPDATE carts SET version = version + 1, document = $2, stock_ids = $3, order_id = $4,"
        " placed_at = $5, paying_until = $6, expires_at = $7, awaits_action = $8,"
        " coupon_codes = $9"
        " WHERE cart_key = $1",
        cart.key,
        cart.as_document(),
        list(stock_ids),
        cart.order_id,
        cart.placed_at,
        cart.paying_until,
        cart.expires_at,
        cart.awaits_action,
        list(cart.coupons),
    )


async def living(
    connection: Connection, now: datetime, skip: int, limit: int
) -> tuple[list[str], int]:
    """Keys of carts that live and are no order yet, the one that was made last first, and how many
    there are."""
    rows = await connection.fetch(
        "SELECT cart_key FROM carts WHERE expires_at > $1 AND placed_at IS NULL"
        " ORDER BY created_at DESC, cart_key OFFSET $2 LIMIT $3",
        now,
        skip,
        limit,
    )
    total = await connection.fetchval(
        "SELECT count(*) FROM carts WHERE expires_at > $1 AND placed_at IS NULL", now
    )
    return [row["cart_key"] for row in rows], int(total)


async def worth_adopting(connection: Connection, key: str, now: datetime) -> bool | None:
    """Whether a living guest's cart has anything in it that can move; None without such a cart."""
    found: bool | None = await connection.fetchval(
        "SELECT paying_until IS NULL AND jsonb_array_length(document -> 'lines') > 0 FROM carts"
        " WHERE cart_key = $1 AND expires_at > $2 AND customer_id IS NULL",
        key,
        now,
    )
    return found


async def forget_answers(connection: Connection, key: str) -> None:
    """Deletes what would be answered again about a cart."""
    await connection.execute("DELETE FROM idempotency_keys WHERE cart_key = $1", key)


async def delete(connection: Connection, key: str) -> None:
    """Deletes a locked cart."""
    await connection.execute("DELETE FROM carts WHERE cart_key = $1", key)


async def set_paying(
    connection: Connection, key: str, since: datetime | None, *, awaits_action: bool = False
) -> None:
    """Marks a locked cart as one whose payment is under way, or is not any more."""
    await connection.execute(
        "UPDATE carts SET paying_until = $2, awaits_action = $3, version = version + 1"
        " WHERE cart_key = $1",
        key,
        since,
        awaits_action,
    )


async def afresh(
    connection: Connection, found: StoredCart, cart: Cart, now: datetime
) -> StoredCart:
    """A locked cart with tax revision and coupons as they are at this moment."""
    row = await connection.fetchrow(
        _AFRESH, list(cart.coupons), cart.order_id, cart.customer_id, cart.billing.email, now
    )
    assert row is not None, "the migration writes the tax revision"
    return replace(found, tax_revision=row["number"], coupons=row["coupons"] or {})


async def leave_order(connection: Connection, key: str) -> None:
    """A locked cart and an order that is not paid part: each goes its own way."""
    await connection.execute(
        "UPDATE carts SET order_id = NULL, paying_until = NULL, awaits_action = false,"
        " version = version + 1 WHERE cart_key = $1",
        key,
    )


async def delete_expired(connection: Connection, now: datetime, limit: int) -> int:
    """Deletes up to `limit` carts whose time is over; says how many. A payment under way keeps its
    cart until it is settled."""
    done = await connection.execute(
        "DELETE FROM carts WHERE cart_key IN (SELECT cart_key FROM carts WHERE expires_at <= $1"
        " AND paying_until IS NULL LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now,
        limit,
    )
    return int(done.split()[-1])


def _stored(row: Record) -> StoredCart:
    stock = {int(key): value for key, value in (row["stock"] or {}).items()}
    coupons = row["coupons"] or {}
    if row["cart_key"] is None:
        return StoredCart(None, stock, row["tax_revision"], coupons)
    cart = from_document(
        row["document"],
        key=row["cart_key"],
        version=row["version"],
        customer_id=row["customer_id"],
        order_id=row["order_id"],
        placed_at=row["placed_at"],
        paying_until=row["paying_until"],
        awaits_action=row["awaits_action"],
        expires_at=row["expires_at"],
    )
    return StoredCart(cart, stock, row["tax_revision"], coupons)
