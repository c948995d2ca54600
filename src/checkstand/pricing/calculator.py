"""The one way to totals: facts in, a quote out.

Rounding. Every unit price, shipping amount and fee is converted and rounded half up on its own,
then multiplied and summed. The tax of a line, a shipping rate or a fee is rounded once and shared
over its rates; nothing is rounded after that, so every part sums to the total.

Prices that include tax include the rates of the store's own place. Where just as much tax is due,
the shopper pays the price as entered. Elsewhere the store's tax is taken out first, and the rates
of the place are put on what is left (as WooCommerce does by default): the shop earns the same net
everywhere, and an export without tax is cheaper by the tax.

Coupons take their part off prices as entered, before tax; a line never falls below zero.

A negative fee takes at most what is due: neither the total nor any one tax falls below zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from checkstand.kit.money import Currency, Exchange, Money, allocate_units
from checkstand.pricing.discounts import discounts_of, promoted
from checkstand.pricing.packages import packages_of, weight_of
from checkstand.pricing.quote import (
    AppliedDiscount,
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
from checkstand.promotions.rules import Promotions
from checkstand.tax.model import TaxRate
from checkstand.tax.rates import NO_TAX, Levy, exclusive, inclusive


def quote(facts: Facts) -> Quote:
    """What the facts come to. The same facts give the same cents, in any order of the lines."""
    exchange = Exchange.of(facts.base, facts.currency, facts.rate)
    levies = _Levies.of(facts)
    ledger = _Ledger(facts.currency)
    promotions = promoted(facts, exchange)
    off = promotions.off
    lines = tuple(
        _line(line, levies, exchange, off.get(line.key, 0) if off else 0) for line in facts.lines
    )
    for line in lines:
        ledger.charge(line.total, line.taxes)
    packages = packages_of(
        facts, facts.currency.money(ledger.net), levies.shipping, free=promotions.free_shipping
    )
    for package in packages:
        if package.chosen is not None:
            ledger.charge(package.chosen.cost, package.chosen.taxes, shipping=True)
    fees = _fees(facts.fees, levies, exchange, ledger)
    return _summed(facts, lines, packages, fees, ledger.tax_totals(), promotions)


def _summed(
    facts: Facts,
    lines: tuple[QuoteLine, ...],
    packages: tuple[Package, ...],
    fees: tuple[QuotedFee, ...],
    taxes: tuple[TaxTotal, ...],
    promotions: Promotions,
) -> Quote:
    """The parts with their sums: nothing is rounded from here on."""
    zero = facts.currency.zero
    chosen = [package.chosen for package in packages if package.chosen is not None]
    subtotal = _sum(zero, [line.subtotal for line in lines])
    subtotal_tax = _sum(zero, [line.subtotal_tax for line in lines])
    contents = _sum(zero, [line.total for line in lines])
    contents_tax = _sum(zero, [line.tax for line in lines])
    discounts = discounts_of(promotions, lines, facts.currency)
    rows = _totals(subtotal, discounts, packages, fees, taxes)
    return Quote(
        currency=facts.currency,
        base=facts.base,
        rate=facts.rate,
        prices_include_tax=facts.tax.prices_include_tax,
        lines=lines,
        packages=packages,
        fees=fees,
        taxes=taxes,
        totals=rows,
        subtotal=subtotal,
        subtotal_tax=subtotal_tax,
        discount_total=subtotal - contents,
        discount_tax=subtotal_tax - contents_tax,
        contents_total=contents,
        contents_tax=contents_tax,
        fee_total=_sum(zero, [fee.amount for fee in fees]),
        fee_tax=_sum(zero, [fee.tax for fee in fees]),
        shipping_total=_sum(zero, [rate.cost for rate in chosen]),
        shipping_tax=_sum(zero, [rate.tax for rate in chosen]),
        total=rows[-1].amount,
        total_tax=_sum(zero, [tax.amount for tax in taxes]),
        needs_shipping=bool(packages),
        has_destination=facts.destination.known,
        weight=weight_of((line.weight, line.quantity) for line in facts.lines),
        discounts=discounts,
        rejected=promotions.rejected,
    )


def _sum(zero: Money, amounts: Sequence[Money]) -> Money:
    if len(amounts) == 1:
        return amounts[0]
    return Money(sum([amount.minor for amount in amounts]), zero.currency) if amounts else zero


@dataclass(frozen=True, slots=True)
class _Levies:
    """What is taxed how: `due` where tax is due, `contained` in the prices as entered (empty when
    they are ex tax), both by tax class; `shipping` on what shipping costs."""

    due: Mapping[str, Levy]
    contained: Mapping[str, Levy]
    shipping: Levy

    @classmethod
    def of(cls, facts: Facts) -> _Levies:
        rules = facts.tax
        if not rules.enabled:
            return _UNTAXED
        due = rules.table.at(facts.tax_place)
        contained: Mapping[str, Levy] = {}
        if rules.prices_include_tax:
            at_home = facts.tax_place == rules.base
            contained = due if at_home else rules.table.at(rules.base)
        return cls(due, contained, due.get(rules.shipping_class, NO_TAX).on_shipping())


_UNTAXED = _Levies({}, {}, NO_TAX)


@dataclass(slots=True)
class _Ledger:
    """What is due so far, in minor units: net, and the tax of each rate."""

    currency: Currency
    net: int = 0
    tax: int = 0
    rates: dict[int, TaxRate] = field(default_factory=dict)
    by_rate: dict[int, int] = field(default_factory=dict)
    on_shipping: dict[int, int] = field(default_factory=dict)

    def charge(self, amount: Money, taxes: Iterable[AppliedTax], *, shipping: bool = False) -> None:
        self.net += amount.minor
        for applied in taxes:
            key, minor = applied.rate.id, applied.amount.minor
            self.tax += minor
            self.rates[key] = applied.rate
            self.by_rate[key] = self.by_rate.get(key, 0) + minor
            if shipping:
                self.on_shipping[key] = self.on_shipping.get(key, 0) + minor

    def tax_totals(self) -> tuple[TaxTotal, ...]:
        """One for each rate that applied, in an order that does not depend on the lines'."""
        money = self.currency.money
        ordered = sorted(self.rates.values(), key=lambda tax: (tax.priority, tax.position, tax.id))
        return tuple(
            [
                TaxTotal(
                    rate, money(self.by_rate[rate.id]), money(self.on_shipping.get(rate.id, 0))
                )
                for rate in ordered
            ]
        )


def _line(line: LineFacts, levies: _Levies, exchange: Exchange, off: int) -> QuoteLine:
    """The line with `off`, in minor units as entered, taken off it."""
    unit = exchange.convert(line.unit_price)
    entered = unit.minor * line.quantity
    levy = contained = NO_TAX
    if line.taxable:
        levy = levies.due.get(line.tax_class, NO_TAX)
        contained = levies.contained.get(line.tax_class, NO_TAX)
    net, parts = _net_and_tax(entered, levy, contained)
    money = exchange.currency.money
    subtotal, subtotal_tax = total, tax = money(net), money(sum(parts))
    if off:
        net, parts = _net_and_tax(entered - off, levy, contained)
        total, tax = money(net), money(sum(parts))
    return QuoteLine(
        key=line.key,
        product_id=line.product_id,
        quantity=line.quantity,
        unit_price=unit,
        regular_price=exchange.convert(line.regular_price),
        subtotal=subtotal,
        subtotal_tax=subtotal_tax,
        total=total,
        tax=tax,
        taxes=AppliedTax.each(levy, parts, exchange.currency),
    )


def _net_and_tax(entered: int, levy: Levy, contained: Levy) -> tuple[int, tuple[int, ...]]:
    """An amount as entered, which contains the tax of `contained`, as net and the tax of `levy`.

    Where the two take as much, net and tax sum to the amount as entered: the tax is rounded, the
    net is the rest. Else the net is rounded, and then the tax on it: an invoice must show the tax
    of the net that it shows.
    """
    if contained.takes_as_much_as(levy):
        parts = inclusive(entered, levy)
        return entered - sum(parts), parts
    net = entered - sum(inclusive(entered, contained))
    return net, exclusive(net, levy)


def _fees(
    fees: Sequence[FeeFacts], levies: _Levies, exchange: Exchange, ledger: _Ledger
) -> tuple[QuotedFee, ...]:
    """Fees in the order given, charged to the ledger."""
    quoted: dict[int, QuotedFee] = {}
    # Those that add come first: what a negative fee may take does not depend on its place.
    for index in sorted(range(len(fees)), key=lambda index: fees[index].amount.minor < 0):
        fee = _fee(fees[index], levies, exchange, ledger)
        ledger.charge(fee.amount, fee.taxes)
        quoted[index] = fee
    return tuple(quoted[index] for index in range(len(fees)))


def _fee(fee: FeeFacts, levies: _Levies, exchange: Exchange, ledger: _Ledger) -> QuotedFee:
    amount = exchange.convert(fee.amount).minor
    levy = levies.due.get(fee.tax_class, NO_TAX) if fee.taxable else NO_TAX
    parts = exclusive(amount, levy)
    if amount < 0:
        amount, parts = _limited(amount, parts, levy, ledger)
    currency = exchange.currency
    return QuotedFee(
        id=fee.id,
        name=fee.name,
        amount=currency.money(amount),
        tax=currency.money(sum(parts)),
        taxable=fee.taxable,
        tax_class=fee.tax_class,
        taxes=AppliedTax.each(levy, parts, currency),
    )


def _limited(
    amount: int, parts: tuple[int, ...], levy: Levy, ledger: _Ledger
) -> tuple[int, tuple[int, ...]]:
    """A negative fee and its tax, cut down to what is due.

    No rate gives back more than it has charged. A fee worth more than all that is due becomes
    one worth just that, tax included, so that the total is zero.
    """

    def refundable(wanted: tuple[int, ...]) -> tuple[int, ...]:
        charged = (ledger.by_rate.get(rate.id, 0) for rate in levy.rates)
        return tuple(max(part, -most) for part, most in zip(wanted, charged, strict=True))

    due = ledger.net + ledger.tax
    parts = refundable(parts)
    if amount + sum(parts) >= -due:
        return amount, parts
    cut = refundable(inclusive(-due, levy))
    least = -due - amount
    if sum(cut) > least:
        # So little tax can go back that the fee would grow beyond what was asked: more tax goes.
        cut = tuple(allocate_units(least, [-part for part in parts]))
    return -due - sum(cut), cut


def _totals(
    subtotal: Money,
    discounts: Iterable[AppliedDiscount],
    packages: Sequence[Package],
    fees: Iterable[QuotedFee],
    taxes: Iterable[TaxTotal],
) -> tuple[TotalLine, ...]:
    """The rows as shown, signed; the last is the sum of those before it."""
    rows = [TotalLine(TotalKind.SUBTOTAL, "subtotal", "Subtotal", subtotal)]
    rows += [
        TotalLine(TotalKind.DISCOUNT, each.code, each.label, -each.amount)
        for each in discounts
        if each.amount
    ]
    rows += [
        TotalLine(
            TotalKind.FULFILMENT,
            rate.key,
            f"{package.name}: {rate.label}" if len(packages) > 1 else rate.label,
            rate.cost,
        )
        for package in packages
        if (rate := package.chosen) is not None
    ]
    rows += [TotalLine(TotalKind.FEE, fee.id, fee.name, fee.amount) for fee in fees]
    rows += [TotalLine(TotalKind.TAX, tax.rate.code, tax.rate.label, tax.amount) for tax in taxes]
    total = _sum(subtotal, [row.amount for row in rows])
    return (*rows, TotalLine(TotalKind.TOTAL, "total", "Total", total))
