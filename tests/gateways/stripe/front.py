"""What localstripe lacks of Stripe, as a proxy in front of it.

localstripe keeps the objects and the money: payment methods, PaymentIntents, charges, refunds,
customers. This front adds what the real API has and localstripe does not: idempotency keys with
stored answers, the API's refusals (states, amounts, keys, unknown payment methods), decline codes,
`payment_method` and `return_url` with a confirmation, `setup_future_usage`, search, and faults.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web

from checkstand.testing.peer import Fault

SECRET, PUBLISHABLE, WEBHOOK = "sk_test_frontdoor1", "pk_test_frontdoor1", "whsec_frontdoor1"
CONFIRMABLE = ("requires_payment_method", "requires_confirmation")
CANCELLABLE = (*CONFIRMABLE, "requires_action", "requires_capture")
_MOVES = re.compile(r"/v1/(payment_intents/\w+/(confirm|capture)|refunds)")

# Cards of Stripe's test page that localstripe accepts are sent to it as one that it declines.
_DECLINES = {
    "4000000000000002": ("card_declined", "generic_decline"),
    "4000000000000341": ("card_declined", "generic_decline"),
    "4000000000009995": ("card_declined", "insufficient_funds"),
    "4000000000009979": ("card_declined", "stolen_card"),
    "4000000000000069": ("expired_card", ""),
    "4000000000000127": ("incorrect_cvc", ""),
    "4000000000000119": ("processing_error", ""),
}
_ALWAYS_DECLINED = "4000000000000341"

Params = dict[str, str]
Answer = tuple[int, dict[str, Any]]


@dataclass
class Stored:
    asked: tuple[str, tuple[tuple[str, str], ...]]
    answer: Answer | None = None
    """None while it is under way."""


@dataclass
class Front:
    upstream: str
    session: aiohttp.ClientSession
    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    instead: list[Answer | bytes] = field(default_factory=list)
    """Answers to the next requests, which then are not carried out."""
    asked: list[tuple[str, str, Params]] = field(default_factory=list)
    stored: dict[str, Stored] = field(default_factory=dict)
    attempts: dict[str, list[str]] = field(default_factory=dict)
    more: dict[str, dict[str, Any]] = field(default_factory=dict)
    declines: dict[str, tuple[str, str]] = field(default_factory=dict)
    fault_on: re.Pattern[str] = _MOVES
    silent: bool = False
    """Whether an answer that does not come is waited for in vain; else the line is cut soon."""
    broken: tuple[str, Answer | bytes] | None = None
    """How a path ends whose requests are answered so, and not carried out."""

    # --- the door --------------------------------------------------------------------------------

    async def handle(self, request: web.Request) -> web.Response:
        params = dict(parse_qsl(await request.text() or request.query_string, True))
        self.asked.append((request.method, request.path, dict(params)))
        answer = self.instead.pop(0) if self.instead else None
        if self.broken and request.path.endswith(self.broken[0]):
            answer = self.broken[1]
        if isinstance(answer, bytes):
            return web.Response(body=answer, content_type="text/html")
        if answer is not None:
            return _response(answer)
        if not self._allowed(request, params):
            return _response((401, _error("The key is wrong.")))
        key = request.headers.get("Idempotency-Key", "")
        if request.method != "POST":
            return _response(await self._carried_out(request.method, request.path, params))
        fault = None
        if self.faults and self.fault_on.fullmatch(request.path):
            fault = self.faults.pop(0)
        return await self._with(fault, request, params, key)

    async def _no_answer(self, request: web.Request) -> web.Response:
        await asyncio.sleep(60 if self.silent else 0.2)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def _with(
        self, fault: Fault | None, request: web.Request, params: Params, key: str
    ) -> web.Response:
        path = request.path
        if fault is Fault.LOST:
            return await self._no_answer(request)
        if fault is Fault.ERROR_BEFORE:
            return _response((500, _error("Something broke.", type="api_error")))
        if fault is Fault.TWICE:
            await self._once(path, dict(params), key)
        response = await self._once(path, params, key)
        if fault is Fault.TIMEOUT_AFTER:
            return await self._no_answer(request)
        if fault is Fault.ERROR_AFTER:
            # As Stripe does it: a failure too is what the key answers from now on.
            broken = (500, _error("Something broke.", type="api_error"))
            self.stored[key].answer = broken
            return _response(broken)
        return response

    def _allowed(self, request: web.Request, params: Params) -> bool:
        sent = request.headers.get("Authorization", "")
        if sent in (f"Bearer {SECRET}", f"Bearer {PUBLISHABLE}"):
            browser = request.path in ("/v1/payment_methods", "/v1/tokens") or (
                request.path.endswith("/confirm") and "client_secret" in params
            )
            return sent.endswith(SECRET) or browser
        return False

    async def _once(self, path: str, params: Params, key: str) -> web.Response:
        asked = (path, tuple(sorted(params.items())))
        known = self.stored.get(key) if key else None
        if known is not None:
            if known.asked != asked:
                return _response((400, _error("Other parameters.", type="idempotency_error")))
            if known.answer is None:
                return _response((409, _error("In use.", code="idempotency_key_in_use")))
            return _response(known.answer, {"Idempotent-Replayed": "true"})
        kept = self.stored[key or f"none-{len(self.stored)}"] = Stored(asked)
        # Shielded: a client that has gone does not stop what Stripe has begun.
        kept.answer = await asyncio.shield(
            asyncio.ensure_future(self._carried_out("POST", path, params))
        )
        return _response(kept.answer)

    # --- what Stripe does ------------------------------------------------------------------------

    async def _carried_out(self, method: str, path: str, params: Params) -> Answer:
        names = [name for name in params if name.startswith("expand")]
        expanded = [params.pop(name) for name in names]
        status, body = await self._done(method, path, params)
        charge = body.get("latest_charge")
        if charge and "latest_charge" not in expanded:
            body["latest_charge"] = charge["id"]  # localstripe always shows it whole
        return status, body

    async def _done(self, method: str, path: str, params: Params) -> Answer:
        intent = re.fullmatch(r"/v1/payment_intents/(pi_\w+)(?:/(\w+))?", path)
        if path == "/v1/payment_intents/search":
            return await self._searched(params)
        if path == "/v1/payment_intents" and method == "POST":
            return await self._created(params)
        if intent and method == "GET":
            return await self._intent(intent[1])
        if intent and intent[2] == "confirm":
            return await self._confirmed(intent[1], params)
        if intent and intent[2] == "cancel":
            return await self._in_state(intent[1], CANCELLABLE, "cancel", {})
        if intent and intent[2] == "capture":
            return await self._captured(intent[1], params)
        if intent:
            status, body = await self.ask("POST", path, params)
            return await self._dressed(status, body)
        if path == "/v1/refunds" and method == "POST":
            return await self._refunded(params)
        if path == "/v1/payment_methods" and method == "POST":
            return await self._method(params)
        return await self.ask(method, path, params)

    async def ask(self, method: str, path: str, params: Mapping[str, str] | None = None) -> Answer:
        headers = {"Authorization": f"Bearer {SECRET}"}
        sent = {"params": params} if method == "GET" else {"data": params}
        url = self.upstream + path
        async with self.session.request(method, url, headers=headers, **sent) as answer:
            return answer.status, await answer.json(content_type=None)

    async def _created(self, params: Params) -> Answer:
        amount, currency = int(params["amount"]), params["currency"]
        if currency in ("bhd", "jod", "kwd", "omr", "tnd") and amount % 10:
            return 400, _error("The last digit must be 0.", param="amount")
        if currency in ("isk", "ugx") and amount % 100:
            return 400, _error("No decimals.", param="amount")
        if currency == "usd" and amount < 50:
            return 400, _error("Too small.", code="amount_too_small", param="amount")
        if currency in ("cup", "irr", "kpw"):
            return 400, _error("Not supported.", param="currency")
        return await self._dressed(*await self.ask("POST", "/v1/payment_intents", params))

    async def _intent(self, name: str) -> Answer:
        return await self._dressed(*await self.ask("GET", f"/v1/payment_intents/{name}"))

    async def _dressed(self, status: int, body: dict[str, Any]) -> Answer:
        if status == 404:
            return 404, _error("No such payment_intent.", code="resource_missing", param="intent")
        if status != 200:
            return status, body
        attempt = body["metadata"].get("attempt")
        if attempt and body["id"] not in self.attempts.setdefault(attempt, []):
            self.attempts[attempt].append(body["id"])
        more = self.more.setdefault(body["id"], {})
        body["setup_future_usage"] = more.get("setup_future_usage")
        charge = body.get("latest_charge") or {}
        paid = charge.get("status") == "succeeded" and charge.get("captured")
        body["amount_received"] = (more.get("captured") or body["amount"]) if paid else 0
        if body["status"] == "requires_action" and more.get("return_url"):
            redirect = {"url": f"{self.url}/3ds/{body['id']}", "return_url": more["return_url"]}
            body["next_action"] = {"type": "redirect_to_url", "redirect_to_url": redirect}
        if more.get("error") and body["last_payment_error"]:
            body["last_payment_error"] = more["error"]
        if body["status"] in ("succeeded", "requires_capture") and more.get("setup_future_usage"):
            await self._attached(body, more)
        return 200, body

    async def _attached(self, body: dict[str, Any], more: dict[str, Any]) -> None:
        if body["customer"] and not more.get("attached"):
            more["attached"] = True
            path = f"/v1/payment_methods/{body['payment_method']}/attach"
            assert (await self.ask("POST", path, {"customer": body["customer"]}))[0] == 200

    async def _in_state(
        self, name: str, states: tuple[str, ...], verb: str, params: Params
    ) -> Answer:
        status, body = await self._intent(name)
        if status != 200:
            return status, body
        if body["status"] not in states:
            return 400, _error("Wrong state.", code="payment_intent_unexpected_state")
        path = f"/v1/payment_intents/{name}/{verb}"
        return await self._dressed(*await self.ask("POST", path, params))

    async def _confirmed(self, name: str, params: Params) -> Answer:
        status, body = await self._intent(name)
        if status != 200:
            return status, body
        if params.get("client_secret", body["client_secret"]) != body["client_secret"]:
            return 401, _error("The client secret is wrong.")
        if body["status"] not in CONFIRMABLE:
            return 400, _error("Wrong state.", code="payment_intent_unexpected_state")
        method = await self._method_of(params) or body["payment_method"]
        problem = await self._unusable(method, body)
        if problem:
            return 400, problem
        self.more[name].update(
            {k: params[k] for k in ("return_url", "setup_future_usage") if k in params}
        )
        await self.ask("POST", f"/v1/payment_intents/{name}", {"payment_method": method})
        status, body = await self.ask("POST", f"/v1/payment_intents/{name}/confirm")
        if status == 402:
            return 402, {"error": self._decline(name, method, body["error"])}
        return await self._dressed(status, body)

    async def _method_of(self, params: Params) -> str:
        token = params.get("payment_method_data[card][token]")
        if token:
            status, body = await self.ask("GET", f"/v1/tokens/{token}")
            return str(body["card"]["id"]) if status == 200 else token
        return params.get("payment_method", "")

    async def _unusable(self, method: str, intent: dict[str, Any]) -> dict[str, Any] | None:
        if not method:
            return _error("No payment method.", code="payment_intent_unexpected_state")
        status, body = await self.ask("GET", f"/v1/payment_methods/{method}")
        if status != 200:
            return _error("No such one.", code="resource_missing", param="payment_method")
        if body["customer"] and body["customer"] != intent["customer"]:
            return _error("It belongs to a customer.", param="payment_method")
        return None

    def _decline(self, name: str, method: str, error: dict[str, Any]) -> dict[str, Any]:
        code, reason = self.declines.get(method, ("card_declined", "generic_decline"))
        error |= {"type": "card_error", "code": code}
        if reason:
            error["decline_code"] = reason
        self.more[name]["error"] = error
        return error

    async def _captured(self, name: str, params: Params) -> Answer:
        status, body = await self._intent(name)
        amount = int(params.get("amount_to_capture") or body.get("amount", 0))
        if status != 200:
            return status, body
        if amount > body["amount"]:
            return 400, _error("Too much.", code="amount_too_large", param="amount_to_capture")
        before = self.more[name].get("captured")
        self.more[name]["captured"] = amount
        answer = await self._in_state(name, ("requires_capture",), "capture", params)
        if answer[0] != 200:
            self.more[name]["captured"] = before
        return answer

    async def _refunded(self, params: Params) -> Answer:
        status, body = await self._intent(params["payment_intent"])
        if status != 200 or body["status"] != "succeeded":
            return 400, _error("Nothing to refund.", param="payment_intent")
        made = await self.refunds(body["id"])
        left = body["amount_received"] - sum(refund["amount"] for refund in made)
        if left == 0:
            return 400, _error("Refunded before.", code="charge_already_refunded")
        if int(params.get("amount", left)) > left:
            return 400, _error("More than is left.", param="amount")
        return await self.ask("POST", "/v1/refunds", params)

    async def _method(self, params: Params) -> Answer:
        number = params.get("card[number]", "")
        if number in _DECLINES:
            params["card[number]"] = _ALWAYS_DECLINED
        status, body = await self.ask("POST", "/v1/payment_methods", params)
        if status == 200 and number in _DECLINES:
            self.declines[body["id"]] = _DECLINES[number]
        return status, body

    async def _searched(self, params: Params) -> Answer:
        asked = re.fullmatch(r"metadata\['attempt'\]:'(\w+)'", params["query"])
        assert asked, params
        found = [(await self._intent(name))[1] for name in self.attempts.get(asked[1], [])]
        return 200, {"object": "search_result", "data": found, "has_more": False}

    # --- what the tests know from the ledger -----------------------------------------------------

    async def intents(self, attempt_id: str) -> list[dict[str, Any]]:
        return [(await self._intent(name))[1] for name in self.attempts.get(attempt_id, [])]

    async def charges(self, attempt_id: str) -> list[dict[str, Any]]:
        """Charges of localstripe that were not refused, each with its intent as `intent`."""
        intents = {intent["id"]: intent for intent in await self.intents(attempt_id)}
        _, listed = await self.ask("GET", "/v1/charges", {"limit": "100"})
        assert not listed["has_more"]
        return [
            charge | {"intent": intents[charge["payment_intent"]]}
            for charge in listed["data"]
            if charge["payment_intent"] in intents and charge["status"] == "succeeded"
        ]

    async def refunds(self, intent: str) -> list[dict[str, Any]]:
        """Without those that localstripe makes of what a capture left over."""
        if not (await self.ask("GET", f"/v1/payment_intents/{intent}"))[1].get("latest_charge"):
            return []
        sent = {"payment_intent": intent, "limit": "100"}
        _, listed = await self.ask("GET", "/v1/refunds", sent)
        return [refund for refund in listed["data"] if refund["payment_intent"]]

    async def authenticate(self, intent: str, client_secret: str, *, agree: bool) -> int:
        """The shopper at the bank's page."""
        sent = {"client_secret": client_secret, "success": str(agree).lower()}
        path = f"/v1/payment_intents/{intent}/_authenticate"
        return (await self.ask("POST", path, sent))[0]


def _error(message: str, type: str = "invalid_request_error", **more: str) -> dict[str, Any]:
    return {"error": {"type": type, "message": message, **more}}


def _response(answer: Answer, headers: Mapping[str, str] | None = None) -> web.Response:
    status, body = answer
    return web.json_response(
        body, status=status, headers={"Request-Id": "req_front1", **(headers or {})}
    )


@asynccontextmanager
async def front(upstream: str) -> AsyncIterator[Front]:
    """A front with an empty localstripe behind it."""
    async with aiohttp.ClientSession() as session:
        async with session.delete(f"{upstream}/_config/data") as answer:
            assert answer.status == 200
        made = Front(upstream, session)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", made.handle)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield made
        finally:
            await runner.cleanup()
