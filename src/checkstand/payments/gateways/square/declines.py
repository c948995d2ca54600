"""What Square's error codes mean for a shopper, and whether they are his or the shop's doing."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from checkstand.payments.gateways.square.api import Problem
from checkstand.payments.model import Declined

_log = logging.getLogger(__name__)

_REFUSED = "The card was declined. Please try another card, or ask your bank."
_NUMBER = "The card number is not right. Please check it, or try another card."
_EXPIRY = "The expiry date is not right, or the card has expired. Please check it."
_AGAIN = "The card details were used or waited too long. Please enter the card again."
_SHOP = "The shop cannot take this payment at the moment. You have not been charged."
_MESSAGES = {
    "INSUFFICIENT_FUNDS": "There is not enough money on this card. Please try another one.",
    "CVV_FAILURE": "The security code of the card is not right. Please check it.",
    "VERIFY_CVV_FAILURE": "The security code of the card is not right. Please check it.",
    "ADDRESS_VERIFICATION_FAILURE": "The billing address does not match the card's. Please check.",
    "VERIFY_AVS_FAILURE": "The billing address does not match the card's. Please check it.",
    "INVALID_POSTAL_CODE": "The postcode does not match the card's. Please check it.",
    "CARD_EXPIRED": "The card has expired. Please try another one.",
    "EXPIRATION_FAILURE": _EXPIRY,
    "INVALID_EXPIRATION": _EXPIRY,
    "INVALID_EXPIRATION_YEAR": _EXPIRY,
    "INVALID_EXPIRATION_DATE": _EXPIRY,
    "BAD_EXPIRATION": _EXPIRY,
    "PAN_FAILURE": _NUMBER,
    "INVALID_CARD": _NUMBER,
    "INVALID_ACCOUNT": _NUMBER,
    "INVALID_CARD_DATA": "The card details could not be read. Please enter the card again.",
    "NOT_FOUND": _AGAIN,
    "CARD_TOKEN_EXPIRED": _AGAIN,
    "CARD_TOKEN_USED": _AGAIN,
    "SOURCE_EXPIRED": _AGAIN,
    "SOURCE_USED": _AGAIN,
    "CARD_NOT_SUPPORTED": "This kind of card is not taken here. Please try another one.",
    "UNSUPPORTED_CARD_BRAND": "This kind of card is not taken here. Please try another one.",
    "TRANSACTION_LIMIT": "The amount is over the limit of this card. Please try another one.",
    "PAYMENT_LIMIT_EXCEEDED": "The amount is over what can be paid here in one go.",
    "CARD_DECLINED_CALL_ISSUER": "Your bank wants to hear from you first. Please call it.",
    "VOICE_FAILURE": "Your bank wants to hear from you first. Please call it.",
    "CARD_DECLINED_VERIFICATION_REQUIRED": "Your bank asks you to confirm this payment.",
    "RATE_LIMITED": "Too many payments at once. Please try again in a moment.",
    "CANCELED": "The payment was cancelled before it was finished. You have not been charged.",
    "TEMPORARY_ERROR": "The payment could not be made just now. Please try again.",
}
# The shopper can do something about these, although Square does not blame the card.
_OF_THE_CARD = frozenset(_MESSAGES)
_SETTINGS = ("location_id", "amount_money", "app_fee_money", "merchant_id")


def declined(problems: Sequence[Problem], fallback: str = "GENERIC_DECLINE") -> Declined:
    """What to tell of a refusal that is final: nothing was charged.

    A refusal that is the shop's own fault is logged as an error and says `configuration_error`,
    with Square's code beside it.
    """
    first = problems[0] if problems else Problem(fallback)
    error = {
        "code": first.code,
        "message": _MESSAGES.get(first.code, _REFUSED),
        "category": first.category or "PAYMENT_METHOD_ERROR",
        "detail": first.detail,
    }
    if _is_our_fault(first):
        _log.error("square refused: %s %s %s", first.category, first.code, first.field)
        return Declined(
            _SHOP,
            {**error, "code": "configuration_error", "message": _SHOP, "square_code": first.code},
        )
    return Declined(str(error["message"]), error)


def _is_our_fault(problem: Problem) -> bool:
    if problem.category in ("AUTHENTICATION_ERROR", "MERCHANT_SUBSCRIPTION_ERROR"):
        return True
    if problem.category in ("PAYMENT_METHOD_ERROR", "RATE_LIMIT_ERROR", "REFUND_ERROR"):
        return False
    if problem.field.startswith(_SETTINGS):
        return True
    return problem.code not in _OF_THE_CARD and not problem.field.startswith(
        ("source_id", "verification_token", "billing", "buyer")
    )


_REFUND_MESSAGES = {
    "REFUND_AMOUNT_INVALID": "Square says that this is more than what is left of the payment.",
    "REFUND_ALREADY_PENDING": "Another refund of this payment is under way at Square; try again.",
    "INSUFFICIENT_FUNDS_FOR_REFUND": "There is not enough money in the Square account for this.",
    "PAYMENT_NOT_REFUNDABLE": "Square does not refund this payment: was it captured?",
    "NOT_FOUND": "Square does not know the payment that was to be refunded.",
}


def refund_declined(problems: Sequence[Problem]) -> Declined:
    """What to tell the shop's own people of a refund that Square refuses."""
    first = problems[0] if problems else Problem("REFUND_DECLINED")
    if first.category == "AUTHENTICATION_ERROR":
        return declined(problems)
    message = _REFUND_MESSAGES.get(first.code, "Square refused the refund.")
    return Declined(
        message,
        {
            "code": first.code,
            "message": message,
            "category": first.category or "REFUND_ERROR",
            "detail": first.detail,
        },
    )


def judged(problem: Problem) -> bool:
    """Whether Square has looked at this payment, under its key, before it refused."""
    return problem.category == "PAYMENT_METHOD_ERROR" or problem.field == "source_id"


def plain(code: str, message: str, detail: str = "") -> Declined:
    """A refusal of our own, in the same shape."""
    return Declined(
        message,
        {"code": code, "message": message, "category": "CHECKSTAND", "detail": detail or message},
    )
