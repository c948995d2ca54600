"""What opening and continuing a payment attempt have in common, for a cart and for an order."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from checkstand.access.principal import Caller
from checkstand.checkout.charging import LEASE, Charging
from checkstand.checkout.model import PaymentStatus, Placement
from checkstand.checkout.settle import pending
from checkstand.errors import (
    CheckoutInProgress,
    PaymentAlreadyUsed,
    PaymentContextStale,
    PaymentPending,
    SavedMethodUnknown,
)
from checkstand.kit import ids
from checkstand.orders.model import Order
from checkstand.payments.guard import Charge
from checkstand.payments.model import Attempt, AttemptState
from checkstand.payments.service import NOTHING_DUE, Payments
from checkstand.payments.store import attempts, contexts, tokens
from checkstand.storage.database import Connection, Database
from checkstand.storage.idempotency import Ticket

ReturnUrl = Callable[[int, str], str]
"""Where a shopper comes back to from the provider, by order id and order key."""
_OURS = frozenset({"saved_token", "saved_customer", "saved_gateway"})
_LARGEST_ID = 2**63 - 1
_POLL = 0.05
"""Seconds between two looks at an attempt that another server process is charging."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Another request or process is at the attempt."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """An attempt that waits for the shopper, who now pays in another way or for something else: it
    has to be called off first. Its lease is ours."""

    attempt: Attempt


Opened = Placement | Attempt | Busy | Superseded
"""What transaction A can come to."""


async def carry_out(
    charging: Charging,
    open_: Callable[[], Awaitable[Opened]],
    payment: Mapping[str, Any],
    ticket: Ticket | None,
    patience: float,
) -> Placement:
    """From transaction A, which `open_` runs, to a placement: waits for who else is at the attempt,
    at most `patience` seconds and without a connection; calls off what is superseded; charges."""
    give_up = time.monotonic() + patience
    while True:
        try:
            opened = await open_()
        except PaymentContextStale as stale:
            await _end_soon(charging.database, stale, charging.clock.now())
            raise
        match opened:
            case Busy():
                if time.monotonic() > give_up:
                    raise CheckoutInProgress
                await asyncio.sleep(_POLL)
            case Superseded(attempt=attempt):
                called_off = await charging.call_off(attempt)
                if not called_off.done and called_off.status is not PaymentStatus.FAILED:
                    raise PaymentPending
            case Attempt() as attempt:
                return await charging.charge(attempt, payment, ticket)
            case Placement() as placement:
                return placement


def binding(cart_key: str) -> str:
    """What ties a payment at a provider to a cart, without telling the cart's key."""
    return hashlib.sha256(f"checkstand cart {cart_key}".encode()).hexdigest()[:32]


def digest(payment: Mapping[str, Any]) -> str:
    """Of the payment data: whether it is the same, without keeping it."""
    return hashlib.sha256(orjson.dumps(payment, option=orjson.OPT_SORT_KEYS)).hexdigest()


async def begin(
    connection: Connection,
    payments: Payments,
    order: Order,
    gateway_id: str,
    payment: Mapping[str, Any],
    now: datetime,
    *,
    payer: int | None,
    return_url: ReturnUrl,
) -> Attempt:
    """Opens the attempt to pay a locked order. PaymentContextStale and PaymentAlreadyUsed when the
    browser began a payment that is not for this. `payer`: the account that is paying, whose a saved
    method becomes; whose the order is does not matter."""
    free = gateway_id == NOTHING_DUE  # clients send their chosen method and card all the same
    if not free and payment.get("saved_gateway", gateway_id) != gateway_id:
        raise SavedMethodUnknown
    reference = payments.browser_payment(gateway_id, payment) if payment else ""
    attempt = Attempt(
        id=ids.attempt_id(),
        order_id=order.id,
        gateway=gateway_id,
        state=AttemptState.OPEN,
        amount=order.total.in_iso(),
        lease_until=now + LEASE,
        reference=reference,
        cart_key=order.cart_key,
        binding=binding(order.cart_key),
        created_at=now,
        return_url=return_url(order.id, order.order_key),
        billing=order.billing,
        customer_id=payer,
        payment_hash=digest(payment) if payment else "",
    )
    if payment:
        await _check_context(connection, attempt, payment)
    if reference and not await attempts.claim_reference(
        connection, gateway_id, reference, order.id
    ):
        raise PaymentAlreadyUsed
    charge = Charge(attempt.id, gateway_id, order.cart_key, order.billing.email, payer)
    await payments.guard.before_charge(connection, charge, now)
    await attempts.open_attempt(connection, attempt)
    return attempt


async def _check_context(
    connection: Connection, attempt: Attempt, payment: Mapping[str, Any]
) -> None:
    """A payment that was prepared here pays for the cart and amount that it was prepared for. Its
    age does not matter any more once a browser has paid: what nobody paid in time, the worker
    calls off at the provider."""
    found = []
    if attempt.reference:
        found.append(await contexts.by_reference(connection, attempt.gateway, attempt.reference))
    named = payment.get("context_id")
    if isinstance(named, str) and named:
        prepared = await contexts.by_id(connection, named)
        over = prepared is None or prepared.expires_at <= attempt.created_at
        if over and not attempt.reference:
            raise PaymentContextStale
        found.append(prepared)
    amount = attempt.amount
    for prepared in found:
        if prepared is not None and (
            prepared.ending
            or not prepared.pays(attempt.cart_key, amount.minor, amount.currency.code)
        ):
            refusal = PaymentContextStale()
            if prepared.reference and prepared.cart_key == attempt.cart_key:
                refusal.own = (prepared.gateway, prepared.reference)
            raise refusal


async def _end_soon(database: Database, refusal: PaymentContextStale, now: datetime) -> None:
    """What was prepared for the caller's cart, and does not fit it any more, is over now: the
    worker calls it off, or gives back what was paid."""
    if refusal.own is not None:
        async with database.transaction() as connection:
            await contexts.expire(connection, *refusal.own, now)


async def resume(
    connection: Connection,
    payments: Payments,
    order: Order,
    attempt: Attempt,
    payment: Mapping[str, Any],
    now: datetime,
    *,
    same_cart: bool,
) -> Opened:
    """What a further request does about a live attempt of a locked order: waits, gets the standing
    answer, takes it over, or has it called off (DECISIONS 13 to 15). PaymentPending for other
    content while nobody knows what became of the first."""
    if attempt.lease_until > now:
        return Busy()
    same = same_cart and (not payment or digest(payment) == attempt.payment_hash)
    if attempt.state is AttemptState.NEEDS_ACTION:
        own = attempt.reference and _named(payments, attempt, payment) == attempt.reference
        continued = same or (same_cart and bool(own))
        if not await attempts.claim(connection, attempt.id, now, now + LEASE):
            return Busy()
        return attempt if continued else Superseded(attempt)
    if not same:
        raise PaymentPending
    if attempt.state is AttemptState.UNKNOWN:
        return pending(order, attempt)  # the worker is asking
    if not await attempts.claim(connection, attempt.id, now, now + LEASE):
        return Busy()
    return replace(attempt, repeated=True)


def _named(payments: Payments, attempt: Attempt, payment: Mapping[str, Any]) -> str:
    known = attempt.gateway in payments.gateways
    return payments.browser_payment(attempt.gateway, payment) if known else ""


async def with_saved(
    database: Database, caller: Caller, payment: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The payment data with the provider's names of the saved method that it chooses by its id.
    SavedMethodUnknown when it is not the caller's."""
    clean = {name: value for name, value in payment.items() if name not in _OURS}
    chosen = _saved_id(clean)
    if chosen is None:
        return clean
    if caller.customer_id is None:
        raise SavedMethodUnknown
    async with database.acquire() as connection:
        kept = await tokens.of_customer(connection, caller.customer_id)
    for token in kept:
        if token.id == chosen:
            return {
                **clean,
                "saved_token": token.method.token,
                "saved_customer": token.method.customer,
                "saved_gateway": token.gateway,
            }
    raise SavedMethodUnknown


def _saved_id(payment: Mapping[str, Any]) -> int | None:
    """The id in `token_id`, `payment_token_id` or WooCommerce's `wc-<gateway>-payment-token`; other
    values there, such as `new` or a provider's own token, choose none."""
    for name, value in payment.items():
        if name in ("token_id", "payment_token_id") or (
            name.startswith("wc-") and name.endswith("-payment-token")
        ):
            text = str(value)
            if text.isascii() and text.isdigit() and int(text) <= _LARGEST_ID:
                return int(text)
    return None
