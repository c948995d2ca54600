"""The verbs on a cart. Each write is one short transaction under the cart's row lock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from checkstand.access.principal import Caller
from checkstand.cart import adopting, opening, store, verbs
from checkstand.cart.memory import GoneKeys, SeenCarts
from checkstand.cart.merging import MergePolicy
from checkstand.cart.model import Cart, CartLine, Shown
from checkstand.cart.queue import CartQueue
from checkstand.cart.view import (
    CartView,
    Notices,
    Scene,
    both,
    settled,
    shown,
    stock_ids,
    suggestions,
    touched,
    view,
)
from checkstand.catalog.model import Product
from checkstand.catalog.service import Catalogue
from checkstand.errors import (
    CartCreationNotAllowed,
    CartNotFound,
    CartTotalsEmpty,
    ItemNotInCart,
    PaymentPending,
    ServiceUnavailable,
)
from checkstand.kit.clock import Clock
from checkstand.pricing.shop import ShopRules
from checkstand.promotions.model import states_of
from checkstand.stock import store as stock
from checkstand.storage import idempotency
from checkstand.storage.database import Connection, Database
from checkstand.storage.idempotency import Ticket
from checkstand.tax.service import TaxTables

Change = Callable[[Cart, Scene], tuple[Cart, Notices]]
Before = Callable[[Connection, datetime], Awaitable[None]]
"""What has to happen in the transaction of a change, before it; a refusal undoes all of it."""
CallOff = Callable[[str], Awaitable[None]]
"""Calls off a payment that waits for the shopper, by cart key; PaymentPending when it cannot."""


class _AwaitsAction(Exception):
    """The cart's payment has to be called off before it can be edited. (One whose payment is under
    way, or was left open by a crash, is refused with PaymentPending: DECISIONS 15.)"""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a change needs beside the cart itself."""

    products: Mapping[int, Product]
    codes: Sequence[str]
    must_exist: bool
    before: Before | None


@dataclass(frozen=True, slots=True)
class CartLimits:
    guest_life: timedelta = timedelta(hours=48)
    customer_life: timedelta = timedelta(days=7)
    max_lines: int = 100
    turn_timeout: float = 25.0
    """Seconds a write waits for another of the same cart."""
    merge: MergePolicy = MergePolicy.SUM
    """What becomes of a guest's cart when its shopper signs in."""


@dataclass(frozen=True, slots=True)
class CartService:
    database: Database
    catalogue: Catalogue
    taxes: TaxTables
    shop: ShopRules
    clock: Clock
    queue: CartQueue
    limits: CartLimits
    call_off: CallOff
    trusted_keys: bool = False
    seen: SeenCarts = field(default_factory=SeenCarts)
    gone: GoneKeys = field(default_factory=GoneKeys)

    # --- reading -------------------------------------------------------------------------------

    async def read(self, caller: Caller) -> CartView:
        """The caller's cart; an empty one, that is not stored, when there is none."""
        return await self.find(caller) or self._nothing(caller)

    async def find(self, caller: Caller) -> CartView | None:
        """The caller's cart in one statement, or None. The first look of somebody who signed in
        with a guest's key takes that cart over: the one write that a read may do."""
        said = await self.adopt(caller) if caller.guest_key else {}
        found = await self.stored(caller)
        if found is None:
            return None
        seen = self.seen.view(*found, self.shop)
        return replace(seen, notices=both(said, seen.notices), answers={}) if said else seen

    async def stored(self, caller: Caller) -> tuple[Cart, Scene] | None:
        """The caller's cart as it is stored, and the facts around it."""
        key = caller.own_cart_key
        if not key:
            return None
        now = self.clock.now()
        async with self.database.acquire() as connection:
            found = await store.find(connection, key, now)
            if found.cart is None:
                return None
            return found.cart, await self.scene(connection, found, found.cart, now)

    async def read_for_checkout(self, caller: Caller) -> CartView:
        """As `find`; CartNotFound when there is no such cart."""
        found = await self.find(caller)
        if found is None:
            raise CartNotFound
        return found

    async def item(self, caller: Caller, key: str) -> tuple[CartView, CartLine]:
        """One line with the cart that it is in."""
        seen = await self.read(caller)
        line = seen.cart.line(key)
        if line is None:
            raise ItemNotInCart
        return seen, line

    async def totals(self, caller: Caller) -> CartView:
        """The cart for its totals; CartTotalsEmpty when nothing was ever totalled."""
        seen = await self.read(caller)
        if not seen.cart.lines:
            raise CartTotalsEmpty
        return seen

    def _nothing(self, caller: Caller) -> CartView:
        now = self.clock.now()
        key = str(caller.account.id) if caller.account else ""
        cart = Cart(key=key, expires_at=self._expiry(caller, now))
        return view(cart, Scene(now, {}, {}, self.taxes.latest), self.shop)

    # --- writing -------------------------------------------------------------------------------

    async def create(self, caller: Caller, ticket: Ticket | None = None) -> CartView:
        """An empty cart under a new key."""
        if caller.account is not None:
            raise CartCreationNotAllowed
        fresh = replace(caller, cart_key="")
        return await self.change(fresh, lambda cart, _: (cart, {}), ticket)

    def may_price(self, caller: Caller) -> bool:
        """Whether this caller may add fees and set prices: who runs the shop, and, where the shop
        trusts them, servers with a consumer key that may write. A publishable key is in every
        shopper's hands, and a price is never taken from a shopper (DECISIONS 22)."""
        if caller.manages:
            return True
        key = caller.key
        if not self.trusted_keys or key is None or key.publishable:
            return False
        return key.permission.covers(writing=True)

    async def clear(
        self, caller: Caller, *, keep_removed: bool = False, ticket: Ticket | None = None
    ) -> CartView:
        def change(cart: Cart, _: Scene) -> tuple[Cart, Notices]:
            return cart.emptied(keep_removed=keep_removed), {"success": ["Your cart is cleared."]}

        return await self.change(caller, change, ticket)

    async def calculate(self, caller: Caller, ticket: Ticket | None = None) -> CartView:
        """Works the totals out again and stores what was shown."""
        found = await self.find(caller)
        if found is None:
            return self._nothing(caller)
        if found.cart.paying_until is not None:
            return found  # what is being paid is worked out already, and stays
        return await self.change(caller, lambda cart, _: (cart, {}), ticket)

    async def update_customer(
        self,
        caller: Caller,
        billing: Mapping[str, str],
        shipping: Mapping[str, str],
        ticket: Ticket | None = None,
    ) -> CartView:
        """Merges address parts; what is not acceptable keeps its old value and is said."""

        def change(cart: Cart, _: Scene) -> tuple[Cart, Notices]:
            changed, refused = verbs.update_customer(cart, billing, shipping, self.shop.sell_to)
            said: Notices = {"error": refused} if refused else {}
            if changed != cart:
                said["success"] = ["Your details are updated."]
            return changed, said

        return await self.change(caller, change, ticket)

    # --- how a write goes ----------------------------------------------------------------------

    async def change(
        self,
        caller: Caller,
        change: Change,
        ticket: Ticket | None,
        products: Mapping[int, Product] | None = None,
        *,
        codes: Sequence[str] = (),
        must_exist: bool = False,
        before: Before | None = None,
    ) -> CartView:
        """The one way to change a cart: lock, replay or change, total, store, commit. `products`
        and the coupons of `codes` are in the scene beside the cart's own. `before` happens in the
        same transaction, once it is sure that this is no replay.

        Without a cart there is a new one, under a key of ours; `must_exist` refuses instead.
        """
        wanted = _Wanted(products or {}, codes, must_exist, before)
        key = caller.own_cart_key
        said = await self.adopt(caller) if caller.guest_key else {}
        async with self.queue.turn(key, self.limits.turn_timeout):
            try:
                return await self._changed(caller, key, change, ticket, wanted, said)
            except _AwaitsAction:
                await self.call_off(key)
            try:
                return await self._changed(caller, key, change, ticket, wanted, said)
            except _AwaitsAction:  # another process has begun to pay meanwhile
                raise PaymentPending from None

    async def _changed(
        self,
        caller: Caller,
        key: str,
        change: Change,
        ticket: Ticket | None,
        wanted: _Wanted,
        said: Notices,
    ) -> CartView:
        """One transaction of `change`; `said` comes before what it has to say."""
        products = wanted.products
        asked = [product.stock_id for product in products.values() if product.manages_stock]
        async with self.database.transaction() as connection:
            now = self.clock.now()
            found = await store.lock(connection, key, now, asked, wanted.codes)
            if found.cart is None:
                if wanted.must_exist:
                    raise CartNotFound
                await idempotency.serialise(connection, ticket)
            once = ticket and ticket.within(caller.scope(has_cart=found.cart is not None))
            await idempotency.replay(connection, once, now)
            cart = found.cart or await self.fresh(connection, caller, now)
            if cart.paying_until is not None and not cart.awaits_action:
                raise PaymentPending
            if wanted.before is not None:
                await wanted.before(connection, now)
            scene = await self.scene(connection, found, cart, now, products)
            changed, notices = change(cart, scene)
            if cart.awaits_action:
                if changed == cart:  # the same update again, as clients send before each process
                    return view(cart, scene, self.shop)
                raise _AwaitsAction
            seen = await self.keep(connection, changed, scene, caller, both(said, notices))
            seen = replace(seen, touched=touched(cart, changed))
            await idempotency.remember(connection, once, seen, seen.cart.key, now)
        return seen

    async def adopt(self, caller: Caller, *, shows: bool = True) -> Notices:
        """Takes over the guest's cart whose key somebody who signed in still carries, once."""
        return await adopting.adopt(self, caller, shows=shows)

    async def store_shown(self, connection: Connection, seen: CartView) -> None:
        """Stores a locked cart as it was seen, with the total that is about to be shown."""
        cart = replace(seen.cart, shown=shown(seen))
        await store.save(connection, cart, stock_ids(cart, seen.scene.products))

    async def store_paying(
        self, connection: Connection, cart: Cart, seen: CartView, order_id: int, until: datetime
    ) -> None:
        """Marks a locked cart as becoming an order: its document stays as it is until then."""
        paying = replace(cart, order_id=order_id, paying_until=until, shown=shown(seen))
        await store.save(connection, paying, stock_ids(cart, seen.scene.products))

    async def keep(
        self,
        connection: Connection,
        cart: Cart,
        scene: Scene,
        caller: Caller,
        notices: Notices | None = None,
        *,
        seen_as: Shown | None = None,
    ) -> CartView:
        """Totals a locked (or new) cart, stores it with the total that will be shown (or with what
        the shopper saw instead), and gives the view of it. Expiry moves at most once an hour, so
        that a hot row stays small."""
        if cart.placed_at is not None and cart.lines:
            cart = replace(cart, order_id=None, placed_at=None)  # a new document (DECISIONS 17)
        cart = replace(cart, removed=cart.removed[-self.limits.max_lines :])
        expiry = self._expiry(caller, scene.now)
        if expiry - cart.expires_at > timedelta(hours=1):
            cart = replace(cart, expires_at=expiry)
        seen = settled(cart, scene, self.shop, notices)
        cart = replace(seen.cart, shown=seen_as or shown(seen), version=cart.version + 1)
        counted = stock_ids(cart, scene.products)
        if cart.version > 1:
            await store.save(connection, cart, counted)
        elif not await store.insert(connection, cart, counted, scene.now):
            raise ServiceUnavailable(retry_after=1)  # two first requests of one account: again
        return replace(seen, cart=cart)

    async def scene(
        self,
        connection: Connection,
        found: store.StoredCart,
        cart: Cart,
        now: datetime,
        products: Mapping[int, Product] | None = None,
        *,
        fresh: bool = False,
    ) -> Scene:
        """The facts around the cart; `fresh` reads prices from the database, not the cache."""
        wanted = {line.sold_id for line in (*cart.lines, *cart.removed)} - set(products or {})
        known = await self._products(connection, wanted, fresh=fresh)
        table = await self.taxes.at(connection, found.tax_revision)
        everything = {**known, **(products or {})}
        counted = {product.stock_id for product in everything.values() if product.manages_stock}
        available = found.stock
        if lacking := counted - available.keys():  # it began to keep count after it was added
            available = {
                **available,
                **await stock.available(connection, lacking, cart.order_id, now),
            }
        coupons = states_of(found.coupons, now) if found.coupons else {}
        beside = [] if fresh else suggestions(cart, everything, products or {})
        suggested = await self._products(connection, beside, fresh=False)
        return Scene(now, everything, available, table, coupons, suggested)

    async def _products(
        self, connection: Connection, wanted: Collection[int], *, fresh: bool
    ) -> Mapping[int, Product]:
        if not wanted:
            return {}
        if not fresh:
            cached = self.catalogue.cached(wanted)
            if cached is not None:
                return cached
        return await self.catalogue.fresh(connection, wanted)

    async def fresh(self, connection: Connection, caller: Caller, now: datetime) -> Cart:
        """An empty cart; a customer's has what was bought with last filled in."""
        return await opening.opened(connection, caller.customer_id, self._expiry(caller, now))

    def _expiry(self, caller: Caller, now: datetime) -> datetime:
        life = self.limits.customer_life if caller.account else self.limits.guest_life
        return now + life
