"""What an approval says of the money that a provider has taken: all of the attempt, or a part."""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal

from checkstand.kit.money import Money
from checkstand.payments.model import Approved, Attempt, Declined, Funds, Outcome, SavedMethod

_DOWN = Context(prec=60, rounding=ROUND_DOWN)
_ONE = Decimal(1)


def captured(
    attempt: Attempt, reference: str, taken: Decimal, saved: SavedMethod | None = None
) -> Approved:
    """`taken`: major units of the attempt's currency, as the provider tells. What the shop has no
    decimals for is left out, so that never more is booked, or given back, than was taken."""
    part = None
    if taken != attempt.amount.major():
        currency = attempt.amount.currency
        units = taken.scaleb(currency.exponent).quantize(_ONE, context=_DOWN)
        part = currency.money(int(units))
    return Approved(Funds.CAPTURED, reference, saved, part)


def as_asked(outcome: Outcome, attempt: Attempt, amount: Money) -> Outcome:
    """The answer to a capture of `amount`: what was captured is approved for that amount only."""
    if not isinstance(outcome, Approved) or outcome.funds is not Funds.CAPTURED:
        return outcome
    return (
        outcome
        if (attempt.amount if outcome.captured is None else outcome.captured) == amount
        else another_amount()
    )


def another_amount() -> Declined:
    """A capture of another amount than was captured before."""
    text = "Another amount was captured before; it can be refunded."
    return Declined(text, {"code": "already_captured", "message": text})
