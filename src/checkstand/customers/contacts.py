"""E-mail addresses and phone numbers: how far their form is judged.

An e-mail address is judged by its syntax, without a look-up. A phone number is refused only for
characters or a length that no number has, unless the shop asks for numbers in use.
"""

from __future__ import annotations

import re
from functools import lru_cache

from checkstand.customers.countries import plain_ascii

_EXTENSION = re.compile(r"\s*(?:;ext=|,|x|ext\.?|extension|#)\s*\d{1,7}$", re.IGNORECASE)
_NUMBER = re.compile(r"\(?\+?[\d\s().\-/_]+", re.ASCII)
_HINT = "write it like +13105550142 or (310) 555-0142"


def is_email(text: str) -> bool:
    """Whether `text` is an e-mail address by its syntax; its domain has a dot."""
    # Not imported at start: it loads the tables of idna.
    from email_validator import validate_email

    domain = text.rpartition("@")[2].lower()
    # The library refuses domains that are reserved (.test, .invalid, .local), but a shop under
    # development uses them. They are judged as a subdomain, which leaves every rule of syntax.
    if domain.endswith(_reserved_endings()):
        text += ".example"
    try:
        validate_email(text, check_deliverability=False)
    except ValueError:  # EmailNotValidError, and what Unicode tables may raise below it
        return False
    return True


@lru_cache(maxsize=1)
def _reserved_endings() -> tuple[str, ...]:
    from email_validator import SPECIAL_USE_DOMAIN_NAMES

    return tuple(f".{name}" for name in SPECIAL_USE_DOMAIN_NAMES)


def wrong_phone(text: str, country: str, *, strict: bool) -> str | None:
    """What is wrong with a phone number, as the end of a sentence; None when nothing is.

    `strict` also refuses numbers that the numbering plan (of `country`, for a number without +)
    has not given out.
    """
    plain = plain_ascii(text)
    number = _EXTENSION.sub("", plain)
    if not _NUMBER.fullmatch(number):
        return f"may have digits, spaces and + - ( ) . / only: {_HINT}."
    digits = sum(char.isdigit() for char in number)
    # E.164 ends at 15; the shortest national numbers have 4, with a country code they have more.
    if not (7 if "+" in number else 4) <= digits <= 15:
        return f"has too few or too many digits: {_HINT}."
    if strict and not _is_in_use(plain, country):
        return f"is not a number in use: {_HINT}."
    return None


def _is_in_use(text: str, country: str) -> bool:
    # Not imported at start: only shops that ask for strictness need it.
    import phonenumbers

    try:
        number = phonenumbers.parse(text, country or None)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_valid_number(number)
