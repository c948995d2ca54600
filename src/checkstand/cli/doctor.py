"""`checkstand doctor`: what is wrong with this installation, and how to mend it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from checkstand import guarding
from checkstand.access import key_store as access
from checkstand.cli.session import configured
from checkstand.cli.storefront import differences, variables
from checkstand.errors import CheckstandError, ConfigurationError
from checkstand.kit.clock import SystemClock
from checkstand.payments.gateway import House
from checkstand.settings import Settings
from checkstand.storage import schema
from checkstand.storage.database import Connection, Database, PoolOptions
from checkstand.tax import store as tax
from checkstand.wiring.accounts import signer_of
from checkstand.wiring.gateways import gateways_of

_OLDEST_POSTGRES = 140000
_MOST_SKEW = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. `fix` is empty when all is well; `fatal` when the shop cannot run like that."""

    what: str
    fix: str = ""
    fatal: bool = True


@click.command()
@click.option(
    "--storefront",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A storefront's .env file: are its publishable keys those of this shop?",
)
def doctor(storefront: Path | None) -> None:
    """Checks settings, database, schema, clock and gateways. Exit code 1: something is wrong."""
    try:
        settings = configured()
    except ConfigurationError as error:
        click.echo(f"✗ settings: {error}")
        raise SystemExit(1) from None

    async def run() -> bool:
        healthy = True
        async for finding in examine(settings, storefront):
            mark = "✓" if not finding.fix else "✗" if finding.fatal else "!"
            click.echo(f"{mark} {finding.what}")
            if finding.fix:
                click.echo(f"    {finding.fix}")
            healthy = healthy and not (finding.fix and finding.fatal)
        return healthy

    if not asyncio.run(run()):
        click.echo("Something has to be mended first.", err=True)
        raise SystemExit(1)
    click.echo("All is well.")


async def examine(settings: Settings, storefront: Path | None = None) -> AsyncIterator[Finding]:
    """All findings, from the settings inwards; stops where the next check makes no sense."""
    yield Finding(f"settings are valid; Python {sys.version.split()[0]}")
    for finding in _gateways(settings, storefront):
        yield finding
    yield _shipping(settings)
    yield await _limits(settings)
    yield _proxies(settings)
    yield _tokens(settings)
    yield _mail(settings)
    if not settings.database.url:
        yield Finding(
            "database: no address",
            "Set database.url in checkstand.toml, or CHECKSTAND_DATABASE__URL.",
        )
        return
    try:
        database = await Database.open(settings.database.url, PoolOptions(min_size=1, max_size=2))
    except CheckstandError as error:
        yield Finding(f"database: {error}", "Check that it runs and that database.url is right.")
        return
    try:
        async for finding in _inside(settings, database):
            yield finding
    finally:
        await database.close()


async def _inside(settings: Settings, database: Database) -> AsyncIterator[Finding]:
    version, its_time = await database.server()
    old = "Upgrade to PostgreSQL 14 or newer." if version < _OLDEST_POSTGRES else ""
    yield Finding(f"database: PostgreSQL {version // 10000}.{version % 10000}", old)
    skew = (datetime.now(UTC) - its_time).total_seconds()
    late = "Set both machines' clocks by NTP: expiry and sale dates depend on them."
    yield Finding(
        f"clock: {abs(skew):.2f} s from the database's", late if abs(skew) > _MOST_SKEW else ""
    )
    current, head = await schema.current(settings.database.direct_url), schema.head()
    behind = "Run `checkstand db upgrade`." if current != head else ""
    yield Finding(f"schema: {current or 'none'} (this version needs {head})", behind)
    if behind:
        return
    async with database.acquire() as connection:
        async for finding in _contents(settings, connection):
            yield finding


async def _contents(settings: Settings, connection: Connection) -> AsyncIterator[Finding]:
    keys = [key for key in await access.all_keys(connection) if key.revoked_at is None]
    unusable = settings.checkout.access == "keys" and not keys
    yield Finding(
        f"consumer keys: {len(keys)} active",
        "Checkout needs a consumer key: run `checkstand keys create --name storefront`."
        if unusable
        else "",
        fatal=False,
    )
    rates = len(await tax.rates(connection)) if settings.tax.enabled else 0
    yield Finding(
        f"tax rates: {rates}" if settings.tax.enabled else "tax is off",
        "No tax will be charged: run `checkstand tax import FILE`, or set tax.enabled = false."
        if settings.tax.enabled and not rates
        else "",
        fatal=False,
    )


def _gateways(settings: Settings, storefront: Path | None) -> Iterator[Finding]:
    """Which there are, whether their keys fit together, and what a storefront must use."""
    house = House(SystemClock(), settings.server.base_url)
    try:
        gateways = gateways_of(settings, house, None)
    except ConfigurationError as error:
        yield Finding(f"gateways: {error}", "Mend it in the settings: the shop does not start.")
        return
    names = [name for name in gateways if name]
    off = "" if names else "Switch one on, such as gateways.bacs.enabled = true."
    yield Finding(f"gateways: {', '.join(names) or 'none'}", off, fatal=False)
    for name, gateway in gateways.items():
        description = gateway.description
        if not description.offline:
            mode = "test" if description.test_mode else "live"
            uses = ", ".join(f"{key} {text}" for key, text in description.storefront.items())
            connected = "" if description.is_connected else "Its credentials are not all there."
            yield Finding(f"{name}: {mode} mode; storefronts use {uses or 'nothing'}", connected)
    if storefront is not None:
        wrong = list(differences(variables(storefront), gateways))
        for each in wrong:
            yield Finding(f"storefront: {each}", f"Change it in {storefront}.")
        if not wrong:
            yield Finding(f"storefront: {storefront} goes with these gateways")


async def _limits(settings: Settings) -> Finding:
    limits = settings.rate_limits
    if not limits.enabled:
        return Finding(
            "rate limits are off", "Set rate_limits.enabled = true, except for tests.", fatal=False
        )
    if not limits.store_url:
        several = settings.server.workers > 1
        return Finding(
            "rate limits: each process counts by itself",
            f"{settings.server.workers} workers allow as many times the limit: set "
            "rate_limits.store_url to a Valkey or Redis."
            if several
            else "",
            fatal=False,
        )
    reached = await guarding.store_answers(settings)
    return Finding(
        "rate limits: the shared store " + ("answers" if reached else "does not answer"),
        "" if reached else "Check that it runs and that rate_limits.store_url is right.",
        fatal=False,
    )


def _proxies(settings: Settings) -> Finding:
    """This server speaks plain HTTP: a shop that browsers reach by HTTPS stands behind a proxy."""
    trusted = settings.security.trusted_proxies
    if trusted:
        header = settings.security.client_header
        return Finding(f"proxies: {', '.join(trusted)}; clients are named in {header}")
    if not settings.server.base_url.startswith("https://"):
        return Finding("proxies: none")
    return Finding(
        f"proxies: none, and the shop is {settings.server.base_url}",
        "All clients count as one, with one limit and one budget of declines, and HTTPS cannot be "
        "seen: name the proxy in security.trusted_proxies, and its header in "
        "security.client_header.",
        fatal=False,
    )


def _tokens(settings: Settings) -> Finding:
    try:
        signer = signer_of(settings, settings.server.base_url)
    except ConfigurationError as error:
        return Finding("tokens: no usable key", f"{error}.")
    if signer is not None:
        return Finding(f"tokens: {settings.jwt.algorithm}")
    hint = "Sign-in gives no tokens: set jwt.secret, made with `openssl rand -hex 32`."
    return Finding("tokens: none", hint, fatal=False)


def _mail(settings: Settings) -> Finding:
    if settings.mail.backend == "smtp":
        return Finding(f"mail: {settings.mail.host}:{settings.mail.port}")
    hint = "Lost passwords and new e-mail addresses need mail: set mail.backend to smtp."
    return Finding(f"mail: {settings.mail.backend}", hint, fatal=False)


def _shipping(settings: Settings) -> Finding:
    if not settings.shipping.enabled:
        return Finding("shipping is off")
    methods = sum(len(zone.methods) for zone in settings.shipping.zones)
    if methods:
        return Finding(f"shipping: {len(settings.shipping.zones)} zones, {methods} methods")
    return Finding(
        "shipping: no methods",
        "Goods cannot be ordered: add a [[shipping.zones]] with methods, or set "
        "shipping.enabled = false.",
        fatal=False,
    )
