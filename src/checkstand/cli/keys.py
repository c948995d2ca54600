"""`checkstand keys`: consumer keys, from the making to the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

import click

from checkstand.access import key_store as store
from checkstand.access import keys as verbs
from checkstand.access.key_store import Terms
from checkstand.access.principal import Dialect, KeyKind, Permission
from checkstand.cli.session import database_session
from checkstand.errors import NoSuchKey, ParameterInvalid
from checkstand.storage.database import Connection

T = TypeVar("T")
_OPTIONS = {"origins": "--origin", "networks": "--network", "expires_at": "--expires"}
KEY_ID = click.IntRange(1, 2**63 - 1)


def _do(work: Callable[[Connection], Awaitable[T]]) -> T:
    """Runs it in one transaction on the shop's database."""

    async def run() -> T:
        async with database_session() as session, session.database.transaction() as connection:
            return await work(connection)

    return asyncio.run(run())


@click.group()
def keys() -> None:
    """Makes, lists, rotates and revokes consumer keys."""


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
@click.option("--owner", default="", help="Who answers for the key.")
@click.option(
    "--publishable",
    is_flag=True,
    help="A key without a secret, for pages: carts and checkouts only, from its origins.",
)
@click.option(
    "--origin",
    "origins",
    multiple=True,
    help="A page that may use it, such as https://shop.example (no path).",
)
@click.option("--network", "networks", multiple=True, help="Where it may be used from: 10.0.0.0/8.")
@click.option(
    "--expires",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="When it ends, in UTC.",
)
def create(
    name: str,
    permission: str,
    dialect: str | None,
    owner: str,
    publishable: bool,
    origins: tuple[str, ...],
    networks: tuple[str, ...],
    expires: datetime | None,
) -> None:
    """Makes a key. Its secret is shown this once and stored as a hash only."""
    terms = Terms(
        name=name,
        permission=Permission(permission),
        dialect=Dialect(dialect) if dialect else None,
        kind=KeyKind.PUBLISHABLE if publishable else KeyKind.SECRET,
        owner=owner,
        origins=origins,
        networks=networks,
        expires_at=expires.replace(tzinfo=UTC) if expires else None,
    )
    try:
        verbs.checked(terms)
    except ParameterInvalid as wrong:
        field, why = next(iter(wrong.data["params"].items()))
        raise click.BadParameter(why, param_hint=_OPTIONS.get(field, f"--{field}")) from None
    _show(_do(lambda connection: verbs.create(connection, terms)))


@keys.command()
@click.argument("key_id", type=KEY_ID)
@click.option(
    "--overlap-hours",
    type=click.IntRange(0, 2160),
    default=24,
    show_default=True,
    help="How long the old key still works.",
)
def rotate(key_id: int, overlap_hours: int) -> None:
    """Makes a successor of the key on the same terms; both work until the old one ends."""
    now = datetime.now(UTC)
    try:
        made, ends_at = _do(
            lambda connection: verbs.rotate(connection, key_id, timedelta(hours=overlap_hours), now)
        )
    except NoSuchKey:
        raise _no_such(key_id) from None
    _show(made)
    click.echo(f"Key {key_id} works until {ends_at:%Y-%m-%d %H:%M:%S} UTC.")


@keys.command(name="list")
def list_() -> None:
    """Lists all keys, without their secrets."""
    now, found = datetime.now(UTC), _do(store.all_keys)
    click.echo(
        f"{'id':>4}  {'key ends in':<12} {'kind':<11} {'permission':<11} {'dialect':<10} "
        f"{'state':<9} {'last used':<16} name"
    )
    for stored in found:
        key = stored.key
        dialect = key.dialect.value if key.dialect else "-"
        used = f"{stored.last_used_at:%Y-%m-%d %H:%M}" if stored.last_used_at else "-"
        owner = f" ({key.owner})" if key.owner else ""
        click.echo(
            f"{key.id:>4}  …{stored.tail:<11} {key.kind.value:<11} {key.permission.value:<11} "
            f"{dialect:<10} {stored.state(now):<9} {used:<16} {key.name}{owner}"
        )


@keys.command()
@click.argument("key_id", type=KEY_ID)
@click.option("--days", type=click.IntRange(1, 400), default=30, show_default=True)
def usage(key_id: int, days: int) -> None:
    """Shows how often the key was used, by day (UTC) and route."""
    since: date = datetime.now(UTC).date() - timedelta(days=days - 1)
    found = _do(lambda connection: store.usage(connection, key_id, since))
    click.echo(f"{'day':<10}  {'requests':>9} {'failures':>9} {'limited':>9}  route")
    for each in found:
        click.echo(
            f"{each.day}  {each.requests:>9} {each.failures:>9} {each.limited:>9}  {each.route}"
        )


@keys.command()
@click.argument("key_id", type=KEY_ID)
def revoke(key_id: int) -> None:
    """Revokes the key with this id: servers refuse it at once, at the latest in 5 seconds."""
    try:
        _do(lambda connection: verbs.revoke(connection, key_id, datetime.now(UTC)))
    except NoSuchKey:
        raise _no_such(key_id) from None
    click.echo(f"Key {key_id} is revoked.")


def _no_such(key_id: int) -> click.ClickException:
    return click.ClickException(f"there is no active key {key_id}; see `checkstand keys list`")


def _show(made: verbs.NewKey) -> None:
    click.echo(f"id:              {made.id}")
    click.echo(f"consumer_key:    {made.consumer_key}")
    if made.consumer_secret:
        click.echo(f"consumer_secret: {made.consumer_secret}")
        click.echo("Keep the secret now: it cannot be shown again.", err=True)
