"""All SQL of coupons and their uses. What a cart needs of them comes with the cart itself
(`cart.store`). Rows are locked in the order of their id, after cart, order and stock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asyncpg import Record

from checkstand.promotions.model import Coupon, coupon_of
from checkstand.storage.database import Connection

# The join lets a counter move only once the ordered lock on its row was had.
_REDEEM = """
WITH locked AS (
    SELECT id FROM coupons WHERE id IN (
        SELECT coupon_id FROM coupon_uses WHERE order_id = $1 AND redeemed_at IS NULL)
    ORDER BY id FOR NO KEY UPDATE
), redeemed AS (
    UPDATE coupon_uses SET redeemed_at = $2 WHERE order_id = $1 AND redeemed_at IS NULL
    RETURNING coupon_id
)
UPDATE coupons c SET used = c.used + 1
FROM locked JOIN redeemed ON redeemed.coupon_id = locked.id WHERE c.id = locked.id
"""

_RELEASE = """
WITH locked AS (
    SELECT id FROM coupons WHERE id IN (
        SELECT coupon_id FROM coupon_uses WHERE order_id = $1 AND redeemed_at IS NOT NULL)
    ORDER BY id FOR NO KEY UPDATE
), released AS (
    DELETE FROM coupon_uses WHERE order_id = $1 RETURNING coupon_id, redeemed_at
)
UPDATE coupons c SET used = c.used - 1
FROM locked JOIN released ON released.coupon_id = locked.id
WHERE c.id = locked.id AND released.redeemed_at IS NOT NULL
"""

_COLUMNS = (
    "code",
    "description",
    "kind",
    "amount",
    "free_shipping",
    "minimum",
    "maximum",
    "product_ids",
    "excluded_product_ids",
    "category_ids",
    "excluded_category_ids",
    "excludes_sale_items",
    "item_limit",
    "usage_limit",
    "customer_limit",
    "emails",
    "individual_use",
    "expires_at",
    "enabled",
)


_IMPORT_LOCK = 0x636F_7570_6F6E
"""Any number will do that nothing else locks."""


@dataclass(frozen=True, slots=True)
class StoredCoupon:
    """`used` by orders that were placed, `held` by orders that are being paid."""

    coupon: Coupon
    used: int
    held: int


async def hold(
    connection: Connection,
    order_id: int,
    ids: Sequence[int],
    customer_id: int | None,
    email: str,
    now: datetime,
    until: datetime,
) -> list[int]:
    """Keeps one use of each coupon for the order until then, or none at all and gives the ids of
    those that have none left. What the order held before is replaced, and never in its way."""
    refused = await connection.fetchval(
        "SELECT hold_coupon_uses($1, $2, $3, $4, $5, $6)",
        order_id,
        sorted(ids),
        customer_id,
        email,
        now,
        until,
    )
    return list(refused)


async def redeem(connection: Connection, order_id: int, now: datetime) -> None:
    """Turns the order's holds into uses for good. Harmless when repeated."""
    await connection.execute(_REDEEM, order_id, now)


async def extend(connection: Connection, order_id: int, until: datetime) -> None:
    """Keeps the order's holds until then, if they would end before."""
    await connection.execute(
        "UPDATE coupon_uses SET expires_at = $2 WHERE order_id = $1 AND expires_at < $2",
        order_id,
        until,
    )


async def release(connection: Connection, order_id: int) -> None:
    """Gives the order's uses back, redeemed or not. Harmless when repeated."""
    await connection.execute(_RELEASE, order_id)


async def insert(connection: Connection, coupon: Coupon) -> int | None:
    """Stores a new coupon and gives its id; None when another has its code."""
    made = await connection.fetchval(
        f"INSERT INTO coupons ({', '.join(_COLUMNS)}) VALUES ({_marks(1)})"
        " ON CONFLICT (code) DO NOTHING RETURNING id",
        *_values(coupon),
    )
    return int(made) if made is not None else None


def _marks(first: int) -> str:
    return ", ".join(f"${number}" for number in range(first, first + len(_COLUMNS)))


def _values(coupon: Coupon) -> list[Any]:
    values = {name: getattr(coupon, name) for name in _COLUMNS}
    values["kind"] = coupon.kind.value
    lists = {k: sorted(v) for k, v in values.items() if isinstance(v, frozenset)}
    return [*{**values, **lists, "emails": list(coupon.emails)}.values()]


# --- for imports ---------------------------------------------------------------------------------


async def lock_for_import(connection: Connection) -> None:
    """Wait until no other importer is writing; held until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _IMPORT_LOCK)


async def for_import(connection: Connection, codes: Sequence[str]) -> dict[str, Coupon]:
    """The coupons with these codes, locked as everywhere in the order of their id."""
    rows = await connection.fetch(
        "SELECT to_jsonb(c) || jsonb_build_object('amount', c.amount::text) AS stored"
        " FROM coupons c WHERE c.code = ANY ($1) ORDER BY c.id FOR NO KEY UPDATE",
        list(codes),
    )
    found = (coupon_of(row["stored"]) for row in rows)
    return {coupon.code: coupon for coupon in found}


async def update_all(connection: Connection, coupons: Sequence[Coupon]) -> None:
    """Gives stored coupons, which are locked, these terms; their uses stay."""
    await connection.executemany(
        f"UPDATE coupons SET ({', '.join(_COLUMNS)}) = ({_marks(2)}) WHERE id = $1",
        [[coupon.id, *_values(coupon)] for coupon in coupons],
    )


async def insert_all(connection: Connection, coupons: Sequence[tuple[Coupon, int]]) -> None:
    """Stores new coupons, each with how often it was used elsewhere."""
    await connection.executemany(
        f"INSERT INTO coupons (used, {', '.join(_COLUMNS)}) VALUES ($1, {_marks(2)})",
        [[used, *_values(coupon)] for coupon, used in coupons],
    )


async def category_names(connection: Connection) -> dict[str, frozenset[int]]:
    """Slug, and name in lower case -> the categories that are called that."""
    found: dict[str, frozenset[int]] = {}
    for row in await connection.fetch("SELECT id, slug, name FROM categories"):
        for name in {row["slug"].casefold(), row["name"].casefold()}:
            found[name] = found.get(name, frozenset()) | {row["id"]}
    return found


async def product_ids(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Those of the ids that are products."""
    rows = await connection.fetch("SELECT id FROM products WHERE id = ANY ($1)", list(ids))
    return {row["id"] for row in rows}


# --- looking at them -----------------------------------------------------------------------------


async def all_coupons(connection: Connection, now: datetime) -> list[StoredCoupon]:
    """Every coupon, by code."""
    rows = await connection.fetch(
        "SELECT to_jsonb(c) || jsonb_build_object('amount', c.amount::text) AS stored, c.used,"
        " coupon_uses_taken(c.id, NULL, $1) - c.used AS held FROM coupons c ORDER BY c.code",
        now,
    )
    return [_stored(row) for row in rows]


async def set_enabled(connection: Connection, code: str, enabled: bool) -> bool:
    """Whether there was such a coupon. Orders that are being paid keep it."""
    done = await connection.fetchval(
        "UPDATE coupons SET enabled = $2 WHERE code = $1 RETURNING 1", code, enabled
    )
    return done is not None


def _stored(row: Record) -> StoredCoupon:
    return StoredCoupon(coupon_of(row["stored"]), row["used"], row["held"])
