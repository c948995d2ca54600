"""Coupons in a quote: what they are asked about, and what each came to once tax was worked out."""

from __future__ import annotations

from collections.abc import Sequence

from checkstand.kit.money import Currency, Exchange, allocate_units
from checkstand.pricing.quote import AppliedDiscount, Facts, LineFacts, QuoteLine
from checkstand.promotions import rules
from checkstand.promotions.rules import NO_PROMOTIONS, Applied, Item, Promotions


def promoted(facts: Facts, exchange: Exchange) -> Promotions:
    """What the coupons of the facts take off their lines, as prices are entered."""
    if not facts.coupons:
        return NO_PROMOTIONS
    items = [_item(line, exchange) for line in facts.lines]
    return rules.apply(facts.coupons, facts.coupon_states, items, exchange, facts.email)


def _item(line: LineFacts, exchange: Exchange) -> Item:
    return Item(
        key=line.key,
        product_ids=frozenset((line.product_id, line.parent_id or line.product_id)),
        category_ids=frozenset(line.category_ids),
        unit=exchange.convert(line.unit_price).minor,
        quantity=line.quantity,
        on_sale=line.on_sale,
    )


def discounts_of(
    promotions: Promotions, lines: Sequence[QuoteLine], currency: Currency
) -> tuple[AppliedDiscount, ...]:
    """Each coupon with its share of what the lines became cheaper by, ex tax and tax. Where several
    coupons meet on a line, its difference is split as they took it off."""
    coupons = promotions.applied
    if not coupons:
        return ()
    amounts: list[dict[str, int]] = [{} for _ in coupons]
    taxes: list[dict[str, int]] = [{} for _ in coupons]
    for line in lines:
        weights = [each.off.get(line.key, 0) for each in coupons]
        if not any(weights):
            continue
        nets = allocate_units((line.subtotal - line.total).minor, weights)
        shares = allocate_units((line.subtotal_tax - line.tax).minor, weights)
        for index, weight in enumerate(weights):
            if weight:
                amounts[index][line.key] = nets[index]
                taxes[index][line.key] = shares[index]
    return tuple(
        _discount(each, amounts[index], taxes[index], currency)
        for index, each in enumerate(coupons)
    )


def _discount(
    each: Applied, amounts: dict[str, int], taxes: dict[str, int], currency: Currency
) -> AppliedDiscount:
    coupon, money = each.coupon, currency.money
    return AppliedDiscount(
        coupon_id=coupon.id,
        code=coupon.code,
        label=coupon.label,
        kind=coupon.kind,
        amount=money(sum(amounts.values())),
        tax=money(sum(taxes.values())),
        free_shipping=coupon.free_shipping,
        allocations={key: money(minor) for key, minor in amounts.items()},
        tax_allocations={key: money(minor) for key, minor in taxes.items()},
    )
