"""Many shoppers at once, on one server and through the sandbox: the sums agree to the cent."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from checkstand.storage.database import Database
from checkstand.testing.proofs import tally
from tests.makers import BILLING, product, running, shop_settings


@pytest.mark.parametrize(
    "shoppers", [40, pytest.param(500, marks=pytest.mark.prove)], ids=lambda count: f"{count}"
)
async def test_checkouts_at_once(empty_database: str, database: Database, shoppers: int) -> None:
    """Everybody orders in the same moment, one in ten twice; there is exactly enough for all."""
    async with database.acquire() as connection:
        goods = [
            await product(
                connection, name=f"P{n}", slug=f"p{n}", regular_price=1000 + n, stock=shoppers
            )
            for n in range(7)
        ]
    settings = shop_settings(
        empty_database,
        database={"acquire_timeout": 120, "lock_timeout": 120, "statement_timeout": 120},
        checkout={"wait_seconds": 120},
        # They all have one address and one e-mail here.
        shield={"address": "10000/hour", "email": "10000/hour"},
    )
    async with running(settings) as shop:
        everybody = [shop.another() for _ in range(shoppers)]
        for number, shopper in enumerate(everybody):
            await shopper.add(goods[number % 7], 1)
            await shopper.update(billing_address=BILLING, payment_method="sandbox")
        impatient = everybody[::10]
        answers = await asyncio.gather(
            *(s.process(payment_data={"token": "tok_success"}) for s in [*everybody, *impatient])
        )
    assert Counter(answer.status_code for answer in answers) == {200: len(answers)}
    assert {answer.json()["payment_result"]["payment_status"] for answer in answers} == {"success"}
    assert len({answer.json()["order_id"] for answer in answers}) == shoppers
    async with database.acquire() as connection:
        row = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM orders) AS orders,"
            " (SELECT count(*) FROM orders WHERE placed_at IS NOT NULL) AS placed,"
            " (SELECT sum(total) FROM orders) AS ordered,"
            " (SELECT count(*) FROM sandbox_payments) AS payments,"
            " (SELECT sum(captured) FROM sandbox_payments) AS charged,"
            " (SELECT sum(captured) FROM payment_attempts) AS booked,"
            " (SELECT sum(quantity) FROM stock) AS stock,"
            " (SELECT count(*) FROM stock_holds) AS holds,"
            " (SELECT count(*) FROM carts WHERE paying_until IS NOT NULL) AS locked"
        )
        assert row is not None
        found = dict(row)
    assert found["orders"] == found["placed"] == found["payments"] == shoppers, found
    assert found["ordered"] == found["charged"] == found["booked"], found
    assert found["stock"] == 7 * shoppers - shoppers, found
    assert (found["holds"], found["locked"]) == (0, 0), found
    tally.add("checkouts at once, sums equal to the ledger", shoppers, "orders")
