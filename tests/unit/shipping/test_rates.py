from __future__ import annotations

from decimal import Decimal

import pytest

from checkstand.kit.money import Currency, Money
from checkstand.kit.places import Place
from checkstand.shipping.model import MethodKind, Parcel, ShippingMethod, Zone
from checkstand.shipping.rates import covers, offers, zone_of

USD, EUR, JPY = (Currency.of(code) for code in ("USD", "EUR", "JPY"))


def method(
    kind: MethodKind = MethodKind.FLAT_RATE, instance_id: int = 1, **amounts: Money
) -> ShippingMethod:
    return ShippingMethod(
        kind=kind,
        instance_id=instance_id,
        title=kind.value.replace("_", " ").capitalize(),
        per_order=amounts.get("per_order", USD.zero),
        per_item=amounts.get("per_item", USD.zero),
        minimum=amounts.get("minimum"),
    )


def parcel(items: int = 1, classes: tuple[str, ...] = ("",), value: Money = USD.zero) -> Parcel:
    return Parcel(items, frozenset(classes), Decimal(0), value)


def costs(
    chosen: ShippingMethod, of: Parcel, currency: Currency = USD, rate: str = "1"
) -> list[int]:
    zones = (Zone("World", (chosen,)),)
    return [
        offer.cost.minor for offer in offers(zones, Place("US"), of, USD, currency, Decimal(rate))
    ]


@pytest.mark.parametrize(
    ("zone", "place", "covered"),
    [
        (Zone("World", ()), Place("FR"), True),
        (Zone("US", (), countries=frozenset({"US"})), Place("US", "CA"), True),
        (Zone("US", (), countries=frozenset({"US"})), Place("FR"), False),
        (Zone("California", (), states=frozenset({"US:CA"})), Place("US", "CA"), True),
        (Zone("California", (), states=frozenset({"US:CA"})), Place("US", "NY"), False),
        (Zone("California", (), states=frozenset({"US:CA"})), Place("CO", "CA"), False),
        (Zone("Both", (), frozenset({"MX"}), frozenset({"US:CA"})), Place("MX", "SON"), True),
        (
            Zone("London", (), frozenset({"GB"}), postcodes=("SW*", "N1 *")),
            Place("GB", "", "n1 1aa"),
            True,
        ),
        (
            Zone("London", (), frozenset({"GB"}), postcodes=("SW*", "N1 *")),
            Place("GB", "", "N11 1AA"),
            False,
        ),
        (Zone("Berlin", (), postcodes=("10115...14199",)), Place("DE", "", "12047"), True),
        (Zone("Berlin", (), frozenset({"DE"}), postcodes=("10115...14199",)), Place("DE"), False),
        (
            Zone("Berlin", (), frozenset({"DE"}), postcodes=("10115...14199",)),
            Place("PL", "", "12047"),
            False,
        ),
    ],
)
def test_what_a_zone_covers(zone: Zone, place: Place, covered: bool) -> None:
    assert covers(zone, place) is covered


def test_the_first_zone_that_covers_is_used_even_when_it_offers_nothing() -> None:
    local = Zone("US", (), frozenset({"US"}))
    rest = Zone("Rest", (method(),))
    assert zone_of((local, rest), Place("US")) is local
    assert zone_of((local, rest), Place("FR")) is rest
    assert offers((local, rest), Place("US"), parcel(), USD, USD, Decimal(1)) == ()


def test_nothing_is_offered_where_nobody_ships_or_the_country_is_unknown() -> None:
    us = Zone("US", (method(),), frozenset({"US"}))
    assert offers((us,), Place("FR"), parcel(), USD, USD, Decimal(1)) == ()
    assert offers((Zone("World", (method(),)),), Place(), parcel(), USD, USD, Decimal(1)) == ()


def test_a_flat_rate_adds_order_items_and_each_class_once() -> None:
    flat = ShippingMethod(
        MethodKind.FLAT_RATE,
        7,
        "Parcel post",
        per_order=USD.money(500),
        per_item=USD.money(150),
        per_class={"bulky": USD.money(2000), "fragile": USD.money(300), "": USD.money(10)},
    )
    assert costs(flat, parcel(3, ("",))) == [500 + 450 + 10]
    assert costs(flat, parcel(3, ("bulky",))) == [500 + 450 + 2000]
    assert costs(flat, parcel(3, ("bulky", "fragile", "other"))) == [500 + 450 + 2300]


def test_each_amount_is_converted_and_rounded_on_its_own() -> None:
    # 0.85 EUR cents each: 1 + 3 x 1 + 1, where one rounding of the sum would give 4.
    cent = USD.money(1)
    flat = ShippingMethod(MethodKind.FLAT_RATE, 1, "Flat", cent, cent, {"": cent})
    assert costs(flat, parcel(3), EUR, "0.85") == [5]
    assert costs(flat, parcel(3), JPY, "150") == [2 + 3 * 2 + 2]


@pytest.mark.parametrize(
    ("value", "offered"), [(4999, False), (5000, True), (5001, True), (0, False)]
)
def test_free_shipping_starts_at_its_minimum(value: int, offered: bool) -> None:
    free = method(MethodKind.FREE_SHIPPING, minimum=USD.money(5000))
    assert costs(free, parcel(value=USD.money(value))) == ([0] if offered else [])


@pytest.mark.parametrize(("value", "offered"), [(4249, False), (4250, True)])
def test_the_minimum_is_converted(value: int, offered: bool) -> None:
    free = method(MethodKind.FREE_SHIPPING, minimum=USD.money(5000))
    assert costs(free, parcel(value=EUR.money(value)), EUR, "0.85") == ([0] if offered else [])


def test_free_shipping_without_minimum_is_always_free() -> None:
    free = method(MethodKind.FREE_SHIPPING, per_order=USD.money(500))
    assert costs(free, parcel()) == [0]


def test_a_minimum_means_nothing_to_other_methods() -> None:
    assert costs(method(per_order=USD.money(500), minimum=USD.money(9999)), parcel()) == [500]


def test_offers_keep_the_order_of_the_zone_and_carry_their_keys() -> None:
    pickup = method(MethodKind.LOCAL_PICKUP, 3, per_order=USD.money(100))
    zones = (Zone("World", (method(instance_id=2), pickup)),)
    offered = offers(zones, Place("US"), parcel(), USD, USD, Decimal(1))
    assert [(offer.rate_key, offer.label, offer.cost) for offer in offered] == [
        ("flat_rate:2", "Flat rate", USD.zero),
        ("local_pickup:3", "Local pickup", USD.money(100)),
    ]
