"""What Authorize.Net's reason codes mean, in the shape of contract checkout.md 9.1."""

from __future__ import annotations

import logging

from checkstand.payments.model import Declined

_log = logging.getLogger(__name__)

_REFUSED = "The card was declined. Please try another card, or ask your bank."
_NUMBER = "The card number is not right. Please check it, or try another card."
_TYPE = "This kind of card is not taken here. Please try another one."
_AVS = "The billing address does not match the card's. Please check it."
_CVV = "The security code of the card is not right. Please check it."
_AGAIN = "The payment could not be made just now. You have not been charged; please try again."
_TOKEN = "The card details were used or waited too long. Please enter the card again."  # noqa: S105
_SHOP = "The shop cannot take this payment at the moment. You have not been charged."

REASONS: dict[str, tuple[str, str]] = {
    "2": ("card_declined", _REFUSED),
    "3": ("card_declined", _REFUSED),
    "4": ("pick_up_card", _REFUSED),
    "5": ("invalid_amount", "The amount cannot be charged to this card."),
    "6": ("invalid_number", _NUMBER),
    "7": ("invalid_expiry", "The expiry date is not right. Please check it."),
    "8": ("expired_card", "The card has expired. Please try another one."),
    "11": ("duplicate_transaction", "This payment was sent twice; it is not charged again."),
    "17": ("card_not_supported", _TYPE),
    "27": ("avs_mismatch", _AVS),
    "28": ("card_not_supported", _TYPE),
    "37": ("invalid_number", _NUMBER),
    "39": ("currency_not_supported", "This way of paying does not take the order's currency."),
    "41": ("card_declined", _REFUSED),
    "44": ("cvv_mismatch", _CVV),
    "45": ("avs_cvv_mismatch", "The security code or the billing address does not match."),
    "49": ("invalid_amount", "The amount is over what can be paid here in one go."),
    "65": ("cvv_mismatch", _CVV),
    "78": ("cvv_mismatch", _CVV),
    "127": ("avs_mismatch", _AVS),
    "141": ("card_declined", _REFUSED),
    "145": ("card_declined", _REFUSED),
    "165": ("card_declined", _REFUSED),
    "193": ("country_refused", "Cards of this country are not taken here."),
    "250": ("card_declined", _REFUSED),
    "251": ("card_declined", _REFUSED),
    "254": ("card_declined", _REFUSED),
    "315": ("invalid_number", _NUMBER),
    "316": ("invalid_expiry", "The expiry date is not right. Please check it."),
    "317": ("expired_card", "The card has expired. Please try another one."),
    **{
        str(code): ("processing_error", _AGAIN) for code in (*range(19, 24), 25, 26, *range(57, 64))
    },
}
OURS = frozenset("13 35 48 87 92 98 99 100 101 103 118 123 128".split())
"""The shop's account or settings, never the card."""
NOT_FINAL = frozenset({"120", "121", "122", "181"})
"""Authorize.Net lost the bank's answer, or could not take back what it had begun."""
AT_THE_DOOR = frozenset(f"E000{number:02}" for number in (*range(2, 17), 45))
"""Credentials, permissions and the form of the request: nothing was looked into."""
SPENT_TOKENS = frozenset({"E00114", "E00115", "E00116", "E00117"})
"""A payment nonce that was used, has expired, or never was one."""


def declined(reason: str, text: str) -> Declined:
    """A refusal with Authorize.Net's reason code and text."""
    if reason in OURS:
        return configuration(reason, text)
    code, message = REASONS.get(reason, ("card_declined", _REFUSED))
    return plain(code, message, reason, text)


def refused(api_code: str, text: str) -> Declined:
    """A request that Authorize.Net did not look into: nothing was charged."""
    if api_code in SPENT_TOKENS:
        return plain("invalid_token", _TOKEN, api_code, text)
    return configuration(api_code, text)


def configuration(reason: str, text: str) -> Declined:
    """The shop's own fault: logged, and not explained to the shopper."""
    _log.error("authorize.net refused: %s", reason)
    return plain("configuration_error", _SHOP, reason, text)


def plain(code: str, message: str, reason: str = "", text: str = "") -> Declined:
    error = {"code": code, "message": message, "reason_code": reason, "reason_text": text[:300]}
    return Declined(message, error)
