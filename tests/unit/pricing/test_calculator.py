from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from checkstand.kit.money import Currency, CurrencyMismatch, Money
from checkstand.kit.places import NOWHERE, Place
from checkstand.pricing.calculator import quote
from checkstand.pricing.quote import Facts, FeeFacts, LineFacts, Quote, TaxRules
from checkstand.shipping.model import MethodKind, ShippingMethod, Zone
from checkstand.tax.model import TaxRate
from checkstand.tax.rates import TaxTable

USD, EUR, JPY, KWD = (Currency.of(code) for code in ("USD", "EUR", "JPY", "KWD"))
DUNMORE = Place("US", "CA", "90011", "DUNMORE")
LONDON = Place("GB", "", "SW1A 1AA", "LONDON")
PARIS = Place("FR", "", "75001", "PARIS")


def cup(**changes: Any) -> LineFacts:
    """Two copper measuring cups at 19.99 (contract checkout.md 1.4)."""
    line = LineFacts(
        key="5b69b9cb83065d403869739ae7f0995e",
        product_id=501,
        quantity=2,
        unit_price=USD.money(1999),
        regular_price=USD.money(1999),
        taxable=True,
        tax_class="",
        needs_shipping=True,
        shipping_class="",
        weight=Decimal("0.4"),
    )
    return replace(line, **changes)


def flat(instance_id: int = 1, cost: int = 500, **changes: Any) -> ShippingMethod:
    method = ShippingMethod(
        MethodKind.FLAT_RATE, instance_id, "Parcel post", USD.money(cost), USD.zero
    )
    return replace(method, **changes)


def tax_rate(id: int, per_cent: str, country: str = "US", **changes: Any) -> TaxRate:
    rate = TaxRate(
        id, country, "", (), (), Decimal(per_cent), "VAT", 1, False, True, "", position=id
    )
    return replace(rate, **changes)


def taxed(*rates: TaxRate, **changes: Any) -> TaxRules:
    return replace(TaxRules(True, False, TaxTable.of(rates), DUNMORE), **changes)


def facts(**changes: Any) -> Facts:
    plain = Facts(
        base=USD,
        currency=USD,
        rate=Decimal(1),
        lines=(cup(),),
        tax=TaxRules(enabled=False, prices_include_tax=False),
        tax_place=DUNMORE,
        destination=DUNMORE,
        zones=(Zone("World", (flat(),)),),
    )
    return replace(plain, **changes)


def rows(of: Quote) -> list[tuple[str, str, str, int]]:
    return [(row.kind.value, row.code, row.label, row.amount.minor) for row in of.totals]


def texts(of: Quote, *names: str) -> list[str]:
    return [getattr(of, name).decimal() for name in names]


# --- golden examples (contract checkout.md 1.4 and 1.5) --------------------------------------


@pytest.mark.parametrize(
    ("currency", "rate", "unit", "subtotal", "shipping", "total"),
    [
        (USD, "1", "19.99", "39.98", "5.00", "44.98"),
        (EUR, "0.85", "16.99", "33.98", "4.25", "38.23"),
        (JPY, "150", "2999", "5998", "750", "6748"),
        (KWD, "0.3071", "6.139", "12.278", "1.536", "13.814"),
    ],
)
def test_golden_examples(
    currency: Currency, rate: str, unit: str, subtotal: str, shipping: str, total: str
) -> None:
    result = quote(facts(currency=currency, rate=Decimal(rate)))
    line = result.lines[0]
    assert line.unit_price.decimal() == line.regular_price.decimal() == unit
    assert line.subtotal.decimal() == line.total.decimal() == subtotal
    names = ("subtotal", "contents_total", "shipping_total", "total")
    assert texts(result, *names) == [subtotal, subtotal, shipping, total]
    zero = currency.zero.decimal()
    nothing = ("subtotal_tax", "contents_tax", "shipping_tax", "discount_total", "discount_tax")
    assert set(texts(result, *nothing, "fee_total", "fee_tax", "total_tax")) == {zero}
    assert result.packages[0].chosen is not None
    assert result.packages[0].chosen.cost.decimal() == shipping
    assert [row[:3] for row in rows(result)] == [
        ("subtotal", "subtotal", "Subtotal"),
        ("fulfilment", "flat_rate:1", "Parcel post"),
        ("total", "total", "Total"),
    ]
    assert result.needs_payment
    assert result.needs_shipping
    assert result.has_destination
    assert result.weight == Decimal("0.8")


def test_each_unit_price_is_converted_not_the_line() -> None:
    # 0.85 rounds to 1 a piece; the line at once would be 2.55, so 3 cent, and ten 8.5.
    line = cup(unit_price=USD.money(1), regular_price=USD.money(3), quantity=10)
    result = quote(facts(currency=EUR, rate=Decimal("0.85"), lines=(line,), zones=()))
    assert result.subtotal == EUR.money(10)
    assert result.lines[0].regular_price == EUR.money(3)


def test_amounts_of_another_currency_than_the_base_are_refused() -> None:
    with pytest.raises(CurrencyMismatch):
        quote(facts(lines=(cup(unit_price=EUR.money(1999)),)))


# --- tax ---------------------------------------------------------------------------------------


def test_tax_is_added_to_prices_without_tax() -> None:
    result = quote(facts(tax=taxed(tax_rate(7, "8.875"))))
    assert texts(result, "subtotal", "contents_tax", "shipping_tax", "total_tax", "total") == [
        "39.98",
        "3.55",
        "0.44",
        "3.99",
        "48.97",
    ]
    assert rows(result)[-2:] == [("tax", "US-VAT-1", "VAT", 399), ("total", "total", "Total", 4897)]
    (tax,) = result.taxes
    assert (tax.rate.id, tax.amount.minor, tax.shipping_amount.minor) == (7, 399, 44)
    assert result.lines[0].taxes[0].amount == result.lines[0].tax == USD.money(355)


@pytest.mark.parametrize(
    ("place", "net", "tax", "paid"),
    [
        (LONDON, 3332, 666, 3998),  # at home: the price as entered is what is paid
        (PARIS, 3332, 183, 3515),  # 5.5 % on the net
        (DUNMORE, 3332, 0, 3332),  # exported without tax
        (NOWHERE, 3332, 0, 3332),  # not known where tax is due
    ],
)
def test_prices_with_tax_lose_the_tax_of_the_store_and_take_on_that_of_the_place(
    place: Place, net: int, tax: int, paid: int
) -> None:
    rules = taxed(
        tax_rate(1, "20", "GB"), tax_rate(2, "5.5", "FR"), prices_include_tax=True, base=LONDON
    )
    result = quote(facts(tax=rules, tax_place=place, zones=()))
    assert (result.subtotal.minor, result.total_tax.minor, result.total.minor) == (net, tax, paid)
    assert result.lines[0].unit_price == USD.money(1999)
    assert result.prices_include_tax


def test_a_place_that_takes_just_as_much_pays_the_price_as_entered() -> None:
    # Taken out and put on again, 9.99 would come to 9.98: 8.32 and 1.66.
    rules = taxed(
        tax_rate(1, "20", "GB"), tax_rate(2, "20", "FR"), prices_include_tax=True, base=LONDON
    )
    line = cup(unit_price=USD.money(999), quantity=1)
    result = quote(facts(tax=rules, lines=(line,), tax_place=PARIS, zones=()))
    assert result.total == USD.money(999)
    assert [tax.rate.id for tax in result.taxes] == [2]


def test_shipping_and_fees_are_without_tax_even_where_prices_include_it() -> None:
    rules = taxed(tax_rate(1, "20", "GB"), prices_include_tax=True, base=LONDON)
    fee = FeeFacts("wrap", "Gift wrap", USD.money(100), taxable=True)
    result = quote(facts(tax=rules, tax_place=LONDON, fees=(fee,)))
    assert texts(result, "shipping_total", "shipping_tax") == ["5.00", "1.00"]
    assert texts(result, "fee_total", "fee_tax") == ["1.00", "0.20"]


@pytest.mark.parametrize(
    "changes",
    [
        {"lines": (cup(taxable=False),), "zones": ()},
        {"lines": (cup(tax_class="luxury"),), "zones": ()},
        {"tax": taxed(tax_rate(1, "20"), enabled=False)},
        {"tax_place": PARIS},
    ],
    ids=["not taxable", "class without rates", "tax disabled", "no rate at the place"],
)
def test_no_tax(changes: dict[str, Any]) -> None:
    result = quote(facts(**{"tax": taxed(tax_rate(1, "20")), **changes}))
    assert not result.total_tax
    assert result.taxes == ()
    assert result.lines[0].taxes == ()


def test_a_line_that_is_not_taxable_keeps_its_price_where_prices_include_tax() -> None:
    rules = taxed(tax_rate(1, "20"), prices_include_tax=True)
    result = quote(facts(tax=rules, lines=(cup(taxable=False),), zones=()))
    assert result.total == result.subtotal == USD.money(3998)


def test_a_rate_of_zero_is_shown_though_it_costs_nothing() -> None:
    result = quote(facts(tax=taxed(tax_rate(1, "0", name="Zero rated"))))
    assert ("tax", "US-ZERO RATED-1", "Zero rated", 0) in rows(result)


def test_taxes_are_listed_by_priority_whatever_the_order_of_lines() -> None:
    rules = taxed(
        tax_rate(1, "5", priority=2),
        tax_rate(2, "10", priority=1),
        tax_rate(3, "7", tax_class="reduced-rate", position=0),
    )
    lines = (cup(key="a"), cup(key="b", tax_class="reduced-rate"))
    for ordered in (lines, lines[::-1]):
        result = quote(facts(tax=rules, lines=ordered))
        assert [tax.rate.id for tax in result.taxes] == [3, 2, 1]


@pytest.mark.parametrize(
    ("rules", "taxable", "tax"),
    [
        (taxed(tax_rate(1, "20")), True, 100),
        (taxed(tax_rate(1, "20")), False, 0),
        (taxed(tax_rate(1, "20", on_shipping=False)), True, 0),
        (taxed(tax_rate(1, "20"), shipping_class="reduced-rate"), True, 0),
        (
            taxed(tax_rate(2, "5", tax_class="reduced-rate"), shipping_class="reduced-rate"),
            True,
            25,
        ),
        (taxed(tax_rate(1, "20"), tax_rate(2, "5", priority=2, on_shipping=False)), True, 100),
    ],
)
def test_tax_on_shipping(rules: TaxRules, taxable: bool, tax: int) -> None:
    methods = (flat(taxable=taxable), flat(2, 800, taxable=taxable))
    result = quote(facts(tax=rules, zones=(Zone("World", methods),)))
    first, second = result.packages[0].rates
    assert result.shipping_tax == first.tax == USD.money(tax)
    assert second.tax.minor * 500 == tax * 800
    assert sum(part.shipping_amount.minor for part in result.taxes) == tax


# --- shipping ----------------------------------------------------------------------------------


def test_one_package_with_what_needs_shipping() -> None:
    download = cup(key="download", needs_shipping=False)
    result = quote(facts(lines=(download, cup())))
    (package,) = result.packages
    assert (package.id, package.name) == ("default", "Shipping")
    assert package.contents == {cup().key: cup().quantity}


@pytest.mark.parametrize(
    "changes",
    [{"lines": (cup(needs_shipping=False),)}, {"shipping_enabled": False}, {"lines": ()}],
)
def test_no_package_when_nothing_is_shipped(changes: dict[str, Any]) -> None:
    result = quote(facts(chosen_rates={"default": "flat_rate:1"}, **changes))
    assert result.packages == ()
    assert not result.needs_shipping
    assert not result.shipping_total


@pytest.mark.parametrize(
    ("wanted", "chosen", "rejected"),
    [
        ("", "flat_rate:1", ""),
        ("flat_rate:1", "flat_rate:1", ""),
        ("flat_rate:2", "flat_rate:2", ""),
        ("flat_rate:9", None, "flat_rate:9"),
    ],
)
def test_the_first_rate_is_chosen_until_the_shopper_chooses(
    wanted: str, chosen: str | None, rejected: str
) -> None:
    zones = (Zone("World", (flat(), flat(2, 800))),)
    result = quote(facts(zones=zones, chosen_rates={"default": wanted} if wanted else {}))
    (package,) = result.packages
    assert (package.chosen.key if package.chosen else None) == chosen
    assert package.rejected_choice == rejected
    assert [rate.key for rate in package.rates if rate.chosen] == ([chosen] if chosen else [])
    assert result.shipping_total.minor == (package.chosen.cost.minor if package.chosen else 0)
    assert result.needs_shipping


def test_a_choice_that_no_longer_fits_is_reported() -> None:
    free = flat(2, 0, kind=MethodKind.FREE_SHIPPING, minimum=USD.money(4000))
    zones = (Zone("World", (flat(), free)),)
    choice = {"default": "free_shipping:2"}
    assert quote(facts(zones=zones, chosen_rates=choice)).packages[0].chosen is None
    three = quote(facts(zones=zones, chosen_rates=choice, lines=(cup(quantity=3),)))
    assert three.packages[0].rejected_choice == ""
    assert three.total == USD.money(5997)


@pytest.mark.parametrize(
    ("changes", "known"),
    [({"destination": NOWHERE}, False), ({"zones": ()}, True)],
)
def test_without_rates_nothing_is_chosen(changes: dict[str, Any], known: bool) -> None:
    for choice in ({}, {"default": "flat_rate:1"}):
        result = quote(facts(chosen_rates=choice, **changes))
        (package,) = result.packages
        assert (package.rates, package.chosen) == ((), None)
        assert package.rejected_choice == choice.get("default", "")
        assert result.has_destination is known
        assert result.total == USD.money(3998)


def test_the_parcel_holds_only_what_is_shipped_but_the_whole_cart_counts_for_free_shipping() -> (
    None
):
    per_item = flat(per_item=USD.money(100), per_class={"bulky": USD.money(1000)})
    free = flat(2, 0, kind=MethodKind.FREE_SHIPPING, minimum=USD.money(7000))
    lines = (cup(), cup(key="download", needs_shipping=False, shipping_class="bulky"))
    result = quote(facts(lines=lines, zones=(Zone("World", (per_item, free)),)))
    assert [rate.cost.minor for rate in result.packages[0].rates] == [700, 0]


# --- fees --------------------------------------------------------------------------------------


def fee(amount: int, taxable: bool = False, id: str = "fee", tax_class: str = "") -> FeeFacts:
    return FeeFacts(id, id.capitalize(), USD.money(amount), taxable, tax_class)


def test_fees_are_converted_and_taxed_by_their_class() -> None:
    rules = taxed(tax_rate(1, "20"), tax_rate(2, "5", tax_class="reduced-rate"))
    result = quote(
        facts(
            currency=EUR,
            rate=Decimal("0.85"),
            tax=rules,
            fees=(fee(199, True, "wrap"), fee(199, True, "card", "reduced-rate"), fee(199)),
        )
    )
    assert [(item.id, item.amount.minor, item.tax.minor) for item in result.fees] == [
        ("wrap", 169, 34),
        ("card", 169, 8),
        ("fee", 169, 0),
    ]
    assert [row[1] for row in rows(result) if row[0] == "fee"] == ["wrap", "card", "fee"]
    assert texts(result, "fee_total", "fee_tax") == ["5.07", "0.42"]


@pytest.mark.parametrize(
    ("fees", "amounts", "taxes", "total"),
    [
        ((fee(-1000),), [-1000], [0], 4398),
        ((fee(-1000, True),), [-1000], [-200], 4198),
        ((fee(-9999),), [-5398], [0], 0),
        ((fee(-9999, True),), [-4498], [-900], 0),
        ((fee(-9999), fee(-9999, True)), [-5398, 0], [0, 0], 0),
        ((fee(-9999), fee(2000)), [-7398, 2000], [0, 0], 0),
        ((fee(-5000, True), fee(1000, True)), [-5000, 1000], [-1000, 200], 598),
    ],
    ids=["part", "part taxed", "all", "all taxed", "twice", "with surcharge", "taxed both ways"],
)
def test_a_negative_fee_takes_at_most_what_is_due(
    fees: tuple[FeeFacts, ...], amounts: list[int], taxes: list[int], total: int
) -> None:
    # Due before fees: 3998 and 800 of tax for the cups, 500 and 100 for shipping.
    result = quote(facts(tax=taxed(tax_rate(1, "20")), fees=fees))
    assert [item.amount.minor for item in result.fees] == amounts
    assert [item.tax.minor for item in result.fees] == taxes
    assert result.total.minor == total == 5398 + sum(amounts) + sum(taxes)


def test_a_negative_fee_gives_back_no_tax_that_was_not_charged() -> None:
    rules = taxed(tax_rate(1, "20"), tax_rate(2, "5", tax_class="reduced-rate"))
    result = quote(facts(tax=rules, fees=(fee(-1000, True, tax_class="reduced-rate"),)))
    assert result.fees[0].tax == USD.zero
    assert [(tax.rate.id, tax.amount.minor) for tax in result.taxes] == [(1, 900), (2, 0)]


@pytest.mark.parametrize(
    ("asked", "amount", "tax"),
    [(-10, -10, -10), (-19, -19, -19), (-20, -20, -20), (-25, -25, -15), (-35, -26, -14)],
)
def test_a_fee_with_more_taxes_than_were_charged_still_takes_all_that_is_due(
    asked: int, amount: int, tax: int
) -> None:
    # Postage of 20 bears the first rate only (20), the fee both: 40 are due.
    rules = taxed(tax_rate(1, "100"), tax_rate(2, "100", priority=2, on_shipping=False))
    free = cup(unit_price=USD.zero, taxable=False)
    zones = (Zone("World", (flat(cost=20),)),)
    result = quote(facts(tax=rules, lines=(free,), zones=zones, fees=(fee(asked, True),)))
    assert (result.fees[0].amount.minor, result.fees[0].tax.minor) == (amount, tax)
    assert [part.amount.minor for part in result.taxes] == [20 + tax, 0]
    assert result.total.minor == max(0, 40 + amount + tax)


# --- the whole ---------------------------------------------------------------------------------


def test_everything_at_once_adds_up() -> None:
    # 15.47375 % in all, rounded per amount: 619 + 361 + 77 + 39, each shared out on its own.
    rules = taxed(tax_rate(1, "5"), tax_rate(2, "9.975", priority=2, compound=True, name="QST"))
    result = quote(
        facts(
            tax=rules,
            lines=(cup(), cup(key="b", unit_price=USD.money(333), quantity=7, weight=Decimal(0))),
            fees=(fee(250, True), fee(-99)),
        )
    )
    assert rows(result) == [
        ("subtotal", "subtotal", "Subtotal", 6329),
        ("fulfilment", "flat_rate:1", "Parcel post", 500),
        ("fee", "fee", "Fee", 250),
        ("fee", "fee", "Fee", -99),
        ("tax", "US-VAT-1", "VAT", 355),
        ("tax", "US-QST-2", "QST", 741),
        ("total", "total", "Total", 8076),
    ]


def test_an_empty_cart_costs_nothing() -> None:
    result = quote(facts(lines=()))
    assert result.total == USD.zero
    assert not result.needs_payment
    assert [row[0] for row in rows(result)] == ["subtotal", "total"]
    assert result.weight == 0


def test_huge_amounts_keep_every_unit() -> None:
    line = cup(unit_price=USD.money(10**15 - 1), quantity=999_999_999)
    result = quote(facts(lines=(line,), tax=taxed(tax_rate(1, "33.3333")), zones=()))
    net = (10**15 - 1) * 999_999_999
    assert result.subtotal.minor == net
    assert result.total_tax.minor == (net * 333333 * 2 + 1_000_000) // 2_000_000


def test_a_quote_finds_its_lines_by_key() -> None:
    result = quote(facts(lines=(cup(), cup(key="b", product_id=502))))
    assert result.line("b").product_id == 502


def test_money_of_a_quote_is_of_its_currency() -> None:
    result = quote(facts(currency=EUR, rate=Decimal("0.85"), tax=taxed(tax_rate(1, "20"))))
    amounts = [getattr(result, name) for name in Quote.__dataclass_fields__]
    assert {amount.currency for amount in amounts if isinstance(amount, Money)} == {EUR}
