"""What an answer must look like, member by member: a table that is written like the contract's.

A shape is a type, None, a literal in a set, a predicate, a list of one shape (of each entry), a
dict (exactly these members; a name that ends in `?` may be left out), `Each` (any keys, each value
has the shape), or a tuple of shapes (one of them).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Each:
    """An object with keys of any name that match `keys`; not `{}`, unless `empty`."""

    value: Any
    keys: str = r".+"
    empty: bool = False


@dataclass(frozen=True)
class Text:
    """A text of this pattern."""

    pattern: str


EMPTY_LIST: list[Any] = []
MINOR = Text(r"0|[1-9]\d*")
SIGNED_MINOR = Text(r"0|-?[1-9]\d*")
LOCAL_TIME = Text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
UTC_TIME = Text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
HASH = Text(r"[0-9a-f]{32}")
URL = Text(r"https?://[^\s/]+/\S*|https?://[^\s/]+")


def number(value: Any) -> bool:
    """An integer or not; no boolean."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def differences(shape: Any, value: Any, where: str = "") -> list[str]:
    """Everything in which the value is not of the shape, each with its place."""
    if isinstance(shape, tuple):
        found = [differences(each, value, where) for each in shape]
        return [] if any(not each for each in found) else [min(found, key=len)[0]]
    if isinstance(shape, set):
        fits = isinstance(value, (str, bool, int)) and value in shape
        return [] if fits else [f"{where}: {value!r} is none of {shape}"]
    if isinstance(shape, Text):
        fits = isinstance(value, str) and bool(re.fullmatch(shape.pattern, value, re.DOTALL))
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
    if isinstance(shape, type):  # True is no int here
        return [] if type(value) is shape else [f"{where}: {value!r} is no {shape.__name__}"]
    return [] if shape(value) else [f"{where}: {value!r} is no {shape.__name__}"]


def _each(shape: Each, value: Any, where: str) -> list[str]:
    if not isinstance(value, dict) or not (value or shape.empty):
        return [f"{where}: {value!r} is no object with something in it"]
    odd = [f"{where}.{key}: unexpected name" for key in value if not re.fullmatch(shape.keys, key)]
    return odd + [d for k, v in value.items() for d in differences(shape.value, v, f"{where}.{k}")]


def _members(shape: dict[str, Any], value: Any, where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where}: {value!r} is no object"]
    known = {name.removesuffix("?"): inner for name, inner in shape.items()}
    found = [f"{where}.{name}: is missing" for name in shape if name not in value and name in known]
    found += [f"{where}.{name}: is not documented" for name in value if name not in known]
    for name, inner in known.items():
        if name in value:
            found += differences(inner, value[name], f"{where}.{name}")
    return found
