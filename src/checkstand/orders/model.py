"""An order: what was bought, by whom, for how much, and the states that it moves through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from checkstand.customers.addresses import Address
from checkstand.errors import CheckstandError
from checkstand.kit.money import Currency, Money


class OrderStatus(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    ON_HOLD = "on-hold"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    OrderStatus.PENDING: "Pending payment",
    OrderStatus.PROCESSING: "Processing",
    OrderStatus.ON_HOLD: "On hold",
    OrderStatus.COMPLETED: "Completed",
    OrderStatus.FAILED: "Failed",
    OrderStatus.CANCELLED: "Cancelled",
    OrderStatus.REFUNDED: "Refunded",
}

MOVES: Mapping[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.PENDING: frozenset(
        {
            OrderStatus.PROCESSING,
            OrderStatus.ON_HOLD,
            OrderStatus.COMPLETED,
            OrderStatus.FAILED,
            OrderStatus.CANCELLED,
        }
    ),
    OrderStatus.FAILED: frozenset(
        {
            OrderStatus.PENDING,
            OrderStatus.PROCESSING,
            OrderStatus.ON_HOLD,
            OrderStatus.COMPLETED,
            OrderStatus.CANCELLED,
        }
    ),
    OrderStatus.ON_HOLD: frozenset(
        {
            OrderStatus.PROCESSING,
            OrderStatus.COMPLETED,
            OrderStatus.FAILED,
            OrderStatus.CANCELLED,
            OrderStatus.REFUNDED,
        }
    ),
    OrderStatus.PROCESSING: frozenset(
        {OrderStatus.COMPLETED, OrderStatus.ON_HOLD, OrderStatus.CANCELLED, OrderStatus.REFUNDED}
    ),
    OrderStatus.COMPLETED: frozenset({OrderStatus.REFUNDED}),
    OrderStatus.CANCELLED: frozenset(),
    OrderStatus.REFUNDED: frozenset(),
}


UNPAID = frozenset({OrderStatus.PENDING, OrderStatus.FAILED})
"""Where an order can still be paid, or called off."""


class IllegalMove(CheckstandError):
    """A program error: an order was to move where its state does not lead."""


@dataclass(frozen=True, slots=True)
class OrderLine:
    """`id` is 0 until stored. Amounts are those of the quote, frozen."""

    item_key: str
    product_id: int
    variation_id: int
    name: str
    title: str
    product_type: str
    sku: str
    image: str
    purchase_note: str
    quantity: int
    unit_price: Money
    subtotal: Money
    subtotal_tax: Money
    total: Money
    tax: Money
    meta: tuple[Mapping[str, str], ...] = ()
    """{key, display_key, display_value} of chosen options."""
    downloads: tuple[Mapping[str, str], ...] = ()
    id: int = 0
    refunded: int = 0
    """Units that refunds speak for."""

    @property
    def sold_id(self) -> int:
        """The product that was bought: the variation, or the product itself."""
        return self.variation_id or self.product_id


@dataclass(frozen=True, slots=True)
class Charge:
    """Shipping, fee, discount (negative) or tax, in the order shown."""

    kind: str
    code: str
    label: str
    amount: Money
    tax: Money
    package: Mapping[str, Any] | None = None
    """Of shipping: `id` and `name` of the package, and `items`, units by item key. None for other
    charges, and for orders from before packages were kept."""


@dataclass(frozen=True, slots=True)
class Order:
    """A snapshot. `totals` are the twelve flat figures of the contract, in minor units."""

    order_key: str
    status: OrderStatus
    cart_key: str
    fingerprint: str
    customer_id: int | None
    currency: Currency
    base_currency: str
    exchange_rate: Decimal
    prices_include_tax: bool
    totals: Mapping[str, int]
    needs_payment: bool
    needs_shipping: bool
    billing: Address
    shipping: Address
    payment_method: str
    payment_method_title: str
    customer_note: str
    created_at: datetime
    lines: tuple[OrderLine, ...] = ()
    charges: tuple[Charge, ...] = ()
    placed_at: datetime | None = None
    paid_at: datetime | None = None
    number: str = ""
    id: int = 0
    coupon_ids: tuple[int, ...] = ()
    """The coupons that it uses: held while it is being paid, redeemed once it is placed."""
    needs_processing: bool = field(default=True)
    """Somebody has to do something: not everything in it is a download."""

    def amount(self, name: str) -> Money:
        return Money(self.totals[name], self.currency)

    @property
    def total(self) -> Money:
        return self.amount("total")

    def check_move(self, to: OrderStatus) -> None:
        """IllegalMove when the state table does not allow it."""
        if to is not self.status and to not in MOVES[self.status]:
            raise IllegalMove(f"order {self.id} cannot move from {self.status} to {to}")

    @property
    def payable(self) -> bool:
        return self.status in UNPAID and self.needs_payment

    @property
    def sold(self) -> dict[int, int]:
        """Units by product or variation id, over all lines."""
        units: dict[int, int] = {}
        for line in self.lines:
            units[line.sold_id] = units.get(line.sold_id, 0) + line.quantity
        return units

    @property
    def downloads(self) -> list[Mapping[str, Any]]:
        return [download for line in self.lines for download in line.downloads]
