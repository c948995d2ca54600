"""The sandbox's test tokens: one for each thing that can come of a payment.

The table of docs/howto/test-with-the-sandbox.md says the same; a test compares them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from checkstand.payments.store.sandbox import State

LATE_SECONDS = 5.0
SLOW_SECONDS = 2.0
"""At most: a shop with a shorter timeout waits half of that."""


class Answer(Enum):
    """How the sandbox answers what it has just begun. Asked again, it always tells how it is."""

    TOLD = "told"
    SLOW = "told after a while"
    TIMEOUT = "no answer, after a while"
    ERROR = "an error at once"


@dataclass(frozen=True, slots=True)
class Scenario:
    """`state`: what the payment becomes; None when nothing of it is ever known."""

    state: State | None
    answer: Answer = Answer.TOLD
    code: str = ""
    decline_code: str = ""
    message: str = ""
    late: float = 0.0
    """Seconds until a look-up sees it."""


def _declined(code: str, decline_code: str, message: str) -> Scenario:
    return Scenario("declined", code=code, decline_code=decline_code, message=message)


_GENERIC = "The bank declined this card. Please pay with another."

SCENARIOS: Mapping[str, Scenario] = {
    "tok_success": Scenario("approved"),
    "tok_declined": _declined("card_declined", "generic_decline", _GENERIC),
    "tok_insufficient_funds": _declined(
        "card_declined", "insufficient_funds", "There is not enough money on this card."
    ),
    "tok_lost_card": _declined("card_declined", "lost_card", _GENERIC),
    "tok_fraudulent": _declined("card_declined", "fraudulent", _GENERIC),
    "tok_expired_card": _declined("expired_card", "expired_card", "This card has expired."),
    "tok_incorrect_cvc": _declined(
        "incorrect_cvc", "incorrect_cvc", "The card's security code is wrong."
    ),
    "tok_processing_error": _declined(
        "processing_error", "processing_error", "The card could not be processed. Please try again."
    ),
    "tok_rate_limit": _declined(
        "rate_limit", "try_again_later", "Too many payments at once. Please try again later."
    ),
    "tok_requires_action": Scenario("requires_action"),
    "tok_slow": Scenario("approved", Answer.SLOW),
    "tok_timeout_after_success": Scenario("approved", Answer.TIMEOUT),
    "tok_timeout_before": Scenario(None, Answer.TIMEOUT),
    "tok_error_after_success": Scenario("approved", Answer.ERROR),
    "tok_error_before": Scenario(None, Answer.ERROR),
    "tok_late_webhook": Scenario("approved", Answer.ERROR, late=LATE_SECONDS),
    "tok_late_decline": Scenario(
        "declined",
        Answer.ERROR,
        "card_declined",
        "generic_decline",
        _GENERIC,
        LATE_SECONDS,
    ),
}

SPELLINGS = tuple(
    """token payment_token payment_method_token payment_method_id payment_method source_id source
    card_token nonce payment_nonce payment_method_nonce data_value payment_intent_id
    wc-sandbox-payment-token wc-stripe-payment-token""".split()
)
"""Under which names the token is looked for (contract checkout.md 9), in this order."""

_SAVED = re.compile(r"card_[0-9a-f]{24}")


def chosen(payment: Mapping[str, Any]) -> str:
    """The first known test token in the payment data under any spelling; "" when there is none."""
    for name in SPELLINGS:
        value = payment.get(name)
        if isinstance(value, str) and len(value) <= 100 and value.strip() in SCENARIOS:
            return value.strip()
    return ""


def is_saved(token: object) -> bool:
    """Whether this is the shape of a saved card that the sandbox has handed out."""
    return isinstance(token, str) and _SAVED.fullmatch(token) is not None
