"""What is the sandbox's own: tokens, spellings, saved cards, webhooks, and its page."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from checkstand.errors import WebhookRefused
from checkstand.payments.gateways.sandbox import SandboxGateway
from checkstand.payments.gateways.sandbox_tokens import SCENARIOS, SPELLINGS
from checkstand.payments.model import Approved, Attempt, Declined, Funds, NeedsAction, Unknown
from checkstand.payments.store.sandbox import SandboxLedger
from checkstand.storage.database import Database
from checkstand.testing import makers
from tests.gateways.sandbox_peer import BASE, SECRET, browser, sandbox, signature

GUIDE = Path(__file__).parents[2] / "docs" / "howto" / "test-with-the-sandbox.md"


@dataclass
class HandClock:
    at: datetime = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def pass_seconds(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def gateway(database: Database, clock: HandClock) -> SandboxGateway:
    return sandbox(database, clock=clock, timeout=0.2)


async def rows(database: Database) -> list[dict[str, Any]]:
    async with database.acquire() as connection:
        found = await connection.fetch("SELECT * FROM sandbox_payments ORDER BY created_at")
    return [dict(row.items()) for row in found]


def attempt(**changes: Any) -> Attempt:
    return makers.attempt("sandbox", **changes)


# --- tokens -----------------------------------------------------------------------------------


DECLINES = {
    "tok_declined": ("card_declined", "generic_decline"),
    "tok_insufficient_funds": ("card_declined", "insufficient_funds"),
    "tok_lost_card": ("card_declined", "lost_card"),
    "tok_fraudulent": ("card_declined", "fraudulent"),
    "tok_expired_card": ("expired_card", "expired_card"),
    "tok_incorrect_cvc": ("incorrect_cvc", "incorrect_cvc"),
    "tok_processing_error": ("processing_error", "processing_error"),
    "tok_rate_limit": ("rate_limit", "try_again_later"),
}


@pytest.mark.parametrize("token", DECLINES)
async def test_declines(database: Database, gateway: SandboxGateway, token: str) -> None:
    outcome = await gateway.charge(attempt(), {"token": token})
    assert isinstance(outcome, Declined)
    error = outcome.gateway_error
    assert (error["code"], error["decline_code"]) == DECLINES[token]
    assert error["message"] == outcome.message
    assert [row["captured"] for row in await rows(database)] == [0]


TROUBLE = {
    "tok_timeout_after_success": Approved,
    "tok_timeout_before": Declined,
    "tok_error_after_success": Approved,
    "tok_error_before": Declined,
}


@pytest.mark.parametrize("token", TROUBLE)
async def test_no_answer_and_what_is_true(
    database: Database, gateway: SandboxGateway, token: str
) -> None:
    lost = attempt()
    started = time.monotonic()
    assert isinstance(await gateway.charge(lost, {"token": token}), Unknown)
    waited = time.monotonic() - started
    assert (waited >= 0.1) == ("timeout" in token), waited
    found = await gateway.lookup(lost)
    assert isinstance(found, TROUBLE[token]), found
    again = await gateway.charge(replace(lost, repeated=True), {"token": "tok_success"})
    assert isinstance(again, TROUBLE[token]), "the look-up was final"
    taken = [row["captured"] for row in await rows(database)]
    assert taken == [1999 if TROUBLE[token] is Approved else 0]


@pytest.mark.parametrize(
    ("token", "truth"), [("tok_late_webhook", Approved), ("tok_late_decline", Declined)]
)
async def test_what_becomes_known_late(
    gateway: SandboxGateway, clock: HandClock, token: str, truth: type
) -> None:
    late = attempt()
    assert isinstance(await gateway.charge(late, {"token": token}), Unknown)
    clock.pass_seconds(4.9)
    assert isinstance(await gateway.lookup(late), Unknown)
    assert isinstance(await gateway.charge(late, {"token": token}), Unknown)
    clock.pass_seconds(0.2)
    assert isinstance(await gateway.lookup(late), truth)


async def test_slow_is_told_after_a_while(gateway: SandboxGateway) -> None:
    started = time.monotonic()
    assert isinstance(await gateway.charge(attempt(), {"token": "tok_slow"}), Approved)
    assert 0.1 <= time.monotonic() - started < gateway.timeout


async def test_waits_are_two_seconds_at_most(database: Database) -> None:
    patient = sandbox(database, timeout=30.0)
    started = time.monotonic()
    outcome = await patient.charge(attempt(), {"token": "tok_timeout_after_success"})
    assert isinstance(outcome, Unknown)
    assert 1.9 < time.monotonic() - started < 4


async def test_every_token_is_played_by_a_test_and_in_the_guide() -> None:
    played = {*DECLINES, *TROUBLE, "tok_late_webhook", "tok_late_decline", "tok_slow"}
    assert played | {"tok_success", "tok_requires_action"} == set(SCENARIOS)
    documented = re.findall(r"^\| `(tok_\w+)` \|", GUIDE.read_text(), re.MULTILINE)
    assert documented == list(SCENARIOS), "the guide's table has every token, in this order"


# --- spellings --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SPELLINGS)
async def test_the_token_is_found_under_every_name(gateway: SandboxGateway, name: str) -> None:
    outcome = await gateway.charge(attempt(), {name: " tok_success ", "unheard_of": 1})
    assert isinstance(outcome, Approved)


async def test_a_known_token_wins_over_what_is_none(gateway: SandboxGateway) -> None:
    """`payment_method` often repeats the gateway's id."""
    sent = {"token": "", "payment_method": "sandbox", "source_id": "tok_expired_card"}
    outcome = await gateway.charge(attempt(), sent)
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["code"] == "expired_card"


async def test_an_unknown_token_is_told_which_there_are(gateway: SandboxGateway) -> None:
    for sent in ({}, {"token": "tok_secret_of_a_shopper"}, {"token": ["tok_success"]}):
        outcome = await gateway.charge(attempt(), sent)
        assert isinstance(outcome, Declined)
        assert outcome.gateway_error["code"] == "unknown_token"
        assert all(token in outcome.gateway_error["message"] for token in SCENARIOS)
        assert "tok_secret" not in repr(outcome)


# --- exactly once -----------------------------------------------------------------------------


async def test_forty_at_once_write_one_payment(database: Database) -> None:
    gateways = [sandbox(database, timeout=20.0) for _ in range(2)]
    wanted = attempt()
    outcomes = await asyncio.gather(
        *(gateways[n % 2].charge(wanted, {"token": "tok_success"}) for n in range(40))
    )
    assert len({outcome.reference for outcome in outcomes}) == 1  # type: ignore[union-attr]
    assert [row["captured"] for row in await rows(database)] == [1999]


async def test_a_charge_and_a_look_up_at_once_agree(database: Database) -> None:
    gateway = sandbox(database, timeout=20.0)
    for _ in range(10):
        wanted = attempt()
        charged, found = await asyncio.gather(
            gateway.charge(wanted, {"token": "tok_success"}), gateway.lookup(wanted)
        )
        assert type(charged) is type(found), (charged, found)


async def test_refunds_at_once_never_exceed_what_was_captured(database: Database) -> None:
    gateway = sandbox(database, timeout=20.0)
    wanted = attempt()
    charged = await gateway.charge(wanted, {"token": "tok_success"})
    assert isinstance(charged, Approved)
    paid = makers.approved(wanted, charged)
    outcomes = await asyncio.gather(*(gateway.refund(makers.refund(paid, 600)) for _ in range(8)))
    assert sum(isinstance(outcome, Approved) for outcome in outcomes) == 3
    (row,) = await rows(database)
    assert list(row["refunds"].values()) == [600, 600, 600]


async def test_another_currency_is_neither_captured_nor_refunded(database: Database) -> None:
    reserving = sandbox(database, capture="manual")
    wanted = attempt()
    reserved = await reserving.charge(wanted, {"token": "tok_success"})
    assert reserved == Approved(Funds.AUTHORISED, reserved.reference)  # type: ignore[union-attr]
    assert isinstance(await reserving.capture(wanted, makers.money(1999, "EUR")), Declined)
    assert isinstance(await reserving.capture(wanted, makers.money(0)), Declined)
    assert isinstance(await reserving.capture(wanted, wanted.amount), Approved)
    of = replace(wanted, amount=makers.money(1999, "EUR"))
    assert isinstance(await reserving.refund(makers.refund(of)), Declined)
    (row,) = await rows(database)
    assert (row["captured"], row["refunds"]) == (1999, {})


async def test_with_manual_capture_an_approved_action_only_reserves(database: Database) -> None:
    reserving = sandbox(database, capture="manual")
    wanted = attempt()
    action = await reserving.charge(wanted, {"token": "tok_requires_action"})
    assert isinstance(action, NeedsAction)
    await reserving.decide(action.reference, agree=True)
    outcome = await reserving.charge(makers.continued(wanted, action), {})
    assert outcome == Approved(Funds.AUTHORISED, action.reference)


# --- saved cards ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked", [{"save_payment_method": True}, {"setup_future_usage": "off_session"}]
)
async def test_a_card_is_saved_and_pays_again_for_its_customer_only(
    database: Database, gateway: SandboxGateway, asked: dict[str, Any]
) -> None:
    wanted = attempt(customer_id=7)
    outcome = await gateway.charge(wanted, {"token": "tok_success", **asked})
    assert isinstance(outcome, Approved)
    saved = outcome.saved
    assert saved is not None
    assert (saved.label, saved.kind, saved.expires) == ("Visa ending in 4242", "cc", "12/2034")
    assert await gateway.charge(wanted, {"token": "tok_success", **asked}) == outcome
    sent = {"saved_token": saved.token, "saved_customer": saved.customer}
    assert isinstance(await gateway.charge(attempt(customer_id=7), sent), Approved)
    assert isinstance(await gateway.charge(attempt(customer_id=8), sent), Declined)
    assert isinstance(await gateway.charge(attempt(), sent), Declined)


async def test_a_guests_card_and_a_declined_one_are_not_saved(gateway: SandboxGateway) -> None:
    asked = {"save_payment_method": True}
    guest = await gateway.charge(attempt(), {"token": "tok_success", **asked})
    assert isinstance(guest, Approved)
    assert guest.saved is None
    known = await gateway.charge(attempt(customer_id=7), {"token": "tok_success"})
    assert isinstance(known, Approved)
    assert known.saved is None


# --- webhooks ---------------------------------------------------------------------------------


def signed(clock: HandClock, told: Any, secret: str = SECRET, at: float = 0) -> tuple[bytes, Any]:
    raw = told if isinstance(told, bytes) else json.dumps(told).encode()
    seconds = int(clock.now().timestamp() + at)
    return raw, {"checkstand-sandbox-signature": signature(secret, seconds, raw)}


EVENT = {"id": "evt_1", "type": "payment.approved", "attempt_id": "att_1", "payment_id": "sbx_1"}


async def test_a_webhook_is_read(gateway: SandboxGateway, clock: HandClock) -> None:
    for late in (-299, 0, 299):
        notice = await gateway.parse_webhook(*signed(clock, EVENT, at=late))
        assert notice is not None
        assert (notice.id, notice.kind) == ("evt_1", "payment.approved")
        assert (notice.attempt_id, notice.reference) == ("att_1", "sbx_1")
    other = {**EVENT, "type": "balance.changed"}
    assert await gateway.parse_webhook(*signed(clock, other)) is None


@pytest.mark.parametrize("late", [-301, 301, -100_000])
async def test_a_webhook_of_another_time(
    gateway: SandboxGateway, clock: HandClock, late: int
) -> None:
    with pytest.raises(WebhookRefused):
        await gateway.parse_webhook(*signed(clock, EVENT, at=late))


async def test_a_webhook_signed_with_another_secret(
    gateway: SandboxGateway, clock: HandClock
) -> None:
    with pytest.raises(WebhookRefused):
        await gateway.parse_webhook(*signed(clock, EVENT, secret="sandbox"))


NONSENSE: list[Any] = [
    b"", b"{", b"[]", b"null", b"\xff", b'"text"', b"[" * 3000, b"1" * 5000,
    {**EVENT, "id": ""}, {**EVENT, "id": 5}, {**EVENT, "id": "a b"}, {**EVENT, "id": "x" * 201},
    {"id": "evt_1", "type": "payment.approved"},
    {"id": "evt_1", "type": "payment.approved", "attempt_id": {}, "payment_id": "\u0000"},
]  # fmt: skip


@pytest.mark.parametrize("told", NONSENSE, ids=range(len(NONSENSE)))
async def test_signed_nonsense_is_refused(
    gateway: SandboxGateway, clock: HandClock, told: Any
) -> None:
    with pytest.raises(WebhookRefused):
        await gateway.parse_webhook(*signed(clock, told))


def test_a_secret_that_anybody_guesses_is_complained_about(database: Database) -> None:
    assert sandbox(database).complaints() == []
    (complaint,) = sandbox(database, webhook_secret="").complaints()
    assert "webhook_secret" in complaint


# --- the page ---------------------------------------------------------------------------------


async def waiting(gateway: SandboxGateway, **changes: Any) -> NeedsAction:
    action = await gateway.charge(attempt(**changes), {"token": "tok_requires_action"})
    assert isinstance(action, NeedsAction)
    return action


async def test_the_page_shows_the_amount_and_leads_back(gateway: SandboxGateway) -> None:
    back = "https://shop.example/thanks?key=wc_order_1&x=%3Cb%3E"
    action = await waiting(gateway, return_url=back, amount=makers.money(500, "JPY"))
    assert re.fullmatch(BASE + r"/sandbox/pay/sbx_[0-9a-f]{32}", action.redirect_url)
    async with browser(gateway) as shopper:
        page = await shopper.get(action.redirect_url)
        assert page.status_code == 200
        assert "500 JPY" in page.text
        assert "key=wc_order_1&amp;x=%3Cb%3E" in page.text
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "form-action 'self' https://shop.example;" in policy
        assert page.headers["cache-control"] == "no-store, private"
        assert page.headers["referrer-policy"] == "no-referrer"
        answer = await shopper.post(action.redirect_url, data={"decision": "approve"})
        assert (answer.status_code, answer.headers["location"]) == (303, back)
        late = await shopper.post(action.redirect_url, data={"decision": "decline"})
        assert late.status_code == 303, "the first decision stands"
        shown = await shopper.get(action.redirect_url)
        assert "You have approved" in shown.text
        assert "<form" not in shown.text


@pytest.mark.parametrize(
    "back",
    ["", "javascript:alert(1)", "//evil.example", "https://a b/", "https://a.example;x/", "https://[",
     "https://a\r\nSet-Cookie: x", "data:text/html,x", "https://user@evil.example/"],
)  # fmt: skip
async def test_it_leads_nowhere_else(gateway: SandboxGateway, back: str) -> None:
    action = await waiting(gateway, return_url=back)
    async with browser(gateway) as shopper:
        page = await shopper.get(action.redirect_url)
        assert "form-action 'self';" in page.headers["content-security-policy"]
        assert "href" not in page.text
        answer = await shopper.post(action.redirect_url, data={"decision": "decline"})
        assert answer.status_code == 200
        assert "You have declined" in answer.text


@pytest.mark.parametrize(
    "body",
    [b"", b"decision=", b"decision=maybe", b"\xff\xfe", b"decision=approve&x=" + b"y" * 2000],
)
async def test_what_is_no_decision_changes_nothing(
    database: Database, gateway: SandboxGateway, body: bytes
) -> None:
    action = await waiting(gateway)
    async with browser(gateway) as shopper:
        answer = await shopper.post(action.redirect_url, content=body)
    assert answer.status_code == 400
    assert [row["state"] for row in await rows(database)] == ["requires_action"]


async def test_looking_changes_nothing(database: Database, gateway: SandboxGateway) -> None:
    action = await waiting(gateway)
    async with browser(gateway) as shopper:
        await shopper.get(action.redirect_url + "?decision=approve")
    assert [row["state"] for row in await rows(database)] == ["requires_action"]


@pytest.mark.parametrize("name", ["sbx_" + "0" * 32, "sbx_1", "att_1", "%00", "sbx_" + "g" * 32])
async def test_no_such_payment(gateway: SandboxGateway, name: str) -> None:
    async with browser(gateway) as shopper:
        for method in ("GET", "POST"):
            answer = await shopper.request(
                method, f"/sandbox/pay/{name}", content=b"decision=approve"
            )
            assert answer.status_code == 404
            assert answer.headers["x-frame-options"] == "DENY"


async def test_without_the_sandbox_there_is_no_page(gateway: SandboxGateway) -> None:
    async with browser(None) as shopper:  # type: ignore[arg-type]
        answer = await shopper.get("/sandbox/pay/sbx_" + "0" * 32)
    assert answer.status_code == 404


async def test_a_voided_payment_cannot_be_approved(
    database: Database, gateway: SandboxGateway
) -> None:
    wanted = attempt()
    action = await gateway.charge(wanted, {"token": "tok_requires_action"})
    assert isinstance(action, NeedsAction)
    await gateway.void(wanted)
    async with browser(gateway) as shopper:
        await shopper.post(action.redirect_url, data={"decision": "approve"})
        page = await shopper.get(action.redirect_url)
    assert "cancelled" in page.text
    assert [(row["state"], row["captured"]) for row in await rows(database)] == [("void", 0)]


async def test_the_ledger_tells_its_own_from_none(database: Database) -> None:
    assert await SandboxLedger(database).find("sbx_" + "0" * 32) is None
    assert await SandboxLedger(database).capture("att_none", makers.money(1)) is None
    assert await SandboxLedger(database).refund("att_none", "ref_1", makers.money(1)) is None


# --- the guide's webhook ----------------------------------------------------------------------


def block(language: str, holding: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    (only,) = [text for text in found if holding in text]
    return str(only)


_TOOLS = all(shutil.which(tool) for tool in ("bash", "curl", "openssl"))


@pytest.mark.parametrize(
    "language",
    [pytest.param("bash", marks=pytest.mark.skipif(not _TOOLS, reason="needs curl")), "python"],
)
async def test_the_guides_webhook_is_accepted(database: Database, language: str) -> None:
    """Its lines are run against a server that keeps what it gets; the gateway then reads that."""
    got: list[bytes] = []

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head.lower())[1])  # type: ignore[index]
        got.extend((head, await reader.readexactly(length)))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(keep, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        script = block(language, "Checkstand-Sandbox-Signature")
        command = ["bash", "-euc"] if language == "bash" else [sys.executable, "-c"]
        env = {**os.environ, "CHECKSTAND_URL": url, "ATTEMPT_ID": "att_of_the_guide"}
        run = await asyncio.create_subprocess_exec(*command, script, env=env)
        assert await asyncio.wait_for(run.wait(), 20) == 0
    head, raw = got
    assert head.startswith(b"POST /wp-json/checkstand/v1/webhooks/sandbox ")
    lines = head.decode().split("\r\n")[1:]
    headers = {
        name.lower(): value for name, _, value in (line.partition(": ") for line in lines) if name
    }
    notice = await sandbox(database, webhook_secret="sandbox").parse_webhook(raw, headers)
    assert notice is not None
    assert notice.attempt_id == "att_of_the_guide"
