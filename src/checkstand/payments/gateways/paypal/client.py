"""PayPal's REST API over HTTP: the access token, requests, and what counts as an answer.

Nothing is tried again that could move money twice: the one request that is repeated is one that
PayPal refused with 401, which it has not carried out.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import httpx2

from checkstand.kit.clock import Clock

_log = logging.getLogger(__name__)

HOSTS = {"live": "api-m.paypal.com", "sandbox": "api-m.sandbox.paypal.com"}
_EARLY = timedelta(seconds=60)
"""How long before its end a token is not used any more."""
_LONGEST_KEY = 100  # PayPal takes 108 characters


class NoAnswer(Exception):
    """PayPal did not answer, or not so that it can be read: what was asked may have happened."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class CredentialsRefused(Exception):
    """PayPal does not take the shop's credentials, so it has done nothing of what was asked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What PayPal said: 2xx, or a 4xx that tells why it did nothing."""

    status: int
    body: Mapping[str, Any] = field(repr=False)

    @property
    def done(self) -> bool:
        return self.status < 300

    @property
    def issue(self) -> str:
        """PayPal's name for what is wrong, such as INSTRUMENT_DECLINED; else the error's name."""
        details = self.body.get("details")
        if isinstance(details, list):
            for detail in details:
                if isinstance(detail, dict) and isinstance(detail.get("issue"), str):
                    return str(detail["issue"])[:100]
        name = self.body.get("name")
        return name[:100] if isinstance(name, str) else f"HTTP_{self.status}"

    @property
    def debug_id(self) -> str:
        """What PayPal's support asks for."""
        found = self.body.get("debug_id")
        return found[:100] if isinstance(found, str) else ""

    def link(self, *relations: str) -> str:
        return link_in(self.body, *relations)


def link_in(body: Mapping[str, Any], *relations: str) -> str:
    """The web address of the first of the relations that the resource has; "" for none."""
    links = body.get("links")
    known: dict[str, str] = {}
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and isinstance(link.get("href"), str):
            known.setdefault(str(link.get("rel")), link["href"])
    for relation in relations:
        if known.get(relation, "").startswith(("https://", "http://")):
            return known[relation]
    return ""


@dataclass(slots=True)
class _Token:
    text: str = field(default="", repr=False)
    until: datetime | None = None

    def good(self, now: datetime) -> bool:
        return bool(self.text) and self.until is not None and now < self.until


@dataclass(slots=True)
class PayPalApi:
    """A connection to PayPal. The token is fetched when first needed and kept until a minute
    before it expires; concurrent requests wait for one fetch."""

    address: str
    client_id: str
    client_secret: str = field(repr=False)
    clock: Clock = field(repr=False)
    http: httpx2.AsyncClient = field(repr=False)
    _token: _Token = field(default_factory=_Token, repr=False)
    _renewal: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def get(self, path: str) -> Answer:
        return await self._ask("GET", path, None, "")

    async def post(self, path: str, body: Mapping[str, Any], *, request_id: str = "") -> Answer:
        return await self._ask("POST", path, json.dumps(body).encode(), request_id)

    async def post_bytes(self, path: str, body: bytes) -> Answer:
        """`body` goes out as it is."""
        return await self._ask("POST", path, body, "")

    async def patch(self, path: str, changes: list[dict[str, str]]) -> Answer:
        return await self._ask("PATCH", path, json.dumps(changes).encode(), "")

    async def close(self) -> None:
        await self.http.aclose()

    async def _ask(self, method: str, path: str, body: bytes | None, request_id: str) -> Answer:
        token = await self._bearer()
        response = await self._send(method, path, body, request_id, token)
        if response.status_code == 401:
            token = await self._bearer(refused=token)
            response = await self._send(method, path, body, request_id, token)
            if response.status_code == 401:
                _log.error("PayPal refuses the token that it has just given: %s", path)
                raise CredentialsRefused
        return _read(response)

    async def _send(
        self, method: str, path: str, body: bytes | None, request_id: str, token: str
    ) -> httpx2.Response:
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Prefer": "return=representation",
        }
        if request_id:
            headers["PayPal-Request-Id"] = request_id[:_LONGEST_KEY]
        try:
            return await self.http.request(
                method, f"{self.address}{path}", content=body, headers=headers
            )
        except httpx2.HTTPError as error:
            raise NoAnswer(type(error).__name__) from None

    async def _bearer(self, refused: str = "") -> str:
        """The access token; a new one when it is about to expire, or PayPal `refused` it."""
        async with self._renewal:
            now = self.clock.now()
            if not self._token.good(now) or self._token.text == refused:
                self._token = await self._new_token(now)
            return self._token.text

    async def _new_token(self, now: datetime) -> _Token:
        try:
            response = await self.http.post(
                f"{self.address}/v1/oauth2/token",
                data={"grant_type": "client_credentials"},
                auth=(self.client_id, self.client_secret),
            )
        except httpx2.HTTPError as error:
            raise NoAnswer(type(error).__name__) from None
        if response.status_code in (400, 401, 403):
            _log.error(
                "PayPal refuses the shop's credentials (HTTP %d): check gateways.paypal.client_id, "
                "client_secret and environment",
                response.status_code,
            )
            raise CredentialsRefused
        answer = _read(response)
        text, seconds = answer.body.get("access_token"), answer.body.get("expires_in")
        if not answer.done or not isinstance(text, str) or not isinstance(seconds, int):
            raise NoAnswer("no access token in PayPal's answer")
        return _Token(text, now + timedelta(seconds=seconds) - _EARLY)


def new_client(timeout: float) -> httpx2.AsyncClient:
    """`timeout`: seconds for each part of a request. A redirect is no answer of PayPal's."""
    return httpx2.AsyncClient(timeout=timeout, follow_redirects=False, verify=_trusted())


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """The usual authorities; kept, since to load them takes a tenth of a second."""
    return httpx2.create_ssl_context()


def _read(response: httpx2.Response) -> Answer:
    """NoAnswer for 5xx, for what asks to wait (409, 429), and for what is not a JSON object."""
    status = response.status_code
    if status >= 500 or status in (408, 409, 429):
        raise NoAnswer(f"HTTP {status}")
    if not response.content:
        return Answer(status, {})
    try:
        body = response.json()
    except (ValueError, RecursionError):
        raise NoAnswer(f"HTTP {status} with an answer that is not JSON") from None
    if not isinstance(body, dict):
        raise NoAnswer(f"HTTP {status} with an answer that is no object")
    if not 200 <= status < 300 and not 400 <= status < 500:
        raise NoAnswer(f"HTTP {status}")
    return Answer(status, body)
