"""Stripe's webhooks, those of localstripe among them."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from checkstand.errors import WebhookRefused
from checkstand.payments.gateway import Notice
from checkstand.payments.model import Approved
from checkstand.testing import makers
from tests.gateways.stripe.front import WEBHOOK, Front
from tests.gateways.stripe.peer import StripePeer, connected, signature

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Fixed:
    def now(self) -> datetime:
        return NOW


def event(kind: str = "payment_intent.succeeded", **subject: Any) -> bytes:
    held = {"id": "pi_1", "metadata": {"attempt": "att_1"}, **subject}
    return json.dumps({"id": "evt_1", "type": kind, "data": {"object": held}}).encode()


async def parsed(front: Front, raw: bytes, header: str, secret: str = WEBHOOK) -> Notice | None:
    gateway = connected(front, Fixed(), webhook_secret=secret)
    try:
        return await gateway.parse_webhook(raw, {"stripe-signature": header})
    finally:
        await gateway.close()


async def test_localstripes_own_webhook_is_accepted(peer: StripePeer, localstripe_url: str) -> None:
    """Signed and sent by localstripe, as Stripe does it."""
    attempt = makers.attempt("stripe")
    arrived: asyncio.Future[tuple[bytes, dict[str, str]]] = asyncio.Future()

    async def receive(request: web.Request) -> web.Response:
        raw = await request.read()
        # Others are still under way from tests before: localstripe waits a second with each.
        if attempt.id.encode() in raw and not arrived.done():
            headers = {name.lower(): value for name, value in request.headers.items()}
            arrived.set_result((raw, headers))
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", receive)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    wanted = {"url": url, "secret": WEBHOOK, "events": ["payment_intent.succeeded"]}
    async with peer.front.session.post(
        f"{localstripe_url}/_config/webhooks/ours", json=wanted
    ) as answer:
        assert answer.status == 200
    try:
        outcome = await peer.gateway.charge(attempt, {"payment_method_id": "pm_card_visa"})
        assert isinstance(outcome, Approved)
        raw, headers = await asyncio.wait_for(arrived, 10)
        notice = await peer.gateway.parse_webhook(raw, headers)
    finally:
        await runner.cleanup()
    assert notice is not None
    assert notice.kind == "payment_intent.succeeded"
    assert (notice.attempt_id, notice.reference) == (attempt.id, outcome.reference)
    assert notice.id.startswith("evt_")


@pytest.mark.parametrize(
    ("kind", "subject", "reference"),
    [
        ("payment_intent.payment_failed", {}, "pi_1"),
        ("charge.refunded", {"id": "ch_1", "payment_intent": "pi_2"}, "pi_2"),
        ("refund.updated", {"id": "re_1", "payment_intent": "pi_2"}, "pi_2"),
        ("charge.dispute.created", {"id": "dp_1", "payment_intent": "pi_2"}, "pi_2"),
    ],
)
async def test_what_it_is_about(
    stripe_front: Front, kind: str, subject: dict[str, Any], reference: str
) -> None:
    raw = event(kind, **subject)
    found = await parsed(stripe_front, raw, signature(raw, NOW.timestamp()))
    assert found == Notice("evt_1", kind, "att_1", reference)


@pytest.mark.parametrize(
    "raw",
    [
        event("customer.created"),
        event("payment_intent.succeeded", id=7),
        event("charge.succeeded", id="ch_1", payment_intent=None),
        b'{"id": "evt_1", "type": "payment_intent.succeeded"}',
        b'{"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": []}}',
        b'{"id": "evt_1", "type": "v2.core.account.updated", "object": "v2.core.event"}',
    ],
)
async def test_what_is_about_no_payment(stripe_front: Front, raw: bytes) -> None:
    assert await parsed(stripe_front, raw, signature(raw, NOW.timestamp())) is None


async def test_strange_metadata_is_not_taken_over(stripe_front: Front) -> None:
    for metadata in (None, [], {"attempt": 7}, {"attempt": "x" * 101}, {}):
        raw = event(metadata=metadata)
        found = await parsed(stripe_front, raw, signature(raw, NOW.timestamp()))
        assert found is not None
        assert found.attempt_id == ""


async def test_one_of_several_signatures_is_enough(stripe_front: Front) -> None:
    """While the secret is rolled, Stripe signs with the old one and the new one."""
    raw = event()
    time, right = signature(raw, NOW.timestamp()).split(",")
    _, wrong = signature(raw, NOW.timestamp(), "whsec_other").split(",")
    for header in (f"{time},{wrong},{right}", f"{time}, {right}, {wrong}, v0=abc"):
        assert await parsed(stripe_front, raw, header) is not None
    for header in (f"{time},{wrong}", f"{time},{right.replace('v1', 'v0')}", f"{right}"):
        with pytest.raises(WebhookRefused):
            await parsed(stripe_front, raw, header)


@pytest.mark.parametrize("seconds", [-3600, -301, 301, 3600])
async def test_five_minutes_either_way(stripe_front: Front, seconds: int) -> None:
    raw = event()
    with pytest.raises(WebhookRefused):
        late = NOW + timedelta(seconds=seconds)
        await parsed(stripe_front, raw, signature(raw, late.timestamp()))
    near = NOW + timedelta(seconds=299 if seconds > 0 else -299)
    assert await parsed(stripe_front, raw, signature(raw, near.timestamp())) is not None


async def test_without_a_secret_all_are_refused(stripe_front: Front) -> None:
    raw = event()
    with pytest.raises(WebhookRefused, match="webhook_secret"):
        await parsed(stripe_front, raw, signature(raw, NOW.timestamp(), ""), secret="")


@pytest.mark.parametrize(
    "header",
    ["", "t=,v1=", "t=٣,v1=x", "t=1", "v1", "=,=", "t=-5,v1=x", "t=1,t=2,v1=x", "é" * 9000],
)
async def test_junk_in_the_header_is_refused(stripe_front: Front, header: str) -> None:
    with pytest.raises(WebhookRefused):
        await parsed(stripe_front, event(), header)


@pytest.mark.parametrize("raw", [b"", b"\xff", b"[]", b"{}", b'{"id": "", "type": "x"}', b"1"])
async def test_signed_junk_is_refused(stripe_front: Front, raw: bytes) -> None:
    with pytest.raises(WebhookRefused):
        await parsed(stripe_front, raw, signature(raw, NOW.timestamp()))
