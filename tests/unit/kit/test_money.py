from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from checkstand.kit.money import (
    Currency,
    CurrencyMismatch,
    Exchange,
    Money,
    UnknownCurrency,
    allocate_units,
    divide_half_up,
    is_currency,
    round_half_up,
    total,
)

USD, EUR, JPY, KWD, CLF = (Currency.of(code) for code in ("USD", "EUR", "JPY", "KWD", "CLF"))


@pytest.mark.parametrize(
    ("code", "exponent"),
    [
        ("USD", 2),
        ("EUR", 2),
        ("JPY", 0),
        ("KRW", 0),
        ("ISK", 0),
        ("KWD", 3),
        ("TND", 3),
        ("CLF", 4),
    ],
)
def test_exponents_are_those_of_iso_4217(code: str, exponent: int) -> None:
    assert Currency.of(code).exponent == exponent


@pytest.mark.parametrize("code", ["", "usd", "US", "XXX", "DOLLAR", "ÜSD"])
def test_what_iso_4217_does_not_list_is_not_a_currency(code: str) -> None:
    assert not is_currency(code)
    with pytest.raises(UnknownCurrency):
        Currency.of(code)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("19.99", USD, 1999),
        (20, USD, 2000),
        (Decimal("0.005"), USD, 1),
        ("0.0049999", USD, 0),
        ("0.00" + "4" + "9" * 80, USD, 0),
        ("-0.005", USD, -1),
        ("2998.5", JPY, 2999),
        ("1.2345", KWD, 1235),
        ("1e3", USD, 100000),
        ("999999999999999.99", USD, 99999999999999999),
    ],
)
def test_major_units_round_half_up_once(
    amount: str | int | Decimal, currency: Currency, minor: int
) -> None:
    assert Money.of(amount, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    "amount", ["", "ten", "NaN", "sNaN", "Infinity", "-inf", "1e999", "1e99999999999"]
)
def test_what_is_not_an_amount_is_a_value_error(amount: str) -> None:
    with pytest.raises(ValueError, match="amount of money"):
        Money.of(amount, USD)


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(1999, USD), "19.99"),
        (Money(5, USD), "0.05"),
        (Money(-5, USD), "-0.05"),
        (Money(-1999, USD), "-19.99"),
        (Money(0, USD), "0.00"),
        (Money(2999, JPY), "2999"),
        (Money(-2999, JPY), "-2999"),
        (Money(6139, KWD), "6.139"),
        (Money(1, CLF), "0.0001"),
    ],
)
def test_decimal_text_has_the_decimals_of_the_currency(money: Money, text: str) -> None:
    assert money.decimal() == text
    assert money.major() == Decimal(text)
    assert Money.of(text, money.currency) == money


@pytest.mark.parametrize(
    ("dividend", "divisor", "quotient"),
    [
        (5, 10, 1),
        (-5, 10, -1),
        (4, 10, 0),
        (-4, 10, 0),
        (15, 10, 2),
        (-15, 10, -2),
        (7, 1, 7),
        (0, 3, 0),
    ],
)
def test_ties_go_away_from_zero(dividend: int, divisor: int, quotient: int) -> None:
    assert divide_half_up(dividend, divisor) == quotient
    assert round_half_up(Decimal(dividend) / divisor) == quotient


@pytest.mark.parametrize(
    ("amount", "rate", "expected"),
    [
        (Money(1999, USD), "0.85", Money(1699, EUR)),
        (Money(500, USD), "0.85", Money(425, EUR)),
        (Money(1999, USD), "150", Money(2999, JPY)),
        (Money(1999, USD), "0.3071", Money(6139, KWD)),
        (Money(2999, JPY), "0.0067", Money(2009, USD)),
        (Money(6139, KWD), "3.25", Money(1995, USD)),
        (Money(-1, USD), "0.5", Money(-1, EUR)),
        (Money(10**15, USD), "0.123456789012345678901234567890", Money(123456789012346, EUR)),
    ],
)
def test_conversion_rounds_once_between_any_exponents(
    amount: Money, rate: str, expected: Money
) -> None:
    assert amount.converted(Decimal(rate), expected.currency) == expected


@pytest.mark.parametrize("rate", ["0", "-1", "NaN", "Infinity"])
def test_an_exchange_rate_is_a_positive_number(rate: str) -> None:
    with pytest.raises(ValueError, match="exchange rate"):
        Exchange.of(USD, EUR, Decimal(rate))


def test_only_the_base_currency_is_exchanged() -> None:
    with pytest.raises(CurrencyMismatch):
        Exchange.of(USD, EUR, Decimal("0.85")).convert(Money(1, JPY))


@pytest.mark.parametrize(
    ("units", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (-100, [1, 1, 1], [-34, -33, -33]),
        (5, [3, 7], [2, 3]),
        (2, [0, 0], [1, 1]),
        (3, [0, 1, 0], [0, 3, 0]),
        (0, [1, 2], [0, 0]),
        (10, [Decimal("0.1"), Decimal("0.3")], [3, 7]),
        (1, [10**30, 10**30 + 1], [0, 1]),
        (10**80 + 1, [1, 1], [5 * 10**79 + 1, 5 * 10**79]),
    ],
)
def test_allocation_is_by_largest_remainder(
    units: int, weights: list[int | Decimal], parts: list[int]
) -> None:
    assert allocate_units(units, weights) == parts
    assert [part.minor for part in Money(units, USD).allocate(weights)] == parts


@pytest.mark.parametrize("weights", [[], [-1, 2]])
def test_nothing_is_allocated_to_nobody_or_less(weights: list[int]) -> None:
    with pytest.raises(ValueError, match=r"nobody|negative"):
        Money(1, USD).allocate(weights)


def test_amounts_of_two_currencies_do_not_mix() -> None:
    mixes: list[Callable[[], object]] = [
        lambda: Money(1, USD) + Money(1, EUR),
        lambda: Money(1, USD) - Money(1, EUR),
        lambda: Money(1, USD) < Money(1, EUR),
        lambda: Money(1, USD) <= Money(1, EUR),
        lambda: total([Money(1, USD), Money(1, EUR)], USD),
    ]
    for mix in mixes:
        with pytest.raises(CurrencyMismatch):
            mix()


def test_arithmetic() -> None:
    assert total([Money(1, USD), Money(2, USD)], USD) == Money(3, USD)
    assert total([], JPY) == JPY.zero
    assert Money(3, USD) - Money(5, USD) == -Money(2, USD)
    assert Money(333, USD).times(3) == Money(999, USD)
    assert Money(333, USD).times(Decimal("0.5")) == Money(167, USD)
    assert Money(-333, USD).times(Decimal("0.5")) == Money(-167, USD)
    assert not USD.zero
    assert str(Money(1999, USD)) == "19.99 USD"
