"""Paying for an order that is pending or failed, with its key (contract checkout.md 7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from checkstand.access.principal import Caller
from checkstand.cart import store as carts
from checkstand.cart.model import Cart
from checkstand.cart.queue import CartQueue
from checkstand.checkout import paying, shortages
from checkstand.checkout.charging import Charging
from checkstand.checkout.model import Placement, placed
from checkstand.checkout.paying import Opened, ReturnUrl
from checkstand.errors import (
    CouponUsageLimit,
    NothingToPay,
    OrderNotFound,
    OrderNotPayable,
    PaymentMethodNotOffered,
)
from checkstand.orders import store as orders
from checkstand.orders.model import Order, OrderStatus
from checkstand.orders.service import must_see
from checkstand.payments import card_data
from checkstand.payments.service import Payments
from checkstand.payments.store import attempts
from checkstand.promotions import store as promotions
from checkstand.stock import store as stock
from checkstand.stock.model import Shortage
from checkstand.storage import idempotency
from checkstand.storage.database import Connection
from checkstand.storage.idempotency import Ticket

_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class PayCommand:
    order_id: int
    order_key: str = field(repr=False)
    method: str
    payment: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class PayForOrder:
    charging: Charging
    payments: Payments
    queue: CartQueue
    wait_seconds: float
    return_url: ReturnUrl

    async def run(self, caller: Caller, command: PayCommand, ticket: Ticket | None) -> Placement:
        """Pays what the order says, whatever things cost today. OrderKeyWrong, OrderNotYours,
        OrderNotPayable; a decline is a Placement."""
        card_data.refuse([command.payment, command.method])
        database = self.charging.database
        cart_key = await self._cart_key(caller, command)
        ticket = ticket and ticket.within(f"order {command.order_id}")
        payment = await paying.with_saved(database, caller, command.payment)
        command = replace(command, payment=payment)

        async def open_() -> Opened:
            return await self._open(caller, cart_key, command, ticket)

        async with self.queue.turn(cart_key, self.wait_seconds):
            return await paying.carry_out(self.charging, open_, payment, ticket, self.wait_seconds)

    async def _cart_key(self, caller: Caller, command: PayCommand) -> str:
        """Of the cart that the order came from: it is locked first, as everywhere."""
        order = None
        if 0 < command.order_id <= _LARGEST_ID:
            async with self.charging.database.acquire() as connection:
                order = await orders.head(connection, command.order_id)
        if order is None:
            raise OrderNotFound
        must_see(caller, order, command.order_key)
        return order.cart_key

    async def _open(
        self, caller: Caller, cart_key: str, command: PayCommand, ticket: Ticket | None
    ) -> Opened:
        """Transaction A."""
        async with self.charging.database.transaction() as connection:
            now = self.charging.clock.now()
            found = await carts.lock(connection, cart_key, carts.LONG_AGO)
            order = await orders.head(connection, command.order_id, lock=True)
            if order is None:
                raise OrderNotFound
            must_see(caller, order, command.order_key)
            await idempotency.replay(connection, ticket, now)
            if order.placed_at is not None:
                return await self._standing(connection, order, command)
            attempt = await attempts.live_attempt(connection, order.id)
            if attempt is not None:
                return await paying.resume(
                    connection,
                    self.payments,
                    order,
                    replace(attempt, return_url=self.return_url(order.id, order.order_key)),
                    command.payment,
                    now,
                    same_cart=attempt.gateway == command.method,
                )
            if not order.payable:
                raise OrderNotPayable if order.needs_payment else NothingToPay
            full = await orders.find(connection, order.id)
            assert full is not None, "the order is locked"
            order = await self._ready(connection, order, full, command, now)
            opened = await paying.begin(
                connection,
                self.payments,
                order,
                command.method,
                command.payment,
                now,
                payer=caller.customer_id,
                return_url=self.return_url,
            )
            if found.cart is not None and found.cart.order_id == order.id:
                if _same_contents(found.cart, full):
                    await carts.set_paying(connection, cart_key, opened.lease_until)
                else:  # it was changed since: it is another purchase
                    await carts.leave_order(connection, cart_key)
            return opened

    async def _standing(
        self, connection: Connection, order: Order, command: PayCommand
    ) -> Placement:
        """The answer again for who lost it; nobody pays twice."""
        for attempt in await attempts.of_order(connection, order.id):
            same = attempt.payment_hash == (
                paying.digest(command.payment) if command.payment else ""
            )
            if attempt.funds is not None and same and attempt.gateway == command.method:
                return placed(order)
        raise NothingToPay

    async def _ready(
        self,
        connection: Connection,
        order: Order,
        full: Order,
        command: PayCommand,
        now: datetime,
    ) -> Order:
        """The order with the method that was chosen, its stock and coupon uses held
        again. `full` has the lines."""
        if gone := await stock.sold_out(connection, list(full.sold)):
            raise shortages.of_order(full, [Shortage(each, full.sold[each], 0) for each in gone])
        title = self._title(full, command.method)
        wants = await stock.wants(connection, full.sold)
        until = now + self.charging.hold_for
        if wants:
            short = await stock.hold(connection, order.id, wants, now, until)
            if short:
                raise shortages.of_order(full, short)
        if order.coupon_ids and await promotions.hold(
            connection,
            order.id,
            order.coupon_ids,
            order.customer_id,
            order.billing.email,
            now,
            until,
        ):
            raise CouponUsageLimit(
                "A coupon of this order has been used up meanwhile; order again without it.",
                data={"error_type": "validation_error"},
            )
        order = await orders.move(
            connection, order, OrderStatus.PENDING, placed_at=None, paid_at=None
        )
        return await orders.choose_method(connection, order, command.method, title)

    def _title(self, order: Order, method: str) -> str:
        """Of a payment method that the order can be paid with; PaymentMethodNotOffered."""
        self.payments.gateway(method)
        rates = frozenset(charge.code for charge in order.charges if charge.kind == "shipping")
        offered = self.payments.offered(rates)
        for description in offered:
            if description.id == method:
                return description.title
        names = ", ".join(each.id for each in offered) or "none"
        raise PaymentMethodNotOffered(f"This order cannot be paid like that; there are: {names}.")


def _same_contents(cart: Cart, order: Order) -> bool:
    """Whether the cart is still what the order was made of."""
    ordered = {line.item_key: line.quantity for line in order.lines}
    return {line.key: line.quantity for line in cart.lines} == ordered
