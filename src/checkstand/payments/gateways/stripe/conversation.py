"""What is said to Stripe about one attempt, from the first request to a final answer.

A charge takes two requests: the first makes a PaymentIntent that nobody can pay with yet, the
second confirms it. Whoever lost an answer repeats the first under the same key, gets the same
PaymentIntent, and sees what became of it. What is not paid is cancelled before it is called
declined: then nobody can pay it later, neither a request that is late nor a browser that still
has the client secret.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import stripe

from checkstand.kit.clock import Clock
from checkstand.kit.crypto import same
from checkstand.payments.gateways import taken
from checkstand.payments.gateways.stripe import declines, methods
from checkstand.payments.gateways.stripe.amounts import stripe_amount
from checkstand.payments.gateways.stripe.api import Api, detail, named, was_replayed
from checkstand.payments.gateways.stripe.intents import ATTEMPT, BINDING, ORDER, Intent
from checkstand.payments.gateways.stripe.spellings import WHAT_TO_SEND, PaymentData
from checkstand.payments.model import (
    Approved,
    Attempt,
    Declined,
    Funds,
    NeedsAction,
    Outcome,
    Unknown,
)

_log = logging.getLogger(__name__)

CONFIRMABLE = ("requires_payment_method", "requires_confirmation")
KEYS_LAST = timedelta(hours=23)
"""Stripe forgets an idempotency key after 24 hours at the earliest."""
ACTION = "stripe_confirm_payment"


class Over(Exception):
    """There is nothing more to say: `outcome` is the answer."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


@dataclass(slots=True)
class Conversation:
    api: Api
    attempt: Attempt
    manual: bool
    """Whether money is reserved first and captured later."""
    clock: Clock
    reference: str = ""
    """The PaymentIntent, as soon as it is known."""

    async def charge(self, data: PaymentData) -> Outcome:
        amount = stripe_amount(self.attempt.amount)
        named_by = self.attempt.reference or data.intent
        if not named_by and not data.method and not self.attempt.repeated:
            return declines.incomplete()
        intent = await (self._named(named_by) if named_by else self.begun(first=True))
        if intent.attempt_id != self.attempt.id:
            intent = await self._claimed(intent)
        why = None
        # Also after a failure: with the same payment method, Stripe repeats its answer to the last
        # try; another one is a new try, for who has failed 3-D Secure and takes another card.
        open_to_us = intent.status in CONFIRMABLE and self._fits(intent, amount)
        if open_to_us and (data.method or intent.status == "requires_confirmation"):
            intent, why = await self._confirmed(intent, data)
        return await self._end(intent, amount, why)

    async def lookup(self) -> Outcome:
        amount = stripe_amount(self.attempt.amount)
        if not self.attempt.reference:
            return await self._end(await self.begun(first=False), amount)
        intent = await self._named(self.attempt.reference)
        if intent.attempt_id != self.attempt.id:
            intent = await self._claimed(intent)
        return await self._end(intent, amount)

    async def void(self) -> Outcome:
        reference = self.attempt.reference
        intent = await (self._named(reference) if reference else self.begun(first=False))
        if self._anothers(intent):
            return Approved(Funds.RETURNED)  # nothing of this attempt is there
        intent = await self._cancelled(intent)
        match intent.status:
            case "canceled":
                return Approved(Funds.RETURNED, intent.id)
            case "succeeded" if intent.returned >= intent.amount:
                return Approved(Funds.RETURNED, intent.id)
            case "succeeded":
                return declines.refused("already_captured", "The money was taken already.")
            case _:
                return Unknown(f"not cancelled: {intent.status}"[:100], intent.id)

    def _anothers(self, intent: Intent) -> bool:
        """Whether the intent is another cart's or another attempt's. What was prepared for a cart
        and never ordered is called off without its binding."""
        if intent.attempt_id:
            return intent.attempt_id != self.attempt.id
        return bool(self.attempt.binding) and not self._bound(intent)

    async def begun(self, *, first: bool) -> Intent:
        """The intent that the attempt begins with: made now, or before by a request whose answer
        was lost. Over when Stripe refuses to make it."""
        attempt = self.attempt
        old = self.clock.now() - attempt.created_at > KEYS_LAST
        found = await self.api.find(attempt.id) if old and (attempt.repeated or not first) else None
        intent = await (self.api.retrieve(found.id) if found else self._made(first=first))
        if intent.replayed:
            intent = await self.api.retrieve(intent.id)
        self.reference = intent.id
        return intent

    async def _made(self, *, first: bool) -> Intent:
        attempt = self.attempt
        params = {
            "amount": stripe_amount(attempt.amount),
            "currency": attempt.amount.currency.code.lower(),
            "capture_method": "manual" if self.manual else "automatic",
            "payment_method_types": ["card"],
            "metadata": {
                ATTEMPT: attempt.id,
                BINDING: attempt.binding,
                ORDER: str(attempt.order_id),
            },
        }
        try:
            return await self.api.create(params, f"{attempt.id}-create")
        except stripe.IdempotencyError:
            # Made when the settings were others; search finds it once it is some minutes old.
            found = await self.api.find(attempt.id)
            if found is None:
                raise
            return await self.api.retrieve(found.id)
        except stripe.StripeError as error:
            never = _never_made(error, first=first and not attempt.repeated)
            if never is None:
                raise
            raise Over(never) from None

    async def _named(self, reference: str) -> Intent:
        """Over when this account of Stripe's has no such payment."""
        self.reference = reference
        try:
            return await self.api.retrieve(reference)
        except stripe.InvalidRequestError as error:
            if error.http_status != 404:
                raise
            text = "Stripe does not know this payment. Ask for a new payment context."
            raise Over(declines.refused("not_found", text)) from None

    async def _claimed(self, intent: Intent) -> Intent:
        """The browser's payment, from now on this attempt's. Over when it was made for another
        cart, or belongs to another attempt: then it is left alone."""
        if not self._bound(intent):
            text = "This payment was not prepared for this cart. Ask for a new payment context."
            raise Over(declines.refused("payment_mismatch", text))
        if intent.status == "canceled":
            text = "This payment was called off. Ask for a new payment context."
            raise Over(declines.refused("payment_cancelled", text))
        if intent.attempt_id:
            text = "This payment belongs to another order. Ask for a new payment context."
            raise Over(declines.refused("payment_already_used", text))
        if intent.returned:
            text = "This payment was given back. Ask for a new payment context."
            raise Over(declines.refused("payment_returned", text))
        claim = {ATTEMPT: self.attempt.id, ORDER: str(self.attempt.order_id)}
        return await self.api.update(intent.id, {"metadata": claim})

    def _bound(self, intent: Intent) -> bool:
        return bool(self.attempt.binding) and same(intent.binding, self.attempt.binding)

    def _fits(self, intent: Intent, amount: int) -> bool:
        return intent.amount == amount and intent.currency == self.attempt.amount.currency.code

    async def _given_back(self, intent: Intent) -> Outcome:
        """A payment of this very cart, but not of the order's amount: no order is for what the
        browser has paid, so the shopper gets it back at once."""
        intent = await self._cancelled(intent)
        text = "The amount has changed since the payment was prepared. "
        if intent.status == "succeeded":
            try:
                await self.api.refund({"payment_intent": intent.id}, f"{intent.id}-unmatched")
            except stripe.InvalidRequestError as error:
                if detail(error).get("code") != "charge_already_refunded":
                    raise
            text += "What you paid has been given back. "
        elif intent.status != "canceled":
            return Unknown("a payment of another amount is not finished", intent.id)
        return declines.refused("amount_mismatch", text + "Please pay the new amount.")

    async def _confirmed(self, intent: Intent, data: PaymentData) -> tuple[Intent, Declined | None]:
        """What the intent is after it was confirmed, and why not, when Stripe said so."""
        params, key = self._confirmation(data)
        try:
            customer = await self._customer(data)
            if customer and customer != intent.customer:
                await self.api.update(intent.id, {"customer": customer})
            if customer and data.save and not data.saved_token:
                params["setup_future_usage"] = "off_session"
            intent = await self.api.confirm(intent.id, params, key)
        except stripe.CardError as error:
            failed = detail(error)
            intent = await self.api.retrieve(intent.id)
            return replace(intent, error=failed or intent.error), declines.declined(failed)
        except (stripe.InvalidRequestError, stripe.IdempotencyError) as error:
            return await self.api.retrieve(intent.id), self._unusable(error)
        except stripe.APIError as error:
            if not was_replayed(error):
                raise
            # That try is over, and Stripe would repeat its failure for a day. The state of the
            # intent keeps a second try from charging twice.
            intent = await self.api.retrieve(intent.id)
            if intent.status in CONFIRMABLE and not intent.error:
                intent = await self.api.confirm(intent.id, params, f"{key}-again")
        return (await self.api.retrieve(intent.id) if intent.replayed else intent), None

    def _confirmation(self, data: PaymentData) -> tuple[dict[str, Any], str]:
        params: dict[str, Any] = {}
        if data.method.startswith("tok_"):
            params["payment_method_data"] = {"type": "card", "card": {"token": data.method}}
        elif data.method:
            params["payment_method"] = data.method
        if self.attempt.return_url:
            params["return_url"] = self.attempt.return_url
        if data.receipt_email:
            params["receipt_email"] = data.receipt_email
        digest = hashlib.sha256(data.method.encode()).hexdigest()[:16]
        return params, f"{self.attempt.id}-confirm-{digest}"

    async def _customer(self, data: PaymentData) -> str:
        """Stripe's customer for who pays with a saved method, or wants to save one; else ""."""
        if data.saved_customer or data.saved_token:
            return data.saved_customer
        if data.save and self.attempt.customer_id is not None:
            return await self.api.customer(self.attempt.customer_id, f"{self.attempt.id}-customer")
        return ""

    def _unusable(self, error: stripe.StripeError) -> Declined:
        """Why a confirmation was refused; only of use if the intent was not paid otherwise."""
        if str(detail(error).get("param") or "").startswith(("payment_method", "customer")):
            return declines.refused("payment_method_unknown", WHAT_TO_SEND)
        _log.error("Stripe refused to confirm %s: %s", self.attempt.id, named(error))
        return declines.misconfigured()

    async def _end(self, intent: Intent, amount: int, why: Declined | None = None) -> Outcome:
        """The outcome. Declined only once nobody can pay with the intent any more."""
        self.reference = intent.id
        if not self._fits(intent, amount):
            return await self._given_back(intent)
        if intent.status in CONFIRMABLE:
            failed = intent.error
            intent = await self._cancelled(intent)
            intent = replace(intent, error=intent.error or failed)
        match intent.status:
            case "succeeded":
                kept = await methods.saved(self.api, intent)
                return taken.captured(self.attempt, intent.id, intent.taken, kept)
            case "requires_capture":
                return Approved(Funds.AUTHORISED, intent.id, await methods.saved(self.api, intent))
            case "requires_action":
                return self._action(intent)
            case "canceled":
                if why is not None:
                    return why
                return declines.declined(intent.error) if intent.error else declines.incomplete()
            case other:
                return Unknown(f"Stripe has it as {other}"[:100], intent.id)

    def _action(self, intent: Intent) -> NeedsAction:
        return NeedsAction(
            intent.redirect or self.attempt.return_url,
            ACTION,
            {"client_secret": intent.client_secret, "intent_type": "payment_intent"},
            intent.id,
        )

    async def _cancelled(self, intent: Intent) -> Intent:
        """The intent after it was cancelled, or as it is when that is too late."""
        if intent.status in ("canceled", "succeeded"):
            return intent
        try:
            return await self.api.cancel(intent.id)
        except stripe.InvalidRequestError:
            return await self.api.retrieve(intent.id)


def _never_made(error: stripe.StripeError, *, first: bool) -> Declined | None:
    """The decline that a refusal to make an intent is: there is none, so nothing can be charged.
    None when it may exist. `first`: nobody has asked before."""
    if isinstance(error, stripe.InvalidRequestError):
        code, param = detail(error).get("code"), detail(error).get("param")
        if code in ("amount_too_small", "amount_too_large"):
            return declines.refused(str(code), "Card payments of this amount are not possible.")
        if param == "currency":
            text = "Card payments in this currency are not possible."
            return declines.refused("currency_not_supported", text)
        _log.error("Stripe refused to make a payment: %s", named(error))
        return declines.misconfigured()
    if isinstance(error, stripe.APIError) and was_replayed(error):
        # Nobody was ever told the id of what that request may have made, nor will be.
        return None if first else declines.incomplete()
    if first and isinstance(error, (stripe.AuthenticationError, stripe.PermissionError)):
        _log.error("Stripe refused the key: %s", named(error))
        return declines.misconfigured()
    if first and isinstance(error, stripe.RateLimitError):
        return declines.refused("rate_limit", "Too many payments at once. Please try again soon.")
    return None
