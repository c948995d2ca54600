"""Not enough in stock: the refusals, with one row for each line that is short (DECISIONS 18)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from checkstand.cart.view import CartView
from checkstand.errors import InsufficientStock, SoldOut
from checkstand.orders.model import Order
from checkstand.stock.model import Shortage


def uncounted(seen: CartView) -> list[Shortage]:
    """Products that keep no count and are marked as sold out."""
    return [
        Shortage(product.id, line.quantity, 0)
        for line in seen.cart.lines
        if (product := seen.product(line)).sold_out and not product.manages_stock
    ]


def of_cart(
    seen: CartView, uncounted: list[Shortage], counted: list[Shortage]
) -> InsufficientStock:
    """The refusal of a cart: SoldOut when nothing that is counted is short."""
    short = _by_stock([*uncounted, *counted])
    rows, names = [], []
    for line in seen.cart.lines:
        product = seen.product(line)
        found = short.get(product.stock_id if product.manages_stock else product.id)
        if found is not None:
            names.append(f"“{product.name}” ({found.available} left)")
            rows.append(_row(line.key, line.sold_id, line.quantity, found))
    refusal = InsufficientStock if counted else SoldOut
    return refusal(f"Not enough in stock: {', '.join(names)}.", data=_told(rows))


def of_order(order: Order, shortages: Iterable[Shortage]) -> InsufficientStock:
    """The refusal of an order that is to be paid later."""
    short = _by_stock(shortages)
    rows = [
        _row(line.item_key, line.sold_id, line.quantity, found)
        for line in order.lines
        if (found := short.get(line.variation_id) or short.get(line.product_id)) is not None
    ]
    return InsufficientStock("Not everything in this order is in stock any more.", data=_told(rows))


def _by_stock(shortages: Iterable[Shortage]) -> Mapping[int, Shortage]:
    return {short.stock_id: short for short in shortages}


def _row(key: str, sold_id: int, quantity: int, short: Shortage) -> dict[str, Any]:
    return {
        "item_key": key,
        "product_id": sold_id,
        "requested": quantity,
        "available": short.available,
    }


def _told(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"error_type": "validation_error", "stock_data": rows}
