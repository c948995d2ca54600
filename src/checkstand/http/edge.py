"""The outermost layer: bounds a request before anybody reads it. Plain ASGI, one object."""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from checkstand.errors import BodyTooLarge
from checkstand.http.problems import refusal_response
from checkstand.kit import ids

_DRAINED = 8 * 1_048_576
_OVERRIDABLE = {b"PUT": "PUT", b"PATCH": "PATCH", b"DELETE": "DELETE", b"GET": "GET"}


class Edge:
    """Reads the body whole, up to `max_body` bytes, and hands it on in one piece. A larger one is
    read on (up to 8 MB, so that the client gets to see the answer) and refused with 413.

    X-HTTP-Method-Override on a POST is applied here, before anything looks at the method
    (DECISIONS 5). Every answer gets an X-Request-Id.
    """

    def __init__(self, app: ASGIApp, max_body: int) -> None:
        self._app = app
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["request_id"] = request_id = ids.request_id()
        stamp = (b"x-request-id", request_id.encode())

        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), stamp]
            await send(message)

        if scope["method"] == "POST":
            scope = _overridden(scope)
        if scope["method"] in ("GET", "HEAD", "OPTIONS") and not _announces_body(scope):
            await self._app(scope, receive, stamped)
            return
        body = await self._read(receive)
        if body is None:
            refusal = BodyTooLarge(f"The body is larger than {self._max_body} bytes.")
            await refusal_response(refusal)(scope, receive, stamped)
            return
        await self._app(scope, _once(body, receive), stamped)

    async def _read(self, receive: Receive) -> bytes | None:
        """The whole body; None when it is too large."""
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            chunk = message.get("body", b"")
            size += len(chunk)
            if size <= self._max_body:
                chunks.append(chunk)
            else:
                chunks.clear()
            if not message.get("more_body", False) or size > _DRAINED:
                break
        return b"".join(chunks) if size <= self._max_body else None


def _overridden(scope: Scope) -> Scope:
    for name, value in scope["headers"]:
        if name == b"x-http-method-override":
            method = _OVERRIDABLE.get(value.strip().upper())
            return {**scope, "method": method} if method else scope
    return scope


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
