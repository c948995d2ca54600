"""`checkstand coupons`: making coupons, listing them, ending them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from checkstand.catalog.importers.report import ImportReport
from checkstand.cli.importing import (
    OnBad,
    OnProgress,
    errors_option,
    file_argument,
    run_import,
)
from checkstand.cli.session import database_session
from checkstand.kit.money import Currency, Money
from checkstand.promotions import store
from checkstand.promotions.importer import import_coupons
from checkstand.promotions.model import LONGEST_CODE, Coupon, CouponKind, clean_code
from checkstand.wiring import base_currency

_LARGEST = 2**63 - 1
_COUNT = click.IntRange(1, _LARGEST)


@click.group()
def coupons() -> None:
    """Makes, lists and disables coupons."""


@coupons.command()
@click.argument("code")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in CouponKind]),
    default=CouponKind.PERCENT.value,
    show_default=True,
    help="Per cent of each item, an amount off the cart, or an amount off each unit.",
)
@click.option("--amount", default="0", help="Per cent, or major units of the base currency.")
@click.option("--free-shipping", is_flag=True, help="Also unlocks free shipping.")
@click.option("--minimum", help="Least that the goods must cost, in major units.")
@click.option("--maximum", help="Most that the goods may cost, in major units.")
@click.option("--product", type=_COUNT, multiple=True, help="Only for this product id; repeatable.")
@click.option("--exclude-product", type=_COUNT, multiple=True, help="Not for this product id.")
@click.option(
    "--category", type=_COUNT, multiple=True, help="Only for this category id, and below."
)
@click.option("--exclude-category", type=_COUNT, multiple=True, help="Not for this category id.")
@click.option("--exclude-sale-items", is_flag=True, help="Not for what is on sale.")
@click.option("--item-limit", type=_COUNT, help="Most units that it is given on.")
@click.option("--usage-limit", type=_COUNT, help="Most orders that can use it.")
@click.option("--customer-limit", type=_COUNT, help="Most orders of one customer that can use it.")
@click.option("--email", multiple=True, help="Who may use it; * is anything; can be given again.")
@click.option("--individual-use", is_flag=True, help="Not together with other coupons.")
@click.option("--expires", help="When it ends, UTC: 2027-01-31 or 2027-01-31T18:00.")
@click.option("--description", default="", help="What it is for; shown in the list.")
def create(code: str, **given: Any) -> None:
    """Makes the coupon CODE. Codes are the same in any case."""

    async def run() -> bool:
        async with database_session() as session:
            coupon = _coupon(code, given, base_currency(session.settings.store))
            async with session.database.transaction() as connection:
                await store.lock_for_import(connection)
                return await store.insert(connection, coupon) is not None

    if not asyncio.run(run()):
        raise click.ClickException(f"there is a coupon {clean_code(code)!r} already")
    click.echo(f"Coupon {clean_code(code)} is made.")


def _coupon(code: str, given: dict[str, Any], base: Currency) -> Coupon:
    if not clean_code(code) or len(code.strip()) > LONGEST_CODE:
        raise click.BadParameter(f"1 to {LONGEST_CODE} characters", param_hint="CODE")
    kind = CouponKind(given["kind"])
    if kind is CouponKind.PERCENT:
        amount = _per_cent(given["amount"])
    else:
        amount = Decimal(_minor(given["amount"], base, "--amount"))
    if given["item_limit"] is not None and kind is CouponKind.FIXED_CART:
        raise click.BadParameter(
            "an amount off the cart is not for items", param_hint="--item-limit"
        )
    if not amount and not given["free_shipping"]:
        raise click.BadParameter("say how much, or --free-shipping", param_hint="--amount")
    return Coupon(
        code=clean_code(code),
        kind=kind,
        amount=amount,
        description=given["description"][:500],
        free_shipping=given["free_shipping"],
        minimum=_bound(given["minimum"], base, "--minimum"),
        maximum=_bound(given["maximum"], base, "--maximum"),
        product_ids=frozenset(given["product"]),
        excluded_product_ids=frozenset(given["exclude_product"]),
        category_ids=frozenset(given["category"]),
        excluded_category_ids=frozenset(given["exclude_category"]),
        excludes_sale_items=given["exclude_sale_items"],
        item_limit=given["item_limit"],
        usage_limit=given["usage_limit"],
        customer_limit=given["customer_limit"],
        emails=tuple(email.strip().lower() for email in given["email"] if email.strip()),
        individual_use=given["individual_use"],
        expires_at=_moment(given["expires"]),
    )


def _per_cent(text: str) -> Decimal:
    try:
        percent = Decimal(text)
    except InvalidOperation:
        percent = Decimal(-1)
    if not (percent.is_finite() and 0 <= percent <= 100):
        raise click.BadParameter("per cent is a number from 0 to 100", param_hint="--amount")
    return percent


def _bound(text: str | None, base: Currency, option: str) -> int | None:
    return None if text is None else _minor(text, base, option)


def _minor(text: str, base: Currency, option: str) -> int:
    try:
        minor = Money.of(text, base).minor
    except ValueError:
        minor = -1
    if not 0 <= minor <= _LARGEST:
        raise click.BadParameter(f"an amount of {base.code} such as 12.50", param_hint=option)
    return minor


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            "a time such as 2027-01-31T18:00", param_hint="--expires"
        ) from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


@coupons.command("import")
@file_argument
@errors_option
def import_file(file: Path, errors: Path | None) -> None:
    """Import coupons from FILE, a CSV as WooCommerce's coupon exporters write it.

    A coupon is found again by its code. The file is imported in one piece: no order sees half of
    it.

    Exit code 0: all rows are in. 1: some rows are bad, the others are in. 2: the file is not
    usable, nothing has changed.
    """

    async def importing(on_progress: OnProgress, on_bad: OnBad) -> ImportReport:
        async with database_session() as session:
            shop = session.settings.store
            zone = ZoneInfo(shop.timezone)
            return await import_coupons(
                session.database, file, base_currency(shop), zone, on_progress, on_bad=on_bad
            )

    run_import("Importing coupons", errors, importing)


@coupons.command(name="list")
def list_() -> None:
    """Lists all coupons with their uses."""

    async def run() -> tuple[list[store.StoredCoupon], Currency]:
        async with database_session() as session, session.database.acquire() as connection:
            found = await store.all_coupons(connection, datetime.now(UTC))
            return found, base_currency(session.settings.store)

    found, base = asyncio.run(run())
    click.echo(f"{'code':<24} {'what':<24} {'used':>12} {'held':>5}  {'state':<9} description")
    for stored in found:
        coupon = stored.coupon
        limit = f"/{coupon.usage_limit}" if coupon.usage_limit is not None else ""
        click.echo(
            f"{coupon.code:<24} {_what(coupon, base):<24} {f'{stored.used}{limit}':>12} "
            f"{stored.held:>5}  {_state(coupon):<9} {coupon.description}"
        )


def _what(coupon: Coupon, base: Currency) -> str:
    if coupon.kind is CouponKind.PERCENT:
        amount = f"{coupon.amount.normalize():f} %"
    else:
        of = "each" if coupon.kind is CouponKind.FIXED_PRODUCT else "cart"
        amount = f"{base.money(int(coupon.amount)).decimal()} {base.code} {of}"
    return f"{amount} + shipping" if coupon.free_shipping else amount


def _state(coupon: Coupon) -> str:
    if not coupon.enabled:
        return "disabled"
    over = coupon.expires_at is not None and coupon.expires_at <= datetime.now(UTC)
    return "expired" if over else "active"


@coupons.command()
@click.argument("code")
def disable(code: str) -> None:
    """Ends the coupon CODE at once. Orders that are being paid keep it."""
    _switch(code, enabled=False)
    click.echo(f"Coupon {clean_code(code)} is disabled.")


@coupons.command()
@click.argument("code")
def enable(code: str) -> None:
    """Lets the coupon CODE hold again."""
    _switch(code, enabled=True)
    click.echo(f"Coupon {clean_code(code)} is enabled.")


def _switch(code: str, *, enabled: bool) -> None:
    async def run() -> bool:
        async with database_session() as session, session.database.transaction() as connection:
            return await store.set_enabled(connection, clean_code(code), enabled)

    if not asyncio.run(run()):
        raise click.ClickException("there is no such coupon; see `checkstand coupons list`")
