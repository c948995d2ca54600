"""Money that goes back: what was reserved is let go of, what was captured is refunded."""

from __future__ import annotations

from dataclasses import dataclass

from checkstand.kit.money import Money
from checkstand.payments.gateways.paypal import amounts, declines
from checkstand.payments.gateways.paypal.judge import of_refund, paid
from checkstand.payments.gateways.paypal.order import CLOSED, Movement, PayPalOrder, movement
from checkstand.payments.gateways.paypal.orders import (
    AUTHORIZATIONS,
    CAPTURES,
    Orders,
    complain,
)
from checkstand.payments.model import (
    Approved,
    Attempt,
    Declined,
    Funds,
    Outcome,
    Refund,
    Unknown,
)


@dataclass(frozen=True, slots=True)
class Returns:
    orders: Orders

    async def void(self, attempt: Attempt) -> Outcome:
        returned = Approved(Funds.RETURNED, attempt.reference)
        order = await self.orders.read(attempt.reference)
        if order is None or order.custom_id == CLOSED:
            return returned
        # Without a binding it is what a context has prepared, and surely ours. Else, whoever it
        # belongs to, it is not ours to stop; and we never take it.
        if attempt.binding and not self.orders.fits(attempt, order):
            return returned
        if order.open:
            left = await self.orders.close(attempt, order)
            if not isinstance(left, PayPalOrder):
                return left or returned
            order = left
        outcome = paid(order, attempt)
        if isinstance(outcome, Approved) and outcome.funds is Funds.AUTHORISED:
            return await self._let_go(attempt, order)
        return returned if isinstance(outcome, Declined) else _too_late(outcome)

    async def _let_go(self, attempt: Attempt, order: PayPalOrder) -> Outcome:
        for reserved in order.authorizations:
            if reserved.status == "CREATED":
                path = f"{AUTHORIZATIONS}/{reserved.id}/void"
                answer = await self.orders.api.post(path, {}, request_id=f"{attempt.id}-void")
                if not answer.done:
                    return await self._not_let_go(order, answer.issue)
        return Approved(Funds.RETURNED, order.id)

    async def _not_let_go(self, order: PayPalOrder, issue: str) -> Outcome:
        """Voided already, or captured meanwhile: the order tells which."""
        now = await self.orders.read(order.id)
        if now is None:
            return Unknown(issue, order.id)
        if now.captures:
            return declines.refused("too_late", "The money was taken already.", issue=issue)
        if all(each.status in ("VOIDED", "EXPIRED", "DENIED") for each in now.authorizations):
            return Approved(Funds.RETURNED, order.id)
        return Unknown(issue, order.id)

    async def refund(self, refund: Refund) -> Outcome:
        order = await self.orders.read(refund.attempt.reference)
        if order is None:
            if refund.repeated:
                return Unknown("PayPal does not show the order any more", refund.reference)
            return declines.refused(
                "order_unknown", "PayPal does not show this order any more: refund it in PayPal."
            )
        # PayPal forgets request ids after some weeks; the refund itself carries ours for ever.
        if (done := _own(refund, order)) is not None:
            return of_refund(done)
        capture = _refundable(order, refund.amount)
        if capture is None:
            return declines.refused("nothing_captured", "PayPal has nothing to give back.")
        body = {"amount": amounts.as_json(refund.amount), "custom_id": refund.id}
        answer = await self.orders.api.post(
            f"{CAPTURES}/{capture.id}/refund", body, request_id=refund.id
        )
        if answer.done:
            return of_refund(movement(answer.body))
        if answer.issue in declines.IN_PROGRESS:
            return Unknown(answer.issue, refund.reference)
        now = await self.orders.read(order.id)
        if now is not None and (done := _own(refund, now)) is not None:
            return of_refund(done)  # refused because it was under way
        complain("refund", refund.id, answer)
        return declines.declined(answer, order.id, "refund")


def _own(refund: Refund, order: PayPalOrder) -> Movement | None:
    return next((done for done in order.refunds if done.custom_id == refund.id), None)


def _too_late(outcome: Outcome) -> Outcome:
    """The answer to a void of what is paid; Unknown while it is not known whether it is."""
    if isinstance(outcome, Approved):
        return declines.refused("too_late", "The money was taken already.")
    return outcome


def _refundable(order: PayPalOrder, amount: Money) -> Movement | None:
    """The capture to give back from: the first of enough, else the first at all, for PayPal to
    say what is wrong."""
    found = [each for each in order.captures if each.status in ("COMPLETED", "PARTIALLY_REFUNDED")]
    for each in found:
        if each.value is not None and each.value >= amount.major():
            return each
    return found[0] if found else None
