"""`checkstand keys`: consumer keys, from the making to the end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import click

from checkstand.access import credentials, store
from checkstand.access.principal import Dialect, Permission
from checkstand.cli.session import database_session


@click.group()
def keys() -> None:
    """Makes, lists and revokes consumer keys."""


@keys.command()
@click.option("--name", required=True, help="What the key is for; shown in the list.")
@click.option(
    "--permission",
    type=click.Choice([permission.value for permission in Permission]),
    default=Permission.READ_WRITE.value,
    show_default=True,
    help="read covers GET, write the rest.",
)
@click.option(
    "--dialect",
    type=click.Choice([dialect.value for dialect in Dialect]),
    help="Which verb processes for this key: POST (reference) or PUT (tutorial). "
    "Default: what the request's header or the settings say.",
)
def create(name: str, permission: str, dialect: str | None) -> None:
    """Makes a key pair. Its secret is shown this once and stored as a hash only."""

    if not name.strip():
        raise click.BadParameter("say what the key is for", param_hint="--name")

    async def run() -> credentials.NewKey:
        async with database_session() as session, session.database.transaction() as connection:
            return await credentials.create_key(
                connection,
                name.strip()[:200],
                Permission(permission),
                Dialect(dialect) if dialect else None,
            )

    made = asyncio.run(run())
    click.echo(f"id:              {made.id}")
    click.echo(f"consumer_key:    {made.consumer_key}")
    click.echo(f"consumer_secret: {made.consumer_secret}")
    click.echo("Keep the secret now: it cannot be shown again.", err=True)


@keys.command(name="list")
def list_() -> None:
    """Lists all keys, without their secrets."""

    async def run() -> list[store.StoredKey]:
        async with database_session() as session, session.database.acquire() as connection:
            return await store.all_keys(connection)

    found = asyncio.run(run())
    click.echo(
        f"{'id':>4}  {'key ends in':<12} {'permission':<11} {'dialect':<10} {'state':<9} name"
    )
    for stored in found:
        key = stored.key
        state = "revoked" if stored.revoked_at else "active"
        dialect = key.dialect.value if key.dialect else "-"
        click.echo(
            f"{key.id:>4}  …{stored.tail:<11} {key.permission.value:<11} {dialect:<10} {state:<9} "
            f"{key.name}"
        )


@keys.command()
@click.argument("key_id", type=click.IntRange(1, 2**63 - 1))
def revoke(key_id: int) -> None:
    """Revokes the key with this id: servers refuse it within 5 seconds."""

    async def run() -> bool:
        async with database_session() as session, session.database.transaction() as connection:
            return await store.revoke_key(connection, key_id, datetime.now(UTC))

    if not asyncio.run(run()):
        raise click.ClickException(f"there is no active key {key_id}; see `checkstand keys list`")
    click.echo(f"Key {key_id} is revoked.")
