"""A shop that takes PayPal, as its shoppers, PayPal and its people meet it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from pydantic import SecretStr

from checkstand.storage.database import Database
from tests.gateways import paypal_fake
from tests.gateways.paypal_fake import PAYER, FakePayPal
from tests.makers import (
    BILLING,
    PREVIEW,
    Storefront,
    administrator,
    product,
    running,
    shop_settings,
)

GUIDE = Path(__file__).parents[2] / "docs" / "howto" / "pay-with-paypal.md"
PASSWORD = "correct horse battery staple"


@pytest.fixture
async def paypal() -> AsyncIterator[FakePayPal]:
    async with FakePayPal() as found:
        yield found


@pytest.fixture
async def shopper(
    empty_database: str, database: Database, paypal: FakePayPal
) -> AsyncIterator[Storefront]:
    async with database.acquire() as connection:
        mug = await product(connection, name="Mug", slug="mug", stock=5, regular_price=1000)
    account = {
        "enabled": True,
        "client_id": paypal_fake.CLIENT_ID,
        "client_secret": SecretStr(paypal_fake.CLIENT_SECRET),
        "webhook_id": paypal_fake.WEBHOOK_ID,
        "api_base": paypal.address,
    }
    settings = shop_settings(empty_database, gateways={"paypal": account})
    async with running(settings) as storefront:
        await storefront.add(mug, 2)
        await storefront.update(billing_address=BILLING, payment_method="paypal")
        yield storefront


async def sql(shopper: Storefront, query: str) -> list[Any]:
    async with shopper.shop.database.acquire() as connection:
        return [tuple(row) for row in await connection.fetch(query)]


async def context(shopper: Storefront) -> dict[str, Any]:
    answer = await shopper.call(
        "POST", f"{PREVIEW}/checkout/payment-context", {"payment_method": "paypal"}
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def moved(paypal: FakePayPal) -> list[tuple[str, str, str]]:
    return [(entry.kind, str(entry.value), entry.status) for entry in paypal.ledger]


async def test_buttons_from_context_to_refund(shopper: Storefront, paypal: FakePayPal) -> None:
    prepared = await context(shopper)
    assert (await context(shopper))["paypal_order_id"] == prepared["paypal_order_id"]
    order = paypal.approve(prepared["paypal_order_id"])
    data = {
        "paypal_order_id": order,
        "paypal_payer_id": PAYER,
        "gross_amount": prepared["cart_total"],
        "currency": prepared["currency"],
    }
    placed = (await shopper.process(payment_data=data)).json()
    assert placed["payment_result"]["payment_status"] == "success", placed
    assert placed["status"] == "processing"
    assert (await shopper.process(payment_data=data)).json()["order_id"] == placed["order_id"]
    assert moved(paypal) == [("charge", "25.00", "COMPLETED")]
    # The same PayPal order pays nothing else.
    stranger = shopper.another()
    await stranger.add(1, 2)
    await stranger.update(billing_address=BILLING, payment_method="paypal")
    refused = await stranger.process(payment_data=data)
    assert refused.json()["code"] == "cocart_payment_already_used"
    await administrator(shopper.shop, PASSWORD)
    refund = await shopper.http.post(
        f"/wp-json/checkstand/v1/admin/orders/{placed['order_id']}/refunds",
        json={"amount": "5.00"},
        auth=("admin", PASSWORD),
    )
    assert refund.json()["state"] == "done", refund.text
    assert moved(paypal)[1:] == [("refund", "5.00", "COMPLETED")]


async def test_a_shopper_who_agrees_and_never_comes_back_has_ordered(
    shopper: Storefront, paypal: FakePayPal
) -> None:
    answer = (await shopper.process()).json()
    result = answer["payment_result"]
    assert result["payment_status"] == "requires_action", answer
    order = result["action_data"]["paypal_order_id"]
    assert result["redirect_url"].endswith(order)
    paypal.approve(order)
    raw = json.dumps(
        {"id": "WH-1", "event_type": "CHECKOUT.ORDER.APPROVED", "resource": {"id": order}}
    ).encode()
    told = await shopper.http.post(
        "/wp-json/checkstand/v1/webhooks/paypal", content=raw, headers=paypal.sign(raw)
    )
    assert told.status_code == 200, told.text
    await shopper.shop.worker.turn()
    await shopper.shop.worker.turn()
    assert await sql(shopper, "SELECT status FROM orders") == [("processing",)]
    assert moved(paypal) == [("charge", "25.00", "COMPLETED")]


async def test_editing_the_cart_calls_the_payment_off(
    shopper: Storefront, paypal: FakePayPal
) -> None:
    result = (await shopper.process()).json()["payment_result"]
    order = result["action_data"]["paypal_order_id"]
    assert (await shopper.add(1, 1)).status_code == 200
    paypal.approve(order)  # too late: the window at PayPal was still open
    again = (await shopper.process()).json()["payment_result"]
    assert again["payment_status"] == "requires_action"
    other = again["action_data"]["paypal_order_id"]
    assert other != order
    paypal.approve(other)
    assert (await shopper.process()).json()["payment_result"]["payment_status"] == "success"
    assert moved(paypal) == [("charge", "35.00", "COMPLETED")]
    assert paypal.orders[order]["units"][0]["custom_id"] == "checkstand-closed"


async def test_an_order_that_was_prepared_and_not_used_is_closed(
    shopper: Storefront, paypal: FakePayPal
) -> None:
    order = (await context(shopper))["paypal_order_id"]
    await sql(
        shopper, "UPDATE payment_contexts SET expires_at = now() - interval '1 minute' RETURNING 1"
    )
    await shopper.shop.worker.end_contexts()
    assert paypal.orders[order]["units"][0]["custom_id"] == "checkstand-closed"


async def test_an_order_that_was_approved_for_another_total_is_refused(
    shopper: Storefront, paypal: FakePayPal
) -> None:
    order = paypal.approve((await context(shopper))["paypal_order_id"])
    await shopper.add(1, 1)
    refused = await shopper.process(payment_data={"paypal_order_id": order})
    assert (refused.status_code, refused.json()["code"]) == (400, "cocart_payment_context_expired")
    assert paypal.ledger == []
    fresh = paypal.approve((await context(shopper))["paypal_order_id"])
    placed = await shopper.process(payment_data={"paypal_order_id": fresh})
    assert placed.json()["payment_result"]["payment_status"] == "success", placed.text
    assert moved(paypal) == [("charge", "35.00", "COMPLETED")]


async def test_a_declined_shopper_chooses_another_card(
    shopper: Storefront, paypal: FakePayPal
) -> None:
    order = (await context(shopper))["paypal_order_id"]
    paypal.approve(order, "INSTRUMENT_DECLINED")
    data = {"paypal_order_id": order}
    declined = await shopper.process(payment_data=data)
    assert declined.status_code == 400
    assert declined.json()["data"]["gateway_error"]["code"] == "instrument_declined"
    paypal.orders[order]["instrument"] = "good"
    placed = await shopper.process(payment_data=data)
    assert placed.json()["payment_result"]["payment_status"] == "success", placed.text
    assert moved(paypal) == [("charge", "25.00", "COMPLETED")]


async def test_the_guides_python_buys(shopper: Storefront, paypal: FakePayPal) -> None:
    """Run as it is printed, in a process of its own; the shopper agrees meanwhile."""
    [program] = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    app = shopper.http._transport.app  # type: ignore[attr-defined]
    config = uvicorn.Config(app, port=0, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    [(mug,)] = await sql(shopper, "SELECT id::text FROM products WHERE slug = 'mug'")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ
        | {
            "CHECKSTAND_URL": f"http://127.0.0.1:{port}",
            "CHECKSTAND_KEY": shopper.keys["consumer_key"],
            "CHECKSTAND_SECRET": shopper.keys["consumer_secret"],
            "PRODUCT": mug,
        },
    )
    try:
        async with asyncio.timeout(30):
            while not paypal.orders:
                await asyncio.sleep(0.05)
            paypal.approve(next(iter(paypal.orders)))
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
        server.should_exit = True
        await serving
    assert process.returncode == 0
    assert b"is processing" in printed
    assert moved(paypal) == [("charge", "15.00", "COMPLETED")]
