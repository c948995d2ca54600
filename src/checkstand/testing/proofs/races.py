"""Two or three at the same money at the same moment, interleaved at every await point by a seed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from checkstand.access.principal import Caller
from checkstand.checkout.model import PaymentStatus, Placement
from checkstand.errors import Refusal
from checkstand.testing.peer import Fault, Wish
from checkstand.testing.proofs import tally
from checkstand.testing.proofs.books import assert_bought, assert_not_bought, read_books
from checkstand.testing.proofs.faults import needs
from checkstand.testing.proofs.stepping import interleaved
from checkstand.testing.proofs.till import (
    IN_STOCK,
    NOBODY_WAITS,
    Purchase,
    Stage,
    Till,
    lock_watch,
    open_till,
    tried,
)

_SECOND = timedelta(seconds=1)


class RaceProofs:
    """A pytest class: subclass it and give a fixture `stage`."""

    pytestmark = pytest.mark.asyncio
    seeds = range(60)

    async def test_two_workers_and_a_client_at_one_attempt(self, stage: Stage) -> None:
        async def race(one: Till, two: Till, three: Till, seed: int) -> None:
            purchase = await one.prepare(Wish.APPROVE)
            one.fail_next(Fault.ERROR_AFTER if seed % 2 else Fault.ERROR_BEFORE)
            await one.process(purchase)
            for till, seconds in ((one, 10), (two, 10), (three, 30)):  # one finds leases over
                till.clock.ahead += seconds * _SECOND
            await at_once(
                stage,
                seed,
                client=tried(one.process(purchase)),
                worker=two.work(),
                another=three.work(),
            )
            await settled(one)
            await one.process(purchase)
            await assert_bought(one, purchase)

        await self._raced(stage, "two workers and a client", race)

    async def test_a_browser_payment_pays_one_of_two_orders(self, stage: Stage) -> None:
        async def race(one: Till, two: Till, three: Till, seed: int) -> None:
            needs(one.peer, Wish.BROWSER)
            owner = await one.prepare(Wish.BROWSER)
            thief = await two.prepare(Wish.BROWSER)
            thief = replace(thief, payment=owner.payment)
            await at_once(
                stage, seed, owner=tried(one.process(owner)), thief=tried(two.process(thief))
            )
            await tried(one.process(owner))
            await settled(one)
            await assert_bought(one, owner)
            await assert_not_bought(one, thief)

        await self._raced(stage, "a browser's payment for two orders", race)

    async def test_paying_for_an_order_while_its_cart_is_processed(self, stage: Stage) -> None:
        async def race(one: Till, two: Till, three: Till, seed: int) -> None:
            needs(one.peer, Wish.DECLINE)
            purchase = await one.prepare(Wish.DECLINE)
            failed = await one.process(purchase)
            assert isinstance(failed, Placement)
            assert failed.status is PaymentStatus.FAILED, failed
            purchase = await one.pay_anew(purchase, Wish.APPROVE)
            if seed % 3 == 0:
                one.fail_next(Fault.ERROR_AFTER)
            order = failed.order
            await at_once(
                stage,
                seed,
                process=tried(one.process(purchase)),
                pay=tried(two.pay(purchase, order.id, order.order_key)),
            )
            await settled(one)
            await tried(one.process(purchase))
            books = await assert_bought(one, purchase)
            assert books.orders[0][0] == order.id, books

        await self._raced(stage, "pay-for-order and process", race)

    @pytest.mark.parametrize("agreed", ["before", "meanwhile"])
    async def test_an_edit_while_the_payment_comes_through(self, stage: Stage, agreed: str) -> None:
        """The cart waits for its shopper, who edits it in one window and pays in the other."""

        async def race(one: Till, two: Till, three: Till, seed: int) -> None:
            needs(one.peer, Wish.ACTION)
            purchase = await one.prepare(Wish.ACTION)
            await one.process(purchase)
            edits: list[bool] = []

            async def editing() -> None:
                try:
                    await one.edit(purchase)
                except Refusal:
                    return
                edits.append(True)

            async def paying() -> None:
                if agreed == "meanwhile":
                    await two.agree(purchase)
                await two.tell(purchase)
                await two.shop.worker.turn()

            if agreed == "before":
                await two.agree(purchase)
            await at_once(stage, seed, edit=editing(), paid=paying())
            await settled(one)
            books = await read_books(one, purchase)
            assert books.charges == books.order_totals, books
            assert (books.live, books.cart_locked, books.returned) == (0, False, ()), books
            assert books.stock == IN_STOCK - books.placed, books
            if agreed == "before":
                assert books.placed == 1, books
            lines = await units(one, purchase)
            assert lines == len(edits) + (1 - books.placed), f"{lines} in the cart, {books}"

        await self._raced(stage, f"an edit and a payment (agreed {agreed})", race)

    async def _raced(
        self, stage: Stage, name: str, race: Callable[[Till, Till, Till, int], Awaitable[None]]
    ) -> None:
        for seed in self.seeds:
            async with (
                open_till(stage, wait=NOBODY_WAITS) as one,
                open_till(stage, wait=NOBODY_WAITS) as two,
                open_till(stage, wait=NOBODY_WAITS) as three,
            ):
                try:
                    await race(one, two, three, seed)
                    assert await one.looks_due() == 0, "looks are left"
                except BaseException as error:
                    error.add_note(f"{name}, seed {seed}")
                    raise
        tally.add(f"race of {name}", len(self.seeds), "seeds")


async def at_once(stage: Stage, seed: int, **acts: Coroutine[Any, Any, Any]) -> None:
    """Interleaved as the seed says."""
    steps: list[str] = []
    try:
        async with lock_watch(stage) as waiting:
            await interleaved(acts, seed, waiting, steps)
    except BaseException as error:
        error.add_note(f"steps: {' '.join(steps)}")
        raise


async def settled(till: Till) -> None:
    """Time has passed, and the worker has worked."""
    till.clock.ahead += timedelta(minutes=1)
    await till.work_on()


async def units(till: Till, purchase: Purchase) -> int:
    seen = await till.shop.carts.read(Caller(cart_key=purchase.cart_key))
    return sum(line.quantity for line in seen.cart.lines)
