"""Cards by Stripe: Payment Intents with the official SDK."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any

import stripe

from checkstand.errors import PaymentMethodUnknown, ProviderSilent
from checkstand.kit.crypto import same
from checkstand.kit.money import Money
from checkstand.payments.gateway import Context, Description, Due, House, Notice
from checkstand.payments.gateways import taken
from checkstand.payments.gateways.stripe import declines, intents, keys, spellings, webhooks
from checkstand.payments.gateways.stripe.amounts import NotTaken, stripe_amount
from checkstand.payments.gateways.stripe.api import Api, detail, named, was_replayed
from checkstand.payments.gateways.stripe.conversation import Conversation, Over
from checkstand.payments.gateways.stripe.intents import BINDING, Intent, Unreadable
from checkstand.payments.gateways.stripe.keys import Keys
from checkstand.payments.model import Approved, Attempt, Funds, Outcome, Refund, Unknown

_log = logging.getLogger(__name__)
_HANDED_OUT_AGAIN = (
    "requires_payment_method",
    "requires_confirmation",
    "requires_action",
    "processing",
    "requires_capture",
    "succeeded",
)


@dataclass(frozen=True, slots=True)
class StripeGateway:
    api: Api
    keys: Keys
    description: Description
    house: House
    manual: bool
    timeout: float
    api_base: str = ""

    async def context(self, due: Due) -> Context:
        """A PaymentIntent for the cart. One that the browser has paid already is handed out again
        too, so that a page that was loaded anew does not let the shopper pay twice."""
        try:
            amount = stripe_amount(due.amount)
            async with asyncio.timeout(self._deadline):
                intent = await self._reusable(due, amount) or await self._prepared(due, amount)
        except NotTaken as error:
            raise PaymentMethodUnknown(
                f"This payment method cannot take this amount: {error.reason}."
            ) from None
        except stripe.InvalidRequestError as error:
            raise _refused(error) from None
        except (stripe.StripeError, Unreadable, TimeoutError) as error:
            reason = named(error) if isinstance(error, stripe.StripeError) else str(error)
            _log.error("no payment context from Stripe: %s", reason)
            raise ProviderSilent(retry_after=5) from None
        fields = {
            "client_secret": intent.client_secret,
            "payment_intent_id": intent.id,
            "public_key": self.keys.publishable if self.keys.shown else "",
        }
        return Context(fields, intent.id)

    async def _reusable(self, due: Due, amount: int) -> Intent | None:
        if not due.reference:
            return None
        try:
            intent = await self.api.retrieve(due.reference)
        except stripe.InvalidRequestError:
            return None
        fits = intent.amount == amount and intent.currency == due.amount.currency.code
        free = intent.status in _HANDED_OUT_AGAIN and not intent.attempt_id
        return intent if fits and free and same(intent.binding, due.binding) else None

    async def _prepared(self, due: Due, amount: int) -> Intent:
        params = {
            "amount": amount,
            "currency": due.amount.currency.code.lower(),
            "capture_method": "manual" if self.manual else "automatic",
            "payment_method_types": ["card"],
            "metadata": {BINDING: due.binding},
        }
        # What is not usable any more was perhaps made under the same key.
        key = f"{due.request_key}-{due.reference}" if due.reference else due.request_key
        return await self.api.create(params, key)

    def browser_payment(self, payment: Mapping[str, Any]) -> str:
        return spellings.intent_of(payment)

    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        conversation = self._conversation(attempt)
        return await self._asked(conversation, conversation.charge(spellings.read(payment)))

    async def lookup(self, attempt: Attempt) -> Outcome:
        conversation = self._conversation(attempt)
        return await self._asked(conversation, conversation.lookup())

    async def void(self, attempt: Attempt) -> Outcome:
        conversation = self._conversation(attempt)
        return await self._asked(conversation, conversation.void())

    async def capture(self, attempt: Attempt, amount: Money) -> Outcome:
        conversation = self._conversation(attempt)
        return await self._asked(conversation, self._capture(conversation, amount))

    async def refund(self, refund: Refund) -> Outcome:
        """The reference that it is Unknown with is empty: a refund has one once it is made."""
        conversation = self._conversation(refund.attempt)
        outcome = await self._asked(conversation, self._refund(conversation, refund))
        return Unknown(outcome.reason) if isinstance(outcome, Unknown) else outcome

    async def parse_webhook(self, raw: bytes, headers: Mapping[str, str]) -> Notice | None:
        header = headers.get("stripe-signature", "")
        webhooks.verify(raw, header, self.keys.webhook, self.house.clock.now())
        return webhooks.notice(raw)

    def complaints(self) -> list[str]:
        return keys.complaints(self.keys, self.api_base)

    async def close(self) -> None:
        await self.api.close()

    def _conversation(self, attempt: Attempt) -> Conversation:
        return Conversation(
            self.api, attempt, self.manual, self.house.clock, reference=attempt.reference
        )

    @property
    def _deadline(self) -> float:
        """Seconds for all requests of one call together."""
        return self.timeout * 0.95

    async def _asked(self, conversation: Conversation, answer: Awaitable[Outcome]) -> Outcome:
        try:
            async with asyncio.timeout(self._deadline):
                return await answer
        except Over as over:
            return over.outcome
        except NotTaken as error:
            return declines.refused(error.code, f"{error.reason}.")
        except TimeoutError:
            return Unknown("no answer in time", conversation.reference)
        except Unreadable as error:
            return Unknown(str(error), conversation.reference)
        except stripe.StripeError as error:
            if isinstance(error, (stripe.AuthenticationError, stripe.PermissionError)):
                _log.error("Stripe refused the key: %s", named(error))
            return Unknown(named(error), conversation.reference)

    async def _capture(self, conversation: Conversation, amount: Money) -> Outcome:
        wanted = stripe_amount(amount)
        reference = await self._reference(conversation)
        refused = ""
        try:
            intent = await self.api.capture(reference, wanted)
        except stripe.InvalidRequestError as error:
            refused = named(error)
            intent = await self.api.retrieve(reference)
        if intent.status == "succeeded":
            approved = taken.captured(conversation.attempt, reference, intent.taken)
            return taken.as_asked(approved, conversation.attempt, amount)
        if intent.status == "canceled":
            text = "The reservation is over: it was voided, or has expired. Nothing was taken."
            return declines.refused("reservation_over", text)
        if refused and intent.status == "requires_capture":
            _log.error("Stripe refused to capture %s: %s", conversation.attempt.id, refused)
            text = "Stripe refused to take this amount; the log says more."
            return declines.refused("capture_refused", text)
        return Unknown(f"Stripe has it as {intent.status}"[:100], reference)

    async def _reference(self, conversation: Conversation) -> str:
        if not conversation.reference:
            await conversation.begun(first=False)
        return conversation.reference

    async def _refund(self, conversation: Conversation, refund: Refund) -> Outcome:
        reference = await self._reference(conversation)
        if refund.repeated:
            found = await self._refund_made(reference, refund)
            if found is not None:
                return _refunded(found)
        metadata = {intents.REFUND: refund.id, intents.ATTEMPT: refund.attempt.id}
        params = {
            "payment_intent": reference,
            "amount": stripe_amount(refund.amount),
            "metadata": metadata,
        }
        try:
            return _refunded(await self.api.refund(params, f"{refund.id}-refund"))
        except stripe.StripeError as error:
            refused = isinstance(error, stripe.InvalidRequestError)
            if not (refused or was_replayed(error) or isinstance(error, stripe.IdempotencyError)):
                raise
            found = await self._refund_made(reference, refund)
            if found is not None:
                return _refunded(found)
            if not refused:
                raise
            _log.error("Stripe refused the refund %s: %s", refund.id, named(error))
            code = str(detail(error).get("code") or "refund_refused")[:80]
            return declines.refused(code, "Stripe refused this refund; the log says more.")

    async def _refund_made(self, reference: str, refund: Refund) -> Mapping[str, Any] | None:
        for entry in await self.api.refunds(reference):
            metadata = entry.get("metadata")
            if isinstance(metadata, Mapping) and metadata.get(intents.REFUND) == refund.id:
                return entry
        return None


def _refused(error: stripe.InvalidRequestError) -> PaymentMethodUnknown:
    """Stripe has understood the request for a context and says no: it will tomorrow, too."""
    code, param = detail(error).get("code"), detail(error).get("param")
    if code == "amount_too_small":
        return PaymentMethodUnknown("This payment method cannot take so small an amount.")
    if code == "amount_too_large":
        return PaymentMethodUnknown("This payment method cannot take so large an amount.")
    if param == "currency":
        return PaymentMethodUnknown("This payment method cannot take this currency.")
    _log.error("Stripe refused to prepare a payment: %s", named(error))
    return PaymentMethodUnknown("This payment method cannot be used at the moment.")


def _refunded(made: Mapping[str, Any]) -> Outcome:
    name, status = str(made.get("id") or ""), made.get("status")
    if status in ("succeeded", "pending"):
        return Approved(Funds.RETURNED, name)
    if status in ("failed", "canceled"):
        text = "The refund failed at the bank. Give the money back another way."
        return declines.refused("refund_failed", text)
    raise Unreadable("a refund in an unknown state")
