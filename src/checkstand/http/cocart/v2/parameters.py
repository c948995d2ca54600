"""Parameters of a query, from one table that reads, bounds and describes them.

FastAPI's own would look at thirty of them one by one, refuse the first list in brackets, and know
nothing of `include=1,2` beside `include[]=1&include[]=2` (contract README 3). All that is wrong is
said at once, by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal
from zoneinfo import ZoneInfo

from starlette.requests import Request

from checkstand.errors import QueryInvalid
from checkstand.http.inputs import TRUTHS

Kind = Literal["integer", "number", "string", "boolean", "choice", "moment", "integers", "strings"]
LONGEST = 200
"""Characters of a text."""
MOST = 100
"""Entries of a list."""
_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?", re.ASCII)
_INDEXED = re.compile(r"([a-z_]{1,40})\[[0-9]{0,3}\]")
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. `least` and `most` bound numbers; each entry, in a list of them. `choices`
    are what a choice, or each entry of a list of texts, may be; case does not matter."""

    name: str
    kind: Kind
    text: str
    default: Any = None
    least: int = 1
    most: int = _LARGEST
    choices: tuple[str, ...] = ()

    @property
    def is_list(self) -> bool:
        return self.kind in ("integers", "strings")

    def described(self) -> dict[str, Any]:
        """As OpenAPI says it."""
        said: dict[str, Any] = {
            "name": self.name,
            "in": "query",
            "required": False,
            "description": self.text,
        }
        if self.is_list:
            said |= {"style": "form", "explode": False}
        return {**said, "schema": self._schema()}

    def _schema(self) -> dict[str, Any]:
        bounds = {"minimum": self.least, "maximum": self.most}
        texts: dict[str, Any] = {"type": "string", "maxLength": LONGEST}
        if self.choices:
            texts = {"type": "string", "enum": list(self.choices)}
        schemas: dict[str, dict[str, Any]] = {
            "integer": {"type": "integer", **bounds},
            "number": {"type": "string", "pattern": f"^{_NUMBER.pattern}$"},
            "string": texts,
            "choice": texts,
            "boolean": {"type": "string", "enum": list(TRUTHS)},
            "moment": {"type": "string", "format": "date-time"},
            "integers": {
                "type": "array",
                "items": {"type": "integer", **bounds},
                "maxItems": MOST,
            },
            "strings": {"type": "array", "items": texts, "maxItems": MOST},
        }
        schema = schemas[self.kind]
        if self.default is not None:
            truth = {True: "true", False: "false"}
            default = truth[self.default] if self.kind == "boolean" else self.default
            return {**schema, "default": default}
        return schema

    def meaning(self, given: list[str], timezone: str) -> Any:
        """What was sent, understood; ValueError says what is wrong with it."""
        if self.is_list:
            parts = [part.strip() for text in given for part in text.split(",")]
            entries = [part for part in parts if part]
            if len(entries) > MOST:
                raise ValueError(f"has more than {MOST} entries")
            read = self._integer if self.kind == "integers" else self._string
            return tuple(dict.fromkeys(read(entry) for entry in entries))
        text = given[-1].strip()
        match self.kind:
            case "integer":
                return self._integer(text)
            case "number":
                return _number(text)
            case "boolean":
                if text.lower() not in TRUTHS:
                    raise ValueError("is `true` or `false`")
                return TRUTHS[text.lower()]
            case "moment":
                return _moment(text, timezone)
            case _:
                return self._string(text)

    def _integer(self, text: str) -> int:
        if not _INTEGER.fullmatch(text):
            raise ValueError("is not a whole number")
        if not self.least <= int(text) <= self.most:
            raise ValueError(f"is not between {self.least} and {self.most}")
        return int(text)

    def _string(self, text: str) -> str:
        if len(text) > LONGEST:
            raise ValueError(f"has more than {LONGEST} characters")
        if "\0" in text:
            raise ValueError("must not contain NUL bytes")
        if self.choices:
            for choice in self.choices:
                if text.lower().replace(" ", "_") == choice.lower():
                    return choice
            raise ValueError(f"is none of {', '.join(self.choices)}")
        return text


def _number(text: str) -> Decimal:
    try:
        if not _NUMBER.fullmatch(text):
            raise ValueError("is not an amount such as 19.99")
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("is not an amount such as 19.99") from None


def _moment(text: str, timezone: str) -> datetime:
    """ISO 8601; without an offset it is the store's local time."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(timezone))
        if not 1 < moment.year < 9999:  # one that every time zone and the database can hold
            raise ValueError
    except ValueError:
        raise ValueError("is not a date and time such as 2026-05-01T09:00:00") from None
    return moment


def read(
    request: Request, parameters: Iterable[Parameter], timezone: str = "UTC"
) -> dict[str, Any]:
    """The value of each parameter by its name, defaults filled in. QueryInvalid with a reason for
    each that is wrong. Parameters that are not in the table are nobody's business here."""
    sent: dict[str, list[str]] = {}
    for key, value in request.query_params.multi_items():
        found = _INDEXED.fullmatch(key)
        sent.setdefault(found[1] if found else key, []).append(value)
    values: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for each in parameters:
        given = sent.get(each.name)
        # An empty value is how a form says nothing.
        if not given or not any(text.strip() for text in given):
            values[each.name] = () if each.is_list and each.default is None else each.default
            continue
        try:
            values[each.name] = each.meaning(given, timezone)
        except ValueError as error:
            wrong[each.name] = str(error)
    if wrong:
        raise invalid(wrong)
    return values


def invalid(reasons: Mapping[str, str]) -> QueryInvalid:
    """The refusal of these parameters, each with its reason."""
    names = ", ".join(reasons)
    return QueryInvalid(f"Invalid parameter(s): {names}.", data={"params": dict(reasons)})


def documented(*parameters: Parameter) -> dict[str, Any]:
    """For `openapi_extra` of a route that reads these."""
    return {"parameters": [each.described() for each in parameters]}
