"""`checkstand serve`: the server of a shop."""

from __future__ import annotations

import asyncio
from typing import Any

import click
import uvicorn

from checkstand.cli.session import configured, database_url
from checkstand.http.protocol import BoundedHttpProtocol
from checkstand.settings import Settings
from checkstand.wiring import check_schema


@click.command()
@click.option("--host", help="Address to listen on; default: server.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; default: server.port.")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes; default: server.workers.")
def serve(host: str | None, port: int | None, workers: int | None) -> None:
    """Serves the shop of the settings. The database must be at this version's schema."""
    settings = configured()
    asyncio.run(check_schema(database_url(settings)))
    uvicorn.run(
        "checkstand.app:from_environment",
        factory=True,
        host=host or settings.server.host,
        port=settings.server.port if port is None else port,
        workers=workers or settings.server.workers,
        # A busy machine may need more than the usual 5 s to import a worker.
        timeout_worker_healthcheck=60,
        **server_options(settings),
    )


def server_options(settings: Settings) -> dict[str, Any]:
    """uvicorn's options. No access log: query strings carry secrets and cart keys."""
    return {
        "access_log": False,
        "server_header": False,
        "date_header": True,
        "log_level": settings.log.level,
        "timeout_keep_alive": settings.server.keep_alive,
        "timeout_graceful_shutdown": settings.server.shutdown_grace,
        "proxy_headers": False,
        "http": BoundedHttpProtocol,
    }
