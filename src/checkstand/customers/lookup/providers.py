"""Opening the providers that a shop names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path

from checkstand.customers.lookup.google import GooglePlaces
from checkstand.customers.lookup.local import LocalPlaces
from checkstand.customers.lookup.provider import ENTRY_POINTS, AddressProvider
from checkstand.errors import ConfigurationError

Opener = Callable[[Mapping[str, str]], AddressProvider]


def open_places(options: Mapping[str, str]) -> AddressProvider:
    if not options.get("file"):
        raise ConfigurationError(
            "address_lookup.places_file is not set; name a CSV file, or take `places` out of "
            "address_lookup.providers"
        )
    return LocalPlaces.read(Path(options["file"]).expanduser())


def open_google(options: Mapping[str, str]) -> AddressProvider:
    if not options.get("key"):
        raise ConfigurationError(
            "address_lookup.google_key is not set; give it as env:NAME or file:PATH, or take "
            "`google` out of address_lookup.providers"
        )
    return GooglePlaces(options["key"], options.get("url", ""), float(options.get("timeout", "5")))


_OWN: Mapping[str, Opener] = {"places": open_places, "google": open_google}


def open_providers(
    names: Sequence[str], options: Mapping[str, Mapping[str, str]]
) -> tuple[AddressProvider, ...]:
    """The providers in this order; ConfigurationError for a name that nobody offers."""
    return tuple(_opener(name)(options.get(name, {})) for name in names)


def _opener(name: str) -> Opener:
    if name in _OWN:
        return _OWN[name]
    for offered in entry_points(group=ENTRY_POINTS, name=name):
        opener: Opener = offered.load()
        return opener
    raise ConfigurationError(
        f"address_lookup.providers names '{name}', which is neither one of {', '.join(_OWN)} nor "
        f"an installed entry point of {ENTRY_POINTS}; install it or take it out"
    )
