"""A shop behind a real uvicorn server on a free port, in a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import uvicorn

from checkstand.access import credentials
from checkstand.access.principal import Dialect, Permission
from checkstand.app import create_app
from checkstand.cli.serve import server_options
from checkstand.settings import Settings
from checkstand.storage.database import Database, PoolOptions
from tests.makers import product

_START_SECONDS = 30.0


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
    """Serves the shop with the options of `checkstand serve`, and stops it at the end."""
    reference, tutorial = asyncio.run(_keys(settings.database.url))
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        create_app(settings, **open_with),
        http="httptools",
        lifespan="on",
        log_config=None,
        **server_options(settings),
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="live shop")
    thread.start()
    try:
        give_up = time.monotonic() + _START_SECONDS
        while not server.started:
            if not thread.is_alive() or time.monotonic() > give_up:
                raise RuntimeError("the live shop did not start")
            time.sleep(0.01)
        yield LiveShop(listener.getsockname()[1], reference, tutorial)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


async def _keys(url: str) -> tuple[tuple[str, str], tuple[str, str]]:
    database = await Database.open(url, PoolOptions(min_size=1, max_size=1))
    try:
        async with database.transaction() as connection:
            made = [
                await credentials.create_key(connection, "live", Permission.READ_WRITE, dialect)
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
