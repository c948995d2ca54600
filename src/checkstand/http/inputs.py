"""How requests say yes and no, and nothing: the spellings of every client, in one place (contract
README 3, DECISIONS 21)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator
from starlette.requests import Request

from checkstand.errors import ParameterInvalid

TRUTHS: Mapping[str, bool] = dict.fromkeys(("true", "1", "yes", "on", "y", "t"), True) | (
    dict.fromkeys(("false", "0", "no", "off", "n", "f"), False)
)
"""Words for yes and no; case does not matter."""
_Words = Literal["1", "0", "true", "false", "yes", "no", "on", "off", "y", "n", "t", "f"]


def _as_sent(value: Any) -> Any:
    return value


# Pydantic knows the same words; this only says so in OpenAPI.
Flag = Annotated[
    bool, BeforeValidator(_as_sent, json_schema_input_type=bool | Literal[0, 1] | _Words)
]
"""Yes or no in a body."""


def flag(request: Request, name: str, *, default: bool = False) -> bool:
    """What a parameter of the query says that is yes or no; ParameterInvalid."""
    said = request.query_params.get(name)
    if said is None:
        return default
    if said.lower() not in TRUTHS:
        raise ParameterInvalid(
            f"Invalid parameter(s): {name}.", data={"params": {name: "is `true` or `false`"}}
        )
    return TRUTHS[said.lower()]


def as_object(value: Any) -> Any:
    """`[]` stands for an empty object wherever one is expected, and so does the empty value of a
    form's field."""
    return {} if value in ([], "") else value


def as_given_object(value: Any) -> Any:
    """As `as_object`, where null says nothing either."""
    return {} if value is None else as_object(value)


EmptyObject = list[Any] | Literal[""]
"""What stands for an empty object, for OpenAPI."""
