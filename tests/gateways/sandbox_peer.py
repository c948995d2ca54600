"""The sandbox as a peer: its ledger is read from PostgreSQL by SQL of its own, the shopper goes
through the real page, and faults happen between the gateway and its ledger."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2
from fastapi import FastAPI

from checkstand.kit.clock import Clock, SystemClock
from checkstand.kit.money import Money
from checkstand.payments.gateway import House
from checkstand.payments.gateways.sandbox import SandboxGateway, gateway
from checkstand.payments.model import NeedsAction
from checkstand.payments.store.sandbox import Played, SandboxLedger
from checkstand.storage.database import Database
from checkstand.testing.peer import Fault, Peer, Wish
from checkstand.ui import sandbox as page

SECRET = "whsec_of_the_sandbox"
BASE = "http://shop.test"
TOKENS = {
    Wish.APPROVE: "tok_success",
    Wish.DECLINE: "tok_declined",
    Wish.INSUFFICIENT_FUNDS: "tok_insufficient_funds",
    Wish.ACTION: "tok_requires_action",
}


class FaultyLedger:
    """A ledger that loses, doubles or answers late what it is told next."""

    def __init__(self, ledger: SandboxLedger) -> None:
        self.ledger = ledger
        self.fault: Fault | None = None
        self.down = False

    async def open(self, payment: Played) -> Played:
        return await self._faulty(lambda: self.ledger.open(payment))

    async def void(self, payment: Played) -> Played:
        return await self._faulty(lambda: self.ledger.void(payment))

    async def capture(self, attempt_id: str, amount: Money) -> Played | None:
        return await self._faulty(lambda: self.ledger.capture(attempt_id, amount))

    async def refund(self, attempt_id: str, refund_id: str, amount: Money) -> Played | None:
        return await self._faulty(lambda: self.ledger.refund(attempt_id, refund_id, amount))

    async def decide(self, payment_id: str, *, agree: bool) -> Played | None:
        return await self.ledger.decide(payment_id, agree=agree)

    async def find(self, payment_id: str) -> Played | None:
        return await self.ledger.find(payment_id)

    async def _faulty(self, do: Callable[[], Awaitable[Any]]) -> Any:
        if self.down:
            raise ConnectionResetError
        fault, self.fault = self.fault, None
        if fault is Fault.ERROR_BEFORE:
            raise ConnectionResetError
        if fault is Fault.LOST:
            await asyncio.Event().wait()
        done = await do()
        if fault is Fault.ERROR_AFTER:
            raise ConnectionResetError
        if fault is Fault.TIMEOUT_AFTER:
            await asyncio.Event().wait()
        return await do() if fault is Fault.TWICE else done


def sandbox(database: Database, **changes: Any) -> SandboxGateway:
    """The gateway as wiring makes it, with a short timeout."""
    house = House(changes.pop("clock", SystemClock()), BASE)
    values: dict[str, Any] = {
        "title": "",
        "description": "",
        "capture": "automatic",
        "webhook_secret": SECRET,
        "ledger": SandboxLedger(database),
        "house": house,
        "timeout": 0.5,
    }
    return gateway(**{**values, **changes})


def browser(gateway: SandboxGateway) -> httpx2.AsyncClient:
    """A shopper's browser at the sandbox's page."""
    app = FastAPI()
    app.state.sandbox = gateway
    app.include_router(page.router)
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=BASE)


def signature(secret: str, at: int, raw: bytes) -> str:
    """As the guide describes it, written apart from the gateway."""
    mac = hmac.new(secret.encode(), str(at).encode() + b"." + raw, hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"


class SandboxPeer(Peer):
    wishes = frozenset(TOKENS)
    faults = frozenset(Fault)
    secrets = frozenset({SECRET})
    gateway: SandboxGateway
    reserving: SandboxGateway

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self.database = database
        self.clock = clock or SystemClock()
        self.ledger = FaultyLedger(SandboxLedger(database))
        self.gateway = sandbox(database, ledger=self.ledger, clock=self.clock)
        self.reserving = sandbox(database, ledger=self.ledger, clock=self.clock, capture="manual")

    async def payment(self, wish: Wish, amount: Money, binding: str) -> Mapping[str, Any]:
        return {"token": TOKENS[wish]}

    async def charged(self, attempt_id: str) -> list[int]:
        return await self._column(
            "SELECT captured FROM sandbox_payments"
            " WHERE attempt_id = $1 AND state = 'approved' AND captured > 0",
            attempt_id,
        )

    async def reserved(self, attempt_id: str) -> list[int]:
        return await self._column(
            "SELECT amount FROM sandbox_payments"
            " WHERE attempt_id = $1 AND state = 'approved' AND captured = 0",
            attempt_id,
        )

    async def returned(self, attempt_id: str) -> list[int]:
        return await self._column(
            "SELECT value::bigint FROM sandbox_payments, jsonb_each_text(refunds)"
            " WHERE attempt_id = $1",
            attempt_id,
        )

    async def act(self, action: NeedsAction, *, agree: bool) -> None:
        async with browser(self.gateway) as shopper:
            path = urlsplit(action.redirect_url).path
            shown = await shopper.get(path)
            assert shown.status_code == 200, shown.text
            decision = "approve" if agree else "decline"
            answer = await shopper.post(path, data={"decision": decision})
            assert answer.status_code == 303, answer.text

    def fail_next(self, fault: Fault) -> None:
        self.ledger.fault = fault

    def answer_all(self, status: int | None) -> None:
        """It speaks no HTTP: whatever the status, its database is out of reach."""
        self.ledger.down = status is not None

    async def webhook(self, attempt_id: str) -> tuple[bytes, Mapping[str, str]]:
        return self.signed(attempt_id, int(time.time()))

    async def stale_webhook(self, attempt_id: str) -> tuple[bytes, Mapping[str, str]] | None:
        return self.signed(attempt_id, int(time.time()) - 302)

    def signed(self, attempt_id: str, at: int) -> tuple[bytes, Mapping[str, str]]:
        told = {"id": f"evt_{attempt_id}", "type": "payment.approved", "attempt_id": attempt_id}
        raw = json.dumps(told).encode()
        header = signature(SECRET, at, raw)
        return raw, {
            "content-type": "application/json",
            "checkstand-sandbox-signature": header,
        }

    async def _column(self, statement: str, attempt_id: str) -> list[int]:
        async with self.database.acquire() as connection:
            return [row[0] for row in await connection.fetch(statement, attempt_id)]
