"""The gateway: what Checkstand asks, in terms of PayPal's orders.

What cannot be cancelled there. PayPal has no request that cancels an order that was not captured
yet: it expires after some hours (days, once approved). So that Declined is final, `_close` turns
the order's intent around and marks it with a custom_id: PayPal then refuses the capture, ours as
well as one from the browser, and no process of this server takes a marked order for a payment.
When PayPal does not accept that, the answer stays Unknown until the order is captured or gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal

import httpx2

from checkstand.errors import PaymentMethodUnknown
from checkstand.kit.money import Money
from checkstand.payments.gateway import Context, Description, Due, House, Notice
from checkstand.payments.gateways.paypal import amounts, declines, making, sent, settings
from checkstand.payments.gateways.paypal.client import (
    LIVE,
    SANDBOX,
    CredentialsRefused,
    NoAnswer,
    PayPalApi,
)
from checkstand.payments.gateways.paypal.judge import mismatch, paid, standing, wrong_capture
from checkstand.payments.gateways.paypal.order import CLOSED, Movement, PayPalOrder, movement
from checkstand.payments.gateways.paypal.webhook import Webhooks
from checkstand.payments.model import (
    Approved,
    Attempt,
    Declined,
    Funds,
    NeedsAction,
    Outcome,
    Refund,
    Unknown,
)

_log = logging.getLogger(__name__)
ORDERS: Final = "/v2/checkout/orders"
AUTHORIZATIONS: Final = "/v2/payments/authorizations"
CAPTURES: Final = "/v2/payments/captures"
_FINISHED_BY_LOOKUP = timedelta(hours=1)
"""How old an attempt may be whose approved order a look-up still captures: the shopper has agreed
to pay at PayPal and has ordered here. Later, he is taken to have given up, and it is closed."""


@dataclass(frozen=True, slots=True)
class PayPalGateway:
    description: Description
    timeout: float
    api: PayPalApi
    webhooks: Webhooks
    capture_at_once: bool
    accept_unbound: bool
    approve_page: str
    """PayPal's page for an order's approval, without the order's id."""
    wrong_settings: tuple[str, ...] = field(default=())

    # --- before the order ---

    async def context(self, due: Due) -> Context:
        """`paypal_order_id` for buttons that approve an order of ours, `custom_id` for those that
        make one themselves. PaymentMethodUnknown when PayPal does not take the currency."""
        if (wrong := amounts.untakable(due.amount)) is not None:
            raise PaymentMethodUnknown(str(wrong.gateway_error["message"]))
        order = await self._read(due.reference) if due.reference else None
        if order is None or not self._usable(order, due):
            order = await self._prepared(due)
        fields = {
            **self.description.storefront,
            "paypal_order_id": order.id,
            "custom_id": due.binding,
        }
        return Context(fields, order.id)

    def browser_payment(self, payment: Mapping[str, Any]) -> str:
        return sent.order_id(payment)

    async def _prepared(self, due: Due) -> PayPalOrder:
        key = making.request_id(due.request_key)
        order = await self._made(making.for_buttons(due, key, self._intent), key)
        if self._usable(order, due):
            return order
        # The key had made one before, which is paid or closed by now.
        key = making.request_id(f"{due.request_key}-{order.id}")
        return await self._made(making.for_buttons(due, key, self._intent), key)

    def _usable(self, order: PayPalOrder, due: Due) -> bool:
        return (
            order.open
            and order.intent == self._intent
            and order.custom_id == due.binding
            and amounts.equal(due.amount, order.amount)
        )

    @property
    def _intent(self) -> str:
        return "CAPTURE" if self.capture_at_once else "AUTHORIZE"

    # --- the order ---

    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        given = sent.read(payment)
        reference = attempt.reference or given.order_id
        return await self._answered(
            self._charge(attempt, given, reference), attempt, reference, starts=True
        )

    async def _charge(self, attempt: Attempt, given: sent.Sent, reference: str) -> Outcome:
        if not reference:
            return given.refusal or await self._sent_to_paypal(attempt)
        order = await self._read(reference)
        if order is None:
            return self._no_order(attempt, reference)
        if attempt.reference and given.order_id not in ("", attempt.reference):
            return await self._other_order(attempt, order)
        wrong = given.refusal or given.contradiction(attempt.amount, order.payer_id)
        if wrong is not None and order.open:
            return await self._refused(attempt, order, wrong)
        # Once it was asked for, what PayPal has done counts, not what the browser says of it.
        if wrong is not None and not attempt.repeated:
            return wrong
        return await self._finish(attempt, order)

    async def _sent_to_paypal(self, attempt: Attempt) -> Outcome:
        """An order of ours, for a shopper who is sent to PayPal. Nobody knows its link before
        NeedsAction is answered, so one whose answer was lost is never approved."""
        if (wrong := amounts.untakable(attempt.amount)) is not None:
            return wrong
        answer = await self.api.post(
            ORDERS, making.for_redirect(attempt, self._intent), request_id=attempt.id
        )
        if not answer.done:
            self._complain("make an order", attempt.id, answer.issue, answer.debug_id)
            return declines.declined(answer)
        return await self._finish(attempt, PayPalOrder.read(answer.body))

    async def _finish(self, attempt: Attempt, order: PayPalOrder) -> Outcome:
        """Brings the order to its end: what is approved is taken, once."""
        wrong = mismatch(attempt, order, unbound=self.accept_unbound)
        if wrong is not None:
            if order.open:
                return await self._refused(attempt, order, wrong)
            if order.custom_id != CLOSED:
                _log.error("PayPal order %s does not fit attempt %s", order.id, attempt.id)
            return wrong
        outcome = standing(order, attempt, f"{self.approve_page}{order.id}")
        if outcome is None:
            return await self._take(attempt, order)
        if wrong_capture(order, attempt) is not None:
            _log.error("PayPal order %s was captured with another amount", order.id)
            return declines.refused(
                "amount_mismatch",
                "PayPal took another amount than this order's. Please ask the shop.",
                paypal_order_id=order.id,
            )
        return await self._collected(attempt, order, outcome)

    async def _take(self, attempt: Attempt, order: PayPalOrder) -> Outcome:
        verb = "capture" if order.intent == "CAPTURE" else "authorize"
        answer = await self.api.post(f"{ORDERS}/{order.id}/{verb}", {}, request_id=attempt.id)
        if answer.done:
            return await self._moved(self._taken(attempt, order, answer.body), order.id)
        if answer.issue in declines.IN_PROGRESS:
            return Unknown(answer.issue, order.id)
        if answer.issue == "PAYER_ACTION_REQUIRED":
            link = answer.link("payer-action", "approve") or order.link
            return NeedsAction(
                link or f"{self.approve_page}{order.id}",
                "paypal_approve",
                {"paypal_order_id": order.id},
                order.id,
            )
        if answer.issue in declines.LOOK_AGAIN or answer.status == 404:
            return await self._looked_again(attempt, order, answer.issue)
        self._complain(
            verb, attempt.id, answer.issue, answer.debug_id, declines.is_our_fault(answer)
        )
        return declines.declined(answer, order.id)

    async def _taken(
        self, attempt: Attempt, before: PayPalOrder, body: Mapping[str, Any]
    ) -> Outcome:
        """What was really taken. A browser that holds a token of PayPal's can change the order
        between our look and the capture, so the amount is judged afterwards as well."""
        order = PayPalOrder.read(body)
        if not order.captures and not order.authorizations:
            order = await self._read(before.id) or before
        wrong = wrong_capture(order, attempt)
        if wrong is not None:
            return await self._give_back(attempt, order, wrong)
        return await self._collected(attempt, order, paid(order, attempt))

    async def _collected(self, attempt: Attempt, order: PayPalOrder, outcome: Outcome) -> Outcome:
        """A browser may have made an order that only reserves, in a shop that captures at once."""
        reserved = isinstance(outcome, Approved) and outcome.funds is Funds.AUTHORISED
        if not (reserved and self.capture_at_once and attempt.funds is None):
            return outcome
        return await self._moved(self._capture(attempt, order, attempt.amount), order.id)

    async def _looked_again(self, attempt: Attempt, order: PayPalOrder, issue: str) -> Outcome:
        now = await self._read(order.id)
        if now is None:
            return self._no_order(attempt, order.id)
        if now.status == "APPROVED":
            # PayPal refuses, and does not say so in the order: settled by a later look.
            return Unknown(issue, order.id)
        return await self._finish(attempt, now)

    async def _give_back(self, attempt: Attempt, order: PayPalOrder, capture: Movement) -> Outcome:
        _log.error("PayPal order %s was changed while it was captured: given back", order.id)
        answer = await self.api.post(
            f"{CAPTURES}/{capture.id}/refund", {}, request_id=f"{attempt.id}-back"
        )
        if not answer.done:
            return Unknown(f"another amount was captured, refund: {answer.issue}", order.id)
        return declines.refused(
            "amount_mismatch",
            "The amount was changed at PayPal. The payment was given back; please start again.",
            paypal_order_id=order.id,
        )

    # --- later ---

    async def lookup(self, attempt: Attempt) -> Outcome:
        if not attempt.reference:
            # Either nothing was made, or an order whose link nobody has.
            return declines.refused("never_begun", "The payment was not begun. Please try again.")
        return await self._answered(self._lookup(attempt), attempt, attempt.reference)

    async def _lookup(self, attempt: Attempt) -> Outcome:
        order = await self._read(attempt.reference)
        if order is None:
            return self._no_order(attempt, attempt.reference)
        if order.status == "APPROVED" and attempt.funds is None:
            fits = mismatch(attempt, order, unbound=self.accept_unbound) is None
            age = self.webhooks.clock.now() - attempt.created_at
            if fits and age > _FINISHED_BY_LOOKUP:
                given_up = declines.refused(
                    "abandoned",
                    "The payment was not finished in time. Nothing was charged.",
                    paypal_order_id=order.id,
                )
                return await self._closed(attempt, order, given_up)
        return await self._finish(attempt, order)

    async def capture(self, attempt: Attempt, amount: Money) -> Outcome:
        async def work() -> Outcome:
            order = await self._read(attempt.reference)
            if order is None:
                return Unknown("PayPal does not know the order any more", attempt.reference)
            return await self._capture(attempt, order, amount)

        return await self._answered(work(), attempt, attempt.reference)

    async def _capture(self, attempt: Attempt, order: PayPalOrder, amount: Money) -> Outcome:
        if order.captures:
            return paid(order, attempt)
        reserved = next((a for a in order.authorizations if a.status == "CREATED"), None)
        if reserved is None:
            return (
                paid(order, attempt)
                if order.authorizations
                else declines.refused(
                    "nothing_reserved", "No money is reserved at PayPal.", paypal_order_id=order.id
                )
            )
        body = {"amount": amounts.as_json(amount), "final_capture": True}
        answer = await self.api.post(
            f"{AUTHORIZATIONS}/{reserved.id}/capture", body, request_id=f"{attempt.id}-capture"
        )
        if answer.done:
            outcome = _of_capture(movement(answer.body), order.id)
            return outcome
        if answer.issue in declines.IN_PROGRESS or answer.issue in declines.LOOK_AGAIN:
            return Unknown(answer.issue, order.id)
        self._complain("capture", attempt.id, answer.issue, answer.debug_id)
        return declines.declined(answer, order.id)

    async def void(self, attempt: Attempt) -> Outcome:
        if not attempt.reference:
            return Approved(Funds.RETURNED)
        return await self._answered(self._void(attempt), attempt, attempt.reference)

    async def _void(self, attempt: Attempt) -> Outcome:
        returned = Approved(Funds.RETURNED, attempt.reference)
        order = await self._read(attempt.reference)
        if order is None or order.custom_id == CLOSED:
            return returned
        if mismatch(attempt, order, unbound=self.accept_unbound) is not None:
            # Not this cart's: whoever it belongs to, it is not ours to stop, and we never take it.
            return returned
        if order.open:
            closed = await self._closed(attempt, order, Declined(""))
            return returned if isinstance(closed, Declined) else _too_late(closed, order)
        outcome = paid(order, attempt)
        if isinstance(outcome, Approved) and outcome.funds is Funds.AUTHORISED:
            return await self._let_go(attempt, order)
        return returned if isinstance(outcome, Declined) else _too_late(outcome, order)

    async def _let_go(self, attempt: Attempt, order: PayPalOrder) -> Outcome:
        for reserved in order.authorizations:
            if reserved.status != "CREATED":
                continue
            path = f"{AUTHORIZATIONS}/{reserved.id}/void"
            answer = await self.api.post(path, {}, request_id=f"{attempt.id}-void")
            if not answer.done:
                return await self._not_let_go(order, answer.issue)
        return Approved(Funds.RETURNED, order.id)

    async def _not_let_go(self, order: PayPalOrder, issue: str) -> Outcome:
        """Voided already, or captured meanwhile: the order tells which."""
        now = await self._read(order.id)
        if now is None or now.captures or not now.authorizations:
            return declines.refused("too_late", "The money was taken already.", issue=issue)
        if all(each.status in ("VOIDED", "EXPIRED", "DENIED") for each in now.authorizations):
            return Approved(Funds.RETURNED, order.id)
        return Unknown(issue, order.id)

    async def refund(self, refund: Refund) -> Outcome:
        attempt = refund.attempt
        return await self._answered(self._refund(refund), attempt, refund.reference)

    async def _refund(self, refund: Refund) -> Outcome:
        order = await self._read(refund.attempt.reference)
        if order is None:
            if refund.repeated:
                return Unknown("PayPal does not know the order any more", refund.reference)
            return declines.refused(
                "order_gone",
                "PayPal does not show this order any more: give the money back in PayPal.",
            )
        for done in order.refunds:
            if done.custom_id == refund.id:
                return _of_refund(done)
        capture = _refundable(order, refund.amount)
        if capture is None:
            return declines.refused("nothing_captured", "PayPal has nothing to give back.")
        answer = await self.api.post(
            f"{CAPTURES}/{capture.id}/refund",
            {"amount": amounts.as_json(refund.amount), "custom_id": refund.id},
            request_id=refund.id,
        )
        if answer.done:
            return _of_refund(movement(answer.body))
        if answer.issue in declines.IN_PROGRESS:
            return Unknown(answer.issue, refund.reference)
        self._complain("refund", refund.id, answer.issue, answer.debug_id)
        return declines.declined(answer, order.id)

    async def parse_webhook(self, raw: bytes, headers: Mapping[str, str]) -> Notice | None:
        return await self.webhooks.notice(raw, headers)

    def complaints(self) -> list[str]:
        return list(self.wrong_settings)

    async def close(self) -> None:
        await self.api.close()

    # --- what they share ---

    async def _answered(
        self, work: Awaitable[Outcome], attempt: Attempt, reference: str, *, starts: bool = False
    ) -> Outcome:
        """No answer is Unknown with what is known. Refused credentials are a decline only where
        nothing can have been charged: in a first charge, before PayPal has taken anything."""
        try:
            async with asyncio.timeout(self.timeout * 0.9):
                return await work
        except NoAnswer as silence:
            return Unknown(silence.reason, reference)
        except TimeoutError:
            return Unknown("PayPal did not answer in time", reference)
        except CredentialsRefused:
            if not starts or attempt.repeated:
                return Unknown("PayPal refuses the shop's credentials", reference)
            return declines.refused(
                "configuration_error",
                "PayPal payments do not work in this shop right now. Please pay in another way.",
            )

    async def _moved(self, work: Awaitable[Outcome], reference: str) -> Outcome:
        """Money has moved: from here on, no answer may become a decline."""
        try:
            return await work
        except CredentialsRefused:
            raise NoAnswer(f"credentials refused in the middle of {reference}") from None

    async def _read(self, order_id: str) -> PayPalOrder | None:
        """None when PayPal has no such order of this shop: it never was, or has expired."""
        if not order_id:
            return None
        answer = await self.api.get(f"{ORDERS}/{order_id}")
        if answer.done:
            return PayPalOrder.read(answer.body)
        if answer.status == 404:
            return None
        raise NoAnswer(f"HTTP {answer.status} {answer.issue}")

    async def _made(self, body: Mapping[str, Any], key: str) -> PayPalOrder:
        answer = await self.api.post(ORDERS, body, request_id=key)
        if not answer.done:
            self._complain("make an order", key, answer.issue, answer.debug_id)
            raise NoAnswer(answer.issue)
        return PayPalOrder.read(answer.body)

    def _no_order(self, attempt: Attempt, reference: str) -> Outcome:
        if attempt.funds is not None:
            return Unknown("PayPal does not show the order any more", reference)
        return declines.refused(
            "order_unknown",
            "PayPal does not know this payment, or it has expired. Please start again.",
            paypal_order_id=reference,
        )

    async def _other_order(self, attempt: Attempt, order: PayPalOrder) -> Outcome:
        """The attempt's own order was paid: that counts. Else it is closed, so that the next
        attempt can use the other one without both being paid."""
        if not order.open:
            return await self._finish(attempt, order)
        other = declines.refused(
            "other_paypal_order",
            "The payment was started twice. Nothing was charged; please try again.",
            paypal_order_id=order.id,
        )
        return await self._closed(attempt, order, other)

    async def _refused(self, attempt: Attempt, order: PayPalOrder, wrong: Declined) -> Outcome:
        """A decline of an order that is open. Asked for the first time, nothing of ours is under
        way; else the order is closed first, if it is this cart's."""
        if not attempt.repeated:
            return wrong
        if mismatch(attempt, order, unbound=self.accept_unbound) is not None:
            return wrong
        return await self._closed(attempt, order, wrong)

    async def _closed(self, attempt: Attempt, order: PayPalOrder, then: Declined) -> Outcome:
        """`then` once the order can surely not be captured any more; else what became of it."""
        unit = f"/purchase_units/@reference_id=='{order.unit}'/custom_id"
        answer = await self.api.patch(
            f"{ORDERS}/{order.id}",
            [
                {
                    "op": "replace",
                    "path": "/intent",
                    "value": "AUTHORIZE" if order.intent == "CAPTURE" else "CAPTURE",
                },
                {"op": "replace" if order.custom_id else "add", "path": unit, "value": CLOSED},
            ],
        )
        now = await self._read(order.id)
        if now is None or now.status == "VOIDED":
            return then
        if not now.open:
            return await self._finish(attempt, now)
        if answer.done and now.custom_id == CLOSED and now.intent != order.intent:
            return then
        _log.error("PayPal order %s cannot be closed: %s", order.id, answer.issue)
        return Unknown(f"the order cannot be closed: {answer.issue}", order.id)

    def _complain(self, what: str, name: str, issue: str, debug_id: str, loud: bool = True) -> None:
        _log.log(
            logging.ERROR if loud else logging.INFO,
            "PayPal refuses to %s for %s: %s (debug id %s)",
            what,
            name,
            issue,
            debug_id,
        )


def _of_capture(capture: Movement, order_id: str) -> Outcome:
    if capture.status in ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"):
        return Approved(Funds.CAPTURED, order_id)
    if capture.status in ("DECLINED", "FAILED"):
        return declines.refused("capture_declined", "PayPal declined the capture.")
    return Unknown(f"capture: {capture.status} {capture.reason}".strip()[:200], order_id)


def _of_refund(done: Movement) -> Outcome:
    if done.status in ("COMPLETED", "PENDING"):  # pending: on its way, as with an eCheck
        return Approved(Funds.RETURNED, done.id)
    if done.status in ("CANCELLED", "FAILED"):
        return declines.refused(f"refund_{done.status.lower()}", "PayPal did not refund.")
    return Unknown(f"refund: {done.status[:40]}", done.id)


def _too_late(outcome: Outcome, order: PayPalOrder) -> Outcome:
    """The answer to a void of what is paid, or is being paid."""
    if isinstance(outcome, Unknown) and not order.captures:
        return outcome
    return declines.refused(
        "too_late", "The money was taken, or is being taken.", paypal_order_id=order.id
    )


def _refundable(order: PayPalOrder, amount: Money) -> Movement | None:
    """The capture to give back from: the first of enough, else the first at all, for PayPal to
    say what is wrong."""
    found = [each for each in order.captures if each.status in ("COMPLETED", "PARTIALLY_REFUNDED")]
    for each in found:
        value = amounts.number(each.amount.get("value"))
        if value is not None and value >= amount.major():
            return each
    return found[0] if found else None


def gateway(
    *,
    environment: Literal["sandbox", "live"],
    client_id: str,
    client_secret: str,
    webhook_id: str = "",
    capture: Literal["automatic", "manual"] = "automatic",
    unbound_orders: Literal["refuse", "accept"] = "refuse",
    api_base: str = "",
    title: str = "",
    description: str = "",
    house: House,
    timeout: float,
) -> PayPalGateway:
    """The gateway of a shop's PayPal account. `timeout`: seconds for each of its methods."""
    live = environment == "live"
    address = api_base.rstrip("/") or (LIVE if live else SANDBOX)
    client = httpx2.AsyncClient(timeout=timeout * 0.9, follow_redirects=False, trust_env=False)
    api = PayPalApi(address, client_id, client_secret, house.clock, client)
    return PayPalGateway(
        description=settings.described(
            client_id, bool(client_secret), environment, capture, title, description
        ),
        timeout=timeout,
        api=api,
        webhooks=Webhooks(api, webhook_id, house.clock),
        capture_at_once=capture == "automatic",
        accept_unbound=unbound_orders == "accept",
        approve_page=f"https://www.{'' if live else 'sandbox.'}paypal.com/checkoutnow?token=",
        wrong_settings=tuple(
            settings.complaints(environment, client_id, client_secret, webhook_id, api_base)
        ),
    )
