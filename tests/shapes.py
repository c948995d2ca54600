"""What an answer must look like, member by member: a table that is written like the contract's.

A shape is a type, None, a literal in a set, a list of one shape (of each entry), a dict (exactly
these members), `Each` (any keys, each value has the shape), or a tuple of shapes (one of them).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Each:
    """An object with keys of any name that match `keys`; never empty."""

    value: Any
    keys: str = r".+"


@dataclass(frozen=True)
class Text:
    """A text of this pattern."""

    pattern: str


EMPTY_LIST: list[Any] = []
MINOR = Text(r"\d+")
LOCAL_TIME = Text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
URL = Text(r"https?://\S+")


def differences(shape: Any, value: Any, where: str = "") -> list[str]:
    """Everything in which the value is not of the shape, each with its place."""
    if isinstance(shape, tuple):
        found = [differences(each, value, where) for each in shape]
        return [] if any(not each for each in found) else [min(found, key=len)[0]]
    if isinstance(shape, set):
        return [] if value in shape else [f"{where}: {value!r} is none of {shape}"]
    if isinstance(shape, Text):
        fits = isinstance(value, str) and re.fullmatch(shape.pattern, value, re.DOTALL)
        return [] if fits else [f"{where}: {value!r} is no {shape.pattern}"]
    if isinstance(shape, Each):
        return _each(shape, value, where)
    if isinstance(shape, dict):
        return _members(shape, value, where)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{where}: {value!r} is no list"]
        if not shape:
            return [f"{where}: is not empty"] if value else []
        return [d for n, v in enumerate(value) for d in differences(shape[0], v, f"{where}[{n}]")]
    if shape is None:
        return [] if value is None else [f"{where}: {value!r} is not null"]
    fits = type(value) is shape  # True is no int here
    return [] if fits else [f"{where}: {value!r} is no {shape.__name__}"]


def _each(shape: Each, value: Any, where: str) -> list[str]:
    if not isinstance(value, dict) or not value:
        return [f"{where}: {value!r} is no object with something in it"]
    odd = [f"{where}.{key}: unexpected name" for key in value if not re.fullmatch(shape.keys, key)]
    return odd + [d for k, v in value.items() for d in differences(shape.value, v, f"{where}.{k}")]


def _members(shape: dict[str, Any], value: Any, where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where}: {value!r} is no object"]
    found = [f"{where}.{name}: is missing" for name in shape if name not in value]
    found += [f"{where}.{name}: is not documented" for name in value if name not in shape]
    for name, inner in shape.items():
        if name in value:
            found += differences(inner, value[name], f"{where}.{name}")
    return found
