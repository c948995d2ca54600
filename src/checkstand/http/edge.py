"""The outermost layer: bounds a request before anybody reads it. Plain ASGI, one object."""

from __future__ import annotations

import logging
import re
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from checkstand.errors import BodyTooLarge, NoSuchRoute, ServerFault
from checkstand.http.problems import refusal_response
from checkstand.http.transport import Transport
from checkstand.kit import ids

_log = logging.getLogger(__name__)
_DRAINED = 8 * 1_048_576
# Python's `$`, which routes are matched with, lets one line feed through.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Edge:
    """Reads the body whole, up to `max_body` bytes, and hands it on in one piece. A larger one is
    read on (up to 8 MB, so that the client gets to see the answer) and refused with 413. A request
    whose client leaves before the body is complete is not carried out at all.

    X-HTTP-Method-Override on a POST, or `_method` in its query, is applied here, before anything
    looks at the method (DECISIONS 5, contract README 3). Every answer gets an X-Request-Id and the
    headers of the transport. What nobody expected is answered here too: the framework would raise
    it once more, and the server would drop the connection.
    """

    def __init__(self, app: ASGIApp, max_body: int, transport: Transport) -> None:
        self._app = app
        self._max_body = max_body
        self._transport = transport

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["request_id"] = request_id = ids.request_id()
        stamp = (b"x-request-id", request_id.encode())
        started = False

        async def stamped(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                given = [*message.get("headers", ()), stamp]
                message["headers"] = self._transport.complete(scope, given)
            await send(message)

        try:
            ended = await self._transport.arrive(scope)
            if ended is not None:
                await ended(scope, receive, stamped)
                return
            await self._bounded(scope, receive, stamped)
        except Exception:
            _log.exception("request %s failed", request_id)
            if started:
                raise
            await refusal_response(ServerFault())(scope, receive, stamped)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            scope = _overridden(scope)
        if scope["method"] in ("GET", "HEAD", "OPTIONS") and not _announces_body(scope):
            given = receive
        else:
            try:
                given = _once(await self._read(receive), receive)
            except ClientDisconnect:
                return
            except BodyTooLarge as refusal:
                response = refusal_response(refusal)
                response.headers["Connection"] = "close"  # there may be more, and nobody reads it
                await response(scope, receive, send)
                return
        if _CONTROL.search(scope["path"]):
            await refusal_response(NoSuchRoute())(scope, receive, send)
            return
        await self._app(scope, given, send)

    async def _read(self, receive: Receive) -> bytes:
        """The whole body; BodyTooLarge, or ClientDisconnect when the rest will never come."""
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk = message.get("body", b"")
            size += len(chunk)
            if size <= self._max_body:
                chunks.append(chunk)
            else:
                chunks.clear()
            if not message.get("more_body", False) or size > _DRAINED:
                break
        if size > self._max_body:
            raise BodyTooLarge(f"The body is larger than {self._max_body} bytes.")
        return b"".join(chunks)


def _overridden(scope: Scope) -> Scope:
    """A POST as the method that it says it is. One that no route has is refused by the router,
    never carried out as a POST."""
    meant = ""
    for name, value in scope["headers"]:
        if name == b"x-http-method-override":
            meant = value.decode("latin-1")
    if not meant and b"_method=" in scope["query_string"]:
        meant = dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("_method", "")
    meant = meant.strip().upper()
    return {**scope, "method": meant} if meant else scope


def _announces_body(scope: Scope) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


def _once(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once and then waits for the client as before."""
    given = False

    async def replay() -> dict[str, Any]:
        nonlocal given
        if given:
            return dict(await receive())
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
