"""Laws of coupons: what holds for every cart and every set of coupons."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from checkstand.kit.money import Exchange, total
from checkstand.pricing.calculator import quote
from checkstand.pricing.quote import Facts, TotalKind
from checkstand.promotions.model import Coupon, CouponKind, CouponState
from checkstand.promotions.rules import Reason
from tests.laws.test_pricing_laws import MOST_MINOR, carts, law

minor_amounts = st.one_of(st.integers(0, 10_000), st.integers(0, MOST_MINOR))
amounts = st.one_of(
    st.tuples(
        st.just(CouponKind.PERCENT),
        st.one_of(
            st.sampled_from([Decimal(text) for text in ("10", "33.3333", "100", "0.01", "0")]),
            st.integers(0, 10**6).map(lambda parts: Decimal(parts).scaleb(-4)),
        ),
    ),
    st.tuples(st.just(CouponKind.FIXED_CART), minor_amounts.map(Decimal)),
    st.tuples(st.just(CouponKind.FIXED_PRODUCT), minor_amounts.map(Decimal)),
)
goods_of = st.sampled_from([frozenset[int](), frozenset[int](), frozenset({1, 2}), frozenset({3})])


@st.composite
def coupons(draw: st.DrawFn) -> Coupon:
    kind, amount = draw(amounts)
    limited = kind is not CouponKind.FIXED_CART and draw(st.booleans())
    return Coupon(
        code="",
        kind=kind,
        amount=amount,
        free_shipping=draw(st.booleans()),
        product_ids=draw(goods_of),
        excluded_product_ids=draw(st.sampled_from([frozenset[int](), frozenset({2})])),
        category_ids=draw(st.sampled_from([frozenset[int]()] * 3 + [frozenset({7})])),
        excludes_sale_items=draw(st.sampled_from([False, False, True])),
        item_limit=draw(st.integers(1, 12)) if limited else None,
        minimum=draw(st.one_of(st.none(), st.none(), minor_amounts)),
        individual_use=draw(st.sampled_from([False] * 7 + [True])),
    )


@st.composite
def promoted_carts(draw: st.DrawFn) -> Facts:
    """Carts with up to four coupons, and lines that these may or may not be for."""
    facts = draw(carts())
    found = draw(st.lists(coupons(), min_size=1, max_size=4))
    named = {f"c{n}": replace(each, code=f"c{n}", id=n) for n, each in enumerate(found, 1)}
    kinds = st.tuples(st.integers(1, 3), st.sampled_from([(), (7,), (8,)]), st.booleans())
    lines = []
    for line in facts.lines:
        product_id, categories, on_sale = draw(kinds)
        lines.append(replace(line, product_id=product_id, category_ids=categories, on_sale=on_sale))
    return replace(
        facts,
        lines=tuple(lines),
        coupons=tuple(named),
        coupon_states={code: CouponState(each) for code, each in named.items()},
    )


@law
@given(promoted_carts())
def test_allocations_sum_to_the_coupon_and_to_the_line(facts: Facts) -> None:
    result = quote(facts)
    zero = facts.currency
    for each in result.discounts:
        assert total(each.allocations.values(), zero) == each.amount
        assert all(share.minor >= 0 for share in each.allocations.values())
    for line in result.lines:
        shares = [e.allocations[line.key] for e in result.discounts if line.key in e.allocations]
        assert total(shares, zero) == line.subtotal - line.total
    assert total((e.amount for e in result.discounts), zero) == result.discount_total
    assert total((e.tax for e in result.discounts), zero) == result.discount_tax


@law
@given(promoted_carts())
def test_the_rows_sum_with_coupons_too(facts: Facts) -> None:
    result = quote(facts)
    *parts, whole = result.totals
    assert total((row.amount for row in parts), facts.currency) == whole.amount == result.total
    off = [row.amount for row in parts if row.kind is TotalKind.DISCOUNT]
    assert total(off, facts.currency) == -result.discount_total
    flat = [result.contents_total, result.shipping_total, result.fee_total, result.total_tax]
    assert total(flat, facts.currency) == result.total


@law
@given(promoted_carts())
def test_no_line_no_tax_and_no_total_falls_below_zero(facts: Facts) -> None:
    result = quote(facts)
    assert min(result.total.minor, result.total_tax.minor, result.discount_total.minor) >= 0
    for line in result.lines:
        assert 0 <= line.total.minor <= line.subtotal.minor
        assert 0 <= line.tax.minor <= line.subtotal_tax.minor
        assert all(applied.amount.minor >= 0 for applied in line.taxes)
        assert total((applied.amount for applied in line.taxes), facts.currency) == line.tax


@law
@given(promoted_carts(), st.randoms(use_true_random=False))
def test_neither_the_order_of_coupons_nor_of_lines_matters(facts: Facts, random: Random) -> None:
    result = quote(facts)
    codes, lines = list(facts.coupons), list(facts.lines)
    random.shuffle(codes)
    random.shuffle(lines)
    other = quote(replace(facts, coupons=tuple(codes), lines=tuple(lines)))
    assert other.totals == result.totals
    assert other.discounts == result.discounts
    assert {each.code for each in other.rejected} == {each.code for each in result.rejected}
    assert {line.key: line for line in other.lines} == {line.key: line for line in result.lines}


@law
@given(promoted_carts())
def test_a_rejected_coupon_takes_nothing_off(facts: Facts) -> None:
    result = quote(facts)
    held = tuple(each.code for each in result.discounts)
    assert {*held} | {each.code for each in result.rejected} == {*facts.coupons}
    assert not {*held} & {each.code for each in result.rejected}
    without = quote(replace(facts, coupons=held))
    assert replace(result, rejected=()) == without


@law
@given(promoted_carts())
def test_another_coupon_never_makes_the_goods_dearer(facts: Facts) -> None:
    states = {
        code: CouponState(replace(state.coupon, individual_use=False))
        for code, state in facts.coupon_states.items()
    }
    untaxed = replace(facts, coupon_states=states, tax=replace(facts.tax, enabled=False))
    fewer = quote(replace(untaxed, coupons=untaxed.coupons[:-1]))
    assert quote(untaxed).contents_total <= fewer.contents_total


@law
@given(promoted_carts(), amounts)
def test_one_coupon_for_everything_takes_off_just_what_it_says(
    facts: Facts, given_amount: tuple[CouponKind, Decimal]
) -> None:
    kind, amount = given_amount
    coupon = Coupon(code="all", kind=kind, amount=amount, id=1)
    plain = replace(
        facts,
        coupons=("all",),
        coupon_states={"all": CouponState(coupon)},
        tax=replace(facts.tax, enabled=False),
    )
    result = quote(plain)
    if not plain.lines:
        assert [each.reason for each in result.rejected] == [Reason.NOT_APPLICABLE]
        return
    off, entered = result.discount_total.minor, result.subtotal.minor
    if kind is CouponKind.PERCENT:
        assert abs(off - entered * amount / 100) <= Decimal("0.5")
        return
    exchange = Exchange.of(facts.base, facts.currency, facts.rate)
    each_off = exchange.convert(facts.base.money(int(amount))).minor
    if kind is CouponKind.FIXED_CART:
        assert off == min(each_off, entered)
    else:
        per_line = (min(each_off, ln.unit_price.minor) * ln.quantity for ln in result.lines)
        assert off == sum(per_line)


@law
@given(promoted_carts())
def test_limited_items_get_no_more_than_unlimited_ones(facts: Facts) -> None:
    unlimited = {
        code: CouponState(replace(state.coupon, item_limit=None))
        for code, state in facts.coupon_states.items()
    }
    plain = replace(facts, coupons=facts.coupons[:1], tax=replace(facts.tax, enabled=False))
    less, more = quote(plain), quote(replace(plain, coupon_states=unlimited))
    assert less.discount_total <= more.discount_total
