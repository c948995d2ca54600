"""`checkstand reviews`: what visitors wrote about products, and whether it is shown."""

from __future__ import annotations

import asyncio

import click

from checkstand.catalog.listing import Review
from checkstand.catalog.store import reviews as store
from checkstand.cli.session import database_session

_STATUSES = ("approved", "hold", "spam", "trash")
_MOST = 500
_SHOWN = 70


@click.group()
def reviews() -> None:
    """Lists reviews and decides whether they are shown."""


@reviews.command(name="list")
@click.option(
    "--status",
    type=click.Choice(_STATUSES),
    default="hold",
    show_default=True,
    help="Reviews with this status.",
)
def list_(status: str) -> None:
    """Lists reviews, the oldest first, 500 at most."""

    async def run() -> list[Review]:
        async with database_session() as session, session.database.acquire() as connection:
            return await store.waiting(connection, status, _MOST)

    for each in asyncio.run(run()):
        text = " ".join(each.review.split())
        short = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
        bought = "bought it" if each.verified else "-"
        click.echo(
            f"{each.id:>6}  product {each.product_id:<8} {each.rating}/5  {bought:<9}  "
            f"{each.reviewer}: {short}"
        )


@reviews.command(name="set")
@click.argument("status", type=click.Choice(_STATUSES))
@click.argument("review_ids", type=click.IntRange(1, 2**63 - 1), nargs=-1, required=True)
def set_(status: str, review_ids: tuple[int, ...]) -> None:
    """Gives reviews the status `approved` (shown), `hold`, `spam` or `trash`."""

    async def run() -> list[int]:
        async with database_session() as session, session.database.transaction() as connection:
            return await store.set_status(connection, review_ids, status)

    changed = asyncio.run(run())
    click.echo(f"{len(changed)} of {len(set(review_ids))} are now {status}.")
    if len(changed) < len(set(review_ids)):
        unknown = sorted(set(review_ids) - set(changed))
        raise click.ClickException(
            f"there is no review {', '.join(map(str, unknown))}; see `checkstand reviews list`"
        )
