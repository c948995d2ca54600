"""PayPal's issues in the words of a shopper, and what they mean for an attempt.

Issues: PayPal's Orders v2 and Payments v2 error lists.
"""

from __future__ import annotations

from typing import Any

from checkstand.payments.gateways.paypal.client import Answer
from checkstand.payments.model import Declined

LOOK_AGAIN = frozenset(
    {
        "ORDER_ALREADY_CAPTURED",
        "ORDER_ALREADY_AUTHORIZED",
        "ORDER_ALREADY_COMPLETED",
        "ORDER_COMPLETED_OR_VOIDED",
        "ORDER_NOT_APPROVED",
        "ORDER_EXPIRED",
        "ACTION_DOES_NOT_MATCH_INTENT",
        "AUTHORIZATION_ALREADY_CAPTURED",
        "PREVIOUSLY_CAPTURED",
        "RESOURCE_NOT_FOUND",
        "INVALID_RESOURCE_ID",
    }
)
"""Issues that say that the order is not as it was read: it is read again, and judged by that."""

IN_PROGRESS = frozenset({"PREVIOUS_REQUEST_IN_PROGRESS", "AUTH_CAPTURE_IN_PROGRESS"})
"""Issues of a request that another one has overtaken: what comes of that is not known yet."""

GIVEN_BACK = frozenset(
    {"CAPTURE_FULLY_REFUNDED", "AUTHORIZATION_ALREADY_VOIDED", "PREVIOUSLY_VOIDED"}
)
"""Issues of what went back before."""

_OTHER_INSTRUMENT = "PayPal could not charge this payment method. Please choose another in PayPal."
_OTHER_WAY = "PayPal does not allow this payment. Please pay in another way."
_SHOP = "PayPal payments do not work in this shop right now. Please pay in another way."
_MESSAGES = {
    "INSTRUMENT_DECLINED": _OTHER_INSTRUMENT,
    "CARD_EXPIRED": "The card has expired. Please choose another in PayPal.",
    "PAYER_CANNOT_PAY": _OTHER_INSTRUMENT,
    "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING": _OTHER_INSTRUMENT,
    "BILLING_ADDRESS_INVALID": "PayPal refused the billing address of the payment method.",
    "TRANSACTION_LIMIT_EXCEEDED": "The amount is above the limit of the PayPal account.",
    "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED": "It was tried too often. Please start again.",
    "DUPLICATE_INVOICE_ID": "PayPal says that this was paid before. Please look into your PayPal "
    "account, and ask the shop before you pay again.",
    "PAYER_ACCOUNT_RESTRICTED": _OTHER_WAY,
    "PAYER_ACCOUNT_LOCKED_OR_CLOSED": _OTHER_WAY,
    "PAYER_COUNTRY_NOT_SUPPORTED": _OTHER_WAY,
    "COMPLIANCE_VIOLATION": _OTHER_WAY,
    "TRANSACTION_REFUSED": _OTHER_WAY,
    "TRANSACTION_BLOCKED_BY_PAYEE": _OTHER_WAY,
    "PAYEE_ACCOUNT_RESTRICTED": _SHOP,
    "PAYEE_ACCOUNT_LOCKED_OR_CLOSED": _SHOP,
    "PAYEE_BLOCKED_TRANSACTION": _OTHER_WAY,
    "PERMISSION_DENIED": _SHOP,
    "NOT_AUTHORIZED": _SHOP,
}
_OURS = frozenset({400, 403, 405, 406, 415})


def is_our_fault(answer: Answer) -> bool:
    """Whether the shop asked wrongly, or has no right to: an operator must look at it."""
    return answer.status in _OURS or answer.issue.startswith("PAYEE_ACCOUNT_")


def is_plain(answer: Answer) -> bool:
    """Whether a refused capture surely took nothing, by an issue that we know to mean that."""
    return answer.issue in _MESSAGES or is_our_fault(answer)


def declined(answer: Answer, reference: str = "", what: str = "payment") -> Declined:
    """What a refused request means to the shopper and to the storefront."""
    issue = answer.issue
    code = "configuration_error" if is_our_fault(answer) else issue.lower()
    usual = _SHOP if is_our_fault(answer) else f"PayPal refused the {what}."
    message = _MESSAGES.get(issue, usual)
    error: dict[str, Any] = {"code": code, "message": message, "issue": issue}
    if answer.debug_id:
        error["debug_id"] = answer.debug_id
    if reference:
        error["paypal_order_id"] = reference
    return Declined(message, error)


def refused(code: str, message: str, **more: str) -> Declined:
    """Declined for a reason of ours."""
    return Declined(message, {"code": code, "message": message, **more})
