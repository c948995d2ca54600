"""What Authorize.Net has in its books: one transaction by its id, or all with an invoice number.

Transactions of today are in the list of unsettled ones. Once a day they are settled in batches and
are found there. Declined ones are listed like the others.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from checkstand.payments.gateways.authorizenet import names
from checkstand.payments.gateways.authorizenet.api import Answer, Api, members, word
from checkstand.payments.gateways.silence import Silent

CAPTURED = frozenset(
    """capturedPendingSettlement settledSuccessfully pendingSettlement pendingFinalSettlement
    approvedReview chargeback chargebackReversal returnedItem""".split()
)
SETTLED = frozenset({"settledSuccessfully", "chargebackReversal"})
CONTESTED = frozenset({"chargeback", "returnedItem"})
RESERVED = frozenset({"authorizedPendingCapture"})
HELD = frozenset(
    """FDSPendingReview FDSAuthorizedPendingReview underReview authorizedPendingRelease""".split()
)
GONE = frozenset({"voided", "expired"})
REFUSED = frozenset({"declined", "generalError", "failedReview", "communicationError"})
RETURNED = frozenset({"refundPendingSettlement", "refundSettledSuccessfully"})
_PAGE = 1000
_MOST_PAGES = 10
_MOST_BATCHES = 60
_SKEW = timedelta(minutes=5)
_WINDOW = timedelta(days=30)  # one question may ask for 31


@dataclass(frozen=True, slots=True)
class Transaction:
    """`amount` in major units, as Authorize.Net writes it; `name` is what `names.order` put in."""

    id: str
    status: str
    amount: Decimal
    name: str
    submitted: str = ""
    reason: str = ""
    reason_text: str = ""
    last_four: str = ""
    of: str = ""
    """The transaction that a refund refers to."""


async def by_id(api: Api, reference: str) -> Transaction | None:
    """None when Authorize.Net has no such transaction (E00040)."""
    answer = await api.ask("getTransactionDetailsRequest", {"transId": reference})
    if not answer.accepted:
        if answer.code == "E00040":
            return None
        raise Silent(f"the question was refused: {answer.code}")
    found = answer.part("transaction")
    if not word(found, "transId") or not word(found, "transactionStatus"):
        raise Silent("an answer without a transaction")
    card = members(members(found, "payment"), "creditCard")
    return Transaction(
        id=word(found, "transId"),
        status=word(found, "transactionStatus"),
        amount=_amount(found),
        name=word(members(found, "order"), "description"),
        submitted=word(found, "submitTimeUTC"),
        reason=word(found, "responseReasonCode"),
        reason_text=word(found, "responseReasonDescription")[:300],
        last_four=word(card, "cardNumber")[-4:],
        of=word(found, "refTransId"),
    )


async def by_name(api: Api, name: str, since: datetime, now: datetime) -> list[Transaction]:
    """All transactions of an attempt or a refund that began at `since`, the first one first.
    Silent when there are too many to be sure."""
    invoice = names.invoice(name)
    found: dict[str, Transaction] = {}
    async for summary in _summaries(api, since, now):
        reference = word(summary, "transId")
        if word(summary, "invoiceNumber") != invoice or reference in found:
            continue
        transaction = await by_id(api, reference)
        if transaction is not None and transaction.name == name:
            found[reference] = transaction
    return sorted(found.values(), key=lambda each: (each.submitted, each.id))


async def _summaries(api: Api, since: datetime, now: datetime) -> AsyncIterator[Mapping[str, Any]]:
    async for summary in _pages(api, "getUnsettledTransactionListRequest", {}):
        yield summary
    last = min(now + _SKEW, since - _SKEW + _WINDOW)
    if last <= since - _SKEW:
        return
    batches = await api.ask(
        "getSettledBatchListRequest",
        {"firstSettlementDate": _stamp(since - _SKEW), "lastSettlementDate": _stamp(last)},
    )
    _check(batches)
    listed = batches.entries("batchList")
    if len(listed) > _MOST_BATCHES:
        raise Silent("too many batches to look through")
    for batch in listed:
        request = {"batchId": word(batch, "batchId")}
        async for summary in _pages(api, "getTransactionListRequest", request):
            yield summary


async def _pages(api: Api, request: str, which: Any) -> AsyncIterator[Mapping[str, Any]]:
    for page in range(1, _MOST_PAGES + 1):
        answer = await api.ask(
            request,
            {
                **which,
                "sorting": {"orderBy": "submitTimeUTC", "orderDescending": True},
                "paging": {"limit": str(_PAGE), "offset": str(page)},
            },
        )
        _check(answer)
        entries = answer.entries("transactions")
        for entry in entries:
            yield entry
        if len(entries) < _PAGE:
            return
    raise Silent("too many transactions to look through")


def _check(answer: Answer) -> None:
    if not answer.accepted:
        raise Silent(f"the question was refused: {answer.code}")


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _amount(found: Mapping[str, Any]) -> Decimal:
    try:
        return Decimal(word(found, "settleAmount") or word(found, "authAmount") or "0")
    except InvalidOperation:
        raise Silent("an amount that cannot be read") from None
