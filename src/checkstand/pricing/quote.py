"""What the calculator takes and gives.

Facts are everything that a total depends on; the same facts give the same cents. All amounts of
a Quote are in its active currency. Unit prices, fees and shipping costs are converted from the base
currency and rounded one by one, then summed (contract checkout.md 1.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from checkstand.kit.money import Currency, Money
from checkstand.kit.places import NOWHERE, Place
from checkstand.promotions.model import CouponKind, CouponState
from checkstand.promotions.rules import Rejected
from checkstand.shipping.model import Zone
from checkstand.shipping.packing import Splitter, together
from checkstand.tax.model import TaxRate
from checkstand.tax.rates import NO_RATES, Levy, TaxTable


@dataclass(frozen=True, slots=True)
class LineFacts:
    """One cart line. `unit_price` and `regular_price` are in the base currency, as entered:
    with tax when the shop's prices include tax, without when they do not."""

    key: str
    product_id: int
    quantity: int
    unit_price: Money
    regular_price: Money
    taxable: bool
    tax_class: str
    needs_shipping: bool
    shipping_class: str
    weight: Decimal
    """Of one unit, in the store's unit; 0 when unknown."""
    parent_id: int = 0
    """The product that this is a variation of; 0 for none."""
    category_ids: tuple[int, ...] = ()
    on_sale: bool = False


@dataclass(frozen=True, slots=True)
class FeeFacts:
    """`amount` in the base currency, ex tax; negative is a discount."""

    id: str
    name: str
    amount: Money
    taxable: bool = False
    tax_class: str = ""


@dataclass(frozen=True, slots=True)
class TaxRules:
    """`base` is the store's own place: prices that include tax include its rates."""

    enabled: bool
    prices_include_tax: bool
    table: TaxTable = NO_RATES
    base: Place = NOWHERE
    shipping_class: str = ""
    """The tax class of shipping costs."""


@dataclass(frozen=True, slots=True)
class Facts:
    base: Currency
    currency: Currency
    rate: Decimal
    """Units of `currency` for one of `base`; 1 when they are the same."""
    lines: tuple[LineFacts, ...]
    tax: TaxRules
    tax_place: Place
    """Where tax is due. The caller has already put the store's place here if none is known."""
    destination: Place
    """Where the goods go; unknown = shipping cannot be calculated yet."""
    zones: tuple[Zone, ...] = ()
    shipping_enabled: bool = True
    split: Splitter = together
    """How goods are put into packages."""
    chosen_rates: Mapping[str, str] = field(default_factory=dict)
    """Package id -> rate key that the shopper chose."""
    fees: tuple[FeeFacts, ...] = ()
    coupons: tuple[str, ...] = ()
    """The codes that were applied."""
    coupon_states: Mapping[str, CouponState] = field(default_factory=dict)
    """What is known about them, by code; a code that is not here does not exist."""
    email: str = ""
    """Whose order it will be; "" while that is not known."""


@dataclass(frozen=True, slots=True)
class AppliedTax:
    """What one rate came to on one amount."""

    rate: TaxRate
    amount: Money

    @staticmethod
    def each(levy: Levy, parts: Iterable[int], currency: Currency) -> tuple[AppliedTax, ...]:
        """The rates of a levy, each with its part in minor units."""
        return tuple(
            [
                AppliedTax(rate, Money(part, currency))
                for rate, part in zip(levy.rates, parts, strict=True)
            ]
        )


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """`subtotal` and `total` are ex tax, before and after discount. `unit_price` is as entered
    (with tax when prices include tax), converted."""

    key: str
    product_id: int
    quantity: int
    unit_price: Money
    regular_price: Money
    subtotal: Money
    subtotal_tax: Money
    total: Money
    tax: Money
    taxes: tuple[AppliedTax, ...] = ()


@dataclass(frozen=True, slots=True)
class QuotedRate:
    """A shipping rate on offer; `cost` ex tax."""

    key: str
    method_id: str
    instance_id: int
    label: str
    cost: Money
    tax: Money
    chosen: bool
    taxes: tuple[AppliedTax, ...] = ()


@dataclass(frozen=True, slots=True)
class Package:
    """Goods that travel together: units by line key. A line may be in several packages. `id` is
    what a choice is kept under; clients have names of their own for it (`cart.packages`)."""

    id: str
    name: str
    contents: Mapping[str, int]
    rates: tuple[QuotedRate, ...]
    chosen: QuotedRate | None
    rejected_choice: str = ""
    """A rate key that was chosen and is not offered (any more): cleared, and reported here."""


@dataclass(frozen=True, slots=True)
class QuotedFee:
    id: str
    name: str
    amount: Money
    tax: Money
    taxable: bool
    tax_class: str
    taxes: tuple[AppliedTax, ...] = ()


@dataclass(frozen=True, slots=True)
class AppliedDiscount:
    """What one coupon takes off, ex tax, and the tax that goes with it; positive amounts.
    `allocations` are its shares by line key and sum to `amount`; over all coupons they sum to the
    difference of each line's subtotal and total. `tax_allocations` are the same of the tax."""

    coupon_id: int
    code: str
    label: str
    kind: CouponKind
    amount: Money
    tax: Money
    free_shipping: bool
    allocations: Mapping[str, Money] = field(default_factory=dict)
    tax_allocations: Mapping[str, Money] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaxTotal:
    """The sum of one rate over lines, shipping and fees."""

    rate: TaxRate
    amount: Money
    shipping_amount: Money


class TotalKind(StrEnum):
    SUBTOTAL = "subtotal"
    DISCOUNT = "discount"
    FULFILMENT = "fulfilment"
    FEE = "fee"
    TAX = "tax"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class TotalLine:
    """One row of the totals, signed: all rows but the last sum to the last, the TOTAL."""

    kind: TotalKind
    code: str
    label: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Quote:
    currency: Currency
    base: Currency
    rate: Decimal
    prices_include_tax: bool
    lines: tuple[QuoteLine, ...]
    packages: tuple[Package, ...]
    fees: tuple[QuotedFee, ...]
    taxes: tuple[TaxTotal, ...]
    totals: tuple[TotalLine, ...]
    subtotal: Money
    subtotal_tax: Money
    discount_total: Money
    discount_tax: Money
    contents_total: Money
    contents_tax: Money
    fee_total: Money
    fee_tax: Money
    shipping_total: Money
    shipping_tax: Money
    total: Money
    total_tax: Money
    needs_shipping: bool
    has_destination: bool
    weight: Decimal
    discounts: tuple[AppliedDiscount, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    """Coupons that do not hold (any more), each with its reason; they take nothing off."""

    @property
    def needs_payment(self) -> bool:
        return self.total.minor > 0

    @property
    def chosen_rates(self) -> frozenset[str]:
        """Keys of the rates that the packages go by, as far as they are chosen."""
        return frozenset(each.chosen.key for each in self.packages if each.chosen is not None)

    def line(self, key: str) -> QuoteLine:
        return next(line for line in self.lines if line.key == key)
