"""Asking our own application, in process, as a client would: nothing is got around."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.types import Message

WITHIN = "checkstand.within"
"""In the scope of a request that is a part of another one."""
REHEARSAL = "checkstand.rehearsal"
"""In the scope of a request that is only read and validated, not carried out."""
UNCOUNTED = "checkstand.uncounted"
"""In the scope of a request that no client has asked for: no limit counts it."""


_KEPT = ("type", "asgi", "http_version", "scheme", "server", "client", "root_path")


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    """Lower-case names."""
    body: bytes

    def json(self) -> Any:
        """What the body says; None for none."""
        return orjson.loads(self.body) if self.body else None


async def ask(
    request: Request,
    method: str,
    path: str,
    query: str,
    headers: Sequence[tuple[bytes, bytes]],
    body: bytes,
    marks: Mapping[str, Any],
) -> Reply:
    """The answer to a request of the same client and connection as `request`."""
    scope = {
        **{name: request.scope[name] for name in _KEPT if name in request.scope},
        **marks,
        "method": method,
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": query.encode(),
        "headers": [*headers, (b"content-length", str(len(body)).encode())],
        "state": {},
    }
    status, answered = 500, {}
    chunks: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            for name, value in message.get("headers", ()):
                answered[name.decode("latin-1").lower()] = value.decode("latin-1")
        elif message["type"] == "http.response.body":
            chunks.append(message.get("body", b""))

    await request.app(scope, receive, send)
    return Reply(status, answered, b"".join(chunks))
