"""`checkstand payments`: what happened to an order's money, and what to do about it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from checkstand.access.principal import Caller
from checkstand.checkout.back_office import BackOffice, OrderPayments, RefundCommand
from checkstand.cli.session import configured
from checkstand.kit.money import Money
from checkstand.payments.model import Refund, RefundState
from checkstand.wiring import open_shop

T = TypeVar("T")
_OPERATOR = Caller(operator=True)
_order = click.argument("order_id", type=click.IntRange(1, 2**63 - 1))
_amount = click.option("--amount", help="In major units, such as 12.50; default: all there is.")


@click.group()
def payments() -> None:
    """Shows, refunds, captures, voids and looks up payments."""


@payments.command()
@_order
def show(order_id: int) -> None:
    """Every payment attempt and refund of an order."""
    _print(_run(lambda office: office.payments(_OPERATOR, order_id)))


@payments.command()
@_order
@_amount
@click.option(
    "--line",
    "lines",
    multiple=True,
    metavar="ITEM:UNITS",
    help="Refund what these units of an item cost; may be repeated.",
)
@click.option("--reason", default="", help="Kept with the refund.")
@click.option("--restock", is_flag=True, help="The goods are back on the shelf.")
def refund(
    order_id: int, amount: str | None, lines: tuple[str, ...], reason: str, restock: bool
) -> None:
    """Gives money back: all of it, an amount, or what lines cost."""
    command = RefundCommand(amount, tuple(map(_line, lines)), reason[:500], restock)
    _print_refund(_run(lambda office: office.refund(_OPERATOR, order_id, command)))


@payments.command()
@_order
@_amount
def capture(order_id: int, amount: str | None) -> None:
    """Takes reserved money, or records that awaited money (a bank transfer) has come."""
    _print(_run(lambda office: office.capture(_OPERATOR, order_id, amount)))


@payments.command()
@_order
def void(order_id: int) -> None:
    """Lets go of reserved or awaited money and cancels the order."""
    _print(_run(lambda office: office.void(_OPERATOR, order_id)))


@payments.command()
@click.argument("attempt_id")
def look(attempt_id: str) -> None:
    """Asks the provider now what became of a payment attempt, and settles it."""
    placement = _run(lambda office: office.look(_OPERATOR, attempt_id))
    order = placement.order
    click.echo(f"order {order.id}: {order.status.value}, payment {placement.status.value}")


def _run(do: Callable[[BackOffice], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_shop(configured(), work=False) as shop:
            return await do(shop.back_office)

    return asyncio.run(run())


def _line(text: str) -> tuple[int, int]:
    item, _, units = text.partition(":")
    if not (item.isascii() and item.isdigit() and units.isascii() and units.isdigit()):
        raise click.BadParameter("write ITEM:UNITS, such as 17:2", param_hint="--line")
    return int(item), int(units)


def _print(found: OrderPayments) -> None:
    order = found.order
    click.echo(f"order {order.id}: {order.status.value}, total {order.total}")
    for attempt in found.attempts:
        currency = attempt.amount.currency
        funds = attempt.funds.value if attempt.funds else "-"
        click.echo(
            f"  {attempt.id}  {attempt.gateway or 'nothing due':<14} {attempt.state.value:<12} "
            f"{funds:<12} captured {Money(attempt.captured, currency).decimal()} "
            f"of {attempt.amount.decimal()} {currency.code}  {attempt.reference}"
        )
    for each in found.refunds:
        _print_refund(each)


def _print_refund(each: Refund) -> None:
    click.echo(
        f"  {each.id}  refund {each.amount.decimal()} {each.amount.currency.code}: "
        f"{each.state.value} {each.reference}"
    )
    if each.state is RefundState.OPEN:
        click.echo("  The provider has not answered yet; the worker asks again.", err=True)
