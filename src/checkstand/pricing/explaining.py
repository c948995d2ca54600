"""How every total came about: the rules, rates and rounding steps behind a quote.

Made of the same facts as the quote, and only when somebody asks. Pure, as the calculator is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from checkstand.kit.money import Exchange, Money
from checkstand.pricing import coupon_traces
from checkstand.pricing.discounts import promoted
from checkstand.pricing.quote import (
    AppliedTax,
    Facts,
    FeeFacts,
    LineFacts,
    Package,
    Quote,
    QuotedFee,
    QuoteLine,
    TaxTotal,
    TotalKind,
    TotalLine,
)
from checkstand.pricing.trace import (
    HALF_UP,
    LARGEST_REMAINDER,
    Part,
    Step,
    Trace,
    decimal,
    told,
)
from checkstand.promotions.rules import Promotions
from checkstand.shipping.model import MethodKind, ShippingMethod
from checkstand.tax.rates import NO_TAX, Levy, exclusive, inclusive

_TOTAL_OF = {
    TotalKind.SUBTOTAL: "subtotal",
    TotalKind.DISCOUNT: "discount_total",
    TotalKind.FULFILMENT: "shipping_total",
    TotalKind.FEE: "fee_total",
    TotalKind.TAX: "total_tax",
}
"""Which trace tells more about a row of the total."""


def explain(facts: Facts, quote: Quote) -> dict[str, Trace]:
    """The twelve flat totals of the contract, each with what made it."""
    pricing = _Pricing.of(facts)
    lines = [(pricing.facts_of[line.key], line) for line in quote.lines]
    fees = list(zip(facts.fees, quote.fees, strict=True))
    parts: dict[str, list[Part]] = {
        "subtotal": [pricing.before(given, line) for given, line in lines],
        "subtotal_tax": [p for given, line in lines for p in pricing.tax_before(given, line)],
        "discount_total": coupon_traces.discounts(facts, quote, pricing.promotions),
        "discount_tax": coupon_traces.discount_taxes(quote, pricing.promotions),
        "cart_contents_total": [pricing.after(given, line) for given, line in lines],
        "cart_contents_tax": [p for given, line in lines for p in pricing.tax_after(given, line)],
        "fee_total": [pricing.fee(given, fee) for given, fee in fees],
        "fee_tax": [part for given, fee in fees for part in pricing.fee_taxes(given, fee)],
        "shipping_total": [pricing.shipping(package, label) for package, label in _chosen(quote)],
        "shipping_tax": [
            part for package, label in _chosen(quote) for part in pricing.on_rate(package, label)
        ],
        "total_tax": [_whole_tax(quote, tax) for tax in quote.taxes],
        "total": [_row(row) for row in quote.totals[:-1]],
    }
    return {name: Trace.of(found) for name, found in parts.items()}


def _row(row: TotalLine) -> Part:
    step = Step(f"from {_TOTAL_OF[row.kind]}", row.amount.minor)
    return Part(row.kind.value, row.code, row.label, row.amount.minor, (step,))


def _whole_tax(quote: Quote, tax: TaxTotal) -> Part:
    """A rate's tax on the contents, then on what else it was charged on: sums of what is rounded
    already."""

    def of_rate(applied: Sequence[AppliedTax]) -> int:
        return sum(each.amount.minor for each in applied if each.rate.id == tax.rate.id)

    contents = sum(of_rate(line.taxes) for line in quote.lines)
    steps = [Step("from cart_contents_tax", contents)]
    if tax.shipping_amount:
        steps.append(Step("add from shipping_tax", contents + tax.shipping_amount.minor))
    if on_fees := sum(of_rate(fee.taxes) for fee in quote.fees):
        steps.append(Step("add from fee_tax", steps[-1].result + on_fees))
    return told(Part("tax", tax.rate.code, tax.rate.label, tax.amount.minor, tuple(steps)))


def _chosen(quote: Quote) -> list[tuple[Package, str]]:
    """Packages that go by some rate, each with what its parts are called: where there are several,
    by their names."""
    several = len(quote.packages) > 1
    return [
        (package, f"{package.name}: {rate.label}" if several else rate.label)
        for package in quote.packages
        if (rate := package.chosen) is not None
    ]


@dataclass(frozen=True, slots=True)
class _Pricing:
    facts: Facts
    exchange: Exchange
    facts_of: Mapping[str, LineFacts]
    promotions: Promotions
    due: Mapping[str, Levy]
    contained: Mapping[str, Levy]

    @classmethod
    def of(cls, facts: Facts) -> _Pricing:
        rules = facts.tax
        due: Mapping[str, Levy] = {}
        contained: Mapping[str, Levy] = {}
        if rules.enabled:
            due = rules.table.at(facts.tax_place)
            contained = rules.table.at(rules.base) if rules.prices_include_tax else {}
        exchange = Exchange.of(facts.base, facts.currency, facts.rate)
        by_key = {line.key: line for line in facts.lines}
        return cls(facts, exchange, by_key, promoted(facts, exchange), due, contained)

    def converted(self, rule: str, amount: Money) -> list[Step]:
        return coupon_traces.converted(self.exchange, self.facts.rate, rule, amount)

    def levies(self, line: LineFacts) -> tuple[Levy, Levy]:
        """What is due on a line, and what its price contains."""
        if not line.taxable:
            return NO_TAX, NO_TAX
        none = NO_TAX
        return self.due.get(line.tax_class, none), self.contained.get(line.tax_class, none)

    def entered(self, given: LineFacts, line: QuoteLine) -> list[Step]:
        """The price of the line, as prices are entered."""
        steps = self.converted("price", given.unit_price)
        whole = line.unit_price.minor * line.quantity
        return [*steps, Step("quantity", whole, str(line.quantity))]

    def before(self, given: LineFacts, line: QuoteLine) -> Part:
        """A line before coupons, ex tax."""
        steps = self.entered(given, line)
        return self.net("line", given, line, line.subtotal, steps)

    def after(self, given: LineFacts, line: QuoteLine) -> Part:
        """A line after coupons, ex tax: they take off what is entered, and then tax is worked
        out."""
        steps = self.entered(given, line)
        for each in self.promotions.applied:
            if off := each.off.get(line.key, 0):
                steps.append(Step("coupon", steps[-1].result - off, each.coupon.code))
        return self.net("line", given, line, line.total, steps)

    def net(
        self, of: str, given: LineFacts, line: QuoteLine, net: Money, steps: list[Step]
    ) -> Part:
        """The part with the tax that its price contains taken out, rounded once."""
        _, contained = self.levies(given)
        if contained.rates:
            entered = steps[-1].result
            exact = Fraction(entered * contained.scale, contained.scale + contained.whole)
            result = entered - sum(inclusive(entered, contained))
            steps.append(Step("take out tax", result, _per_cent(contained), exact, HALF_UP))
        return told(Part(of, line.key, "", net.minor, tuple(steps), line.key))

    def tax_after(self, given: LineFacts, line: QuoteLine) -> list[Part]:
        due, contained = self.levies(given)
        inside = bool(contained.rates) and contained.takes_as_much_as(due)
        return _taxes("line", line.total, line.taxes, due, inside=inside, line=line.key)

    def tax_before(self, given: LineFacts, line: QuoteLine) -> list[Part]:
        """The tax of a line before coupons; the quote has its sum only."""
        due, contained = self.levies(given)
        inside = bool(contained.rates) and contained.takes_as_much_as(due)
        whole = (line.subtotal + line.subtotal_tax).minor
        shares = inclusive(whole, due) if inside else exclusive(line.subtotal.minor, due)
        money = self.facts.currency.money
        taxes = [
            AppliedTax(rate, money(minor)) for rate, minor in zip(due.rates, shares, strict=True)
        ]
        return _taxes("line", line.subtotal, taxes, due, inside=inside, line=line.key)

    def fee(self, given: FeeFacts, fee: QuotedFee) -> Part:
        steps = self.converted("fee", given.amount)
        if steps[-1].result != fee.amount.minor:
            steps.append(Step("limited to what is due", fee.amount.minor))
        return told(Part("fee", fee.id, fee.name, fee.amount.minor, tuple(steps)))

    def fee_taxes(self, given: FeeFacts, fee: QuotedFee) -> list[Part]:
        due = self.due.get(fee.tax_class, NO_TAX) if fee.taxable else NO_TAX
        return _taxes("fee", fee.amount, fee.taxes, due, label=fee.name)

    def shipping(self, package: Package, label: str) -> Part:
        rate = package.chosen
        assert rate is not None
        method = self.method(rate.key)
        steps = self.method_steps(method, package) if method else []
        return told(Part("shipping", rate.key, label, rate.cost.minor, tuple(steps)))

    def on_rate(self, package: Package, label: str) -> list[Part]:
        rate = package.chosen
        assert rate is not None
        due = self.due.get(self.facts.tax.shipping_class, NO_TAX).on_shipping()
        return _taxes("shipping", rate.cost, rate.taxes, due, label=label)

    def method(self, key: str) -> ShippingMethod | None:
        every = (method for zone in self.facts.zones for method in zone.methods)
        return next((method for method in every if method.rate_key == key), None)

    def method_steps(self, method: ShippingMethod, package: Package) -> list[Step]:
        """Each amount of a method is converted and rounded on its own, and then they are added."""
        if method.kind is MethodKind.FREE_SHIPPING:
            return [Step("free shipping", 0)]
        inside = [self.facts_of[key] for key in package.contents]
        items = sum(package.contents.values())
        steps = self.converted("cost of the order", method.per_order)
        total = steps[-1].result
        if method.per_item.minor:
            steps += self.converted("cost of an item", method.per_item)
            total += steps[-1].result * items
            steps.append(Step("add for each item", total, str(items)))
        for name in sorted({line.shipping_class for line in inside} & set(method.per_class)):
            steps += self.converted("cost of a shipping class", method.per_class[name])
            total += steps[-1].result
            steps.append(Step("add for the class", total, name))
        return steps


def _taxes(
    of: str,
    net: Money,
    applied: Sequence[AppliedTax],
    levy: Levy,
    *,
    inside: bool = False,
    line: str = "",
    label: str = "",
) -> list[Part]:
    """The tax of each rate on an amount. It is rounded once for all rates, and shared out."""
    whole = sum(tax.amount.minor for tax in applied)
    base = net.minor + whole if inside else net.minor
    rule = "tax inside" if inside else "tax on top"
    of_scale = levy.scale + levy.whole if inside else levy.scale
    steps: tuple[Step, ...] = ()
    if levy.rates:
        exact = Fraction(base * levy.whole, of_scale)
        steps = (
            Step("taxed amount", base),
            Step(rule, whole, _per_cent(levy), exact, HALF_UP),
        )
    parts = []
    for tax in applied:
        shared = steps
        if len(applied) > 1:
            share = Step("share", tax.amount.minor, f"{tax.rate.rate.normalize():f}%", None,
                         LARGEST_REMAINDER)  # fmt: skip
            shared = (*steps, share)
        named = f"{label}: {tax.rate.label}" if label else tax.rate.label
        parts.append(told(Part(of, tax.rate.code, named, tax.amount.minor, shared, line)))
    return parts


def _per_cent(levy: Levy) -> str:
    """What is charged together, of the amount without tax; compound rates make it more than their
    sum."""
    return f"{decimal(Fraction(100 * levy.whole, levy.scale))}%"
