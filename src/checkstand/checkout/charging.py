"""Asking a gateway about an attempt, and settling what it answers.

Whoever is at an attempt holds its lease and renews it while the provider thinks; a process that
dies stops renewing, and whoever finds the lease over takes the attempt over: the client that asks
again, or the worker.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from checkstand.cart import store as carts
from checkstand.checkout.model import PaymentStatus, Placement
from checkstand.checkout.settle import (
    let_go,
    needs_action,
    not_paid,
    pending,
    settle,
    standing,
)
from checkstand.errors import CheckstandError, PaymentPending
from checkstand.kit.clock import Clock
from checkstand.orders import store as orders
from checkstand.payments.model import (
    Approved,
    Attempt,
    AttemptState,
    Declined,
    NeedsAction,
    Outcome,
    Unknown,
)
from checkstand.payments.service import Payments
from checkstand.payments.store import attempts
from checkstand.storage import idempotency
from checkstand.storage.database import Database
from checkstand.storage.idempotency import Ticket

_log = logging.getLogger(__name__)
LEASE = timedelta(seconds=8)
"""How long an attempt belongs to a process that says nothing more."""
_RENEW_EVERY = 2.5
_PATIENCE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Charging:
    """`hold_for`: how long stock is kept for an open payment. `action_for`: how long a shopper
    has for what the provider asks of him."""

    database: Database
    payments: Payments
    clock: Clock
    hold_for: timedelta
    action_for: timedelta

    async def charge(
        self, attempt: Attempt, payment: Mapping[str, Any], ticket: Ticket | None = None
    ) -> Placement:
        """Charges an attempt whose lease is ours, and settles it."""
        async with self._leased(attempt):
            outcome = await self.payments.charge(attempt, payment)
            return await self._settled(attempt, outcome, ticket)

    async def look(self, attempt: Attempt) -> Placement:
        """Asks what became of an attempt whose lease is ours, and settles it. What waited for the
        shopper for too long is called off."""
        async with self._leased(attempt):
            outcome = await self.payments.lookup(attempt)
            if attempt.gateway not in self.payments.gateways:
                await self._part(attempt)
            if isinstance(outcome, NeedsAction) and self._overdue(attempt):
                waits = replace(
                    attempt, action=outcome, reference=outcome.reference or attempt.reference
                )
                return await self._called_off(waits)
            return await self._settled(attempt, outcome, None)

    async def call_off(self, attempt: Attempt) -> Placement:
        """Calls off an attempt that waits for the shopper and whose lease is ours. When it was paid
        meanwhile, that is settled; when the provider does not answer, it stays as it is."""
        async with self._leased(attempt):
            return await self._called_off(attempt)

    async def call_off_cart(self, cart_key: str) -> None:
        """Calls off the payment of a cart that is about to be edited (DECISIONS 15). PaymentPending
        when somebody is at it, or the provider does not answer."""
        now = self.clock.now()
        async with self.database.transaction() as connection:
            attempt = await attempts.live_of_cart(connection, cart_key)
            if attempt is None:
                return
            if attempt.state is not AttemptState.NEEDS_ACTION or not await attempts.claim(
                connection, attempt.id, now, now + LEASE
            ):
                raise PaymentPending
        placement = await self.call_off(attempt)
        if placement.status in (PaymentStatus.PENDING, PaymentStatus.NEEDS_ACTION):
            raise PaymentPending

    async def _called_off(self, attempt: Attempt) -> Placement:
        """Voided first: to look first could finish what the shopper no longer wants."""
        match await self.payments.void(attempt):
            case Approved():
                async with self.database.transaction() as connection:
                    return await let_go(connection, attempt, self.clock.now())
            case Declined():  # too late: it was paid
                return await self._settled(attempt, await self.payments.lookup(attempt), None)
            case NeedsAction() | Unknown():
                stands = attempt.action or Unknown("it cannot be called off", attempt.reference)
                return await self._settled(attempt, stands, None)

    async def _settled(
        self, attempt: Attempt, outcome: Outcome, ticket: Ticket | None
    ) -> Placement:
        async with self.database.transaction() as connection:
            now = self.clock.now()
            placement = await settle(connection, attempt, outcome, now, hold_for=self.hold_for)
            if placement.done:
                await idempotency.remember(connection, ticket, placement, attempt.cart_key, now)
        return placement

    async def _part(self, attempt: Attempt) -> None:
        """Nobody can ask about an attempt whose gateway is not in the settings any more: after a
        day the shopper gets the cart back. The order waits for the gateway to return."""
        if self.clock.now() - attempt.created_at < _PATIENCE:
            return
        async with self.database.transaction() as connection:
            found = await carts.lock(connection, attempt.cart_key, carts.LONG_AGO)
            if found.cart is not None and found.cart.order_id == attempt.order_id:
                await carts.leave_order(connection, attempt.cart_key)

    def _overdue(self, attempt: Attempt) -> bool:
        return self.clock.now() - attempt.created_at > self.action_for

    @asynccontextmanager
    async def _leased(self, attempt: Attempt) -> AsyncIterator[None]:
        renewing = asyncio.create_task(self._renew(attempt.id))
        try:
            yield
        finally:
            renewing.cancel()

    async def _renew(self, attempt_id: str) -> None:
        while True:
            await asyncio.sleep(_RENEW_EVERY)
            try:
                async with self.database.acquire() as connection:
                    until = self.clock.now() + LEASE
                    await attempts.renew_lease(connection, attempt_id, until)
            except CheckstandError:  # somebody may take it over: that is harmless
                _log.warning("the lease of %s could not be renewed", attempt_id)


async def placement_of(database: Database, attempt: Attempt) -> Placement:
    """How an attempt stands, without asking anybody."""
    async with database.acquire() as connection:
        order = await orders.head(connection, attempt.order_id)
    if order is None:
        raise CheckstandError(f"attempt {attempt.id} has no order")
    match attempt.state:
        case AttemptState.OPEN | AttemptState.UNKNOWN:
            return pending(order, attempt)
        case AttemptState.NEEDS_ACTION:
            return needs_action(order, attempt)
        case AttemptState.APPROVED:
            return replace(standing(order), attempt_id=attempt.id)
        case AttemptState.DECLINED | AttemptState.VOID:
            return not_paid(order, attempt)
