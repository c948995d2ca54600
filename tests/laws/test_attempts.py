"""What a gateway can answer, and what a crash leaves: one order, one charge, stock right."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from checkstand.jobs.sweep import sweep
from checkstand.payments.model import (
    Approved,
    Attempt,
    Declined,
    Funds,
    NeedsAction,
    Outcome,
    Unknown,
)
from checkstand.storage.database import Database
from tests.fakes import ScriptedGateway, never
from tests.makers import BILLING, PREVIEW, V2, Storefront, product, running, shop_settings


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway()


@pytest.fixture
async def shopper(
    empty_database: str, database: Database, gateway: ScriptedGateway
) -> AsyncIterator[Storefront]:
    """A cart with one of a product of which there are five, paid by the scripted gateway."""
    async with database.acquire() as connection:
        mug = await product(connection, name="Mug", slug="mug", stock=5)
    settings = shop_settings(empty_database, checkout={"wait_seconds": 6})
    async with running(settings, gateways={"card": gateway}) as storefront:
        await storefront.add(mug)
        await storefront.update(billing_address=BILLING, payment_method="card")
        yield storefront


async def facts(database: Database) -> dict[str, object]:
    async with database.acquire() as connection:
        return {
            "orders": [
                tuple(row)
                for row in await connection.fetch("SELECT id, status FROM orders ORDER BY id")
            ],
            "attempts": sorted(
                row[0] for row in await connection.fetch("SELECT state FROM payment_attempts")
            ),
            "stock": await connection.fetchval("SELECT quantity FROM stock"),
            "held": await connection.fetchval(
                "SELECT coalesce(sum(quantity), 0)::int FROM stock_holds"
            ),
        }


async def test_captured(shopper: Storefront, database: Database, gateway: ScriptedGateway) -> None:
    placed = await shopper.process()
    assert placed.json()["status"] == "processing"
    assert await facts(database) == {
        "orders": [(placed.json()["order_id"], "processing")],
        "attempts": ["approved"],
        "stock": 4,
        "held": 0,
    }
    assert list(gateway.ledger.values()) == [2499]


async def test_decline_then_retry_reuses_the_order(
    shopper: Storefront, database: Database, gateway: ScriptedGateway
) -> None:
    gateway.script = [Declined("The bank refused this card.", {"code": "card_declined"})]
    declined = await shopper.process()
    assert (declined.status_code, declined.json()["code"]) == (400, "cocart_payment_failed")
    data = declined.json()["data"]
    assert data["error_type"] == "payment_error"
    assert data["message"] == declined.json()["message"] == "The bank refused this card."
    assert data["gateway_error"] == {"code": "card_declined"}
    order_id = data["order_id"]
    assert await facts(database) == {
        "orders": [(order_id, "failed")],
        "attempts": ["declined"],
        "stock": 5,
        "held": 0,
    }
    assert (await shopper.state())["cart_totals"]["total"] == "24.99"
    placed = await shopper.process()
    assert placed.json()["order_id"] == order_id
    assert (await facts(database))["orders"] == [(order_id, "processing")]
    assert len(gateway.ledger) == 1


async def test_a_decline_is_never_replayed(shopper: Storefront, gateway: ScriptedGateway) -> None:
    gateway.script = [Declined("No."), Declined("No.")]
    headers = {"Idempotency-Key": "declined"}
    for _ in range(2):
        assert (await shopper.process(headers)).status_code == 400
    assert (await shopper.process(headers)).status_code == 200
    assert len(gateway.asked) == 3


async def test_a_changed_cart_is_a_new_order(
    shopper: Storefront, database: Database, gateway: ScriptedGateway
) -> None:
    gateway.script = [Declined("No.")]
    first = (await shopper.process()).json()["data"]["order_id"]
    await shopper.add(1, 1)
    second = (await shopper.process()).json()["order_id"]
    assert second != first


async def test_needs_action(shopper: Storefront, gateway: ScriptedGateway) -> None:
    gateway.script = [
        NeedsAction("https://bank.example/3ds", "confirm", {"client_secret": "x"}, "pi_1")
    ]
    answer = await shopper.process()
    result = answer.json()["payment_result"]
    assert answer.status_code == 200
    assert result["payment_status"] == "requires_action"
    assert result["redirect_url"] == "https://bank.example/3ds"
    assert answer.json()["cart_key"] == shopper.cart_key


async def test_no_answer_is_never_a_decline(
    shopper: Storefront, database: Database, gateway: ScriptedGateway
) -> None:
    gateway.script = [Unknown("timeout")]
    answer = await shopper.process()
    assert answer.status_code == 200
    assert answer.json()["payment_result"]["payment_status"] == "pending"
    assert answer.json()["attempt_id"]
    assert (await facts(database))["held"] == 1
    edit = await shopper.add(1)
    assert (edit.status_code, edit.json()["code"]) == (409, "cocart_checkout_payment_pending")
    assert edit.headers["Retry-After"]
    again = await shopper.process()
    assert again.json() == answer.json(), "the same, until it is known (DECISIONS 14)"
    other = await shopper.process(payment_data={"token": "another"})
    assert (other.status_code, other.json()["code"]) == (409, "cocart_checkout_payment_pending")
    gateway.looks = [Approved(Funds.CAPTURED, "ref")]
    await settled(shopper)
    again = await shopper.process()
    assert again.json()["order_id"] == answer.json()["order_id"]
    assert again.json()["payment_result"]["payment_status"] == "success"
    assert len(gateway.asked) == 1, "it was looked up, not charged again"
    assert len(gateway.ledger) == 1


async def crash(shopper: Storefront, gateway: ScriptedGateway) -> None:
    """A process that ends between transaction A and the gateway's answer."""
    gateway.script = [never]
    task = asyncio.create_task(shopper.process())
    while not gateway.asked:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_client_comes_back_after_a_crash(
    shopper: Storefront, database: Database, gateway: ScriptedGateway
) -> None:
    await crash(shopper, gateway)
    await lapse(database)
    placed = await shopper.process()
    assert placed.status_code == 200, placed.text
    assert placed.json()["payment_result"]["payment_status"] == "success"
    assert len(set(gateway.asked)) == 1
    found = await facts(database)
    assert found["attempts"] == ["approved"]
    assert (found["stock"], found["held"]) == (4, 0)


async def lapse(database: Database) -> None:
    """Time passes: the lease of whoever died is over."""
    async with database.transaction() as connection:
        await connection.execute(
            "UPDATE payment_attempts SET lease_until = now() - interval '1 s',"
            " next_look_at = now() - interval '1 s' WHERE next_look_at IS NOT NULL"
        )


async def settled(shopper: Storefront) -> None:
    await lapse(shopper.shop.database)
    assert await shopper.shop.worker.finish_attempts() == 1


async def test_nobody_comes_back_after_a_crash(
    shopper: Storefront, database: Database, gateway: ScriptedGateway
) -> None:
    await crash(shopper, gateway)
    assert await shopper.shop.worker.finish_attempts() == 0, "the lease still lasts"
    gateway.looks = [Approved(Funds.CAPTURED, "ref")]
    await settled(shopper)
    found = await facts(database)
    assert found["attempts"] == ["approved"]
    assert (found["stock"], found["held"]) == (4, 0)
    assert (await shopper.call("GET", f"{V2}/cart")).json()["items"] == []
    replayed = await shopper.process()
    assert replayed.json()["payment_result"]["payment_status"] == "success"


async def test_a_charge_that_never_arrived_frees_the_cart(
    shopper: Storefront, database: Database, gateway: ScriptedGateway
) -> None:
    await crash(shopper, gateway)
    await settled(shopper)
    found = await facts(database)
    assert found["attempts"] == ["declined"]
    assert (found["stock"], found["held"]) == (5, 0)
    assert (await shopper.add(1)).status_code == 200


async def test_an_attempt_outlives_its_cart(
    shopper: Storefront, database: Database, gateway: ScriptedGateway
) -> None:
    """The server was down for longer than a cart lives: the attempt is settled all the same."""
    await crash(shopper, gateway)
    async with database.transaction() as connection:
        await connection.execute("UPDATE carts SET expires_at = now() - interval '1 second'")
    await sweep(database, shopper.shop.carts.clock)
    gateway.looks = [Approved(Funds.CAPTURED, "ref")]
    await settled(shopper)
    found = await facts(database)
    assert found["attempts"] == ["approved"]
    assert (found["stock"], found["held"]) == (4, 0)


async def test_a_broken_gateway_is_not_a_decline(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    async def broken() -> None:
        raise RuntimeError("the provider's library broke")

    gateway.script = [broken]
    answer = await shopper.process()
    assert answer.json()["payment_result"]["payment_status"] == "pending"


async def test_a_late_reservation_is_let_go_and_the_paid_order_stands(
    shopper: Storefront, database: Database, gateway: ScriptedGateway
) -> None:
    """Reserved money that comes for an attempt that was called off is let go; that the provider
    says so later must not cancel the order, which was paid in another way since."""
    gateway.script = [NeedsAction("https://bank.example/3ds", reference="pi_1")]
    first = await shopper.process()
    late = first.json()["attempt_id"]
    gateway.looks = [NeedsAction("https://bank.example/3ds", reference="pi_1")]
    await shopper.process(payment_data={"token": "another"})  # calls the first one off
    paid = await facts(database)
    assert paid["attempts"] == ["approved", "void"]
    for found in (Approved(Funds.AUTHORISED, "pi_1"), Declined("It was let go.")):
        gateway.looks = [found]
        raw = json.dumps({"id": f"evt_{type(found).__name__}", "attempt": late}).encode()
        await shopper.shop.webhooks.receive("card", raw, {"signature": "right"})
        while await shopper.shop.worker.turn():
            pass
    assert gateway.voided == [late, late], "called off, and let go when it was reserved after all"
    assert await facts(database) == paid


async def test_a_prepared_payment_is_called_off_although_the_worker_died(
    shopper: Storefront, database: Database, gateway: ScriptedGateway
) -> None:
    """Killed between taking what has expired and hearing that the provider has called it off."""
    path = f"{PREVIEW}/checkout/payment-context"
    prepared = await shopper.call("POST", path, {"payment_method": "card"})
    assert prepared.status_code == 200, prepared.text
    await expired(database)
    gateway.void, right = never_voids, gateway.void  # type: ignore[method-assign]
    dying = asyncio.create_task(shopper.shop.worker.end_contexts())
    await asyncio.sleep(0.2)
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    gateway.void = right  # type: ignore[method-assign]
    async with database.acquire() as connection:
        await connection.execute("UPDATE payment_contexts SET ending_until = now()")
    assert await shopper.shop.worker.end_contexts() == 1
    assert len(gateway.voided) == 1
    assert await shopper.shop.worker.end_contexts() == 0
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM payment_contexts") == 0


async def never_voids(attempt: Attempt) -> Outcome:
    outcome: Outcome = await never()
    return outcome


async def expired(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("UPDATE payment_contexts SET expires_at = now() - interval '1 s'")
