"""`checkstand reload`: servers read their settings again."""

from __future__ import annotations

import asyncio

import click

from checkstand.cli.session import database_session
from checkstand.storage import changes


@click.command()
def reload() -> None:
    """Tells every server of this shop to read its settings file again.

    Settings of `server` and `database` need a restart. Wrong settings are logged by the servers and
    leave the old ones in force; try them first with `checkstand doctor`.
    """

    async def run() -> None:
        async with database_session() as session:
            await changes.tell(session.database, "settings")

    asyncio.run(run())
    click.echo("Announced: the servers read their settings again.")
