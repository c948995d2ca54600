"""Giving money back at Authorize.Net: before the day's settlement by voiding, after it by a refund.

There are no idempotency keys: a refund carries its own name, is looked for under it before it is
asked again, and for 8 hours Authorize.Net refuses the same one as a duplicate.
"""

from __future__ import annotations

from datetime import datetime

from checkstand.payments.gateways.authorizenet import ledger, reasons, requests
from checkstand.payments.gateways.authorizenet.answers import said
from checkstand.payments.gateways.authorizenet.api import Api
from checkstand.payments.gateways.authorizenet.ledger import Transaction
from checkstand.payments.model import Approved, Funds, Outcome, Refund, Unknown

_NOT_YET = (
    "Authorize.Net cannot give back a part of a payment that it has not settled yet. It settles "
    "once a day, at the cut-off time of your account: try again tomorrow, or give back all of it "
    "now."
)
_REASONS = {
    "54": "Authorize.Net does not refund this payment: it is not settled, or older than 180 days.",
    "55": "Authorize.Net says that this is more than what is left of the payment.",
}


async def refund(
    api: Api, paid: Transaction, refund: Refund, now: datetime, *, asked_before: bool
) -> Outcome:
    """The whole of an unsettled payment is voided; a part of one is declined, saying when it will
    work; of a settled one, any part is refunded."""
    amount = refund.amount.major()
    if paid.status == "voided":
        # All of it went back, so this refund did, if it was for all of it.
        return Approved(Funds.RETURNED, paid.id) if _is_all(refund) else _refused("54")
    if paid.status in ledger.RESERVED | ledger.HELD:
        return reasons.plain("not_captured", "The money is only reserved; let go of it instead.")
    if paid.status not in ledger.CAPTURED or paid.status in ledger.CONTESTED:
        return _refused("54")
    if paid.status not in ledger.SETTLED:
        if amount > paid.amount:
            return _refused("55")
        if amount != paid.amount:
            return reasons.plain("not_settled", _NOT_YET, text=paid.status)
        return await _voided(api, paid, refund)
    if asked_before:
        known = await _found(api, refund, now)
        if known is not None:
            return known
    return await _returned(api, paid, refund, now)


def _is_all(refund: Refund) -> bool:
    return refund.amount.minor == (refund.attempt.captured or refund.attempt.amount.minor)


async def _voided(api: Api, paid: Transaction, refund: Refund) -> Outcome:
    await api.ask("createTransactionRequest", requests.void(refund.id, paid.id))
    left = await ledger.by_id(api, paid.id)
    if left is not None and left.status == "voided":
        return Approved(Funds.RETURNED, paid.id)
    return Unknown("not voided: settled meanwhile, perhaps")  # then it is refunded, next time


async def _returned(api: Api, paid: Transaction, refund: Refund, now: datetime) -> Outcome:
    body = requests.refund(refund.id, paid.id, refund.amount, paid.last_four)
    told = said(await api.ask("createTransactionRequest", body))
    if told.response == "1":
        return Approved(Funds.RETURNED, told.transaction)
    if told.reason == "11":
        known = await _found(api, refund, now)
        return known or Unknown("a duplicate of what is not listed yet")
    if told.response in ("2", "3") and told.reason not in reasons.NOT_FINAL:
        return _refused(told.reason, told.text)
    if told.response == "":
        return reasons.configuration(told.api_code, told.text)
    return Unknown(f"the refund is not final: {told.reason}", told.transaction)


async def _found(api: Api, refund: Refund, now: datetime) -> Outcome | None:
    for known in await ledger.by_name(api, refund.id, refund.created_at, now):
        if known.status in ledger.RETURNED:
            return Approved(Funds.RETURNED, known.id)
        if known.status not in ledger.GONE | ledger.REFUSED:
            return Unknown(f"the refund is {known.status}", known.id)
    return None


def _refused(reason: str, text: str = "") -> Outcome:
    if reason in reasons.OURS:
        return reasons.configuration(reason, text)
    message = _REASONS.get(reason, "Authorize.Net refused the refund.")
    return reasons.plain("refund_refused", message, reason, text or message)
