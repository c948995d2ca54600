"""When a cart comes to something else than its shopper was shown (DECISIONS 11)."""

from __future__ import annotations

from checkstand.cart.model import Cart
from checkstand.cart.view import CartView
from checkstand.checkout import drafting
from checkstand.checkout.model import ProcessCommand
from checkstand.errors import (
    LinesGone,
    LinesNotForSale,
    ParameterInvalid,
    TotalsChanged,
)
from checkstand.kit.money import Money


def totals_changed(
    seen: CartView, previous: Money, cause: type[TotalsChanged] = TotalsChanged
) -> TotalsChanged:
    """The refusal with what the total was and is, as decimal strings, and what there is to say."""
    quote = seen.quote
    flat = drafting.flat_totals(quote)
    return cause(
        data={
            "currency": quote.currency.code,
            "previous_total": previous.decimal(),
            "previous_currency": previous.currency.code,
            "total": quote.total.decimal(),
            "cart_totals": {k: Money(v, quote.currency).decimal() for k, v in flat.items()},
            "notices": [text for texts in seen.notices.values() for text in texts],
        }
    )


def cause_of(cart: Cart, seen: CartView) -> type[TotalsChanged]:
    """Why the cart comes to something else than was shown, as far as lines are gone from it."""
    gone = [line for line in cart.lines if seen.cart.line(line.key) is None]
    if not gone:
        return TotalsChanged
    deleted = any(line.sold_id not in seen.scene.products for line in gone)
    return LinesGone if deleted else LinesNotForSale


def check_expected(command: ProcessCommand, seen: CartView) -> None:
    """TotalsChanged when a strict client expects another total than there is."""
    total = seen.quote.total
    if command.expected_minor is not None and command.expected_minor != total.minor:
        raise totals_changed(seen, Money(command.expected_minor, total.currency))
    if command.expected_total is None:
        return
    try:
        expected = Money.of(command.expected_total, total.currency)
    except ValueError:
        raise ParameterInvalid(
            "expected_total must be an amount such as 44.98.",
            data={"params": {"expected_total": "must be an amount such as 44.98"}},
        ) from None
    if expected != total:
        raise totals_changed(seen, expected)
