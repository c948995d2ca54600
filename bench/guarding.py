"""What the guards of a request cost: the consumer key, the address and the limits, as a share of
one GET checkout. The application is called without a server and a socket, so that the share is not
flattered by what they cost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import MutableMapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from bench.paths import CHECKOUT
from bench.stage import Stage
from checkstand.app import create_app
from checkstand.settings import Settings

BUDGET = 0.15
_ROUNDS = 30


@dataclass(frozen=True, slots=True)
class Guards:
    """CPU time of one GET checkout in microseconds, without guards and with them."""

    bare_us: float
    guarded_us: float

    @property
    def share(self) -> float:
        return (self.guarded_us - self.bare_us) / self.guarded_us

    @property
    def ok(self) -> bool:
        return self.share <= BUDGET


def measure(stage: Stage, requests: int) -> Guards:
    """Both applications in turns; the least of each, because noise only adds."""
    return asyncio.run(_measure(stage, requests))


async def _measure(stage: Stage, requests: int) -> Guards:
    (cart,) = await stage.make_carts("shop", 1, "guards")
    plain = stage.settings.model_copy(
        update={"checkout": stage.settings.checkout.model_copy(update={"access": "open"})}
    )
    roomy = {"enabled": True, "checkout_read": "1000000/minute"}
    limits = stage.settings.rate_limits.model_copy(update=roomy)
    guarded = stage.settings.model_copy(update={"rate_limits": limits})
    async with AsyncExitStack() as stack:
        apps = [
            await _opened(stack, plain, _scope(cart, {})),
            await _opened(stack, guarded, _scope(cart, stage.keys)),
        ]
        times: list[list[float]] = [[], []]
        for turn in range(_ROUNDS + 1):
            for each, found in zip(apps, times, strict=True):
                spent = await _spent(*each, requests)
                if turn:  # the first warms up
                    found.append(spent)
    return Guards(min(times[0]), min(times[1]))


async def _opened(
    stack: AsyncExitStack, settings: Settings, scope: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    app = create_app(settings)
    await stack.enter_async_context(app.router.lifespan_context(app))
    return app, scope


def _scope(cart: str, query: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": CHECKOUT,
        "raw_path": CHECKOUT.encode(),
        "query_string": urlencode(query).encode(),
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1"), (b"cart-key", cart.encode())],
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 8000),
    }


async def _spent(app: Any, scope: dict[str, Any], requests: int) -> float:
    """CPU microseconds of one request."""
    statuses: set[int] = set()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.add(message["status"])

    began = time.process_time()
    for _ in range(requests):
        await app({**scope, "state": {}}, receive, send)
    spent = time.process_time() - began
    if statuses != {200}:
        raise RuntimeError(f"GET checkout was answered with {statuses}")
    return spent / requests * 1e6
