"""Speaks to Acme for the shop, and keeps what `checkstand.payments.gateway` promises.

Acme names a payment as its merchant does, so ours is named by the attempt's id: asking twice finds
the first. Where a provider has idempotency keys instead, derive them from the same id.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx2

from checkstand.errors import WebhookRefused
from checkstand.kit.money import Money
from checkstand.payments.gateway import Context, Description, Due, House, Notice
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

_log = logging.getLogger(__name__)
_TOKEN = re.compile(r"tok_[a-z0-9_]{1,60}")
_SESSION = re.compile(r"ses_[0-9a-f]{16}")
_TOLERANCE = 300.0  # seconds


class Silent(Exception):
    """No answer, or none that can be read: money may or may not have moved."""


class KeyRefused(Silent):
    """Acme does nothing for our key. What it did before is still done."""


class AcmeGateway:
    def __init__(
        self,
        *,
        api_base: str,
        secret_key: str,
        publishable_key: str,
        webhook_secret: str,
        reserves: bool,
        timeout: float,
        house: House,
    ) -> None:
        self.timeout = timeout
        self._publishable_key = publishable_key
        self._secret_key = secret_key
        self._webhook_secret = webhook_secret
        self._reserves = reserves
        self._house = house
        # One charge is at most two requests: together they must end within `timeout`.
        self._http = httpx2.AsyncClient(
            base_url=api_base,
            headers={"Authorization": f"Bearer {secret_key}"},
            timeout=timeout / 2.5,
            verify=_tls(),
        )

    @property
    def description(self) -> Description:
        return Description(
            id="acme",
            title="Acme",
            description="Pay by card with Acme.",
            method_title="Acme",
            method_description="Cards by Acme.",
            supports=("products", "refunds"),
            has_fields=True,
            test_mode=self._secret_key.startswith("sk_test_"),
            storefront={"publishable_key": self._publishable_key},
        )

    async def context(self, due: Due) -> Context:
        """A session at Acme that the browser can pay: of this amount, tied to this cart."""
        body = {**_sum(due.amount), "binding": due.binding, "expires": due.expires_at.isoformat()}
        session = due.reference if _SESSION.fullmatch(due.reference) else ""
        if not session or (await self._ask("GET", f"/sessions/{session}")).status_code != 200:
            made = await self._ask("PUT", f"/sessions/{due.request_key}", body)
            session = str(_body(made)["id"])
        return Context({"public_key": self._publishable_key, "acme_session": session}, session)

    def browser_payment(self, payment: Mapping[str, Any]) -> str:
        session = payment.get("acme_session")
        return session if isinstance(session, str) and _SESSION.fullmatch(session) else ""

    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        body = {**_sum(attempt.amount), "capture": not self._reserves}
        token = payment.get("token")
        if _SESSION.fullmatch(attempt.reference):
            if not await self._pays_for(attempt):
                return _declined("session_mismatch", "This payment was begun for another order.")
            body["session"] = attempt.reference
        elif isinstance(token, str) and _TOKEN.fullmatch(token):
            body |= {"token": token, "return_url": attempt.return_url}
        elif attempt.reference:  # continued after an action: it is there already
            return self._outcome(attempt, await self._ask("GET", f"/payments/{attempt.id}"))
        else:
            return _declined("missing_token", "Send `token` as Acme's script made it: tok_….")
        try:
            answer = await self._ask("PUT", f"/payments/{attempt.id}", body)
        except KeyRefused:
            if attempt.repeated:  # the time before, the key may have been good
                raise
            return _declined("configuration_error", "This way to pay is not available right now.")
        if answer.status_code == 422:
            code = str(_body(answer).get("code", "refused"))
            return _declined(code, "Acme does not take this payment.")
        return self._outcome(attempt, answer)

    async def lookup(self, attempt: Attempt) -> Outcome:
        """What Acme has never heard of is cancelled there, so that it cannot come later."""
        answer = await self._ask("GET", f"/payments/{attempt.id}")
        if answer.status_code == 404:
            answer = await self._ask("POST", f"/payments/{attempt.id}/cancel")
        return self._outcome(attempt, answer)

    async def capture(self, attempt: Attempt, amount: Money) -> Outcome:
        answer = await self._ask("POST", f"/payments/{attempt.id}/capture", _sum(amount))
        if answer.status_code == 409:
            if _body(answer).get("code") == "already_captured":
                return _declined("already_captured", "Another amount was captured before.")
            return _declined("not_reserved", "So much is not reserved at Acme.")
        return self._outcome(attempt, answer)

    async def void(self, attempt: Attempt) -> Outcome:
        answer = await self._ask("POST", f"/payments/{attempt.id}/cancel")
        outcome = self._outcome(attempt, answer)
        match outcome:
            case Approved():
                return _declined("already_captured", "The money was taken; it can be refunded.")
            case Declined():  # nothing is held, now or before
                return Approved(Funds.RETURNED, attempt.id)
            case _:
                return outcome

    async def refund(self, refund: Refund) -> Outcome:
        path = f"/payments/{refund.attempt.id}/refunds/{refund.id}"
        answer = await self._ask("PUT", path, _sum(refund.amount))
        if answer.status_code == 409:
            return _declined("more_than_captured", "More than is left of the payment.")
        if answer.status_code == 200 and _body(answer).get("id") == refund.id:
            return Approved(Funds.RETURNED, refund.id)
        raise Silent(f"status {answer.status_code}")

    async def parse_webhook(self, raw: bytes, headers: Mapping[str, str]) -> Notice | None:
        signed_at = headers.get("acme-timestamp", "")
        made = hmac.new(self._webhook_secret.encode(), signed_at.encode() + b"." + raw, "sha256")
        if not hmac.compare_digest(
            made.hexdigest().encode(), headers.get("acme-signature", "").encode()
        ):
            raise WebhookRefused
        # Signed by Acme, so it is a time and it is JSON.
        if abs(self._house.clock.now().timestamp() - int(signed_at)) > _TOLERANCE:
            raise WebhookRefused
        event = json.loads(raw)
        if not event["type"].startswith("payment."):
            return None
        return Notice(event["id"], event["type"], attempt_id=event["payment"])

    def complaints(self) -> list[str]:
        keys = (self._secret_key.startswith("sk_test_"), self._publishable_key[:8] == "pk_test_")
        if keys[0] != keys[1]:
            return ["one key is for tests and the other is not: take a pair."]
        return []

    async def close(self) -> None:
        await self._http.aclose()

    async def _pays_for(self, attempt: Attempt) -> bool:
        """Whether the session that a browser names was made for this cart, for this much."""
        answer = await self._ask("GET", f"/sessions/{attempt.reference}")
        if answer.status_code != 200:
            if attempt.repeated:  # it may have been paid by it, and be gone since
                raise Silent("no such session any more")
            return False
        session = _body(answer)
        due = {**_sum(attempt.amount), "binding": attempt.binding}
        return bool(attempt.binding) and all(session.get(k) == due[k] for k in due)

    async def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> httpx2.Response:
        """Acme's answer when it says something about what was asked; Silent for anything else."""
        try:
            answer = await self._http.request(method, path, json=body)
        except httpx2.HTTPError as error:
            raise Silent(type(error).__name__) from None
        if answer.status_code in (401, 403):
            _log.error("Acme refuses the secret key of gateways.more.acme")
            raise KeyRefused
        if answer.status_code not in (200, 404, 409, 422):
            raise Silent(f"status {answer.status_code}")
        return answer

    def _outcome(self, attempt: Attempt, answer: httpx2.Response) -> Outcome:
        """What a payment says of itself. What is not understood is Unknown, never a decline."""
        if answer.status_code != 200:
            return Unknown(f"status {answer.status_code}")
        payment = _body(answer)
        match payment.get("status"):
            case "captured":
                part = _part(attempt, payment["captured"])
                return Approved(Funds.CAPTURED, str(payment["id"]), captured=part)
            case "authorised":
                return Approved(Funds.AUTHORISED, str(payment["id"]))
            case "waiting":
                return NeedsAction(str(payment["page"]), reference=str(payment["id"]))
            case "declined":
                return _declined(str(payment["code"]), "The bank declined this payment.")
            case "cancelled":
                return _declined("cancelled", "This payment was cancelled. Please try again.")
            case _:
                return Unknown("a status that we do not know")


@cache
def _tls() -> ssl.SSLContext:
    """Made once: reading all certificates takes longer than a charge."""
    return httpx2.create_ssl_context()


def _sum(amount: Money) -> dict[str, Any]:
    """Acme takes major units with exactly the decimals of ISO 4217: "19.99", "500", "1.234". A shop
    may keep its prices with fewer."""
    return {"amount": amount.in_iso().decimal(), "currency": amount.currency.code}


def _part(attempt: Attempt, minor: int) -> Money | None:
    """What Acme has taken, which it tells in minor units of ISO 4217; None for all of it. What the
    shop has no decimals for is left out, so that it never gives back more than was taken."""
    whole = attempt.amount.in_iso().minor
    if minor == whole:
        return None
    return attempt.amount.currency.money(minor * attempt.amount.minor // whole)


def _body(answer: httpx2.Response) -> dict[str, Any]:
    try:
        read = answer.json()
    except ValueError:
        raise Silent("not JSON") from None
    if not isinstance(read, dict):
        raise Silent("not an object")
    return read


def _declined(code: str, message: str) -> Declined:
    return Declined(message, {"code": code, "message": message})
