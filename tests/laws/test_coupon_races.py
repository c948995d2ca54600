"""A coupon is never redeemed more often than it may be, whoever orders at the same time."""

from __future__ import annotations

import asyncio
from typing import Any

from checkstand.storage.database import Database
from tests.laws.test_races import count, storefronts
from tests.makers import BILLING, V2, Storefront, coupon

__all__ = ["storefronts"]


async def ready(storefronts: list[Storefront], code: str, many: int) -> list[Storefront]:
    shoppers = [storefronts[n % len(storefronts)].another() for n in range(many)]
    for shopper in shoppers:
        await shopper.add()
        applied = await shopper.call("POST", f"{V2}/cart/apply-coupon", {"code": code})
        assert applied.status_code == 200, applied.text
    return shoppers


def order(shopper: Storefront, number: int, **more: Any) -> Any:
    address = {**BILLING, "email": f"shopper{number}@example.com"}
    return shopper.process(billing_address=address, **{"payment_method": "cod", **more})


async def test_fifty_checkouts_redeem_ten_uses(
    storefronts: list[Storefront], database: Database
) -> None:
    async with database.acquire() as connection:
        await coupon(connection, "ten-times", usage_limit=10)
    shoppers = await ready(storefronts, "ten-times", 50)
    answers = await asyncio.gather(*(order(each, n) for n, each in enumerate(shoppers)))
    refused = [answer for answer in answers if answer.status_code != 200]
    assert {answer.json()["code"] for answer in refused} == {"cocart_coupon_usage_limit"}
    assert len(refused) == 40
    assert await count(database, "orders") == 10
    assert await count(database, "coupon_uses WHERE redeemed_at IS NOT NULL") == 10
    assert await count(database, "coupon_uses") == 10
    assert await count(database, "coupons WHERE used = 10") == 1
    # Who came too late has a cart without the coupon, and can order that.
    late = [each for each, a in zip(shoppers, answers, strict=True) if a.status_code != 200]
    for shopper in late[:3]:
        assert (await shopper.state())["coupons"] == []
        assert (await order(shopper, 99)).status_code == 200
    assert await count(database, "coupons WHERE used = 10") == 1


async def test_one_customer_on_many_carts_uses_it_once(
    storefronts: list[Storefront], database: Database
) -> None:
    async with database.acquire() as connection:
        await coupon(connection, "one-each", customer_limit=1)
    shoppers = await ready(storefronts, "one-each", 12)
    answers = await asyncio.gather(*(order(each, 1) for each in shoppers))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 11
    assert await count(database, "coupons WHERE used = 1") == 1


async def test_declines_among_them_give_their_uses_back(
    storefronts: list[Storefront], database: Database
) -> None:
    async with database.acquire() as connection:
        await coupon(connection, "ten-times", usage_limit=10)
    shoppers = await ready(storefronts, "ten-times", 24)
    declined = {"payment_method": "sandbox", "payment_data": {"token": "tok_declined"}}
    answers = await asyncio.gather(
        *(order(each, n, **(declined if n % 2 else {})) for n, each in enumerate(shoppers))
    )
    paid = sum(answer.status_code == 200 for answer in answers)
    codes = {answer.json()["code"] for answer in answers if answer.status_code != 200}
    assert codes <= {"cocart_coupon_usage_limit", "cocart_payment_failed"}
    assert await count(database, "coupon_uses") == paid <= 10
    assert await count(database, f"coupons WHERE used = {paid}") == 1


async def test_coupons_in_any_order_never_deadlock(
    storefronts: list[Storefront], database: Database
) -> None:
    codes = [f"c{n}" for n in range(4)]
    async with database.acquire() as connection:
        for code in codes:
            await coupon(connection, code, usage_limit=8)
    shoppers = await ready(storefronts, "c0", 16)
    for index, shopper in enumerate(shoppers):
        for code in codes if index % 2 else reversed(codes):
            await shopper.call("POST", f"{V2}/cart/apply-coupon", {"code": code})
    answers = await asyncio.gather(*(order(each, n) for n, each in enumerate(shoppers)))
    assert sum(answer.status_code == 200 for answer in answers) == 8
    assert {a.json()["code"] for a in answers if a.status_code != 200} == {
        "cocart_coupon_usage_limit"
    }
    assert await count(database, "coupons WHERE used = 8") == 4
