"""The part of an answer that says what became of a transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from checkstand.payments.gateways.authorizenet.api import Answer, word
from checkstand.payments.gateways.silence import Silent


@dataclass(frozen=True, slots=True)
class Said:
    """`response`: 1 approved, 2 declined, 3 error, 4 held for review; "" when the request was
    turned away before that, with `api_code`. `transaction` is "" when there is none."""

    response: str
    transaction: str
    reason: str
    text: str
    api_code: str


def said(answer: Answer) -> Said:
    """Silent when an accepted answer does not say what became of the transaction."""
    part = answer.part("transactionResponse")
    response = word(part, "responseCode")
    if response not in ("1", "2", "3", "4"):
        if answer.accepted:
            raise Silent("an answer without a response code")
        return Said("", "", "", answer.text, answer.code)
    reason, text = _first(part.get("errors"), "errorCode", "errorText")
    if not reason:
        reason, text = _first(part.get("messages"), "code", "description")
    transaction = word(part, "transId")
    transaction = "" if transaction == "0" else transaction
    if response == "1" and not transaction:
        raise Silent("approved without a transaction")
    return Said(response, transaction, reason, text, answer.code)


def _first(raw: object, code: str, text: str) -> tuple[str, str]:
    if isinstance(raw, list) and raw and isinstance(raw[0], Mapping):
        return word(raw[0], code), word(raw[0], text)[:300]
    return "", ""
