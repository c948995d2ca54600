"""How long requests take: the Server-Timing header, and `/metrics` for Prometheus."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from time import perf_counter

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from checkstand.errors import NoSuchRoute
from checkstand.http.describe import operation_id
from checkstand.http.requests import shop_of
from checkstand.meters import CONTENT_TYPE

NO_ROUTE = "no_route"
"""What requests that fit no route are counted as, all together."""
_PROXIES = ("forwarded", "x-forwarded-for", "x-real-ip", "cf-connecting-ip", "client-ip", "via")


class Measured:
    """Measures every request by its route, and says so in Server-Timing when `tells` is set. Inside
    the edge: what the edge refuses unread is not counted."""

    def __init__(self, app: ASGIApp, *, tells: bool) -> None:
        self._app = app
        self._tells = tells

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, begun = 500, perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if self._tells:
                    timing = f"total;dur={(perf_counter() - begun) * 1000:.2f}".encode()
                    headers = [*message.get("headers", ()), (b"server-timing", timing)]
                    message = {**message, "headers": headers}
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            endpoint = scope.get("endpoint")
            name = getattr(endpoint, "__name__", NO_ROUTE) if endpoint else NO_ROUTE
            scope["app"].state.shop.meters.answered(name, status, perf_counter() - begun)


def router(allowed: str) -> APIRouter:
    """The route of `/metrics`; `allowed` is `off`, `local` or `on`."""
    made = APIRouter(generate_unique_id_function=operation_id)
    if allowed != "off":
        may: Callable[[Request], bool] = _is_local if allowed == "local" else lambda _: True

        @made.get("/metrics", include_in_schema=False)
        async def read_metrics(request: Request) -> Response:
            if not may(request):
                raise NoSuchRoute
            return Response(
                shop_of(request).meters.text(),
                headers={"Cache-Control": "no-store", "Content-Type": CONTENT_TYPE},
            )

    return made


def _is_local(request: Request) -> bool:
    """Whether it comes from this machine, and not through a proxy on it."""
    if any(name in request.headers for name in _PROXIES) or request.client is None:
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
