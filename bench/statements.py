"""How many statements a request costs, warm, without transaction control and pool traffic."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bench.paths import Measured
from bench.rehearsal import Rehearsal, rehearsing
from bench.stage import Stage

_CONTROL = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")
_TIMES = 3
"""A listener or a check of a shop that runs may add a look of its own to one of them."""


@dataclass(frozen=True, slots=True)
class Cost:
    statements: tuple[str, ...]
    transactions: int

    def over(self, path: Measured) -> bool:
        """Whether it is more than the path's budget."""
        return len(self.statements) > path.statements or self.transactions > path.transactions


def count(stage: Stage, paths: Sequence[Measured]) -> dict[str, Cost]:
    """The cost of each path by its name: the least of three warm requests."""
    return asyncio.run(_count(stage, paths))


async def _count(stage: Stage, paths: Sequence[Measured]) -> dict[str, Cost]:
    async with rehearsing(stage.settings) as shop:
        return {path.name: await _cost(path, stage, shop) for path in paths}


async def _cost(path: Measured, stage: Stage, shop: Rehearsal) -> Cost:
    carts = await stage.make_carts("shop", _TIMES + 1, f"count {path.name}", path.promoted)
    costs = []
    for turn, cart in enumerate(carts):
        body = path.bodies[turn % len(path.bodies)] if path.bodies else None
        # A cart's own product may not be in memory yet; a purchase reads it afresh anyway.
        if not path.once:
            await shop.ask(path.method, path.route, _keys(path, stage), cart, body)
        shop.statements.clear()
        await shop.ask(path.method, path.route, _keys(path, stage), cart, body)
        costs.append(_cost_of(shop.statements))
    return min(costs[1:], key=lambda cost: len(cost.statements))


def _keys(path: Measured, stage: Stage) -> dict[str, str]:
    return stage.keys if path.with_key else {}


def _cost_of(said: Sequence[str]) -> Cost:
    texts = [" ".join(text.split()) for text in said]
    own = tuple(text for text in texts if not text.upper().startswith(_CONTROL))
    return Cost(own, sum(text.upper().startswith("BEGIN") for text in texts))
