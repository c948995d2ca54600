"""What a PayPal order, as it stands, means for an attempt. Pure: nobody is asked."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from checkstand.payments.gateways import taken
from checkstand.payments.gateways.paypal.amounts import equal
from checkstand.payments.gateways.paypal.declines import refused
from checkstand.payments.gateways.paypal.order import CLOSED, Movement, PayPalOrder
from checkstand.payments.model import (
    Approved,
    Attempt,
    Declined,
    Funds,
    NeedsAction,
    Outcome,
    Unknown,
)

ACTION = "paypal_approve"
_TAKEN = ("COMPLETED", "PARTIALLY_REFUNDED")
_NOT_TAKEN = ("DECLINED", "FAILED")
_TRY_AGAIN = "The PayPal payment does not fit this order. Please start the payment again."


def mismatch(attempt: Attempt, order: PayPalOrder, *, unbound: bool) -> Declined | None:
    """Why the order may not pay for the attempt: another amount, currency, or cart.

    `unbound`: whether an order without any custom_id may. One with another custom_id belongs to
    another cart, or has been closed, and never may.
    """
    if order.custom_id == CLOSED:
        return refused("order_closed", _TRY_AGAIN, paypal_order_id=order.id)
    bound = bool(order.custom_id) and order.custom_id == attempt.binding
    if not bound and (order.custom_id or not unbound):
        return refused(
            "binding_mismatch",
            _TRY_AGAIN,
            fix="Make the PayPal order with `custom_id` of the payment context.",
            paypal_order_id=order.id,
        )
    if not equal(attempt.amount, order.amount) or _captured_otherwise(attempt, order):
        return refused("amount_mismatch", _TRY_AGAIN, paypal_order_id=order.id)
    return None


def standing(order: PayPalOrder, attempt: Attempt, link: str) -> Outcome | None:
    """What the order's state means; None when it is approved and has yet to be taken.

    `link` leads the shopper to PayPal when the order names no link itself.
    """
    if order.waits:
        return NeedsAction(order.link or link, ACTION, {"paypal_order_id": order.id}, order.id)
    if order.status == "APPROVED":
        return None
    if order.status == "VOIDED":
        return refused("order_voided", _TRY_AGAIN, paypal_order_id=order.id)
    if order.status == "COMPLETED":
        return paid(order, attempt)
    return Unknown(f"the PayPal order is {order.status[:40]}", order.id)


def paid(order: PayPalOrder, attempt: Attempt) -> Outcome:
    """What the captures of a completed order mean, else its authorizations.

    That amount and cart fit is for `mismatch` to say.
    """
    if order.captures:
        return _captured(order, attempt)
    reserved = {each.status for each in order.authorizations}
    if "CAPTURED" in reserved and "PARTIALLY_CAPTURED" not in reserved:  # all of it
        return Approved(Funds.CAPTURED, order.id)
    if "CREATED" in reserved:
        return Approved(Funds.AUTHORISED, order.id)
    if reserved and reserved <= {"DENIED", "EXPIRED", "VOIDED"}:
        return refused(
            f"authorization_{min(reserved).lower()}",
            "PayPal did not reserve the money. Please pay again.",
            paypal_order_id=order.id,
        )
    return Unknown(f"authorizations: {_told(order.authorizations)}", order.id)


def _captured(order: PayPalOrder, attempt: Attempt) -> Outcome:
    states = {each.status for each in order.captures}
    if any(state in states for state in _TAKEN):
        return _taken(order, attempt)
    if "REFUNDED" in states:
        if attempt.funds is not None:  # it was paid; that it was given back is another story
            return _taken(order, attempt)
        return refused(
            "refunded",
            "This PayPal payment was given back. Please pay again.",
            paypal_order_id=order.id,
        )
    if states <= set(_NOT_TAKEN):
        return refused(
            "capture_declined",
            "PayPal declined the payment. Please choose another way to pay.",
            paypal_order_id=order.id,
        )
    # An eCheck that has to clear, or a review: money may come, or may not.
    return Unknown(f"captures: {_told(order.captures)}", order.id)


def _taken(order: PayPalOrder, attempt: Attempt) -> Outcome:
    """Approved with what the captures have taken, given back since or not."""
    values = [each.value for each in order.captures if each.status in (*_TAKEN, "REFUNDED")]
    told = [value for value in values if value is not None]
    if len(told) < len(values):
        return Unknown("a capture without an amount", order.id)
    return taken.captured(attempt, order.id, sum(told, Decimal(0)))


def _captured_otherwise(attempt: Attempt, order: PayPalOrder) -> bool:
    """Whether an order that was to be captured at once was, but with another amount than is due:
    a browser that holds a token of PayPal's can change an order until it is captured."""
    return order.intent == "CAPTURE" and any(
        capture.status not in _NOT_TAKEN and not capture.is_for(attempt.amount)
        for capture in order.captures
    )


def _told(movements: Sequence[Movement]) -> str:
    return ", ".join(f"{each.status} {each.reason}".strip() for each in movements)[:200] or "none"


def of_capture(capture: Movement, order_id: str, attempt: Attempt) -> Outcome:
    """What a capture of reserved money came to."""
    if capture.status in (*_TAKEN, "REFUNDED"):
        if capture.value is None:
            return Unknown("a capture without an amount", order_id)
        return taken.captured(attempt, order_id, capture.value)
    if capture.status in _NOT_TAKEN:
        return refused("capture_declined", "PayPal declined the capture.")
    return Unknown(f"capture: {_told([capture])}", order_id)


def of_refund(done: Movement) -> Outcome:
    """What a refund came to. One that is pending is on its way, as with an eCheck."""
    if done.status in ("COMPLETED", "PENDING"):
        return Approved(Funds.RETURNED, done.id)
    if done.status in ("CANCELLED", "FAILED"):
        return refused(f"refund_{done.status.lower()}", "PayPal did not give the money back.")
    return Unknown(f"refund: {_told([done])}", done.id)
