"""A provider for tests that needs no account and no network: the token says what will happen.

It keeps a ledger of its own in the shop's database, apart from the shop's: what became of a payment
is asked there as at any other provider, and may differ from what the shop was told.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from checkstand.errors import WebhookRefused
from checkstand.kit.money import Currency, Money
from checkstand.payments.gateway import Context, Description, Due, House, Notice
from checkstand.payments.gateways import taken
from checkstand.payments.gateways.sandbox_tokens import (
    SCENARIOS,
    SLOW_SECONDS,
    Answer,
    Scenario,
    chosen,
    is_saved,
)
from checkstand.payments.model import (
    Approved,
    Attempt,
    Declined,
    Funds,
    NeedsAction,
    Outcome,
    Refund,
    SavedMethod,
    Unknown,
)
from checkstand.payments.store.sandbox import Played, State

SIGNATURE_HEADER = "checkstand-sandbox-signature"
TOLERANCE = 300.0  # seconds
_SIGNATURE = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")
_LONGEST_WEBHOOK = 65_536  # bytes
_NAME = re.compile(r"[\w.:-]{1,200}", re.ASCII)
_TRUE = (True, 1, "1", "true", "yes", "on")


class Ledger(Protocol):
    """What the sandbox, as a provider, knows. See store.sandbox.SandboxLedger."""

    async def open(self, payment: Played) -> Played: ...

    async def void(self, payment: Played) -> Played: ...

    async def capture(self, attempt_id: str, amount: Money) -> Played | None: ...

    async def refund(self, attempt_id: str, refund_id: str, amount: Money) -> Played | None: ...

    async def decide(self, payment_id: str, *, agree: bool) -> Played | None: ...

    async def find(self, payment_id: str) -> Played | None: ...


def gateway(
    *,
    title: str,
    description: str,
    capture: str,
    webhook_secret: str,
    ledger: Ledger,
    house: House,
    timeout: float,
) -> SandboxGateway:
    """`capture` is `automatic` or `manual`; `timeout` in seconds."""
    return SandboxGateway(
        description=Description(
            id="sandbox",
            title=title or "Test payment",
            description=description or "No money moves. The test token says what happens.",
            method_title="Sandbox",
            method_description="Plays a payment provider. The token chooses the outcome.",
            supports=("products", "refunds", "tokenization"),
            has_fields=True,
            test_mode=True,
            storefront={"environment": "sandbox"},
        ),
        ledger=ledger,
        house=house,
        timeout=timeout,
        reserves=capture == "manual",
        webhook_secret=webhook_secret,
    )


@dataclass(frozen=True, slots=True)
class SandboxGateway:
    description: Description
    ledger: Ledger
    house: House
    timeout: float
    reserves: bool = False
    webhook_secret: str = field(default="", repr=False)

    async def context(self, due: Due) -> Context:
        """Nothing has to be prepared; the test tokens are told."""
        return Context({"environment": "sandbox", "test_tokens": list(SCENARIOS)})

    def browser_payment(self, payment: Mapping[str, Any]) -> str:
        """Browsers begin nothing here."""
        return ""

    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        token = self._saved_token(attempt, payment) or chosen(payment)
        scenario = SCENARIOS.get(token)
        async with asyncio.timeout(self.timeout):
            if scenario is None:
                # Also who comes back from the page without a token: then the payment is there.
                begun = await self.ledger.open(self._payment(attempt, "declined"))
                return self._outcome(attempt, begun)
            if scenario.answer is Answer.SLOW:
                await self._wait()
            if scenario.state is None:
                return await self._unheard(scenario)
            begun = await self.ledger.open(self._payment(attempt, scenario.state, token))
            if begun.begun_now and scenario.answer is Answer.TIMEOUT:
                await self._wait()
                return Unknown("the sandbox was told to be silent")
            if begun.begun_now and scenario.answer is Answer.ERROR:
                return Unknown("the sandbox was told to fail", begun.id if scenario.late else "")
            return self._outcome(attempt, begun, self._to_save(attempt, payment, begun))

    async def lookup(self, attempt: Attempt) -> Outcome:
        """What was never begun is void from now on: should it still come, it is too late."""
        async with asyncio.timeout(self.timeout):
            found = await self.ledger.open(self._payment(attempt, "void"))
            return self._outcome(attempt, found)

    async def capture(self, attempt: Attempt, amount: Money) -> Outcome:
        async with asyncio.timeout(self.timeout):
            found = await self.ledger.capture(attempt.id, amount.in_iso())
        if found is None or found.state != "approved":
            return _refused("nothing_reserved", "There is no reserved payment of this attempt.")
        if not found.captured:
            return _refused("amount_too_large", "So much is not reserved.")
        return taken.as_asked(_captured(attempt, found), attempt, amount)

    async def void(self, attempt: Attempt) -> Outcome:
        async with asyncio.timeout(self.timeout):
            found = await self.ledger.void(self._payment(attempt, "void"))
        if found.state == "approved":
            return _refused("already_captured", "The money was taken; it can be refunded.")
        return Approved(Funds.RETURNED, found.id)

    async def refund(self, refund: Refund) -> Outcome:
        async with asyncio.timeout(self.timeout):
            found = await self.ledger.refund(refund.attempt.id, refund.id, refund.amount.in_iso())
        if found is None:
            return _refused("charge_unknown", "The sandbox took no such payment.")
        if found.refunds.get(refund.id) != refund.amount.in_iso().minor:
            return _refused("amount_too_large", "More than is left of the captured amount.")
        return Approved(Funds.RETURNED, refund.id)

    async def parse_webhook(self, raw: bytes, headers: Mapping[str, str]) -> Notice | None:
        """Signed as docs/howto/test-with-the-sandbox.md shows."""
        self._verify(raw, headers.get(SIGNATURE_HEADER, ""))
        try:
            told = json.loads(raw)
        except (ValueError, RecursionError):
            raise WebhookRefused("The webhook is not JSON.") from None
        if not isinstance(told, dict):
            raise WebhookRefused("The webhook is not a JSON object.")
        kind = _name(told, "type")
        if not kind.startswith("payment."):
            return None
        attempt_id, reference = _name(told, "attempt_id"), _name(told, "payment_id")
        event = _name(told, "id")
        if not event or not (attempt_id or reference):
            raise WebhookRefused("The webhook has no `id`, or no `attempt_id` nor `payment_id`.")
        return Notice(event, kind, attempt_id, reference)

    def complaints(self) -> list[str]:
        if len(self.webhook_secret) < 4:
            return [
                "webhook_secret is shorter than 4 characters: give it a longer one, or leave it "
                "out for the usual `sandbox`."
            ]
        return []

    async def close(self) -> None: ...

    # --- the page that a shopper is sent to ------------------------------------------------------

    async def waiting(self, payment_id: str) -> Played | None:
        """The payment that the page is about; None when there is none of that id."""
        return await self.ledger.find(payment_id)

    async def decide(self, payment_id: str, *, agree: bool) -> Played | None:
        """The shopper's decision; without effect once the payment no longer waits for it."""
        return await self.ledger.decide(payment_id, agree=agree)

    # --- inside ----------------------------------------------------------------------------------

    def _payment(self, attempt: Attempt, state: State, token: str = "") -> Played:
        scenario = SCENARIOS.get(token)
        now = self.house.clock.now()
        at_once = state == "approved" and not self.reserves
        due = attempt.amount.in_iso()
        return Played(
            id=f"sbx_{secrets.token_hex(16)}",
            attempt_id=attempt.id,
            token=token,
            state=state,
            amount=due.minor,
            currency=due.currency.code,
            visible_at=now + timedelta(seconds=scenario.late if scenario else 0),
            created_at=now,
            authorised_only=self.reserves,
            captured=due.minor if at_once else 0,
            return_url=attempt.return_url,
        )

    def _outcome(
        self, attempt: Attempt, payment: Played, saved: SavedMethod | None = None
    ) -> Outcome:
        if payment.visible_at > self.house.clock.now():
            return Unknown("the sandbox does not tell yet", payment.id)
        match payment.state:
            case "approved":
                if payment.captured:
                    return _captured(attempt, payment, saved)
                return Approved(Funds.AUTHORISED, payment.id, saved)
            case "requires_action":
                page = f"{self.house.base_url}/sandbox/pay/{payment.id}"
                return NeedsAction(page, reference=payment.id)
            case "declined":
                return _declined(payment.token)
            case "void":
                return _refused("payment_cancelled", "This payment was cancelled. Please try again")

    async def _wait(self) -> None:
        await asyncio.sleep(min(SLOW_SECONDS, self.timeout / 2))

    async def _unheard(self, scenario: Scenario) -> Unknown:
        """Nothing is written: the request was lost on its way here."""
        if scenario.answer is Answer.TIMEOUT:
            await self._wait()
        return Unknown("the sandbox was told to have heard nothing")

    def _saved_token(self, attempt: Attempt, payment: Mapping[str, Any]) -> str:
        """A saved card is charged like tok_success, for the customer that it was saved for."""
        if (
            attempt.customer_id is not None
            and is_saved(payment.get("saved_token"))
            and payment.get("saved_customer") == _customer(attempt.customer_id)
        ):
            return "tok_success"
        return ""

    def _to_save(
        self, attempt: Attempt, payment: Mapping[str, Any], charged: Played
    ) -> SavedMethod | None:
        asked = payment.get("save_payment_method") in _TRUE or bool(
            payment.get("setup_future_usage")
        )
        if not asked or attempt.customer_id is None or charged.state != "approved":
            return None
        token = "card_" + hashlib.sha256(charged.id.encode()).hexdigest()[:24]
        customer = _customer(attempt.customer_id)
        return SavedMethod(token, "Visa ending in 4242", expires="12/2034", customer=customer)

    def _verify(self, raw: bytes, signature: str) -> None:
        """WebhookRefused unless it was signed with the secret within five minutes from now."""
        signed = _SIGNATURE.fullmatch(signature) if len(signature) < 200 else None
        if signed is None or len(raw) > _LONGEST_WEBHOOK:
            raise WebhookRefused
        expected = sign(self.webhook_secret, int(signed[1]), raw)
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise WebhookRefused
        if abs(self.house.clock.now().timestamp() - int(signed[1])) > TOLERANCE:
            raise WebhookRefused


def sign(secret: str, at: int, raw: bytes) -> str:
    """The signature header of a webhook that is sent `at` (Unix seconds)."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + raw, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def _captured(attempt: Attempt, found: Played, saved: SavedMethod | None = None) -> Approved:
    minor = Currency.of(found.currency).money(found.captured)
    return taken.captured(attempt, found.id, minor.major(), saved)


def _declined(token: str) -> Declined:
    scenario = SCENARIOS.get(token)
    if scenario is None:
        return Declined(
            "This shop takes test payments only. Please choose one of its test tokens.",
            {
                "code": "unknown_token",
                "message": f"Send `token` as one of: {', '.join(SCENARIOS)}.",
            },
        )
    if not scenario.code:
        return _refused("authentication_failed", "The payment was not agreed to.")
    return Declined(
        scenario.message,
        {
            "code": scenario.code,
            "message": scenario.message,
            "decline_code": scenario.decline_code,
        },
    )


def _refused(code: str, message: str) -> Declined:
    return Declined(message, {"code": code, "message": message})


def _customer(customer_id: int) -> str:
    return f"sandbox_customer_{customer_id}"


def _name(told: Mapping[str, Any], key: str) -> str:
    value = told.get(key, "")
    return value if isinstance(value, str) and _NAME.fullmatch(value) else ""
