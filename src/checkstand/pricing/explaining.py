"""How every total came about: the rules, rates and rounding steps behind a quote.

Made of the same facts as the quote, and only when somebody asks. Pure, as the calculator is. A step
that does not lead to the quote's own amount is never told: the part then says its amount only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from checkstand.kit.money import Exchange, Money
from checkstand.pricing.quote import (
    AppliedTax,
    Facts,
    FeeFacts,
    LineFacts,
    Package,
    Quote,
    QuotedFee,
    QuoteLine,
)
from checkstand.shipping.model import MethodKind, ShippingMethod
from checkstand.tax.rates import NO_TAX, Levy, inclusive

HALF_UP = "half up"
LARGEST_REMAINDER = "largest remainder"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done to an amount. `exact` is what came out before `rounding`, in minor
    units; `result` is where the amount then stands."""

    rule: str
    result: int
    rate: str = ""
    exact: Fraction | None = None
    rounding: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """What one line, rate, fee or tax brings to a total, and the steps to it."""

    of: str
    code: str
    label: str
    minor: int
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """A total: its parts sum to it."""

    minor: int
    parts: tuple[Part, ...] = field(default=())


def explain(facts: Facts, quote: Quote) -> dict[str, Trace]:
    """The twelve flat totals of the contract, each with what made it."""
    pricing = _Pricing.of(facts)
    lines = [(pricing.facts_of[line.key], line) for line in quote.lines]
    fees = list(zip(facts.fees, quote.fees, strict=True))
    found: dict[str, list[Part]] = {
        "subtotal": [pricing.subtotal(given, line) for given, line in lines],
        "subtotal_tax": [_plain("line", line.key, "", line.subtotal_tax) for line in quote.lines],
        "discount_total": _discounts(quote, tax=False),
        "discount_tax": _discounts(quote, tax=True),
        "cart_contents_total": [_plain("line", line.key, "", line.total) for line in quote.lines],
        "cart_contents_tax": [part for given, line in lines for part in pricing.taxes(given, line)],
        "fee_total": [pricing.fee(given, fee) for given, fee in fees],
        "fee_tax": [part for given, fee in fees for part in pricing.fee_taxes(given, fee)],
        "shipping_total": [pricing.shipping(package, label) for package, label in _chosen(quote)],
        "shipping_tax": [
            part for package, label in _chosen(quote) for part in pricing.on_rate(package, label)
        ],
        "total_tax": [
            _plain("tax", tax.rate.code, tax.rate.label, tax.amount) for tax in quote.taxes
        ],
        "total": [
            _plain(row.kind.value, row.code, row.label, row.amount) for row in quote.totals[:-1]
        ],
    }
    if all(line.subtotal == line.total for line in quote.lines):
        found["subtotal_tax"] = found["cart_contents_tax"]
    return {
        name: Trace(sum(part.minor for part in parts), tuple(parts))
        for name, parts in found.items()
    }


def _plain(of: str, code: str, label: str, amount: Money) -> Part:
    return Part(of, code, label, amount.minor)


def _chosen(quote: Quote) -> list[tuple[Package, str]]:
    """Packages that go by some rate, each with what its parts are called: where there are several,
    by their names."""
    several = len(quote.packages) > 1
    return [
        (package, f"{package.name}: {rate.label}" if several else rate.label)
        for package in quote.packages
        if (rate := package.chosen) is not None
    ]


def _discounts(quote: Quote, *, tax: bool) -> list[Part]:
    found = []
    for line in quote.lines:
        off = line.subtotal_tax - line.tax if tax else line.subtotal - line.total
        if off.minor:
            found.append(_plain("line", line.key, "", off))
    return found


@dataclass(frozen=True, slots=True)
class _Pricing:
    facts: Facts
    exchange: Exchange
    facts_of: Mapping[str, LineFacts]
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
        return cls(
            facts,
            Exchange.of(facts.base, facts.currency, facts.rate),
            {line.key: line for line in facts.lines},
            due,
            contained,
        )

    def converted(self, rule: str, amount: Money) -> list[Step]:
        """An amount of the base currency, and in the active one where that is another."""
        steps = [Step(rule, amount.minor)]
        if self.facts.base != self.facts.currency:
            scale = Fraction(10) ** (self.facts.currency.exponent - self.facts.base.exponent)
            exact = amount.minor * Fraction(self.facts.rate) * scale
            result = self.exchange.convert(amount).minor
            steps.append(Step("exchange", result, str(self.facts.rate), exact, HALF_UP))
        return steps

    def levies(self, line: LineFacts) -> tuple[Levy, Levy]:
        """What is due on a line, and what its price contains."""
        if not line.taxable:
            return NO_TAX, NO_TAX
        none = NO_TAX
        return self.due.get(line.tax_class, none), self.contained.get(line.tax_class, none)

    def subtotal(self, given: LineFacts, line: QuoteLine) -> Part:
        steps = self.converted("price", given.unit_price)
        entered = line.unit_price.minor * line.quantity
        steps.append(Step("quantity", entered, str(line.quantity)))
        _, contained = self.levies(given)
        if contained.rates:
            whole = contained.scale + contained.whole
            exact = Fraction(entered * contained.scale, whole)
            net = entered - sum(inclusive(entered, contained))
            steps.append(Step("take out tax", net, _per_cent(contained), exact, HALF_UP))
        return _told(Part("line", line.key, "", line.subtotal.minor, tuple(steps)))

    def taxes(self, given: LineFacts, line: QuoteLine) -> list[Part]:
        due, contained = self.levies(given)
        inside = bool(contained.rates) and contained.takes_as_much_as(due)
        return _taxes("line", line.key, line.total, line.taxes, due, inside=inside)

    def fee(self, given: FeeFacts, fee: QuotedFee) -> Part:
        steps = self.converted("fee", given.amount)
        if steps[-1].result != fee.amount.minor:
            steps.append(Step("limited to what is due", fee.amount.minor))
        return _told(Part("fee", fee.id, fee.name, fee.amount.minor, tuple(steps)))

    def fee_taxes(self, given: FeeFacts, fee: QuotedFee) -> list[Part]:
        due = self.due.get(fee.tax_class, NO_TAX) if fee.taxable else NO_TAX
        return _taxes("fee", fee.id, fee.amount, fee.taxes, due)

    def shipping(self, package: Package, label: str) -> Part:
        rate = package.chosen
        assert rate is not None
        method = self.method(rate.key)
        steps = self.method_steps(method, package) if method else []
        return _told(Part("shipping", rate.key, label, rate.cost.minor, tuple(steps)))

    def on_rate(self, package: Package, label: str) -> list[Part]:
        rate = package.chosen
        assert rate is not None
        due = self.due.get(self.facts.tax.shipping_class, NO_TAX).on_shipping()
        name = rate.key if label == rate.label else f"{package.name}: {rate.key}"
        return _taxes("shipping", name, rate.cost, rate.taxes, due)

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
    code: str,
    net: Money,
    applied: Sequence[AppliedTax],
    levy: Levy,
    *,
    inside: bool = False,
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
        label = f"{code}: {tax.rate.label}"
        parts.append(_told(Part(of, tax.rate.code, label, tax.amount.minor, shared)))
    return parts


def _per_cent(levy: Levy) -> str:
    """What is charged together, of the amount without tax; compound rates make it more than their
    sum."""
    return f"{_decimal(Fraction(100 * levy.whole, levy.scale))}%"


def _decimal(exact: Fraction) -> str:
    """At most 8 decimals."""
    text = f"{Decimal(exact.numerator) / Decimal(exact.denominator):.8f}"
    return text.rstrip("0").rstrip(".")


def _told(part: Part) -> Part:
    """The part, without steps that do not lead to it or that do not round as they say."""
    leads = not part.steps or part.steps[-1].result == part.minor
    return (
        part if leads and _rounds(part.steps) else Part(part.of, part.code, part.label, part.minor)
    )


def _rounds(steps: Iterable[Step]) -> bool:
    return all(
        step.exact is None or abs(step.exact - step.result) <= Fraction(1, 2) for step in steps
    )


def as_json(traces: Mapping[str, Trace]) -> dict[str, object]:
    """The traces with amounts in minor units, in strings."""
    return {
        name: {
            "amount": str(trace.minor),
            "parts": [
                {
                    "of": part.of,
                    "code": part.code,
                    "label": part.label,
                    "amount": str(part.minor),
                    "steps": [_step(step) for step in part.steps],
                }
                for part in trace.parts
            ],
        }
        for name, trace in traces.items()
    }


def _step(step: Step) -> dict[str, str]:
    told = {"rule": step.rule, "result": str(step.result)}
    if step.rate:
        told["rate"] = step.rate
    if step.exact is not None:
        told["exact"] = _decimal(step.exact)
    if step.rounding:
        told["rounding"] = step.rounding
    return told
