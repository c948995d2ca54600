"""Where PayPal begins and ends: currencies, contexts, tokens, webhooks, settings."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checkstand.errors import PaymentMethodUnknown, ProviderSilent, WebhookRefused
from checkstand.kit.money import Currency, Money
from checkstand.payments.gateways.paypal import amounts
from checkstand.payments.gateways.paypal.settings import complaints
from checkstand.payments.model import (
    Approved,
    Unknown,
)
from checkstand.testing import makers
from checkstand.testing.makers import money
from checkstand.testing.peer import Fault
from tests.gateways import paypal_fake
from tests.gateways.paypal_fake import PAYPAL, FakePayPal
from tests.gateways.paypal_peer import PayPalPeer, approved, code, connected, due, playing


@dataclass
class Watch:
    """A clock that is set by hand."""

    time: datetime = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def pass_by(self, **units: float) -> None:
        self.time += timedelta(**units)


@pytest.fixture
async def peer() -> AsyncIterator[PayPalPeer]:
    async with playing() as found:
        yield found


@pytest.fixture
def paypal(peer: PayPalPeer) -> FakePayPal:
    return peer.paypal


# --- currencies -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (money(1999), "19.99"),
        (money(5), "0.05"),
        (money(500, "JPY"), "500"),
        (money(150_000, "HUF"), "1500"),
        (money(150_050, "HUF"), None),
        (money(1234, "TWD"), None),
        (money(1200, "TWD"), "12"),
        (Money(1500, Currency("HUF", 0)), "1500"),
        (Money(20, Currency("USD", 0)), "20.00"),
    ],
)
def test_paypals_decimals(amount: Money, text: str | None) -> None:
    assert amounts.written(amount) == text
    assert (amounts.untakable(amount) is None) is (text is not None)


async def test_a_currency_that_paypal_does_not_take(peer: PayPalPeer, paypal: FakePayPal) -> None:
    kuwait = due(amount=money(12_340, "KWD"))
    assert code(await peer.gateway.charge(kuwait, {})) == "currency_not_supported"
    forint = due(amount=money(150_050, "HUF"))
    assert code(await peer.gateway.charge(forint, {})) == "amount_not_supported"
    with pytest.raises(PaymentMethodUnknown, match="KWD"):
        await peer.gateway.context(makers.due(money(12_340, "KWD")))
    assert paypal.seen == []


# --- context --------------------------------------------------------------------------------------


async def test_the_context_is_for_buttons_of_both_kinds(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    asked = makers.due(binding="cart-1")
    context = await peer.gateway.context(asked)
    assert context.fields == {
        "client_id": paypal_fake.CLIENT_ID,
        "environment": "sandbox",
        "intent": "capture",
        "paypal_order_id": context.reference,
        "custom_id": "cart-1",
    }
    order = paypal.orders[context.reference]
    assert (order["intent"], order["status"]) == ("CAPTURE", "CREATED")
    assert order["units"][0]["custom_id"] == "cart-1"
    payment = {"paypal_order_id": paypal.approve(context.reference)}
    attempt = due(context.reference)
    assert isinstance(await peer.gateway.charge(attempt, payment), Approved)
    # Paid: it is not handed out again, not even by the same request key.
    later = await peer.gateway.context(replace(asked, reference=context.reference))
    assert later.reference != context.reference
    assert paypal.orders[later.reference]["status"] == "CREATED"
    changed = replace(asked, reference=later.reference, amount=money(2000), request_key="k" * 300)
    assert (await peer.gateway.context(changed)).reference != later.reference


async def test_a_shop_that_reserves_says_so(paypal: FakePayPal) -> None:
    gateway = connected(paypal, capture="manual")
    context = await gateway.context(makers.due())
    assert context.fields["intent"] == "authorize"
    assert paypal.orders[context.reference]["intent"] == "AUTHORIZE"
    await gateway.close()


# --- tokens and credentials -----------------------------------------------------------------------


def tokens(paypal: FakePayPal) -> int:
    return sum(request.path == "/v1/oauth2/token" for request in paypal.seen)


async def test_a_token_is_used_until_a_minute_before_its_end() -> None:
    watch = Watch()
    async with FakePayPal(clock=watch, token_seconds=600) as paypal:
        gateway = connected(paypal)
        await asyncio.gather(*(gateway.context(makers.due()) for _ in range(4)))
        watch.pass_by(seconds=539)
        await gateway.context(makers.due())
        assert tokens(paypal) == 1
        watch.pass_by(seconds=2)
        await gateway.context(makers.due())
        assert tokens(paypal) == 2
        await gateway.close()


async def test_a_token_that_is_refused_is_renewed_once(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    await peer.gateway.context(makers.due())
    paypal.tokens.clear()
    order = approved(paypal)
    assert isinstance(await peer.gateway.charge(due(order), {"order_id": order}), Approved)
    assert tokens(paypal) == 2
    paypal.token_seconds = -1  # every token is refused
    paypal.tokens.clear()
    outcome = await peer.gateway.charge(due(), {})
    assert code(outcome) == "configuration_error"
    assert tokens(paypal) == 3


async def test_refused_credentials_decline_only_what_was_never_asked(
    paypal: FakePayPal, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = connected(paypal, client_secret="EwRoNgSeCrEtWrOnGsEcReT")
    with caplog.at_level(logging.DEBUG):
        assert code(await gateway.charge(due(), {})) == "configuration_error"
        assert isinstance(await gateway.charge(due(repeated=True), {}), Unknown)
        order = approved(paypal)
        assert isinstance(await gateway.lookup(due(order)), Unknown)
    assert "gateways.paypal.client_id" in caplog.text
    assert "EwRoNgSeCrEt" not in caplog.text
    assert "EwRoNgSeCrEt" not in repr(gateway)
    await gateway.close()


async def test_no_answer_in_the_middle_keeps_the_reference(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    """A browser's reservation, captured at once: the capture's answer is lost."""
    order = approved(paypal, intent="AUTHORIZE")
    paypal.take_in_browser(order)
    paypal.faults.append(Fault.ERROR_AFTER)
    outcome = await peer.gateway.charge(due(order), {"order_id": order})
    assert isinstance(outcome, Unknown)
    assert outcome.reference == order
    assert isinstance(await peer.gateway.lookup(due(order)), Approved)


# --- webhooks -------------------------------------------------------------------------------------


def event(kind: str, resource: Any, **more: Any) -> bytes:
    return json.dumps({"id": "WH-1", "event_type": kind, "resource": resource, **more}).encode()


async def test_webhooks_of_orders_captures_and_refunds_name_the_order(
    peer: PayPalPeer, paypal: FakePayPal
) -> None:
    order = approved(paypal)
    attempt = due(order)
    outcome = await peer.gateway.charge(attempt, {"order_id": order})
    assert isinstance(outcome, Approved)
    await peer.gateway.refund(makers.refund(makers.approved(attempt, outcome), 500))
    charge, refund = (paypal._movement(entry) for entry in paypal.ledger)
    for kind, resource in (
        ("CHECKOUT.ORDER.APPROVED", {"id": order}),
        ("CHECKOUT.PAYMENT-APPROVAL.REVERSED", {"order_id": order}),
        ("PAYMENT.CAPTURE.PENDING", charge),
        ("PAYMENT.CAPTURE.REFUNDED", refund),
    ):
        raw = event(kind, resource)
        notice = await peer.gateway.parse_webhook(raw, paypal.sign(raw))
        assert notice is not None
        assert (notice.id, notice.kind, notice.reference) == ("WH-1", kind, order)


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        ("CUSTOMER.DISPUTE.CREATED", {"id": "PP-D-27803"}),
        ("BILLING.SUBSCRIPTION.ACTIVATED", {"id": "I-BW452GLLEP1G"}),
        ("PAYMENT.CAPTURE.COMPLETED", {"id": "5O190127TN364715T"}),
        ("CHECKOUT.ORDER.APPROVED", {"id": "../x"}),
        ("CHECKOUT.ORDER.APPROVED", []),
    ],
)
async def test_webhooks_about_nothing_of_ours_are_none(
    peer: PayPalPeer, paypal: FakePayPal, kind: str, resource: Any
) -> None:
    raw = event(kind, resource)
    assert await peer.gateway.parse_webhook(raw, paypal.sign(raw)) is None


async def test_the_body_goes_back_byte_for_byte(peer: PayPalPeer, paypal: FakePayPal) -> None:
    raw = (
        b'{ "id":"WH-1" ,\n"event_type" : "CHECKOUT.ORDER.APPROVED", "n": 1.10e1, "s": "\\u00e9 '
        + "é".encode()
        + b'", "resource": {"id":"5O190127TN364715T"}, "x": {"webhook_event": 1}}'
    )
    assert await peer.gateway.parse_webhook(raw, paypal.sign(raw)) is not None
    assert paypal.seen[-1].body.endswith(b'"webhook_event": ' + raw + b"}")


@pytest.mark.parametrize(
    "url",
    [
        f"http://api.{PAYPAL}/v1/notifications/certs/CERT-1",
        f"https://{PAYPAL}.evil.example/certs/CERT-1",
        f"https://evil{PAYPAL}/certs/CERT-1",
        f"https://api.{PAYPAL}@evil.example/certs/CERT-1",
        f"https://api.{PAYPAL}:8443/certs/CERT-1",
        "https://evil.example/?api.paypal.com",
        "https://[::1/certs",
        "file:///etc/passwd",
    ],
)
async def test_a_certificate_from_elsewhere_is_refused_without_asking(
    peer: PayPalPeer, paypal: FakePayPal, url: str
) -> None:
    raw = event("CHECKOUT.ORDER.APPROVED", {"id": "5O190127TN364715T"})
    headers = {**paypal.sign(raw), "paypal-cert-url": url}
    with pytest.raises(WebhookRefused, match="certificate"):
        await peer.gateway.parse_webhook(raw, headers)
    assert paypal.seen == []


@pytest.mark.parametrize(
    "sent_at",
    ["", "yesterday", "2026-11-22T12:00:00", "9999-12-31T23:59:59-14:00", "2016-02-18T20:01:35Z"],
)
async def test_a_time_that_is_none_or_long_ago_is_refused(
    peer: PayPalPeer, paypal: FakePayPal, sent_at: str
) -> None:
    raw = event("CHECKOUT.ORDER.APPROVED", {"id": "5O190127TN364715T"})
    headers = {**paypal.sign(raw), "paypal-transmission-time": sent_at}
    with pytest.raises(WebhookRefused):
        await peer.gateway.parse_webhook(raw, headers)
    assert paypal.seen == []


async def test_a_body_cannot_break_out_of_its_place(peer: PayPalPeer, paypal: FakePayPal) -> None:
    """What would read as members of our own request is no single JSON object."""
    raw = b'{}, "webhook_id": "mine", "x": {"id": "WH-1"}'
    with pytest.raises(WebhookRefused, match="JSON"):
        await peer.gateway.parse_webhook(raw, paypal.sign(raw))
    assert paypal.seen == []


async def test_webhooks_wait_for_paypal_and_need_an_id(paypal: FakePayPal) -> None:
    raw = event("CHECKOUT.ORDER.APPROVED", {"id": "5O190127TN364715T"})
    without, other = connected(paypal, webhook_id=""), connected(paypal, webhook_id="ANOTHER1")
    with pytest.raises(WebhookRefused, match="webhook_id"):
        await without.parse_webhook(raw, paypal.sign(raw))
    with pytest.raises(WebhookRefused):
        await other.parse_webhook(raw, paypal.sign(raw))
    paypal.broken = True
    with pytest.raises(ProviderSilent):
        await other.parse_webhook(raw, paypal.sign(raw))
    await without.close()
    await other.close()


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"client_id": ""}, "client_id is empty"),
        ({"client_secret": ""}, "client_secret is empty"),
        ({"client_id": "pk_test_51"}, "another provider"),
        ({"client_secret": "sk_live_51"}, "another provider"),
        ({"client_id": "shop_api1.example.com@paypal"}, "no REST credential"),
        ({"client_secret": "two words"}, "no REST credential"),
        ({"client_secret": "AbCdEf"}, "is the client id"),
        ({"webhook_id": "https://shop.example/webhooks"}, "webhook_id"),
        ({"api_base": f"http://api-m.{PAYPAL}"}, "https"),
        ({"api_base": f"https://api-m.{PAYPAL}"}, "environment says sandbox"),
        ({"environment": "live", "api_base": f"https://api-m.sandbox.{PAYPAL}"}, "says live"),
    ],
)
def test_wrong_settings_are_named(changes: dict[str, str], word: str) -> None:
    good = {
        "environment": "sandbox",
        "client_id": "AbCdEf",
        "client_secret": "EfGhIj",
        "webhook_id": "0EH40505U7160970P",
        "api_base": "",
    }
    assert complaints(**good) == []
    found = complaints(**{**good, **changes})
    assert any(word in complaint for complaint in found), found
    assert not any("sk_live" in complaint for complaint in found)


async def test_the_shop_is_told_apart_from_a_test(paypal: FakePayPal) -> None:
    sandbox = connected(paypal, title="Pay by PayPal")
    live = connected(paypal, environment="live", client_secret="")
    assert (sandbox.description.title, sandbox.description.test_mode) == ("Pay by PayPal", True)
    assert (live.description.test_mode, live.description.is_connected) == (False, False)
    assert live.orders.approve_page == f"https://www.{PAYPAL}/checkoutnow?token="
    await sandbox.close()
    await live.close()
