"""`checkstand db`: the schema of the database."""

from __future__ import annotations

import asyncio

import click

from checkstand.cli.session import configured, database_url
from checkstand.storage import migrate, schema


@click.group()
def db() -> None:
    """Looks after the database's schema."""


@db.command()
def upgrade() -> None:
    """Brings the database to the schema of this version. Safe to run again, and by several."""
    url = database_url(configured())
    before = asyncio.run(schema.current(url))
    asyncio.run(migrate.upgrade(url))
    after = asyncio.run(schema.current(url))
    click.echo(f"The schema is at {after} (it was at {before or 'none'}).")


@db.command()
def status() -> None:
    """Says which schema the database has and which this version needs."""
    current = asyncio.run(schema.current(database_url(configured())))
    head = schema.head()
    click.echo(f"database: {current or 'none'}, needed: {head}")
    if current != head:
        click.echo("Run `checkstand db upgrade`.", err=True)
        raise SystemExit(1)
