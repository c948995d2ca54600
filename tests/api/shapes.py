"""Shapes of answers as the contract's tables give them, and a strict look at an answer.

A shape is a type, a set of exact texts, a predicate, `[shape]`, `{"*": shape}` for a map, or
`{member: shape}` for an object that has exactly these members (`"member?"` may be left out).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any


def minor(value: Any) -> bool:
    """An amount in minor units, in a string."""
    return isinstance(value, str) and bool(re.fullmatch(r"0|-?[1-9][0-9]*", value))


def number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def hash32(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"[0-9a-f]{32}", value))


def utc(value: Any) -> bool:
    pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    return isinstance(value, str) and bool(re.fullmatch(pattern, value))


def uri(value: Any) -> bool:
    return isinstance(value, str) and bool(re.match(r"https?://[^/ ]+/", value))


def or_null(shape: Any) -> Callable[[Any], bool]:
    return lambda value: value is None or not complaints(value, shape)


def complaints(value: Any, shape: Any, where: str = "answer") -> list[str]:
    """What is not as the shape says; nothing when all is."""
    if isinstance(shape, type):
        return [] if type(value) is shape else [f"{where}: {value!r} is no {shape.__name__}"]
    if isinstance(shape, set):
        return [] if value in shape else [f"{where}: {value!r} is none of {shape}"]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{where}: {value!r} is no list"]
        return [
            c for i, each in enumerate(value) for c in complaints(each, shape[0], f"{where}.{i}")
        ]
    if callable(shape):
        return [] if shape(value) else [f"{where}: {value!r} is not {shape.__name__}"]
    if not isinstance(value, dict):
        return [f"{where}: {value!r} is no object"]
    if set(shape) == {"*"}:
        return [
            c for k, each in value.items() for c in complaints(each, shape["*"], f"{where}.{k}")
        ]
    named = {name.removesuffix("?"): inner for name, inner in shape.items()}
    needed = {name for name in shape if not name.endswith("?")}
    found = [f"{where}.{name}: is not there" for name in sorted(needed - set(value))]
    found += [f"{where}.{name}: is not documented" for name in sorted(set(value) - set(named))]
    for name, inner in named.items():
        if name in value:
            found += complaints(value[name], inner, f"{where}.{name}")
    return found
