"""The shop in this process, spoken to without a socket: for set-up, captures and counts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from checkstand.app import create_app
from checkstand.settings import Settings


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """`statements` grows by all that the shop sends to its database."""

    http: httpx2.AsyncClient
    statements: list[str]

    async def ask(
        self, method: str, route: str, query: Mapping[str, str], cart_key: str, body: Any = None
    ) -> httpx2.Response:
        """The answer; RuntimeError when it is not 200."""
        headers = {"Cart-Key": cart_key} if cart_key else {}
        answer = await self.http.request(method, route, params=query, headers=headers, json=body)
        if answer.status_code != 200:
            raise RuntimeError(f"{method} {route}: {answer.status_code} {answer.text}")
        return answer


@asynccontextmanager
async def rehearsing(settings: Settings) -> AsyncIterator[Rehearsal]:
    """Opens the shop for the length of the block."""
    statements: list[str] = []
    app = create_app(settings, on_query=statements.append, work=False)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://shop.test") as client:
            yield Rehearsal(client, statements)
