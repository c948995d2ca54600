"""`checkstand audit`: the log of who did what."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import IO

import click
import orjson

from checkstand.audit import service
from checkstand.cli.session import database_session


@click.group()
def audit() -> None:
    """Verifies and exports the audit log."""


@audit.command()
@click.option("--expect", default="", help="A head that was written down before.")
def verify(expect: str) -> None:
    """Walks the chain. Exit code 1: an entry was changed or is not there."""

    async def run() -> service.Verdict:
        async with database_session() as session:
            return await service.verify(session.database, expect.strip())

    found = asyncio.run(run())
    if found.fault:
        click.echo(f"The audit log does not hold: {found.fault}.", err=True)
        raise SystemExit(1)
    erased = f", {found.erased} of them with erased personal parts" if found.erased else ""
    click.echo(f"The audit log holds: {found.entries} entries{erased}.")
    click.echo(f"head: {found.head or '-'}")


@audit.command()
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Writes to a file instead of the terminal.",
)
def export(output: Path | None) -> None:
    """Writes all entries in their order, one JSON object a line, with all that the hashes cover."""

    async def run(out: IO[bytes]) -> int:
        count = 0
        async with database_session() as session:
            await service.seal_all(session.database)
            async for entry in service.entries(session.database):
                out.write(orjson.dumps(entry.as_json()) + b"\n")
                count += 1
        return count

    if output is None:
        asyncio.run(run(sys.stdout.buffer))
        return
    output.touch(mode=0o600)
    with output.open("wb") as file:
        count = asyncio.run(run(file))
    click.echo(f"{count} entries are in {output}.")
