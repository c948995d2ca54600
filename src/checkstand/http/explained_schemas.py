"""What `?explain=1` adds to an answer. All amounts are minor units, in strings."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class _Out(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StepOut(_Out):
    rule: str = Field(description="What was done.")
    result: str = Field(description="Where the amount then stands.")
    rate: str | None = Field(None, description="By how much: a rate, a count, a share, a code.")
    exact: str | None = Field(None, description="What came out before it was rounded.")
    rounding: str | None = Field(None, description="`half up` or `largest remainder`.")


class PartOut(_Out):
    of: str = Field(description="`line`, `coupon`, `shipping`, `fee`, `tax` or a row of the total.")
    code: str
    label: str
    line: str | None = Field(None, description="The key of the item that it is about.")
    name: str | None = Field(None, description="What that item is.")
    amount: str
    steps: list[StepOut] = Field(description="The last one leads to `amount`.")


class TraceOut(_Out):
    amount: str
    parts: list[PartOut] = Field(description="They sum to `amount`.")


Explanation = Annotated[
    dict[str, TraceOut] | None,
    Field(description="With `explain=1`: each of the twelve totals with what made it."),
]
