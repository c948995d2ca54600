"""A small HTTP server for a fake provider, on which requests get lost, doubled, late and broken."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from checkstand.testing.peer import Fault


@dataclass
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Wire:
    """A subclass says in `handled` what a request comes to."""

    seen: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    hold_next: bool = False
    """Keeps the next request that moves money back until `release`, as a slow network does."""
    held: list[Request] = field(default_factory=list)
    broken: bool = False
    """Answers everything with an HTML page and 200, as a wrong proxy does."""
    only_status: int | None = None
    """Answers everything with this status and an empty object."""
    address: str = ""
    _server: asyncio.Server | None = None
    _writers: dict[asyncio.StreamWriter, asyncio.Task[Any] | None] = field(default_factory=dict)

    def handled(self, request: Request) -> tuple[int, Any]:
        """Status and JSON body; None as body for none."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        tasks = [task for task in self._writers.values() if task is not None]
        for writer in list(self._writers):
            writer.close()
        await self._server.wait_closed()
        if tasks:
            await asyncio.wait(tasks, timeout=1)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers[writer] = asyncio.current_task()
        try:
            while (request := await _request(reader)) is not None:
                answer = self._answered(request)
                if answer is None:
                    await reader.read()  # until the caller gives up
                    break
                if answer == b"":
                    break
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.pop(writer, None)
            writer.close()

    def _answered(self, request: Request) -> bytes | None:
        """The answer; None for none ever, b"" for a connection that is cut."""
        self.seen.append(request)
        if self.only_status is not None:
            return _http(self.only_status, {})
        if self.broken:
            return b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html>Hi</html>"
        moves = request.method == "POST" and request.path.endswith(
            ("/capture", "/authorize", "/refund", "/void")
        )
        if moves and self.hold_next:
            self.hold_next = False
            self.held.append(request)
            return b""
        fault = self.faults.pop(0) if moves and self.faults else None
        if fault is Fault.LOST:
            return b""
        if fault is Fault.ERROR_BEFORE:
            return _http(500, {"name": "INTERNAL_SERVER_ERROR"})
        if fault is Fault.TWICE:
            self.handled(request)
        answer = self.handled(request)
        if fault is Fault.TIMEOUT_AFTER:
            return None
        if fault is Fault.ERROR_AFTER:
            return _http(500, {"name": "INTERNAL_SERVER_ERROR"})
        return _http(*answer)

    def release(self) -> list[int]:
        """The requests that were held back arrive. Their statuses, which nobody reads."""
        statuses = [self.handled(request)[0] for request in self.held]
        self.held.clear()
        return statuses


async def _request(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    except asyncio.IncompleteReadError:
        return None
    method, path, _ = head[0].split(" ")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)


def _http(status: int, body: Any) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content
