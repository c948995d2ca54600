"""The shop's side of the provider: an adapter as any other, and as short as one can be."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import ssl
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import httpx2

from checkstand.errors import WebhookRefused
from checkstand.kit.clock import Clock
from checkstand.kit.money import Money
from checkstand.payments.gateway import Context, Description, Due, Notice
from checkstand.payments.model import (
    Approved,
    Attempt,
    Declined,
    Funds,
    NeedsAction,
    Outcome,
    Refund,
    Unknown,
)
from checkstand.testing.peer import Fault
from checkstand.testing.provider.ledger import ACTION, APPROVED

SECRET = "whsec_of_the_played_provider"  # noqa: S105
SIGNATURE = "played-signature"
_TOLERANCE = 300  # seconds
_SIGNED = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")
_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")


class ProviderGateway:
    """`fault` meets the next request that moves money."""

    def __init__(self, url: str, clock: Clock, timeout: float) -> None:
        self.timeout = timeout
        self.fault: Fault | None = None
        self._clock = clock
        self.trusted = _trusted()
        self._http = httpx2.AsyncClient(base_url=url, timeout=timeout * 0.9, verify=self.trusted)

    @property
    def description(self) -> Description:
        return Description(
            id="played",
            title="Card",
            description="",
            method_title="Played provider",
            method_description="",
            supports=("products", "refunds"),
            has_fields=True,
            test_mode=True,
        )

    async def context(self, due: Due) -> Context:
        return Context({"public_key": "pk_test_played"})

    def browser_payment(self, payment: Mapping[str, Any]) -> str:
        return _name(payment.get("payment_id"))

    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        token = _name(payment.get("token"))
        if attempt.reference and not token:
            return await self._continued(attempt)
        if not token:
            return _declined("token_required")
        return await self._paid(attempt, token, "")

    async def _continued(self, attempt: Attempt) -> Outcome:
        return await self._paid(attempt, "", attempt.reference)

    async def _paid(self, attempt: Attempt, token: str, reference: str) -> Outcome:
        if len(attempt.reference) > len("pay_") + 32:
            return _declined("not_found")
        asked = {
            "id": attempt.id,
            "token": token,
            "reference": reference,
            "amount": attempt.amount.in_iso().minor,
            "currency": attempt.amount.currency.code,
            "binding": attempt.binding,
        }
        return _outcome(await self._moved("pay", asked), attempt)

    async def lookup(self, attempt: Attempt) -> Outcome:
        found = await self._asked("find", {"name": attempt.id}, None)
        if isinstance(found, Unknown):
            return found
        if found.get("state") in (APPROVED, ACTION):
            return _outcome(found, attempt)
        return _outcome(await self._closed(attempt), attempt)

    async def _closed(self, attempt: Attempt) -> dict[str, Any] | Unknown:
        asked = {"id": attempt.id, "reference": attempt.reference}
        return await self._moved("close", asked)

    async def capture(self, attempt: Attempt, amount: Money) -> Outcome:
        found = await self.lookup(attempt)  # everything is captured at once
        if isinstance(found, Approved) and amount != attempt.amount:
            return _declined("already_captured")
        return found

    async def void(self, attempt: Attempt) -> Outcome:
        closed = await self._closed(attempt)
        if isinstance(closed, Unknown):
            return closed
        if closed.get("state") == APPROVED:
            return _declined("already_paid")
        return Approved(Funds.RETURNED)

    async def refund(self, refund: Refund) -> Outcome:
        asked = {
            "name": refund.attempt.id,
            "refund_id": refund.id,
            "amount": refund.amount.in_iso().minor,
        }
        done = await self._moved("refund", asked)
        if isinstance(done, Unknown):
            return done
        if "code" in done:
            return _declined(done["code"])
        return Approved(Funds.RETURNED, f"back_{refund.id}")

    async def parse_webhook(self, raw: bytes, headers: Mapping[str, str]) -> Notice | None:
        signature = headers.get(SIGNATURE, "")
        signed = _SIGNED.fullmatch(signature) if len(signature) < 200 else None
        if signed is None or len(raw) > 10_000:
            raise WebhookRefused
        if not hmac.compare_digest(sign(int(signed[1]), raw).encode(), signature.encode()):
            raise WebhookRefused
        if abs(self._clock.now().timestamp() - int(signed[1])) > _TOLERANCE:
            raise WebhookRefused
        try:
            told = json.loads(raw)
        except ValueError:
            raise WebhookRefused from None
        if not isinstance(told, dict) or not _name(told.get("id")):
            raise WebhookRefused
        attempt_id, reference = _name(told.get("payment")), _name(told.get("reference"))
        if not attempt_id and not reference:
            return None
        return Notice(told["id"], "payment", attempt_id, reference)

    def complaints(self) -> list[str]:
        return []

    async def close(self) -> None:
        await self._http.aclose()

    async def _moved(self, what: str, said: dict[str, Any]) -> dict[str, Any] | Unknown:
        fault, self.fault = self.fault, None
        return await self._asked(what, said, fault)

    async def _asked(
        self, what: str, said: dict[str, Any], fault: Fault | None
    ) -> dict[str, Any] | Unknown:
        headers = {"x-fault": fault.value} if fault else {}
        try:
            answer = await self._http.post(f"/{what}", json=said, headers=headers)
            if answer.status_code >= 500:
                return Unknown(f"HTTP {answer.status_code}")
            told: dict[str, Any] = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            return Unknown(type(error).__name__)
        return told


def _outcome(told: dict[str, Any] | Unknown, attempt: Attempt) -> Outcome:
    if isinstance(told, Unknown):
        return told
    if "code" in told:
        return _declined(told["code"])
    if told["state"] == APPROVED:
        if (told["amount"], told["currency"]) != (
            attempt.amount.in_iso().minor,
            attempt.amount.currency.code,
        ):
            return _declined("not_for_this")
        return Approved(Funds.CAPTURED, told["reference"])
    if told["state"] == ACTION:
        return NeedsAction(
            f"https://bank.example/confirm/{told['reference']}", reference=told["reference"]
        )
    short = told["token"] == "tok_insufficient_funds"  # noqa: S105
    return _declined("insufficient_funds" if short else told["state"])


def _declined(code: str) -> Declined:
    text = f"The payment was not made ({code.replace('_', ' ')})."
    return Declined(text, {"code": code, "message": text})


def _name(value: Any) -> str:
    return value if isinstance(value, str) and _NAME.fullmatch(value) else ""


def sign(at: int, raw: bytes) -> str:
    """The signature of a webhook that is sent `at` (Unix seconds)."""
    digest = hmac.new(SECRET.encode(), f"{at}.".encode() + raw, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """Kept: to make one takes a tenth of a second, and the proofs make many clients."""
    return httpx2.create_ssl_context()
