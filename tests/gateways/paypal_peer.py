"""The fake PayPal as the suite wants it."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from checkstand.kit.clock import Clock, SystemClock
from checkstand.kit.money import Currency, Money
from checkstand.payments.gateway import Gateway, House
from checkstand.payments.gateways.paypal import PayPalGateway, gateway
from checkstand.payments.gateways.paypal.amounts import untakable, written
from checkstand.payments.model import Attempt, Declined, NeedsAction
from checkstand.testing import makers
from checkstand.testing.peer import Fault, Wish
from tests.gateways import paypal_fake
from tests.gateways.paypal_fake import FakePayPal

TIMEOUT = 1.5


def connected(paypal: FakePayPal, **settings: Any) -> PayPalGateway:
    """A gateway of a shop that has an account at the fake."""
    options: dict[str, Any] = {
        "environment": "sandbox",
        "client_id": paypal_fake.CLIENT_ID,
        "client_secret": paypal_fake.CLIENT_SECRET,
        "webhook_id": paypal_fake.WEBHOOK_ID,
        "api_base": paypal.address,
        "house": House(paypal.clock, "https://shop.example"),
        "timeout": TIMEOUT,
        **settings,
    }
    return gateway(**options)


@dataclass
class PayPalPeer:
    """PayPal does not tell why an instrument was declined, so there is no INSUFFICIENT_FUNDS.

    BROWSER is an order that the shopper approved in the browser, for the server to capture: what
    the guide recommends. `captured_in_browser` plays the other way, where the script captures.
    """

    paypal: FakePayPal
    gateway: Gateway
    _reserving: Gateway | None
    captured_in_browser: bool = False
    wishes: frozenset[Wish] = frozenset({Wish.APPROVE, Wish.DECLINE, Wish.ACTION, Wish.BROWSER})
    faults: frozenset[Fault] = frozenset(Fault)
    secrets: frozenset[str] | None = frozenset({paypal_fake.CLIENT_SECRET})
    patience: float = 5.0
    clock: Clock = field(default_factory=SystemClock)
    _references: dict[str, str] = field(default_factory=dict)
    _intent: str = "CAPTURE"

    @property
    def reserving(self) -> Gateway | None:
        """Whoever asks for it gets orders that are made for it: a browser knows the shop's intent
        by the payment context."""
        self._intent = "AUTHORIZE"
        return self._reserving

    async def payment(self, wish: Wish, amount: Money, binding: str) -> Mapping[str, Any]:
        """Nothing for ACTION: the shopper is sent to PayPal. Nothing either for an amount that
        PayPal does not take: no browser gets an order for it."""
        if wish is Wish.ACTION or untakable(amount) is not None:
            return {}
        value = written(amount) or ""
        order = self.paypal.browser_order(value, amount.currency.code, binding, self._intent)
        declined = wish is Wish.DECLINE
        self.paypal.approve(order, "INSTRUMENT_DECLINED" if declined else "good")
        if wish is Wish.BROWSER and self.captured_in_browser:
            self.paypal.take_in_browser(order)
        return {
            "paypal_order_id": order,
            "paypal_payer_id": paypal_fake.PAYER,
            "transaction_id": order,
            "payer_email": "ines@example.com",
            "payment_status": "COMPLETED" if self.captured_in_browser else "APPROVED",
        }

    def expect(self, attempt: Attempt) -> None:
        self._references[attempt.id] = attempt.reference

    async def charged(self, attempt_id: str) -> list[int]:
        return self._minor(attempt_id, "charge", ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"))

    async def returned(self, attempt_id: str) -> list[int]:
        return self._minor(attempt_id, "refund", ("COMPLETED", "PENDING"))

    async def reserved(self, attempt_id: str) -> list[int]:
        return self._minor(attempt_id, "reservation", ("CREATED",))

    def _minor(self, attempt_id: str, kind: str, states: tuple[str, ...]) -> list[int]:
        orders = self._orders(attempt_id)
        return [
            Money.of(entry.value, Currency.of(entry.currency)).minor
            for entry in self.paypal.ledger
            if entry.kind == kind and entry.status in states and entry.order_id in orders
        ]

    def _orders(self, attempt_id: str) -> set[str]:
        """Orders that the attempt asked to take or made, and the one its browser came with."""
        taken = {e.order_id for e in self.paypal.ledger if e.request_id.startswith(attempt_id)}
        made = {
            name
            for name, order in self.paypal.orders.items()
            if order["units"][0].get("invoice_id") == attempt_id
        }
        return (taken | made | {self._references.get(attempt_id, "")}) - {""}

    async def act(self, action: NeedsAction, *, agree: bool) -> None:
        """Who cancels at PayPal changes nothing there: the order waits until PayPal forgets it.
        So a refusal is played as that: the shopper leaves, and the hours pass."""
        order = action.action_data["paypal_order_id"]
        assert order in action.redirect_url
        if agree:
            self.paypal.approve(order)
        else:
            self.paypal.expire(order)

    def fail_next(self, fault: Fault) -> None:
        self.paypal.faults.append(fault)

    def answer_all(self, status: int | None) -> None:
        self.paypal.only_status = status

    async def webhook(self, attempt_id: str) -> tuple[bytes, Mapping[str, str]]:
        raw = self.event(attempt_id)
        return raw, self.paypal.sign(raw)

    async def stale_webhook(self, attempt_id: str) -> tuple[bytes, Mapping[str, str]] | None:
        raw = self.event(attempt_id)
        return raw, self.paypal.sign(raw, timedelta(minutes=6))

    def event(self, attempt_id: str) -> bytes:
        """What PayPal sends when a capture is complete; spaced in a way that is its own."""
        orders = self._orders(attempt_id)
        entry = next(e for e in self.paypal.ledger if e.order_id in orders and e.kind == "charge")
        resource = json.dumps(self.paypal._movement(entry), separators=(", ", " : "))
        name = f"WH-{secrets.token_hex(8).upper()}"
        return (
            f'{{"id":"{name}", "event_version" : "1.0","event_type":"PAYMENT.CAPTURE.COMPLETED",'
            f'\n "summary":"Payment completed for \\u0024 19.990 USD","resource":{resource}}}'
        ).encode()


@asynccontextmanager
async def playing(*, captured_in_browser: bool = False) -> AsyncIterator[PayPalPeer]:
    async with FakePayPal() as paypal:
        automatic, manual = connected(paypal), connected(paypal, capture="manual")
        yield PayPalPeer(paypal, automatic, manual, captured_in_browser)
        await automatic.close()
        await manual.close()


def due(order: str = "", **changes: Any) -> Attempt:
    return makers.attempt("paypal", reference=order, **{"binding": "cart-1", **changes})


def approved(paypal: FakePayPal, instrument: str = "good", **order: Any) -> str:
    """A PayPal order for 19.99 USD and cart-1 that the shopper has approved."""
    made = {"value": "19.99", "currency": "USD", "custom_id": "cart-1", **order}
    return paypal.approve(paypal.browser_order(**made), instrument)


def code(outcome: Any) -> str:
    assert isinstance(outcome, Declined), outcome
    assert outcome.message
    assert outcome.gateway_error["message"]
    return str(outcome.gateway_error["code"])


def moved(paypal: FakePayPal) -> list[tuple[str, str, str]]:
    return [(entry.kind, str(entry.value), entry.status) for entry in paypal.ledger]
