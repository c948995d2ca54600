"""`checkstand worker`: what nobody waits for, in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal

import click

from checkstand.cli.session import configured, database_url
from checkstand.settings import load
from checkstand.wiring import check_schema, open_shop


@click.command()
def worker() -> None:
    """Asks providers about payments that were left open, carries out refunds, and tidies up.

    As many as you like may run, and each may be killed at any time. Where one runs, set
    worker.in_process = false for the servers.
    """
    settings = configured()

    async def run() -> None:
        await check_schema(database_url(settings))
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with open_shop(settings, work=True, reread=load, on_reload=lambda _: None):
            logging.getLogger(__name__).info("the worker is at work")
            click.echo("Working. Press Ctrl-C to stop.", err=True)
            await stop.wait()
        click.echo("Stopped.", err=True)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())
