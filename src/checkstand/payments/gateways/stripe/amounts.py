"""Amounts as Stripe counts them.

Stripe's minor units are ISO 4217's but for a few: ISK and UGX have lost their decimals and are
still sent with two zeros, MGA is sent whole, and amounts with three decimals end in 0
(docs.stripe.com/currencies, "Special cases" and "Three-decimal currencies").
"""

from __future__ import annotations

from decimal import Decimal

from checkstand.kit.money import Money

_DECIMALS = (
    dict.fromkeys("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split(), 0)
    | dict.fromkeys("BHD JOD KWD OMR TND".split(), 3)
    | dict.fromkeys("ISK UGX".split(), 2)
)
_STEPS = dict.fromkeys("BHD JOD KWD OMR TND".split(), 10) | dict.fromkeys("ISK UGX".split(), 100)
_NOT_TAKEN = frozenset("CLF CUP ERN IQD IRR KPW LYD SDG SSP SYP UYW VED".split())
"""No presentment currencies of Stripe; with some, our decimals and theirs could not be compared."""
_LARGEST = 10**12


class NotTaken(Exception):
    """Stripe cannot take this amount: `code` for machines, `reason` for whoever reads along."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def stripe_amount(money: Money) -> int:
    """The amount in Stripe's minor units, exactly. NotTaken when Stripe has no such amount."""
    code = money.currency.code
    if code in _NOT_TAKEN:
        raise NotTaken("currency_not_supported", f"Stripe does not charge in {code}")
    scaled = money.major().scaleb(_decimals(code))
    step = _STEPS.get(code, 1)
    if scaled != scaled.to_integral_value() or int(scaled) % step:
        smallest = Decimal(step).scaleb(-_decimals(code))
        raise NotTaken("amount_not_chargeable", f"Stripe charges {code} in steps of {smallest}")
    if not 0 < int(scaled) < _LARGEST:
        raise NotTaken("amount_not_chargeable", "the amount is not positive, or enormous")
    return int(scaled)


def major(minor: int, code: str) -> Decimal:
    """Stripe's minor units in major ones."""
    return Decimal(minor).scaleb(-_decimals(code))


def _decimals(code: str) -> int:
    return _DECIMALS.get(code, 2)
