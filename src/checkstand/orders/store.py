"""All SQL about orders. An order goes in with its lines and charges in one statement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from asyncpg import Record

from checkstand import audit
from checkstand.customers.addresses import Address
from checkstand.kit.money import Currency, Money
from checkstand.orders.model import Charge, Order, OrderLine, OrderStatus
from checkstand.storage.database import Connection

_PARTS = """
lines AS (
    INSERT INTO order_lines (order_id, position, item_key, product_id, variation_id, name, title,
        product_type, sku, image, purchase_note, quantity, unit_price, subtotal, subtotal_tax,
        total, tax, meta, downloads)
    SELECT placed.id, l.position, l.item_key, l.product_id, l.variation_id, l.name, l.title,
        l.product_type, l.sku, l.image, l.purchase_note, l.quantity, l.unit_price, l.subtotal,
        l.subtotal_tax, l.total, l.tax, l.meta, l.downloads
    FROM placed, jsonb_to_recordset($1) AS l (position int, item_key text, product_id bigint,
        variation_id bigint, name text, title text, product_type text, sku text, image text,
        purchase_note text, quantity bigint, unit_price bigint, subtotal bigint,
        subtotal_tax bigint, total bigint, tax bigint, meta jsonb, downloads jsonb)
), charges AS (
    INSERT INTO order_charges (order_id, position, kind, code, label, amount, tax, package)
    SELECT placed.id, c.position, c.kind, c.code, c.label, c.amount, c.tax, c.package
    FROM placed, jsonb_to_recordset($2) AS c (position int, kind text, code text, label text,
        amount bigint, tax bigint, package jsonb)
)
SELECT id, number FROM placed
"""

_INSERT = (
    """
WITH next AS (SELECT nextval(pg_get_serial_sequence('orders', 'id')) AS id), placed AS (
    INSERT INTO orders (id, number, order_key, status, cart_key, fingerprint, customer_id, currency,
        exponent, base_currency, exchange_rate, prices_include_tax, totals, total, needs_payment,
        needs_shipping, needs_processing, billing, shipping, payment_method, payment_method_title,
        customer_note, created_at, coupon_ids)
    SELECT id, id::text, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
        $19, $20, $21, $22, $23, $24
    FROM next
    RETURNING id, number
), """
    + _PARTS
)

_REWRITE = (
    """
WITH placed AS (
    UPDATE orders SET order_key = $3, status = $4, cart_key = $5, fingerprint = $6,
        customer_id = $7, currency = $8, exponent = $9, base_currency = $10, exchange_rate = $11,
        prices_include_tax = $12, totals = $13, total = $14, needs_payment = $15,
        needs_shipping = $16, needs_processing = $17, billing = $18, shipping = $19,
        payment_method = $20, payment_method_title = $21, customer_note = $22, created_at = $23,
        coupon_ids = $24
    WHERE id = $25 RETURNING id, number
), """
    + _PARTS
)

_ORDER = """
SELECT o.*,
    (SELECT coalesce(jsonb_agg(to_jsonb(l) ORDER BY l.position), '[]') FROM order_lines l
     WHERE l.order_id = o.id) AS lines,
    (SELECT coalesce(jsonb_object_agg(back.line_id, back.units), '{}') FROM (
        SELECT entry->>'line_id' AS line_id, sum((entry->>'quantity')::bigint) AS units
        FROM refunds r, jsonb_array_elements(r.lines) AS entry
        WHERE r.order_id = o.id AND r.state <> 'refused' GROUP BY 1) AS back) AS refunded,
    (SELECT coalesce(jsonb_agg(to_jsonb(c) ORDER BY c.position), '[]') FROM order_charges c
     WHERE c.order_id = o.id) AS charges
FROM orders o WHERE o.id = $1
"""


async def insert(connection: Connection, order: Order) -> Order:
    """Stores a new order with its lines and charges; gives it back with id and number."""
    row = await connection.fetchrow(_INSERT, *_values(order))
    assert row is not None
    return replace(order, id=row["id"], number=row["number"])


async def rewrite(connection: Connection, order: Order) -> Order:
    """Gives an order that is not placed yet another content; id and number stay."""
    await connection.execute("DELETE FROM order_lines WHERE order_id = $1", order.id)
    await connection.execute("DELETE FROM order_charges WHERE order_id = $1", order.id)
    await connection.fetchrow(_REWRITE, *_values(order), order.id)
    return order


async def find(connection: Connection, order_id: int) -> Order | None:
    """The order with its lines and charges, in one statement."""
    row = await connection.fetchrow(_ORDER, order_id)
    return _order(row) if row else None


async def head(connection: Connection, order_id: int, *, lock: bool = False) -> Order | None:
    """The order without lines and charges; locked until the transaction ends when asked."""
    row = await connection.fetchrow(
        f"SELECT o.* FROM orders o WHERE o.id = $1{' FOR NO KEY UPDATE' if lock else ''}", order_id
    )
    return _order(row) if row else None


async def move(
    connection: Connection,
    order: Order,
    to: OrderStatus,
    *,
    placed_at: datetime | None,
    paid_at: datetime | None,
) -> Order:
    """Moves a locked order through its state table; IllegalMove where that does not lead."""
    order.check_move(to)
    await audit.record_with(
        connection,
        "UPDATE orders SET status = $2, placed_at = $3, paid_at = $4 WHERE id = $1",
        (order.id, to.value, placed_at, paid_at),
        "order.moved",
        f"order {order.id}",
        {"from": order.status.value, "to": to.value},
    )
    return replace(order, status=to, placed_at=placed_at, paid_at=paid_at)


async def choose_method(connection: Connection, order: Order, method: str, title: str) -> Order:
    """An unpaid order is to be paid in another way."""
    await connection.execute(
        "UPDATE orders SET payment_method = $2, payment_method_title = $3 WHERE id = $1",
        order.id,
        method,
        title,
    )
    return replace(order, payment_method=method, payment_method_title=title)


def _values(order: Order) -> tuple[Any, ...]:
    return (
        [_line_row(position, line) for position, line in enumerate(order.lines)],
        [_charge_row(position, charge) for position, charge in enumerate(order.charges)],
        order.order_key,
        order.status.value,
        order.cart_key,
        order.fingerprint,
        order.customer_id,
        order.currency.code,
        order.currency.exponent,
        order.base_currency,
        order.exchange_rate,
        order.prices_include_tax,
        dict(order.totals),
        order.total.minor,
        order.needs_payment,
        order.needs_shipping,
        order.needs_processing,
        order.billing.as_billing(),
        order.shipping.as_shipping(),
        order.payment_method,
        order.payment_method_title,
        order.customer_note,
        order.created_at,
        list(order.coupon_ids),
    )


def _line_row(position: int, line: OrderLine) -> dict[str, Any]:
    return {
        "position": position,
        "item_key": line.item_key,
        "product_id": line.product_id,
        "variation_id": line.variation_id,
        "name": line.name,
        "title": line.title,
        "product_type": line.product_type,
        "sku": line.sku,
        "image": line.image,
        "purchase_note": line.purchase_note,
        "quantity": line.quantity,
        "unit_price": line.unit_price.minor,
        "subtotal": line.subtotal.minor,
        "subtotal_tax": line.subtotal_tax.minor,
        "total": line.total.minor,
        "tax": line.tax.minor,
        "meta": [dict(entry) for entry in line.meta],
        "downloads": [dict(entry) for entry in line.downloads],
    }


def _charge_row(position: int, charge: Charge) -> dict[str, Any]:
    return {
        "position": position,
        "kind": charge.kind,
        "code": charge.code,
        "label": charge.label,
        "amount": charge.amount.minor,
        "tax": charge.tax.minor,
        "package": charge.package,
    }


def _order(row: Record) -> Order:
    currency = Currency(row["currency"], row["exponent"])
    return Order(
        id=row["id"],
        number=row["number"],
        order_key=row["order_key"],
        status=OrderStatus(row["status"]),
        cart_key=row["cart_key"],
        fingerprint=row["fingerprint"],
        customer_id=row["customer_id"],
        currency=currency,
        base_currency=row["base_currency"],
        exchange_rate=row["exchange_rate"],
        prices_include_tax=row["prices_include_tax"],
        totals=row["totals"],
        needs_payment=row["needs_payment"],
        needs_shipping=row["needs_shipping"],
        needs_processing=row["needs_processing"],
        billing=Address(**row["billing"]),
        shipping=Address(**row["shipping"]),
        payment_method=row["payment_method"],
        payment_method_title=row["payment_method_title"],
        customer_note=row["customer_note"],
        created_at=row["created_at"],
        coupon_ids=tuple(row["coupon_ids"]),
        placed_at=row["placed_at"],
        paid_at=row["paid_at"],
        lines=tuple(_line(stored, currency, row["refunded"]) for stored in row.get("lines", ())),
        charges=tuple(_charge(stored, currency) for stored in row.get("charges", ())),
    )


def _line(stored: dict[str, Any], currency: Currency, refunded: Mapping[str, int]) -> OrderLine:
    amounts = ("unit_price", "subtotal", "subtotal_tax", "total", "tax")
    plain = ("item_key", "product_id", "variation_id", "name", "title", "product_type", "sku")
    values: dict[str, Any] = {name: Money(stored[name], currency) for name in amounts}
    return OrderLine(
        **{name: stored[name] for name in (*plain, "image", "purchase_note", "quantity", "id")},
        **values,
        meta=tuple(stored["meta"]),
        downloads=tuple(stored["downloads"]),
        refunded=refunded.get(str(stored["id"]), 0),
    )


def _charge(stored: dict[str, Any], currency: Currency) -> Charge:
    return Charge(
        stored["kind"],
        stored["code"],
        stored["label"],
        Money(stored["amount"], currency),
        Money(stored["tax"], currency),
        stored["package"],
    )
