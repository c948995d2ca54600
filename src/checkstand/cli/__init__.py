"""The `checkstand` command. Each subcommand is a module; a failure is one line and exit code 1."""

from __future__ import annotations

import sys
from pathlib import Path

import click

import checkstand
from checkstand.cli.catalog import catalog
from checkstand.cli.db import db
from checkstand.cli.demo import demo
from checkstand.cli.doctor import doctor
from checkstand.cli.keys import keys
from checkstand.cli.openapi import openapi
from checkstand.cli.serve import serve
from checkstand.cli.session import use_config
from checkstand.cli.tax import tax
from checkstand.errors import CheckstandError


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except CheckstandError as error:
            click.echo(f"checkstand: {error}", err=True)
            sys.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(checkstand.__version__, prog_name="checkstand")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Settings file; default: $CHECKSTAND_CONFIG, else ./checkstand.toml.",
)
def main(config: Path | None) -> None:
    """A headless cart and checkout server that speaks the CoCart REST API.

    `checkstand demo` shows a shop at once; `checkstand serve` runs yours.
    """
    use_config(config)


for command in (demo, serve, doctor, db, keys, catalog, tax, openapi):
    main.add_command(command)
