"""The shop that is measured: its own PostgreSQL in a temporary folder, migrated and seeded like
the demo, with carts to copy. Everything is gone at the end of the block."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal

import asyncpg

from bench.paths import AUSTIN, CART, CARTS, CHECKOUT
from bench.rehearsal import Rehearsal, rehearsing
from checkstand.access import keys
from checkstand.access.key_store import Terms
from checkstand.catalog.importers.woocommerce import import_products
from checkstand.cli.demo_settings import demo_settings
from checkstand.promotions import store as promotions
from checkstand.promotions.model import Coupon, CouponKind
from checkstand.settings import Settings
from checkstand.storage import migrate
from checkstand.storage.database import Database, PoolOptions
from checkstand.storage.embedded import EmbeddedPostgres
from checkstand.tax.importer import import_rates
from checkstand.wiring import base_currency

Owner = Literal["shop", "floor"]

_SHIRT = "TSHIRT-PREMIUM"
_COUPONS = {"bench-ten": (CouponKind.PERCENT, 10), "bench-five": (CouponKind.FIXED_CART, 500)}
_TABLES = {"shop": "carts", "floor": "floor.carts"}

# The floor's own tables, shaped like ours.
_FLOOR = """
CREATE SCHEMA floor;
CREATE TABLE floor.carts (LIKE carts INCLUDING ALL) WITH (fillfactor = 60);
CREATE TABLE floor.orders (LIKE orders INCLUDING ALL);
CREATE TABLE floor.order_lines (LIKE order_lines INCLUDING ALL);
CREATE TABLE floor.payment_attempts (LIKE payment_attempts INCLUDING ALL);
"""

# Counted products, as many as there are carts: nobody waits for another's stock row.
_COUNTED = """
WITH made AS (
    INSERT INTO products (type, name, slug, sku, regular_price, manages_stock, tax_status,
        tax_class, shipping_class, weight, images)
    SELECT 'simple', 'Enamel mug ' || n, 'bench-mug-' || n, 'BENCH-MUG-' || n, 1200 + n, true,
        'taxable', '', '', 0.4, images
    FROM products, generate_series(1, $2) AS n WHERE sku = $1 RETURNING id
)
INSERT INTO stock (product_id, quantity) SELECT id, 100000000 FROM made RETURNING product_id
"""

_COPY = """
INSERT INTO {table} (cart_key, version, document, stock_ids, coupon_codes, expires_at)
SELECT copy.key, c.version, c.document, c.stock_ids, c.coupon_codes, c.expires_at
FROM unnest($1::text[], $2::text[]) AS copy (key, source) JOIN carts c ON c.cart_key = copy.source
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """`sources` are carts with two lines, an address and a payment method that nobody loads;
    `promoted` the same with two coupons."""

    folder: Path
    settings: Settings
    keys: dict[str, str]
    product_id: int
    sources: tuple[str, ...]
    promoted: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return str(self.settings.database.url)

    def carts(self, owner: Owner, count: int, label: str, promoted: bool = False) -> list[str]:
        """Keys of `count` fresh carts, ready to order, in the shop's or the floor's table."""
        return asyncio.run(self.make_carts(owner, count, label, promoted))

    async def make_carts(
        self, owner: Owner, count: int, label: str, promoted: bool = False
    ) -> list[str]:
        """As `carts`. Each label gives other keys."""
        made = [_key(f"{label} {number}") for number in range(count)]
        known = self.promoted if promoted else self.sources
        sources = [known[number % len(known)] for number in range(count)]
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(_COPY.format(table=_TABLES[owner]), made, sources)
        finally:
            await connection.close()
        return made


@contextmanager
def open_stage() -> Iterator[Stage]:
    """Starts PostgreSQL as production would run it, fills it, and stops it again."""
    with (
        tempfile.TemporaryDirectory(prefix="checkstand-bench-") as name,
        EmbeddedPostgres(Path(name) / "data") as postgres,
    ):
        yield asyncio.run(_furnish(Path(name), bench_settings(postgres.url)))


def bench_settings(database_url: str) -> Settings:
    """The demo shop's settings. Limits are off and budgets wide: all shoppers have one address
    here, and would be refused."""
    settings = demo_settings(database_url, "http://shop.test")
    limits = settings.rate_limits.model_copy(update={"enabled": False})
    wide = {"address": "1000000/hour", "email": "1000000/hour"}
    shield = settings.shield.model_copy(update=wide)
    return settings.model_copy(update={"rate_limits": limits, "shield": shield})


async def _furnish(folder: Path, settings: Settings) -> Stage:
    url = settings.database.url
    await migrate.upgrade(url)
    keys = await _seed(settings)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_FLOOR)
        mugs = await connection.fetch(_COUNTED, _SHIRT, CARTS)
        shirt = int(await connection.fetchval("SELECT id FROM products WHERE sku = $1", _SHIRT))
        async with rehearsing(settings) as shop:
            sources = [await _source(shop, keys, [shirt, mug["product_id"]]) for mug in mugs]
            promoted = [
                await _source(shop, keys, [shirt, mug["product_id"]], _COUPONS) for mug in mugs
            ]
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
    return Stage(folder, settings, keys, shirt, tuple(sources), tuple(promoted))


async def _seed(settings: Settings) -> dict[str, str]:
    """Products and tax rates of the demo; gives the query parameters of a new consumer key."""
    database = await Database.open(settings.database.url, PoolOptions(min_size=1, max_size=3))
    try:
        with as_file(files("checkstand.ui.demo")) as demo:
            currency = base_currency(settings.store)
            await import_products(database, demo / "products.csv", currency, None)
            await import_rates(database, demo / "tax_rates.csv")
        async with database.transaction() as connection:
            made = await keys.create(connection, Terms("bench"))
            for code, (kind, amount) in _COUPONS.items():
                terms = Coupon(code=code, kind=kind, amount=Decimal(amount), usage_limit=10**9)
                await promotions.insert(connection, terms)
    finally:
        await database.close()
    return {"consumer_key": made.consumer_key, "consumer_secret": made.consumer_secret}


async def _source(
    shop: Rehearsal,
    keys: dict[str, str],
    products: Sequence[int],
    coupons: Iterable[str] = (),
) -> str:
    """A cart that was made through the API, ready to order; its key."""
    cart_key = ""
    for product in products:
        body = {"id": str(product), "quantity": "1"}
        added = await shop.ask("POST", f"{CART}/add-item", {}, cart_key, body)
        cart_key = added.json()["cart_key"]
    for code in coupons:
        await shop.ask("POST", f"{CART}/apply-coupon", {}, cart_key, {"code": code})
    chosen = {"billing_address": AUSTIN, "payment_method": "bacs"}
    await shop.ask("PUT", CHECKOUT, keys, cart_key, chosen)
    return cart_key


def _key(label: str) -> str:
    """A cart key of the usual length."""
    return "t_" + hashlib.sha256(label.encode()).hexdigest()[:30]
