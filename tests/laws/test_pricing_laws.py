"""Laws of money: what holds for every cart, currency, tax table and fee, not just for examples.

How many carts are tried is the Hypothesis profile's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from random import Random

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from checkstand.kit.money import Currency, Exchange, Money, allocate_units, total
from checkstand.kit.places import Place, postcodes
from checkstand.pricing.calculator import quote
from checkstand.pricing.quote import (
    Facts,
    FeeFacts,
    LineFacts,
    Quote,
    QuotedFee,
    QuotedRate,
    QuoteLine,
    TaxRules,
    TotalKind,
)
from checkstand.shipping.model import MethodKind, ShippingMethod, Zone
from checkstand.shipping.packing import Box, Goods, by_shipping_class, together
from checkstand.tax.model import TaxRate
from checkstand.tax.rates import Levy, TaxTable, exclusive, inclusive

law = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

HOME = Place("GB", "", "SW1A 1AA", "LONDON")
AWAY = Place("US", "CA", "90011", "DUNMORE")
MOST_MINOR = 10**15
CLASSES = ("", "", "", "reduced-rate")
"""Mostly one class, so that rates, goods, postage and fees meet."""

# --- what carts are made of ----------------------------------------------------------------------

currencies = st.one_of(
    st.sampled_from(["USD", "EUR", "JPY", "KWD", "CLF", "HUF", "TND", "KRW"]).map(Currency.of),
    st.builds(Currency, st.just("XTS"), st.integers(0, 8)),
)
exchange_rates = st.one_of(
    st.sampled_from([Decimal(text) for text in ("0.85", "150", "0.3071", "1.000001")]),
    st.integers(1, 10**12).map(lambda millionths: Decimal(millionths).scaleb(-6)),
)
prices = st.one_of(st.integers(0, 10_000), st.integers(0, MOST_MINOR))
quantities = st.one_of(st.integers(1, 10), st.integers(1, 999_999_999))
per_cents = st.one_of(
    st.sampled_from([Decimal(text) for text in ("0", "5", "8.875", "9.975", "20", "33.3333")]),
    st.integers(0, 10**7).map(lambda parts: Decimal(parts).scaleb(-4)),
)
regions = st.sampled_from(
    # Half of the rates hold everywhere, so that most carts are taxed and rates meet on a line.
    [("", "", (), ())] * 30
    + [
        (country, state, codes, cities)
        for country, state in (("GB", ""), ("US", "CA"), ("US", ""), ("", "CA"), ("", ""))
        for codes in ((), ("SW1*",), ("90000...90100", "1*"))
        for cities in ((), ("LONDON", "DUNMORE"))
    ]
)
flags = st.sampled_from([(compound, shipping) for compound in (0, 1) for shipping in (0, 1)])
ranks = st.sampled_from([(priority, position) for priority in (1, 2, 3) for position in (0, 1)])


def _tax_rate(
    region: tuple[str, str, tuple[str, ...], tuple[str, ...]],
    per_cent: Decimal,
    rank: tuple[int, int],
    flag: tuple[int, int],
    tax_class: str,
) -> TaxRate:
    country, state, codes, cities = region
    return TaxRate(
        id=0,
        country=country,
        state=state,
        postcodes=codes,
        cities=cities,
        rate=per_cent,
        name="VAT",
        priority=rank[0],
        compound=bool(flag[0]),
        on_shipping=bool(flag[1]),
        tax_class=tax_class,
        position=rank[1],
    )


classes = st.sampled_from(CLASSES)
tax_rates = st.builds(_tax_rate, regions, per_cents, ranks, flags, classes)


def rate_lists(least: int = 3, most: int = 8) -> st.SearchStrategy[list[TaxRate]]:
    return st.lists(tax_rates, min_size=least, max_size=most).map(
        lambda rates: [replace(rate, id=number) for number, rate in enumerate(rates, 1)]
    )


levies = st.lists(tax_rates, max_size=4).map(
    lambda rates: Levy.of([replace(rate, id=n, priority=n) for n, rate in enumerate(rates, 1)])
)


goods = st.sampled_from(
    [
        (tax_class, shipped, shipping_class)
        for tax_class in (None, *CLASSES)
        for shipped, shipping_class in ((False, ""), (True, ""), (True, "bulky"), (True, "fragile"))
    ]
)


def lines(base: Currency) -> st.SearchStrategy[LineFacts]:
    def line(price: int, quantity: int, kind: tuple[str | None, bool, str]) -> LineFacts:
        tax_class, shipped, shipping_class = kind
        return LineFacts(
            key="",
            product_id=501,
            quantity=quantity,
            unit_price=Money(price, base),
            regular_price=Money(price + price // 3, base),
            taxable=tax_class is not None,
            tax_class=tax_class or "",
            needs_shipping=shipped,
            shipping_class=shipping_class,
            weight=Decimal(price % 5000).scaleb(-3),
        )

    return st.builds(line, prices, quantities, goods)


def zones(base: Currency) -> st.SearchStrategy[Zone]:
    cost = st.integers(0, 100_000)
    free = ShippingMethod(MethodKind.FREE_SHIPPING, 2, "Free", base.zero, base.zero)

    def zone(per_order: int, per_item: int, extra: int, offered: str) -> Zone:
        order, item = base.money(per_order), base.money(per_item)
        flat = ShippingMethod(
            MethodKind.FLAT_RATE,
            0,
            "Parcel post",
            order,
            item,
            {"bulky": base.money(extra), "": item},
        )
        pickup = ShippingMethod(
            MethodKind.LOCAL_PICKUP, 1, "Pickup", item, base.zero, taxable=False
        )
        known = {"flat": flat, "pickup": pickup, "free": replace(free, minimum=base.money(extra))}
        return Zone("World", tuple(known[name] for name in offered.split()))

    offered = st.sampled_from(["flat pickup free", "flat", "flat", "pickup flat", "free flat", ""])
    return st.builds(zone, cost, cost, cost, offered)


def fees(base: Currency) -> st.SearchStrategy[FeeFacts]:
    amounts = st.one_of(st.integers(-1000, 1000), st.integers(-MOST_MINOR, MOST_MINOR))
    return st.builds(
        lambda amount, tax_class: FeeFacts(
            "fee", "Fee", Money(amount, base), tax_class is not None, tax_class or ""
        ),
        amounts,
        st.sampled_from([None, "", "reduced-rate"]),
    )


def halves(goods: Sequence[Goods], /) -> list[Box]:
    """Divides lines: of each, a half goes by itself, under an id that outlives its place."""
    boxes = [
        Box(f"half {each.key}", {each.key: half})
        for each in sorted(goods, key=lambda each: each.key)
        if (half := each.quantity // 2)
    ]
    return [*boxes, Box("rest", {each.key: each.quantity - each.quantity // 2 for each in goods})]


situations = st.sampled_from(
    [
        (tax_place, destination)
        for tax_place in (HOME, HOME, HOME, AWAY, AWAY, Place())
        for destination in (HOME, HOME, AWAY, AWAY, Place())
    ]
)
choices = st.sampled_from(
    [
        *([{}] * 4),
        {"default": "flat_rate:0", "class:": "flat_rate:0", "rest": "local_pickup:1"},
        {"default": "local_pickup:1", "class:bulky": "free_shipping:2"},
    ]
)
splits = st.sampled_from([together, together, by_shipping_class, halves])
rules = st.sampled_from(
    [
        TaxRules(enabled, inclusive, base=HOME, shipping_class=shipping_class)
        for enabled, inclusive in (*([(True, True), (True, False)] * 4), (False, True))
        for shipping_class in CLASSES
    ]
)


@st.composite
def carts(draw: st.DrawFn) -> Facts:
    base = draw(currencies)
    currency = draw(st.one_of(st.just(base), currencies))
    contents = draw(st.lists(lines(base), min_size=draw(st.sampled_from([1, 1, 2, 0])), max_size=4))
    tax_place, destination = draw(situations)
    return Facts(
        base=base,
        currency=currency,
        rate=Decimal(1) if currency == base else draw(exchange_rates),
        lines=tuple(replace(line, key=f"line {n}") for n, line in enumerate(contents)),
        tax=replace(draw(rules), table=TaxTable.of(draw(rate_lists()))),
        tax_place=tax_place,
        destination=destination,
        zones=(draw(zones(base)),),
        split=draw(splits),
        chosen_rates=draw(choices),
        fees=tuple(draw(st.lists(fees(base), max_size=3))),
    )


# --- 1. parts sum to the whole -------------------------------------------------------------------


def _taxed(result: Quote) -> list[QuoteLine | QuotedRate | QuotedFee]:
    """All that is charged, and taxed or not."""
    chosen = [package.chosen for package in result.packages if package.chosen]
    return [*result.lines, *chosen, *result.fees]


@law
@given(carts())
def test_the_rows_sum_to_the_total(facts: Facts) -> None:
    result = quote(facts)
    *parts, whole = result.totals
    assert whole.kind is TotalKind.TOTAL
    assert total((row.amount for row in parts), facts.currency) == whole.amount == result.total
    assert TotalKind.TOTAL not in {row.kind for row in parts}
    flat = [result.contents_total, result.shipping_total, result.fee_total, result.total_tax]
    assert total(flat, facts.currency) == result.total


@law
@given(carts())
def test_flat_figures_are_the_sums_of_their_parts(facts: Facts) -> None:
    result = quote(facts)
    chosen = [package.chosen for package in result.packages if package.chosen]
    for figure, parts in (
        (result.subtotal, [line.subtotal for line in result.lines]),
        (result.subtotal_tax, [line.subtotal_tax for line in result.lines]),
        (result.contents_total, [line.total for line in result.lines]),
        (result.contents_tax, [line.tax for line in result.lines]),
        (result.shipping_total, [rate.cost for rate in chosen]),
        (result.shipping_tax, [rate.tax for rate in chosen]),
        (result.fee_total, [fee.amount for fee in result.fees]),
        (result.fee_tax, [fee.tax for fee in result.fees]),
        (result.total_tax, [tax.amount for tax in result.taxes]),
        (result.total_tax, [result.contents_tax, result.shipping_tax, result.fee_tax]),
        (result.subtotal, [result.contents_total, result.discount_total]),
        (result.subtotal_tax, [result.contents_tax, result.discount_tax]),
    ):
        assert total(parts, facts.currency) == figure


@law
@given(carts())
def test_taxes_sum_over_lines_and_over_rates(facts: Facts) -> None:
    result = quote(facts)
    offered = [rate for package in result.packages for rate in package.rates]
    for part in [*_taxed(result), *offered]:
        assert total((each.amount for each in part.taxes), facts.currency) == part.tax
    applied = [each for part in _taxed(result) for each in part.taxes]
    assert {tax.rate.id for tax in result.taxes} == {each.rate.id for each in applied}
    for tax in result.taxes:
        parts = [each.amount for each in applied if each.rate == tax.rate]
        assert total(parts, facts.currency) == tax.amount
    shipping = total((tax.shipping_amount for tax in result.taxes), facts.currency)
    assert shipping == result.shipping_tax


# --- 2. nothing falls below zero -----------------------------------------------------------------


@law
@given(carts())
def test_nothing_but_a_discount_is_negative(facts: Facts) -> None:
    result = quote(facts)
    amounts = [result.total, result.total_tax, result.subtotal, result.shipping_total]
    amounts += [tax.amount for tax in result.taxes] + [tax.shipping_amount for tax in result.taxes]
    for line in result.lines:
        amounts += [line.unit_price, line.subtotal, line.total, line.tax]
        amounts += [applied.amount for applied in line.taxes]
    for package in result.packages:
        amounts += [amount for rate in package.rates for amount in (rate.cost, rate.tax)]
    assert min(amount.minor for amount in amounts) >= 0


@law
@given(carts())
def test_a_fee_is_charged_in_full_or_cut_down_to_what_is_due(facts: Facts) -> None:
    result = quote(facts)
    exchange = Exchange.of(facts.base, facts.currency, facts.rate)
    cut_down = False
    for asked, fee in zip(facts.fees, result.fees, strict=True):
        full = exchange.convert(asked.amount)
        if full.minor >= 0:
            assert fee.amount == full
        else:
            assert full <= fee.amount <= facts.currency.zero
            assert fee.tax <= facts.currency.zero
            cut_down = cut_down or fee.amount != full
    assert not (cut_down and result.total)


@law
@given(levies, st.integers(1, 1000), st.integers(0, 1000), st.integers(0, 1000))
def test_a_fee_gives_back_no_more_of_a_rate_than_was_charged(
    levy: Levy, asked: int, price: int, postage: int
) -> None:
    """Only postage is taxed, by some of the fee's rates: the fee meets every kind of limit."""
    usd = Currency.of("USD")
    rates = [
        replace(rate, country="", state="", postcodes=(), cities=(), tax_class="")
        for rate in levy.rates
    ]
    flat = ShippingMethod(MethodKind.FLAT_RATE, 1, "Post", usd.money(postage), usd.zero)
    line = LineFacts(
        "line", 1, 1, usd.money(price), usd.money(price),
        taxable=False, tax_class="", needs_shipping=True, shipping_class="", weight=Decimal(0),
    )  # fmt: skip
    facts = Facts(
        base=usd,
        currency=usd,
        rate=Decimal(1),
        lines=(line,),
        tax=TaxRules(enabled=True, prices_include_tax=False, table=TaxTable.of(rates)),
        tax_place=HOME,
        destination=HOME,
        zones=(Zone("World", (flat,)),),
    )
    fee = FeeFacts("fee", "Fee", usd.money(-asked), taxable=True)
    before, result = quote(facts), quote(replace(facts, fees=(fee,)))
    (charged,) = result.fees
    assert all(tax.amount.minor >= 0 for tax in result.taxes)
    assert all(applied.amount.minor <= 0 for applied in charged.taxes)
    assert fee.amount <= charged.amount <= usd.zero
    assert charged.amount == fee.amount or not result.total
    assert before.total + charged.amount + charged.tax == result.total


@law
@given(carts())
def test_a_fee_that_takes_off_everything_leaves_nothing(facts: Facts) -> None:
    all_of_it = FeeFacts("all", "All", Money(-(10**40), facts.base))
    assert quote(replace(facts, fees=(*facts.fees, all_of_it))).total == facts.currency.zero


# --- 3. the same facts give the same cents -------------------------------------------------------


@law
@given(carts(), st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_no_figure(facts: Facts, random: Random) -> None:
    result = quote(facts)
    assert quote(facts) == result
    assert (
        quote(replace(facts, tax=replace(facts.tax, table=TaxTable.of(facts.tax.table.rates))))
        == result
    )
    shuffled = list(facts.lines)
    random.shuffle(shuffled)
    other = quote(replace(facts, lines=tuple(shuffled)))
    assert other.totals == result.totals
    assert other.taxes == result.taxes
    assert {line.key: line for line in other.lines} == {line.key: line for line in result.lines}


# --- 4. with tax and without tax agree -----------------------------------------------------------

amounts = st.one_of(st.integers(0, 10_000), st.integers(0, MOST_MINOR * 999_999_999))


def _exact(levy: Levy) -> Fraction:
    """The tax on 1, by the book: regular rates on the price, compound rates on all before."""
    regular = sum((Fraction(rate.rate) for rate in levy.rates if not rate.compound), Fraction(0))
    taxed = 1 + regular / 100
    for rate in levy.rates:
        if rate.compound:
            taxed += taxed * Fraction(rate.rate) / 100
    return taxed - 1


@law
@given(amounts, levies)
def test_tax_is_exact_within_one_rounding(amount: int, levy: Levy) -> None:
    part = _exact(levy)
    assert abs(sum(exclusive(amount, levy)) - amount * part) <= Fraction(1, 2)
    assert abs(sum(inclusive(amount, levy)) - amount * part / (1 + part)) <= Fraction(1, 2)


@law
@given(amounts, levies)
def test_each_rate_gets_its_share_within_one_unit(amount: int, levy: Levy) -> None:
    parts = exclusive(amount, levy)
    for index, rate in enumerate(levy.rates):
        others = [other for other in levy.rates if other is not rate]
        if all(not other.compound for other in levy.rates):
            assert abs(parts[index] - amount * Fraction(rate.rate) / 100) < Fraction(3, 2)
        if rate.compound and not any(other.compound for other in others):
            alone = (1 + _exact(Levy.of(others))) * Fraction(rate.rate) / 100
            assert abs(parts[index] - amount * alone) < Fraction(3, 2)


@law
@given(amounts, levies)
def test_what_was_put_on_comes_out_again(net: int, levy: Levy) -> None:
    tax = exclusive(net, levy)
    assert inclusive(net + sum(tax), levy) == tax


@law
@given(amounts, levies)
def test_tax_mirrors_around_zero(amount: int, levy: Levy) -> None:
    assert exclusive(-amount, levy) == tuple(-part for part in exclusive(amount, levy))
    assert inclusive(-amount, levy) == tuple(-part for part in inclusive(amount, levy))


@law
@given(carts(), prices, quantities)
def test_shops_that_enter_prices_with_and_without_tax_agree(
    facts: Facts, price: int, quantity: int
) -> None:
    """Of one they agree to the cent; of more within the rounding of the entered unit price."""
    line = LineFacts(
        "line", 1, 1, Money(price, facts.base), Money(price, facts.base),
        taxable=True, tax_class="", needs_shipping=False, shipping_class="", weight=Decimal(0),
    )  # fmt: skip
    plain = replace(
        facts, currency=facts.base, rate=Decimal(1), lines=(line,), fees=(), tax_place=HOME
    )
    without = replace(plain, tax=replace(facts.tax, prices_include_tax=False))
    entered = quote(without).total
    gross = replace(line, unit_price=entered, regular_price=entered)
    with_tax = replace(plain, lines=(gross,), tax=replace(facts.tax, prices_include_tax=True))
    one, same = quote(without), quote(with_tax)
    assert (one.totals, one.taxes, one.total) == (same.totals, same.taxes, same.total)
    many = quote(replace(without, lines=(replace(line, quantity=quantity),)))
    entered_many = quote(replace(with_tax, lines=(replace(gross, quantity=quantity),)))
    assert abs(many.total.minor - entered_many.total.minor) <= Fraction(quantity + 1, 2)


# --- 5. allocation -------------------------------------------------------------------------------

weights = st.lists(
    st.one_of(st.integers(0, 1000), st.integers(0, 10**30), per_cents),
    min_size=1,
    max_size=12,
)


@law
@given(st.integers(-(10**25), 10**25), weights)
def test_allocation_sums_and_keeps_its_sign(units: int, shares: list[int | Decimal]) -> None:
    parts = allocate_units(units, shares)
    assert sum(parts) == units
    assert all(part * units >= 0 for part in parts)
    assert parts == [-part for part in allocate_units(-units, shares)]


@law
@given(st.integers(0, 10**25), weights)
def test_allocation_is_fair(units: int, shares: list[int | Decimal]) -> None:
    assume(any(shares))
    parts, whole = allocate_units(units, shares), sum(Fraction(share) for share in shares)
    for part, share in zip(parts, shares, strict=True):
        assert abs(part - units * Fraction(share) / whole) < 1
        assert share or not part
    by_weight = sorted(zip(shares, parts, strict=True), key=lambda pair: pair[0])
    for (less, small), (more, large) in pairwise(by_weight):
        assert small <= large or less == more
        assert abs(small - large) <= 1 or less != more


# --- 6. currencies -------------------------------------------------------------------------------


@law
@given(st.integers(-MOST_MINOR, MOST_MINOR), currencies)
def test_conversion_at_rate_one_is_identity(minor: int, currency: Currency) -> None:
    money = Money(minor, currency)
    assert money.converted(Decimal(1), currency) == money
    assert money.converted(Decimal("1.000"), currency) == money


@law
@given(st.integers(-MOST_MINOR, MOST_MINOR), currencies, currencies, exchange_rates)
def test_conversion_is_exact_within_one_rounding(
    minor: int, base: Currency, currency: Currency, rate: Decimal
) -> None:
    converted = Money(minor, base).converted(rate, currency)
    exact = Fraction(minor) * Fraction(rate) * Fraction(10) ** (currency.exponent - base.exponent)
    assert abs(converted.minor - exact) <= Fraction(1, 2)
    assert converted.currency == currency
    assert -converted == Money(-minor, base).converted(rate, currency)


@law
@given(st.integers(-(10**20), 10**20), currencies)
def test_money_reads_its_own_writing(minor: int, currency: Currency) -> None:
    money = Money(minor, currency)
    assert Money.of(money.decimal(), currency) == money
    assert Money.of(money.major(), currency) == money


# --- 7. at home the price is what is paid --------------------------------------------------------


@law
@given(carts())
def test_at_home_the_price_with_tax_is_exactly_what_is_paid(facts: Facts) -> None:
    at_home = replace(
        facts, tax_place=HOME, tax=replace(facts.tax, enabled=True, prices_include_tax=True)
    )
    for line in quote(at_home).lines:
        assert line.total + line.tax == line.unit_price.times(line.quantity)


@law
@given(carts())
def test_without_tax_in_prices_the_line_is_price_times_quantity(facts: Facts) -> None:
    without = replace(facts, tax=replace(facts.tax, prices_include_tax=False))
    exchange = Exchange.of(facts.base, facts.currency, facts.rate)
    for asked, line in zip(without.lines, quote(without).lines, strict=True):
        assert line.unit_price == exchange.convert(asked.unit_price)
        assert line.subtotal == line.unit_price.times(asked.quantity)


# --- 8. what is free costs nothing ---------------------------------------------------------------


@law
@given(carts())
def test_a_free_product_costs_nothing(facts: Facts) -> None:
    free = tuple(replace(line, unit_price=facts.base.zero) for line in facts.lines)
    unshipped = tuple(replace(line, needs_shipping=False) for line in free)
    result = quote(replace(facts, lines=unshipped, fees=()))
    assert result.total == result.total_tax == facts.currency.zero
    assert not result.needs_payment
    for line in quote(replace(facts, lines=free)).lines:
        assert line.total == line.tax == facts.currency.zero


# --- 9. the tax table finds what a reader of the list would find ---------------------------------

places = st.one_of(
    st.sampled_from([HOME, AWAY, Place("US", "NY", "10115"), Place("GB")]),
    st.builds(
        Place,
        st.sampled_from(["GB", "US", "FR", ""]),
        st.sampled_from(["", "CA"]),
        st.sampled_from(["", "SW1A 1AA", "90011", "10115"]),
        st.sampled_from(["", "LONDON", "BERLIN"]),
    ),
)


@law
@given(rate_lists(0, 20), places)
def test_the_table_agrees_with_reading_the_list(rates: list[TaxRate], place: Place) -> None:
    def matches(rate: TaxRate) -> bool:
        return (
            place.known
            and rate.country in ("", place.country)
            and rate.state in ("", place.state)
            and (not rate.postcodes or postcodes(rate.postcodes).cover(place))
            and (not rate.cities or place.city in rate.cities)
        )

    expected: dict[str, dict[int, TaxRate]] = {}
    for rate in sorted(
        filter(matches, rates),
        key=lambda rate: (
            rate.priority, rate.country == "", rate.state == "", rate.postcodes == (),
            rate.cities == (), rate.position, rate.id,
        ),
    ):  # fmt: skip
        expected.setdefault(rate.tax_class, {}).setdefault(rate.priority, rate)
    found = TaxTable.of(rates).at(place)
    assert {name: levy.rates for name, levy in found.items()} == {
        name: tuple(first.values()) for name, first in expected.items()
    }
