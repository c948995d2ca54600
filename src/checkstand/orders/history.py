"""The orders of whoever asks: their list, one of them, their downloads, and calling one off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from checkstand.access.principal import Account, Caller
from checkstand.errors import (
    MyAccountDenied,
    MyOrdersDenied,
    NoOrdersYet,
    OrderCannotBeCancelled,
    OrderDoesNotExist,
)
from checkstand.kit import crypto
from checkstand.orders import history_store, store
from checkstand.orders.history_store import Entry, Record
from checkstand.orders.model import UNPAID, Order, OrderStatus
from checkstand.payments.store import attempts
from checkstand.promotions import store as promotions
from checkstand.stock import store as stock
from checkstand.storage.database import Database

_LARGEST_ID = 2**63 - 1
_MOST_DOWNLOADS = 500
_MOST_PAGES = 100
_MOST_ON_PAGE = 50


@dataclass(frozen=True, slots=True)
class Page:
    """`number` counts from 1; both are what was asked for within bounds."""

    entries: list[Entry]
    number: int
    size: int
    has_next: bool


@dataclass(frozen=True, slots=True)
class History:
    database: Database
    now: Callable[[], datetime]

    async def record(self, account: Account) -> Record:
        """How much the customer has ordered."""
        async with self.database.acquire() as connection:
            return await history_store.record(connection, account.id)

    async def page(self, caller: Caller, number: int, size: int, *, ascending: bool) -> Page:
        """One page of the caller's orders; bounds are applied silently (contract v2-accounts 9.1).
        NoOrdersYet when there is not a single one."""
        account = _signed_in(caller)
        number, size = min(max(number, 1), _MOST_PAGES), min(max(size, 1), _MOST_ON_PAGE)
        async with self.database.acquire() as connection:
            entries = await history_store.page(
                connection,
                account.id,
                offset=(number - 1) * size,
                limit=size + 1,
                ascending=ascending,
            )
        if not entries and number == 1:
            raise NoOrdersYet
        more = len(entries) > size and number < _MOST_PAGES
        return Page(entries[:size], number, size, more)

    async def one(self, caller: Caller, order_id: int, email: str) -> Order:
        """An order for its owner, or for who knows the e-mail address that it was billed to. What
        is missing, another's or asked for with another address is all the same: OrderDoesNotExist.
        """
        if caller.account is None and not email:
            raise MyOrdersDenied
        order = await self._find(order_id)
        if order is None or not _may_see(caller, order, email):
            raise OrderDoesNotExist
        return order

    async def downloads(self, caller: Caller) -> list[tuple[str, dict[str, Any]]]:
        """Product name and file of what the caller has paid for, newest first."""
        if caller.account is None:
            raise MyAccountDenied
        async with self.database.acquire() as connection:
            return await history_store.downloads(connection, caller.account.id, _MOST_DOWNLOADS)

    async def cancel(self, caller: Caller, order_id: int) -> Order:
        """Calls an order off that is not paid, and gives its stock and coupon uses back. Not while
        a payment for it is under way: the money may be moving."""
        account = _signed_in(caller)
        if not 0 < order_id <= _LARGEST_ID:
            raise OrderDoesNotExist
        async with self.database.transaction() as connection:
            order = await store.head(connection, order_id, lock=True)
            if order is None or order.customer_id != account.id:
                raise OrderDoesNotExist
            if order.status not in UNPAID:
                raise OrderCannotBeCancelled
            live = await attempts.live_attempt(connection, order.id)
            if live is not None:
                raise OrderCannotBeCancelled(
                    "A payment for this order is under way; wait for its outcome."
                )
            order = await store.move(
                connection,
                order,
                OrderStatus.CANCELLED,
                placed_at=order.placed_at,
                paid_at=order.paid_at,
            )
            await stock.release(connection, order.id)
            if order.coupon_ids:
                await promotions.release(connection, order.id)
        return order

    async def _find(self, order_id: int) -> Order | None:
        if not 0 < order_id <= _LARGEST_ID:
            return None
        async with self.database.acquire() as connection:
            return await store.find(connection, order_id)


def paid_downloads(order: Order) -> list[tuple[str, dict[str, Any]]]:
    """Product name and file of what the order gives to download; nothing until it is paid."""
    if order.paid_at is None or order.status not in (OrderStatus.PROCESSING, OrderStatus.COMPLETED):
        return []
    return [(line.name, dict(file)) for line in order.lines for file in line.downloads]


def _signed_in(caller: Caller) -> Account:
    if caller.account is None:
        raise MyOrdersDenied("Sign in to see your orders.")
    return caller.account


def _may_see(caller: Caller, order: Order, email: str) -> bool:
    if caller.account is not None and order.customer_id == caller.account.id:
        return True
    billed = order.billing.email.strip().casefold()
    return bool(billed) and crypto.same(billed, email.strip().casefold())
