"""Card numbers must never reach this server (PCI DSS 4, requirement 3): what looks like one in a
payment field is refused before anything is done with it, and never logged."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from checkstand.errors import CardDataRefused

_RUN = re.compile(r"(?<![A-Za-z0-9_])[0-9]+(?:[ .\u00a0-][0-9]+)*(?![A-Za-z0-9_])")
_GROUP = re.compile(r"[0-9]+")
_LONGEST, _SHORTEST = 19, 13


def refuse(payment: Any) -> None:
    """CardDataRefused when a name or value in `payment`, however deep, holds 13 to 19 digits that
    pass Luhn's check (ISO/IEC 7812-1), with or without separators."""
    pending = [payment]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += [*value.keys(), *value.values()]
        elif isinstance(value, (list, tuple)):
            pending += value
        elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
            text = value if isinstance(value, str) else f"{value:.0f}" if _finite(value) else ""
            if looks_like_a_card(text):
                raise CardDataRefused


def looks_like_a_card(text: str) -> bool:
    """Whether a card number may be in the text."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)  # full-width and other digits
    return any(_holds_card(_GROUP.findall(run[0])) for run in _RUN.finditer(text))


def _holds_card(groups: list[str]) -> bool:
    """Whether neighbouring groups of digits make a number; what stands around it (an expiry date, a
    security code) does not hide it."""
    for first in range(len(groups)):
        digits = ""
        for group in groups[first:]:
            digits += group
            if len(digits) > _LONGEST:
                break
            if len(digits) >= _SHORTEST and _luhn(digits):
                return True
    return False


def _finite(value: float) -> bool:
    return bool(abs(value) < 10**_LONGEST)


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if place % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0
