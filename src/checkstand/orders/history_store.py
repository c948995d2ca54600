"""All SQL about the orders of one customer: lists and sums."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from checkstand.kit.money import Currency, Money
from checkstand.orders.model import UNPAID, OrderStatus
from checkstand.storage.database import Connection


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list of orders."""

    id: int
    status: OrderStatus
    created_at: datetime
    total: Money
    item_count: int
    """Pieces that were not refunded."""
    needs_payment: bool

    @property
    def payable(self) -> bool:
        return self.needs_payment and self.status in UNPAID


@dataclass(frozen=True, slots=True)
class Spent:
    """Paid orders in one currency at one rate; `rate` is its units for one of the base."""

    total: Money
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Record:
    """`latest` is the newest order; `spent` counts paid orders only."""

    count: int
    latest: tuple[int, datetime] | None
    spent: tuple[Spent, ...]


async def page(
    connection: Connection, customer_id: int, *, offset: int, limit: int, ascending: bool
) -> list[Entry]:
    """Orders of a customer by number, in one statement."""
    direction = "ASC" if ascending else "DESC"
    rows = await connection.fetch(
        "SELECT o.id, o.status, o.created_at, o.total, o.currency, o.exponent, o.needs_payment,"
        " ((SELECT coalesce(sum(l.quantity), 0) FROM order_lines l WHERE l.order_id = o.id)"
        " - (SELECT coalesce(sum((back->>'quantity')::bigint), 0) FROM refunds r,"
        "    jsonb_array_elements(r.lines) AS back WHERE r.order_id = o.id"
        "    AND r.state <> 'refused'))::bigint AS items"
        f" FROM orders o WHERE o.customer_id = $1 ORDER BY o.id {direction} OFFSET $2 LIMIT $3",
        customer_id,
        offset,
        limit,
    )
    return [
        Entry(
            row["id"],
            OrderStatus(row["status"]),
            row["created_at"],
            Money(row["total"], Currency(row["currency"], row["exponent"])),
            row["items"],
            row["needs_payment"],
        )
        for row in rows
    ]


async def record(connection: Connection, customer_id: int) -> Record:
    """How much a customer has ordered, in one statement."""
    rows = await connection.fetch(
        "SELECT currency, exponent, exchange_rate, count(*) AS orders, max(id) AS latest,"
        " max(created_at) AS at,"
        " coalesce(sum(total) FILTER (WHERE paid_at IS NOT NULL AND status IN"
        " ('processing', 'completed')), 0)::bigint AS spent"
        " FROM orders WHERE customer_id = $1 GROUP BY currency, exponent, exchange_rate",
        customer_id,
    )
    newest = max(rows, key=lambda row: row["latest"], default=None)
    return Record(
        count=sum(row["orders"] for row in rows),
        latest=(newest["latest"], newest["at"]) if newest else None,
        spent=tuple(
            Spent(
                Money(row["spent"], Currency(row["currency"], row["exponent"])),
                row["exchange_rate"],
            )
            for row in rows
            if row["spent"]
        ),
    )


async def give(connection: Connection, customer_id: int, email: str) -> list[int]:
    """Makes orders without an owner, billed to that address, the customer's; says which."""
    rows = await connection.fetch(
        "UPDATE orders SET customer_id = $1 WHERE customer_id IS NULL"
        " AND lower(billing ->> 'email') = lower($2) RETURNING id",
        customer_id,
        email,
    )
    return sorted(row["id"] for row in rows)


async def downloads(
    connection: Connection, customer_id: int, limit: int
) -> list[tuple[str, dict[str, Any]]]:
    """Product name and file of what a customer's paid orders give to download, newest first."""
    rows = await connection.fetch(
        "SELECT l.name, file FROM orders o JOIN order_lines l ON l.order_id = o.id"
        " CROSS JOIN LATERAL jsonb_array_elements(l.downloads) AS file"
        " WHERE o.customer_id = $1 AND o.paid_at IS NOT NULL"
        " AND o.status IN ('processing', 'completed')"
        " ORDER BY o.id DESC, l.position LIMIT $2",
        customer_id,
        limit,
    )
    return [(row["name"], row["file"]) for row in rows]
