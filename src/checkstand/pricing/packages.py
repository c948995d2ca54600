"""The packages of a quote: what travels together, what it is offered, and which rate is chosen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Context, Decimal

from checkstand.kit.money import Money
from checkstand.pricing.quote import AppliedTax, Facts, LineFacts, Package, QuotedRate
from checkstand.shipping.model import MethodKind, Parcel, ShippingOffer
from checkstand.shipping.packing import Box, packed
from checkstand.shipping.rates import offers
from checkstand.tax.rates import NO_TAX, Levy, exclusive

_EXACT = Context(prec=60)
_NO_WEIGHT = Decimal(0)


def packages_of(facts: Facts, contents: Money, levy: Levy, *, free: bool) -> tuple[Package, ...]:
    """The goods that need shipping, in packages; none when nothing is to be shipped. `contents` is
    what all goods cost, `levy` the tax on shipping, `free` whether a coupon gives it for free.

    Of each package the first rate is chosen until the shopper chooses, with a coupon for free
    shipping the first that is free. A choice that is not on offer is not replaced by another: the
    shopper did choose, and must choose again.
    """
    shipped = [line for line in facts.lines if line.needs_shipping]
    if not (shipped and facts.shipping_enabled):
        return ()
    by_key = {line.key: line for line in shipped}
    return tuple(
        _package(facts, box, number, by_key, contents, levy, free=free)
        for number, box in enumerate(packed(facts.split, shipped), start=1)
    )


def _package(
    facts: Facts,
    box: Box,
    number: int,
    lines: Mapping[str, LineFacts],
    contents: Money,
    levy: Levy,
    *,
    free: bool,
) -> Package:
    offered = _offers(facts, box, lines, contents, free=free)
    wanted = facts.chosen_rates.get(box.id, "")
    keys = [offer.rate_key for offer in offered]
    gratis = [o.rate_key for o in offered if free and o.method.kind is MethodKind.FREE_SHIPPING]
    chosen_key = wanted or next(iter([*gratis, *keys]), "")
    rates = tuple(_rate(offer, levy, chosen_key) for offer in offered)
    return Package(
        id=box.id,
        name=box.name or ("Shipping" if number == 1 else f"Shipping #{number}"),
        contents=box.contents,
        rates=rates,
        chosen=next((rate for rate in rates if rate.chosen), None),
        rejected_choice="" if wanted in keys else wanted,
    )


def _offers(
    facts: Facts, box: Box, lines: Mapping[str, LineFacts], contents: Money, *, free: bool
) -> tuple[ShippingOffer, ...]:
    inside = [(lines[key], units) for key, units in box.contents.items()]
    parcel = Parcel(
        items=sum(box.contents.values()),
        classes=frozenset(line.shipping_class for line, _ in inside),
        weight=weight_of((line.weight, units) for line, units in inside),
        value=contents,
        free=free,
    )
    return offers(facts.zones, facts.destination, parcel, facts.base, facts.currency, facts.rate)


def _rate(offer: ShippingOffer, levy: Levy, chosen_key: str) -> QuotedRate:
    currency = offer.cost.currency
    due = levy if offer.method.taxable else NO_TAX
    parts = exclusive(offer.cost.minor, due)
    return QuotedRate(
        key=offer.rate_key,
        method_id=offer.method.kind.value,
        instance_id=offer.method.instance_id,
        label=offer.label,
        cost=offer.cost,
        tax=currency.money(sum(parts)),
        chosen=offer.rate_key == chosen_key,
        taxes=AppliedTax.each(due, parts, currency),
    )


def weight_of(units: Iterable[tuple[Decimal, int]]) -> Decimal:
    """Of all units together, given the weight of one and how many there are; exact."""
    weight = _NO_WEIGHT
    for each, count in units:
        if each:
            weight = _EXACT.fma(each, count, weight)
    return weight
