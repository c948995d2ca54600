"""Square as its public API describes it, with a ledger of its own: for tests only.

Kept from the description: bearer tokens, idempotency keys of 45 characters (the same request is
answered with the first answer, another one with IDEMPOTENCY_KEY_REUSED), payment tokens that are
used once, the states of a payment, ListPayments in pages and late, refunds that start PENDING,
CancelPaymentByIdempotencyKey that succeeds without a payment, and the signature of webhooks.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

from checkstand.testing.peer import Fault
from tests.gateways.fake_http import Call, HangUp, NoReply, Reply, served

ACCESS_TOKEN = "EAAAl-square-sandbox-access-token"
LOCATION = "L8843TESTLOC"
SIGNATURE_KEY = "whsig-4f0c8b2ea1d94c"
NOTIFICATION_URL = "https://shop.example/wp-json/checkstand/v1/webhooks/square"
CURRENCIES = {"AUD", "CAD", "EUR", "GBP", "JPY", "USD"}
DECLINES = {
    "decline": "GENERIC_DECLINE",
    "insufficient funds": "INSUFFICIENT_FUNDS",
    "cvv": "CVV_FAILURE",
    "expired": "CARD_EXPIRED",
    "postcode": "ADDRESS_VERIFICATION_FAILURE",
}
_CREATE_FIELDS = set(
    """source_id idempotency_key amount_money autocomplete delay_action delay_duration location_id
    reference_id note verification_token billing_address buyer_email_address""".split()
)


class Refused(Exception):
    def __init__(self, status: int, code: str, category: str, **more: Any) -> None:
        self.status = status
        self.payment = more.pop("payment", None)
        self.error = {"code": code, "category": category, "detail": f"{code}.", **more}
        super().__init__(code)


def invalid(code: str, field_name: str = "", status: int = 400) -> Refused:
    more = {"field": field_name} if field_name else {}
    return Refused(status, code, "INVALID_REQUEST_ERROR", **more)


@dataclass
class Payment:
    id: str
    reference_id: str
    amount: int
    currency: str
    status: str
    created_at: datetime
    key: str
    errors: list[dict[str, Any]] = field(default_factory=list)
    version: int = 0
    refund_ids: list[str] = field(default_factory=list)
    delay: str = "P7D"

    def shown(self) -> dict[str, Any]:
        stamp = self.created_at.isoformat().replace("+00:00", "Z")
        return {
            "id": self.id,
            "status": self.status,
            "amount_money": {"amount": self.amount, "currency": self.currency},
            "total_money": {"amount": self.amount, "currency": self.currency},
            "reference_id": self.reference_id,
            "created_at": stamp,
            "location_id": LOCATION,
            "delay_duration": self.delay,
            "version_token": f"v{self.version}",
            "refund_ids": list(self.refund_ids),
            "card_details": {"status": self.status, "errors": self.errors},
        }


class FakeSquare:
    def __init__(self) -> None:
        self.payments: dict[str, Payment] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, str] = {}
        self.verified: set[str] = set()
        self.used: set[str] = set()
        self.answers: dict[str, tuple[str, Reply]] = {}
        self.calls: list[tuple[str, str]] = []
        self.bodies: list[dict[str, Any]] = []
        self.fault: tuple[Fault, str] | None = None
        self.garbage: bytes | None = None
        self.only_status: int | None = None
        self.listed_after = timedelta(0)
        self.page = 100
        self.access_token = ACCESS_TOKEN
        self.limited = False
        self.address = ""
        self._order = count()

    # --- what a test does ------------------------------------------------------------------------

    def token(self, wish: str) -> str:
        """A payment token as the Web Payments SDK makes one, of a card that behaves as told."""
        token = f"cnon:{uuid4().hex}"
        self.tokens[token] = wish
        return token

    def verification(self) -> str:
        token = f"verf:{uuid4().hex}"
        self.verified.add(token)
        return token

    def of(self, reference_id: str) -> list[Payment]:
        return [p for p in self.payments.values() if p.reference_id == reference_id]

    def lapse(self) -> None:
        """A day goes by: what is reserved for a day is let go of."""
        for payment in self.payments.values():
            if payment.status == "APPROVED" and payment.delay == "P1D":
                payment.status = "CANCELED"

    def event(
        self, kind: str, payment: Payment, made: datetime | None = None
    ) -> tuple[bytes, dict[str, str]]:
        what = kind.split(".", maxsplit=1)[0]
        shown = (
            payment.shown()
            if what == "payment"
            else {"id": f"{payment.id}_refund", "payment_id": payment.id, "status": "COMPLETED"}
        )
        stamp = (made or datetime.now(UTC)).isoformat().replace("+00:00", "Z")
        raw = json.dumps(
            {
                "merchant_id": "M1",
                "type": kind,
                "event_id": str(uuid4()),
                "created_at": stamp,
                "data": {"type": what, "id": payment.id, "object": {what: shown}},
            }
        ).encode()
        return raw, signed(raw)

    # --- the wire --------------------------------------------------------------------------------

    async def answer(self, call: Call) -> Reply:
        self.calls.append((call.method, call.path))
        if self.only_status is not None:
            return Reply(self.only_status, b"{}")
        fault = self._fault_of(call)
        if fault is Fault.LOST:
            raise HangUp
        if fault is Fault.ERROR_BEFORE:
            return Reply(500, b'{"errors":[{"category":"API_ERROR","code":"INTERNAL"}]}')
        reply = self._processed(call)
        if fault is Fault.TWICE:
            reply = self._processed(call)
        if fault is Fault.TIMEOUT_AFTER:
            raise NoReply
        if fault is Fault.ERROR_AFTER:
            return Reply(500, b"<html>upstream</html>", "text/html")
        if self.garbage is not None:
            return Reply(reply.status, self.garbage)
        return reply

    def _fault_of(self, call: Call) -> Fault | None:
        moves = call.method in ("POST", "PUT")
        if self.fault is None or not moves or not call.path.endswith(self.fault[1]):
            return None
        fault, self.fault = self.fault[0], None
        return fault

    def _processed(self, call: Call) -> Reply:
        try:
            if call.headers.get("authorization") != f"Bearer {self.access_token}":
                raise Refused(401, "UNAUTHORIZED", "AUTHENTICATION_ERROR")
            if "square-version" not in call.headers:
                raise invalid("BAD_REQUEST")
            if self.limited and call.method == "POST":
                raise Refused(429, "RATE_LIMITED", "RATE_LIMIT_ERROR")
            body = json.loads(call.body) if call.body else {}
            if body:
                self.bodies.append(body)
            return self._routed(call, body)
        except Refused as refused:
            return _refusal(refused)

    def _routed(self, call: Call, body: dict[str, Any]) -> Reply:
        match call.method, call.path.strip("/").split("/")[1:]:
            case "POST", ["payments"]:
                return self._once("pay", body, self._create)
            case "GET", ["payments"]:
                return self._list(call.query)
            case "POST", ["payments", "cancel"]:
                return self._cancel_by_key(body)
            case "GET", ["payments", payment_id]:
                return _shown(self._payment(payment_id))
            case "PUT", ["payments", payment_id]:
                return self._once("put", body, lambda b: self._update(payment_id, b))
            case "POST", ["payments", payment_id, "complete"]:
                return self._move(payment_id, "COMPLETED")
            case "POST", ["payments", payment_id, "cancel"]:
                return self._move(payment_id, "CANCELED")
            case "POST", ["refunds"]:
                return self._once("refund", body, self._refund)
            case "GET", ["refunds", refund_id]:
                if refund_id not in self.refunds:
                    raise invalid("NOT_FOUND", status=404)
                return _json({"refund": self.refunds[refund_id]})
        raise invalid("NOT_FOUND", status=404)

    def _once(self, what: str, body: dict[str, Any], work: Any) -> Reply:
        key = body.get("idempotency_key")
        if not isinstance(key, str) or not 1 <= len(key) <= 45:
            raise invalid("VALUE_TOO_LONG", "idempotency_key")
        mark = json.dumps(body, sort_keys=True)
        known = self.answers.get(f"{what}:{key}")
        if known is not None:
            if known[0] != mark:
                raise invalid("IDEMPOTENCY_KEY_REUSED", "idempotency_key")
            return known[1]
        try:
            reply: Reply = work(body)
        except Refused as refused:
            reply = _refusal(refused)
        self.answers[f"{what}:{key}"] = (mark, reply)
        return reply

    # --- payments --------------------------------------------------------------------------------

    def _create(self, body: dict[str, Any]) -> Reply:
        money = self._judged(body)
        payment = Payment(
            id=f"pay{uuid4().hex[:20]}",
            reference_id=body["reference_id"],
            amount=money["amount"],
            currency=money["currency"],
            status="COMPLETED" if body.get("autocomplete", True) else "APPROVED",
            created_at=datetime.now(UTC) + timedelta(microseconds=next(self._order)),
            key=body["idempotency_key"],
            delay=body.get("delay_duration", "P7D"),
        )
        code = self._verdict(body)
        self.used.add(body["source_id"])
        self.payments[payment.id] = payment
        if code:
            error = {"code": code, "category": "PAYMENT_METHOD_ERROR", "detail": f"{code}."}
            payment.status, payment.errors = "FAILED", [error]
            raise Refused(402, code, "PAYMENT_METHOD_ERROR", payment=payment.shown())
        return _shown(payment)

    def _judged(self, body: dict[str, Any]) -> Mapping[str, Any]:
        if unknown := set(body) - _CREATE_FIELDS:
            raise invalid("BAD_REQUEST", unknown.pop())
        for name, longest in (("reference_id", 40), ("note", 500), ("buyer_email_address", 255)):
            if len(body.get(name, "")) > longest:
                raise invalid("VALUE_TOO_LONG", name)
        if body.get("location_id") != LOCATION:
            raise invalid("NOT_FOUND", "location_id", 404)
        if "delay_duration" in body and body.get("autocomplete", True):
            raise invalid("BAD_REQUEST", "delay_duration")
        money: Mapping[str, Any] = body.get("amount_money", {})
        if type(money.get("amount")) is not int or money["amount"] < 1:
            raise invalid("INVALID_VALUE", "amount_money.amount")
        if money.get("currency") not in CURRENCIES:
            raise invalid("INVALID_VALUE", "amount_money.currency")
        source = body.get("source_id")
        if source not in self.tokens:
            raise invalid("NOT_FOUND", "source_id", 404)
        if source in self.used:
            raise invalid("CARD_TOKEN_USED", "source_id")
        if "verification_token" in body and body["verification_token"] not in self.verified:
            raise invalid("INVALID_VALUE", "verification_token")
        return money

    def _verdict(self, body: dict[str, Any]) -> str:
        wish = self.tokens[body["source_id"]]
        if wish == "action" and "verification_token" not in body:
            return "CARD_DECLINED_VERIFICATION_REQUIRED"
        return DECLINES.get(wish, "")

    def _payment(self, payment_id: str) -> Payment:
        if payment_id not in self.payments:
            raise invalid("NOT_FOUND", "payment_id", 404)
        return self.payments[payment_id]

    def _move(self, payment_id: str, status: str) -> Reply:
        payment = self._payment(payment_id)
        if payment.status != "APPROVED":
            raise invalid("BAD_REQUEST", "payment_id")
        payment.status = status
        payment.version += 1
        return _shown(payment)

    def _cancel_by_key(self, body: dict[str, Any]) -> Reply:
        for payment in self.payments.values():
            if payment.key == body["idempotency_key"] and payment.status != "FAILED":
                if payment.status == "COMPLETED":
                    raise invalid("BAD_REQUEST", "idempotency_key")
                payment.status = "CANCELED"
        return _json({})

    def _update(self, payment_id: str, body: dict[str, Any]) -> Reply:
        payment, changes = self._payment(payment_id), body["payment"]
        if changes["version_token"] != f"v{payment.version}":
            raise invalid("VERSION_MISMATCH", "payment.version_token", 409)
        if payment.status != "APPROVED" or changes["amount_money"]["amount"] > payment.amount:
            raise invalid("BAD_REQUEST", "payment.amount_money")
        payment.amount = changes["amount_money"]["amount"]
        payment.version += 1
        return _shown(payment)

    def _list(self, query: Mapping[str, str]) -> Reply:
        if query.get("location_id") != LOCATION:
            raise invalid("NOT_FOUND", "location_id", 404)
        since = datetime.fromisoformat(query.get("begin_time", "2013-01-01T00:00:00+00:00"))
        until = datetime.now(UTC) - self.listed_after
        found = [p for p in self.payments.values() if since <= p.created_at]
        found = [p for p in found if not self.listed_after or p.created_at <= until]
        found.sort(key=lambda p: p.created_at, reverse=query.get("sort_order") != "ASC")
        start = int(query.get("cursor", "0"))
        shown = {"payments": [p.shown() for p in found[start : start + self.page]]}
        if start + self.page < len(found):
            return _json({**shown, "cursor": str(start + self.page)})
        return _json(shown)

    def _refund(self, body: dict[str, Any]) -> Reply:
        payment = self._payment(body["payment_id"])
        money = body["amount_money"]
        if len(body.get("reason", "")) > 192:
            raise invalid("VALUE_TOO_LONG", "reason")
        if payment.status != "COMPLETED":
            raise Refused(400, "PAYMENT_NOT_REFUNDABLE", "REFUND_ERROR")
        given = sum(self.refunds[r]["amount_money"]["amount"] for r in payment.refund_ids)
        if money["currency"] != payment.currency or given + money["amount"] > payment.amount:
            raise Refused(400, "REFUND_AMOUNT_INVALID", "REFUND_ERROR")
        refund_id = f"{payment.id}_{uuid4().hex[:12]}"
        self.refunds[refund_id] = {"id": refund_id, "status": "PENDING", **body}
        payment.refund_ids.append(refund_id)
        return _json({"refund": self.refunds[refund_id]})


def signed(raw: bytes, key: str = SIGNATURE_KEY, url: str = NOTIFICATION_URL) -> dict[str, str]:
    digest = hmac.new(key.encode(), url.encode() + raw, hashlib.sha256).digest()
    return {"x-square-hmacsha256-signature": base64.b64encode(digest).decode()}


def _json(body: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(body).encode())


def _shown(payment: Payment) -> Reply:
    return _json({"payment": payment.shown()})


def _refusal(refused: Refused) -> Reply:
    body: dict[str, Any] = {"errors": [refused.error]}
    if refused.payment:
        body["payment"] = refused.payment
    return _json(body, refused.status)


@asynccontextmanager
async def fake_square() -> AsyncIterator[FakeSquare]:
    square = FakeSquare()
    async with served(square.answer) as address:
        square.address = address
        yield square
