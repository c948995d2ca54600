"""Money: an integer number of minor units in a currency, and the one way to round.

Exponents are those of ISO 4217 (JPY 0, USD 2, KWD 3). Rounding is half up, away from zero
(contract DECISIONS 10): 0.5 cent becomes 1 cent, -0.5 becomes -1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from functools import lru_cache
from math import lcm
from typing import Self

_CODES = frozenset(
    """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP
    BYN BZD CAD CDF CHF CLF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP
    GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF
    KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR
    MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG
    SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU
    UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG""".split()
)
_EXPONENTS = (
    dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split(), 0)
    | dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3)
    | dict.fromkeys("CLF UYW".split(), 4)
)

_WIDE = Context(prec=60, rounding=ROUND_HALF_UP)
_ONE = Decimal(1)


class UnknownCurrency(ValueError):
    """The code is not an ISO 4217 currency."""


class CurrencyMismatch(TypeError):
    """Two amounts of different currencies were added or compared."""


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency and how many decimals this shop uses for it (ISO 4217 unless told otherwise)."""

    code: str
    exponent: int

    @classmethod
    def of(cls, code: str) -> Currency:
        """The ISO 4217 currency of a three-letter code; UnknownCurrency when there is none."""
        return _currency(code)

    def money(self, minor: int) -> Money:
        return Money(minor, self)

    @property
    def zero(self) -> Money:
        return Money(0, self)


@lru_cache(maxsize=256)
def _currency(code: str) -> Currency:
    if code not in _CODES:
        raise UnknownCurrency(f"{code!r} is not an ISO 4217 currency code")
    return Currency(code, _EXPONENTS.get(code, 2))


def is_currency(code: str) -> bool:
    return code in _CODES


def round_half_up(value: Decimal) -> int:
    """The nearest integer; a tie goes away from zero. Exact for up to 60 digits."""
    return int(value.quantize(_ONE, context=_WIDE))


def divide_half_up(dividend: int, divisor: int) -> int:
    """The integer nearest to the quotient; a tie goes away from zero. `divisor` is positive."""
    if dividend < 0:
        return -((divisor - 2 * dividend) // (2 * divisor))
    return (2 * dividend + divisor) // (2 * divisor)


@dataclass(frozen=True, slots=True)
class Money:
    """`minor` units (cents, yen, fils) of `currency`. Exact: no operation loses a unit."""

    minor: int
    currency: Currency

    @classmethod
    def of(cls, amount: str | int | Decimal, currency: Currency) -> Self:
        """`amount` in major units ("19.99"), rounded half up to the currency's minor unit.

        ValueError for what is not a finite decimal number of at most 60 digits.
        """
        try:
            major = Decimal(amount)
            if not major.is_finite():
                raise ValueError("an amount of money is finite")
            # Rounded before it is scaled: scaling first would round a long fraction twice.
            rounded = major.quantize(_ONE.scaleb(-currency.exponent), context=_WIDE)
        except InvalidOperation:
            raise ValueError("an amount of money is a number of at most 60 digits") from None
        return cls(int(rounded.scaleb(currency.exponent, context=_WIDE)), currency)

    def decimal(self) -> str:
        """Major units with exactly the currency's number of decimals and no symbol: "19.99"."""
        exponent = self.currency.exponent
        if exponent == 0:
            return str(self.minor)
        sign = "-" if self.minor < 0 else ""
        digits = str(abs(self.minor)).rjust(exponent + 1, "0")
        return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}"

    def in_iso(self) -> Money:
        """The same amount in the minor units of ISO 4217, as providers count: a store may keep its
        prices with fewer decimals."""
        iso = Currency.of(self.currency.code)
        if iso.exponent == self.currency.exponent:
            return self
        return Money(self.minor * 10 ** (iso.exponent - self.currency.exponent), iso)

    def major(self) -> Decimal:
        return Decimal(self.minor).scaleb(-self.currency.exponent, context=_WIDE)

    def times(self, factor: int | Decimal) -> Money:
        """Multiplied and rounded once, half up."""
        if isinstance(factor, int):
            return Money(self.minor * factor, self.currency)
        numerator, denominator = factor.as_integer_ratio()
        return Money(divide_half_up(self.minor * numerator, denominator), self.currency)

    def converted(self, rate: Decimal, to: Currency) -> Money:
        """In another currency at `rate` (units of `to` for one unit of this), rounded once."""
        return Exchange.of(self.currency, to, rate).convert(self)

    def allocate(self, weights: Sequence[int | Decimal]) -> tuple[Money, ...]:
        """Split in proportion to `weights`, exactly (see allocate_units)."""
        parts = allocate_units(self.minor, weights)
        return tuple(Money(part, self.currency) for part in parts)

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __bool__(self) -> bool:
        return self.minor != 0

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.minor < other.minor

    def __le__(self, other: Money) -> bool:
        self._same(other)
        return self.minor <= other.minor

    def _same(self, other: Money) -> None:
        if self.currency is not other.currency and self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency.code} and {other.currency.code} do not add")

    def __str__(self) -> str:
        return f"{self.decimal()} {self.currency.code}"


@dataclass(frozen=True, slots=True)
class Exchange:
    """Turns amounts of `base` into `currency`, each rounded half up on its own.

    The rate is kept as a fraction of minor units, so that no digit of it is lost.
    """

    base: Currency
    currency: Currency
    numerator: int
    denominator: int

    @classmethod
    def of(cls, base: Currency, currency: Currency, rate: Decimal) -> Exchange:
        """At `rate` units of `currency` for one of `base`; ValueError unless finite and > 0."""
        if not rate.is_finite() or rate <= 0:
            raise ValueError("an exchange rate is a positive number")
        numerator, denominator = rate.as_integer_ratio()
        shift = currency.exponent - base.exponent
        if shift > 0:
            numerator *= 10**shift
        elif shift < 0:
            denominator *= 10**-shift
        return cls(base, currency, numerator, denominator)

    def convert(self, amount: Money) -> Money:
        """`amount` of the base currency in the other; CurrencyMismatch for any other amount."""
        if amount.currency is not self.base and amount.currency != self.base:
            raise CurrencyMismatch(f"{amount.currency.code} is not {self.base.code}")
        if self.numerator == self.denominator and self.currency == self.base:
            return amount
        return Money(divide_half_up(amount.minor * self.numerator, self.denominator), self.currency)


def total(amounts: Iterable[Money], currency: Currency) -> Money:
    """The sum, zero of `currency` when there is nothing to add."""
    result = currency.zero
    for amount in amounts:
        result = result + amount
    return result


def allocate_units(units: int, weights: Sequence[int | Decimal]) -> list[int]:
    """Whole units in proportion to the weights; the sum is `units`, no part has the other sign.

    Largest remainder; ties go to the earlier part, and a weight of zero gets nothing. All-zero
    weights share evenly. ValueError when there are no weights or one is negative.
    """
    if not weights:
        raise ValueError("cannot allocate to nobody")
    shares = _integers(weights)
    if min(shares) < 0:
        raise ValueError("weights must not be negative")
    whole = sum(shares)
    if whole == 0:
        shares, whole = [1] * len(shares), len(shares)
    sign = -1 if units < 0 else 1
    divided = [divmod(abs(units) * share, whole) for share in shares]
    parts = [part for part, _ in divided]
    left = abs(units) - sum(parts)
    if left:
        by_remainder = sorted(range(len(parts)), key=lambda i: divided[i][1], reverse=True)
        for index in by_remainder[:left]:
            parts[index] += 1
    return [sign * part for part in parts]


def _integers(weights: Sequence[int | Decimal]) -> list[int]:
    """Integers in the same proportion."""
    if {int}.issuperset(map(type, weights)):
        return [int(weight) for weight in weights]
    ratios = [weight.as_integer_ratio() for weight in weights]
    unit = lcm(*(denominator for _, denominator in ratios))
    return [numerator * (unit // denominator) for numerator, denominator in ratios]
