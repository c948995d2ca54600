"""Client, webhook, worker, second client and refund: whatever the order, the end is the same."""

from __future__ import annotations

import itertools
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from checkstand.testing.peer import Fault, Wish
from checkstand.testing.proofs import tally
from checkstand.testing.proofs.books import assert_given_back, read_books
from checkstand.testing.proofs.stepping import interleaved
from checkstand.testing.proofs.till import (
    NOBODY_WAITS,
    Purchase,
    Stage,
    Till,
    lock_watch,
    open_till,
    tried,
)

ACTORS = ("client", "webhook", "worker", "second client", "refund")
_LEASES_OVER = timedelta(seconds=20)


Act = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Play:
    """How the provider answers, and whose clocks go before: for them the leases of the others are
    over while these are still at it, as after a pause of a process."""

    wish: Wish
    fault: Fault | None
    ahead: frozenset[str]
    restock: bool

    @classmethod
    def of(cls, chance: random.Random, wishes: frozenset[Wish]) -> Play:
        played = [wish for wish in (Wish.APPROVE, Wish.ACTION, Wish.BROWSER) if wish in wishes]
        wish = chance.choice(played)
        fault = chance.choice([None, None, Fault.ERROR_AFTER, Fault.TWICE, Fault.ERROR_BEFORE])
        ahead = frozenset(name for name in ACTORS[1:4] if chance.random() < 0.5)
        return cls(wish, fault, ahead, chance.random() < 0.5)


class Cast:
    """The actors, each a process of its own with its own till."""

    def __init__(self, tills: dict[str, Till]) -> None:
        self.tills = tills

    async def enter(self, play: Play) -> Purchase:
        """A purchase that nobody has begun to pay; clocks and faults as played."""
        for name, till in self.tills.items():
            till.clock.ahead = _LEASES_OVER if name in play.ahead else timedelta()
        till = self.tills["client"]
        purchase = await till.prepare(play.wish, keyed=play.restock)
        if play.fault is not None:
            till.fail_next(play.fault)
        return purchase

    def acts(self, play: Play, purchase: Purchase) -> dict[str, Act]:
        """What each of them does; nothing of it has begun."""
        tills = self.tills

        def refund(till: Till) -> Coroutine[Any, Any, object]:
            return till.refund(purchase, restock=play.restock)

        return {
            "client": lambda: tried(_buy(tills["client"], purchase)),
            "webhook": lambda: tried(_tell(tills["webhook"], purchase)),
            "worker": lambda: tried(tills["worker"].shop.worker.turn()),
            "second client": lambda: tried(_buy(tills["second client"], purchase)),
            "refund": lambda: tried(refund(tills["refund"])),
        }

    async def finish(self, play: Play, purchase: Purchase) -> None:
        """Time passes, the worker works, the shopper and the shop manager try again until they
        have what they wanted: then it must be as it always must."""
        for till in self.tills.values():
            till.clock.ahead = timedelta(minutes=1)
        till = self.tills["worker"]
        for _ in range(4):
            await till.tell(purchase)
            await till.work_on()
            books = await read_books(till, purchase)
            if "done" in books.refunds:
                break
            if not books.placed:
                if play.wish is Wish.BROWSER:
                    purchase = await till.pay_anew(purchase, play.wish)
                await tried(_buy(till, purchase))
            await tried(till.refund(purchase, restock=play.restock))
        await assert_given_back(till, purchase, restocked=play.restock)
        await till.process(purchase)
        await assert_given_back(till, purchase, restocked=play.restock)


async def _buy(till: Till, purchase: Purchase) -> None:
    await till.process(purchase)
    await till.agree(purchase)


async def _tell(till: Till, purchase: Purchase) -> None:
    await till.tell(purchase)
    await till.shop.worker.turn()


@asynccontextmanager
async def open_cast(stage: Stage, wait: float = 0.3) -> AsyncIterator[Cast]:
    async with AsyncExitStack() as stack:
        tills = {
            name: await stack.enter_async_context(open_till(stage, wait=wait)) for name in ACTORS
        }
        if "refunds" not in tills["refund"].peer.gateway.description.supports:
            pytest.skip("the gateway does not give money back")
        yield Cast(tills)


class InterleavingProofs:
    """A pytest class: subclass it and give a fixture `stage`."""

    pytestmark = pytest.mark.asyncio
    seeds = range(300)
    every = 1
    """1: each of the 120 orders. n: each n-th; a quick look."""

    async def test_in_every_order(self, stage: Stage) -> None:
        """Each act whole, in all 120 orders."""
        async with open_cast(stage) as cast:
            orders = list(itertools.permutations(ACTORS))[:: self.every]
            for number, order in enumerate(orders):
                play = Play.of(random.Random(number), cast.tills["client"].peer.wishes)
                purchase = await cast.enter(play)
                acts = cast.acts(play, purchase)
                try:
                    for name in order:
                        await acts[name]()
                    await cast.finish(play, purchase)
                except BaseException as error:
                    error.add_note(f"in the order {', '.join(order)}; {play}")
                    raise
        tally.add("orders of client, webhook, worker, second client, refund", len(orders), "played")

    async def test_interleaved_at_every_await(self, stage: Stage) -> None:
        steps = 0
        for seed in self.seeds:
            steps += len(await play(stage, seed))
        tally.add("interleavings at await points", len(self.seeds), f"seeds, {steps:,} steps")


async def play(stage: Stage, seed: int) -> list[str]:
    """One seed, by a cast that remembers nothing of another; who took each step. What fails says
    its seed: run it again by `seeds = range(seed, seed + 1)`."""
    steps: list[str] = []
    async with open_cast(stage, NOBODY_WAITS) as cast, lock_watch(stage) as waiting:
        scene = Play.of(random.Random(seed), cast.tills["client"].peer.wishes)
        purchase = await cast.enter(scene)
        acts = {name: act() for name, act in cast.acts(scene, purchase).items()}
        try:
            await interleaved(acts, seed, waiting, steps)
            await cast.finish(scene, purchase)
        except BaseException as error:
            error.add_note(f"seed {seed}; {scene}; steps: {' '.join(steps)}")
            raise
    return steps
