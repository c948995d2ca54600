"""Authorize.Net as its public API describes it, with a ledger of its own: for tests only.

Kept from the description: one address, JSON whose members have the order of the XML schema, answers
that are always HTTP 200 and begin with a byte order mark, nonces that are used once and live 15
minutes, duplicates by type, card, amount and invoice number, unsettled and settled lists in pages,
the daily settlement, voids before it and refunds after it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

from checkstand.testing.peer import Fault
from tests.gateways.fake_http import Call, HangUp, NoReply, Reply, served

LOGIN, TRANSACTION_KEY = "5KP3u95bQpv", "346HZ32z3fP4hTG2"
CLIENT_KEY = "8f7Yz2Kq9n4B6c3V1x5M0pL7s8D2w4E6r9T3y1U5i7O0aQ2Gh4Jk6"
SIGNATURE_KEY = hashlib.sha512(b"signature").hexdigest().upper()
ORDER = {
    "request": ["merchantAuthentication", "refId", "transactionRequest"],
    "transaction": """transactionType amount currencyCode payment profile solution callId
        terminalNumber authCode refTransId splitTenderId order lineItems tax duty shipping taxExempt
        poNumber customer billTo shipTo customerIP cardholderAuthentication retail employeeId
        transactionSettings userFields""".split(),
    "list": ["merchantAuthentication", "refId", "batchId", "status", "sorting", "paging"],
    "batches": """merchantAuthentication refId includeStatistics firstSettlementDate
        lastSettlementDate""".split(),
    "details": ["merchantAuthentication", "refId", "transId"],
}
# wish: response code, reason code, text
VERDICTS = {
    "approve": ("1", "1", "This transaction has been approved."),
    "decline": ("2", "2", "This transaction has been declined."),
    "cvv": ("2", "44", "This transaction has been declined."),
    "avs": ("2", "27", "The transaction has been declined because of an AVS mismatch."),
    "expired": ("3", "8", "The credit card has expired."),
    "number": ("3", "6", "The credit card number is invalid."),
    "inactive": ("3", "13", "The merchant login ID is invalid or the account is inactive."),
    "lost": ("3", "120", "An error occurred during processing. Please try again."),
    "held": ("4", "252", "Your order has been received. Thank you for your business!"),
}
CAPTURED = {"capturedPendingSettlement", "settledSuccessfully"}


class Refused(Exception):
    def __init__(self, code: str, text: str = "refused") -> None:
        self.code, self.text = code, text
        super().__init__(code)


@dataclass
class Entry:
    id: str
    type: str
    status: str
    amount: str
    invoice: str
    description: str
    reason: tuple[str, str, str]
    submitted: datetime
    last_four: str = "1111"
    of: str = ""
    batch: str = ""


class FakeAuthorizeNet:
    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.nonces: dict[str, tuple[str, datetime]] = {}
        self.used: set[str] = set()
        self.batches: dict[str, datetime] = {}
        self.calls: list[str] = []
        self.requests: list[dict[str, Any]] = []
        self.only_status: int | None = None
        self.fault: Fault | None = None
        self.garbage: bytes | None = None
        self.api_error = ""
        self.settles_at_once = False
        self.unlisted = False
        self.now_ahead = timedelta(0)
        self.address = ""
        self._ids = count(60_000_000_001)
        self._recent: dict[tuple[str, ...], datetime] = {}

    # --- what a test does ------------------------------------------------------------------------

    def nonce(self, wish: str) -> str:
        value = f"eyJjb2RlIjoi{uuid4().hex}"
        self.nonces[value] = (wish, self.now())
        return value

    def now(self) -> datetime:
        return datetime.now(UTC) + self.now_ahead

    def of(self, name: str) -> list[Entry]:
        return [entry for entry in self.entries.values() if entry.description == name]

    def settle(self) -> None:
        """The cut-off time of the day."""
        batch = str(len(self.batches) + 1)
        self.batches[batch] = self.now()
        moves = {
            "capturedPendingSettlement": "settledSuccessfully",
            "refundPendingSettlement": "refundSettledSuccessfully",
        }
        for entry in self.entries.values():
            if not entry.batch and entry.status not in ("authorizedPendingCapture",):
                entry.status = moves.get(entry.status, entry.status)
                entry.batch = batch

    def event(self, kind: str, entry: Entry, made: datetime | None = None) -> Any:
        stamp = (made or self.now()).strftime("%Y-%m-%dT%H:%M:%S.%f") + "7Z"
        raw = json.dumps(
            {
                "notificationId": str(uuid4()),
                "eventType": f"net.authorize.payment.{kind}",
                "eventDate": stamp,
                "webhookId": str(uuid4()),
                "payload": {
                    "responseCode": 1,
                    "merchantReferenceId": entry.invoice,
                    "authAmount": float(entry.amount),
                    "entityName": "transaction",
                    "id": entry.id,
                },
            }
        ).encode()
        return raw, signed(raw)

    # --- the wire --------------------------------------------------------------------------------

    async def answer(self, call: Call) -> Reply:
        [(request, body)] = json.loads(call.body).items()
        self.calls.append(request)
        if self.only_status is not None:
            return Reply(self.only_status, b"{}")
        fault = None
        if request == "createTransactionRequest":
            fault, self.fault = self.fault, None
        if fault is Fault.LOST:
            raise HangUp
        if fault is Fault.ERROR_BEFORE:
            return Reply(500, b"<h1>down</h1>", "text/html")
        reply = self._processed(call, request, body)
        if fault is Fault.TWICE:
            reply = self._processed(call, request, body)
        if fault is Fault.TIMEOUT_AFTER:
            raise NoReply
        if fault is Fault.ERROR_AFTER:
            return Reply(502, b"<h1>upstream</h1>", "text/html")
        return Reply(200, self.garbage) if self.garbage is not None else reply

    def _processed(self, call: Call, request: str, body: dict[str, Any]) -> Reply:
        try:
            if (call.method, call.path) != ("POST", "/xml/v1/request.api"):
                raise Refused("E00001")
            login = body.get("merchantAuthentication")
            if login != {"name": LOGIN, "transactionKey": TRANSACTION_KEY}:
                raise Refused("E00007", "User authentication failed.")
            if self.api_error:
                raise Refused(self.api_error)
            found = self._routed(request, body)
        except Refused as refused:
            found = {}
            return _reply(found, "Error", refused.code, refused.text)
        if self.settles_at_once and request == "createTransactionRequest":
            self.settle()
        response = found.get("transactionResponse", {}).get("responseCode", "1")
        if response in ("2", "3"):
            return _reply(found, "Error", "E00027", "The transaction was unsuccessful.")
        return _reply(found, "Ok", "I00001", "Successful.")

    def _routed(self, request: str, body: dict[str, Any]) -> dict[str, Any]:
        match request:
            case "createTransactionRequest":
                _in_order(body, "request")
                return {"transactionResponse": self._transact(body), "refId": body.get("refId")}
            case "getTransactionDetailsRequest":
                _in_order(body, "details")
                return {"transaction": self._details(body["transId"])}
            case "getUnsettledTransactionListRequest":
                _in_order(body, "list")
                return self._page(body, [] if self.unlisted else self._in_batch(""))
            case "getSettledBatchListRequest":
                _in_order(body, "batches")
                return {"batchList": self._batches(body)}
            case "getTransactionListRequest":
                _in_order(body, "list")
                return self._page(body, self._in_batch(body["batchId"]))
        raise Refused("E00003")

    # --- moving money ----------------------------------------------------------------------------

    def _transact(self, body: dict[str, Any]) -> dict[str, Any]:
        asked = body["transactionRequest"]
        _in_order(asked, "transaction")
        order = asked.get("order", {})
        if len(body.get("refId", "")) > 20 or len(order.get("invoiceNumber", "")) > 20:
            raise Refused("E00003", "The actual length is greater than the MaxLength value.")
        if "amount" in asked and not re.fullmatch(r"\d+\.\d\d", asked["amount"]):
            raise Refused("E00003", "The amount is invalid.")
        self.requests.append(asked)
        match asked["transactionType"]:
            case "authCaptureTransaction":
                return self._charge(asked, "capturedPendingSettlement")
            case "authOnlyTransaction":
                return self._charge(asked, "authorizedPendingCapture")
            case "priorAuthCaptureTransaction":
                return self._capture(asked)
            case "voidTransaction":
                return self._void(asked)
            case "refundTransaction":
                return self._refund(asked)
        raise Refused("E00003")

    def _charge(self, asked: dict[str, Any], status: str) -> dict[str, Any]:
        opaque = asked["payment"]["opaqueData"]
        wish, made = self.nonces.get(opaque["dataValue"], ("", self.now()))
        spent = opaque["dataValue"] in self.used or self.now() - made > timedelta(minutes=15)
        if opaque["dataDescriptor"] != "COMMON.ACCEPT.INAPP.PAYMENT" or not wish or spent:
            raise Refused("E00114", "Invalid OTS Token.")
        self.used.add(opaque["dataValue"])
        if asked["currencyCode"] != "USD":
            return _response("3", "0", "39", "The supplied currency code is invalid.")
        if self._duplicate(asked, "1111"):
            return _response("3", "0", "11", "A duplicate transaction has been submitted.")
        verdict = VERDICTS[wish]
        states = {"1": status, "2": "declined", "3": "generalError", "4": "FDSPendingReview"}
        if verdict[0] == "3":
            return _response("3", "0", verdict[1], verdict[2])
        entry = self._entry(asked, states[verdict[0]], verdict)
        return _response(verdict[0], entry.id, verdict[1], verdict[2])

    def _capture(self, asked: dict[str, Any]) -> dict[str, Any]:
        entry = self.entries[asked["refTransId"]]
        if entry.status in CAPTURED:
            return _response("3", "0", "311", "This transaction has already been captured.")
        if entry.status != "authorizedPendingCapture":
            return _response("3", "0", "16", "The transaction cannot be found.")
        if float(asked["amount"]) > float(entry.amount):
            return _response("3", "0", "47", "The amount requested for settlement is too high.")
        entry.amount, entry.status = asked["amount"], "capturedPendingSettlement"
        return _response("1", entry.id, "1", "This transaction has been approved.")

    def _void(self, asked: dict[str, Any]) -> dict[str, Any]:
        entry = self.entries[asked["refTransId"]]
        if entry.status == "voided":
            return _response("1", entry.id, "310", "This transaction has already been voided.")
        if entry.batch:
            return _response("3", "0", "16", "The transaction cannot be found.")
        entry.status = "voided"
        return _response("1", entry.id, "1", "This transaction has been approved.")

    def _refund(self, asked: dict[str, Any]) -> dict[str, Any]:
        paid = self.entries.get(asked["refTransId"])
        card = asked["payment"]["creditCard"]
        if self._duplicate(asked, card["cardNumber"]):
            return _response("3", "0", "11", "A duplicate transaction has been submitted.")
        if paid is None or paid.status != "settledSuccessfully":
            return _response("3", "0", "54", "The referenced transaction cannot be credited.")
        if card != {"cardNumber": paid.last_four, "expirationDate": "XXXX"}:
            return _response("3", "0", "6", "The credit card number is invalid.")
        given = sum(float(e.amount) for e in self.entries.values() if e.of == paid.id)
        if round(given + float(asked["amount"]), 2) > float(paid.amount):
            return _response("3", "0", "55", "The sum of credits would exceed the debit.")
        entry = self._entry(asked, "refundPendingSettlement", VERDICTS["approve"])
        entry.of = paid.id
        self._remember(asked, card["cardNumber"])
        return _response("1", entry.id, "1", "This transaction has been approved.")

    def _entry(self, asked: dict[str, Any], status: str, verdict: tuple[str, str, str]) -> Entry:
        order = asked["order"]
        entry = Entry(
            id=str(next(self._ids)),
            type=asked["transactionType"],
            status=status,
            amount=asked["amount"],
            invoice=order["invoiceNumber"],
            description=order["description"],
            reason=verdict,
            submitted=self.now(),
        )
        self.entries[entry.id] = entry
        if verdict[0] == "1":
            self._remember(asked, entry.last_four)
        return entry

    def _remember(self, asked: dict[str, Any], card: str) -> None:
        self._recent[_likeness(asked, card)] = self.now()

    def _duplicate(self, asked: dict[str, Any], card: str) -> bool:
        settings = asked.get("transactionSettings", {}).get("setting", [])
        window = next(
            (int(s["settingValue"]) for s in settings if s["settingName"] == "duplicateWindow"), 120
        )
        assert window <= 28_800
        before = self._recent.get(_likeness(asked, card))
        return before is not None and self.now() - before < timedelta(seconds=window)

    # --- telling ---------------------------------------------------------------------------------

    def _details(self, reference: str) -> dict[str, Any]:
        entry = self.entries.get(reference)
        if entry is None:
            raise Refused("E00040", "The record cannot be found.")
        told = {
            "transId": entry.id,
            "submitTimeUTC": entry.submitted.isoformat(),
            "transactionType": entry.type,
            "transactionStatus": entry.status,
            "responseCode": int(entry.reason[0]),
            "responseReasonCode": int(entry.reason[1]),
            "responseReasonDescription": entry.reason[2],
            "order": {"invoiceNumber": entry.invoice, "description": entry.description},
            "authAmount": float(entry.amount),
            "settleAmount": float(entry.amount),
            "payment": {
                "creditCard": {
                    "cardNumber": f"XXXX{entry.last_four}",
                    "expirationDate": "XXXX",
                    "cardType": "Visa",
                }
            },
        }
        return {**told, "refTransId": entry.of} if entry.of else told

    def _in_batch(self, batch: str) -> list[Entry]:
        return [entry for entry in self.entries.values() if entry.batch == batch]

    def _batches(self, body: dict[str, Any]) -> list[dict[str, str]]:
        first, last = (
            datetime.fromisoformat(body[f"{end}SettlementDate"]) for end in ("first", "last")
        )
        if not timedelta(0) <= last - first <= timedelta(days=31):
            raise Refused("E00066", "The dates are not valid.")
        return [
            {"batchId": batch}
            for batch, settled in self.batches.items()
            if first <= settled <= last
        ]

    def _page(self, body: dict[str, Any], entries: list[Entry]) -> dict[str, Any]:
        limit, offset = int(body["paging"]["limit"]), int(body["paging"]["offset"])
        assert 1 <= limit <= 1000
        start = (offset - 1) * limit
        shown = [
            {
                "transId": entry.id,
                "submitTimeUTC": entry.submitted.isoformat(),
                "transactionStatus": entry.status,
                "invoiceNumber": entry.invoice,
                "accountNumber": f"XXXX{entry.last_four}",
                "settleAmount": float(entry.amount),
            }
            for entry in sorted(entries, key=lambda e: e.submitted, reverse=True)
        ][start : start + limit]
        return {"transactions": shown, "totalNumInResultSet": len(shown)} if shown else {}


def signed(raw: bytes, key: bytes = SIGNATURE_KEY.encode()) -> dict[str, str]:
    return {"x-anet-signature": "sha512=" + hmac.new(key, raw, hashlib.sha512).hexdigest().upper()}


def _likeness(asked: Mapping[str, Any], card: str) -> tuple[str, ...]:
    return (
        asked["transactionType"],
        card,
        asked["amount"],
        asked["order"]["invoiceNumber"],
        asked.get("billTo", {}).get("lastName", ""),
    )


def _in_order(body: Mapping[str, Any], schema: str) -> None:
    known = ORDER[schema]
    if any(name not in known for name in body):
        raise Refused("E00003", "The element has an invalid child element.")
    places = [known.index(name) for name in body]
    if places != sorted(places):
        raise Refused("E00003", "The element has an invalid child element.")


def _response(code: str, transaction: str, reason: str, text: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "responseCode": code,
        "transId": transaction,
        "accountNumber": "XXXX1111",
        "accountType": "Visa",
    }
    if code in ("1", "4"):
        return {**told, "messages": [{"code": reason, "description": text}]}
    return {**told, "errors": [{"errorCode": reason, "errorText": text}]}


def _reply(body: Mapping[str, Any], result: str, code: str, text: str) -> Reply:
    messages = {"resultCode": result, "message": [{"code": code, "text": text}]}
    return Reply(200, b"\xef\xbb\xbf" + json.dumps({**body, "messages": messages}).encode())


@asynccontextmanager
async def fake_authorizenet() -> AsyncIterator[FakeAuthorizeNet]:
    provider = FakeAuthorizeNet()
    async with served(provider.answer) as address:
        provider.address = address
        yield provider
