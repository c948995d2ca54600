"""draft"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import requests
import schemathesis

from checkstand.app import create_app
from checkstand.settings import Settings
from tests.contract.live import LiveShop, live_shop_process, stock_the_shop
from tests.makers import BILLING, PREVIEW, V2, shop_settings


def _schema(examples: int):
    config = schemathesis.Config.from_dict(
        {
            "seed": 20240229,
            "generation": {
                "max-examples": examples,
                "deterministic": True,
                "database": "none", "no-shrink": True,
            },
            "checks": {"positive_data_acceptance": {"enabled": False}},
        }
    )
    return schemathesis.openapi.from_dict(create_app(Settings()).openapi(), config=config)


SCHEMA = _schema(20)


@pytest.fixture(scope="module")
def shop(postgres_url: str) -> Iterator[LiveShop]:
    asyncio.run(stock_the_shop(postgres_url))
    with live_shop_process(shop_settings(postgres_url)) as shop:
        yield shop


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def ready(shop, session) -> str:
    r = session.post(f"{shop.url}{V2}/cart/add-item", json={"id": "1", "quantity": "2"})
    assert r.status_code == 200, r.text
    key = r.headers["Cart-Key"]
    r = session.put(
        f"{shop.url}{PREVIEW}/checkout",
        auth=shop.reference,
        headers={"Cart-Key": key},
        json={"billing_address": BILLING, "payment_method": "bacs"},
    )
    assert r.status_code == 200, r.text
    return key


from collections import Counter

SEEN = Counter()


@SCHEMA.parametrize()
def test_routes(case: schemathesis.Case, shop: LiveShop, session: requests.Session) -> None:
    key = ready(shop, session)
    import base64

    headers = {
        "Cart-Key": key,
        "Authorization": "Basic " + base64.b64encode(":".join(shop.reference).encode()).decode(),
    }
    r = case.call_and_validate(base_url=shop.url, session=session, headers=headers)
    SEEN[case.operation.label, r.status_code] += 1


def test_print():
    print(SEEN)
