"""The trace of a total: its parts, and the steps that led to each. What `explaining` tells.

A step that does not lead to the quote's own amount is never told: the part then says its amount
only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

HALF_UP = "half up"
LARGEST_REMAINDER = "largest remainder"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done to an amount. `exact` is what came out before `rounding`, in minor
    units; `result` is where the amount then stands."""

    rule: str
    result: int
    rate: str = ""
    exact: Fraction | None = None
    rounding: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """What one line, rate, fee, coupon or tax brings to a total, and the steps to it. `line` is the
    key of the line that it is about, if it is about one."""

    of: str
    code: str
    label: str
    minor: int
    steps: tuple[Step, ...] = ()
    line: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """A total: its parts sum to it."""

    minor: int
    parts: tuple[Part, ...] = field(default=())

    @classmethod
    def of(cls, parts: Iterable[Part]) -> Trace:
        every = tuple(parts)
        return cls(sum(part.minor for part in every), every)


def told(part: Part) -> Part:
    """The part, without steps that do not lead to it or that do not round as they say."""
    leads = not part.steps or part.steps[-1].result == part.minor
    return part if leads and _rounds(part.steps) else replace(part, steps=())


def _rounds(steps: Iterable[Step]) -> bool:
    return all(
        step.exact is None or abs(step.exact - step.result) <= Fraction(1, 2) for step in steps
    )


def decimal(exact: Fraction) -> str:
    """At most 8 decimals."""
    text = f"{Decimal(exact.numerator) / Decimal(exact.denominator):.8f}"
    return text.rstrip("0").rstrip(".")


def as_json(traces: Mapping[str, Trace], names: Mapping[str, str]) -> dict[str, object]:
    """The traces with amounts in minor units, in strings. `names` says what each line is, by its
    key."""
    return {
        name: {
            "amount": str(trace.minor),
            "parts": [_part(part, names) for part in trace.parts],
        }
        for name, trace in traces.items()
    }


def _part(part: Part, names: Mapping[str, str]) -> dict[str, object]:
    about = {"line": part.line, "name": names.get(part.line, "")} if part.line else {}
    return {
        "of": part.of,
        "code": part.code,
        "label": part.label,
        **about,
        "amount": str(part.minor),
        "steps": [_step(step) for step in part.steps],
    }


def _step(step: Step) -> dict[str, str]:
    said = {"rule": step.rule, "result": str(step.result)}
    if step.rate:
        said["rate"] = step.rate
    if step.exact is not None:
        said["exact"] = decimal(step.exact)
    if step.rounding:
        said["rounding"] = step.rounding
    return said
