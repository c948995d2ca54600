"""Two carts become one: which lines stay, what is said, whose address wins."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkstand.cart.merging import MergePolicy, merged
from checkstand.cart.model import Cart, CartLine
from checkstand.cart.view import Scene
from checkstand.catalog.model import Product, ProductType
from checkstand.customers.addresses import Address
from checkstand.kit import ids
from checkstand.tax.rates import TaxTable

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def product(product_id: int, **more: Any) -> Product:
    named = {"name": f"P{product_id}", "slug": "", "regular_price": 100}
    return Product(id=product_id, type=ProductType.SIMPLE, **named, **more)


PRODUCTS = {
    **{number: product(number) for number in range(1, 6)},
    6: product(6, sold_individually=True),
    7: product(7, manages_stock=True, stock_id=7),
    8: product(8, published=False),
}
SCENE = Scene(NOW, PRODUCTS, {7: 5}, TaxTable.of(()))


def line(product_id: int, quantity: int = 1, **data: Any) -> CartLine:
    key = ids.item_key(product_id, 0, {}, data)
    return CartLine(key, product_id, 0, quantity, item_data=data)


def cart(*lines: CartLine, customer: bool = False, **more: Any) -> Cart:
    return Cart("7" if customer else "t_1", NOW, 1, 7 if customer else None, lines, **more)


def counts(found: Cart) -> dict[int, int]:
    return {each.product_id: each.quantity for each in found.lines}


CUSTOMER = cart(line(1, 2), line(2, 1), customer=True)
GUEST = cart(line(1, 3), line(3, 1))


@pytest.mark.parametrize(
    ("policy", "expected", "aside"),
    [
        (MergePolicy.SUM, {1: 5, 2: 1, 3: 1}, set()),
        (MergePolicy.MAX, {1: 3, 2: 1, 3: 1}, set()),
        (MergePolicy.GUEST, {1: 3, 3: 1}, {2}),
        (MergePolicy.CUSTOMER, {1: 2, 2: 1}, {3}),
    ],
)
def test_policies(policy: MergePolicy, expected: dict[int, int], aside: set[int]) -> None:
    found, said = merged(CUSTOMER, GUEST, policy, SCENE, 100)
    assert counts(found) == expected
    assert {each.product_id for each in found.removed} == aside
    assert said == {}
    assert (found.key, found.customer_id) == ("7", 7)


@pytest.mark.parametrize("policy", list(MergePolicy))
def test_an_empty_cart_never_wins(policy: MergePolicy) -> None:
    nothing = cart(customer=True)
    assert counts(merged(nothing, GUEST, policy, SCENE, 100)[0]) == counts(GUEST)
    assert counts(merged(CUSTOMER, cart(), policy, SCENE, 100)[0]) == counts(CUSTOMER)


def test_what_does_not_go_is_said() -> None:
    # One of a kind, more than there are, no room.
    mine = cart(line(6), line(7, 4), customer=True)
    found, said = merged(mine, cart(line(6), line(7, 3), line(1)), MergePolicy.SUM, SCENE, 2)
    assert counts(found) == {6: 1, 7: 4}
    assert len(said["info"]) == 3
    assert [each.product_id for each in found.removed] == [1]
    # What is not sold any more is not said twice: the view does.
    found, said = merged(CUSTOMER, cart(line(8), line(99)), MergePolicy.SUM, SCENE, 100)
    assert counts(found) == counts(CUSTOMER)
    assert said == {}


def test_other_data_is_another_line() -> None:
    mine, theirs = cart(line(1, print="A"), customer=True), cart(line(1, print="B"))
    found, _ = merged(mine, theirs, MergePolicy.SUM, SCENE, 100)
    assert [each.item_data for each in found.lines] == [{"print": "A"}, {"print": "B"}]


HOME = Address(first_name="Ines", address_1="8 Quarry Row", city="Dunmore", country="US")
AWAY = Address(first_name="Tom", address_1="1 Elsewhere", city="Oslo", country="NO", phone="+471")


def test_addresses_are_not_mixed() -> None:
    mine = cart(line(1), customer=True, billing=HOME)
    found, _ = merged(mine, cart(line(2), billing=AWAY), MergePolicy.SUM, SCENE, 100)
    assert found.billing == Address(**{**HOME.as_billing(), "phone": "+471"})
    blank = cart(line(1), customer=True, billing=Address(first_name="Ines"))
    found, _ = merged(blank, cart(line(2), billing=AWAY), MergePolicy.SUM, SCENE, 100)
    assert (found.billing.first_name, found.billing.city) == ("Ines", "Oslo")


def test_choices_of_whose_lines_stay() -> None:
    mine = cart(line(1), customer=True, currency="EUR", payment_method="bacs")
    theirs = cart(line(2), currency="USD", payment_method="cod")
    found, _ = merged(mine, theirs, MergePolicy.SUM, SCENE, 100)
    assert (found.currency, found.payment_method) == ("EUR", "bacs")
    found, _ = merged(mine, theirs, MergePolicy.GUEST, SCENE, 100)
    assert (found.currency, found.payment_method) == ("USD", "cod")


lines = st.lists(
    st.tuples(st.integers(1, 8), st.integers(1, 9), st.sampled_from([{}, {"print": "A"}])),
    max_size=6,
    unique_by=lambda each: (each[0], str(each[2])),
).map(lambda found: tuple(line(number, count, **data) for number, count, data in found))


@given(lines, lines, st.sampled_from(MergePolicy), st.integers(1, 8))
def test_laws(mine: Any, theirs: Any, policy: MergePolicy, most: int) -> None:
    """No line twice, no line in two places, at least what one of them had, never more than both,
    and nothing vanishes: it is in the cart or can be restored."""
    own, guest = cart(*mine[:most], customer=True), cart(*theirs[:most])
    found, _ = merged(own, guest, policy, SCENE, most)
    keys = [each.key for each in found.lines]
    assert len(set(keys)) == len(keys) <= most
    assert not set(keys) & {each.key for each in found.removed}
    before = (
        {each.key: each.quantity for each in own.lines},
        {each.key: each.quantity for each in guest.lines},
    )
    for each in found.lines:
        had = [quantities[each.key] for quantities in before if each.key in quantities]
        assert min(had) <= each.quantity <= sum(had)
    there = set(keys) | {each.key for each in found.removed}
    assert there == before[0].keys() | before[1].keys()
