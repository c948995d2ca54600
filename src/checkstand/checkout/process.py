"""From a cart to an order, exactly once.

Transaction A freezes what is bought and opens an attempt; the gateway is asked with no
transaction open; transaction B records what came of it. A process that dies in between leaves
an attempt with a lease; whoever comes after the lease (the client again, or the worker) asks the
gateway about the same attempt and settles it. (DESIGN, "One purchase, one way down".)
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from checkstand.access.principal import Caller
from checkstand.accounts import enrolling
from checkstand.cart import coupons
from checkstand.cart import store as carts
from checkstand.cart.model import Cart, Shown
from checkstand.cart.service import CartService
from checkstand.cart.view import CartView, cart_hash, settled, shown
from checkstand.checkout import drafting, paying
from checkstand.checkout.charging import Charging
from checkstand.checkout.model import PaymentStatus, Placement, ProcessCommand, placed
from checkstand.checkout.paying import Busy, ReturnUrl, Superseded
from checkstand.checkout.settle import REPLAYED_FOR
from checkstand.checkout.update import apply, for_process, required, updated
from checkstand.errors import (
    CartNotFound,
    CheckoutInProgress,
    CheckoutInvalid,
    CheckstandError,
    EmptyCart,
    InsufficientStock,
    LinesGone,
    LinesNotForSale,
    NothingLeft,
    ParameterInvalid,
    PaymentContextStale,
    PaymentPending,
    Refusal,
    SoldOut,
    TotalsChanged,
)
from checkstand.kit.money import Money
from checkstand.orders import store as orders
from checkstand.orders.model import Order
from checkstand.payments import card_data
from checkstand.payments.model import Attempt
from checkstand.payments.service import NOTHING_DUE, Payments
from checkstand.payments.store import attempts
from checkstand.pricing.quote import AppliedDiscount
from checkstand.promotions import store as promotions
from checkstand.promotions.rules import TEXTS, Reason, Rejected
from checkstand.stock import store as stock
from checkstand.stock.model import Shortage
from checkstand.storage import idempotency
from checkstand.storage.database import Connection
from checkstand.storage.idempotency import Ticket

_POLL = 0.05
"""Seconds between two looks at a cart that another server process is charging."""


@dataclass(frozen=True, slots=True)
class _Moved:
    """The cart is not the one that was shown; the new one is stored."""

    refusal: Refusal


class _CouponsSpent(Exception):
    """Other orders have taken the last uses of these coupons; nothing of the order is kept."""

    def __init__(self, spent: list[AppliedDiscount]) -> None:
        super().__init__()
        self.spent = spent


_Opened = Placement | Attempt | Busy | Superseded | _Moved


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
        give_up = time.monotonic() + self.wait_seconds
        async with self.carts.queue.turn(key, self.wait_seconds):
            while True:
                try:
                    opened = await self._open(key, command, ticket)
                except _CouponsSpent as spent:
                    raise await self._without(key, spent.spent) from None
                except PaymentContextStale as stale:
                    now = self.carts.clock.now()
                    await paying.end_soon(self.carts.database, stale, now)
                    raise
                match opened:
                    case Busy():
                        if time.monotonic() > give_up:
                            raise CheckoutInProgress
                        await asyncio.sleep(_POLL)
                    case Superseded(attempt=attempt):
                        called_off = await self.charging.call_off(attempt)
                        if not called_off.done and called_off.status is not PaymentStatus.FAILED:
                            raise PaymentPending
                    case Attempt() as attempt:
                        return await self.charging.charge(attempt, payment, ticket)
                    case _Moved(refusal=refusal):
                        raise refusal
                    case Placement() as placement:
                        return placement

    async def _open(self, key: str, command: ProcessCommand, ticket: Ticket | None) -> _Opened:
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
                under_way = await self._under_way(connection, cart, command, now)
                if under_way is not None:
                    return under_way
                cart = replace(cart, paying_until=None, awaits_action=False)
            if not cart.lines:
                raise EmptyCart
            # Read after the lock was had: a wait for it may have been long.
            found = await carts.afresh(connection, found, cart, now)
            scene = await self.carts.scene(connection, found, cart, now, fresh=True)
            now_seen = settled(cart, scene, self.carts.shop)
            moved = await self._lost_coupon(connection, now_seen)
            moved = moved or await self._moved(connection, cart, now_seen)
            if moved is not None:
                return moved
            cart, seen = updated(
                now_seen.cart,
                for_process(command),
                scene,
                self.carts.shop,
                self.payments,
                strict_phone=self.strict_phone,
            )
            moved = await self._lost_coupon(connection, seen)
            if moved is not None:
                return moved
            _check_expected(command, seen)
            problems = required(seen, self.payments)
            if problems:
                raise CheckoutInvalid(problems)
            moved = await self._moved_by_address(connection, command, now_seen, seen)
            if moved is not None:
                return moved
            return await self._begin(connection, cart, seen, command, now)

    async def _replayed(self, connection: Connection, cart: Cart, now: datetime) -> Placement:
        if cart.placed_at is None or cart.order_id is None or now - cart.placed_at > REPLAYED_FOR:
            raise EmptyCart
        order = await orders.head(connection, cart.order_id)
        if order is None:
            raise CheckstandError(f"order {cart.order_id}, which a cart became, is not there")
        return placed(order)

    async def _under_way(
        self, connection: Connection, cart: Cart, command: ProcessCommand, now: datetime
    ) -> Placement | Attempt | Busy | Superseded | None:
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
        return await self._show(connection, cart.shown, seen, _cause(cart, seen))

    async def _lost_coupon(self, connection: Connection, seen: CartView) -> _Moved | None:
        """Whether a coupon does not hold any more, or not for this e-mail: it is off the cart now,
        and the shopper has to see what the order costs without it (v2-checkout 3.5)."""
        if not seen.quote.rejected:
            return None
        await self.carts.store_shown(connection, seen)
        return _Moved(coupons.refusal(seen.quote.rejected[0]))

    async def _without(self, key: str, spent: list[AppliedDiscount]) -> Refusal:
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
        code = spent[0].code
        text = TEXTS[Reason.USAGE_LIMIT].format(code=code)
        return coupons.refusal(Rejected(code, Reason.USAGE_LIMIT, text))

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
        return _Moved(totals_changed(seen, before, cause))

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
        shortages = _unmanaged_shortages(seen)
        uncounted = len(shortages)
        if wants:
            until = now + self.charging.hold_for
            shortages += await stock.hold(connection, order.id, wants, now, until)
        if shortages:
            raise _insufficient(seen, shortages, counted=len(shortages) > uncounted)
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
            raise _CouponsSpent([e for e in seen.quote.discounts if e.coupon_id in refused])

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


def _cause(cart: Cart, seen: CartView) -> type[TotalsChanged]:
    """Why the cart comes to something else than was shown, as far as lines are gone from it."""
    gone = [line for line in cart.lines if seen.cart.line(line.key) is None]
    if not gone:
        return TotalsChanged
    deleted = any(line.sold_id not in seen.scene.products for line in gone)
    return LinesGone if deleted else LinesNotForSale


def totals_changed(
    seen: CartView, previous: Money, cause: type[TotalsChanged] = TotalsChanged
) -> TotalsChanged:
    """The refusal with what the total was and is, as decimal strings, and what there is to say."""
    quote = seen.quote
    flat = drafting.flat_totals(quote)
    return cause(
        data={
            "currency": quote.currency.code,
            "previous_total": previous.decimal(),
            "previous_currency": previous.currency.code,
            "total": quote.total.decimal(),
            "cart_totals": {k: Money(v, quote.currency).decimal() for k, v in flat.items()},
            "notices": [text for texts in seen.notices.values() for text in texts],
        }
    )


def _check_expected(command: ProcessCommand, seen: CartView) -> None:
    total = seen.quote.total
    if command.expected_minor is not None and command.expected_minor != total.minor:
        raise totals_changed(seen, Money(command.expected_minor, total.currency))
    if command.expected_total is None:
        return
    try:
        expected = Money.of(command.expected_total, total.currency)
    except ValueError:
        raise ParameterInvalid(
            "expected_total must be an amount such as 44.98.",
            data={"params": {"expected_total": "must be an amount such as 44.98"}},
        ) from None
    if expected != total:
        raise totals_changed(seen, expected)


def _unmanaged_shortages(seen: CartView) -> list[Shortage]:
    """Products that keep no count and are marked as sold out."""
    short = []
    for line in seen.cart.lines:
        product = seen.product(line)
        if not product.manages_stock and product.sold_out:
            short.append(Shortage(product.id, line.quantity, 0))
    return short


def _insufficient(seen: CartView, shortages: list[Shortage], *, counted: bool) -> InsufficientStock:
    """The refusal with one row for each line that is short (DECISIONS 18)."""
    by_stock = {short.stock_id: short for short in shortages}
    rows: list[dict[str, Any]] = []
    names = []
    for line in seen.cart.lines:
        product = seen.product(line)
        short = by_stock.get(product.stock_id if product.manages_stock else product.id)
        if short is None:
            continue
        names.append(f"“{product.name}” ({short.available} left)")
        rows.append(
            {
                "item_key": line.key,
                "product_id": line.sold_id,
                "requested": line.quantity,
                "available": short.available,
            }
        )
    refusal = InsufficientStock if counted else SoldOut
    return refusal(
        f"Not enough in stock: {', '.join(names)}.",
        data={"error_type": "validation_error", "stock_data": rows},
    )
