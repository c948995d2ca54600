"""The official SDK over httpx2, which is the HTTP client of this house."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Mapping
from functools import cache
from typing import Any

import httpx2
import stripe


class Transport(stripe.HTTPClient):
    """What the SDK sends its requests with. `timeout`: seconds for one request, answer included.

    Nothing is repeated here: whether a payment may be asked for again is not known at this level.
    """

    name = "httpx2"

    def __init__(self, timeout: float) -> None:
        super().__init__()
        self._client = httpx2.AsyncClient(
            verify=_trusted(),
            timeout=httpx2.Timeout(timeout, connect=min(timeout, 10.0)),
            follow_redirects=False,
        )

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        try:
            response = await self._client.request(
                method.upper(), url, headers=dict(headers), content=post_data or None
            )
        except httpx2.HTTPError as error:
            # Without the error's text: it may repeat what was sent.
            reason = type(error).__name__
            raise stripe.APIConnectionError(reason) from None  # type: ignore[no-untyped-call]
        return response.content, response.status_code, response.headers

    def sleep_async(self, secs: float) -> Awaitable[None]:
        return asyncio.sleep(secs)

    async def close_async(self) -> None:
        await self._client.aclose()


@cache
def _trusted() -> ssl.SSLContext:
    """The authorities that are trusted: read once, since it takes a twentieth of a second."""
    return httpx2.create_ssl_context()
