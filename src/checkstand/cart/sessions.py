"""Everybody's carts, for who manages the store. CoCart calls them sessions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from checkstand import audit
from checkstand.access.principal import Caller
from checkstand.cart import link_store, store
from checkstand.cart.service import CartService
from checkstand.cart.view import CartView
from checkstand.errors import PaymentPending, SessionIdMalformed, SessionNotFound
from checkstand.storage.database import Connection

_KEY = re.compile(r"[a-z0-9_-]{1,42}")


@dataclass(frozen=True, slots=True)
class Sessions:
    """Carts that live and have not become an order. They hold personal data: who looked at them is
    in the audit log."""

    carts: CartService

    async def page(self, caller: Caller, number: int, size: int) -> tuple[Sequence[CartView], int]:
        """A page of carts, the one that was made last first, and how many there are at all."""
        caller.must_manage_store(writing=False)
        now = self.carts.clock.now()
        async with self.carts.database.transaction() as connection:
            keys, total = await store.living(connection, now, (number - 1) * size, size)
            found = [await self._view(connection, key) for key in keys]
            detail = {"page": number, "carts": len(keys)}
            await audit.record(connection, "sessions.read", "", detail)
        return [seen for seen in found if seen is not None], total

    async def one(self, caller: Caller, key: str) -> CartView:
        """The cart with this key, or a customer's by his number; SessionNotFound."""
        caller.must_manage_store(writing=False)
        _check(key)
        async with self.carts.database.transaction() as connection:
            seen = await self._view(connection, key)
            if seen is None:
                raise SessionNotFound
            await audit.record(connection, "session.read", subject(seen))
        return seen

    async def delete(self, caller: Caller, key: str) -> None:
        """Deletes the cart; PaymentPending while it is being paid."""
        caller.must_manage_store(writing=True)
        _check(key)
        async with (
            self.carts.queue.turn(key, self.carts.limits.turn_timeout),
            self.carts.database.transaction() as connection,
        ):
            found = await store.lock(connection, key, self.carts.clock.now())
            if found.cart is None or found.cart.placed_at is not None:
                raise SessionNotFound
            if found.cart.paying_until is not None:
                raise PaymentPending
            await store.forget_answers(connection, key)
            await link_store.delete_of(connection, key)
            await store.delete(connection, key)
            await audit.record(connection, "session.deleted", _named(key, found.cart.customer_id))

    async def _view(self, connection: Connection, key: str) -> CartView | None:
        now = self.carts.clock.now()
        found = await store.find(connection, key, now)
        if found.cart is None or found.cart.placed_at is not None:
            return None
        scene = await self.carts.scene(connection, found, found.cart, now)
        return self.carts.seen.view(found.cart, scene, self.carts.shop)


def subject(seen: CartView) -> str:
    """How the audit log calls a cart: never by the key of a guest's, which opens it."""
    return _named(seen.cart.key, seen.cart.customer_id)


def _named(key: str, customer_id: int | None) -> str:
    return f"account {customer_id}" if customer_id is not None else f"cart …{key[-6:]}"


def _check(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise SessionIdMalformed
