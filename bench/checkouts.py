"""Whole checkouts through a payment provider: the sandbox, on one worker, a few and many at once.

Each cart is ordered once, and afterwards the shop's orders must agree with the provider's ledger.
There is no floor: what a provider of one's own takes would be measured there, not the shop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg

from bench import load
from bench.answers import Answer
from bench.load import CONNECTIONS, Tally
from bench.paths import AUSTIN, CHECKOUT, Measured
from bench.serving import serving
from bench.stage import Stage

AT_ONCE = (CONNECTIONS, 500)
"""Shoppers who order in the same moment."""

_ORDER: dict[str, Any] = {
    "billing_address": AUSTIN,
    "payment_method": "sandbox",
    "payment_data": {"token": "tok_success"},
}
_PATH = Measured("checkout", "POST", CHECKOUT, "process", 0, (_ORDER,))

_BOOKS = """
SELECT (SELECT count(*) FROM orders WHERE payment_method = 'sandbox'),
    (SELECT coalesce(sum(total), 0)::bigint FROM orders WHERE payment_method = 'sandbox'
     AND placed_at IS NOT NULL),
    (SELECT count(*) FROM sandbox_payments),
    (SELECT coalesce(sum(captured), 0)::bigint FROM sandbox_payments)
"""


@dataclass(frozen=True, slots=True)
class Checkouts:
    """`at_once` shoppers ordered until `orders` carts were orders. `agrees`: one order and one
    charge for each, and the sums are equal."""

    at_once: int
    orders: int
    per_second: float
    p50: float
    p95: float
    p99: float
    failures: int
    agrees: bool

    @property
    def ok(self) -> bool:
        return self.agrees and not self.failures


def measure(stage: Stage, answers: list[Answer], orders: int) -> list[Checkouts]:
    """`orders` checkouts for each number of shoppers at once, after a short warm-up."""
    found = []
    with serving("shop", stage, answers) as worker:
        _load(stage, worker.port, CONNECTIONS, CONNECTIONS * 4, "warm up")
        for at_once in AT_ONCE:
            before = asyncio.run(_books(stage))
            tally = _load(stage, worker.port, at_once, orders, f"checkouts {at_once}")
            after = asyncio.run(_books(stage))
            found.append(_checkouts(at_once, orders, tally, before, after))
    return found


def _load(stage: Stage, port: int, at_once: int, orders: int, label: str) -> Tally:
    carts = stage.carts("shop", orders, label)
    shots: Iterator[bytes] = (_PATH.request(cart, stage.keys) for cart in carts)
    file = load.save(shots, stage.folder / "checkouts.shots")
    return load.whole_file(port, file, at_once)


def _checkouts(
    at_once: int, orders: int, tally: Tally, before: list[int], after: list[int]
) -> Checkouts:
    placed, ordered, payments, charged = (new - old for old, new in zip(before, after, strict=True))
    return Checkouts(
        at_once=at_once,
        orders=orders,
        per_second=tally.per_second,
        p50=tally.p50,
        p95=tally.p95,
        p99=tally.p99,
        failures=tally.failures,
        agrees=placed == payments == orders and ordered == charged > 0,
    )


async def _books(stage: Stage) -> list[int]:
    connection = await asyncpg.connect(stage.url)
    try:
        row = await connection.fetchrow(_BOOKS)
    finally:
        await connection.close()
    assert row is not None
    return list(row)
