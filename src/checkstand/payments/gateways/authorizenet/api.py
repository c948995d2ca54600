"""Asking Authorize.Net over its JSON API, and what its answers say.

The API is XML in the clothes of JSON: the members of a request have an order, an answer begins with
a byte order mark, every answer is HTTP 200, and what went wrong is in `messages`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from checkstand.payments.gateways.silence import Silent
from checkstand.payments.gateways.trust import trusted

_ADDRESSES = {
    "sandbox": "https://apitest.authorize.net",
    "live": "https://api.authorize.net",
}
PATH = "/xml/v1/request.api"
# Errors of Authorize.Net's own: it does not say whether anything was done.
_NOT_FINAL = frozenset({"E00001", "E00053", "E00104"})


@dataclass(frozen=True, slots=True)
class Answer:
    """`code`, `text`: the first of `messages`."""

    accepted: bool
    code: str
    text: str
    body: Mapping[str, Any] = field(repr=False)

    def part(self, name: str) -> Mapping[str, Any]:
        """A member that is an object; {} when it is not there."""
        return members(self.body, name)

    def entries(self, name: str) -> list[Mapping[str, Any]]:
        """A member that is a list of objects; [] when it is not there."""
        found = self.body.get(name)
        if not isinstance(found, list):
            return []
        return [each for each in found if isinstance(each, Mapping)]


def members(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = raw.get(name)
    return found if isinstance(found, Mapping) else {}


def word(raw: Mapping[str, Any], name: str) -> str:
    """A member as text: numbers come with and without quotes."""
    value = raw.get(name)
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return ""


class Api:
    """One pool of connections; an answer takes at most `limit` seconds."""

    def __init__(
        self, environment: str, api_base: str, login: str, transaction_key: str, limit: float
    ) -> None:
        self._limit = limit
        self._login = {"name": login, "transactionKey": transaction_key}
        self._http = httpx2.AsyncClient(
            base_url=api_base or _ADDRESSES[environment],
            timeout=httpx2.Timeout(limit),
            follow_redirects=False,
            verify=trusted(),
        )

    async def ask(self, request: str, body: Mapping[str, Any]) -> Answer:
        """`body` in the order of the schema. Silent on time-out, on 4xx and 5xx, on errors of
        Authorize.Net's own, and on what is not its JSON."""
        full = {request: {"merchantAuthentication": self._login, **body}}
        try:
            async with asyncio.timeout(self._limit):
                answer = await self._http.post(PATH, json=full)
        except (httpx2.HTTPError, TimeoutError) as error:
            raise Silent(type(error).__name__) from None
        if not answer.is_success:
            raise Silent(f"answered {answer.status_code}")
        return _read(answer.content)

    async def close(self) -> None:
        await self._http.aclose()


def _read(content: bytes) -> Answer:
    try:
        body = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        body = None
    messages = members(body, "messages") if isinstance(body, dict) else {}
    result = messages.get("resultCode")
    if not isinstance(body, dict) or result not in ("Ok", "Error"):
        raise Silent("an answer that cannot be read")
    listed = messages.get("message")
    first = listed[0] if isinstance(listed, list) and listed else {}
    first = first if isinstance(first, Mapping) else {}
    answer = Answer(result == "Ok", word(first, "code"), word(first, "text")[:300], body)
    if answer.code in _NOT_FINAL:
        raise Silent(f"answered {answer.code}")
    return answer
