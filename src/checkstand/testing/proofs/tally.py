"""How much was tried: pytest's summary says it when `checkstand.testing.plugin` is loaded."""

from __future__ import annotations

_COUNTED: list[str] = []


def add(what: str, count: int, unit: str) -> None:
    line = f"{what}: {count:,} {unit}"
    _COUNTED.append(line)


def lines() -> list[str]:
    return list(_COUNTED)
