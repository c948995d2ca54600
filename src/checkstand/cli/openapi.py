"""`checkstand openapi`: the description of the API."""

from __future__ import annotations

import json
from pathlib import Path

import click

from checkstand.app import create_app
from checkstand.settings import Settings


@click.command()
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file instead."
)
def openapi(output: Path | None) -> None:
    """Prints the OpenAPI description of this version as JSON. Needs no database."""
    text = json.dumps(create_app(Settings()).openapi(), indent=1, sort_keys=True) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text)
