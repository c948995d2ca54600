"""`checkstand privacy`: the personal data of one person."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click
import orjson

from checkstand.cli.session import database_session
from checkstand.privacy import service


@click.group()
def privacy() -> None:
    """Exports or erases the personal data of one person."""


@privacy.command()
@click.argument("who")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Writes to a file (0600) instead of the terminal.",
)
def export(who: str, output: Path | None) -> None:
    """Everything that is known about WHO, an account's number or an e-mail address, as JSON."""

    async def run() -> dict[str, Any]:
        async with database_session() as session:
            return await service.export(session.database, who)

    found = orjson.dumps(asyncio.run(run()), option=orjson.OPT_INDENT_2)
    if output is None:
        click.echo(found)
        return
    output.touch(mode=0o600)
    output.write_bytes(found)
    click.echo(f"Written to {output}.")


@privacy.command()
@click.argument("who")
@click.option("--yes", is_flag=True, help="Does not ask first.")
def erase(who: str, yes: bool) -> None:
    """Takes WHO, an account's number or an e-mail address, out of everything. Orders keep their
    amounts, lines, country, state and postcode; the audit log still verifies."""
    if not yes:
        click.confirm("This cannot be undone. Erase?", abort=True)

    async def run() -> service.Erased:
        async with database_session() as session:
            return await service.erase(session.database, who)

    gone = asyncio.run(run())
    account = ", the account" if gone.account else ""
    click.echo(
        f"Erased from {gone.orders} orders, {gone.carts} carts, "
        f"{gone.audit_entries} audit entries{account}."
    )
