"""Taking over a guest's cart when its shopper has signed in (DECISIONS 20)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from checkstand.access.principal import Caller
from checkstand.cart import merging, store
from checkstand.cart.view import Notices
from checkstand.errors import CartTooLarge

if TYPE_CHECKING:
    from checkstand.cart.service import CartService


async def adopt(carts: CartService, caller: Caller, *, shows: bool) -> Notices:
    """Moves the contents of the guest's cart whose key the caller still carries into the account's
    and deletes it, in one transaction, so that a repeat finds nothing to do. A cart that became an
    order, is being paid or is empty stays as it is. What was shown stays what the guest saw, when
    this call `shows` no totals. Gives what there is to say."""
    key = caller.guest_key
    if not key or key in carts.gone:
        return {}
    async with carts.database.acquire() as connection:
        found = await store.worth_adopting(connection, key, carts.clock.now())
    if found is None:
        carts.gone.add(key)
    if not found:
        return {}
    limits = carts.limits
    async with (
        # The guest's cart is always locked first; nobody else locks two.
        carts.queue.turn(key, limits.turn_timeout),
        carts.queue.turn(caller.own_cart_key, limits.turn_timeout),
        carts.database.transaction() as connection,
    ):
        now = carts.clock.now()
        there = await store.lock(connection, key, now)
        codes = there.cart.coupons if there.cart else ()
        here = await store.lock(connection, caller.own_cart_key, now, list(there.stock), codes)
        guest = there.cart
        own = here.cart or await carts.fresh(connection, caller, now)
        if guest is None or not guest.lines or guest.paying_until or own.paying_until:
            return {}
        both = replace(
            own, lines=(*own.lines, *guest.lines), removed=(*own.removed, *guest.removed)
        )
        scene = await carts.scene(connection, here, both, now)
        merged, said = merging.merged(own, guest, limits.merge, scene, limits.max_lines)
        seen_as = None if shows else guest.shown
        try:
            await carts.keep(connection, merged, scene, caller, said, seen_as=seen_as)
        except CartTooLarge as refusal:  # nothing is written yet: both stay as they are
            return {"info": [refusal.message]}
        await store.delete(connection, key)
    carts.gone.add(key)
    return said
