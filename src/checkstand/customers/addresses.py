"""Addresses: what a client may leave out, what must be well-formed, what an order needs.

What is given must be well-formed; what is missing is fine until an order is placed, which asks for
what the country requires (DECISIONS 8, 9). A shop that refuses a correct address loses a sale, so
doubt passes: postcodes are checked by the country's pattern only, cities against nothing, phones
for characters and length, e-mail addresses for syntax without a look-up.

Text is kept as text, never escaped here. A message never repeats what was sent.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from itertools import islice

from checkstand.customers.contacts import is_email, wrong_phone
from checkstand.customers.countries import (
    country_name,
    country_rules,
    knows_country,
    line_order,
    postcode_pattern,
    written_locally,
)
from checkstand.customers.states import (
    state_code,
    state_in_line,
    state_spelled,
    states_of,
)
from checkstand.errors import Problem

__all__ = [
    "BILLING_FIELDS",
    "LONGEST_PART",
    "SHIPPING_FIELDS",
    "Address",
    "country_name",
    "formatted_destination",
    "knows_country",
    "malformed",
    "missing",
    "normalised",
    "postcode_pattern",
    "state_code",
    "states_of",
    "tidy",
]

LONGEST_PART = 200  # characters

# Characters that only steer the direction of the text around them, and the byte order mark. One
# without its counterpart would turn the rest of an order page around; names do not need them.
_STEERING = re.compile("[\u202a-\u202e\u2066-\u2069\ufeff]")
_SPACES = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
# Invisible at the edges they say nothing; inside, joiners shape Persian and emoji.
_INVISIBLE = " \u200b\u200c\u200d\u200e\u200f\u2060"

_LABELS = {
    "first_name": "first name",
    "last_name": "last name",
    "company": "company",
    "address_1": "street address",
    "address_2": "second address line",
    "city": "town or city",
    "state": "state",
    "postcode": "postcode",
    "country": "country",
    "phone": "phone number",
    "email": "e-mail address",
}
_REQUIRED_BY_ALL = frozenset({"first_name", "last_name", "country"})
# Asked for while the country, and with it the rest, is not known.
_REQUIRED_ANYWHERE = frozenset({"address_1", "city"})


@dataclass(frozen=True, slots=True)
class Address:
    """An address under CoCart's unprefixed keys; a part that is not set is ""."""

    first_name: str = ""
    last_name: str = ""
    company: str = ""
    address_1: str = ""
    address_2: str = ""
    city: str = ""
    state: str = ""
    postcode: str = ""
    country: str = ""
    phone: str = ""
    email: str = ""

    def merged(self, changes: Mapping[str, str]) -> Address:
        """This address with the given parts replaced; keys that are no part are ignored.

        A move to another country drops the old state and postcode unless new ones are given: they
        mean nothing there, and would be refused although the client did not send them.
        """
        parts = {key: value for key, value in changes.items() if key in _LABELS}
        country = _country_spelled(tidy(parts.get("country", "")))
        if country and self.country and country != _country_spelled(tidy(self.country)):
            parts = {"state": "", "postcode": "", **parts}
        return replace(self, **parts)

    def as_billing(self) -> dict[str, str]:
        """The 11 keys of a billing address, in the order of the contract."""
        return {field: getattr(self, field) for field in BILLING_FIELDS}

    def as_shipping(self) -> dict[str, str]:
        """The 9 keys of a shipping address, in the order of the contract."""
        return {field: getattr(self, field) for field in SHIPPING_FIELDS}

    @property
    def is_empty(self) -> bool:
        """Whether no part is set."""
        return self == _NOWHERE

    @property
    def has_destination(self) -> bool:
        """Whether rates and taxes can be asked for: the country is known."""
        return bool(self.country)


BILLING_FIELDS: tuple[str, ...] = tuple(field.name for field in fields(Address))
SHIPPING_FIELDS: tuple[str, ...] = BILLING_FIELDS[:-2]
_NOWHERE = Address()


def tidy(part: str) -> str:
    """The text in NFC on one line: runs of white space and control characters become one space,
    edges are trimmed (of invisible characters too), marks that steer direction are dropped."""
    if part.isascii() and part.isprintable() and "  " not in part:
        return part.strip()
    composed = unicodedata.normalize("NFC", _STEERING.sub("", part))
    return _SPACES.sub(" ", composed).strip(_INVISIBLE)


def normalised(address: Address) -> Address:
    """The address as it is stored: every part tidy, the country in capitals, a state's name as its
    code, the postcode as the country writes it. What is not recognised stays as it was typed."""
    parts = {field: tidy(getattr(address, field)) for field in BILLING_FIELDS}
    parts["country"] = country = _country_spelled(parts["country"])
    if len(parts["state"]) <= LONGEST_PART:
        parts["state"] = state_spelled(country, parts["state"])
    parts["postcode"] = _postcode_spelled(country, parts["postcode"])
    return Address(**parts)


def _country_spelled(text: str) -> str:
    code = text.upper() if len(text) == 2 and text.isascii() else text
    return "GB" if code == "UK" else code


def _postcode_spelled(country: str, text: str) -> str:
    rules = country_rules(country)
    if not rules or not rules.postcodes or not text or len(text) > LONGEST_PART:
        return text
    return rules.postcodes.spelled(text) or text


def malformed(
    address: Address,
    group: str,
    *,
    allowed_countries: frozenset[str] | None = None,
    strict_phone: bool = False,
) -> list[Problem]:
    """What is wrong with the parts that are given, at most one problem each, in field order.

    `group` is "billing_address" or "shipping_address". The address is judged as `normalised` would
    spell it. `allowed_countries` are those that the shop sells or ships to; None allows all.
    """
    given = normalised(address)
    problems: list[Problem] = []
    for field in BILLING_FIELDS:
        text = getattr(given, field)
        if not text:
            continue
        if len(text) > LONGEST_PART:
            reason: str | None = f"may have at most {LONGEST_PART} characters."
        elif field == "country":
            reason = _wrong_country(text, group, allowed_countries)
        elif field == "phone":
            reason = wrong_phone(text, given.country, strict=strict_phone)
        elif field in _CHECKS:
            reason = _CHECKS[field](given)
        else:
            continue
        if reason:
            problems.append(_problem(_code(field, group), group, field, reason))
    return problems


def missing(address: Address, group: str, *, needs_email: bool) -> list[Problem]:
    """What an order needs and the address lacks, in field order.

    Names and country always; street, city, state and postcode as the country requires, or street
    and city while the country is not known; the e-mail address for billing when `needs_email`.
    """
    rules = country_rules(_country_spelled(tidy(address.country)))
    required = _REQUIRED_BY_ALL | (rules.required if rules else _REQUIRED_ANYWHERE)
    if needs_email and group == "billing_address":
        required |= {"email"}
    problems = []
    for field in BILLING_FIELDS:
        if field in required and not tidy(getattr(address, field)):
            where = f" in {_named(rules.code)}" if rules and field in rules.required else ""
            reason = f"is required{where}."
            problems.append(_problem("cocart_address_field_required", group, field, reason))
    return problems


def _wrong_country(code: str, group: str, allowed: frozenset[str] | None) -> str | None:
    if not knows_country(code):
        return "must be a two-letter ISO 3166-1 code such as US, GB or DE."
    if allowed is not None and code not in allowed:
        verb = "ship" if group == "shipping_address" else "sell"
        return f"is not available: this shop does not {verb} to {_named(code)}."
    return None


def _wrong_state(address: Address) -> str | None:
    country = address.country
    known = states_of(country)
    if not known or state_code(country, address.state):
        return None
    some = ", ".join(f"{code} ({name})" for code, name in islice(known.items(), 3))
    rules = country_rules(country)
    word = rules.state_word if rules else "state"
    return f"is not a {word} of {_named(country)}: send a code or name such as {some}."


def _wrong_postcode(address: Address) -> str | None:
    rules = country_rules(address.country)
    if not rules or not rules.postcodes or rules.postcodes.spelled(address.postcode):
        return None
    examples = " or ".join(rules.postcodes.examples[:2])
    return f"does not fit the country: {rules.code} postcodes look like {examples}."


def _wrong_email(address: Address) -> str | None:
    if is_email(address.email):
        return None
    return "is not well-formed: it should look like name@example.com."


_CHECKS = {"state": _wrong_state, "postcode": _wrong_postcode, "email": _wrong_email}


def _named(country: str) -> str:
    return f"{country_name(country)} ({country})"


def _code(field: str, group: str) -> str:
    side = group.removesuffix("_address")
    return {
        "country": f"cocart_invalid_{side}_country_code",
        "state": f"cocart_invalid_{side}_state",
        "postcode": f"cocart_invalid_{side}_postcode",
        "phone": "cocart_invalid_phone_number",
        "email": "cocart_invalid_email_address",
    }.get(field, "cocart_invalid_address_fields")


def _problem(code: str, group: str, field: str, reason: str) -> Problem:
    side = group.removesuffix("_address").capitalize()
    return Problem(code, f"{group}.{field}", f"{side} {_LABELS[field]} {reason}")


def formatted_destination(address: Address, *, home: str = "") -> str:
    """The destination on one line, as its country writes it: "12 Quarry Lane, Portland, OR 97205".

    Names are left out. The country is named when `home`, the shop's own country, is another.
    """
    place = normalised(address)
    local = written_locally(place.address_1, place.city)
    parts = place.as_shipping()
    parts["address_1"] = ", ".join(filter(None, (place.address_1, place.address_2)))
    parts["state"] = state_in_line(place.country, place.state, local=local)
    line, separator = "", ""
    for before, part in line_order(place.country, local=local):
        separator = before if separator != ", " else separator
        if parts[part]:
            line += (separator if line else "") + parts[part]
            separator = ""
    if home and place.country and place.country != home:
        line += (", " if line else "") + country_name(place.country)
    return line


def warm_up() -> None:
    """Loads what the first check of an address would load, so that no shopper waits for it."""
    malformed(
        Address(country="US", phone="+13105550142", email="a@shop.example"), "billing_address"
    )
