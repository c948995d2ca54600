"""Recording what came of a payment attempt: the one door for client, worker and provider alike.

Harmless when repeated: an attempt that was settled before changes nothing. Locks are taken in the
order of the house: cart, order, stock.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from checkstand.cart import store as carts
from checkstand.cart.model import Cart
from checkstand.checkout.model import PaymentStatus, Placement, placed
from checkstand.errors import CheckstandError
from checkstand.orders import store as orders
from checkstand.orders.model import Order, OrderStatus
from checkstand.payments import store as attempts
from checkstand.payments.model import (
    Approved,
    Attempt,
    AttemptState,
    Declined,
    Funds,
    NeedsAction,
    Outcome,
    Unknown,
)
from checkstand.stock import store as stock
from checkstand.storage.database import Connection

REPLAYED_FOR = timedelta(hours=48)
"""How long a process on a placed cart answers with its order (DECISIONS 17)."""
_ROW_KEPT_FOR = REPLAYED_FOR + timedelta(hours=24)


async def settle(
    connection: Connection, attempt: Attempt, cart_key: str, outcome: Outcome, now: datetime
) -> Placement:
    """Transaction B: the outcome on the attempt, the order moved, stock and cart after it."""
    found = await carts.lock(connection, cart_key, carts.LONG_AGO)
    order = await orders.head(connection, attempt.order_id, lock=True)
    if order is None:
        raise CheckstandError(f"attempt {attempt.id} has no order")
    state, reference = _recorded(outcome)
    if not await attempts.settle(connection, attempt.id, state, reference, now):
        return _standing(order)
    cart = found.cart if found.cart and found.cart.order_id == order.id else None
    match outcome:
        case Approved():
            return await _approved(connection, order, cart, outcome, now)
        case Declined():
            return await _declined(connection, order, cart, outcome)
        case NeedsAction():
            return Placement(
                order,
                PaymentStatus.NEEDS_ACTION,
                "One more step is needed to pay.",
                redirect_url=outcome.redirect_url,
                action_type=outcome.action_type,
                action_data=outcome.action_data,
                attempt_id=attempt.id,
            )
        case Unknown():
            return pending(order, attempt)
        case _:
            assert_never(outcome)


def pending(order: Order, attempt: Attempt) -> Placement:
    """The provider has not answered yet (DECISIONS 14)."""
    return Placement(
        order,
        PaymentStatus.PENDING,
        "The payment is being confirmed. Ask again in a moment; you will not be charged twice.",
        attempt_id=attempt.id,
    )


def _recorded(outcome: Outcome) -> tuple[AttemptState, str]:
    match outcome:
        case Approved(reference=reference):
            return AttemptState.APPROVED, reference
        case Declined():
            return AttemptState.DECLINED, ""
        case NeedsAction(reference=reference):
            return AttemptState.NEEDS_ACTION, reference
        case Unknown():
            return AttemptState.UNKNOWN, ""
        case _:
            assert_never(outcome)


def _standing(order: Order) -> Placement:
    """How an order stands that somebody else has settled."""
    if order.placed_at is not None:
        return placed(order)
    return Placement(order, PaymentStatus.FAILED, "The payment was declined.")


async def _approved(
    connection: Connection, order: Order, cart: Cart | None, outcome: Approved, now: datetime
) -> Placement:
    paid = outcome.funds in (Funds.CAPTURED, Funds.NOTHING_DUE)
    if outcome.funds is Funds.AWAITED:
        to = OrderStatus.ON_HOLD
    elif paid and not order.needs_processing:
        to = OrderStatus.COMPLETED
    else:
        to = OrderStatus.PROCESSING
    order = await orders.move(connection, order, to, placed_at=now, paid_at=now if paid else None)
    await stock.take(connection, order.id)
    if cart is not None:
        closed = replace(
            cart.reopened(),
            order_id=order.id,
            placed_at=now,
            expires_at=max(cart.expires_at, now + _ROW_KEPT_FOR),
        )
        await carts.save(connection, closed, [])
    return placed(order)


async def _declined(
    connection: Connection, order: Order, cart: Cart | None, outcome: Declined
) -> Placement:
    order = await orders.move(connection, order, OrderStatus.FAILED, placed_at=None, paid_at=None)
    await stock.release(connection, order.id)
    if cart is not None:
        counted = sorted({line.sold_id for line in cart.lines})
        await carts.save(connection, replace(cart, paying_until=None), counted)
    return Placement(
        order, PaymentStatus.FAILED, outcome.message, gateway_error=outcome.gateway_error
    )
