"""Laws of packages: however goods are split, none is lost, none is doubled, and the sums hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from checkstand.kit.money import total
from checkstand.pricing.calculator import quote
from checkstand.pricing.quote import Facts, Package, Quote, TotalKind
from checkstand.shipping.packing import Splitter, by_shipping_class, together
from tests.laws.test_pricing_laws import carts, halves, law

splits = st.sampled_from([together, by_shipping_class, halves])


def shipped(facts: Facts) -> Counter[str]:
    return Counter({line.key: line.quantity for line in facts.lines if line.needs_shipping})


@law
@given(carts(), splits)
def test_the_split_loses_no_line_and_no_unit(facts: Facts, split: Splitter) -> None:
    result = quote(replace(facts, split=split))
    packed: Counter[str] = Counter()
    for package in result.packages:
        assert package.contents
        packed.update(package.contents)
    assert packed == shipped(facts)
    assert len({package.id for package in result.packages}) == len(result.packages)


@law
@given(carts(), splits)
def test_shipping_is_the_sum_of_what_the_packages_go_by(facts: Facts, split: Splitter) -> None:
    result = quote(replace(facts, split=split))
    chosen = [package.chosen for package in result.packages if package.chosen]
    assert total((rate.cost for rate in chosen), facts.currency) == result.shipping_total
    assert total((rate.tax for rate in chosen), facts.currency) == result.shipping_tax
    rows = [row.amount for row in result.totals if row.kind is TotalKind.FULFILMENT]
    assert rows == [rate.cost for rate in chosen]


@law
@given(carts(), splits)
def test_the_split_moves_nothing_but_shipping(facts: Facts, split: Splitter) -> None:
    """Lines, their discounts and their taxes are the same in whatever packages they travel."""
    facts = replace(facts, fees=())  # a negative fee takes at most what is due, shipping included
    one, several = quote(replace(facts, split=together)), quote(replace(facts, split=split))
    assert several.lines == one.lines
    assert several.contents_total == one.contents_total
    assert several.weight == one.weight
    assert several.needs_shipping == one.needs_shipping


@law
@given(carts(), st.data())
def test_a_choice_holds_for_its_own_package_only(facts: Facts, data: st.DataObject) -> None:
    before = quote(replace(facts, split=by_shipping_class, chosen_rates={}))
    offering = [package for package in before.packages if package.rates]
    if not offering:
        return
    package = data.draw(st.sampled_from(offering))
    rate = data.draw(st.sampled_from(package.rates))
    after = quote(replace(facts, split=by_shipping_class, chosen_rates={package.id: rate.key}))
    for old, new in zip(before.packages, after.packages, strict=True):
        wanted = rate.key if new.id == package.id else key_of(old)
        assert key_of(new) == wanted
        assert not new.rejected_choice
    assert {each.key for each in before.lines} == {each.key for each in after.lines}


@law
@given(carts(), splits)
def test_a_choice_that_is_not_offered_is_reported_for_its_package(
    facts: Facts, split: Splitter
) -> None:
    first = quote(replace(facts, split=split, chosen_rates={}))
    for package in first.packages:
        result: Quote = quote(replace(facts, split=split, chosen_rates={package.id: "gone:9"}))
        rejected = [each.id for each in result.packages if each.rejected_choice]
        assert rejected == [package.id]
        assert all(each.chosen is None for each in result.packages if each.id == package.id)


def key_of(package: Package) -> str:
    return package.chosen.key if package.chosen else ""
