"""Places, and the postcode patterns in which tax rates and shipping zones are written.

A pattern is a whole postcode (`SW1A 1AA`), the start of one (`SW1*`) or a range
(`10000...10999`), as in WooCommerce. Case, spaces and hyphens do not matter, with one exception:
a space inside a wildcard marks where the outward part ends, so that `N1 *` covers N1 1AA and not
N11 1AA, while `N1*` covers both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

# How many characters follow the space of a whole postcode. Shoppers leave the space out.
_AFTER_SPACE = {
    "CA": 3,
    "CZ": 2,
    "GB": 3,
    "GG": 3,
    "GR": 2,
    "IE": 4,
    "IM": 3,
    "JE": 3,
    "NL": 2,
    "SE": 2,
    "SK": 2,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tax or shipping rule is looked up: codes in upper case, "" when unknown."""

    country: str = ""
    state: str = ""
    postcode: str = ""
    city: str = ""

    @property
    def known(self) -> bool:
        return bool(self.country)


NOWHERE = Place()


@dataclass(frozen=True, slots=True)
class PostcodeRange:
    """From `low` to `high`, both included. Compact forms (see `compact`).

    Digits compare as numbers, so that a lost leading zero does no harm. With letters in play the
    bounds compare as text with as much of the postcode as they are long: `1000...1099` covers
    the Dutch 1012AB, `K1A...K1C` covers K1C 9Z9.
    """

    low: str
    high: str

    @classmethod
    def parse(cls, pattern: str) -> PostcodeRange | None:
        """The range that `low...high` writes; None for what is not a range of two bounds."""
        bounds = [compact(bound) for bound in pattern.replace("…", "...").split("...")]
        return cls(*bounds) if len(bounds) == 2 and all(bounds) else None

    def covers(self, postcode: str) -> bool:
        """Whether a compact postcode lies inside."""
        if not postcode:
            return False
        if _is_number(postcode) and _is_number(self.low) and _is_number(self.high):
            return _magnitude(self.low) <= _magnitude(postcode) <= _magnitude(self.high)
        return self.low <= postcode[: len(self.low)] and postcode[: len(self.high)] <= self.high


@dataclass(frozen=True, slots=True)
class Postcodes:
    """A list of postcode patterns, made ready for matching."""

    keys: frozenset[str]
    ranges: tuple[PostcodeRange, ...]

    @classmethod
    def of(cls, patterns: Iterable[str]) -> Postcodes:
        """Reads the patterns. A broken range (one bound, three bounds) covers nothing."""
        keys, ranges = set(), []
        for pattern in patterns:
            if not is_range(pattern):
                keys.add(pattern_key(pattern))
            elif (parsed := PostcodeRange.parse(pattern)) is not None:
                ranges.append(parsed)
        return cls(frozenset(keys), tuple(ranges))

    def cover(self, place: Place) -> bool:
        """Whether any of the patterns covers the place's postcode."""
        if not self.keys.isdisjoint(postcode_keys(place)):
            return True
        forms = postcode_forms(place)
        return any(span.covers(form) for span in self.ranges for form in forms)


@lru_cache(maxsize=4096)
def postcodes(patterns: tuple[str, ...]) -> Postcodes:
    """`Postcodes.of`, remembered: settings ask for the same few lists on every request."""
    return Postcodes.of(patterns)


def compact(postcode: str) -> str:
    """Upper case, without spaces and hyphens: `SW1A1AA`."""
    return "".join(postcode.upper().replace("-", "").split())


def is_range(pattern: str) -> bool:
    return "..." in pattern or "…" in pattern


def pattern_key(pattern: str) -> str:
    """How a whole or wildcard pattern is spelt among `postcode_keys`."""
    pattern = pattern.strip()
    if not pattern.endswith("*"):
        return compact(pattern)
    body = pattern[:-1]
    words = body.upper().replace("-", "").split()
    if words and body[-1].isspace():
        words.append("")
    return " ".join(words) + "*"


def postcode_forms(place: Place) -> tuple[str, ...]:
    """The compact postcodes that a place answers to: a US ZIP+4 also to its five digits."""
    whole = compact(place.postcode)
    if place.country == "US" and len(whole) == 9 and _is_number(whole):
        return (whole, whole[:5])
    return (whole,)


def postcode_keys(place: Place) -> tuple[str, ...]:
    """Every pattern, ranges apart, that covers the place: its postcode and all its wildcards."""
    forms = postcode_forms(place)
    whole = forms[0]
    starts = [f"{whole[:end]}*" for end in range(len(whole) + 1)]
    spaced = _spaced(place, whole)
    outward = spaced.find(" ")
    if outward > 0:
        starts += [f"{spaced[:end]}*" for end in range(outward + 1, len(spaced) + 1)]
    return (*forms, *starts)


def _spaced(place: Place, whole: str) -> str:
    after = _AFTER_SPACE.get(place.country)
    if after is not None and len(whole) > after:
        return f"{whole[:-after]} {whole[-after:]}"
    return " ".join(place.postcode.upper().replace("-", "").split())


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _magnitude(digits: str) -> tuple[int, str]:
    """Orders strings of digits as numbers, without the cost of reading a very long one."""
    significant = digits.lstrip("0")
    return len(significant), significant
