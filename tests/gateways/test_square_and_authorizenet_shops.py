"""Shops that take Square and Authorize.Net, as their shoppers, providers and people meet them."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from checkstand.storage.database import Database
from checkstand.testing.peer import Fault
from tests.gateways.authorizenet_fake import (
    CLIENT_KEY,
    LOGIN,
    TRANSACTION_KEY,
    FakeAuthorizeNet,
    fake_authorizenet,
)
from tests.gateways.authorizenet_fake import SIGNATURE_KEY as ANET_SIGNATURE_KEY
from tests.gateways.square_fake import (
    ACCESS_TOKEN,
    LOCATION,
    NOTIFICATION_URL,
    SIGNATURE_KEY,
    FakeSquare,
    fake_square,
)
from tests.makers import (
    BILLING,
    PREVIEW,
    Storefront,
    administrator,
    product,
    running,
    shop_settings,
)

HOWTO = Path(__file__).parents[2] / "docs" / "howto"
HOOKS = "/wp-json/checkstand/v1/webhooks"
PASSWORD = "correct horse battery staple"


@asynccontextmanager
async def shop_with(
    database_url: str, database: Database, gateway: str, **section: Any
) -> AsyncIterator[Storefront]:
    """A shopper with two mugs for 25.00, shipping included, who pays by the gateway."""
    async with database.acquire() as connection:
        mug = await product(connection, name="Mug", slug="mug", stock=9, regular_price=1000)
    settings = shop_settings(
        database_url, gateways={gateway: {"enabled": True, **section}}, payments={"timeout": 2}
    )
    async with running(settings) as shopper:
        await shopper.add(mug, 2)
        await shopper.update(billing_address=BILLING, payment_method=gateway)
        yield shopper


@pytest.fixture
async def square() -> AsyncIterator[FakeSquare]:
    async with fake_square() as provider:
        yield provider


@pytest.fixture
async def anet() -> AsyncIterator[FakeAuthorizeNet]:
    async with fake_authorizenet() as provider:
        yield provider


@pytest.fixture
async def shopper(
    empty_database: str, database: Database, square: FakeSquare
) -> AsyncIterator[Storefront]:
    section = {
        "access_token": ACCESS_TOKEN,
        "application_id": "sandbox-sq0idb-abc",
        "location_id": LOCATION,
        "webhook_signature_key": SIGNATURE_KEY,
        "webhook_url": NOTIFICATION_URL,
        "api_base": square.address,
    }
    async with shop_with(empty_database, database, "square", **section) as found:
        yield found


@pytest.fixture
async def anet_shopper(
    empty_database: str, database: Database, anet: FakeAuthorizeNet
) -> AsyncIterator[Storefront]:
    section = {
        "api_login_id": LOGIN,
        "transaction_key": TRANSACTION_KEY,
        "public_client_key": CLIENT_KEY,
        "signature_key": ANET_SIGNATURE_KEY,
        "api_base": anet.address,
    }
    async with shop_with(empty_database, database, "authorizenet", **section) as found:
        yield found


async def sql(shopper: Storefront, query: str) -> list[Any]:
    async with shopper.shop.database.acquire() as connection:
        return [tuple(row) for row in await connection.fetch(query)]


async def context(shopper: Storefront, gateway: str) -> dict[str, Any]:
    answer = await shopper.call(
        "POST", f"{PREVIEW}/checkout/payment-context", {"payment_method": gateway}
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def refunded(shopper: Storefront, order_id: int, amount: str) -> Any:
    answer = await shopper.http.post(
        f"/wp-json/checkstand/v1/admin/orders/{order_id}/refunds",
        json={"amount": amount},
        auth=("admin", PASSWORD),
    )
    return answer.json()


def statuses(square: FakeSquare) -> list[tuple[int, str]]:
    return sorted((payment.amount, payment.status) for payment in square.payments.values())


# --- Square -------------------------------------------------------------------------------------


async def test_square_from_context_to_refund(shopper: Storefront, square: FakeSquare) -> None:
    prepared = await context(shopper, "square")
    assert (prepared["application_id"], prepared["location_id"]) == (
        "sandbox-sq0idb-abc",
        LOCATION,
    )
    data = {"source_id": square.token("approve")}
    placed = (await shopper.process(payment_data=data)).json()
    assert placed["payment_result"]["payment_status"] == "success", placed
    assert (await shopper.process(payment_data=data)).json()["order_id"] == placed["order_id"]
    assert statuses(square) == [(2500, "COMPLETED")]
    await administrator(shopper.shop, PASSWORD)
    assert (await refunded(shopper, placed["order_id"], "5.00"))["state"] == "done"
    assert [each["amount_money"]["amount"] for each in square.refunds.values()] == [500]


async def test_squares_list_of_keys_and_values(shopper: Storefront, square: FakeSquare) -> None:
    data = [
        {"key": "nonce", "value": square.token("approve")},
        {"key": "billing_contact", "value": '{"given_name": "Ines"}'},
    ]
    placed = (await shopper.process(payment_data=data)).json()
    assert placed["payment_result"]["payment_status"] == "success", placed


async def test_a_decline_and_then_another_card(shopper: Storefront, square: FakeSquare) -> None:
    declined = await shopper.process(payment_data={"source_id": square.token("cvv")})
    assert declined.status_code == 400
    assert declined.json()["data"]["gateway_error"]["code"] == "CVV_FAILURE"
    placed = await shopper.process(payment_data={"source_id": square.token("approve")})
    assert placed.json()["payment_result"]["payment_status"] == "success", placed.text
    assert statuses(square) == [(2500, "COMPLETED"), (2500, "FAILED")]


async def test_the_banks_check_and_a_new_token(shopper: Storefront, square: FakeSquare) -> None:
    first = {"source_id": square.token("action")}
    asked = (await shopper.process(payment_data=first)).json()["payment_result"]
    assert asked["payment_status"] == "requires_action"
    assert asked["action_type"] == "square_verify_buyer"
    assert asked["action_data"]["amount"] == "25.00"
    second = {
        "source_id": square.token("action"),
        "verification_token": square.verification(),
    }
    placed = (await shopper.process(payment_data=second)).json()
    assert placed["payment_result"]["payment_status"] == "success", placed
    assert statuses(square) == [(2500, "COMPLETED"), (2500, "FAILED")]


async def test_a_lost_answer_is_settled_by_the_webhook(
    shopper: Storefront, square: FakeSquare
) -> None:
    square.fault = (Fault.ERROR_AFTER, "")
    data = {"source_id": square.token("approve")}
    pending = (await shopper.process(payment_data=data)).json()
    assert pending["payment_result"]["payment_status"] == "pending"
    [payment] = square.payments.values()
    assert payment.status == "APPROVED"
    raw, headers = square.event("payment.created", payment)
    forged = await shopper.http.post(f"{HOOKS}/square", content=raw + b" ", headers=headers)
    assert forged.status_code == 400
    for _ in range(2):
        told = await shopper.http.post(f"{HOOKS}/square", content=raw, headers=headers)
        assert told.status_code == 200, told.text
    await shopper.shop.worker.turn()
    await shopper.shop.worker.turn()
    assert await sql(shopper, "SELECT status FROM orders") == [("processing",)]
    assert statuses(square) == [(2500, "COMPLETED")]
    placed = (await shopper.process(payment_data=data)).json()
    assert placed["order_id"] == pending["order_id"]


async def test_a_late_request_is_cancelled_by_the_webhook(
    shopper: Storefront, square: FakeSquare
) -> None:
    """Lost, given up by the worker, and then it arrives after all."""
    square.fault = (Fault.LOST, "")
    data = {"source_id": square.token("approve")}
    await shopper.process(payment_data=data)
    await sql(
        shopper,
        "UPDATE payment_attempts SET created_at = created_at - interval '1 minute',"
        " next_look_at = now(), lease_until = now() RETURNING 1",
    )
    await shopper.shop.worker.turn()
    [(attempt_id, state)] = await sql(shopper, "SELECT id, state FROM payment_attempts")
    assert state == "declined"
    late = await shopper.shop.payments.gateways["square"].api.ask(  # type: ignore[attr-defined]
        "POST",
        "/v2/payments",
        {
            "source_id": square.token("approve"),
            "idempotency_key": attempt_id,
            "amount_money": {"amount": 2500, "currency": "USD"},
            "autocomplete": False,
            "location_id": LOCATION,
            "reference_id": attempt_id,
        },
    )
    assert late.accepted
    [payment] = square.payments.values()
    raw, headers = square.event("payment.created", payment)
    await shopper.http.post(f"{HOOKS}/square", content=raw, headers=headers)
    await shopper.shop.worker.turn()
    assert statuses(square) == [(2500, "CANCELED")]
    again = await shopper.process(payment_data={"source_id": square.token("approve")})
    assert again.json()["payment_result"]["payment_status"] == "success", again.text


# --- Authorize.Net ------------------------------------------------------------------------------


async def test_authorizenet_from_context_to_refund(
    anet_shopper: Storefront, anet: FakeAuthorizeNet
) -> None:
    prepared = await context(anet_shopper, "authorizenet")
    assert (prepared["public_client_key"], prepared["api_login_id"]) == (CLIENT_KEY, LOGIN)
    declined = await anet_shopper.process(payment_data={"data_value": anet.nonce("avs")})
    assert declined.status_code == 400
    error = declined.json()["data"]["gateway_error"]
    assert (error["code"], error["reason_code"]) == ("avs_mismatch", "27")
    data = {"data_value": anet.nonce("approve")}
    placed = (await anet_shopper.process(payment_data=data)).json()
    assert placed["payment_result"]["payment_status"] == "success", placed
    await administrator(anet_shopper.shop, PASSWORD)
    early = await refunded(anet_shopper, placed["order_id"], "5.00")
    assert "tomorrow" in str(early), early
    anet.settle()
    later = await refunded(anet_shopper, placed["order_id"], "5.00")
    assert later["state"] == "done", later
    assert [entry.amount for entry in anet.entries.values() if entry.of] == ["5.00"]


async def test_a_review_ends_with_the_webhook(
    anet_shopper: Storefront, anet: FakeAuthorizeNet
) -> None:
    data = {"data_value": anet.nonce("held")}
    held = (await anet_shopper.process(payment_data=data)).json()
    assert held["payment_result"]["payment_status"] == "pending"
    [entry] = anet.entries.values()
    entry.status = "capturedPendingSettlement"
    raw, headers = anet.event("fraud.approved", entry)
    told = await anet_shopper.http.post(f"{HOOKS}/authorizenet", content=raw, headers=headers)
    assert told.status_code == 200, told.text
    await anet_shopper.shop.worker.turn()
    await anet_shopper.shop.worker.turn()
    assert await sql(anet_shopper, "SELECT status FROM orders") == [("processing",)]


async def test_a_lost_answer_is_found_by_the_worker(
    anet_shopper: Storefront, anet: FakeAuthorizeNet
) -> None:
    anet.fault = Fault.ERROR_AFTER
    await anet_shopper.process(payment_data={"data_value": anet.nonce("approve")})
    await sql(
        anet_shopper,
        "UPDATE payment_attempts SET next_look_at = now(), lease_until = now() RETURNING 1",
    )
    await anet_shopper.shop.worker.turn()
    assert await sql(anet_shopper, "SELECT status FROM orders") == [("processing",)]
    assert len(anet.entries) == 1


# --- the guides ---------------------------------------------------------------------------------


async def bought(shopper: Storefront, guide: str, **more: str) -> str:
    """What the guide's program prints, run as it stands against this shop."""
    text = (HOWTO / guide).read_text()
    [program] = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    app = shopper.http._transport.app  # type: ignore[attr-defined]
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    [(mug,)] = await sql(shopper, "SELECT id::text FROM products WHERE slug = 'mug'")
    told = {
        "CHECKSTAND_URL": f"http://127.0.0.1:{port}",
        "CHECKSTAND_KEY": shopper.keys["consumer_key"],
        "CHECKSTAND_SECRET": shopper.keys["consumer_secret"],
        "PRODUCT": mug,
        **more,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | told,
    )
    try:
        async with asyncio.timeout(30):
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
        server.should_exit = True
        await serving
    assert process.returncode == 0
    return printed.decode()


async def test_squares_guide_buys(shopper: Storefront, square: FakeSquare) -> None:
    printed = await bought(shopper, "pay-with-square.md", SQUARE_TOKEN=square.token("approve"))
    assert "success" in printed
    assert statuses(square) == [(1500, "COMPLETED")]
    declined = await bought(shopper, "pay-with-square.md", SQUARE_TOKEN=square.token("decline"))
    assert "GENERIC_DECLINE" in declined


async def test_authorizenets_guide_buys(anet_shopper: Storefront, anet: FakeAuthorizeNet) -> None:
    nonce = anet.nonce("approve")
    printed = await bought(anet_shopper, "pay-with-authorizenet.md", NONCE=nonce)
    assert "success" in printed
    assert "invalid_token" in await bought(anet_shopper, "pay-with-authorizenet.md", NONCE=nonce)
