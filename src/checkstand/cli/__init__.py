"""The `checkstand` command. Each subcommand is a module; a failure is one line and exit code 1."""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from pathlib import Path

import click

import checkstand
from checkstand.errors import CheckstandError

_COMMANDS = (
    "demo",
    "serve",
    "worker",
    "doctor",
    "db",
    "keys",
    "accounts",
    "audit",
    "privacy",
    "catalog",
    "reviews",
    "tax",
    "coupons",
    "payments",
    "reload",
    "openapi",
)


class _Commands(click.Group):
    """Loads a command when it is asked for: most need a web framework or a driver, few both."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"checkstand.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except CheckstandError as error:
            click.echo(f"checkstand: {error}", err=True)
            sys.exit(1)
        except KeyboardInterrupt:
            click.echo("Aborted!", err=True)
            sys.exit(128 + signal.SIGINT)  # as shells have it


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
    if config is not None:
        from checkstand.cli.session import use_config

        use_config(config)
