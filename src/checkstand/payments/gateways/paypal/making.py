"""The PayPal orders that we make: for buttons in the browser, and for a redirect."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from checkstand.kit.money import Money
from checkstand.payments.gateway import Due
from checkstand.payments.gateways.paypal.amounts import as_json
from checkstand.payments.model import Attempt

_LONGEST_KEY = 100  # PayPal takes 108 characters of a request id, 127 of an invoice id
# The shop has asked for the address. PAY_NOW: what the shopper agrees to there is the whole price.
_MANNERS = {"shipping_preference": "NO_SHIPPING", "user_action": "PAY_NOW"}


def request_id(key: str) -> str:
    """The key itself, or a digest of one that is too long for PayPal."""
    return key if len(key) <= _LONGEST_KEY else hashlib.sha256(key.encode()).hexdigest()


def for_buttons(due: Due, key: str, intent: str) -> dict[str, Any]:
    """An order that any of PayPal's buttons can approve, whatever it is paid from."""
    return {
        "intent": intent,
        "purchase_units": [_unit(due.amount, due.binding, key)],
        "application_context": dict(_MANNERS),
    }


def for_redirect(attempt: Attempt, intent: str) -> dict[str, Any]:
    """An order for a shopper who is sent to PayPal, and back to the attempt's return_url."""
    manners: dict[str, str] = dict(_MANNERS)
    if attempt.return_url:
        manners |= {"return_url": attempt.return_url, "cancel_url": attempt.return_url}
    return {
        "intent": intent,
        "purchase_units": [_unit(attempt.amount, attempt.binding, attempt.id)],
        "payment_source": {"paypal": {"experience_context": manners}},
    }


def _unit(amount: Money, binding: str, invoice: str) -> Mapping[str, Any]:
    """`invoice`: PayPal takes one payment for each, by default, besides showing it to the shop."""
    return {
        "reference_id": "default",
        "custom_id": binding,
        "invoice_id": invoice,
        "amount": as_json(amount),
    }
