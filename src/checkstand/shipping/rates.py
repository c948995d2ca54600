"""Which shipping methods a destination is offered, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from checkstand.kit.money import Currency, Exchange, Money
from checkstand.kit.places import Place, postcodes
from checkstand.shipping.model import (
    FreeFrom,
    MethodKind,
    Parcel,
    ShippingMethod,
    ShippingOffer,
    Zone,
)


def offers(
    zones: Sequence[Zone],
    destination: Place,
    parcel: Parcel,
    base: Currency,
    currency: Currency,
    rate: Decimal,
) -> tuple[ShippingOffer, ...]:
    """The methods of the first zone that covers the destination, in the zone's order.

    Costs are ex tax, in `currency`. Each amount of a method is converted at `rate` (units of
    `currency` for one of `base`) and rounded on its own, and then they are summed. Nothing is
    offered where the country is unknown or no zone goes.
    """
    zone = zone_of(zones, destination)
    if zone is None:
        return ()
    exchange = Exchange.of(base, currency, rate)
    return tuple(
        ShippingOffer(method.rate_key, method, method.title, _cost(method, parcel, exchange))
        for method in zone.methods
        if _available(method, parcel, exchange)
    )


def zone_of(zones: Sequence[Zone], destination: Place) -> Zone | None:
    """The first zone that covers the destination; None when its country is unknown."""
    if not destination.known:
        return None
    return next((zone for zone in zones if covers(zone, destination)), None)


def covers(zone: Zone, place: Place) -> bool:
    country, state = place.country.upper(), place.state.upper()
    if (zone.countries or zone.states) and not (
        country in zone.countries or f"{country}:{state}" in zone.states
    ):
        return False
    return not zone.postcodes or postcodes(zone.postcodes).cover(place)


def _available(method: ShippingMethod, parcel: Parcel, exchange: Exchange) -> bool:
    if method.only_classes and not parcel.classes <= method.only_classes:
        return False
    if method.kind is not MethodKind.FREE_SHIPPING:
        return True
    enough = method.minimum is None or exchange.convert(method.minimum) <= parcel.value
    match method.requires:
        case FreeFrom.EITHER:
            return enough or parcel.free
        case FreeFrom.MINIMUM:
            return enough
        case FreeFrom.COUPON:
            return parcel.free
        case FreeFrom.BOTH:
            return enough and parcel.free


def _cost(method: ShippingMethod, parcel: Parcel, exchange: Exchange) -> Money:
    if method.kind is MethodKind.FREE_SHIPPING:
        return exchange.currency.zero
    minor = exchange.convert(method.per_order).minor
    minor += exchange.convert(method.per_item).minor * parcel.items
    for shipping_class, amount in method.per_class.items():
        if shipping_class in parcel.classes:
            minor += exchange.convert(amount).minor
    return exchange.currency.money(minor)
