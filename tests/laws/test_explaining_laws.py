"""Laws of explanations: the parts of a total sum to it, and every step says how it was rounded."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given

from checkstand.pricing.calculator import quote
from checkstand.pricing.explaining import explain
from checkstand.pricing.quote import Facts
from checkstand.pricing.trace import as_json
from tests.laws.test_coupon_laws import promoted_carts
from tests.laws.test_pricing_laws import law

TOTALS = {
    "subtotal": "subtotal",
    "subtotal_tax": "subtotal_tax",
    "discount_total": "discount_total",
    "discount_tax": "discount_tax",
    "cart_contents_total": "contents_total",
    "cart_contents_tax": "contents_tax",
    "fee_total": "fee_total",
    "fee_tax": "fee_tax",
    "shipping_total": "shipping_total",
    "shipping_tax": "shipping_tax",
    "total_tax": "total_tax",
    "total": "total",
}


@law
@given(promoted_carts())
def test_the_parts_of_a_total_sum_to_it(facts: Facts) -> None:
    result = quote(facts)
    traces = explain(facts, result)
    assert set(traces) == set(TOTALS)
    for name, attribute in TOTALS.items():
        assert traces[name].minor == getattr(result, attribute).minor, name
        assert sum(part.minor for part in traces[name].parts) == traces[name].minor
    as_json(traces, {})


@law
@given(promoted_carts())
def test_every_step_leads_to_its_part(facts: Facts) -> None:
    result = quote(facts)
    traces = explain(facts, result)
    for name in set(TOTALS) - {"fee_tax"}:
        for part in traces[name].parts:
            assert part.steps, f"{name}: no part is ever without its steps"
            assert part.steps[-1].result == part.minor
            for step in part.steps:
                if step.exact is not None:
                    assert abs(step.exact - step.result) <= Fraction(1, 2)
                    assert step.rounding == "half up"
                    assert step.rate
                if step.rounding == "half up":
                    assert step.exact is not None
    # Only what gives back less than it would may be without: it was cut down to what was charged.
    for part in traces["fee_tax"].parts:
        assert part.steps or part.minor <= 0


@law
@given(promoted_carts())
def test_explaining_changes_nothing(facts: Facts) -> None:
    before = quote(facts)
    explain(facts, before)
    assert quote(facts) == before
