"""Whether a coupon holds for a cart, and what it takes off each line.

Amounts are minor units as prices are entered: with tax when prices include it. A discount is worked
out on the full price, rounded once for the coupon as a whole, shared over its lines by largest
remainder, and limited to what earlier coupons left of a line. Coupons come in one order whatever
the order they were applied in: off products, then per cent, then off the cart (as in WooCommerce,
whose rules about products, categories and sale items these are).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from checkstand.kit.money import Exchange, Money, allocate_units, divide_half_up
from checkstand.promotions.model import Coupon, CouponKind, CouponState


class Reason(StrEnum):
    """Why a coupon does not hold."""

    NOT_FOUND = "not_found"
    EXPIRED = "expired"
    USAGE_LIMIT = "usage_limit"
    CUSTOMER_LIMIT = "usage_limit_per_customer"
    EMAIL = "email_restriction"
    MINIMUM = "minimum_spend"
    MAXIMUM = "maximum_spend"
    NOT_APPLICABLE = "not_applicable"
    INDIVIDUAL_USE = "individual_use"


TEXTS: Mapping[Reason, str] = {
    Reason.NOT_FOUND: "The coupon “{code}” does not exist.",
    Reason.EXPIRED: "The coupon “{code}” has expired.",
    Reason.USAGE_LIMIT: "The coupon “{code}” has been used as often as it can be.",
    Reason.CUSTOMER_LIMIT: "You have used the coupon “{code}” as often as one customer can.",
    Reason.EMAIL: "The coupon “{code}” is not for this e-mail address.",
    Reason.MINIMUM: "The coupon “{code}” needs a larger cart: at least {amount}.",
    Reason.MAXIMUM: "The coupon “{code}” is for smaller carts: at most {amount}.",
    Reason.NOT_APPLICABLE: "The coupon “{code}” is not for what is in the cart.",
    Reason.INDIVIDUAL_USE: "The coupon “{code}” cannot be used together with another.",
}


@dataclass(frozen=True, slots=True)
class Item:
    """A line as coupons look at it. `product_ids`: what is bought, and the product that it is a
    variation of."""

    key: str
    product_ids: frozenset[int]
    category_ids: frozenset[int]
    unit: int
    quantity: int
    on_sale: bool

    @property
    def entered(self) -> int:
        return self.unit * self.quantity


@dataclass(frozen=True, slots=True)
class Applied:
    """What a coupon takes off, by line key; lines that it does not touch are left out.

    `on` is what it was reckoned on: the price of the units that it is for, or what earlier coupons
    left of the line. `shares` are what it would take off, were every line still worth its price.
    """

    coupon: Coupon
    off: Mapping[str, int]
    on: Mapping[str, int] = field(default_factory=dict)
    shares: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rejected:
    """`message` is for the shopper; the reason is for programs."""

    code: str
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Promotions:
    applied: tuple[Applied, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    off: Mapping[str, int] = field(default_factory=dict)
    """By line key, all coupons together; never more than the line costs."""

    @property
    def free_shipping(self) -> bool:
        return any(each.coupon.free_shipping for each in self.applied)


NO_PROMOTIONS = Promotions()


def apply(
    codes: Sequence[str],
    states: Mapping[str, CouponState],
    items: Sequence[Item],
    exchange: Exchange,
    email: str,
) -> Promotions:
    """What coupons do to the items, in the currency of `exchange`. `email` is the billing one, ""
    while it is not known: a restriction to certain ones is judged once it, or that of the account,
    is."""
    items = sorted(items, key=lambda item: item.key)  # a tie must not hang on the lines' order
    accepted: list[Coupon] = []
    rejected: list[Rejected] = []
    for code in codes:
        state = states.get(code)
        reason = judge(state, items, exchange, email) if state else Reason.NOT_FOUND
        if state is not None and reason is None:
            accepted.append(state.coupon)
        elif reason is not None:
            coupon = state.coupon if state else None
            rejected.append(rejection(code, reason, coupon, exchange))
    accepted.sort(key=_precedence)
    alone = next((coupon for coupon in accepted if coupon.individual_use), None)
    if alone is not None and len(accepted) > 1:
        others = [coupon for coupon in accepted if coupon is not alone]
        rejected += [rejection(each.code, Reason.INDIVIDUAL_USE, each, exchange) for each in others]
        accepted = [alone]
    return _taken_off(accepted, tuple(rejected), items, exchange)


def _taken_off(
    accepted: Sequence[Coupon],
    rejected: tuple[Rejected, ...],
    items: Sequence[Item],
    exchange: Exchange,
) -> Promotions:
    left = {item.key: item.entered for item in items}
    applied = []
    for coupon in accepted:
        each = _discount(coupon, items, left, exchange)
        for key, minor in each.off.items():
            left[key] -= minor
        applied.append(each)
    total = {item.key: item.entered - left[item.key] for item in items}
    return Promotions(tuple(applied), rejected, {k: minor for k, minor in total.items() if minor})


def judge(
    state: CouponState, items: Sequence[Item], exchange: Exchange, email: str
) -> Reason | None:
    """Why the coupon does not hold for these items; None when it does."""
    coupon = state.coupon
    if not coupon.enabled:
        return Reason.NOT_FOUND
    if state.expired:
        return Reason.EXPIRED
    if coupon.usage_limit is not None and state.taken >= coupon.usage_limit:
        return Reason.USAGE_LIMIT
    if coupon.customer_limit is not None and state.taken_by_customer >= coupon.customer_limit:
        return Reason.CUSTOMER_LIMIT
    if coupon.emails and not _is_meant(coupon, (email, state.account_email)):
        return Reason.EMAIL
    spend = sum(item.entered for item in items)
    if coupon.minimum is not None and spend < _converted(coupon.minimum, exchange):
        return Reason.MINIMUM
    if coupon.maximum is not None and spend > _converted(coupon.maximum, exchange):
        return Reason.MAXIMUM
    return None if _fits(coupon, items) else Reason.NOT_APPLICABLE


def _is_meant(coupon: Coupon, emails: Iterable[str]) -> bool:
    """Whether one of the e-mails that are known is among those that the coupon is for. While none
    is known, it may be."""
    known = [email for email in emails if email.strip()]
    return not known or any(coupon.is_for(email) for email in known)


def rejection(code: str, reason: Reason, coupon: Coupon | None, exchange: Exchange) -> Rejected:
    """The rejection with its text; amounts in the currency that the shopper sees."""
    bound = None
    if coupon is not None:
        bound = coupon.minimum if reason is Reason.MINIMUM else coupon.maximum
    amount = str(exchange.convert(Money(bound, exchange.base))) if bound is not None else ""
    return Rejected(code, reason, TEXTS[reason].format(code=code, amount=amount))


def _fits(coupon: Coupon, items: Sequence[Item]) -> bool:
    """Whether the cart has what the coupon is for, and, when it is for the cart as a whole,
    nothing that it is not for."""
    if coupon.product_ids and not any(item.product_ids & coupon.product_ids for item in items):
        return False
    if coupon.category_ids and not any(item.category_ids & coupon.category_ids for item in items):
        return False
    if coupon.kind is CouponKind.FIXED_CART:
        return bool(items) and not any(_excluded(coupon, item) for item in items)
    return any(_is_for(coupon, item) for item in items)


def _is_for(coupon: Coupon, item: Item) -> bool:
    wanted = bool(item.product_ids & coupon.product_ids or item.category_ids & coupon.category_ids)
    unlimited = not coupon.product_ids and not coupon.category_ids
    return (wanted or unlimited) and not _excluded(coupon, item)


def _excluded(coupon: Coupon, item: Item) -> bool:
    return bool(
        item.product_ids & coupon.excluded_product_ids
        or item.category_ids & coupon.excluded_category_ids
        or (coupon.excludes_sale_items and item.on_sale)
    )


def _discount(
    coupon: Coupon, items: Sequence[Item], left: Mapping[str, int], exchange: Exchange
) -> Applied:
    """What the coupon takes off each line that it touches."""
    if coupon.kind is CouponKind.FIXED_CART:
        on = {item.key: left[item.key] for item in items}
        wanted = min(_converted(int(coupon.amount), exchange), sum(on.values()))
        whole = allocate_units(wanted, list(on.values())) if wanted else [0] * len(on)
    else:
        units = _units(coupon, items)
        chosen = [item for item in items if units.get(item.key)]
        on = {item.key: item.unit * units[item.key] for item in chosen}
        if coupon.kind is CouponKind.PERCENT:
            whole = _per_cent(coupon.amount, list(on.values()))
        else:
            amount = _converted(int(coupon.amount), exchange)
            whole = [min(amount, item.unit) * units[item.key] for item in chosen]
    shares = dict(zip(on, whole, strict=True))
    limited = {key: min(share, left[key]) for key, share in shares.items()}
    return Applied(coupon, {key: off for key, off in limited.items() if off}, on, shares)


def _per_cent(percent: Decimal, entered: Sequence[int]) -> list[int]:
    """So many per cent of the sum, rounded once, half up, and shared out."""
    whole = sum(entered)
    if not whole:
        return [0] * len(entered)
    numerator, denominator = percent.as_integer_ratio()
    return allocate_units(divide_half_up(whole * numerator, denominator * 100), entered)


def _units(coupon: Coupon, items: Sequence[Item]) -> dict[str, int]:
    """How many units of each line get it: of a limited number, the dearest first."""
    eligible = [item for item in items if _is_for(coupon, item)]
    if coupon.item_limit is None:
        return {item.key: item.quantity for item in eligible}
    left, units = coupon.item_limit, {}
    for item in sorted(eligible, key=lambda item: (-item.unit, item.key)):
        units[item.key] = min(item.quantity, left)
        left -= units[item.key]
    return units


def _converted(minor: int, exchange: Exchange) -> int:
    return exchange.convert(Money(minor, exchange.base)).minor


_ORDER = (CouponKind.FIXED_PRODUCT, CouponKind.PERCENT, CouponKind.FIXED_CART)


def _precedence(coupon: Coupon) -> tuple[int, bool, str]:
    return _ORDER.index(coupon.kind), coupon.item_limit is None, coupon.code
