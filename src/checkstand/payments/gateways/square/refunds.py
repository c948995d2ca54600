"""Refunds at Square: once each, by the refund's id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from checkstand.payments.gateways.silence import Silent
from checkstand.payments.gateways.square import orders
from checkstand.payments.gateways.square.api import (
    Api,
    Problem,
    Seen,
    codes_of,
    unreadable,
)
from checkstand.payments.gateways.square.declines import refund_declined
from checkstand.payments.model import Approved, Funds, Outcome, Refund, Unknown

# Nothing final was said about this refund, or about what was asked before.
_NOT_FINAL = frozenset({"IDEMPOTENCY_KEY_REUSED", "TEMPORARY_ERROR", "RATE_LIMITED", "CONFLICT"})


async def refund(api: Api, seen: Seen, refund: Refund) -> Outcome:
    """Gives money of the payment back, on the refund's idempotency key. Square answers PENDING as
    a rule: the money is on its way."""
    if refund.repeated:
        known = await _asked_before(api, seen, refund)
        if known is not None:
            return known
    body = {
        "idempotency_key": orders.key(refund.id),
        "payment_id": seen.id,
        "amount_money": orders.money(refund.amount),
        "reason": orders.refund_reason(refund.id, refund.reason),
    }
    answer = await api.ask("POST", "/v2/refunds", body)
    if answer.accepted:
        return _outcome(answer.body.get("refund"))
    problem = answer.problems()[0]
    if problem.code in _NOT_FINAL or problem.category == "API_ERROR":
        return Unknown(f"the refund was not taken: {codes_of(answer)}")
    if refund.repeated and problem.category == "AUTHENTICATION_ERROR":
        return Unknown(f"turned away: {codes_of(answer)}")
    return refund_declined(answer.problems())


async def _asked_before(api: Api, seen: Seen, refund: Refund) -> Outcome | None:
    """Found by our name at the end of its reason: keys are not promised to be kept for ever."""
    mark = orders.refund_mark(refund.id)
    for refund_id in seen.refund_ids:
        answer = await api.ask("GET", f"/v2/refunds/{refund_id}")
        if not answer.accepted:
            raise unreadable(answer)
        raw = answer.body.get("refund")
        if isinstance(raw, Mapping) and str(raw.get("reason", "")).endswith(mark):
            return _outcome(raw)
    return None


def _outcome(raw: Any) -> Outcome:
    if not isinstance(raw, Mapping) or not isinstance(raw.get("id"), str):
        raise Silent("an answer without a refund")
    if raw.get("status") in ("PENDING", "COMPLETED"):
        return Approved(Funds.RETURNED, raw["id"])
    if raw.get("status") in ("REJECTED", "FAILED"):
        return refund_declined([Problem(f"REFUND_{raw['status']}")])
    raise Silent("a refund in an unknown state")
