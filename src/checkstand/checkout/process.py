"""From a cart to an order, exactly once.

Transaction A freezes what is bought and opens an attempt; the gateway is asked with no
transaction open; transaction B records what came of it. A process that dies in between leaves
an attempt with a lease; whoever comes after the lease (the client again, or the worker) asks the
gateway about the same attempt and settles it. (DESIGN, "One purchase, one way down".)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from checkstand.access.principal import Caller
from checkstand.accounts import enrolling
from checkstand.cart import coupons
from checkstand.cart import store as carts
from checkstand.cart.model import Cart, Shown
from checkstand.cart.service import CartService
from checkstand.cart.store import StoredCart
from checkstand.cart.view import CartView, cart_hash, settled, shown, view
from checkstand.checkout import drafting, moved, paying, shortages
from checkstand.checkout.charging import Charging
from checkstand.checkout.model import Placement, ProcessCommand, placed
from checkstand.checkout.paying import Opened, ReturnUrl
from checkstand.checkout.settle import REPLAYED_FOR
from checkstand.checkout.update import apply, for_process, goes_by, required, updated
from checkstand.errors import (
    CartNotFound,
    CheckoutInvalid,
    CheckstandError,
    EmptyCart,
    NothingLeft,
    Refusal,
    TotalsChanged,
)
from checkstand.kit.money import Money
from checkstand.orders import store as orders
from checkstand.orders.model import Order
from checkstand.payments import card_data
from checkstand.payments.model import Attempt
from checkstand.payments.service import NOTHING_DUE, Payments
from checkstand.payments.store import attempts
from checkstand.promotions import store as promotions
from checkstand.promotions.model import states_of
from checkstand.promotions.rules import TEXTS, Reason, Rejected
from checkstand.stock import store as stock
from checkstand.storage import idempotency
from checkstand.storage.database import Connection
from checkstand.storage.idempotency import Ticket


@dataclass(frozen=True, slots=True)
class _Moved:
    """The cart is not the one that was shown; the new one is stored."""

    refusal: Refusal


class _CouponsSpent(Exception):
    """Other orders have taken the last uses of these coupons; nothing of the order is kept."""

    def __init__(self, spent: Sequence[Rejected]) -> None:
        super().__init__()
        self.spent = spent


@dataclass(frozen=True, slots=True)
class Process:
    carts: CartService
    payments: Payments
    charging: Charging
    wait_seconds: float
    strict_phone: bool
    return_url: ReturnUrl

    async def run(
        self, caller: Caller, command: ProcessCommand, ticket: Ticket | None
    ) -> Placement:
        """Orders the caller's cart. At most one caller of a cart is at it; others wait, at most
        `wait_seconds`, without a connection. A decline is a Placement too."""
        card_data.refuse([command.payment, command.update.payment_method, command.customer_note])
        key = caller.own_cart_key
        await self.carts.adopt(caller, shows=False)
        ticket = ticket and ticket.within(caller.scope(has_cart=True))
        payment = await paying.with_saved(self.carts.database, caller, command.payment)
        command = replace(command, payment=payment)

        async def open_() -> Opened:
            try:
                opened = await self._open(key, command, ticket)
            except _CouponsSpent as spent:
                raise await self._without(key, spent.spent) from None
            if isinstance(opened, _Moved):
                raise opened.refusal
            return opened

        async with self.carts.queue.turn(key, self.wait_seconds):
            return await paying.carry_out(self.charging, open_, payment, ticket, self.wait_seconds)

    async def _open(
        self, key: str, command: ProcessCommand, ticket: Ticket | None
    ) -> Opened | _Moved:
        """Transaction A."""
        async with self.carts.database.transaction() as connection:
            now = self.carts.clock.now()
            found = await carts.lock(connection, key, now)
            cart = found.cart
            if cart is None:
                raise CartNotFound
            await idempotency.replay(connection, ticket, now)
            if cart.placed_at is not None:
                return await self._replayed(connection, cart, now)
            if cart.paying_until is not None:
                under_way = await self._under_way(connection, found, cart, command, now)
                if under_way is not None:
                    return under_way
                cart = replace(cart, paying_until=None, awaits_action=False)
            if not cart.lines:
                raise EmptyCart
            # Read after the lock was had: a wait for it may have been long.
            found = await carts.afresh(connection, found, cart, now)
            scene = await self.carts.scene(connection, found, cart, now, fresh=True)
            now_seen = settled(cart, scene, self.carts.shop)
            other = await self._lost_coupon(connection, now_seen)
            other = other or await self._moved(connection, cart, now_seen)
            if other is not None:
                return other
            cart, seen = updated(
                now_seen.cart,
                for_process(command),
                scene,
                self.carts.shop,
                self.payments,
                strict_phone=self.strict_phone,
            )
            other = await self._lost_coupon(connection, seen)
            if other is not None:
                return other
            moved.check_expected(command, seen)
            problems = required(seen, self.payments)
            if problems:
                raise CheckoutInvalid(problems)
            other = await self._moved_by_address(connection, command, now_seen, seen)
            if other is not None:
                return other
            return await self._begin(connection, cart, seen, command, now)

    async def _replayed(self, connection: Connection, cart: Cart, now: datetime) -> Placement:
        if cart.placed_at is None or cart.order_id is None or now - cart.placed_at > REPLAYED_FOR:
            raise EmptyCart
        order = await orders.head(connection, cart.order_id)
        if order is None:
            raise CheckstandError(f"order {cart.order_id}, which a cart became, is not there")
        return placed(order)

    async def _under_way(
        self,
        connection: Connection,
        found: StoredCart,
        cart: Cart,
        command: ProcessCommand,
        now: datetime,
    ) -> Opened | None:
        """What to do about the payment that is under way for this cart; None when there is none
        after all."""
        order = await orders.head(connection, cart.order_id or 0, lock=True)
        attempt = await attempts.live_attempt(connection, order.id) if order else None
        if order is None or attempt is None:
            return None
        changed, problems = apply(
            cart,
            for_process(command),
            self.carts.shop,
            self.payments,
            strict_phone=self.strict_phone,
        )
        same = changed == cart and not problems
        if same and command.update.shipping_method is not None:
            scene = await self.carts.scene(connection, found, cart, now)
            same = goes_by(command.update, cart, scene, self.carts.shop)
        return await paying.resume(
            connection,
            self.payments,
            order,
            replace(attempt, return_url=self.return_url(order.id, order.order_key)),
            command.payment,
            now,
            same_cart=same,
        )

    async def _moved(self, connection: Connection, cart: Cart, seen: CartView) -> _Moved | None:
        """Whether prices, taxes or rates changed since the total was shown (DECISIONS 11). What
        the request itself changes is not in `seen` yet: that, the client knows."""
        if not seen.cart.lines:
            raise NothingLeft
        if cart.shown is None or cart.shown == shown(seen):
            return None
        return await self._show(connection, cart.shown, seen, moved.cause_of(cart, seen))

    async def _lost_coupon(self, connection: Connection, seen: CartView) -> _Moved | None:
        """Whether a coupon does not hold any more, or not for this e-mail: it is off the cart now,
        and the shopper has to see what the order costs without it (v2-checkout 3.5)."""
        if not seen.quote.rejected:
            return None
        await self.carts.store_shown(connection, seen)
        return _Moved(coupons.refusal(seen.quote.rejected[0]))

    async def _without(self, key: str, spent: Sequence[Rejected]) -> Refusal:
        """Takes coupons off that were used up while the order was being made; the refusal."""
        gone = {each.code for each in spent}
        async with self.carts.database.transaction() as connection:
            now = self.carts.clock.now()
            found = await carts.lock(connection, key, now)
            cart = found.cart
            if cart is not None and cart.paying_until is None and gone & {*cart.coupons}:
                kept = tuple(code for code in cart.coupons if code not in gone)
                scene = await self.carts.scene(connection, found, cart, now, fresh=True)
                seen = settled(replace(cart, coupons=kept), scene, self.carts.shop)
                await self.carts.store_shown(connection, seen)
        return coupons.refusal(spent[0])

    async def _moved_by_address(
        self, connection: Connection, command: ProcessCommand, before: CartView, after: CartView
    ) -> _Moved | None:
        """Whether an address that came with the process moves a total that was shown with another
        one: its taxes and rates, the client cannot know. A currency or a shipping method that
        it names, it can; and so does a client that never asked for a total with an address."""
        named = command.update.currency is not None or command.update.shipping_method is not None
        if named or command.expects or not before.quote.has_destination:
            return None
        if shown(before) == shown(after):
            return None
        return await self._show(connection, shown(before), after)

    async def _show(
        self,
        connection: Connection,
        old: Shown,
        seen: CartView,
        cause: type[TotalsChanged] = TotalsChanged,
    ) -> _Moved:
        """Stores what is now to be seen, so that the next process passes."""
        await self.carts.store_shown(connection, seen)
        before = Money(old.minor, self.carts.shop.known_currency(old.currency))
        return _Moved(moved.totals_changed(seen, before, cause))

    async def _begin(
        self,
        connection: Connection,
        cart: Cart,
        seen: CartView,
        command: ProcessCommand,
        now: datetime,
    ) -> Attempt:
        """The order frozen, its stock held, the attempt open, the cart marked: all or nothing."""
        chosen = cart.payment_method if seen.quote.needs_payment else NOTHING_DUE
        description = self.payments.gateways[chosen].description
        order = drafting.draft(
            seen,
            fingerprint=cart_hash(seen),
            method_title=description.title,
            note=command.customer_note,
        )
        order = await enrolling.owned(connection, order, cart.order_id, command.enrolment)
        order = await self._stored(connection, cart, order)
        wants = drafting.wants(seen)
        until = now + self.charging.hold_for
        uncounted = shortages.uncounted(seen)
        counted = await stock.hold(connection, order.id, wants, now, until) if wants else []
        if uncounted or counted:
            raise shortages.of_cart(seen, uncounted, counted)
        if order.coupon_ids:
            await self._hold_coupons(connection, order, seen, now)
        attempt = await paying.begin(
            connection,
            self.payments,
            order,
            chosen,
            command.payment,
            now,
            payer=cart.customer_id,
            return_url=self.return_url,
        )
        await self.carts.store_paying(connection, cart, seen, order.id, attempt.lease_until)
        return attempt

    async def _hold_coupons(
        self, connection: Connection, order: Order, seen: CartView, now: datetime
    ) -> None:
        refused = await promotions.hold(
            connection,
            order.id,
            order.coupon_ids,
            order.customer_id,
            order.billing.email,
            now,
            now + self.charging.hold_for,
        )
        if refused:
            spent = [each.code for each in seen.quote.discounts if each.coupon_id in refused]
            raise _CouponsSpent(await self._spent(connection, spent, seen, now))

    async def _spent(
        self, connection: Connection, codes: Sequence[str], seen: CartView, now: datetime
    ) -> list[Rejected]:
        """Why each of these coupons was refused, as it is now that their locks were had."""
        found = carts.StoredCart(seen.cart, {}, 0)
        fresh = await carts.afresh(connection, found, seen.cart, now)
        scene = replace(seen.scene, coupons=states_of(fresh.coupons, now))
        judged = {each.code: each for each in view(seen.cart, scene, seen.shop).quote.rejected}
        used_up = TEXTS[Reason.USAGE_LIMIT]
        return [
            judged.get(code) or Rejected(code, Reason.USAGE_LIMIT, used_up.format(code=code))
            for code in codes
        ]

    async def _stored(self, connection: Connection, cart: Cart, order: Order) -> Order:
        """A new order, or the unpaid one that the same cart contents opened before."""
        if cart.order_id is None:
            return await orders.insert(connection, order)
        before = await orders.head(connection, cart.order_id, lock=True)
        if before is None or before.fingerprint != order.fingerprint or not before.payable:
            return await orders.insert(connection, order)
        await stock.release(connection, before.id)
        if before.coupon_ids and not order.coupon_ids:
            await promotions.release(connection, before.id)
        again = replace(order, id=before.id, number=before.number, order_key=before.order_key)
        return await orders.rewrite(connection, again)
