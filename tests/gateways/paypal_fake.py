"""A PayPal of our own, over real HTTP: Orders v2, Payments v2, tokens, webhook verification.

Written from PayPal's public API description. It keeps its own ledger and PayPal's rules: request
ids, the states of an order, what may be patched when, decimals by currency, one payment for each
invoice id. What was not looked up there is not played here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from checkstand.kit.clock import Clock, SystemClock
from tests.gateways.paypal_wire import Request, Wire

CLIENT_ID = "AbCdEfGhIjKlMnOpQrStUvWxYz-fake-client"
CLIENT_SECRET = "EsEcReTsEcReTsEcReTsEcReTsEcReT-fake"
WEBHOOK_ID = "0EH40505U7160970P"
PAYER = "QYR5Z8XDVJNXQ"
PAYPAL = "paypal.com"
_CURRENCIES = set(
    """AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS JPY MXN MYR NOK NZD PHP PLN SEK SGD THB
    TWD USD""".split()
)
_WHOLE = {"HUF", "JPY", "TWD"}
_KEPT = timedelta(hours=6)


class Refused(Exception):
    """An error answer of PayPal's."""

    def __init__(self, status: int, issue: str, links: list[Any] | None = None) -> None:
        self.status, self.issue, self.links = status, issue, links or []
        super().__init__(issue)

    @property
    def body(self) -> dict[str, Any]:
        names = {401: "AUTHENTICATION_FAILURE", 403: "NOT_AUTHORIZED", 404: "RESOURCE_NOT_FOUND"}
        return {
            "name": names.get(self.status, "UNPROCESSABLE_ENTITY"),
            "message": "refused",
            "debug_id": "90957fca61718",
            "details": [{"issue": self.issue, "description": "refused"}],
            "links": self.links,
        }


@dataclass
class Money:
    """One movement in the ledger: a `charge`, a `reservation` or a `refund`."""

    kind: str
    id: str
    order_id: str
    request_id: str
    value: Decimal
    currency: str
    status: str
    of: str = ""
    custom_id: str = ""
    reason: str = ""


@dataclass
class FakePayPal(Wire):
    clock: Clock = field(default_factory=SystemClock)
    token_seconds: int = 32_400
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    ledger: list[Money] = field(default_factory=list)
    tokens: dict[str, datetime] = field(default_factory=dict)
    patchable: bool = True
    capturable: bool = True
    """Whether reserved money can be captured."""
    minimal: bool = False
    """Ignores Prefer, and answers with id, status and links only."""
    before_take: Any = None
    """Called with the order's name when a capture arrives: what a browser does just before it."""
    _answers: dict[tuple[str, str], tuple[datetime, str]] = field(default_factory=dict)
    _webhook_key: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def handled(self, request: Request) -> tuple[int, Any]:
        try:
            return self._routed(request)
        except Refused as refusal:
            return refusal.status, refusal.body

    def _routed(self, request: Request) -> tuple[int, Any]:
        if request.path == "/v1/oauth2/token":
            return 200, self._token(request)
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.clock.now() >= self.tokens.get(bearer, datetime.min.replace(tzinfo=UTC)):
            raise Refused(401, "INVALID_TOKEN")
        if request.path == "/v1/notifications/verify-webhook-signature":
            return 200, {"verification_status": self._verified(request.body)}
        key = request.headers.get("paypal-request-id", "")
        if len(key) > 108:
            raise Refused(400, "INVALID_STRING_LENGTH")
        body = json.loads(request.body) if request.body else {}
        parts = request.path.strip("/").split("/")
        match (request.method, *parts):
            case ("POST", "v2", "checkout", "orders"):
                return self._once(request.path, key, lambda: self._create(body))
            case ("GET", "v2", "checkout", "orders", name):
                return 200, self._shown(name)
            case ("PATCH", "v2", "checkout", "orders", name):
                return self._patch(name, body)
            case ("POST", "v2", "checkout", "orders", name, "capture" | "authorize" as verb):
                return self._once(request.path, key, lambda: self._take(name, verb, key))
            case ("POST", "v2", "payments", "authorizations", name, "capture"):
                return self._once(request.path, key, lambda: self._capture(name, body, key))
            case ("POST", "v2", "payments", "authorizations", name, "void"):
                return 200, self._void(name)
            case ("POST", "v2", "payments", "captures", name, "refund"):
                return self._once(request.path, key, lambda: self._refund(name, body, key))
            case ("GET", "v2", "payments", "captures" | "authorizations", name):
                return 200, self._movement(self._entry(name))
        raise Refused(404, "INVALID_RESOURCE_ID")

    def _once(self, path: str, key: str, act: Any) -> tuple[int, Any]:
        """PayPal keeps a request id for six hours and answers with what came of it meanwhile."""
        known = self._answers.get((path, key)) if key else None
        if known is not None and self.clock.now() - known[0] < _KEPT:
            return 200, self._by_name(known[1])
        name = act()
        self._answers[path, key] = (self.clock.now(), name)
        return 201, self._by_name(name)

    def _by_name(self, name: str) -> Any:
        if name not in self.orders:
            return self._movement(self._entry(name))
        shown = self._shown(name)
        return {k: shown[k] for k in ("id", "status", "links")} if self.minimal else shown

    def _token(self, request: Request) -> Any:
        sent = request.headers.get("authorization", "").removeprefix("Basic ")
        if base64.b64decode(sent).decode() != f"{CLIENT_ID}:{CLIENT_SECRET}":
            raise Refused(401, "INVALID_CLIENT")
        assert parse_qs(request.body.decode()) == {"grant_type": ["client_credentials"]}
        token = secrets.token_hex(20)
        self.tokens[token] = self.clock.now() + timedelta(seconds=self.token_seconds)
        return {"access_token": token, "token_type": "Bearer", "expires_in": self.token_seconds}

    # --- orders ---

    def _create(self, body: Mapping[str, Any]) -> str:
        if body.get("intent") not in ("CAPTURE", "AUTHORIZE"):
            raise Refused(400, "INVALID_PARAMETER_VALUE")
        for unit in body["purchase_units"]:
            self._check_amount(unit["amount"])
            if len(unit.get("custom_id", "")) > 127 or len(unit.get("invoice_id", "")) > 127:
                raise Refused(400, "INVALID_STRING_LENGTH")
        name = _name()
        wallet = "payment_source" in body
        self.orders[name] = {
            "id": name,
            "intent": body["intent"],
            "status": "PAYER_ACTION_REQUIRED" if wallet else "CREATED",
            "units": [{"reference_id": "default", **unit} for unit in body["purchase_units"]],
            "rel": "payer-action" if wallet else "approve",
            "instrument": "good",
        }
        return name

    @staticmethod
    def _check_amount(amount: Mapping[str, str]) -> None:
        code, value = amount["currency_code"], amount["value"]
        if code not in _CURRENCIES:
            raise Refused(422, "CURRENCY_NOT_SUPPORTED")
        decimals = len(value.partition(".")[2])
        if decimals > (0 if code in _WHOLE else 2):
            raise Refused(422, "DECIMALS_NOT_SUPPORTED")
        if Decimal(value) <= 0:
            raise Refused(422, "CANNOT_BE_ZERO_OR_NEGATIVE")

    def _order(self, name: str) -> dict[str, Any]:
        found = self.orders.get(name)
        if found is None:
            raise Refused(404, "INVALID_RESOURCE_ID")
        return found

    def _shown(self, name: str) -> dict[str, Any]:
        order = self._order(name)
        units = [dict(unit) for unit in order["units"]]
        mine = [entry for entry in self.ledger if entry.order_id == name]
        if mine:
            kinds = {"charge": "captures", "reservation": "authorizations", "refund": "refunds"}
            units[0]["payments"] = {
                shown: [self._movement(entry) for entry in mine if entry.kind == kind]
                for kind, shown in kinds.items()
                if any(entry.kind == kind for entry in mine)
            }
        links = [{"rel": "self", "href": f"{self.address}/v2/checkout/orders/{name}"}]
        if order["status"] in ("CREATED", "PAYER_ACTION_REQUIRED"):
            links.append({"rel": order["rel"], "href": self._page(name)})
        shown = {k: order[k] for k in ("id", "intent", "status")}
        payer = {"payer_id": PAYER} if order["status"] in ("APPROVED", "COMPLETED") else {}
        return {**shown, "purchase_units": units, "payer": payer, "links": links}

    @staticmethod
    def _page(name: str) -> str:
        return f"https://www.sandbox.{PAYPAL}/checkoutnow?token={name}"

    def _patch(self, name: str, changes: list[dict[str, Any]]) -> tuple[int, Any]:
        order = self._order(name)
        if order["status"] == "COMPLETED":
            raise Refused(422, "ORDER_ALREADY_COMPLETED")
        if not self.patchable:
            raise Refused(422, "NOT_PATCHABLE")
        unit = order["units"][0]
        here = f"/purchase_units/@reference_id=='{unit['reference_id']}'/"
        for change in changes:
            where, op = change["path"], change["op"]
            target, key = (order, "intent") if where == "/intent" else (unit, where[len(here) :])
            if target is unit and not where.startswith(here):
                raise Refused(422, "INVALID_JSON_POINTER_FORMAT")
            if key not in ("intent", "custom_id", "amount") or (op == "replace") != (key in target):
                raise Refused(422, "NOT_PATCHABLE")
        for change in changes:
            key = change["path"].rpartition("/")[2]
            (order if key == "intent" else unit)[key] = change["value"]
        return 204, None

    def _take(self, name: str, verb: str, key: str) -> str:
        order = self._order(name)
        if self.before_take is not None:
            act, self.before_take = self.before_take, None
            act(name)
        if order["status"] == "COMPLETED":
            done = "ORDER_ALREADY_AUTHORIZED" if verb == "authorize" else "ORDER_ALREADY_CAPTURED"
            raise Refused(422, done)
        if order["intent"] != ("AUTHORIZE" if verb == "authorize" else "CAPTURE"):
            raise Refused(422, "ACTION_DOES_NOT_MATCH_INTENT")
        if order["status"] != "APPROVED":
            raise Refused(422, "ORDER_NOT_APPROVED")
        unit, instrument = order["units"][0], order["instrument"]
        paid = {e.order_id for e in self.ledger if e.kind != "refund"}
        invoices = {self.orders[other]["units"][0].get("invoice_id") for other in paid}
        if unit.get("invoice_id") in invoices - {None}:
            raise Refused(422, "DUPLICATE_INVOICE_ID")
        if instrument == "action":
            order["instrument"], order["status"] = "good", "PAYER_ACTION_REQUIRED"
            link = {"rel": "payer-action", "href": self._page(name) + "&again"}
            raise Refused(422, "PAYER_ACTION_REQUIRED", [link])
        if instrument.isupper() and not instrument.startswith("PENDING"):
            raise Refused(422, instrument)
        order["status"] = "COMPLETED"
        self._write("charge" if verb == "capture" else "reservation", name, key, unit["amount"])
        entry = self.ledger[-1]
        if instrument == "declined later":
            entry.status = "DECLINED"
        elif instrument.startswith("PENDING"):
            entry.status, entry.reason = "PENDING", instrument.removeprefix("PENDING ")
        return name

    # --- payments ---

    def _write(
        self, kind: str, order: str, key: str, amount: Mapping[str, str], of: str = ""
    ) -> str:
        status = "CREATED" if kind == "reservation" else "COMPLETED"
        value, code = Decimal(amount["value"]), amount["currency_code"]
        self.ledger.append(Money(kind, _name(), order, key, value, code, status, of))
        return self.ledger[-1].id

    def _entry(self, name: str) -> Money:
        for entry in self.ledger:
            if entry.id == name:
                return entry
        raise Refused(404, "INVALID_RESOURCE_ID")

    def _movement(self, entry: Money) -> dict[str, Any]:
        whole = entry.currency in _WHOLE
        kind = {"charge": "captures", "reservation": "authorizations", "refund": "refunds"}
        up = {"rel": "up", "href": f"https://api-m.{PAYPAL}/v2/payments/captures/{entry.of}"}
        found = {
            "id": entry.id,
            "status": entry.status,
            "amount": {
                "currency_code": entry.currency,
                "value": f"{entry.value:.0f}" if whole else f"{entry.value:.2f}",
            },
            "custom_id": entry.custom_id,
            "links": [{"rel": "self", "href": f"{self.address}/v2/payments/{kind[entry.kind]}"}],
        }
        if entry.kind == "refund":
            return {**found, "links": [*found["links"], up]}
        if entry.reason:
            found["status_details"] = {"reason": entry.reason}
        return {**found, "supplementary_data": {"related_ids": {"order_id": entry.order_id}}}

    def _capture(self, name: str, body: Mapping[str, Any], key: str) -> str:
        reserved = self._entry(name)
        if reserved.status != "CREATED":
            issues = {"VOIDED": "AUTHORIZATION_VOIDED", "EXPIRED": "AUTHORIZATION_EXPIRED"}
            raise Refused(422, issues.get(reserved.status, "AUTHORIZATION_ALREADY_CAPTURED"))
        if not self.capturable:
            raise Refused(422, "PAYER_CANNOT_PAY")
        self._check_amount(body["amount"])
        if Decimal(body["amount"]["value"]) > reserved.value * Decimal("1.15"):
            raise Refused(422, "MAX_CAPTURE_AMOUNT_EXCEEDED")
        reserved.status = "CAPTURED" if body.get("final_capture") else "PARTIALLY_CAPTURED"
        return self._write("charge", reserved.order_id, key, body["amount"], reserved.id)

    def _void(self, name: str) -> Any:
        reserved = self._entry(name)
        if reserved.status != "CREATED":
            issues = {"VOIDED": "PREVIOUSLY_VOIDED", "CAPTURED": "PREVIOUSLY_CAPTURED"}
            raise Refused(422, issues.get(reserved.status, "CANNOT_BE_VOIDED"))
        reserved.status = "VOIDED"
        return self._movement(reserved)

    def _refund(self, name: str, body: Mapping[str, Any], key: str) -> str:
        charge = self._entry(name)
        if charge.status == "REFUNDED":
            raise Refused(422, "CAPTURE_FULLY_REFUNDED")
        if charge.status not in ("COMPLETED", "PARTIALLY_REFUNDED"):
            raise Refused(422, "REFUND_NOT_ALLOWED_ON_PENDING_CAPTURE")
        gone = sum(e.value for e in self.ledger if e.of == charge.id and e.kind == "refund")
        left = {"currency_code": charge.currency, "value": str(charge.value - gone)}
        amount = body.get("amount", left)
        self._check_amount(amount)
        if Decimal(amount["value"]) > charge.value - gone:
            raise Refused(422, "REFUND_AMOUNT_EXCEEDED")
        all_gone = Decimal(amount["value"]) == charge.value - gone
        charge.status = "REFUNDED" if all_gone else "PARTIALLY_REFUNDED"
        made = self._write("refund", charge.order_id, key, amount, charge.id)
        self.ledger[-1].custom_id = body.get("custom_id", "")
        return made

    # --- what shoppers, browsers and PayPal itself do ---

    def browser_order(
        self, value: str, currency: str, custom_id: str | None, intent: str = "CAPTURE"
    ) -> str:
        """An order that PayPal's script made in the browser."""
        unit: dict[str, Any] = {"amount": {"currency_code": currency, "value": value}}
        if custom_id is not None:
            unit["custom_id"] = custom_id
        return self._create({"intent": intent, "purchase_units": [unit]})

    def approve(self, name: str, instrument: str = "good") -> str:
        """The shopper agrees. `instrument`: `good`, `action`, `declined later`, `PENDING <why>`, or
        the issue that the capture is refused with. Harmless when the order cannot be approved."""
        order = self.orders.get(name)
        if order and order["status"] in ("CREATED", "PAYER_ACTION_REQUIRED"):
            order.update(status="APPROVED", instrument=instrument)
        return name

    def take_in_browser(self, name: str) -> str:
        """PayPal's script captures, or authorizes, by what the order says."""
        verb = "capture" if self.orders[name]["intent"] == "CAPTURE" else "authorize"
        return self._take(name, verb, "")

    def expire(self, name: str) -> None:
        """PayPal forgets an order that nobody paid for."""
        assert self.orders.pop(name)["status"] != "COMPLETED"

    def sign(self, raw: bytes, age: timedelta = timedelta()) -> dict[str, str]:
        """The headers of a webhook."""
        sent = (self.clock.now() - age).strftime("%Y-%m-%dT%H:%M:%SZ")
        headers = {
            "paypal-transmission-id": f"{secrets.token_hex(4)}-8046-11e6-8103-6b62a8a99ac4",
            "paypal-transmission-time": sent,
            "paypal-cert-url": f"https://api.sandbox.{PAYPAL}/v1/notifications/certs/CERT-360caa",
            "paypal-auth-algo": "SHA256withRSA",
        }
        return {**headers, "paypal-transmission-sig": self._signature(raw, headers, WEBHOOK_ID)}

    def _signature(self, raw: bytes, headers: Mapping[str, str], webhook_id: str) -> str:
        parts = [*sorted(headers.values()), webhook_id, str(zlib.crc32(raw))]
        digest = hmac.new(self._webhook_key, "|".join(parts).encode(), hashlib.sha256).digest()
        return base64.b64encode(digest).decode()

    def _verified(self, body: bytes) -> str:
        sent = json.loads(body)
        marker = b'"webhook_event": '
        raw = body[body.index(marker) + len(marker) : -1]  # the bytes, as they came
        names = ("transmission-id", "transmission-time", "cert-url", "auth-algo")
        headers = {name: sent[name.replace("-", "_")] for name in names}
        good = self._signature(raw, headers, sent["webhook_id"])
        same = hmac.compare_digest(good.encode(), sent["transmission_sig"].encode())
        return "SUCCESS" if same and sent["webhook_id"] == WEBHOOK_ID else "FAILURE"


def _name() -> str:
    return secrets.token_hex(9).upper()[:17]
