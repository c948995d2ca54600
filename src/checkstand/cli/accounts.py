"""`checkstand accounts`: the people who can sign in, as an operator sees them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

import click

from checkstand.access import account_store
from checkstand.access.account_store import Person, StoredAccount
from checkstand.access.passwords import Passwords
from checkstand.access.principal import Role
from checkstand.accounts.rules import is_name, said
from checkstand.cli.session import database_session
from checkstand.customers.contacts import is_email
from checkstand.storage.database import Connection
from checkstand.wiring.accounts import account_rules

_SHOWN = 1000
_ROLES = click.Choice([role.value for role in Role])


@click.group()
def accounts() -> None:
    """Makes, lists and changes accounts."""


@accounts.command()
@click.option("--username", required=True, help="The name to sign in with.")
@click.option("--email", required=True, help="The e-mail address.")
@click.option(
    "--role", type=_ROLES, default=Role.CUSTOMER.value, show_default=True, help="What it may do."
)
def create(username: str, email: str, role: str) -> None:
    """Makes an account. Its password is asked for, or read from standard input."""
    if not is_name(username):
        raise click.BadParameter(
            "use 1 to 60 letters, digits and . _ - with at least one letter",
            param_hint="--username",
        )
    if not is_email(email):
        raise click.BadParameter("is not an e-mail address", param_hint="--email")
    password = _asked()

    async def run() -> int | None:
        async with database_session() as session:
            rules = account_rules(session.settings, "")
            if weak := rules.weaknesses(password, username, email):
                raise click.ClickException(said(weak))
            hashed = await Passwords().hash(password)
            async with session.database.transaction() as connection:
                return await account_store.add(
                    connection, username, Person(email), hashed, Role(role)
                )

    made = asyncio.run(run())
    if made is None:
        raise click.ClickException("there is an account with this user name or e-mail address")
    click.echo(f"Account {made}, {username}, is made: {Role(role).label}.")


def _asked() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


@accounts.command(name="list")
def list_() -> None:
    """Lists accounts, staff first."""

    async def run() -> list[StoredAccount]:
        async with database_session() as session, session.database.acquire() as connection:
            return await account_store.all_accounts(connection, _SHOWN + 1)

    found = asyncio.run(run())
    click.echo(f"{'id':>6}  {'role':<14} {'user name':<24} e-mail")
    for stored in found[:_SHOWN]:
        account = stored.account
        click.echo(
            f"{account.id:>6}  {account.role.value:<14} {account.username:<24} {stored.email}"
        )
    if len(found) > _SHOWN:
        click.echo(f"There are more than these {_SHOWN}.", err=True)


@accounts.command()
@click.argument("username")
@click.argument("new_role", type=_ROLES)
def role(username: str, new_role: str) -> None:
    """Gives the account of that user name or e-mail another role, and signs it out."""

    async def change(connection: Connection, account_id: int) -> None:
        await account_store.set_role(connection, account_id, Role(new_role))

    asyncio.run(_with(username, change))
    click.echo(f"{username} is {Role(new_role).label} now, and signed out everywhere.")


@accounts.command(name="sign-out")
@click.argument("username")
def sign_out(username: str) -> None:
    """Ends every token of the account of that user name or e-mail, within five seconds."""

    async def change(connection: Connection, account_id: int) -> None:
        await account_store.sign_out(connection, account_id)

    asyncio.run(_with(username, change))
    click.echo(f"{username} is signed out everywhere.")


async def _with(username: str, change: Callable[[Connection, int], Awaitable[None]]) -> None:
    async with database_session() as session, session.database.transaction() as connection:
        stored = await account_store.by_login(connection, username)
        if stored is None:
            raise click.ClickException(f"there is no account {username}; see `accounts list`")
        await change(connection, stored.account.id)
