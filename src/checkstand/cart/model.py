"""The cart document. Verbs give a new cart; nothing here knows prices or the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime
from typing import Any

from checkstand.customers.addresses import Address

MOST_COUPONS = 20
MOST_FEES = 20
"""On one cart."""


@dataclass(frozen=True, slots=True)
class CartLine:
    """`key` is opaque and stable for the life of the line; CoCart calls it the item key."""

    key: str
    product_id: int
    """The parent of a variation."""
    variation_id: int
    quantity: int
    variation: Mapping[str, str] = field(default_factory=dict)
    """attribute_… -> chosen option."""
    item_data: Mapping[str, Any] = field(default_factory=dict)
    price: int | None = None
    """A unit price that somebody who may has set, minor units of the base currency; None for the
    product's own."""

    @property
    def sold_id(self) -> int:
        """The product that is bought: the variation, or the product itself."""
        return self.variation_id or self.product_id


@dataclass(frozen=True, slots=True)
class CartFee:
    """Added by somebody who may: `minor` units of the base currency, ex tax; negative takes off."""

    id: str
    name: str
    minor: int
    taxable: bool = False
    tax_class: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the shopper last saw: the total, and a digest of all that it was made of (DECISIONS
    11). Another digest with an equal total is another purchase."""

    currency: str
    minor: int
    digest: str


@dataclass(frozen=True, slots=True)
class Cart:
    key: str
    expires_at: datetime
    version: int = 0
    """0: not stored yet."""
    customer_id: int | None = None
    lines: tuple[CartLine, ...] = ()
    removed: tuple[CartLine, ...] = ()
    billing: Address = Address()
    shipping: Address = Address()
    """Empty: goods go to the billing address."""
    currency: str = ""
    """"" until one was chosen: the store's."""
    payment_method: str = ""
    chosen_rates: Mapping[str, str] = field(default_factory=dict)
    """Package id -> rate key."""
    coupons: tuple[str, ...] = ()
    """Codes, as they were applied."""
    fees: tuple[CartFee, ...] = ()
    shown: Shown | None = None
    order_id: int | None = None
    """The order that this document is becoming, or became when `placed_at` is set."""
    placed_at: datetime | None = None
    paying_until: datetime | None = None
    """Set while a payment attempt of it is live: the document must not change."""
    awaits_action: bool = False
    """That payment waits for the shopper, at the provider: an edit calls it off (DECISIONS 15)."""

    def line(self, key: str) -> CartLine | None:
        return next((line for line in self.lines if line.key == key), None)

    def removed_line(self, key: str) -> CartLine | None:
        return next((line for line in self.removed if line.key == key), None)

    def quantity_of(self, sold_id: int) -> int:
        """How many of a product are in the cart, over all its lines."""
        return sum(line.quantity for line in self.lines if line.sold_id == sold_id)

    @property
    def item_count(self) -> int:
        return sum(line.quantity for line in self.lines)

    @property
    def destination(self) -> Address:
        """Where the goods go."""
        return self.shipping if self.shipping.has_destination else self.billing

    @property
    def ships_to(self) -> Address:
        """The shipping address as shown: the billing one until another is given."""
        return self.billing if self.shipping.is_empty else self.shipping

    def put(self, line: CartLine) -> Cart:
        """With `line` in the place of the one with its key, or at the end."""
        if self.line(line.key) is None:
            lines = (*self.lines, line)
        else:
            lines = tuple(line if old.key == line.key else old for old in self.lines)
        removed = tuple(old for old in self.removed if old.key != line.key)
        return replace(self, lines=lines, removed=removed)

    def take_out(self, key: str) -> Cart:
        """Without the line; it can be restored until the cart is cleared."""
        gone = tuple(line for line in self.lines if line.key == key)
        removed = (*(old for old in self.removed if old.key != key), *gone)
        lines = tuple(line for line in self.lines if line.key != key)
        return replace(self, lines=lines, removed=removed)

    def emptied(self, *, keep_removed: bool) -> Cart:
        removed = self.removed if keep_removed else ()
        return replace(self, lines=(), removed=removed, coupons=(), fees=())

    def reopened(self) -> Cart:
        """A fresh document under the key of a cart that became an order. A customer finds the
        addresses and the payment method again; under a guest's key nobody does."""
        fresh = Cart(
            key=self.key,
            expires_at=self.expires_at,
            version=self.version,
            customer_id=self.customer_id,
            currency=self.currency,
        )
        if self.customer_id is None:
            return fresh
        return replace(
            fresh,
            billing=self.billing,
            shipping=self.shipping,
            payment_method=self.payment_method,
        )

    def as_document(self) -> dict[str, Any]:
        """What is stored as JSON."""
        return {
            "lines": [_line_document(line) for line in self.lines],
            "removed": [_line_document(line) for line in self.removed],
            "billing": self.billing.as_billing(),
            "shipping": self.shipping.as_shipping(),
            "currency": self.currency,
            "payment_method": self.payment_method,
            "chosen_rates": dict(self.chosen_rates),
            "coupons": list(self.coupons),
            "fees": [list(astuple(fee)) for fee in self.fees],
            "shown": list(astuple(self.shown)) if self.shown else None,
        }


def from_document(
    document: Mapping[str, Any],
    *,
    key: str,
    version: int,
    customer_id: int | None,
    order_id: int | None,
    placed_at: datetime | None,
    paying_until: datetime | None,
    awaits_action: bool,
    expires_at: datetime,
) -> Cart:
    """The cart that `as_document` stored."""
    shown = document.get("shown")
    return Cart(
        key=key,
        expires_at=expires_at,
        version=version,
        customer_id=customer_id,
        lines=tuple(_line(line) for line in document.get("lines", ())),
        removed=tuple(_line(line) for line in document.get("removed", ())),
        billing=Address(**document.get("billing", {})),
        shipping=Address(**document.get("shipping", {})),
        currency=document.get("currency", ""),
        payment_method=document.get("payment_method", ""),
        chosen_rates=document.get("chosen_rates", {}),
        coupons=tuple(document.get("coupons", ())),
        fees=tuple(CartFee(*stored) for stored in document.get("fees", ())),
        shown=Shown(*shown) if shown else None,
        order_id=order_id,
        placed_at=placed_at,
        paying_until=paying_until,
        awaits_action=awaits_action,
    )


def _line_document(line: CartLine) -> dict[str, Any]:
    return {
        "key": line.key,
        "product_id": line.product_id,
        "variation_id": line.variation_id,
        "quantity": line.quantity,
        "variation": dict(line.variation),
        "item_data": dict(line.item_data),
        "price": line.price,
    }


def _line(stored: Mapping[str, Any]) -> CartLine:
    return CartLine(**stored)
