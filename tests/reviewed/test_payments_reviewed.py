# ruff: noqa: E501, F811
"""What a hostile review of the payments found. Each test says what a user would suffer; each fails
until it is mended, and then says so (strict)."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from checkstand.access import credentials
from checkstand.access.principal import Caller, Role
from checkstand.checkout import settle
from checkstand.cli.storefront import differences
from checkstand.errors import ConfigurationError, PaymentMethodUnknown
from checkstand.kit.clock import SystemClock
from checkstand.kit.money import Currency, Money
from checkstand.payments.card_data import looks_like_a_card
from checkstand.payments.gateway import WEBHOOK_PATH, House
from checkstand.payments.gateways.paypal.adapter import gateway as paypal
from checkstand.payments.gateways.square import orders as square
from checkstand.payments.model import (
    Approved,
    Declined,
    Funds,
    NeedsAction,
    RefundState,
    SavedMethod,
    Unknown,
)
from checkstand.settings import Settings
from checkstand.storage.database import Database
from checkstand.testing import makers
from checkstand.testing.peer import Wish
from checkstand.wiring import gateways as wiring
from tests.fakes import ScriptedGateway, never
from tests.gateways import test_authorizenet as authorizenet
from tests.gateways.authorizenet_fake import fake_authorizenet
from tests.gateways.paypal_peer import playing
from tests.gateways.stripe.conftest import localstripe_url, peer, stripe_front  # noqa: F401
from tests.gateways.stripe.peer import Browser, StripePeer
from tests.makers import (
    BILLING,
    PREVIEW,
    V2,
    Storefront,
    administrator,
    product,
    running,
    shop_settings,
)

ADMIN = "/wp-json/checkstand/v1/admin"
HOOKS = "/wp-json/checkstand/v1/webhooks"
PASSWORD = "correct horse battery staple"
_HUGE = "".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(250))  # does not compress
ACTION = NeedsAction("https://bank.example/3ds", "confirm", {"client_secret": "sek_1"}, "pi_1")


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway()


@pytest.fixture
async def shopper(
    empty_database: str, database: Database, gateway: ScriptedGateway
) -> AsyncIterator[Storefront]:
    """A cart with two of a product of which there are five, paid by the scripted gateway."""
    async with database.acquire() as connection:
        mug = await product(connection, name="Mug", slug="mug", stock=5, regular_price=1000)
    settings = shop_settings(empty_database, checkout={"wait_seconds": 2})
    async with running(settings, gateways={"card": gateway}) as storefront:
        await storefront.add(mug, 2)
        await storefront.update(billing_address=BILLING, payment_method="card")
        yield storefront


async def sql(shopper: Storefront, query: str) -> list[Any]:
    async with shopper.shop.database.acquire() as connection:
        return [tuple(row) for row in await connection.fetch(query)]


async def manage(
    shopper: Storefront,
    method: str,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
) -> Any:
    auth = ("admin", PASSWORD)
    return await shopper.http.request(
        method, f"{ADMIN}{path}", json=body, auth=auth, headers=headers
    )


async def hook(shopper: Storefront, said: dict[str, Any]) -> Any:
    return await shopper.http.post(f"{HOOKS}/card", json=said, headers={"Signature": "right"})


async def lapse(shopper: Storefront) -> None:
    """Time passes: whatever waits for its time is due."""
    await sql(
        shopper,
        "UPDATE payment_attempts SET lease_until = now() - interval '1 s', next_look_at = "
        "now() - interval '1 s' WHERE next_look_at IS NOT NULL RETURNING 1",
    )
    await sql(shopper, "UPDATE refunds SET lease_until = now() RETURNING 1")


async def work(shopper: Storefront, turns: int = 3) -> None:
    for _ in range(turns):
        await lapse(shopper)
        await shopper.shop.worker.turn()


async def failed_order(shopper: Storefront, gateway: ScriptedGateway) -> dict[str, Any]:
    gateway.script = [Declined("No.")]
    data = (await shopper.process()).json()["data"]
    [(key,)] = await sql(shopper, "SELECT order_key FROM orders")
    return {"id": data["order_id"], "key": key}


# --- money that is taken and lost --------------------------------------------------------------


async def test_a_late_payment_is_given_back_though_the_provider_is_silent_at_first(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    """A shopper whose attempt was given up is charged late. The provider's webhook says so, and the
    look-up behind it gets no answer once: nobody asks again, and he is never given his money."""
    gateway.script, gateway.looks = [Unknown("timeout")], [Declined("Not completed.")]
    pending = (await shopper.process()).json()
    await work(shopper, 1)
    assert await sql(shopper, "SELECT state FROM payment_attempts") == [("declined",)]
    await hook(shopper, {"id": "evt_1", "attempt": pending["attempt_id"]})
    gateway.looks = [Unknown("timeout"), *[Approved(Funds.CAPTURED, "pi_late")] * 5]
    await work(shopper, 5)
    assert list(gateway.returned.values()) == [2500]


async def test_a_killed_worker_does_not_forget_a_late_payment(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    """The worker marks a webhook as handled, and is killed while it asks the provider: the next one
    knows nothing of it, and the shopper's late money stays with the shop, without an order."""
    gateway.script, gateway.looks = [Unknown("timeout")], [Declined("Not completed.")]
    pending = (await shopper.process()).json()
    await work(shopper, 1)
    gateway.ledger[pending["attempt_id"]] = 2500
    await hook(shopper, {"id": "evt_1", "attempt": pending["attempt_id"]})
    good, begun = gateway.lookup, asyncio.Event()

    async def hangs(attempt: Any) -> Any:
        begun.set()
        await never()

    gateway.lookup = hangs  # type: ignore[method-assign]
    killed = asyncio.create_task(shopper.shop.worker.run())
    await asyncio.wait_for(begun.wait(), 5)
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)
    gateway.lookup = good  # type: ignore[method-assign]
    await work(shopper, 4)
    assert list(gateway.returned.values()) == [2500]


async def test_a_killed_worker_does_not_forget_a_prepared_payment(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    """The worker deletes an expired context, and is killed before it has called the payment off at
    the provider: it can still be paid by the browser for ever, and nobody will look at it."""
    await shopper.call("POST", f"{PREVIEW}/checkout/payment-context", {"payment_method": "card"})
    await sql(shopper, "UPDATE payment_contexts SET expires_at = now() RETURNING 1")
    good, begun = gateway.void, asyncio.Event()

    async def hangs(attempt: Any) -> Any:
        begun.set()
        await never()

    gateway.void = hangs  # type: ignore[method-assign]
    killed = asyncio.create_task(shopper.shop.worker.run())
    await asyncio.wait_for(begun.wait(), 5)
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)
    gateway.void = good  # type: ignore[method-assign]
    shopper.shop.worker._contexts_at = -1000.0
    await sql(shopper, "UPDATE payment_contexts SET ending_until = now() RETURNING 1")
    for _ in range(3):
        await shopper.shop.worker.end_contexts()
    assert len(gateway.voided) == 1


async def test_a_paid_context_that_nobody_ordered_with_is_given_back(
    shopper: Storefront, gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """The browser has paid; another tab had put one more mug into the cart, so process refuses,
    says "ask for a new context", and the shopper pays again. The first payment is never given back: one
    log line, half an hour later, and its row is deleted."""
    answer = await shopper.call(
        "POST", f"{PREVIEW}/checkout/payment-context", {"payment_method": "card"}
    )
    assert answer.status_code == 200
    [(reference,)] = await sql(shopper, "SELECT reference FROM payment_contexts")

    async def too_late(attempt: Any) -> Any:
        return Declined("Too late: it is paid.", {"code": "already_captured"})

    gateway.void = too_late  # type: ignore[method-assign]
    await shopper.add(1, 1)
    refused = await shopper.process(payment_data={"payment_id": reference})
    assert refused.status_code == 400
    await sql(shopper, "UPDATE payment_contexts SET expires_at = now() RETURNING 1")
    await shopper.shop.worker.end_contexts()
    await work(shopper, 2)
    left = await sql(shopper, "SELECT 1 FROM payment_contexts")
    assert gateway.returned or left, "given back, or at least kept where an operator sees it"


async def test_a_late_payment_that_cannot_be_given_back_stays_visible(
    shopper: Storefront, gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """The provider refuses the automatic refund of a late payment (Authorize.Net does before it has
    settled, when it cannot void): it is settled as refused, logged as a mere warning that does not
    name the order, never tried again, and the shopper has paid for nothing."""
    gateway.script, gateway.looks = [Unknown("timeout")], [Declined("Not completed.")]
    pending = (await shopper.process()).json()
    await work(shopper, 1)
    await hook(shopper, {"id": "evt_1", "attempt": pending["attempt_id"]})
    gateway.looks = [Approved(Funds.CAPTURED, "pi_late")]
    refusals = 0
    good = gateway.refund

    async def not_yet(refund: Any) -> Any:
        nonlocal refusals
        refusals += 1
        return Declined("Not settled yet.") if refusals == 1 else await good(refund)

    gateway.refund = not_yet  # type: ignore[method-assign]
    await work(shopper, 2)
    loud = [r for r in caplog.records if r.levelno >= logging.ERROR and "refund" in r.getMessage()]
    await work(shopper, 3)
    assert (refusals == 1 and loud) or gateway.returned


# --- capture and void --------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["capture", "void"])
async def test_the_worker_finishes_a_capture_or_void_without_an_answer(
    shopper: Storefront, gateway: ScriptedGateway, what: str
) -> None:
    """A capture whose answer was lost has taken the money; the order waits on hold for ever, with
    nothing captured in the books, and cannot be refunded. So with a void: the goods stay gone."""
    await administrator(shopper.shop, PASSWORD)
    gateway.script = [Approved(Funds.AUTHORISED, "pi_3")]
    placed = (await shopper.process()).json()
    order = f"/orders/{placed['order_id']}"

    async def lost(*_: Any) -> Any:
        return Unknown("timeout")

    setattr(gateway, what, lost)
    silent = await manage(shopper, "POST", f"{order}/{what}", {})
    assert silent.status_code == 503
    said = Approved(Funds.CAPTURED, "pi_3") if what == "capture" else Declined("It was voided.")
    gateway.looks = [said] * 5
    await work(shopper, 5)
    [(status,)] = await sql(shopper, "SELECT status FROM orders")
    assert status == ("processing" if what == "capture" else "cancelled")


async def test_a_partial_capture_is_booked_as_what_was_taken(
    empty_database: str, database: Database
) -> None:
    """The webhook of a partial capture overtakes its answer (or the answer is lost): the whole
    authorised amount is booked as captured, and more can be refunded than was ever taken."""
    async with database.acquire() as connection:
        await product(connection, name="Mug", slug="mug", stock=5, regular_price=1000)
    settings = shop_settings(
        empty_database, gateways={"sandbox": {"enabled": True, "capture": "manual"}}
    )
    async with running(settings) as shopper:
        await administrator(shopper.shop, PASSWORD)
        await shopper.add(1, 2)
        await shopper.update(billing_address=BILLING, payment_method="sandbox")
        placed = (await shopper.process(payment_data={"token": "tok_success"})).json()
        assert placed["status"] == "on-hold", placed
        [(attempt,)] = await sql(shopper, "SELECT id FROM payment_attempts")
        office = shopper.shop.back_office
        found = (await office.payments(Caller(operator=True), placed["order_id"])).paid
        assert found is not None
        sandbox = shopper.shop.payments.gateways["sandbox"]
        ten = found.amount.__class__(1000, found.amount.currency)
        assert isinstance(await sandbox.capture(found, ten), Approved)  # its answer is lost
        await manage(shopper, "POST", f"/attempts/{attempt}/look", {})
        order = (await manage(shopper, "GET", f"/orders/{placed['order_id']}/payments")).json()
        assert order["attempts"][0]["captured"] == "10.00"


async def test_a_bank_transfer_can_be_booked_though_the_method_is_switched_off(
    empty_database: str, database: Database
) -> None:
    """A shop stops to offer bank transfers. Those that are under way can be neither booked nor
    cancelled any more: "This payment method is not offered"."""
    async with database.acquire() as connection:
        await product(connection)
    async with running(shop_settings(empty_database)) as shopper:
        await shopper.ready_to_order()
        placed = (await shopper.process()).json()
        assert placed["status"] == "on-hold"
    settings = shop_settings(empty_database, gateways={"bacs": {"enabled": False}})
    async with running(settings) as shopper:
        await administrator(shopper.shop, PASSWORD)
        came = await manage(shopper, "POST", f"/orders/{placed['order_id']}/capture", {})
        assert came.status_code == 200, came.text


async def test_a_cart_is_free_again_though_its_gateway_is_switched_off(
    empty_database: str, database: Database, gateway: ScriptedGateway
) -> None:
    """A gateway is taken out of the settings while a shopper is at 3-D Secure: his cart can be
    neither changed nor ordered in another way, today, tomorrow, ever."""
    async with database.acquire() as connection:
        await product(connection, stock=5)
    settings = shop_settings(empty_database)
    async with running(settings, gateways={"card": gateway}) as shopper:
        await shopper.add(1, 1)
        await shopper.update(billing_address=BILLING, payment_method="card")
        gateway.script = [ACTION]
        await shopper.process()
        cart_key = shopper.cart_key
    async with running(settings) as shopper:
        shopper.cart_key = cart_key
        long_ago = "UPDATE payment_attempts SET created_at = now() - interval '3 days' RETURNING 1"
        await sql(shopper, long_ago)
        await work(shopper, 3)
        edited = await shopper.add(1, 1)
        assert edited.status_code == 200, edited.text


# --- refunds -----------------------------------------------------------------------------------


async def test_a_refund_that_is_sent_again_with_its_key_is_paid_once(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    """The shop's back office loses the answer to a partial refund and repeats the request, with its
    Idempotency-Key, as everywhere else: the customer gets the money twice (DECISIONS 17)."""
    await administrator(shopper.shop, PASSWORD)
    placed = (await shopper.process()).json()
    path = f"/orders/{placed['order_id']}/refunds"
    for _ in range(2):
        answer = await manage(
            shopper, "POST", path, {"amount": "5.00"}, {"Idempotency-Key": "refund-1"}
        )
        assert answer.status_code == 200
    assert sum(gateway.returned.values()) == 500


# --- gateways of third parties that misbehave --------------------------------------------------


@pytest.mark.parametrize(
    "nonsense",
    [
        pytest.param(None, id="None"),
        pytest.param("approved", id="text"),
        pytest.param(Approved(Funds.CAPTURED, 12345), id="number as reference"),  # type: ignore[arg-type]
        pytest.param(Approved("captured", "ref"), id="text as funds"),  # type: ignore[arg-type]
        pytest.param(Approved(Funds.CAPTURED, "ref\x00"), id="NUL in reference"),
        pytest.param(NeedsAction("", "x", {"when": object()}), id="action that is not JSON"),
        pytest.param(Approved(Funds.CAPTURED, _HUGE), id="huge reference"),
    ],
)
async def test_a_nonsensical_answer_is_no_answer(
    shopper: Storefront, gateway: ScriptedGateway, nonsense: Any
) -> None:
    """A third party's gateway charges the card and answers nonsense: the shopper reads of an error
    of the server, although the money may have moved; a look-up that answers so makes the worker
    stumble as well, and the cart stays locked. It should be Unknown: looked up, settled, logged by name."""

    async def charge(attempt: Any, payment: Any) -> Any:
        gateway.asked.append(attempt.id)
        gateway.ledger[attempt.id] = attempt.amount.minor
        return nonsense

    gateway.charge = charge  # type: ignore[method-assign]
    answer = await shopper.process()
    assert answer.status_code == 200, answer.text


async def test_a_charge_that_returned_the_money_is_no_sale(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    """A gateway answers a charge with Approved(RETURNED), the value of refunds and voids: the order
    is `processing` and the goods are shipped, with nothing captured."""
    gateway.script = [Approved(Funds.RETURNED, "ref")]
    await shopper.process()
    [(status,)] = await sql(shopper, "SELECT status FROM orders")
    assert status not in ("processing", "completed")


@pytest.mark.parametrize("broken", [ValueError, None, 17])
async def test_a_gateway_that_cannot_read_payment_data(
    shopper: Storefront, gateway: ScriptedGateway, broken: Any
) -> None:
    """A third party's `browser_payment` raises, or answers something that is no text, because a
    storefront sent what it did not expect: the shopper gets "internal error" instead of a refusal.
    """

    def browser_payment(payment: Any) -> Any:
        if broken is ValueError:
            raise ValueError("sek_payment")
        return broken

    gateway.browser_payment = browser_payment  # type: ignore[method-assign]
    answer = await shopper.process(payment_data={"token": "x"})
    assert answer.status_code < 500, answer.text


async def test_two_long_references_are_two_payments(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    """References are cut to 255 characters: a provider whose ids are longer (tokens, JWTs) has its
    payments confused, and the second honest shopper is told that his was used already."""
    one, two = "x" * 255 + "1", "x" * 255 + "2"
    assert (await shopper.process(payment_data={"payment_id": one})).status_code == 200
    other = shopper.another()
    await other.add(1, 2)
    await other.update(billing_address=BILLING, payment_method="card")
    answer = await other.process(payment_data={"payment_id": two})
    assert answer.json().get("code") != "cocart_payment_already_used"


# --- stock -------------------------------------------------------------------------------------


async def test_stock_is_kept_until_the_next_look(
    empty_database: str, database: Database, gateway: ScriptedGateway
) -> None:
    """With `checkout.hold_minutes` under 15, which is allowed, the hold of a payment nobody knows
    about ends before the worker asks again: the mug is sold twice, and both have paid."""
    async with database.acquire() as connection:
        await product(connection, stock=1)
    settings = shop_settings(empty_database, checkout={"hold_minutes": 5})
    async with running(settings, gateways={"card": gateway}) as shopper:
        await shopper.add(1, 1)
        await shopper.update(billing_address=BILLING, payment_method="card")
        gateway.script = [Unknown("timeout")]
        await shopper.process()
        gateway.looks = [Unknown("timeout")] * 12
        await work(shopper, 12)
        [(kept,)] = await sql(
            shopper,
            "SELECT h.expires_at >= a.next_look_at FROM stock_holds h, payment_attempts a",
        )
        assert kept


async def test_a_product_marked_as_sold_out_cannot_be_paid_for(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    """The shop marks a product that keeps no count as sold out. The cart refuses it; the link to
    pay for a failed order takes the money for goods that are not there."""
    await sql(
        shopper,
        "UPDATE products SET manages_stock = false, stock_status = 'instock' RETURNING 1",
    )
    shopper.shop.catalogue.forget()
    order = await failed_order(shopper, gateway)
    await sql(shopper, "UPDATE products SET stock_status = 'outofstock' RETURNING 1")
    shopper.shop.catalogue.forget()
    answer = await shopper.call(
        "POST",
        f"{PREVIEW}/order-received/{order['id']}/pay",
        {"order_key": order["key"], "payment_method": "card"},
    )
    assert answer.json().get("code") == "cocart_insufficient_stock", answer.text


# --- saved methods -----------------------------------------------------------------------------


async def test_a_friends_card_is_not_saved_to_the_owners_account(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    """A customer sends a friend the link to pay for his order. The friend, who is not signed in,
    pays with a card that the provider saves: from then on the customer can buy with that card."""
    async with shopper.shop.database.transaction() as connection:
        await credentials.create_account(
            connection, "ann", "ann@shop.example", PASSWORD, Role.CUSTOMER
        )
    auth = ("ann", PASSWORD)
    await shopper.http.post(f"{V2}/cart/add-item", json={"id": "1", "quantity": "1"}, auth=auth)
    body = {"billing_address": BILLING, "payment_method": "card"}
    gateway.script = [Declined("No.")]
    declined = await shopper.http.post(f"{PREVIEW}/checkout", json=body, auth=auth)
    assert declined.status_code == 400, declined.text
    [(order_id, key)] = await sql(shopper, "SELECT id, order_key FROM orders")
    friend = SavedMethod("pm_friend", "Visa ending in 1111", "cc", "04/2031", "cus_1")
    gateway.script = [Approved(Funds.CAPTURED, "pi_5", friend)]
    paid = await shopper.another().call(
        "POST",
        f"{PREVIEW}/order-received/{order_id}/pay",
        {"order_key": key, "payment_method": "card", "payment_data": {"save": True}},
    )
    assert paid.status_code == 200, paid.text
    assert await sql(shopper, "SELECT token FROM payment_tokens") == []


async def test_an_order_that_costs_nothing_with_a_saved_card(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    """The JS package always sends the chosen method. A customer whose saved card is chosen orders
    something free: "This saved payment method is not known", again and again."""
    await administrator(shopper.shop, PASSWORD)
    auth = ("admin", PASSWORD)
    async with shopper.shop.database.acquire() as connection:
        free = await product(connection, name="Free", slug="free", regular_price=0, virtual=True)
        await connection.execute(
            "INSERT INTO payment_tokens (customer_id, gateway, token, label, kind, created_at)"
            " SELECT id, 'card', 'pm_1', 'Visa', 'cc', now() FROM accounts"
        )
    shopper.shop.catalogue.forget()
    [(token,)] = await sql(shopper, "SELECT id FROM payment_tokens")
    await shopper.http.post(
        f"{V2}/cart/add-item", json={"id": str(free), "quantity": "1"}, auth=auth
    )
    body = {
        "billing_address": BILLING,
        "payment_method": "card",
        "payment_data": {"token_id": token},
    }
    answer = await shopper.http.post(f"{PREVIEW}/checkout", json=body, auth=auth)
    assert answer.status_code == 200, answer.text


# --- card numbers and secrets ------------------------------------------------------------------

_DISGUISES = {
    "underscores": "4242_4242_4242_4242",
    "slashes": "4242/4242/4242/4242",
    "commas": "4242,4242,4242,4242",
    "two spaces": "4242  4242  4242  4242",
    "tab": "4242\t4242\t4242\t4242",
    "line breaks": "4242\n4242\n4242\n4242",
    "en dashes": "4242–4242–4242–4242",
    "zero-width spaces": "4242\u200b4242\u200b4242\u200b4242",
    "soft hyphens": "4242\u00ad4242\u00ad4242\u00ad4242",
    "Arabic digits": "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢",
    "Devanagari digits": "४२४२४२४२४२४२४२४२",
    "magnetic stripe": "%B4242424242424242^OKAFOR/INES^3012101",
    "spaced digits and hyphens": "4242 - 4242 - 4242 - 4242",
}


@pytest.mark.parametrize("disguise", _DISGUISES)
async def test_a_card_number_in_disguise(disguise: str) -> None:
    """A careless storefront sends the number as its form field has it: it reaches the gateway's
    code and the provider, and the shop is in scope of PCI DSS."""
    assert looks_like_a_card(_DISGUISES[disguise])


@pytest.mark.parametrize(
    "payment",
    [
        pytest.param({"digits": list("4242424242424242")}, id="a digit each"),
        pytest.param({"digits": ["4242", "4242", "4242", "4242"]}, id="list of groups"),
        pytest.param({"a": "4242", "b": "4242", "c": "4242", "d": "4242"}, id="a field a group"),
    ],
)
async def test_a_card_number_in_parts(
    shopper: Storefront, gateway: ScriptedGateway, payment: Any
) -> None:
    """Forms with four boxes for the number, and storefronts that send each."""
    answer = await shopper.process(payment_data=payment)
    assert answer.json().get("code") == "cocart_card_data_refused", answer.text


@pytest.mark.parametrize("where", ["payment_method", "context", "customer_note"])
async def test_a_card_number_next_to_the_payment_data(
    shopper: Storefront, gateway: ScriptedGateway, where: str
) -> None:
    """A storefront has its fields mixed up: the number is in `payment_method`, or in the note,
    where it is stored for good."""
    number = "4242 4242 4242 4242"
    if where == "context":
        answer = await shopper.call(
            "POST", f"{PREVIEW}/checkout/payment-context", {"payment_method": number}
        )
    else:
        answer = await shopper.process(**{where: number})
    assert answer.json().get("code") == "cocart_card_data_refused", answer.text


async def test_a_gateways_secret_is_not_logged_by_a_context(
    shopper: Storefront, gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """A gateway's library puts the request, with its key, into the error: for a charge its text is
    left out of the log, for a payment context it is written there in full."""

    said_by_library = "401 for Authorization: Bearer sek_live_1"

    async def broken(due: Any) -> Any:
        raise RuntimeError(said_by_library)

    gateway.context = broken  # type: ignore[method-assign]
    answer = await shopper.call(
        "POST", f"{PREVIEW}/checkout/payment-context", {"payment_method": "card"}
    )
    assert answer.status_code == 503
    assert "sek_live_1" not in caplog.text


# --- what is said ------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", ["attempt", "process"])
async def test_a_voided_order_is_no_success(
    shopper: Storefront, gateway: ScriptedGateway, ask: str
) -> None:
    """The shop cancels an order and lets go of its money. The shopper's page asks again and says
    "Thank you. Your order has been received.", payment: success."""
    await administrator(shopper.shop, PASSWORD)
    gateway.script = [Approved(Funds.AUTHORISED, "pi_3")]
    placed = (await shopper.process()).json()
    [(attempt,)] = await sql(shopper, "SELECT id FROM payment_attempts")
    await manage(shopper, "POST", f"/orders/{placed['order_id']}/void", {})
    if ask == "attempt":
        path = f"{PREVIEW}/checkout/attempts/{attempt}"
        status = (await shopper.call("GET", path)).json()["payment_status"]
    else:
        answer = (await shopper.process()).json()
        status = answer.get("payment_result", {}).get("payment_status", answer["code"])
    assert status != "success"


async def test_who_lost_the_decline_is_told_why(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    """The client asks what became of its payment: declined, "The payment was declined.". What the
    bank said (not enough money, wrong code) is gone, so the shopper does not know what to do."""
    gateway.script, gateway.looks = (
        [Unknown("timeout")],
        [Declined("There is not enough money on this card.", {"code": "insufficient_funds"})],
    )
    pending = (await shopper.process()).json()
    await work(shopper, 1)
    path = f"{PREVIEW}/checkout/attempts/{pending['attempt_id']}"
    standing = (await shopper.call("GET", path)).json()
    assert "not enough money" in str(standing)


async def test_a_declined_attempt_does_not_say_success(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    """The first card was declined, the second has paid: whoever asks about the first attempt (a tab
    that was left open) is told that this one was a success."""
    gateway.script = [Unknown("timeout")]
    gateway.looks = [Declined("No.")]
    pending = (await shopper.process()).json()
    await work(shopper, 1)
    assert (await shopper.process(payment_data={"token": "two"})).status_code == 200
    path = f"{PREVIEW}/checkout/attempts/{pending['attempt_id']}"
    standing = (await shopper.call("GET", path)).json()
    assert (standing["state"], standing["payment_status"]) == ("declined", "failed")


async def test_the_same_update_again_leaves_the_payment_alone(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    """The JS package's submit sends the same update before each process (contract checkout.md 11).
    After 3-D Secure, that update, which changes nothing, voids what the shopper has just agreed to.
    """
    gateway.script = [ACTION]
    await shopper.process()
    await shopper.update(billing_address=BILLING, payment_method="card")
    assert await sql(shopper, "SELECT state FROM payment_attempts") == [("needs_action",)]


async def test_the_same_update_after_the_payment_is_no_error(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    """As above, but the money is taken already: the update settles the order, and then answers "the
    cart is empty", so that the JS package stops with an error and the shopper believes that his
    order has failed."""
    gateway.script = [ACTION]
    first = (await shopper.process()).json()
    gateway.ledger[first["attempt_id"]] = 2500
    answer = await shopper.update(billing_address=BILLING, payment_method="card")
    assert answer.json().get("code") != "cocart_checkout_empty_cart"


async def test_paying_for_an_old_order_leaves_the_cart_that_was_changed_since(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    """Declined; the shopper adds one mug more, and then pays for the failed order by its link. The
    cart with the further mug is closed and gone, and a process answers that it is ordered."""
    order = await failed_order(shopper, gateway)
    await shopper.add(1, 1)
    paid = await shopper.call(
        "POST",
        f"{PREVIEW}/order-received/{order['id']}/pay",
        {"order_key": order["key"], "payment_method": "card"},
    )
    assert paid.status_code == 200, paid.text
    assert (await shopper.call("GET", f"{V2}/cart")).json()["items"] != []


# --- adapters ----------------------------------------------------------------------------------


def test_square_charges_what_the_order_costs() -> None:
    """A shop with whole-dollar prices (`store.decimals = 0`, which settings allow): an order of 25
    dollars is charged at Square with 25 cents, and refunded with 25 cents too."""
    amount = Money(25, Currency("USD", 0))
    source = square.Source("cnon:card", "", "", {})
    attempt = makers.attempt("square", amount)
    body = square.charge_body(attempt, source, "L1", at_once=True)
    assert body["amount_money"] == {"amount": 2500, "currency": "USD"}


async def test_authorizenet_does_not_confirm_another_amount() -> None:
    """Ten of twenty-five dollars were captured and the answer was lost; the operator captures all
    of it: "captured 25.00", though Authorize.Net has taken ten, and the books let 25 be refunded."""
    async with fake_authorizenet() as provider:
        shop = authorizenet.connected(provider, capture="manual")
        try:
            attempt = makers.attempt("authorizenet", makers.money(2500))
            reserved = await shop.charge(attempt, authorizenet.sent(provider))
            assert isinstance(reserved, Approved), reserved
            kept = makers.approved(attempt, reserved)
            assert isinstance(await shop.capture(kept, makers.money(1000)), Approved)
            assert isinstance(await shop.capture(kept, makers.money(2500)), Declined)
        finally:
            await shop.close()


async def test_paypal_does_not_confirm_another_amount() -> None:
    """As with Authorize.Net."""
    async with playing() as peer:
        shop = peer.reserving
        assert shop is not None
        amount = makers.money(2500)
        attempt = makers.attempt("paypal", amount)
        payment = await peer.payment(Wish.APPROVE, amount, attempt.binding)
        attempt = replace(attempt, reference=shop.browser_payment(payment))
        reserved = await shop.charge(attempt, payment)
        assert isinstance(reserved, Approved), reserved
        kept = makers.approved(attempt, reserved)
        assert isinstance(await shop.capture(kept, makers.money(1000)), Approved)
        assert isinstance(await shop.capture(kept, amount), Declined)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_stripe_gives_back_at_once_what_a_browser_paid_too_much_or_too_little(
    empty_database: str, database: Database, peer: StripePeer
) -> None:
    """The guide to Stripe: "The total changed after the browser had paid. What was paid is given
    back at once." It is not: the checkout refuses before it asks Stripe, says "ask for a new payment
    context and let the shopper pay again", and he has paid twice."""
    async with database.acquire() as connection:
        mug = await product(connection, name="Mug", slug="mug", stock=5, regular_price=1000)
    settings = shop_settings(empty_database)
    async with running(settings, gateways={"stripe": peer.gateway}) as shopper:
        await shopper.add(mug, 2)
        await shopper.update(billing_address=BILLING, payment_method="stripe")
        asked = {"payment_method": "stripe"}
        ready = (await shopper.call("POST", f"{PREVIEW}/checkout/payment-context", asked)).json()
        browser = Browser(peer.front)
        assert await browser.confirm(ready, await browser.method()) == 200
        await shopper.add(mug, 1)
        paid = {"payment_intent_id": ready["payment_intent_id"]}
        refused = await shopper.process(payment_data=paid)
        assert refused.status_code == 400
        again = (await shopper.call("POST", f"{PREVIEW}/checkout/payment-context", asked)).json()
        assert await browser.confirm(again, await browser.method()) == 200
        placed = await shopper.process(
            payment_data={"payment_intent_id": again["payment_intent_id"]}
        )
        assert placed.status_code == 200, placed.text
        await sql(shopper, "UPDATE payment_contexts SET expires_at = now() RETURNING 1")
        await work(shopper, 3)
        assert await peer.front.refunds(ready["payment_intent_id"]) != []


async def test_a_factory_that_breaks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third party's factory raises, or its package cannot be imported: server, doctor and worker
    end with a traceback that does not name the section of the settings (and a reload fails in the
    depths of the event loop)."""

    def factory(options: Any, house: Any) -> Any:
        raise KeyError("api_key")

    point = SimpleNamespace(name="acme", load=lambda: factory)
    monkeypatch.setattr(wiring, "entry_points", lambda group: [point])
    settings = Settings.model_validate({"gateways": {"more": {"acme": {"x": 1}}}})
    with pytest.raises(ConfigurationError, match=r"gateways\.more\.acme"):
        wiring.gateways_of(settings, House(SystemClock(), ""), None)


# --- the papers --------------------------------------------------------------------------------

ROOT = Path(__file__).parents[2]


def test_the_proxy_of_the_guide_lets_webhooks_pass() -> None:
    """Who copies the nginx configuration has no webhooks and no back office: only /wp-json/cocart/
    reaches the shop, and every payment guide gives the provider an address that is 404."""
    page = (ROOT / "docs/howto/run-in-production.md").read_text()
    locations = re.findall(r"location (\S+) \{", page)
    assert any(f"{WEBHOOK_PATH}/stripe".startswith(place) for place in locations), locations


def test_the_worker_of_the_guide_starts() -> None:
    """Who copies both units has a worker that does not start: another path of the program and of
    the environment, and no CHECKSTAND_CONFIG."""
    page = (ROOT / "docs/howto/run-in-production.md").read_text()
    programs = set(re.findall(r"^ExecStart=(\S+)", page, re.M))
    environments = set(re.findall(r"^EnvironmentFile=(\S+)", page, re.M))
    assert (len(programs), len(environments)) == (1, 1), (programs, environments)


def test_the_guide_says_how_soon_an_action_is_looked_at() -> None:
    """take-payments.md: "15 minutes at most"; it is one minute while an action is waited for."""
    page = (ROOT / "docs/howto/take-payments.md").read_text()
    section = page.partition("## When an action is required")[2].partition("\n## ")[0]
    minutes = re.findall(r"(\d+) minutes at most", section)
    assert minutes in ([], [str(round(settle._ACTION_LOOK / 60))])


def test_prove_runs_the_proofs_of_the_gateways() -> None:
    """`make prove` leaves out tests/gateways: PayPal's law "runs longer when it is to prove", which
    it never is, and the suite that every adapter must pass is not part of the proof."""
    rule = (ROOT / "Makefile").read_text().partition("prove: venv")[2].partition("bench:")[0]
    assert "tests/gateways" in rule


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTHORIZENET_TRANSACTION_KEY", "6Uz7k2fH9XbQ4w8t"),
        ("AUTHORIZENET_SIGNATURE_KEY", "A1B2C3D4E5F6A7B8C9D0"),
        ("PAYPAL_CLIENT_SECRET", "EGnHDxD_qRPdaLdZz8iCr8N7"),
    ],
)
def test_the_doctor_repeats_no_secret(name: str, value: str) -> None:
    """An operator looks a storefront's .env over with `checkstand doctor --storefront`, in a log of
    his CI: the doctor prints the first 12 characters of a secret of 16, and advises to put the
    client id in its place instead of saying that it must never be there."""
    house = House(SystemClock(), "https://shop.example")
    keys = {**authorizenet.KEYS, "api_base": ""}
    gateways = {
        "authorizenet": authorizenet.gateway(**keys, house=house, timeout=1.0),
        "paypal": paypal(
            environment="sandbox",
            client_id="AeA1QIZXiflr1_-r0U2UbWTziOWX1GRQer5jkUq4ZfWT5qwb6qQRPq7jDtv57TL4POEEezGLdutcxnkJ",
            client_secret="EGnHDxD_qRPdaLdZz8iCr8N7",
            house=house,
            timeout=1.0,
        ),
    }
    said = " ".join(differences({name: value}, gateways))
    assert "secret" in said
    assert value[:8] not in said


async def test_a_payment_that_was_made_in_time_counts_with_its_context_id_too(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    """The guide: "Sent back as context_id, it makes that explicit." The shopper pays in the browser
    in the 29th minute, the page orders in the 31st: without context_id it is an order, with it the
    payment is refused, and he is to pay again."""
    ready = (
        await shopper.call(
            "POST", f"{PREVIEW}/checkout/payment-context", {"payment_method": "card"}
        )
    ).json()
    [(reference,)] = await sql(shopper, "SELECT reference FROM payment_contexts")
    await sql(shopper, "UPDATE payment_contexts SET expires_at = now() RETURNING 1")
    answer = await shopper.process(
        payment_data={"payment_id": reference, "context_id": ready["context_id"]}
    )
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("amount", "what"), [("5.005", "refunds"), ("10.999", "capture")])
async def test_an_amount_with_too_many_decimals_is_refused(
    shopper: Storefront, gateway: ScriptedGateway, amount: str, what: str
) -> None:
    """An operator slips ("10.999"), or means yen: money moves in an amount that he did not write,
    rounded up, without a word."""
    await administrator(shopper.shop, PASSWORD)
    if what == "capture":
        gateway.script = [Approved(Funds.AUTHORISED, "pi_3")]
    placed = (await shopper.process()).json()
    answer = await manage(
        shopper, "POST", f"/orders/{placed['order_id']}/{what}", {"amount": amount}
    )
    assert answer.status_code == 400, answer.text


async def test_what_a_gateway_says_of_payment_data_is_not_logged(
    shopper: Storefront, gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """A third party's `browser_payment` raises with the payment data in its text: the shopper's token
    is in the log of the outermost layer."""

    def browser_payment(payment: Any) -> str:
        raise ValueError(f"what is {payment}?")

    gateway.browser_payment = browser_payment  # type: ignore[method-assign]
    await shopper.process(payment_data={"token": "sek_token"})
    assert "sek_token" not in caplog.text


async def test_stripe_says_that_an_amount_is_too_small(peer: StripePeer) -> None:
    """A cart of ten cents: the context answers "the provider did not answer; please try again",
    503 with Retry-After, for ever, where a charge says at once that it is too small."""
    with pytest.raises(PaymentMethodUnknown):
        await peer.gateway.context(makers.due(makers.money(10)))


async def test_a_bank_transfer_from_before_the_update_can_be_booked(
    empty_database: str, database: Database
) -> None:
    """Migration 0002 adds `funds` and fills it for nobody: orders that were placed before wait on
    hold for a transfer that cannot be booked ("No payment of this order is reserved"), nor voided,
    nor refunded."""
    script = (ROOT / "src/checkstand/storage/migrations/versions/0002_payments.sql").read_text()
    async with database.acquire() as connection:
        await product(connection)
    async with running(shop_settings(empty_database)) as shopper:
        await administrator(shopper.shop, PASSWORD)
        await shopper.ready_to_order()
        placed = (await shopper.process()).json()
        # As the version before had it, and the updates of the migration.
        await sql(shopper, "UPDATE payment_attempts SET funds = NULL, captured = 0 RETURNING 1")
        for update in re.findall(r"^UPDATE [^;]*;", script, re.M):
            await sql(shopper, update.rstrip(";") + " RETURNING 1")
        came = await manage(shopper, "POST", f"/orders/{placed['order_id']}/capture", {})
        assert came.status_code == 200, came.text


async def test_a_dead_provider_does_not_delay_the_others(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    """ "A provider that thinks long holds up nothing else." A hundred questions to a provider that
    hangs for its 30 seconds, and the worker asks nobody else: a refund, or the first look at another
    gateway's payment, is not "within 10 s"."""
    placed = (await shopper.process()).json()
    assert placed["payment_result"]["payment_status"] == "success"
    worker = shopper.shop.worker
    for number in range(100):
        worker._ask("finish", f"att_{number}", never)
    office = shopper.shop.back_office
    good = gateway.refund

    async def lost(refund: Any) -> Any:
        return Unknown("timeout")

    gateway.refund = lost  # type: ignore[method-assign]
    await administrator(shopper.shop, PASSWORD)
    await manage(shopper, "POST", f"/orders/{placed['order_id']}/refunds", {})
    gateway.refund = good  # type: ignore[method-assign]
    await lapse(shopper)
    try:
        await worker._begin_turn()
        await asyncio.sleep(0.2)
        assert (await office.payments(Caller(operator=True), placed["order_id"])).refunds[
            0
        ].state is RefundState.DONE
    finally:
        for task in worker._asking:
            task.cancel()
        await asyncio.gather(*worker._asking, return_exceptions=True)


async def test_money_that_goes_back_pays_for_nothing(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    """A browser payment that was given up is late, and the shop has opened its refund. Before the
    worker carries it out, the shopper orders with the very same payment: it is accepted, and then
    given back. The goods are free, and anybody who finds out can do it again."""
    gateway.script, gateway.looks = [Unknown("timeout")], [Declined("Not completed.")]
    data = {"payment_id": "pi_9"}
    pending = (await shopper.process(payment_data=data)).json()
    await work(shopper, 1)
    await hook(shopper, {"id": "evt_1", "attempt": pending["attempt_id"]})
    gateway.looks = [Approved(Funds.CAPTURED, "pi_9")]
    await shopper.shop.worker.read_notices()
    await shopper.shop.worker.finish_attempts()
    assert await sql(shopper, "SELECT state FROM refunds") == [("open",)]
    await shopper.process(payment_data=data)
    await shopper.shop.worker.finish_refunds()
    [(status,)] = await sql(shopper, "SELECT status FROM orders")
    assert not (status == "processing" and gateway.returned)


async def test_a_reload_obeys_what_the_guide_says_it_reads(empty_database: str) -> None:
    """run-in-production.md: "only `server` and `database` need a restart". An operator moves the
    worker out of the servers (`worker.in_process = false`) and reloads: "the settings were read
    again", and it works on in every server. `[log]` and `env:` references are not read anew either.
    """
    settings = shop_settings(empty_database, worker={"in_process": True})
    fresh = shop_settings(empty_database, worker={"in_process": False})
    async with running(settings, reread=lambda: fresh, work=None) as shopper:
        before = shopper.shop
        await administrator(shopper.shop, PASSWORD)
        transport: Any = shopper.http._transport
        assert (await manage(shopper, "POST", "/reload")).json() == {"announced": True}
        async with asyncio.timeout(5):
            while transport.app.state.shop is before:
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.1)
        running_now = [task for task in asyncio.all_tasks() if "Worker.run" in repr(task)]
        assert running_now == []


async def test_a_refund_of_nothing_named_is_not_a_refund_of_everything(
    shopper: Storefront, gateway: ScriptedGateway
) -> None:
    """A back office whose form has no line ticked, gives back all of the money of the order.
    Everything should have to be asked for by name."""
    await administrator(shopper.shop, PASSWORD)
    placed = (await shopper.process()).json()
    await manage(shopper, "POST", f"/orders/{placed['order_id']}/refunds", {"lines": []})
    assert gateway.returned == {}


async def test_a_reload_closes_the_gateways_that_it_replaces(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each reload leaves the old gateways' connections to their providers open, until the process
    ends: file descriptors leak, and what they remember of attempts given up is lost besides."""
    closed: list[str] = []

    class Third(ScriptedGateway):
        async def close(self) -> None:
            closed.append(self.id)

    def factory(options: Any, house: Any) -> Any:
        return Third(id="acme")

    point = SimpleNamespace(name="acme", load=lambda: factory)
    monkeypatch.setattr(wiring, "entry_points", lambda group: [point])
    settings = shop_settings(empty_database, gateways={"sandbox": {}, "more": {"acme": {"x": 1}}})
    async with running(settings, reread=lambda: settings) as shopper:
        before = shopper.shop
        await administrator(shopper.shop, PASSWORD)
        transport: Any = shopper.http._transport
        await manage(shopper, "POST", "/reload")
        async with asyncio.timeout(5):
            while transport.app.state.shop is before:
                await asyncio.sleep(0.05)
    assert len(closed) == 2, "the old one, and the new one at the end"


async def test_a_nonsensical_decline_is_told(shopper: Storefront, gateway: ScriptedGateway) -> None:
    """A third party's decline holds what JSON cannot (its library's objects): the
    shopper reads "Something went wrong on our side" and tries the same card again and again."""
    gateway.script = [Declined("No.", {"code": object()})]
    answer = await shopper.process()
    assert (answer.status_code, answer.json()["code"]) == (400, "cocart_payment_failed")
    assert isinstance(answer.json()["message"], str)
