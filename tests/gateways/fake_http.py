"""A small HTTP/1.1 server for providers that tests play: real sockets, and faults on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Lower-case names."""
    body: bytes


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes = b""
    content_type: str = "application/json"


class NoReply(Exception):
    """The connection stays open and nothing comes."""


class HangUp(Exception):
    """The connection is closed without an answer."""


Answering = Callable[[Call], Awaitable[Reply]]


@asynccontextmanager
async def served(answer: Answering) -> AsyncIterator[str]:
    """The address of a server on a free port of 127.0.0.1; it is gone afterwards."""
    open_writers: set[asyncio.StreamWriter] = set()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_writers.add(writer)
        try:
            while (call := await _read(reader)) is not None:
                try:
                    reply = await answer(call)
                except NoReply:
                    await reader.read()  # until the client gives up
                    return
                except HangUp:
                    return
                writer.write(_written(reply))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            open_writers.discard(writer)
            writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()
        for writer in list(open_writers):
            writer.transport.abort()
        await asyncio.sleep(0)  # lets the connections notice


async def _read(reader: asyncio.StreamReader) -> Call | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    url = urlsplit(target)
    return Call(method, url.path, dict(parse_qsl(url.query)), headers, body)


def _written(reply: Reply) -> bytes:
    return (
        f"HTTP/1.1 {reply.status} X\r\ncontent-type: {reply.content_type}\r\n"
        f"content-length: {len(reply.body)}\r\n\r\n"
    ).encode() + reply.body
