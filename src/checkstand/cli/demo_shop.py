"""What the demo shop is filled with, and the keys to it."""

from __future__ import annotations

import contextlib
import json
import secrets
from dataclasses import asdict, dataclass
from decimal import Decimal
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import click

from checkstand.access import credentials, keys
from checkstand.access import key_store as access
from checkstand.access.key_store import Terms
from checkstand.access.principal import Dialect, Role
from checkstand.access.tokens import SYMMETRIC
from checkstand.catalog import store as catalog
from checkstand.catalog.importers.woocommerce import import_products
from checkstand.cli.private_files import write_private, write_private_text
from checkstand.errors import AuthenticationFailed
from checkstand.promotions import store as promotions
from checkstand.promotions.model import Coupon, CouponKind
from checkstand.settings import Settings
from checkstand.storage import migrate
from checkstand.storage.database import Database, PoolOptions
from checkstand.tax.importer import import_rates
from checkstand.wiring import base_currency

ADMIN = "admin"
_KEYS_FILE = "demo-keys.json"
_JWT_FILE = "demo-jwt-secret"
_COUPONS = (
    Coupon(
        code="welcome10",
        kind=CouponKind.PERCENT,
        amount=Decimal(10),
        description="10% off everything",
    ),
    Coupon(code="5off", kind=CouponKind.FIXED_CART, amount=Decimal(500), minimum=3000),
    Coupon(code="sailfree", kind=CouponKind.PERCENT, free_shipping=True),
)
"""Amounts in cents: the demo shop sells in dollars."""


@dataclass(frozen=True, slots=True)
class DemoKeys:
    """What a visitor needs; kept in a 0600 file of the data folder, so that it stays the same."""

    consumer_key: str
    consumer_secret: str
    tutorial_consumer_key: str
    tutorial_consumer_secret: str
    admin_username: str
    admin_password: str


@dataclass(frozen=True, slots=True)
class DemoShop:
    keys: DemoKeys
    products: list[tuple[int, str]]


async def prepare(settings: Settings, data_dir: Path) -> DemoShop:
    """Migrates, and seeds what is not there yet."""
    await migrate.upgrade(settings.database.url)
    database = await Database.open(settings.database.url, PoolOptions(min_size=1, max_size=3))
    try:
        async with database.acquire() as connection:
            # Keys come last: without any, an earlier start was cut off while it filled the shop.
            filled = bool(await access.all_keys(connection))
        if not filled:
            click.echo("Filling the shop ...", err=True)
            with as_file(files("checkstand.ui.demo")) as folder:
                await import_products(
                    database, folder / "products.csv", base_currency(settings.store), None
                )
                await import_rates(database, folder / "tax_rates.csv")
            async with database.transaction() as connection:
                for coupon in _COUPONS:
                    await promotions.insert(connection, coupon)
        keys = await _keys(database, data_dir / _KEYS_FILE)
        async with database.acquire() as connection:
            return DemoShop(keys, await catalog.list_products(connection, 1000))
    finally:
        await database.close()


async def _keys(database: Database, file: Path) -> DemoKeys:
    """The keys of the file, when the database knows them; else new ones, in both."""
    kept = _kept(file)
    if kept is not None and await _still_good(database, kept):
        return kept
    password = secrets.token_urlsafe(12)
    async with database.transaction() as connection:
        reference = await keys.create(connection, Terms("Demo storefront"))
        tutorial = await keys.create(
            connection, Terms("Demo storefront, tutorial dialect", dialect=Dialect.TUTORIAL)
        )
        await credentials.create_account(
            connection, ADMIN, "admin@demo.example", password, Role.ADMINISTRATOR
        )
        made = DemoKeys(
            reference.consumer_key,
            reference.consumer_secret,
            tutorial.consumer_key,
            tutorial.consumer_secret,
            ADMIN,
            password,
        )
        # Inside the transaction: keys that could not be written down are not made.
        write_private(file, asdict(made))
    return made


def jwt_secret(data_dir: Path) -> str:
    """What tokens are signed with: kept, so that a restart signs nobody out."""
    file = data_dir / _JWT_FILE
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if len(kept := file.read_text().strip()) >= SYMMETRIC["HS256"]:
            return kept
    made = secrets.token_hex(32)
    write_private_text(file, made)
    return made


def _kept(file: Path) -> DemoKeys | None:
    try:
        return DemoKeys(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None


async def _still_good(database: Database, kept: DemoKeys) -> bool:
    verify = credentials.Credentials(database)
    try:
        await verify.consumer_key(kept.consumer_key, kept.consumer_secret)
        await verify.consumer_key(kept.tutorial_consumer_key, kept.tutorial_consumer_secret)
        await verify.account(kept.admin_username, kept.admin_password)
    except AuthenticationFailed:
        return False
    return True


def ready(shop: DemoShop, base_url: str, database_url: str) -> dict[str, Any]:
    return {
        "base_url": base_url,
        **asdict(shop.keys),
        "database_url": database_url,
        "products": [{"id": id_, "name": name} for id_, name in shop.products],
    }


def welcome(shop: DemoShop, base_url: str) -> str:
    keys = shop.keys
    shirt = next((id_ for id_, name in shop.products if name == "Premium T-Shirt"), 1)
    api = f"{base_url}/wp-json/cocart"
    auth = f"consumer_key={keys.consumer_key}&consumer_secret={keys.consumer_secret}"
    address = (
        '{"first_name":"Ines","last_name":"Okafor","address_1":"8 Quarry Row","city":"Dunmore",'
        '"state":"CA","postcode":"90011","country":"US","phone":"+13105550142",'
        '"email":"ines@example.com"}'
    )
    return f"""
The shop is open at {base_url}   (API description: {base_url}/openapi.json)

  consumer key, reference dialect (POST processes)   {keys.consumer_key}
                                            secret   {keys.consumer_secret}
  consumer key, tutorial dialect (PUT processes)     {keys.tutorial_consumer_key}
                                            secret   {keys.tutorial_consumer_secret}
  administrator   {keys.admin_username} / {keys.admin_password}

Test payments: "payment_method":"sandbox","payment_data":{{"token":"tok_success"}} when you order,
or tok_declined, tok_requires_action, tok_timeout_after_success and others (docs/howto).

Try it: add to cart, update the checkout, order (paste the lines one after another).

CART_KEY=$(curl -s -X POST {api}/v2/cart/add-item -H 'Content-Type: application/json' \
-d '{{"id":"{shirt}","quantity":"2"}}' | tee /dev/stderr \
| sed -n 's/.*"cart_key":"\\([^"]*\\)".*/\\1/p'); echo

curl -s -X PUT '{api}/preview/checkout?{auth}' -H "Cart-Key: $CART_KEY" \
-H 'Content-Type: application/json' \
-d '{{"billing_address":{address},"shipping_method":"flat_rate:1","payment_method":"bacs"}}'; echo

curl -s -X POST '{api}/preview/checkout?{auth}' -H "Cart-Key: $CART_KEY" \
-H 'Content-Type: application/json' \
-d '{{"billing_address":{address},"payment_method":"bacs"}}'; echo

Ctrl-C stops the shop; its data stays.
"""
