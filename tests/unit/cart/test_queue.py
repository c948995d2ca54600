"""Turns: in order, one at a time, and none left behind."""

from __future__ import annotations

import asyncio

import pytest

from checkstand.cart.queue import CartQueue
from checkstand.errors import CheckoutInProgress


async def test_one_at_a_time_in_order() -> None:
    queue, order, inside = CartQueue(), [], 0

    async def visit(number: int) -> None:
        nonlocal inside
        async with queue.turn("cart", 5):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            order.append(number)
            inside -= 1

    await asyncio.gather(*(visit(number) for number in range(20)))
    assert order == list(range(20))
    assert not queue._turnstiles


async def test_waiting_has_an_end() -> None:
    queue = CartQueue()
    async with queue.turn("cart", 5):
        with pytest.raises(CheckoutInProgress):
            async with queue.turn("cart", 0.01):
                pass
        async with queue.turn("other", 0.01):
            pass
    async with queue.turn("cart", 0.01):
        pass
    assert not queue._turnstiles


async def test_a_cancelled_waiter_leaves_no_trace() -> None:
    queue = CartQueue()
    async with queue.turn("cart", 5):

        async def wait() -> None:
            async with queue.turn("cart", 5):
                pass

        waiter = asyncio.create_task(wait())
        await asyncio.sleep(0.01)
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
    assert not queue._turnstiles
