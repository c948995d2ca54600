"""Recording what came of a payment attempt: the one door for client, webhook, worker and
administrator alike.

Harmless when repeated: an attempt that was settled before changes nothing, unless the provider
says something new about its money. Locks are taken in the order of the house: cart, order, stock,
coupons.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from checkstand import audit
from checkstand.cart import store as carts
from checkstand.cart.model import Cart
from checkstand.checkout.model import PaymentStatus, Placement, placed
from checkstand.errors import CheckstandError
from checkstand.orders import store as orders
from checkstand.orders.model import Order, OrderStatus
from checkstand.payments.model import (
    Approved,
    Attempt,
    AttemptState,
    Declined,
    Funds,
    NeedsAction,
    Outcome,
    Refund,
    Unknown,
)
from checkstand.payments.store import attempts, contexts, refunds, tokens
from checkstand.promotions import store as promotions
from checkstand.stock import store as stock
from checkstand.storage.database import Connection

_log = logging.getLogger(__name__)
REPLAYED_FOR = timedelta(hours=48)
"""How long a process on a placed cart answers with its order (DECISIONS 17)."""
_ROW_KEPT_FOR = REPLAYED_FOR + timedelta(hours=24)
_FIRST_LOOK = 2.0
_LAST_LOOK = 900.0
_ACTION_LOOK = 60.0
_LOOK_TAKES = timedelta(minutes=6)
"""Longer than any provider's time limit."""
_DECLINED = "The payment was declined."
LATE = "rf_late_"
"""How the ids of refunds begin that the shop owes by itself: money that came too late."""
_TAKEN = (Funds.CAPTURED, Funds.NOTHING_DUE)


async def settle(
    connection: Connection,
    attempt: Attempt,
    outcome: Outcome,
    now: datetime,
    *,
    hold_for: timedelta,
) -> Placement:
    """Transaction B: the outcome on the attempt, the order moved, stock and cart after it.
    `hold_for`: how long stock and coupon uses stay kept while the payment is open, and at least
    until somebody looks again."""
    found = await carts.lock(connection, attempt.cart_key, carts.LONG_AGO)
    order = await orders.head(connection, attempt.order_id, lock=True)
    if order is None:
        raise CheckstandError(f"attempt {attempt.id} has no order")
    recorded = _recorded(attempt, outcome)
    if not await attempts.settle(connection, recorded, now, _next_look(recorded, now)):
        placement = await _settled_before(connection, order, attempt, outcome, now)
        again = _later(attempt, now) if isinstance(outcome, Unknown) else None
        await attempts.looked(connection, attempt, now, again)
        return placement
    if recorded.reference and not recorded.state.live:
        await contexts.forget(connection, recorded.gateway, recorded.reference)
    cart = found.cart if found.cart and found.cart.order_id == order.id else None
    match outcome:
        case Approved():
            return await _approved(connection, order, cart, recorded, outcome, now)
        case Declined():
            return await _declined(connection, order, cart, outcome)
        case NeedsAction():
            if cart is not None and not cart.awaits_action:
                await carts.set_paying(connection, cart.key, now, awaits_action=True)
            await _keep_holding(connection, order, _kept_until(recorded, now, hold_for))
            return needs_action(order, recorded)
        case Unknown():
            if cart is not None and cart.awaits_action:
                await carts.set_paying(connection, cart.key, now)
            await _keep_holding(connection, order, _kept_until(recorded, now, hold_for))
            return pending(order, recorded)
        case _:
            assert_never(outcome)


async def _keep_holding(connection: Connection, order: Order, until: datetime) -> None:
    await stock.extend(connection, order.id, until)
    if order.coupon_ids:
        await promotions.extend(connection, order.id, until)


async def let_go(connection: Connection, attempt: Attempt, now: datetime) -> Placement:
    """Records that a payment that waited for the shopper was called off at the provider."""
    found = await carts.lock(connection, attempt.cart_key, carts.LONG_AGO)
    order = await orders.head(connection, attempt.order_id, lock=True)
    if order is None:
        raise CheckstandError(f"attempt {attempt.id} has no order")
    void = replace(attempt, state=AttemptState.VOID, action=None)
    if not await attempts.settle(connection, void, now, None):
        return standing(order)
    cart = found.cart if found.cart and found.cart.order_id == order.id else None
    return await _declined(connection, order, cart, Declined("The payment was not completed."))


def pending(order: Order, attempt: Attempt) -> Placement:
    """The provider has not answered yet (DECISIONS 14)."""
    return Placement(
        order,
        PaymentStatus.PENDING,
        "The payment is being confirmed. Ask again in a moment; you will not be charged twice.",
        attempt_id=attempt.id,
    )


def needs_action(order: Order, attempt: Attempt) -> Placement:
    """The shopper has to do something first (DECISIONS 13)."""
    action = attempt.action
    assert action is not None, "an attempt that waits for the shopper says what for"
    return Placement(
        order,
        PaymentStatus.NEEDS_ACTION,
        "One more step is needed to pay.",
        redirect_url=action.redirect_url,
        action_type=action.action_type,
        action_data=action.action_data,
        attempt_id=attempt.id,
    )


def not_paid(order: Order, attempt: Attempt) -> Placement:
    """An attempt that failed, whatever became of its order since."""
    why = attempt.decline or Declined("The payment was not completed.")
    return Placement(
        order,
        PaymentStatus.FAILED,
        why.message,
        attempt_id=attempt.id,
        gateway_error=why.gateway_error,
    )


def standing(order: Order) -> Placement:
    """How an order stands that somebody else has settled."""
    if order.placed_at is not None:
        return placed(order)
    return Placement(order, PaymentStatus.FAILED, _DECLINED)


def _recorded(attempt: Attempt, outcome: Outcome) -> Attempt:
    """The attempt as it is after the outcome."""
    match outcome:
        case Approved(funds=funds, reference=reference, captured=captured):
            taken = attempt.amount if captured is None else captured
            return replace(
                attempt,
                state=AttemptState.APPROVED,
                reference=reference or attempt.reference,
                funds=funds,
                captured=taken.minor if funds is Funds.CAPTURED else 0,
                action=None,
            )
        case Declined():
            return replace(attempt, state=AttemptState.DECLINED, action=None, decline=outcome)
        case NeedsAction(reference=reference):
            return replace(
                attempt,
                state=AttemptState.NEEDS_ACTION,
                reference=reference or attempt.reference,
                action=outcome,
            )
        case Unknown(reference=reference):
            return replace(
                attempt,
                state=AttemptState.UNKNOWN,
                reference=reference or attempt.reference,
                action=None,
            )
        case _:
            assert_never(outcome)


def _next_look(attempt: Attempt, now: datetime) -> datetime | None:
    """When the worker asks the provider next: after 2 s, 4 s, 8 s … 15 minutes; every minute while
    a shopper is at it, who may not come back."""
    return _later(attempt, now) if attempt.state.live else None


def _later(attempt: Attempt, now: datetime) -> datetime:
    longest = _ACTION_LOOK if attempt.state is AttemptState.NEEDS_ACTION else _LAST_LOOK
    return now + timedelta(seconds=min(longest, _FIRST_LOOK * 2 ** min(attempt.looks, 10)))


def _kept_until(attempt: Attempt, now: datetime, hold_for: timedelta) -> datetime:
    look = _next_look(attempt, now) or now
    return max(now + hold_for, look + _LOOK_TAKES)


async def _approved(
    connection: Connection,
    order: Order,
    cart: Cart | None,
    attempt: Attempt,
    outcome: Approved,
    now: datetime,
) -> Placement:
    paid = outcome.funds in _TAKEN
    if outcome.funds in (Funds.AWAITED, Funds.AUTHORISED):
        to = OrderStatus.ON_HOLD
    elif paid and not order.needs_processing:
        to = OrderStatus.COMPLETED
    else:
        to = OrderStatus.PROCESSING
    order = await orders.move(connection, order, to, placed_at=now, paid_at=now if paid else None)
    await stock.take(connection, order.id)
    if order.coupon_ids:
        await promotions.redeem(connection, order.id, now)
    if outcome.saved is not None and attempt.customer_id is not None:
        await tokens.save(connection, attempt.customer_id, attempt.gateway, outcome.saved, now)
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
    if order.coupon_ids:
        await promotions.release(connection, order.id)
    if cart is not None:
        await carts.set_paying(connection, cart.key, None)
    return Placement(
        order, PaymentStatus.FAILED, outcome.message, gateway_error=outcome.gateway_error
    )


async def _settled_before(
    connection: Connection, order: Order, attempt: Attempt, outcome: Outcome, now: datetime
) -> Placement:
    """What the provider says about an attempt that is over. Money that came after it was given up
    goes back: the shopper may have paid in another way since."""
    known = await attempts.find(connection, attempt.id, lock=True)
    if known is None:
        return standing(order)
    stands = known.state is AttemptState.APPROVED
    if isinstance(outcome, Declined) and stands and known.funds is Funds.AUTHORISED:
        return standing(await released(connection, order, known))  # it lapsed at the provider
    if not isinstance(outcome, Approved):
        return standing(order)
    if known.state in (AttemptState.DECLINED, AttemptState.VOID):
        reference = outcome.reference or known.reference
        if await attempts.used_by_another(connection, known, reference):
            return standing(order)
        await _send_back(connection, known, outcome, now)
        return standing(order)
    if known.funds is Funds.AUTHORISED and outcome.funds is Funds.CAPTURED:
        taken = known.amount if outcome.captured is None else outcome.captured
        order = await captured(connection, order, known, taken.minor, now)
    return standing(order)


async def captured(
    connection: Connection, order: Order, attempt: Attempt, minor: int, now: datetime
) -> Order:
    """Records that reserved or awaited money was taken; the order is locked by the caller."""
    await attempts.set_funds(connection, attempt.id, Funds.CAPTURED, minor, attempt.reference)
    detail = {"attempt": attempt.id, "minor": minor}
    await audit.record(connection, "capture.settled", f"order {order.id}", detail)
    to = order.status
    if order.status is OrderStatus.ON_HOLD:
        to = OrderStatus.PROCESSING if order.needs_processing else OrderStatus.COMPLETED
    return await orders.move(connection, order, to, placed_at=order.placed_at or now, paid_at=now)


async def released(connection: Connection, order: Order, attempt: Attempt) -> Order:
    """Records that reserved money was let go: the order is cancelled and its goods are back. The
    order is locked by the caller."""
    await attempts.set_funds(connection, attempt.id, Funds.RETURNED, 0, attempt.reference)
    detail = {"attempt": attempt.id}
    await audit.record(connection, "void.settled", f"order {order.id}", detail)
    full = await orders.find(connection, order.id)
    if full is not None:
        await stock.give_back(connection, full.sold)
    if order.coupon_ids:
        await promotions.release(connection, order.id)
    return await orders.move(
        connection, order, OrderStatus.CANCELLED, placed_at=order.placed_at, paid_at=None
    )


async def _send_back(
    connection: Connection, attempt: Attempt, outcome: Approved, now: datetime
) -> None:
    """An open refund, or the release of what was reserved; the worker carries it out."""
    _log.error(
        "%s has paid attempt %s, which was given up before: the money goes back",
        attempt.gateway,
        attempt.id,
    )
    amount = attempt.amount if outcome.captured is None else outcome.captured
    await attempts.set_funds(
        connection,
        attempt.id,
        outcome.funds,
        amount.minor if outcome.funds is Funds.CAPTURED else 0,
        outcome.reference or attempt.reference,
    )
    late = Refund(
        id=f"{LATE}{attempt.id}",
        attempt=attempt,
        amount=amount,
        created_at=now,
        reason="Paid after the attempt was given up.",
    )
    await refunds.insert(connection, late, None, now)
