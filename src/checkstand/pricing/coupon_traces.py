"""What coupons took off, told step by step: the rule, the amount, how it was shared over the lines
and rounded, and what of it is tax. (`explaining` puts it with the rest.)"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from checkstand.kit.money import Exchange, Money
from checkstand.pricing.quote import AppliedDiscount, Facts, Quote, QuoteLine
from checkstand.pricing.trace import HALF_UP, LARGEST_REMAINDER, Part, Step, told
from checkstand.promotions.model import CouponKind
from checkstand.promotions.rules import Applied, Promotions


def converted(exchange: Exchange, rate: Decimal, rule: str, amount: Money) -> list[Step]:
    """An amount of the base currency, and in the active one where that is another."""
    steps = [Step(rule, amount.minor)]
    if exchange.base != exchange.currency:
        exact = Fraction(amount.minor * exchange.numerator, exchange.denominator)
        result = exchange.convert(amount).minor
        steps.append(Step("exchange", result, str(rate), exact, HALF_UP))
    return steps


def discounts(facts: Facts, quote: Quote, promotions: Promotions) -> list[Part]:
    """What each coupon takes off each line, ex tax."""
    lines = {line.key: line for line in quote.lines}
    exchange = Exchange.of(facts.base, facts.currency, facts.rate)
    parts = []
    for each, discount in zip(promotions.applied, quote.discounts, strict=True):
        for key, amount in discount.allocations.items():
            steps = _entered(each, lines[key], exchange, facts.rate)
            steps += _without_tax(each, lines[key], promotions, amount.minor)
            parts.append(_part(discount, key, amount, steps))
    return parts


def discount_taxes(quote: Quote, promotions: Promotions) -> list[Part]:
    """The tax that goes with what each coupon takes off each line."""
    lines = {line.key: line for line in quote.lines}
    parts = []
    for discount in quote.discounts:
        for key, tax in discount.tax_allocations.items():
            line = lines[key]
            less = (line.subtotal_tax - line.tax).minor
            steps = [
                Step("tax before coupons", line.subtotal_tax.minor),
                Step("less the tax after them", less),
                *_shared(promotions, discount.code, key, tax.minor),
            ]
            parts.append(_part(discount, key, tax, steps))
    return parts


def _part(discount: AppliedDiscount, key: str, amount: Money, steps: list[Step]) -> Part:
    return told(Part("coupon", discount.code, discount.label, amount.minor, tuple(steps), key))


def _entered(each: Applied, line: QuoteLine, exchange: Exchange, rate: Decimal) -> list[Step]:
    """To what the coupon takes off the line as its price is entered."""
    amount = Money(int(each.coupon.amount), exchange.base)
    match each.coupon.kind:
        case CouponKind.PERCENT:
            steps = _per_cent(each, line)
        case CouponKind.FIXED_PRODUCT:
            steps = converted(exchange, rate, "amount of the coupon", amount)
            steps += _per_unit(each, line, steps[-1].result)
        case CouponKind.FIXED_CART:
            steps = converted(exchange, rate, "amount of the coupon", amount)
            whole = sum(each.shares.values())
            if whole != steps[-1].result:
                steps.append(Step("limited to what is left of the goods", whole))
            steps += _share(each.on, line.key, each.shares[line.key])
    if steps[-1].result != each.off[line.key]:
        steps.append(Step("limited to what is left of the line", each.off[line.key]))
    return steps


def _per_cent(each: Applied, line: QuoteLine) -> list[Step]:
    """So many per cent of all that the coupon is for, rounded once, and shared out."""
    percent, base = each.coupon.amount, sum(each.on.values())
    exact = base * Fraction(percent) / 100
    return [
        Step("price of all that it is for", base),
        Step("per cent", sum(each.shares.values()), f"{percent.normalize():f}%", exact, HALF_UP),
        *_share(each.on, line.key, each.shares[line.key]),
    ]


def _per_unit(each: Applied, line: QuoteLine, amount: int) -> list[Step]:
    steps = []
    unit = line.unit_price.minor
    if amount > unit:
        steps.append(Step("limited to the price", unit))
    units = each.on[line.key] // unit
    return [*steps, Step("quantity", each.shares[line.key], str(units))]


def _share(on: Mapping[str, int], key: str, share: int) -> list[Step]:
    """The share of a line by what it counts; the whole where it is the only one."""
    if len([minor for minor in on.values() if minor]) < 2:
        return []
    return [Step("share", share, f"{on[key]} of {sum(on.values())}", None, LARGEST_REMAINDER)]


def _without_tax(each: Applied, line: QuoteLine, promotions: Promotions, net: int) -> list[Step]:
    """From what is taken off the price to what the line becomes cheaper by without its tax."""
    less = (line.subtotal - line.total).minor
    if less == promotions.off[line.key]:
        # Prices are entered without tax, or tax takes nothing of them.
        return []
    return [
        Step("line without tax, before less after coupons", less),
        *_shared(promotions, each.coupon.code, line.key, net),
    ]


def _shared(promotions: Promotions, code: str, key: str, share: int) -> list[Step]:
    """One coupon's share of a line's difference, by what each took off its price."""
    off = {each.coupon.code: each.off[key] for each in promotions.applied if each.off.get(key)}
    if len(off) < 2:
        return []
    by = f"{off[code]} of {sum(off.values())}"
    return [Step("share of the coupon", share, by, None, LARGEST_REMAINDER)]
