"""A server that is killed while a load-cart link is opened: the link is there still, or its effect
is, never both and never neither."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import asyncpg
import pytest

from checkstand.access.principal import Caller
from checkstand.testing.proofs.crashing import Countdown, Moment, Tell, counted, in_a_process
from checkstand.wiring import open_shop
from tests.conftest import emptied
from tests.makers import V2, product, running, shop_settings

MOST = 60
"""Await points of one opening, at most."""


async def prepared(url: str) -> list[tuple[str, str]]:
    """Links, each with the key of a visitor's cart."""
    connection = await asyncpg.connect(url)
    await product(connection, name="Shirt", slug="shirt")
    await connection.close()
    found = []
    async with running(shop_settings(url)) as shop:
        for _ in range(MOST):
            maker, visitor = shop.another(), shop.another()
            await maker.add()
            made = await maker.call("POST", f"{V2}/cart/link")
            await visitor.call("POST", f"{V2}/cart")
            found.append((made.json()["token"], visitor.cart_key))
        token, key = found.pop()  # whatever is loaded when it is first needed is there then
        await shop.shop.links.load(Caller(cart_key=key), token)
    return found


async def standing(url: str, keys: list[str]) -> tuple[int, list[str]]:
    """How many links there are, and which of the carts are filled: of one moment."""
    connection = await asyncpg.connect(url)
    try:
        # What a killed process had sent is carried out or undone first.
        await connection.execute("SELECT FROM carts ORDER BY cart_key FOR UPDATE")
        row = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM cart_links) AS links, (SELECT array_agg(cart_key)"
            " FROM carts WHERE cart_key = ANY ($1)"
            " AND jsonb_array_length(document->'lines') > 0) AS filled",
            keys,
        )
        assert row is not None
        return row["links"], list(row["filled"] or ())
    finally:
        await connection.close()


def opening(url: str, token: str, key: str, countdown: Countdown) -> Any:
    async def act(tell: Tell) -> None:
        async with open_shop(shop_settings(url)) as shop:

            async def load() -> None:
                await shop.links.load(Caller(cart_key=key), token)

            await counted(load(), countdown)
            tell(countdown.count)

    return act


@pytest.mark.parametrize("moment", list(Moment))
def test_a_kill_leaves_the_link_or_its_effect(postgres_url: str, moment: Moment) -> None:
    asyncio.run(emptied(postgres_url))
    links = asyncio.run(prepared(postgres_url))
    gc.collect()
    keys = [key for _, key in links]
    before, _ = asyncio.run(standing(postgres_url, keys))
    assert before == len(links)
    killed = effects = 0
    for point, (token, key) in enumerate(links, start=1):
        ending = in_a_process(opening(postgres_url, token, key, Countdown(point, moment)))
        left, filled = asyncio.run(standing(postgres_url, keys))
        assert left + len(filled) == before, f"killed at point {point}, {moment}"
        if not ending.killed:
            assert key in filled, "it was carried out to its end"
            break
        killed += 1
        effects += key in filled
        if key not in filled:  # somebody tries again
            in_a_process(opening(postgres_url, token, key, Countdown()))
            left, filled = asyncio.run(standing(postgres_url, keys))
            assert key in filled
            assert left + len(filled) == before
    else:
        raise AssertionError("an opening has no end")
    assert killed > effects
