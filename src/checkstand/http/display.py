"""Amounts and dates as people read them, by the store's language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time
from babel.numbers import get_currency_symbol

from checkstand.kit.money import Currency, Money

_ZERO_WIDTH = "\u200e\u200f"


@dataclass(frozen=True, slots=True)
class CurrencyFormat:
    """How a currency is written: `prefix` + digits + `suffix`."""

    currency: Currency
    symbol: str
    prefix: str
    suffix: str
    decimal_separator: str
    thousand_separator: str

    def show(self, amount: Money) -> str:
        """With symbol and separators: "$1,234.56", "-$2.90"."""
        sign = "-" if amount.minor < 0 else ""
        whole, _, fraction = Money(abs(amount.minor), amount.currency).decimal().partition(".")
        grouped = f"{int(whole):,}".replace(",", self.thousand_separator)
        decimals = f"{self.decimal_separator}{fraction}" if fraction else ""
        return f"{sign}{self.prefix}{grouped}{decimals}{self.suffix}"

    def as_v2(self) -> dict[str, str | int]:
        """The currency object of v2 (contract README 5.2)."""
        return {
            "currency_code": self.currency.code,
            "currency_symbol": self.symbol,
            "currency_symbol_pos": "currency_suffix" if self.suffix else "currency_prefix",
            "currency_minor_unit": self.currency.exponent,
            "currency_decimal_separator": self.decimal_separator,
            "currency_thousand_separator": self.thousand_separator,
            "currency_prefix": self.prefix,
            "currency_suffix": self.suffix,
        }


@lru_cache(maxsize=512)
def currency_format(currency: Currency, language: str) -> CurrencyFormat:
    locale = Locale.parse(language)
    symbol = get_currency_symbol(currency.code, locale)
    pattern = locale.currency_formats["standard"].pattern.partition(";")[0]
    after = pattern.rstrip(_ZERO_WIDTH).endswith("¤")
    gap = " " if "\xa0" in pattern or symbol[-1].isalpha() else ""
    numbers = locale.number_symbols
    symbols = numbers.get("latn", numbers)
    return CurrencyFormat(
        currency=currency,
        symbol=symbol,
        prefix="" if after else symbol + gap,
        suffix=gap + symbol if after else "",
        decimal_separator=str(symbols["decimal"]),
        thousand_separator=str(symbols["group"]),
    )


def display_day(moment: datetime, timezone: str, language: str) -> str:
    """`December 15, 2024` in the store's time zone."""
    return format_date(moment.astimezone(ZoneInfo(timezone)).date(), "long", locale=language)


def display_date(moment: datetime | None, timezone: str, language: str) -> str | None:
    """`December 15, 2024, 2:20 pm` in the store's time zone (contract README 5.4)."""
    if moment is None:
        return None
    local = moment.astimezone(ZoneInfo(timezone))
    day = format_date(local.date(), "long", locale=language)
    time = format_time(local, "h:mm a", locale=language).replace("\u202f", " ")
    return f"{day}, {time.lower() if language.startswith('en') else time}"
