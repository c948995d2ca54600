"""Why Stripe refused, for machines (contract 9.1) and for shoppers, in the shop's own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from checkstand.payments.gateways.stripe.spellings import WHAT_TO_SEND
from checkstand.payments.model import Declined

_GENERAL = "Your bank declined this payment. Please use another card or ask your bank."

_SAID = {
    "insufficient_funds": "There is not enough money on this card. Please use another one.",
    "withdrawal_count_limit_exceeded": "This card's limit is reached. Please use another one.",
    "card_velocity_exceeded": "This card's limit is reached. Please use another one.",
    "expired_card": "This card has expired. Please use another one.",
    "incorrect_cvc": "The security code is wrong. Please check it and try again.",
    "incorrect_number": "The card number is wrong. Please check it and try again.",
    "incorrect_zip": "The postcode does not fit the card. Please check it and try again.",
    "card_not_supported": "This card cannot be used for this purchase. Please use another one.",
    "currency_not_supported": "This card cannot pay in this currency. Please use another one.",
    "processing_error": "The card could not be processed just now. Please try again in a moment.",
    "issuer_not_available": "The bank could not be reached. Please try again in a moment.",
    "try_again_later": "The bank could not decide just now. Please try again in a moment.",
    "authentication_required": "Your bank wants to be sure that it is you. Please pay again and "
    "confirm the payment.",
    "payment_intent_authentication_failure": "The payment was not confirmed with your bank. "
    "Please try again, or use another card.",
}
_ALIASES = {
    "invalid_cvc": "incorrect_cvc",
    "invalid_number": "incorrect_number",
    "invalid_expiry_month": "expired_card",
    "invalid_expiry_year": "expired_card",
    "postal_code_invalid": "incorrect_zip",
    "approve_with_id": "issuer_not_available",
    "reenter_transaction": "processing_error",
}
_SILENT = frozenset(
    "fraudulent lost_card stolen_card pickup_card merchant_blacklist restricted_card "
    "security_violation revocation_of_authorization revocation_of_all_authorizations".split()
)
"""Told apart by the issuer, not to be told to whoever holds the card: Stripe asks shops to show
them as a generic decline."""


def declined(error: Mapping[str, Any]) -> Declined:
    """From Stripe's error object: `code`, `decline_code`, `message`; {} when it gave none."""
    code, reason = _word(error.get("code")) or "card_declined", _word(error.get("decline_code"))
    if reason in _SILENT:
        code, reason = "card_declined", "generic_decline"
    message = _SAID.get(_plain(reason)) or _SAID.get(_plain(code)) or _GENERAL
    detail = {"code": code, "message": message}
    if reason:
        detail["decline_code"] = reason
    return Declined(message, detail)


def incomplete() -> Declined:
    """Nothing to charge was sent, or nothing that Stripe knows."""
    return refused("payment_incomplete", WHAT_TO_SEND)


def misconfigured(code: str = "configuration_error") -> Declined:
    """Our own fault; nothing was charged. The log says more."""
    return refused(code, "This shop cannot take card payments at the moment.")


def refused(code: str, message: str) -> Declined:
    return Declined(message, {"code": code, "message": message})


def _plain(word: str) -> str:
    return _ALIASES.get(word, word)


def _word(value: Any) -> str:
    return value if isinstance(value, str) and value.isascii() and len(value) <= 80 else ""
