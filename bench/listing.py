"""How many filtered pages of products one worker answers, over a large catalogue.

Hundreds of different queries in turn: as clients send them, where an answer may be kept for a few
seconds, and with `_skip_cache`, where each is made anew. The floor is the same figure for both.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import asyncpg

from bench import load
from bench.catalog_import import WORDS, write_catalogue
from bench.load import Tally
from bench.serving import serving
from bench.stage import Stage
from checkstand.catalog.importers.woocommerce import import_products
from checkstand.storage.database import Database, PoolOptions
from checkstand.wiring import base_currency

BUDGET_PER_SECOND = 200.0
_ROUTE = "/wp-json/cocart/v2/products"
_ORDERS = ("date", "price_asc", "popularity", "rating", "title")
_SECONDS = 6


@dataclass(frozen=True, slots=True)
class Listing:
    """`kept` is as clients ask, `anew` with every answer made from the database."""

    rows: int
    queries: int
    kept: Tally
    anew: Tally
    kept_cpu_ms: float
    """CPU time of the worker for one request; other processes' noise is not in it."""
    anew_cpu_ms: float

    @property
    def ok(self) -> bool:
        return all(
            tally.per_second >= BUDGET_PER_SECOND and not tally.failures
            for tally in (self.kept, self.anew)
        )


def measure(stage: Stage, rows: int, seconds: int = _SECONDS) -> Listing:
    """Imports `rows` products and lists them, a page of ten at a time."""
    asyncio.run(_stock_up(stage, rows))
    queries = list(_queries())
    with serving("shop", stage, []) as shop:
        runs, cpu = [], []
        for skip in (False, True):
            shots = load.save((_request(query, skip) for query in queries), stage.folder / "shots")
            load.for_seconds(shop.port, shots, 1)  # statements prepared, products in memory
            before = shop.cpu_seconds()
            runs.append(load.for_seconds(shop.port, shots, seconds))
            cpu.append((shop.cpu_seconds() - before) * 1000 / max(runs[-1].requests, 1))
    return Listing(rows, len(queries), runs[0], runs[1], cpu[0], cpu[1])


async def _stock_up(stage: Stage, rows: int) -> None:
    file = stage.folder / "listed.csv"
    write_catalogue(file, rows)
    database = await Database.open(stage.url, PoolOptions(min_size=1, max_size=3))
    try:
        await import_products(database, file, base_currency(stage.settings.store), None)
    finally:
        await database.close()
    connection = await asyncpg.connect(stage.url)
    try:
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


def _queries() -> Iterator[dict[str, str]]:
    """Categories, tags, prices and orders, each with each: as many as a busy shop is asked."""
    for word, other, order in itertools.product(WORDS, WORDS[::5], _ORDERS):
        yield {"category": word, "tag": other, "orderby": order}
        yield {"category": word, "min_price": "20", "max_price": "60", "orderby": order}
        yield {"tag": f"{word},{other}", "stock_status": "instock", "orderby": order}


def _request(query: dict[str, str], skip: bool) -> bytes:
    more = {"_skip_cache": "true"} if skip else {}
    target = f"{_ROUTE}?{urlencode({**query, **more})}"
    return f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\r\n".encode()
