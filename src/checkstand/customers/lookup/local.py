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
_MOST_PLACES = 100_000


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
    id: str = "demo_places"
    name: str = "Demo Places"

    @classmethod
    def read(cls, file: Path) -> LocalPlaces:
        """ConfigurationError when the file cannot be read or has a row without an address."""
        try:
            with file.open(encoding="utf-8-sig", newline="") as lines:
                return cls(dict(_places(csv.DictReader(lines), file)))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ConfigurationError(
                f"address_lookup.places_file: cannot read {file}: {error}"
            ) from None

    def serves(self, country: str) -> bool:
        return any(place.address.country == country for place in self.places.values())

    async def suggest(self, query: str, country: str) -> Sequence[Suggestion]:
        """Places whose label has every word of the query at the beginning of one of its own."""
        words = [word.casefold() for word in _WORD.findall(query)]
        found = []
        for place in self.places.values():
            if place.address.country != country or not words:
                continue
            starts = [_start(place.folded, word) for word in words]
            if all(start >= 0 for start in starts):
                spans = zip(starts, map(len, words), strict=True)
                found.append(Suggestion(place.id, place.label, tuple(sorted(set(spans)))))
                if len(found) == MOST_SUGGESTIONS:
                    break
        return found

    async def details(self, address_id: str) -> Address | None:
        place = self.places.get(address_id)
        return place.address if place is not None else None

    async def close(self) -> None:
        """Holds nothing open."""


def _start(text: str, word: str) -> int:
    """Where a word of the text begins like this; -1 when none does."""
    found = re.search(rf"\b{re.escape(word)}", text)
    return found.start() if found else -1


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
