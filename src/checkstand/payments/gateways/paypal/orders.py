"""PayPal's orders as an attempt needs them: made, brought to their end, taken, closed.

What cannot be cancelled there. PayPal has no request that cancels an order that was not captured
yet: it expires after some hours (days, once approved). So that Declined is final, `closed` turns
the order's intent around and marks it with a custom_id: PayPal then refuses the capture, ours as
well as one from the browser, and no process of this server takes a marked order for a payment.
When PayPal does not accept that, the answer stays Unknown until the order is captured or gone.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from checkstand.kit.money import Money
from checkstand.payments.gateway import Due
from checkstand.payments.gateways import taken
from checkstand.payments.gateways.paypal import amounts, declines, making
from checkstand.payments.gateways.paypal.client import (
    Answer,
    CredentialsRefused,
    NoAnswer,
    PayPalApi,
)
from checkstand.payments.gateways.paypal.judge import (
    ACTION,
    mismatch,
    of_capture,
    paid,
    standing,
)
from checkstand.payments.gateways.paypal.order import CLOSED, PayPalOrder, movement
from checkstand.payments.model import (
    Approved,
    Attempt,
    Declined,
    Funds,
    NeedsAction,
    Outcome,
    Unknown,
)

_log = logging.getLogger(__name__)
ORDERS: Final = "/v2/checkout/orders"
AUTHORIZATIONS: Final = "/v2/payments/authorizations"
CAPTURES: Final = "/v2/payments/captures"
_WRONG_INTENT: Final = declines.refused(
    "wrong_intent",
    "This shop reserves money first. Make the PayPal order with intent AUTHORIZE, or use the "
    "`paypal_order_id` of the payment context.",
)


@dataclass(frozen=True, slots=True)
class Orders:
    """`capture_at_once`: else money is only reserved. `accept_unbound`: whether an order without
    custom_id may pay. `approve_page`: where shoppers approve, without the order's id."""

    api: PayPalApi
    capture_at_once: bool
    accept_unbound: bool
    approve_page: str

    @property
    def intent(self) -> str:
        return "CAPTURE" if self.capture_at_once else "AUTHORIZE"

    async def read(self, order_id: str) -> PayPalOrder | None:
        """None when PayPal has no such order of this shop: it never was, or has expired."""
        if not order_id:
            return None
        answer = await self.api.get(f"{ORDERS}/{order_id}")
        if answer.done:
            return PayPalOrder.read(answer.body)
        if answer.status == 404:
            return None
        raise NoAnswer(f"HTTP {answer.status} {answer.issue}")

    # --- made ---

    async def prepared(self, due: Due) -> PayPalOrder:
        """An order for the browser's buttons; the one that was prepared before while it is good."""
        order = await self.read(due.reference)
        if order is not None and self._usable(order, due):
            return order
        key = making.request_id(due.request_key)
        order = await self._for_buttons(due, key)
        if self._usable(order, due):
            return order
        # The key had made one before, which is paid or closed by now.
        return await self._for_buttons(due, making.request_id(f"{due.request_key}-{order.id}"))

    def _usable(self, order: PayPalOrder, due: Due) -> bool:
        return (
            order.open
            and order.intent == self.intent
            and order.custom_id == due.binding
            and amounts.equal(due.amount, order.amount)
        )

    async def _for_buttons(self, due: Due, key: str) -> PayPalOrder:
        body = making.for_buttons(due, key, self.intent)
        answer = await self.api.post(ORDERS, body, request_id=key)
        if not answer.done:
            complain("make an order", key, answer)
            raise NoAnswer(answer.issue)
        return await self._whole(answer)

    async def made(self, attempt: Attempt) -> Outcome:
        """An order for a shopper who is sent to PayPal. Nobody knows its link before NeedsAction
        is answered, so one whose answer was lost is never approved."""
        if (wrong := amounts.untakable(attempt.amount)) is not None:
            return wrong
        body = making.for_redirect(attempt, self.intent)
        answer = await self.api.post(ORDERS, body, request_id=attempt.id)
        if not answer.done:
            complain("make an order", attempt.id, answer)
            return declines.declined(answer)
        return await self.finish(attempt, await self._whole(answer))

    async def _whole(self, made: Answer) -> PayPalOrder:
        """The order that was made, asked for again when PayPal has told its id only."""
        order = PayPalOrder.read(made.body)
        return order if order.amount else await self.read(order.id) or order

    # --- brought to their end ---

    def fits(self, attempt: Attempt, order: PayPalOrder) -> bool:
        return mismatch(attempt, order, unbound=self.accept_unbound) is None

    async def finish(self, attempt: Attempt, order: PayPalOrder) -> Outcome:
        """What is approved is taken, once; what is paid is judged; who must act is told."""
        wrong = mismatch(attempt, order, unbound=self.accept_unbound)
        if wrong is not None:
            return await self._misfit(attempt, order, wrong)
        outcome = standing(order, attempt, f"{self.approve_page}{order.id}")
        if outcome is None:
            return await self._take(attempt, order)
        return await self._collected(attempt, order, outcome)

    async def _misfit(self, attempt: Attempt, order: PayPalOrder, wrong: Declined) -> Outcome:
        if order.open:
            return await self.refused(attempt, order, wrong)
        if order.custom_id == attempt.binding and order.custom_id and attempt.state.live:
            # Paid for this very cart, but not what is due: the shopper gets it back. What belongs
            # to another cart, or to no cart of ours, is never touched: it may have been delivered.
            # Nor what comes back to an attempt that is over: a later one may have used it.
            return await moved(self._undone(attempt, order, wrong), order.id)
        _log.error("attempt %s came with a PayPal payment that is not its own", attempt.id)
        return wrong

    async def refused(self, attempt: Attempt, order: PayPalOrder, wrong: Declined) -> Outcome:
        """A decline of an order that is open. Asked for the first time, nothing of ours is under
        way; else the order is closed first, if it is this attempt's."""
        if not attempt.repeated or not self.fits(attempt, order):
            return wrong
        return await self.closed(attempt, order, wrong)

    async def closed(self, attempt: Attempt, order: PayPalOrder, then: Declined) -> Outcome:
        """`then` once the order can surely not be captured any more; else what became of it."""
        left = await self.close(attempt, order)
        if left is None:
            return then
        return left if isinstance(left, Unknown) else await self.finish(attempt, left)

    async def close(self, attempt: Attempt, order: PayPalOrder) -> PayPalOrder | Unknown | None:
        """None: it is closed. The order itself when it is not open any more, because it was paid;
        Unknown when PayPal does not let it be closed."""
        flipped = "AUTHORIZE" if order.intent == "CAPTURE" else "CAPTURE"
        unit = f"/purchase_units/@reference_id=='{order.unit}'/custom_id"
        answer = await self.api.patch(
            f"{ORDERS}/{order.id}",
            [
                {"op": "replace", "path": "/intent", "value": flipped},
                {"op": "replace" if order.custom_id else "add", "path": unit, "value": CLOSED},
            ],
        )
        now = await self.read(order.id)
        if now is None or now.status == "VOIDED":
            return None
        if not now.open:
            return now
        if answer.done and now.custom_id == CLOSED and now.intent == flipped:
            return None
        complain("close the order", attempt.id, answer)
        return Unknown(f"the order cannot be closed: {answer.issue}", order.id)

    # --- taken ---

    async def _take(self, attempt: Attempt, order: PayPalOrder) -> Outcome:
        if order.intent == "CAPTURE" and not self.capture_at_once:
            # Its intent could be changed; but then closing it could only turn it back to what the
            # browser's script may still ask for.
            return await self.closed(attempt, order, _WRONG_INTENT)
        verb = "capture" if order.intent == "CAPTURE" else "authorize"
        answer = await self.api.post(f"{ORDERS}/{order.id}/{verb}", {}, request_id=attempt.id)
        if answer.done:
            return await moved(self._taken(attempt, order, answer.body), order.id)
        if answer.issue in declines.IN_PROGRESS:
            return Unknown(answer.issue, order.id)
        if answer.issue == "PAYER_ACTION_REQUIRED":
            link = answer.link("payer-action", "approve") or order.link
            about = {"paypal_order_id": order.id}
            return NeedsAction(link or f"{self.approve_page}{order.id}", ACTION, about, order.id)
        if answer.issue in declines.LOOK_AGAIN or answer.status == 404:
            return await self._looked_again(attempt, order, answer.issue)
        complain(verb, attempt.id, answer)
        refusal = declines.declined(answer, order.id)
        if declines.is_plain(answer):
            return refusal
        # PayPal may say so of one request while another one of ours is at the order.
        return await self.closed(attempt, order, refusal)

    async def _taken(
        self, attempt: Attempt, before: PayPalOrder, body: Mapping[str, Any]
    ) -> Outcome:
        """What was really taken: the order may have been changed between our look and that."""
        now = PayPalOrder.read(body)
        if not (now.captures or now.authorizations):  # a minimal answer
            now = await self.read(before.id) or before
        order = replace(before, captures=now.captures, authorizations=now.authorizations)
        wrong = mismatch(attempt, order, unbound=self.accept_unbound)
        if wrong is not None:
            return await self._undone(attempt, order, wrong)
        return await self._collected(attempt, order, paid(order, attempt))

    async def _collected(self, attempt: Attempt, order: PayPalOrder, outcome: Outcome) -> Outcome:
        """A browser may have reserved the money, in a shop that takes it at once."""
        reserved = isinstance(outcome, Approved) and outcome.funds is Funds.AUTHORISED
        if not (reserved and self.capture_at_once and attempt.funds is None):
            return outcome
        return await moved(self._captured(attempt, order), order.id)

    async def _captured(self, attempt: Attempt, order: PayPalOrder) -> Outcome:
        captured = await self.capture(attempt, order, attempt.amount)
        if isinstance(captured, Declined):  # nor may it stay reserved
            return await self._undone(attempt, order, captured)
        return captured

    async def _looked_again(self, attempt: Attempt, order: PayPalOrder, issue: str) -> Outcome:
        now = await self.read(order.id)
        if now is None:
            return unknown_order(attempt, order.id)
        if now.status == "APPROVED" and self.fits(attempt, now):
            # PayPal refuses, and does not say in the order why: a later look will tell.
            return Unknown(issue, order.id)
        return await self.finish(attempt, now)

    async def capture(self, attempt: Attempt, order: PayPalOrder, amount: Money) -> Outcome:
        """Takes what the order has reserved, once: the rest is let go of. Declined when another
        amount was captured before."""
        return taken.as_asked(await self._capture(attempt, order, amount), attempt, amount)

    async def _capture(self, attempt: Attempt, order: PayPalOrder, amount: Money) -> Outcome:
        reserved = next((a for a in order.authorizations if a.status == "CREATED"), None)
        if order.captures or (reserved is None and order.authorizations):
            return paid(order, attempt)
        if reserved is None:
            return declines.refused("nothing_reserved", "No money is reserved at PayPal.")
        body = {"amount": amounts.as_json(amount), "final_capture": True}
        path = f"{AUTHORIZATIONS}/{reserved.id}/capture"
        answer = await self.api.post(path, body, request_id=f"{attempt.id}-capture")
        if answer.done:
            done = movement(answer.body)
            if done.value is None:  # a minimal answer
                now = await self.read(order.id)
                return paid(now, attempt) if now else Unknown("captured", order.id)
            return of_capture(done, order.id, attempt)
        if answer.issue in declines.IN_PROGRESS or answer.issue in declines.LOOK_AGAIN:
            return Unknown(answer.issue, order.id)
        complain("capture", attempt.id, answer)
        return declines.declined(answer, order.id)

    async def _undone(self, attempt: Attempt, order: PayPalOrder, wrong: Declined) -> Outcome:
        """`wrong` once all that the order took is on its way back; Unknown while it is not."""
        _log.error("attempt %s was paid, but not as it is due: it is given back", attempt.id)
        paths = [
            f"{CAPTURES}/{capture.id}/refund"
            for capture in order.captures
            if capture.status not in ("DECLINED", "FAILED", "REFUNDED")
        ]
        if not order.captures:
            paths += [
                f"{AUTHORIZATIONS}/{reserved.id}/void"
                for reserved in order.authorizations
                if reserved.status in ("CREATED", "PENDING")
            ]
        for path in paths:
            answer = await self.api.post(path, {}, request_id=f"{attempt.id}-back")
            if not answer.done and answer.issue not in declines.GIVEN_BACK:
                complain("give back", attempt.id, answer)
                return Unknown(f"to be given back: {answer.issue}", order.id)
        return wrong


def unknown_order(attempt: Attempt, reference: str) -> Outcome:
    """PayPal does not show the order. Its ids are its own, so that none comes to be later."""
    if attempt.funds is not None:
        return Unknown("PayPal does not show the order any more", reference)
    return declines.refused(
        "order_unknown",
        "PayPal does not know this payment, or it has expired. Please start again.",
        paypal_order_id=reference,
    )


async def moved(work: Awaitable[Outcome], reference: str) -> Outcome:
    """Money has moved: from here on, refused credentials do not mean that nothing was charged."""
    try:
        return await work
    except NoAnswer as silence:
        return Unknown(silence.reason, reference)
    except CredentialsRefused:
        return Unknown("PayPal refuses the shop's credentials", reference)


def complain(what: str, name: str, answer: Answer) -> None:
    """To the log: what is the shop's to mend as an error, what is the shopper's as information."""
    loud = declines.is_our_fault(answer)
    level = logging.ERROR if loud else logging.INFO
    said = (what, name, answer.status, answer.issue, answer.debug_id)
    _log.log(level, "PayPal does not %s for %s: HTTP %d %s (debug id %s)", *said)
