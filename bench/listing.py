"""How many filtered pages of products one worker answers, over a large catalogue.

Hundreds of different queries in turn: as clients send them, where an answer may be kept for a few
seconds, and with `_skip_cache`, where each is made anew. The floor is the same figure for both.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlencode

import asyncpg
import psutil

from bench import load
from bench.catalog_import import WORDS, write_catalogue
from bench.load import Tally
from bench.rehearsal import rehearsing
from bench.serving import serving
from bench.stage import Stage
from checkstand.catalog.importers.woocommerce import import_products
from checkstand.storage.database import Database, PoolOptions
from checkstand.wiring import base_currency

BUDGET_PER_SECOND = 200.0
BUDGET_STATEMENTS = 4
_ROUTE = "/wp-json/cocart/v2/products"
_ORDERS = ("date", "price_asc", "popularity", "rating", "title")
_SECONDS = 6
_COUNTED = 20
_TIMES = 3


@dataclass(frozen=True, slots=True)
class Listing:
    """`kept` is as clients ask, `anew` with every answer made from the database."""

    rows: int
    queries: int
    kept: Tally
    anew: Tally
    kept_cpu_ms: float
    """CPU time of worker and database for one request; other processes' noise is not in it."""
    anew_cpu_ms: float
    statements: int
    """The most that a page costs whose answer is made anew."""

    @property
    def ok_statements(self) -> bool:
        return self.statements <= BUDGET_STATEMENTS

    @property
    def ok(self) -> bool:
        return self.ok_statements and all(
            tally.per_second >= BUDGET_PER_SECOND and not tally.failures
            for tally in (self.kept, self.anew)
        )


def measure(stage: Stage, rows: int, seconds: int = _SECONDS) -> Listing:
    """Imports `rows` products and lists them, a page of ten at a time."""
    asyncio.run(_stock_up(stage, rows))
    queries = list(_queries())
    statements = asyncio.run(_statements(stage, queries[:: len(queries) // _COUNTED]))
    postgres = asyncio.run(_postgres(stage))
    with serving("shop", stage, []) as shop:
        runs, cpu = [], []
        for skip in (False, True):
            shots = load.save((_request(query, skip) for query in queries), stage.folder / "shots")
            # Every connection has its statements prepared; what is kept five seconds is old again.
            load.whole_file(shop.port, shots)
            before = shop.cpu_seconds() + _cpu_seconds(postgres)
            runs.append(load.for_seconds(shop.port, shots, seconds))
            used = shop.cpu_seconds() + _cpu_seconds(postgres) - before
            cpu.append(used * 1000 / max(runs[-1].requests, 1))
    return Listing(rows, len(queries), runs[0], runs[1], cpu[0], cpu[1], statements)


async def _postgres(stage: Stage) -> psutil.Process:
    """The process that all of the database's come from."""
    connection = await asyncpg.connect(stage.url)
    try:
        parent = psutil.Process(await connection.fetchval("SELECT pg_backend_pid()")).parent()
    finally:
        await connection.close()
    assert parent is not None, "a backend is somebody's child"
    return parent


def _cpu_seconds(postgres: psutil.Process) -> float:
    """Used by the database since its start, by what has ended too."""
    own = postgres.cpu_times()
    used = own.user + own.system + own.children_user + own.children_system
    for backend in postgres.children():
        with suppress(psutil.NoSuchProcess):
            times = backend.cpu_times()
            used += times.user + times.system
    return float(used)


async def _statements(stage: Stage, queries: Sequence[dict[str, str]]) -> int:
    """The dearest of these; of each the least of three, for housekeeping may come between."""
    dearest = 0
    async with rehearsing(stage.settings) as shop:
        for query in queries:
            costs = []
            for _ in range(_TIMES):
                shop.statements.clear()
                await shop.ask("GET", _ROUTE, {**query, "_skip_cache": "true"}, "")
                costs.append(len(shop.statements))
            dearest = max(dearest, min(costs))
    return dearest


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
