"""What one cell means. Pure; each function takes the text of a cell, already unescaped.

A cell that cannot be understood raises CellError with a reason that says how to put it right.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from checkstand.catalog.slugs import slugify
from checkstand.kit.money import Currency, Money

T = TypeVar("T")

_NUMBER = re.compile(r"\d+(\.\d*)?|\.\d+")
_COMMA_NUMBER = re.compile(r"\d*,\d+")
_WHOLE = re.compile(r"([+-]?\d+)(\.0*)?")
_MOMENT = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:[ T](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?"
    r"\s*(Z|[+-]\d{2}:?\d{2})?"
)
_UNESCAPED_COMMA = re.compile(r"(?<!\\),")
_WEB = re.compile(r"https?://[^\s/]", re.IGNORECASE)
_HTTP = re.compile(r"https?://", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:(?!//)", re.IGNORECASE)

LARGEST_INTEGER = 2**31 - 1
LARGEST_AMOUNT = 10**13
"""In minor units; a line of 900,000 pieces still fits the database's integers."""
LONGEST_NAME = 200

TRUTHS = {"1": True, "yes": True, "true": True, "0": False, "no": False, "false": False}


class CellError(ValueError):
    """Why a cell cannot be used, and what to write instead."""


def one_of(text: str, meanings: Mapping[str, T], empty: T) -> T:
    """`text` looked up in lower case; `empty` for an empty cell."""
    if not text:
        return empty
    try:
        return meanings[text.lower()]
    except KeyError:
        raise CellError(f"{_short(text)} is not one of {', '.join(meanings)}") from None


def price(text: str, currency: Currency, decimal_comma: bool = False) -> tuple[int | None, bool]:
    """Minor units (None for an empty cell), and whether decimals had to be rounded off."""
    if not text:
        return None, False
    number = _number(text, "a price", decimal_comma)
    exact = number.scaleb(currency.exponent)
    minor = Money.of(number, currency).minor
    if minor > LARGEST_AMOUNT:
        raise CellError(f"{_short(text)} is more than this shop can calculate with")
    return minor, exact != minor


def measure(text: str, decimal_comma: bool = False) -> Decimal | None:
    """A weight or size in the unit of the shop, not converted."""
    return _number(text, "a number", decimal_comma) if text else None


def _number(text: str, what: str, decimal_comma: bool) -> Decimal:
    if decimal_comma and _COMMA_NUMBER.fullmatch(text):
        text = text.replace(",", ".")
    if len(text) <= 25 and text.isascii() and _NUMBER.fullmatch(text):
        return Decimal(text)
    if text.startswith("-"):
        raise CellError(f"{_short(text)} is negative; write {what} of 0 or more")
    if _COMMA_NUMBER.fullmatch(text):
        raise CellError(
            f"{_short(text)} has a decimal comma; write {text.replace(',', '.')}, or import "
            "with decimal commas allowed (--decimal-comma)"
        )
    raise CellError(
        f"{_short(text)} is not {what}; write digits and a decimal point only, like 1234.50"
    )


def whole(text: str, least: int, most: int = LARGEST_INTEGER) -> int | None:
    """A whole number from `least` to `most`; None for an empty cell. `5.0` is 5."""
    if not text:
        return None
    found = _WHOLE.fullmatch(text) if len(text) <= 25 and text.isascii() else None
    number = int(found[1]) if found else None
    if number is None or not least <= number <= most:
        raise CellError(f"{_short(text)} is not a whole number from {least} to {most}")
    return number


def moment(text: str) -> datetime | None:
    """When a sale starts, UTC unless there is an offset; a date alone is its first moment."""
    return _moment(text)[0]


def end_moment(text: str) -> datetime | None:
    """The first moment after a sale; a date alone means that the whole day is still on sale."""
    found, date_only = _moment(text)
    if found is None or not date_only or found.date() == date.max:
        return found
    return found + timedelta(days=1)


def _moment(text: str) -> tuple[datetime | None, bool]:
    if not text:
        return None, False
    parts = _MOMENT.fullmatch(text) if text.isascii() else None
    try:
        if parts is None:
            raise ValueError
        year, month, day, hour, minute, second = (int(part or 0) for part in parts.groups()[:6])
        offset = (parts[7] or "Z").replace("Z", "+00:00")
        zone = datetime.strptime(offset.replace(":", ""), "%z").tzinfo
        found = datetime(year, month, day, hour, minute, second, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise CellError(
            f"{_short(text)} is not a date; write 2026-01-31 or 2026-01-31 18:00:00"
        ) from None
    return found, parts[4] is None


def listed(text: str) -> tuple[str, ...]:
    """The values of a comma list; a comma inside a value is written `\\,`."""
    values = (part.replace("\\,", ",").strip() for part in _UNESCAPED_COMMA.split(text))
    return tuple(value for value in values if value)


def names(text: str) -> tuple[str, ...]:
    """A comma list of names that people gave, each once, HTML entities read."""
    return tuple(dict.fromkeys(name(each) for each in listed(text)))


def name(text: str) -> str:
    """A name that people gave, HTML entities read; at most 200 characters."""
    plain = " ".join(html.unescape(text).split())
    if len(plain) > LONGEST_NAME:
        raise CellError(f"{_short(plain)} is longer than {LONGEST_NAME} characters")
    return plain


def category_paths(text: str) -> tuple[tuple[str, ...], ...]:
    """`Clothing > Hoodies, Gifts` as (("Clothing", "Hoodies"), ("Gifts",))."""
    paths = []
    for each in listed(text):
        path = tuple(filter(None, (name(part) for part in each.split(">"))))
        if len(path) > 20:
            raise CellError(f"{_short(each)} is nested more than 20 deep")
        if path:
            paths.append(path)
    return tuple(dict.fromkeys(paths))


def prose(text: str) -> str:
    """A description: WooCommerce writes a line break as `\\n`, and `\\n` as `\\\\n`."""
    if "\\n" not in text:
        return text
    # A NUL cannot be in a cell (csvfile refuses it), so it can stand in for a moment.
    return text.replace("\\\\n", "\0").replace("\\n", "\n").replace("\0", "\\n")


def web_address(text: str) -> str:
    """An http(s) URL, or "" for an empty cell: it becomes a link that shoppers follow."""
    if text and not _WEB.match(text):
        raise CellError(f"{_short(text)} is not a web address; it must begin with https://")
    return text


def file_address(text: str) -> str:
    """An http(s) URL or a path; refused are other schemes, such as `javascript:`."""
    if _SCHEME.match(text) or ("://" in text and not _HTTP.match(text)):
        raise CellError(f"{_short(text)} is not a file address; it must begin with https://")
    return text


def class_slug(text: str) -> str:
    """The slug of a tax or shipping class, given as slug or name; `standard` is ""."""
    slug = slugify(text)
    return "" if slug == "standard" else slug


def _short(text: str) -> str:
    return f"'{text}'" if len(text) <= 40 else f"'{text[:40]}…'"
