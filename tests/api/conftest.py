"""A running demo shop with the Premium T-Shirt in it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from checkstand.storage.database import Database
from tests.makers import Storefront, product, running, shop_settings


@pytest.fixture
async def storefront(empty_database: str, database: Database) -> AsyncIterator[Storefront]:
    async with database.acquire() as connection:
        await product(connection, sku="TSHIRT-PREMIUM", slug="premium-t-shirt")
    async with running(shop_settings(empty_database)) as client:
        yield client
