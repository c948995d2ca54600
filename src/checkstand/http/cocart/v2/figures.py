"""The amounts of a quote as CoCart v2 says them: minor units in strings, or display text where a
request asks for that with `formatted`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from checkstand.cart.model import CartLine
from checkstand.cart.view import CartView
from checkstand.http.answers import empty_as_list
from checkstand.http.display import CurrencyFormat, currency_format
from checkstand.kit.money import Money
from checkstand.pricing.quote import AppliedDiscount, Quote, QuotedFee, TaxTotal

Say = Callable[[Money], str]


def minor(amount: Money) -> str:
    return str(amount.minor)


def totals(quote: Quote, say: Say = minor) -> dict[str, str]:
    """The ten figures of contract cart.md 1.4."""
    return {
        "subtotal": say(quote.subtotal),
        "subtotal_tax": say(quote.subtotal_tax),
        "fee_total": say(quote.fee_total),
        "fee_tax": say(quote.fee_tax),
        "discount_total": say(quote.discount_total),
        "discount_tax": say(quote.discount_tax),
        "shipping_total": say(quote.shipping_total),
        "shipping_tax": say(quote.shipping_tax),
        "total": say(quote.total),
        "total_tax": say(quote.total_tax),
    }


def engine_totals(quote: Quote, writing: CurrencyFormat | None) -> dict[str, Any]:
    """The fifteen figures of `GET /cart/totals`, in major units; with `writing` as display text."""

    def shown(amount: Money) -> str:
        return writing.show(amount) if writing else amount.decimal()

    on_fees: dict[str, Money] = {}
    for fee in quote.fees:
        for applied in fee.taxes:
            so_far = on_fees.get(applied.rate.code, quote.currency.zero)
            on_fees[applied.rate.code] = so_far + applied.amount
    everything = _by_code(quote, lambda tax: tax.amount - tax.shipping_amount)
    contents = {
        code: sum_ - on_fees.get(code, quote.currency.zero) for code, sum_ in everything.items()
    }
    carriage = _by_code(quote, lambda tax: tax.shipping_amount)
    return {
        "subtotal": shown(quote.subtotal),
        "subtotal_tax": shown(quote.subtotal_tax),
        "shipping_total": shown(quote.shipping_total),
        "shipping_tax": shown(quote.shipping_tax),
        "shipping_taxes": empty_as_list({c: shown(a) for c, a in carriage.items() if a}),
        "discount_total": shown(quote.discount_total),
        "discount_tax": shown(quote.discount_tax),
        "cart_contents_total": shown(quote.contents_total),
        "cart_contents_tax": shown(quote.contents_tax),
        "cart_contents_taxes": empty_as_list({c: shown(a) for c, a in contents.items() if a}),
        "fee_total": shown(quote.fee_total),
        "fee_tax": shown(quote.fee_tax),
        "fee_taxes": empty_as_list({c: shown(a) for c, a in on_fees.items() if a}),
        "total": shown(quote.total),
        "total_tax": shown(quote.total_tax),
    }


def engine_lines(seen: CartView) -> Any:
    """`GET /cart?default=true`: item key -> the line as the engine has it, its amounts numbers in
    major units (contract cart.md 1)."""
    return empty_as_list({line.key: _engine_line(seen, line) for line in seen.cart.lines})


def _engine_line(seen: CartView, line: CartLine) -> dict[str, Any]:
    quoted = seen.quote.line(line.key)
    return {
        "key": line.key,
        "product_id": line.product_id,
        "variation_id": line.variation_id,
        "variation": empty_as_list(line.variation),
        "quantity": line.quantity,
        "cart_item_data": empty_as_list(line.item_data),
        "line_subtotal": float(quoted.subtotal.major()),
        "line_subtotal_tax": float(quoted.subtotal_tax.major()),
        "line_total": float(quoted.total.major()),
        "line_tax": float(quoted.tax.major()),
    }


def taxes(quote: Quote, say: Say = minor) -> Any:
    """Rate code -> {name, price}; nothing when prices are shown with tax (contract cart.md 1.5)."""
    if quote.prices_include_tax:
        return []
    names = {tax.rate.code: tax.rate.label for tax in quote.taxes}
    amounts = _by_code(quote, lambda tax: tax.amount)
    return empty_as_list(
        {code: {"name": names[code], "price": say(amounts[code])} for code in names}
    )


def _by_code(quote: Quote, part: Callable[[TaxTotal], Money]) -> dict[str, Money]:
    """A part of the taxes by rate code. Rates of several classes may share one: they add up."""
    sums: dict[str, Money] = {}
    for tax in quote.taxes:
        sums[tax.rate.code] = sums.get(tax.rate.code, quote.currency.zero) + part(tax)
    return sums


def fees(quote: Quote, say: Say = minor) -> Any:
    """Fee id -> {name, fee}, with the members of the newer specification beside them, which are
    numbers in major units (contract cart.md 1.5, v2-cart.md 3.4)."""
    return empty_as_list({fee.id: _fee(fee, say) for fee in quote.fees})


def _fee(fee: QuotedFee, say: Say) -> dict[str, Any]:
    amount = float(fee.amount.major())
    return {
        "name": fee.name,
        "fee": say(fee.amount),
        "amount": amount,
        "taxable": fee.taxable,
        "tax_class": fee.tax_class,
        "total": amount,
        "tax": float(fee.tax.major()),
    }


def coupons(quote: Quote, writing: CurrencyFormat, say: Say = minor) -> list[dict[str, str]]:
    """The coupons that are applied (contract cart.md 1.5)."""
    return [_coupon(quote, each, writing, say) for each in quote.discounts]


def _coupon(
    quote: Quote, each: AppliedDiscount, writing: CurrencyFormat, say: Say
) -> dict[str, str]:
    saving = each.amount + each.tax if quote.prices_include_tax else each.amount
    free = each.free_shipping and not saving
    return {
        "coupon": each.code,
        "label": each.label,
        "discount_type": each.kind.value,
        "saving": say(-saving),
        "saving_html": "Free shipping coupon" if free else f"-{writing.show(saving)}",
    }


def coupons_with_totals(seen: CartView, language: str) -> list[dict[str, Any]]:
    """`GET /cart/coupons`: as in the cart, with what each takes off ex tax (v2-cart.md 10)."""
    writing = currency_format(seen.quote.currency, language)
    return [
        {
            **_coupon(seen.quote, each, writing, minor),
            "totals": {"discount": minor(each.amount), "discount_tax": minor(each.tax)},
        }
        for each in seen.quote.discounts
    ]
