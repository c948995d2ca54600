"""All SQL about stock. Rows are locked in the order of their id, always after cart and order."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from checkstand.stock.model import Shortage, Want
from checkstand.storage.database import Connection

_LOCK = "SELECT 1 FROM stock WHERE product_id = ANY($1) ORDER BY product_id FOR NO KEY UPDATE"

# A statement of its own after the locks: only a fresh snapshot sees the holds of whoever had them.
_HOLD = """
WITH want AS (
    SELECT w.product_id, w.quantity, w.may_exceed, s.product_id IS NOT NULL AS counted,
        coalesce(s.quantity, 0) - coalesce((
        SELECT sum(h.quantity) FROM stock_holds h
        WHERE h.product_id = w.product_id AND h.expires_at > $5 AND h.order_id <> $1
    ), 0)::bigint AS available
    FROM unnest($2::bigint[], $3::bigint[], $4::boolean[]) AS w (product_id, quantity, may_exceed)
    LEFT JOIN stock s ON s.product_id = w.product_id
), short AS (
    SELECT product_id, quantity, available FROM want WHERE quantity > available AND NOT may_exceed
), kept AS (
    INSERT INTO stock_holds AS held (order_id, product_id, quantity, expires_at)
    SELECT $1, product_id, quantity, $6 FROM want
    WHERE counted AND NOT EXISTS (SELECT FROM short)
    ON CONFLICT (order_id, product_id) DO UPDATE
    SET quantity = excluded.quantity, expires_at = excluded.expires_at
    RETURNING 1
)
SELECT product_id, quantity, available FROM short ORDER BY product_id
"""

# The join lets a row be changed only once the ordered lock on it was had.
_TAKE = """
WITH locked AS (
    SELECT product_id FROM stock
    WHERE product_id IN (SELECT product_id FROM stock_holds WHERE order_id = $1)
    ORDER BY product_id FOR NO KEY UPDATE
), held AS (
    DELETE FROM stock_holds WHERE order_id = $1 RETURNING product_id, quantity
)
UPDATE stock s SET quantity = s.quantity - held.quantity
FROM locked JOIN held USING (product_id) WHERE s.product_id = locked.product_id
"""

# A variation that does not count for itself counts on its parent.
_COUNTED = """
counted AS (
    SELECT CASE WHEN p.manages_stock OR p.parent_id IS NULL THEN p.id ELSE p.parent_id END AS id,
        sum(sold.quantity)::bigint AS quantity
    FROM unnest($1::bigint[], $2::bigint[]) AS sold (product_id, quantity)
    JOIN products p ON p.id = sold.product_id GROUP BY 1
)
"""

_GIVE_BACK = f"""
WITH {_COUNTED}, locked AS (
    SELECT product_id FROM stock WHERE product_id IN (SELECT id FROM counted)
    ORDER BY product_id FOR NO KEY UPDATE
)
UPDATE stock s SET quantity = s.quantity + counted.quantity
FROM locked JOIN counted ON counted.id = locked.product_id WHERE s.product_id = locked.product_id
"""

_WANTS = f"""
WITH {_COUNTED}
SELECT s.product_id AS stock_id, counted.quantity, p.backorders <> 'no' AS may_exceed
FROM counted JOIN stock s ON s.product_id = counted.id JOIN products p ON p.id = counted.id
WHERE p.manages_stock ORDER BY s.product_id
"""


async def available(
    connection: Connection, ids: Collection[int], holder: int | None, now: datetime
) -> dict[int, int]:
    """Units that `holder` (an order) can still have, by stock row; without a row, none."""
    found = await connection.fetchval("SELECT stock_available($1, $2, $3)", list(ids), holder, now)
    return dict.fromkeys(ids, 0) | {int(key): units for key, units in found.items()}


async def hold(
    connection: Connection, order_id: int, wants: Sequence[Want], now: datetime, until: datetime
) -> list[Shortage]:
    """Keeps all of `wants` for the order until then, or nothing at all and says what is short.

    What the order held before is replaced; its own holds never stand in its way.
    """
    ids = sorted(want.stock_id for want in wants)
    await connection.fetch(_LOCK, ids)
    rows = await connection.fetch(
        _HOLD,
        order_id,
        [want.stock_id for want in wants],
        [want.quantity for want in wants],
        [want.may_exceed for want in wants],
        now,
        until,
    )
    return [Shortage(row["product_id"], row["quantity"], max(0, row["available"])) for row in rows]


async def take(connection: Connection, order_id: int) -> None:
    """Turns the order's holds into stock that is gone. Harmless when repeated."""
    await connection.execute(_TAKE, order_id)


async def give_back(connection: Connection, sold: Mapping[int, int]) -> None:
    """Puts units back on the shelf: product or variation id -> units. Those that keep no count any
    more are left out."""
    await connection.execute(_GIVE_BACK, list(sold), list(sold.values()))


async def wants(connection: Connection, sold: Mapping[int, int]) -> list[Want]:
    """What units of products and variations take from stock, by the rows that count them now."""
    rows = await connection.fetch(_WANTS, list(sold), list(sold.values()))
    return [Want(row["stock_id"], row["quantity"], row["may_exceed"]) for row in rows]


async def sold_out(connection: Connection, sold_ids: Collection[int]) -> list[int]:
    """Those of the products and variations that keep no count and are marked as sold out, or are
    not sold any more."""
    rows = await connection.fetch(
        "SELECT sold.id FROM unnest($1::bigint[]) AS sold (id)"
        " LEFT JOIN products p ON p.id = sold.id LEFT JOIN products up ON up.id = p.parent_id"
        " WHERE p.id IS NULL OR NOT p.published OR NOT coalesce(up.published, true)"
        " OR (NOT p.manages_stock AND NOT coalesce(up.manages_stock, false)"
        " AND p.stock_status = 'outofstock')",
        list(sold_ids),
    )
    return [row["id"] for row in rows]


async def extend(connection: Connection, order_id: int, until: datetime) -> None:
    """Keeps the order's holds until then, if they would end before."""
    await connection.execute(
        "UPDATE stock_holds SET expires_at = $2 WHERE order_id = $1 AND expires_at < $2",
        order_id,
        until,
    )


async def release(connection: Connection, order_id: int) -> None:
    """Gives the order's holds back."""
    await connection.execute("DELETE FROM stock_holds WHERE order_id = $1", order_id)
