"""How PayPal writes amounts, and which currencies it takes.

Currencies and their decimals: PayPal's currency codes reference. Forint, yen and Taiwan dollar
have no decimals there, whatever ISO 4217 says of them; all others have two.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from checkstand.kit.money import Money
from checkstand.payments.model import Declined

_TAKEN = frozenset(
    """AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS JPY MXN MYR NOK NZD PHP PLN SEK SGD THB TWD
    USD""".split()
)
_WHOLE = frozenset({"HUF", "JPY", "TWD"})
_LONGEST = 32  # characters of an amount, PayPal's own limit


def untakable(amount: Money) -> Declined | None:
    """Why PayPal cannot take the amount; None when it can."""
    code = amount.currency.code
    if code not in _TAKEN:
        return Declined(
            f"PayPal does not take {code}. Please pay in another way.",
            {"code": "currency_not_supported", "message": f"PayPal does not take {code}."},
        )
    if written(amount) is None:
        return Declined(
            f"PayPal takes whole amounts of {code} only. Please pay in another way.",
            {
                "code": "amount_not_supported",
                "message": f"PayPal takes no decimals of {code}: set "
                f"store.currencies.{code}.decimals, or store.decimals, to 0.",
            },
        )
    return None


def written(amount: Money) -> str | None:
    """The amount as PayPal wants it, "19.99" or "1200"; None when it has too many decimals."""
    places = 0 if amount.currency.code in _WHOLE else 2
    major = amount.major()
    text = f"{major:.{places}f}"
    return text if Decimal(text) == major else None


def as_json(amount: Money) -> dict[str, str]:
    """The amount object of PayPal's API. ValueError for what `untakable` names."""
    value = written(amount)
    if value is None:
        raise ValueError("PayPal cannot take this amount")
    return {"currency_code": amount.currency.code, "value": value}


def number(value: Any) -> Decimal | None:
    """A finite decimal number that came as text or as a JSON number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, int) and abs(value) >= 10**_LONGEST:
        return None
    text = str(value).strip()
    if not text or len(text) > _LONGEST or "_" in text:
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def equal(amount: Money, stated: Any) -> bool:
    """Whether an amount object of PayPal's is exactly this amount."""
    if not isinstance(stated, Mapping):
        return False
    return (
        stated.get("currency_code") == amount.currency.code
        and number(stated.get("value")) == amount.major()
    )
