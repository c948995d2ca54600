"""Reading what a shopper's browser sent for a payment: nothing about it can be relied on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from checkstand.payments.model import Declined

_LARGEST_OBJECT = 4000  # characters


class Unusable(Exception):
    """A part of the payment data is missing or has the wrong form; `fix` says what to send."""

    def __init__(self, field: str, fix: str, *, missing: bool = False) -> None:
        self.field = field
        self.fix = fix
        self.missing = missing
        super().__init__(fix)

    def declined(self) -> Declined:
        """What the shopper and the storefront are told; what was sent is not repeated."""
        code = "payment_data_missing" if self.missing else "payment_data_invalid"
        return Declined(
            "The payment details did not arrive as they should; please enter them again.",
            {"code": code, "message": self.fix, "field": self.field},
        )


def text(payment: Mapping[str, Any], names: tuple[str, ...], longest: int) -> str:
    """The first of `names` that is there, trimmed; "" when none is. Unusable when it is no text, is
    longer than `longest` characters or holds control characters."""
    for name in names:
        value = payment.get(name)
        if value is None or value == "":
            continue
        if not isinstance(value, str):
            raise Unusable(name, f"Send `{name}` as text.")
        if len(value) > longest:
            raise Unusable(name, f"Send `{name}` with at most {longest} characters.")
        if not value.isprintable():
            raise Unusable(name, f"Send `{name}` without control characters.")
        return value.strip()
    return ""


def required(payment: Mapping[str, Any], names: tuple[str, ...], longest: int) -> str:
    """The same; Unusable when none of `names` is there."""
    found = text(payment, names, longest)
    if not found:
        raise Unusable(names[0], f"Send `{names[0]}` in the payment data.", missing=True)
    return found


def members(payment: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object, or the JSON text of one (lists of key and value can carry only that); {} for none.
    Unusable for anything else."""
    value = payment.get(name)
    if value is None or value == "":
        return {}
    if isinstance(value, str) and len(value) <= _LARGEST_OBJECT:
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise Unusable(name, f"Send `{name}` as an object.")
    return value
