"""Two server processes that share one count, exactly."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx2
import pytest

from tests.contract.live import live_shop_process
from tests.makers import V2, shop_settings
from tests.valkey import valkey


async def two_processes(database_url: str, limit: int, requests: int) -> Counter[int]:
    """Statuses of so many requests, spread over two server processes that share one count."""
    with valkey() as store_url:
        limits = {
            "enabled": True,
            "other": f"{limit}/hour",
            "store_url": store_url,
            "store_timeout": 30,  # this machine may be busy
        }
        settings = shop_settings(database_url, rate_limits=limits)
        with live_shop_process(settings) as one, live_shop_process(settings) as two:
            async with httpx2.AsyncClient(timeout=60) as client:

                async def shopper(share: int) -> Counter[int]:
                    found: Counter[int] = Counter()
                    for number in range(share):
                        shop = (one, two)[number % 2]
                        answer = await client.get(f"{shop.url}{V2}/cart")
                        found[answer.status_code] += 1
                    return found

                shoppers = 20
                shares = [requests // shoppers] * shoppers
                return sum(await asyncio.gather(*map(shopper, shares)), Counter())


async def test_two_processes_share_one_count(empty_database: str) -> None:
    assert await two_processes(empty_database, 50, 200) == {200: 50, 429: 150}


@pytest.mark.prove
async def test_ten_thousand_requests_are_counted_exactly(empty_database: str) -> None:
    assert await two_processes(empty_database, 4_000, 10_000) == {200: 4_000, 429: 6_000}
