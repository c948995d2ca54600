"""Card numbers must never reach this server (PCI DSS 4, requirement 3): what looks like one in a
payment field is refused before anything is done with it, and never logged."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from checkstand.errors import CardDataRefused

# What may stand between digits: everything that is neither a digit nor a letter, a few at a time.
_RUN = re.compile(
    r"(?<![A-Za-z0-9])(?<![A-Za-z]_)[0-9]+(?:[^0-9A-Za-z]{1,3}[0-9]+)*(?![A-Za-z0-9])|%[Bb][0-9]{13,19}\^"
)
_GROUP = re.compile(r"[0-9]+")
_LONGEST, _SHORTEST = 19, 13
_FEW = 64
"""Values of one field group that are looked at together."""


def refuse(payment: Any) -> None:
    """CardDataRefused when a name or value in `payment`, however deep, holds 13 to 19 digits that
    pass Luhn's check (ISO/IEC 7812-1): with or without separators, in one value or in neighbours.
    """
    pending = [payment]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += [*value.keys(), *value.values()]
            _refuse_parts(list(value.values()))
        elif isinstance(value, (list, tuple)):
            pending += value
            _refuse_parts(list(value))
            # Pairs of names and values: the values of all of them.
            _refuse_parts([pair[1] for pair in value if isinstance(pair, tuple) and len(pair) == 2])
        elif looks_like_a_card(_text(value)):
            raise CardDataRefused


def _refuse_parts(values: list[Any]) -> None:
    """A number that came in pieces: neighbours that hold nothing but digits."""
    run: list[str] = []
    for value in [*values[:_FEW], None]:
        text = _text(value)
        if text and text.isdecimal() and len(text) < _SHORTEST:
            run.append(text)
            continue
        # Two groups may be a date or a count; a number comes in four boxes, or digit by digit.
        if len(run) > 2 and _holds_card(run, whole=True):
            raise CardDataRefused
        run = []


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ""
    return f"{value:.0f}" if abs(value) < 10**_LONGEST else ""


def looks_like_a_card(text: str) -> bool:
    """Whether a card number may be in the text."""
    if not text.isascii():
        text = "".join(map(_plain, unicodedata.normalize("NFKC", text)))
    return any(_holds_card(_GROUP.findall(run[0])) for run in _RUN.finditer(text))


def _plain(character: str) -> str:
    """Every script's digits as ASCII; nothing for what is not to be seen."""
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    return "" if unicodedata.category(character) == "Cf" else character


def _holds_card(groups: list[str], *, whole: bool = False) -> bool:
    """Whether neighbouring groups of digits make a number; what stands around it (an expiry date, a
    security code) does not hide it. `whole`: all of them together only."""
    for first in range(1 if whole else len(groups)):
        digits = ""
        for number, group in enumerate(groups[first:], first + 1):
            digits += group
            if len(digits) > _LONGEST:
                break
            complete = number == len(groups) or not whole
            if complete and len(digits) >= _SHORTEST and _luhn(digits):
                return True
    return False


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if place % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0
