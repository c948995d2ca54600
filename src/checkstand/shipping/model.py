"""Shipping zones, the methods they offer, and what a method costs for a package.

Amounts are Money in the store's base currency. Zones are tried in order; the first whose
places cover the destination is used; a zone without places covers the rest of the world.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from checkstand.kit.money import Money


class MethodKind(StrEnum):
    FLAT_RATE = "flat_rate"
    FREE_SHIPPING = "free_shipping"
    LOCAL_PICKUP = "local_pickup"


class FreeFrom(StrEnum):
    """What free shipping hangs on, where a shop has both a minimum and coupons for it."""

    EITHER = "either"
    MINIMUM = "minimum"
    COUPON = "coupon"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class ShippingMethod:
    """One way to ship in a zone. `instance_id` is unique in the shop: rate key `flat_rate:1`."""

    kind: MethodKind
    instance_id: int
    title: str
    per_order: Money
    per_item: Money
    per_class: Mapping[str, Money] = field(default_factory=dict)
    """Shipping class slug -> added once for each class that is in the package. The slug "" is
    that of goods without a shipping class."""
    minimum: Money | None = None
    """Free shipping only from this subtotal (after discounts, before tax) on."""
    requires: FreeFrom = FreeFrom.EITHER
    """What free shipping is given for."""
    only_classes: frozenset[str] = frozenset()
    """Offered only to packages with nothing but goods of these shipping classes; to all when there
    are none."""
    taxable: bool = True

    @property
    def rate_key(self) -> str:
        return f"{self.kind.value}:{self.instance_id}"


@dataclass(frozen=True, slots=True)
class Zone:
    """The places in any of `countries` or `states` (`US:CA`), everywhere when both are empty;
    of these only the `postcodes` (patterns as in kit.places), if there are any."""

    name: str
    methods: tuple[ShippingMethod, ...]
    countries: frozenset[str] = frozenset()
    states: frozenset[str] = frozenset()
    postcodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a method is asked to ship: how many items of which shipping classes, and their weight
    in the store's unit."""

    items: int
    classes: frozenset[str]
    weight: Decimal
    value: Money
    """What the whole cart's goods cost in the active currency, after discounts, before tax: a
    download counts towards free shipping of the mug beside it, as in WooCommerce."""
    free: bool = False
    """A coupon gives free shipping."""


@dataclass(frozen=True, slots=True)
class ShippingOffer:
    """A method that is available for a parcel, with its price in the active currency, ex tax."""

    rate_key: str
    method: ShippingMethod
    label: str
    cost: Money
