"""Addresses out of a file: for trying things out, and for shops that deliver round the corner.

A CSV with the columns id, address_1, address_2, city, state, postcode and country; the others may
be left out or empty, address_1 and country may not.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from checkstand.customers.addresses import Address, formatted_destination, normalised
from checkstand.customers.lookup.provider import MOST_SUGGESTIONS, Suggestion
from checkstand.errors import ConfigurationError

_WORD = re.compile(r"\w+")
_PARTS = ("address_1", "address_2", "city", "state", "postcode", "country")
_MOST_PLACES = 10_000
"""Each is looked at for each search."""


@dataclass(frozen=True, slots=True)
class _Place:
    id: str
    label: str
    folded: str
    address: Address


@dataclass(frozen=True, slots=True)
class LocalPlaces:
    """An AddressProvider over places in memory."""

    places: Mapping[str, _Place]
    countries: frozenset[str]
    id: str = "demo_places"
    name: str = "Demo Places"

    @classmethod
    def read(cls, file: Path) -> LocalPlaces:
        """ConfigurationError when the file cannot be read or has a row without an address."""
        try:
            with file.open(encoding="utf-8-sig", newline="") as lines:
                places = dict(_places(csv.DictReader(lines), file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ConfigurationError(
                f"address_lookup.places_file: cannot read {file}: {error}"
            ) from None
        return cls(places, frozenset(place.address.country for place in places.values()))

    def serves(self, country: str) -> bool:
        return country in self.countries

    async def suggest(self, query: str, country: str) -> Sequence[Suggestion]:
        """Places whose label has every word of the query at the beginning of one of its own."""
        words = dict.fromkeys(word.casefold() for word in _WORD.findall(query))
        found: list[Suggestion] = []
        for place in self.places.values() if words else ():
            if place.address.country != country:
                continue
            spans = _spans(place.folded, words)
            if spans:
                found.append(Suggestion(place.id, place.label, spans))
                if len(found) == MOST_SUGGESTIONS:
                    break
        return found

    async def details(self, address_id: str) -> Address | None:
        place = self.places.get(address_id)
        return place.address if place is not None else None

    async def close(self) -> None:
        """Holds nothing open."""


def _spans(text: str, words: Iterable[str]) -> tuple[tuple[int, int], ...]:
    """Where in the text each word begins one of its words; nothing when one does not."""
    spans = set()
    for word in words:
        found = re.search(rf"\b{re.escape(word)}", text)
        if found is None:
            return ()
        spans.add((found.start(), len(word)))
    return tuple(sorted(spans))


def _places(rows: Iterable[Mapping[str, str | None]], file: Path) -> Iterable[tuple[str, _Place]]:
    for number, row in enumerate(rows, start=1):
        parts = {part: (row.get(part) or "").strip() for part in _PARTS}
        if not parts["address_1"] or not parts["country"] or number > _MOST_PLACES:
            raise ConfigurationError(
                f"address_lookup.places_file: row {number} of {file} has no address_1 or no "
                f"country, or lies beyond {_MOST_PLACES}; correct the row"
            )
        address = normalised(Address(**parts))
        label = formatted_destination(address)
        # Folded letter by letter, so that offsets in it are offsets in the label.
        folded = "".join(letter.casefold()[:1] for letter in label)
        id = (row.get("id") or "").strip() or f"place-{number}"
        yield id, _Place(id, label, folded, address)
