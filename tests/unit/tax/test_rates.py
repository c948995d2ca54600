from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from checkstand.kit.places import Place
from checkstand.tax.model import TaxRate
from checkstand.tax.rates import NO_RATES, NO_TAX, Levy, TaxTable, exclusive, inclusive


def tax_rate(id: int, per_cent: str = "10", **changes: Any) -> TaxRate:
    facts: dict[str, Any] = {
        "country": "US",
        "state": "",
        "postcodes": (),
        "cities": (),
        "name": "TAX",
        "priority": 1,
        "compound": False,
        "on_shipping": True,
        "tax_class": "",
        "position": id,
    }
    return TaxRate(id=id, rate=Decimal(per_cent), **{**facts, **changes})


def ids(rates: list[TaxRate], place: Place, tax_class: str = "") -> list[int]:
    return [rate.id for rate in TaxTable.of(rates).at(place).get(tax_class, NO_TAX).rates]


LOS_ANGELES = Place("US", "CA", "90011", "LOS ANGELES")


@pytest.mark.parametrize(
    ("changes", "matches"),
    [
        ({}, True),
        ({"country": ""}, True),
        ({"country": "CA"}, False),
        ({"state": "CA"}, True),
        ({"state": "NY"}, False),
        ({"country": "", "state": "CA"}, True),
        ({"postcodes": ("90011",)}, True),
        ({"postcodes": ("10001", "900*")}, True),
        ({"postcodes": ("90000...90100",)}, True),
        ({"postcodes": ("10001",)}, False),
        ({"cities": ("Los Angeles",)}, True),
        ({"cities": ("SAN DIEGO",)}, False),
        ({"postcodes": ("90011",), "cities": ("SAN DIEGO",)}, False),
        ({"postcodes": ("90011",), "cities": ("SAN DIEGO", "LOS ANGELES")}, True),
        ({"postcodes": ("10001",), "cities": ("LOS ANGELES",)}, False),
    ],
)
def test_every_given_part_of_a_rate_must_match(changes: dict[str, Any], matches: bool) -> None:
    assert ids([tax_rate(1, **changes)], LOS_ANGELES) == ([1] if matches else [])


@pytest.mark.parametrize(
    ("general", "specific"),
    [
        ({"country": ""}, {}),
        ({}, {"state": "CA"}),
        ({"country": "", "state": "CA", "postcodes": ("90011",)}, {}),
        ({"postcodes": ("90011",), "cities": ("LOS ANGELES",)}, {"state": "CA"}),
        ({"state": "CA"}, {"state": "CA", "postcodes": ("90011",)}),
        ({"state": "CA", "cities": ("LOS ANGELES",)}, {"state": "CA", "postcodes": ("90011",)}),
        ({"state": "CA"}, {"state": "CA", "cities": ("LOS ANGELES",)}),
        (
            {"postcodes": ("90011", "90012", "90013")},
            {"postcodes": ("90011",), "cities": ("LOS ANGELES",)},
        ),
    ],
)
def test_of_one_priority_the_more_specific_rate_applies(
    general: dict[str, Any], specific: dict[str, Any]
) -> None:
    assert ids([tax_rate(1, **general), tax_rate(2, **specific)], LOS_ANGELES) == [2]


def test_equally_specific_rates_go_by_position_then_id() -> None:
    assert ids([tax_rate(1, position=9), tax_rate(2, position=3)], LOS_ANGELES) == [2]
    assert ids([tax_rate(2, position=3), tax_rate(1, position=3)], LOS_ANGELES) == [1]


def test_one_rate_of_each_priority_applies_in_order_of_priority() -> None:
    rates = [tax_rate(1, priority=3), tax_rate(2, priority=1), tax_rate(3, priority=2, state="NY")]
    assert ids([*rates, tax_rate(4, priority=3, state="CA")], LOS_ANGELES) == [2, 4]


def test_a_rate_that_two_of_its_postcodes_match_applies_once() -> None:
    rate = tax_rate(1, postcodes=("90011", "900*", "90000...90099"))
    assert ids([rate, tax_rate(2, priority=2)], LOS_ANGELES) == [1, 2]


def test_classes_do_not_share_rates_and_an_unknown_class_has_none() -> None:
    rates = [tax_rate(1), tax_rate(2, tax_class="reduced-rate")]
    assert ids(rates, LOS_ANGELES) == [1]
    assert ids(rates, LOS_ANGELES, "reduced-rate") == [2]
    assert ids(rates, LOS_ANGELES, "luxury") == []


def test_nothing_applies_where_the_country_is_unknown() -> None:
    assert TaxTable.of([tax_rate(1, country="")]).at(Place(state="CA")) == {}
    assert NO_RATES.at(LOS_ANGELES) == {}


def test_a_table_remembers_places_and_forgets_them_again() -> None:
    table = TaxTable.of([tax_rate(1, postcodes=("900*",))])
    for number in range(3000):
        levied = table.at(Place("US", postcode=f"{89000 + number}")).get("")
        assert (levied is not None) == (1000 <= number < 1100)


def vat(per_cent: str) -> Levy:
    return Levy.of([tax_rate(1, per_cent)])


@pytest.mark.parametrize(
    ("per_cent", "net", "tax"),
    [
        ("20", 1000, 200),
        ("20", 999, 200),
        ("8.875", 3998, 355),
        ("5", 10, 1),
        ("5", -10, -1),
        ("4.9", 10, 0),
        ("0", 1000, 0),
        ("1000", 7, 70),
        ("20", 0, 0),
        ("0.0001", 10**15, 10**9),
    ],
)
def test_tax_on_a_net_amount_rounds_half_up(per_cent: str, net: int, tax: int) -> None:
    assert exclusive(net, vat(per_cent)) == (tax,)


@pytest.mark.parametrize(
    ("per_cent", "gross", "tax"),
    [
        ("20", 1200, 200),
        ("20", 1000, 167),
        ("20", 999, 167),
        ("19", 1999, 319),
        ("0", 1000, 0),
        ("100", 1, 1),
        ("20", -1000, -167),
    ],
)
def test_tax_inside_a_gross_amount_rounds_half_up(per_cent: str, gross: int, tax: int) -> None:
    assert inclusive(gross, vat(per_cent)) == (tax,)


def test_a_compound_rate_is_charged_on_the_taxes_too() -> None:
    # Quebec before 2013: GST 5 % on the price, QST 9.5 % on price and GST.
    gst, qst = tax_rate(1, "5"), tax_rate(2, "9.5", priority=2, compound=True)
    assert exclusive(10000, Levy.of([gst, qst])) == (500, 998)
    assert inclusive(11498, Levy.of([gst, qst])) == (500, 998)


def test_regular_rates_never_stand_on_a_compound_one_whatever_the_priority() -> None:
    # As in WooCommerce: all regular rates first, then the compound ones in order.
    rates = [
        tax_rate(1, "10", priority=1, compound=True),
        tax_rate(2, "20", priority=2),
        tax_rate(3, "50", priority=3, compound=True),
    ]
    assert exclusive(10000, Levy.of(rates)) == (1200, 2000, 6600)


def test_the_tax_of_a_line_is_rounded_once_and_shared_out() -> None:
    # 3 x 0.4 = 1.2: three rates rounded on their own would come to 0, all at once to 1.
    three = Levy.of([tax_rate(n, "4", priority=n) for n in (1, 2, 3)])
    assert exclusive(10, three) == (1, 0, 0)
    assert exclusive(20, three) == (1, 1, 0)


def test_no_rates_no_tax() -> None:
    assert exclusive(1000, NO_TAX) == ()
    assert inclusive(1000, NO_TAX) == ()
    assert Levy.of([]) == NO_TAX


def test_levies_are_compared_by_what_they_take() -> None:
    assert vat("20").takes_as_much_as(
        Levy.of([tax_rate(7, "12.00"), tax_rate(8, "8.0", priority=2)])
    )
    assert vat("0").takes_as_much_as(NO_TAX)
    assert not vat("20").takes_as_much_as(vat("20.0001"))


def test_on_shipping_leaves_out_the_rates_that_spare_it() -> None:
    levy = Levy.of([tax_rate(1, "5", on_shipping=False), tax_rate(2, "7", priority=2)])
    assert exclusive(1000, levy.on_shipping()) == (70,)
    assert levy.on_shipping().on_shipping() == levy.on_shipping()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"state": "NY", "name": "Sales Tax"}, "US-NY-SALES TAX-1"),
        ({"country": "GB", "name": "VAT", "priority": 2}, "GB-VAT-2"),
        ({"country": "", "name": ""}, "TAX-1"),
    ],
)
def test_code(changes: dict[str, Any], code: str) -> None:
    assert tax_rate(1, **changes).code == code
    assert tax_rate(1, name="").label == "Tax"
