"""Stripe, played by localstripe and the front before it, for the suite of all gateways."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from checkstand.errors import PaymentMethodUnknown
from checkstand.kit.clock import Clock, SystemClock
from checkstand.kit.money import Money
from checkstand.payments.gateway import Gateway, House
from checkstand.payments.gateways.stripe import gateway as stripe_gateway
from checkstand.payments.model import Attempt, NeedsAction
from checkstand.testing import makers
from checkstand.testing.peer import Fault, Impossible, Wish
from tests.gateways.stripe.front import PUBLISHABLE, SECRET, WEBHOOK, Front

CARDS = {
    Wish.APPROVE: "4242424242424242",
    Wish.DECLINE: "4000000000000002",
    Wish.INSUFFICIENT_FUNDS: "4000000000009995",
    Wish.ACTION: "4000002760003184",
    Wish.BROWSER: "4242424242424242",
}


def connected(front: Front, clock: Clock | None = None, **changes: Any) -> Gateway:
    options: dict[str, Any] = {
        "secret_key": SECRET,
        "publishable_key": PUBLISHABLE,
        "webhook_secret": WEBHOOK,
        "api_base": front.url,
        "house": House(clock or SystemClock(), "https://shop.example"),
        "timeout": 5.0,  # of machines with other work: see Front.silent
    }
    return stripe_gateway(**{**options, **changes})


class Browser:
    """What Stripe.js does with the publishable key."""

    def __init__(self, front: Front) -> None:
        self._front = front

    async def _post(self, path: str, sent: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {PUBLISHABLE}"}
        url = self._front.url + path
        async with self._front.session.post(url, data=dict(sent), headers=headers) as answer:
            return answer.status, await answer.json()

    async def method(self, number: str = CARDS[Wish.APPROVE]) -> str:
        """createPaymentMethod: `pm_…`."""
        card = {"number": number, "exp_month": "12", "exp_year": "2031", "cvc": "123"}
        sent = {"type": "card"} | {f"card[{name}]": value for name, value in card.items()}
        status, body = await self._post("/v1/payment_methods", sent)
        assert status == 200, body
        return str(body["id"])

    async def confirm(self, fields: Mapping[str, Any], method: str) -> int:
        """confirmCardPayment with a context's fields; the HTTP status."""
        sent = {"client_secret": fields["client_secret"], "payment_method": method}
        path = f"/v1/payment_intents/{fields['payment_intent_id']}/confirm"
        return (await self._post(path, sent))[0]


def signature(raw: bytes, at: float, secret: str = WEBHOOK) -> str:
    signed = hmac.new(secret.encode(), f"{int(at)}.".encode() + raw, hashlib.sha256)
    return f"t={int(at)},v1={signed.hexdigest()}"


@dataclass
class StripePeer:
    front: Front
    gateway: Gateway
    reserving: Gateway | None
    wishes: frozenset[Wish] = frozenset(Wish)
    faults: frozenset[Fault] = frozenset(Fault)
    secrets: frozenset[str] = frozenset({SECRET, WEBHOOK})
    patience: float = 10.0
    clock: Clock = field(default_factory=SystemClock)

    async def payment(self, wish: Wish, amount: Money, binding: str) -> Mapping[str, Any]:
        browser = Browser(self.front)
        method = await browser.method(CARDS[wish])
        if wish is not Wish.BROWSER:
            return {"payment_method_id": method}
        try:
            context = await self.gateway.context(makers.due(amount, binding=binding))
        except PaymentMethodUnknown as refused:
            raise Impossible(str(refused)) from None
        assert await browser.confirm(context.fields, method) == 200
        names = ("payment_intent_id", "client_secret")
        return {name: context.fields[name] for name in names}

    async def charged(self, attempt_id: str) -> list[int]:
        return [
            charge["intent"]["amount_received"]
            for charge in await self.front.charges(attempt_id)
            if charge["captured"]
        ]

    async def reserved(self, attempt_id: str) -> list[int]:
        return [
            charge["amount"]
            for charge in await self.front.charges(attempt_id)
            if not charge["captured"] and charge["intent"]["status"] == "requires_capture"
        ]

    async def returned(self, attempt_id: str) -> list[int]:
        return [
            refund["amount"]
            for intent in await self.front.intents(attempt_id)
            for refund in await self.front.refunds(intent["id"])
        ]

    async def act(self, action: NeedsAction, *, agree: bool) -> None:
        secret = action.action_data["client_secret"]
        await self.front.authenticate(action.reference, secret, agree=agree)

    def fail_next(self, fault: Fault) -> None:
        self.front.faults.append(fault)

    def expect(self, attempt: Attempt) -> None: ...

    def answer_all(self, status: int | None) -> None:
        self.front.broken = None if status is None else ("", (status, {}))

    async def webhook(self, attempt_id: str) -> tuple[bytes, Mapping[str, str]]:
        return await self._signed(attempt_id, time.time())

    async def stale_webhook(self, attempt_id: str) -> tuple[bytes, Mapping[str, str]]:
        return await self._signed(attempt_id, time.time() - 301)

    async def _signed(self, attempt_id: str, at: float) -> tuple[bytes, Mapping[str, str]]:
        intent = (await self.front.intents(attempt_id))[0]
        event = {
            "id": f"evt_{intent['id']}",
            "object": "event",
            "type": "payment_intent.succeeded",
            "data": {"object": intent},
        }
        raw = json.dumps(event, indent=2).encode()
        return raw, {"stripe-signature": signature(raw, at), "content-type": "application/json"}
