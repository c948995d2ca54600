"""Reading orders, for those who may."""

from __future__ import annotations

from dataclasses import dataclass

from checkstand.access.principal import Caller
from checkstand.errors import OrderKeyWrong, OrderNotFound, OrderNotYours
from checkstand.kit import crypto
from checkstand.orders import store
from checkstand.orders.model import Order
from checkstand.storage.database import Database

_LARGEST_ID = 2**63 - 1


def must_see(caller: Caller, order: Order, order_key: str) -> None:
    """The order key is the credential; somebody who is signed in must also own the order, unless
    nobody does (contract v2-checkout.md 6)."""
    if not crypto.same(order.order_key, order_key):
        raise OrderKeyWrong
    owner = order.customer_id
    if owner is not None and caller.account is not None and owner != caller.account.id:
        raise OrderNotYours


@dataclass(frozen=True, slots=True)
class Orders:
    database: Database

    async def received(self, caller: Caller, order_id: int, order_key: str) -> Order:
        """The order for its confirmation page."""
        order = None
        if 0 < order_id <= _LARGEST_ID:
            async with self.database.acquire() as connection:
                order = await store.find(connection, order_id)
        if order is None:
            raise OrderNotFound
        must_see(caller, order, order_key)
        return order
