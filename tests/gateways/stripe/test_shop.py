"""A running shop over HTTP and PostgreSQL that is paid by Stripe."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn

from checkstand.payments.model import NeedsAction
from checkstand.storage.database import Database
from checkstand.testing.peer import Fault, Wish
from tests.gateways.stripe.front import SECRET, WEBHOOK
from tests.gateways.stripe.peer import CARDS, Browser, StripePeer
from tests.makers import (
    BILLING,
    PREVIEW,
    Storefront,
    administrator,
    product,
    running,
    shop_settings,
)

PASSWORD = "correct horse battery staple"
HOOK = "/wp-json/checkstand/v1/webhooks/stripe"
ADMIN = "/wp-json/checkstand/v1/admin"


@pytest.fixture
async def shopper(
    empty_database: str, database: Database, peer: StripePeer
) -> AsyncIterator[Storefront]:
    async with database.acquire() as connection:
        mug = await product(connection, name="Mug", slug="mug", stock=5, regular_price=1000)
    settings = shop_settings(empty_database, checkout={"wait_seconds": 5})
    async with running(settings, gateways={"stripe": peer.gateway}) as storefront:
        await storefront.add(mug, 2)
        await storefront.update(billing_address=BILLING, payment_method="stripe")
        yield storefront


async def context(shopper: Storefront) -> dict[str, Any]:
    asked = {"payment_method": "stripe"}
    answer = await shopper.call("POST", f"{PREVIEW}/checkout/payment-context", asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def sql(shopper: Storefront, query: str) -> list[Any]:
    async with shopper.shop.database.acquire() as connection:
        return [tuple(row) for row in await connection.fetch(query)]


async def money(peer: StripePeer, shopper: Storefront) -> tuple[list[int], list[int]]:
    """What Stripe has taken, and given back, for all attempts of the shop."""
    charged, returned = [], []
    for (attempt,) in await sql(shopper, "SELECT id FROM payment_attempts"):
        charged += await peer.charged(attempt)
        returned += await peer.returned(attempt)
    return charged, returned


async def test_payment_methods_tell_what_storefronts_need(shopper: Storefront) -> None:
    answer = await shopper.call("GET", f"{PREVIEW}/checkout/payment-methods")
    told = answer.json()["stripe"]
    assert told["title"] == "Card"
    assert told["has_fields"] is True
    assert told["config"]["test_mode"] is True
    assert told["config"]["is_connected"] is True
    assert SECRET not in answer.text
    assert WEBHOOK not in answer.text


@pytest.mark.parametrize("shape", ["object", "list", "data"])
async def test_a_card_in_every_shape(shopper: Storefront, peer: StripePeer, shape: str) -> None:
    method = await Browser(peer.front).method()
    sent: dict[str, Any] = {
        "object": {"payment_data": {"payment_method_id": method}},
        "list": {"payment_data": [{"key": "wc-stripe-payment-token", "value": method}]},
        "data": {"payment_method_data": {"payment_method": method}},
    }[shape]
    answers = await asyncio.gather(*(shopper.process(**sent) for _ in range(3)))
    assert {answer.status_code for answer in answers} == {200}, answers[0].text
    placed = [answer.json() for answer in answers]
    assert len({order["order_id"] for order in placed}) == 1
    assert placed[0]["payment_result"]["payment_status"] == "success"
    assert placed[0]["status"] == "processing"
    assert await money(peer, shopper) == ([2500], [])


async def test_the_browser_pays(shopper: Storefront, peer: StripePeer) -> None:
    ready = await context(shopper)
    assert (ready["gateway_id"], ready["cart_total"]) == ("stripe", "25.00")
    assert ready["public_key"].startswith("pk_test_")
    browser = Browser(peer.front)
    assert await browser.confirm(ready, await browser.method()) == 200
    data = {"payment_intent_id": ready["payment_intent_id"]}
    for _ in range(2):
        placed = (await shopper.process(payment_data=data)).json()
        assert placed["payment_result"]["payment_status"] == "success", placed
    assert await money(peer, shopper) == ([2500], [])
    assert "_secret_" not in repr(await sql(shopper, "SELECT * FROM payment_contexts"))


async def test_a_decline_leaves_the_cart_open_for_another_card(
    shopper: Storefront, peer: StripePeer
) -> None:
    browser = Browser(peer.front)
    bad = {"payment_method_id": await browser.method(CARDS[Wish.INSUFFICIENT_FUNDS])}
    declined = await shopper.process(payment_data=bad)
    assert (declined.status_code, declined.json()["code"]) == (400, "cocart_payment_failed")
    assert declined.json()["data"]["gateway_error"]["decline_code"] == "insufficient_funds"
    good = {"payment_method_id": await browser.method()}
    placed = (await shopper.process(payment_data=good)).json()
    assert placed["payment_result"]["payment_status"] == "success"
    assert await money(peer, shopper) == ([2500], [])


async def test_3d_secure(shopper: Storefront, peer: StripePeer) -> None:
    data = {"payment_method_id": await Browser(peer.front).method(CARDS[Wish.ACTION])}
    first = (await shopper.process(payment_data=data)).json()
    result = first["payment_result"]
    assert result["payment_status"] == "requires_action"
    assert result["action_type"] == "stripe_confirm_payment"
    assert result["redirect_url"].startswith(f"{peer.front.url}/3ds/pi_")
    secret = result["action_data"]["client_secret"]
    action = NeedsAction(
        "", reference=secret.split("_secret_")[0], action_data=result["action_data"]
    )
    await peer.act(action, agree=True)
    again = (await shopper.process(payment_data=data)).json()
    assert again["payment_result"]["payment_status"] == "success"
    assert again["order_id"] == first["order_id"]
    assert await money(peer, shopper) == ([2500], [])


async def test_an_edit_after_3d_secure_was_asked_for_calls_the_payment_off(
    shopper: Storefront, peer: StripePeer
) -> None:
    data = {"payment_method_id": await Browser(peer.front).method(CARDS[Wish.ACTION])}
    first = (await shopper.process(payment_data=data)).json()
    secret = first["payment_result"]["action_data"]["client_secret"]
    assert (await shopper.add(1, 1)).status_code == 200
    intent = secret.split("_secret_")[0]
    assert await peer.front.authenticate(intent, secret, agree=True) == 400
    assert await money(peer, shopper) == ([], [])


async def test_a_lost_answer_is_settled_by_the_webhook(
    shopper: Storefront, peer: StripePeer
) -> None:
    data = {"payment_method_id": await Browser(peer.front).method()}
    peer.fail_next(Fault.TIMEOUT_AFTER)
    pending = (await shopper.process(payment_data=data)).json()
    assert pending["payment_result"]["payment_status"] == "pending"
    raw, headers = await peer.webhook(pending["attempt_id"])
    for _ in range(2):
        heard = await shopper.http.post(HOOK, content=raw, headers=dict(headers))
        assert heard.status_code == 200, heard.text
    await shopper.shop.worker.turn()
    assert await sql(shopper, "SELECT status FROM orders") == [("processing",)]
    placed = (await shopper.process(payment_data=data)).json()
    assert placed["order_id"] == pending["order_id"]
    assert await money(peer, shopper) == ([2500], [])
    forged = await shopper.http.post(HOOK, content=raw + b" ", headers=dict(headers))
    assert forged.json()["code"] == "cocart_webhook_refused"


async def test_a_request_that_was_lost_is_declined_and_another_card_pays(
    shopper: Storefront, peer: StripePeer
) -> None:
    browser = Browser(peer.front)
    peer.fail_next(Fault.LOST)
    data = {"payment_method_id": await browser.method()}
    pending = (await shopper.process(payment_data=data)).json()
    assert pending["payment_result"]["payment_status"] == "pending"
    now = "UPDATE payment_attempts SET next_look_at = now(), lease_until = now() RETURNING 1"
    await sql(shopper, now)
    await shopper.shop.worker.turn()
    assert await sql(shopper, "SELECT state FROM payment_attempts") == [("declined",)]
    placed = (
        await shopper.process(payment_data={"payment_method_id": await browser.method()})
    ).json()
    assert placed["payment_result"]["payment_status"] == "success"
    assert await money(peer, shopper) == ([2500], [])


async def test_what_was_prepared_and_never_ordered_is_called_off(
    shopper: Storefront, peer: StripePeer
) -> None:
    ready = await context(shopper)
    await sql(shopper, "UPDATE payment_contexts SET expires_at = now() RETURNING 1")
    await shopper.shop.worker.turn()
    browser = Browser(peer.front)
    assert await browser.confirm(ready, await browser.method()) == 400


async def test_money_goes_back(shopper: Storefront, peer: StripePeer) -> None:
    await administrator(shopper.shop, PASSWORD)
    data = {"payment_method_id": await Browser(peer.front).method()}
    order = (await shopper.process(payment_data=data)).json()["order_id"]
    for amount in ("10.00", "15.00"):
        answer = await shopper.http.post(
            f"{ADMIN}/orders/{order}/refunds",
            json={"amount": amount},
            auth=("admin", PASSWORD),
        )
        assert answer.status_code in (200, 201), answer.text
    charged, returned = await money(peer, shopper)
    assert (charged, sorted(returned)) == ([2500], [1000, 1500])


async def test_the_guides_python_buys(shopper: Storefront, peer: StripePeer) -> None:
    """The very text of the guide, against this shop at an address of its own."""
    guide = Path(__file__).parents[3] / "docs/howto/pay-with-stripe.md"
    (example,) = re.findall(r"^```python\n(.*?)^```", guide.read_text(), re.S | re.M)
    [(mug,)] = await sql(shopper, "SELECT id FROM products")
    async with listening(shopper) as url:
        for method, said in (
            ("pm_card_visa", r"pay by Card\norder \d+ success\n"),
            ("pm_unheard_of", r"pay by Card\n.*'payment_method_unknown'.*\n"),
        ):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                example,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={
                    "CHECKSTAND_URL": url,
                    "CHECKSTAND_KEY": shopper.keys["consumer_key"],
                    "CHECKSTAND_SECRET": shopper.keys["consumer_secret"],
                    "PRODUCT": str(mug),
                    "STRIPE_METHOD": method,
                },
            )
            printed, _ = await asyncio.wait_for(process.communicate(), 60)
            assert re.fullmatch(said, printed.decode()), printed.decode()
    assert await money(peer, shopper) == ([1500], [])


@asynccontextmanager
async def listening(shopper: Storefront) -> AsyncIterator[str]:
    """The shop on a free port of 127.0.0.1."""
    transport = shopper.http._transport
    assert isinstance(transport, httpx2.ASGITransport)
    options = uvicorn.Config(transport.app, port=0, lifespan="off", log_level="error")
    server = uvicorn.Server(options)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve([listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await serving
