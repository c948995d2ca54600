"""A shop behind a real uvicorn server on a free port, in a thread or a process of its own."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import uvicorn

from checkstand.access import keys
from checkstand.access.key_store import Terms
from checkstand.access.principal import Dialect
from checkstand.app import create_app
from checkstand.cli.serve import server_options
from checkstand.settings import Settings
from checkstand.storage.database import Database, PoolOptions
from tests.makers import product

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class LiveShop:
    """`reference` and `tutorial` are consumer keys, as Basic user name and password."""

    port: int
    reference: tuple[str, str]
    tutorial: tuple[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def live_shop(settings: Settings, **open_with: Any) -> Iterator[LiveShop]:
    """Serves the shop from a thread, whose log records are those of this process."""
    with _listening(settings) as (listener, shop):
        server = _server(settings, **open_with)
        thread = threading.Thread(target=server.run, args=([listener],), name="live shop")
        thread.start()
        try:
            yield shop
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def live_shop_process(settings: Settings) -> Iterator[LiveShop]:
    """Serves the shop from a process, which shares nothing with this one (Hypothesis minds a
    thread that uses the `random` module)."""
    with _listening(settings) as (listener, shop):
        command = [sys.executable, "-m", __name__, str(listener.fileno())]
        process = subprocess.Popen(
            command, cwd=_ROOT, stdin=subprocess.PIPE, pass_fds=[listener.fileno()]
        )
        listener.close()  # so that nobody waits for a server that ended
        try:
            assert process.stdin is not None
            process.stdin.write(settings.model_dump_json().encode())
            process.stdin.close()
            yield shop
        finally:
            process.terminate()
            process.wait()


def _server(settings: Settings, **open_with: Any) -> uvicorn.Server:
    """With the options of `checkstand serve`."""
    config = uvicorn.Config(
        create_app(settings, **open_with),
        lifespan="on",
        log_config=None,
        **server_options(settings),
    )
    return uvicorn.Server(config)


@contextmanager
def _listening(settings: Settings) -> Iterator[tuple[socket.socket, LiveShop]]:
    """The socket is there before the server is: a first request waits for the start."""
    with ThreadPoolExecutor(1) as aside:  # this one may have an event loop already
        reference, tutorial = aside.submit(asyncio.run, _keys(settings.database.url)).result()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener, LiveShop(listener.getsockname()[1], reference, tutorial)


async def _keys(url: str) -> tuple[tuple[str, str], tuple[str, str]]:
    database = await Database.open(url, PoolOptions(min_size=1, max_size=1))
    try:
        async with database.transaction() as connection:
            made = [
                await keys.create(connection, Terms("live", dialect=dialect))
                for dialect in (None, Dialect.TUTORIAL)
            ]
    finally:
        await database.close()
    first, second = ((each.consumer_key, each.consumer_secret) for each in made)
    return first, second


async def stock_the_shop(url: str) -> None:
    """The Premium T-Shirt, as product 1."""
    connection = await asyncpg.connect(url)
    try:
        await product(connection, sku="TSHIRT-PREMIUM", slug="premium-t-shirt")
    finally:
        await connection.close()


if __name__ == "__main__":
    _server(Settings.model_validate_json(sys.stdin.read())).run(
        [socket.socket(fileno=int(sys.argv[1]))]
    )
