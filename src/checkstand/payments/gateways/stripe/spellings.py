"""What a storefront sends as payment data, in all the spellings that are about (contract 9).

Payment data is untrusted: a value of the wrong type, or one that Stripe cannot have made, counts as
not sent, and is never repeated in a message or a log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from checkstand.customers.contacts import is_email

_INTENT = re.compile(r"pi_[A-Za-z0-9]{1,200}", re.ASCII)
_CLIENT_SECRET = re.compile(r"(pi_[A-Za-z0-9]{1,200})_secret_[A-Za-z0-9]{1,200}", re.ASCII)
_METHOD = re.compile(r"(?:pm|src|card|tok)_[A-Za-z0-9_]{1,200}", re.ASCII)

_INTENTS = ("payment_intent_id", "payment_intent", "paymentIntentId", "paymentIntent")
_SECRETS = ("client_secret", "clientSecret", "payment_intent_client_secret")
_METHODS = (
    "payment_method_id",
    "payment_method",
    "paymentMethodId",
    "paymentMethod",
    "wc-stripe-payment-method",
    "wc_stripe_payment_method",
    "wc-stripe-payment-token",
    "wc_stripe_payment_token",
    "stripe_source",
    "stripe_token",
    "stripeToken",
    "source",
    "token",
)
_SAVE = ("save_payment_method", "wc-stripe-new-payment-method", "wc_stripe_new_payment_method")
_YES = frozenset({"true", "1", "yes", "on"})

WHAT_TO_SEND = (
    "Send payment_method_id (pm_…) from Stripe.js, or the payment_intent_id (pi_…) of the payment "
    "context once the browser has confirmed it."
)


@dataclass(frozen=True, slots=True)
class PaymentData:
    """What was understood; "" for what was not sent."""

    intent: str = ""
    method: str = field(default="", repr=False)
    """`pm_…`, or one of its elders: `src_…`, `card_…`, `tok_…`."""
    saved_token: str = field(default="", repr=False)
    saved_customer: str = field(default="", repr=False)
    """Both put in by the core for a signed-in customer, never by a client."""
    save: bool = False
    receipt_email: str = field(default="", repr=False)


def read(payment: Mapping[str, Any]) -> PaymentData:
    saved = _first(payment, ("saved_token",), _METHOD)
    email = payment.get("receipt_email")
    return PaymentData(
        intent=intent_of(payment),
        method=saved or _first(payment, _METHODS, _METHOD),
        saved_token=saved,
        saved_customer=_first(payment, ("saved_customer",), re.compile(r"cus_[A-Za-z0-9]{1,200}")),
        save=any(_yes(payment.get(name)) for name in _SAVE)
        or payment.get("setup_future_usage") in ("off_session", "on_session"),
        receipt_email=email
        if isinstance(email, str) and len(email) <= 254 and is_email(email)
        else "",
    )


def intent_of(payment: Mapping[str, Any]) -> str:
    """The PaymentIntent that the browser began, by its id or from its client secret."""
    named = _first(payment, _INTENTS, _INTENT)
    if named:
        return named
    for name in (*_SECRETS, *_INTENTS):
        secret = _CLIENT_SECRET.fullmatch(_text(payment.get(name)))
        if secret:
            return secret[1]
    return ""


def _first(payment: Mapping[str, Any], names: tuple[str, ...], shape: re.Pattern[str]) -> str:
    for name in names:
        text = _text(payment.get(name))
        if shape.fullmatch(text):
            return text
    return ""


def _text(value: Any) -> str:
    """Stripe.js hands out objects; some storefronts send them whole."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return value.strip() if isinstance(value, str) and len(value) <= 600 else ""


def _yes(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= 8 and value.strip().lower() in _YES
    return value is True or (isinstance(value, int) and value == 1)
