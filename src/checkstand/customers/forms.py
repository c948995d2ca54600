"""What a checkout form asks for by country: the same facts that addresses are judged by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from checkstand.customers.countries import (
    Country,
    country_codes,
    country_name,
    country_rules,
    postcode_pattern,
)
from checkstand.customers.states import states_of

EU = (
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
).split()  # fmt: skip
"""The member states of the European Union."""
_PATTERNS_FOR = "GB US CA FR DE IT ES NL AU NZ BR JP IN CN".split()
_PLACES = ("city", "state", "postcode")
_FIRST_PLACE, _STEP = 70, 10

Field = dict[str, Any]


def fields(group: str, country: str, *, needs_email: bool) -> dict[str, Field]:
    """The fields of a `billing` or `shipping` address by prefixed name, as `country` wants them."""
    rules = country_rules(country)
    made: dict[str, Field] = {
        "first_name": _text("First name", "given-name", 10, required=True),
        "last_name": _text("Last name", "family-name", 20, required=True),
        "company": _text("Company", "organization", 30),
        "country": {**_text("Country", "country", 40, required=True), "type": "country"},
        "address_1": _text("Street address", "address-line1", 50, required=True),
        "address_2": _text("Apartment, suite, unit", "address-line2", 60),
        "city": _text("Town or city", "address-level2", 70),
        "state": {
            **_text("State", "address-level1", 80),
            "type": "state",
            "country_field": f"{group}_country",
        },
        "postcode": {**_text("Postcode", "postal-code", 90), "validate": ["postcode"]},
    }
    if rules is not None:
        for name, changes in overrides(rules).items():
            made[name] |= changes
    if needs_email:
        made["phone"] = {**_text("Phone", "tel", 100), "type": "tel", "validate": ["phone"]}
        made["email"] = {
            **_text("E-mail address", "email", 110, required=True),
            "type": "email",
            "validate": ["email"],
        }
    return {f"{group}_{name}": field for name, field in made.items()}


def _text(label: str, autocomplete: str, priority: int, *, required: bool = False) -> Field:
    return {
        "type": "text",
        "label": label,
        "required": required,
        "autocomplete": autocomplete,
        "priority": priority,
        "maxlength": 200,
    }


def overrides(rules: Country) -> dict[str, Field]:
    """What a country wants of the parts of an address: whether, in which order, and called what."""
    order = [part for _, part in rules.line if part in _PLACES]
    order += [part for part in _PLACES if part not in order]
    changes: dict[str, Field] = {
        part: {"required": part in rules.required, "priority": _FIRST_PLACE + _STEP * place}
        for place, part in enumerate(order)
    }
    changes["address_1"] = {"required": "address_1" in rules.required}
    changes["state"]["label"] = rules.state_word.capitalize()
    if rules.postcodes is None:
        changes["postcode"]["hidden"] = True
    return changes


@lru_cache(maxsize=4)
def world(sold_to: frozenset[str] | None) -> Mapping[str, Any]:
    """Names, states and wishes of every country in `sold_to` (None: of all), by code.

    Reads the data of each country the first time: a second, so not on the event loop.
    """
    codes = sorted(country_codes() if sold_to is None else country_codes() & sold_to)
    rules = {code: country_rules(code) for code in codes}
    return {
        "names": {code: country_name(code) for code in codes},
        "states": {code: dict(states_of(code)) for code in codes},
        "locale": {code: overrides(each) for code, each in rules.items() if each is not None},
    }


@lru_cache(maxsize=1)
def postcode_patterns() -> Mapping[str, str]:
    """Regular expressions of whole postcodes for the countries that the contract names."""
    found: Iterable[tuple[str, str | None]] = (
        (code, postcode_pattern(code)) for code in _PATTERNS_FOR
    )
    return {code: f"^(?:{pattern})$" for code, pattern in found if pattern}
