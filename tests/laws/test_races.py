"""Exactly once, with requests that really run at the same time against PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from checkstand.storage.database import Database
from tests.makers import BILLING, PREVIEW, SHIRT, V2, Storefront, product, running, shop_settings


@pytest.fixture
async def storefronts(empty_database: str, database: Database) -> AsyncIterator[list[Storefront]]:
    """Two servers on one database, as two processes are: nothing shared but PostgreSQL."""
    async with database.acquire() as connection:
        await product(connection, sku="TSHIRT-PREMIUM", slug="premium-t-shirt")
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(running(shop_settings(empty_database)))
            for _ in range(2)
        ]


async def count(database: Database, what: str) -> int:
    async with database.acquire() as connection:
        return int(await connection.fetchval(f"SELECT count(*) FROM {what}"))


def on(server: Storefront, shopper: Storefront) -> Storefront:
    """The shopper's cart, talked to by another server."""
    other = server.another()
    other.cart_key = shopper.cart_key
    return other


@pytest.mark.parametrize("servers", [1, 2])
@pytest.mark.parametrize("with_key", [False, True])
async def test_fifty_processes_of_one_cart_give_one_order(
    storefronts: list[Storefront], database: Database, servers: int, with_key: bool
) -> None:
    shopper = await storefronts[0].ready_to_order()
    headers = {"Idempotency-Key": "the-one-order"} if with_key else {}
    answers = await asyncio.gather(
        *(on(storefronts[n % servers], shopper).process(headers) for n in range(50))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert await count(database, "orders") == 1
    assert await count(database, "payment_attempts") == 1


@pytest.mark.parametrize("servers", [1, 2])
async def test_a_hundred_carts_buy_the_last_seven(
    storefronts: list[Storefront], database: Database, servers: int
) -> None:
    async with database.acquire() as connection:
        last = await product(connection, name="Last", slug="last", stock=7)
    shoppers = [storefronts[n % servers].another() for n in range(100)]
    for shopper in shoppers:
        await shopper.add(last)
    answers = await asyncio.gather(
        *(shopper.process(billing_address=BILLING, payment_method="cod") for shopper in shoppers)
    )
    sold = [answer for answer in answers if answer.status_code == 200]
    refused = {answer.json()["code"] for answer in answers if answer.status_code != 200}
    assert len(sold) == 7
    assert refused == {"cocart_insufficient_stock"}
    assert await count(database, "orders") == 7
    assert await count(database, "orders WHERE status = 'processing'") == 7
    assert await count(database, "stock WHERE quantity = 0") == 1
    assert await count(database, "stock_holds") == 0


async def test_parallel_adds_lose_nothing(
    storefronts: list[Storefront], database: Database
) -> None:
    async with database.acquire() as connection:
        others = [await product(connection, name=f"P{n}", slug=f"p{n}") for n in range(4)]
    shopper = storefronts[0].another()
    await shopper.add(SHIRT)
    answers = await asyncio.gather(
        *(on(storefronts[n % 2], shopper).add([SHIRT, *others][n % 5]) for n in range(60))
    )
    assert {answer.status_code for answer in answers} == {200}
    cart = (await shopper.call("GET", f"{V2}/cart")).json()
    assert cart["item_count"] == 61
    assert sorted(item["quantity"]["value"] for item in cart["items"]) == [12, 12, 12, 12, 13]


async def test_carts_of_many_products_in_many_orders_never_deadlock(
    storefronts: list[Storefront], database: Database
) -> None:
    async with database.acquire() as connection:
        ids = [await product(connection, name=f"P{n}", slug=f"p{n}", stock=20) for n in range(5)]
    shoppers = [storefronts[n % 2].another() for n in range(40)]
    for index, shopper in enumerate(shoppers):
        for product_id in ids if index % 2 else reversed(ids):
            await shopper.add(product_id)
    answers = await asyncio.gather(
        *(s.process(billing_address=BILLING, payment_method="bacs") for s in shoppers)
    )
    sold = sum(answer.status_code == 200 for answer in answers)
    assert sold == 20
    assert await count(database, "stock WHERE quantity = 0") == 5


async def test_adds_and_a_process_at_once_never_lose_an_item(
    storefronts: list[Storefront], database: Database
) -> None:
    """Whatever comes first: an item added is in the order, or in the cart that comes after it, or
    was refused."""
    for _ in range(8):
        shopper = await storefronts[0].another().ready_to_order()
        placed, *added = await asyncio.gather(
            shopper.process(),
            *(on(storefronts[n % 2], shopper).add() for n in range(4)),
        )
        accepted = sum(answer.status_code == 200 for answer in added)
        assert {answer.status_code for answer in added} <= {200, 409}
        left = (await shopper.call("GET", f"{V2}/cart")).json()["item_count"]
        if placed.status_code == 200:
            received = await shopper.call(
                "GET",
                f"{PREVIEW}/order-received/{placed.json()['order_id']}",
                order_key=placed.json()["order_key"],
            )
            ordered = sum(item["quantity"] for item in received.json()["items"])
        else:
            ordered = 0
        assert ordered + left == 1 + accepted


async def test_one_key_sent_by_many_makes_one_cart(
    storefronts: list[Storefront], database: Database
) -> None:
    body = {"id": str(SHIRT), "quantity": "1"}
    headers = {"Idempotency-Key": "the-very-first-add"}
    answers = await asyncio.gather(
        *(
            storefronts[n % 2].another().call("POST", f"{V2}/cart/add-item", body, headers=headers)
            for n in range(20)
        )
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert await count(database, "carts") == 1
