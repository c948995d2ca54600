"""A shop with the gateway under proof, and purchases in it.

A till is what one server process has: a pool, a queue of carts, a gateway and a clock of its own.
Several tills on one database are several processes of one shop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import uuid4

from checkstand.access.principal import Caller
from checkstand.cart.choosing import AddItem
from checkstand.checkout.back_office import RefundCommand
from checkstand.checkout.model import Placement, ProcessCommand, UpdateCommand
from checkstand.checkout.pay import PayCommand
from checkstand.checkout.paying import binding
from checkstand.cli.demo_settings import demo_settings
from checkstand.errors import Refusal
from checkstand.kit.money import Money
from checkstand.payments.model import NeedsAction, Refund
from checkstand.promotions import store as promotions
from checkstand.promotions.model import Coupon, CouponKind
from checkstand.settings import Settings
from checkstand.storage.database import Database, PoolOptions
from checkstand.storage.idempotency import Replay, Ticket
from checkstand.testing.makers import BILLING
from checkstand.testing.peer import Fault, Peer, Wish
from checkstand.testing.proofs.link import Link
from checkstand.wiring import Shop, build

IN_STOCK = 5
NOBODY_WAITS = 0.0
"""For who is played by a seed: how often a waiting request looks again is a matter of seconds, and
would not be the same the next time. It is refused at once, and comes back in the end."""
OPERATOR = Caller(operator=True)


class MovedClock:
    """The system's time, moved by `ahead`."""

    def __init__(self, ahead: timedelta = timedelta()) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


Connect = Callable[[MovedClock], Peer]
"""Makes a peer with a gateway that goes by the clock, connected to one provider that lives in
another process and outlives this one."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the proofs play: a migrated PostgreSQL, and a provider."""

    database_url: str
    connect: Connect


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a shopper is about to buy, or has tried to. It is all that is left after a crash."""

    cart_key: str
    product_id: int
    total: int
    """Minor units."""
    payment: Mapping[str, Any]
    coupon: str = ""
    """Its code; it can be used once."""
    key: str = ""
    """The Idempotency-Key that every try is sent with; "" for none."""
    noted: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(slots=True)
class Till:
    shop: Shop
    peer: Peer
    clock: MovedClock
    link: Link
    """Between the shop and the gateway."""

    # --- the shopper ---------------------------------------------------------------------------

    async def prepare(self, wish: Wish, *, keyed: bool = False) -> Purchase:
        """A cart with one of a new product of which there are five, and with a coupon that can be
        used once, ready to be ordered."""
        product_id, coupon = await self._product(), await self._coupon()
        seen = await self.shop.items.add(Caller(), [AddItem(str(product_id), 1)], {})
        await self.shop.coupons.apply(Caller(cart_key=seen.cart.key), coupon)
        chosen = UpdateCommand(
            billing=BILLING.as_billing(), payment_method=self.peer.gateway.description.id
        )
        shopper = Caller(cart_key=seen.cart.key)
        seen = await self.shop.checkout.update(shopper, chosen)
        total = seen.quote.total
        payment = await self.peer.payment(wish, total, binding(seen.cart.key))
        key = f"try-{uuid4().hex}" if keyed else ""
        return Purchase(seen.cart.key, product_id, total.minor, payment, coupon, key)

    async def pay_anew(self, purchase: Purchase, wish: Wish) -> Purchase:
        """The same cart, another payment for it."""
        amount = Money(purchase.total, self.shop.rules.base)
        payment = await self.peer.payment(wish, amount, binding(purchase.cart_key))
        return replace(purchase, payment=payment)

    async def process(self, purchase: Purchase) -> Placement | Replay:
        """Sends the one body of the purchase."""
        ticket = None
        if purchase.key:
            ticket = Ticket("process checkout", purchase.key, "one body", _order_id)
        command = ProcessCommand(payment=purchase.payment)
        try:
            return await self.shop.checkout.process(
                Caller(cart_key=purchase.cart_key), command, ticket
            )
        except Replay as replay:
            return replay

    async def pay(self, purchase: Purchase, order_id: int, order_key: str) -> Placement:
        """Pays for an order with the purchase's payment."""
        method = self.peer.gateway.description.id
        command = PayCommand(order_id, order_key, method, purchase.payment)
        return await self.shop.checkout.pay(Caller(cart_key=purchase.cart_key), command)

    async def edit(self, purchase: Purchase) -> None:
        """One more of the same into the cart."""
        shopper = Caller(cart_key=purchase.cart_key)
        await self.shop.items.add(shopper, [AddItem(str(purchase.product_id), 1)], {})

    async def agree(self, purchase: Purchase) -> None:
        """The shopper does what the provider asks for, if it does."""
        for action in await self._actions(purchase):
            await self.peer.act(action, agree=True)

    async def _actions(self, purchase: Purchase) -> list[NeedsAction]:
        async with self.shop.database.acquire() as connection:
            rows = await connection.fetch(
                "SELECT a.action FROM payment_attempts a JOIN orders o ON o.id = a.order_id"
                " WHERE o.cart_key = $1 AND a.action IS NOT NULL",
                purchase.cart_key,
            )
        return [NeedsAction(**row["action"]) for row in rows]

    # --- the provider and the shop -------------------------------------------------------------

    async def tell(self, purchase: Purchase) -> bool:
        """The provider's webhook about the newest attempt; False when there is none."""
        attempts = await self.attempts(purchase)
        if not attempts:
            return False
        raw, headers = await self.peer.webhook(attempts[-1])
        await self.shop.webhooks.receive(self.peer.gateway.description.id, raw, headers)
        return True

    async def attempts(self, purchase: Purchase) -> list[str]:
        """Ids of every attempt to pay for the purchase, oldest first."""
        async with self.shop.database.acquire() as connection:
            rows = await connection.fetch(
                "SELECT a.id FROM payment_attempts a JOIN orders o ON o.id = a.order_id"
                " WHERE o.cart_key = $1 ORDER BY a.created_at, a.id",
                purchase.cart_key,
            )
        return [row["id"] for row in rows]

    async def refund(self, purchase: Purchase, *, restock: bool) -> Refund | None:
        """All of it back, as a shop manager would; None when there is no order."""
        async with self.shop.database.acquire() as connection:
            order_id = await connection.fetchval(
                "SELECT id FROM orders WHERE cart_key = $1", purchase.cart_key
            )
        if order_id is None:
            return None
        command = RefundCommand(restock=restock)
        return await self.shop.back_office.refund(OPERATOR, order_id, command)

    async def work(self) -> None:
        """The worker, until nothing is due at the till's time."""
        for _ in range(20):
            if not await self.shop.worker.turn():
                return
        raise AssertionError("the worker finds no end")

    async def work_on(self) -> None:
        """The worker now, and again half a minute later: looks that are put off come due."""
        await self.work()
        self.clock.ahead += timedelta(seconds=30)
        await self.work()

    async def looks_due(self) -> int:
        """Attempts about which the provider is to be asked, now or later."""
        return await self._count("payment_attempts WHERE next_look_at IS NOT NULL")

    async def _count(self, what: str) -> int:
        async with self.shop.database.acquire() as connection:
            return int(await connection.fetchval(f"SELECT count(*) FROM {what}"))

    def fail_next(self, fault: Fault) -> None:
        """By the peer when it can, else on the link to its gateway."""
        if fault in self.peer.faults:
            self.peer.fail_next(fault)
        else:
            self.link.fault = fault

    async def _coupon(self) -> str:
        code = f"once-{uuid4().hex}"
        terms = Coupon(code=code, kind=CouponKind.PERCENT, amount=Decimal(10), usage_limit=1)
        async with self.shop.database.transaction() as connection:
            await promotions.insert(connection, terms)
        return code

    async def _product(self) -> int:
        async with self.shop.database.transaction() as connection:
            product_id = await connection.fetchval(
                "INSERT INTO products (type, name, slug, regular_price, manages_stock, tax_status,"
                " tax_class, shipping_class) VALUES ('simple', 'Mug', $1, 1999, true, 'taxable',"
                " '', '') RETURNING id",
                f"mug-{uuid4().hex}",
            )
            await connection.execute(
                "INSERT INTO stock (product_id, quantity) VALUES ($1, $2)", product_id, IN_STOCK
            )
        return int(product_id)


def _order_id(placement: Placement) -> str:
    return str(placement.order.id)


@asynccontextmanager
async def lock_watch(stage: Stage) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Says how many connections wait for a lock of the database, by a connection of its own:
    whoever is watched must not find his pool changed."""
    database = await Database.open(stage.database_url, PoolOptions(min_size=1, max_size=1))

    async def waiting() -> int:
        async with database.acquire() as connection:
            return int(
                await connection.fetchval(
                    # Who was granted a lock and has not woken yet does not wait any more.
                    "SELECT count(DISTINCT l.pid) FROM pg_locks l JOIN pg_stat_activity a"
                    " USING (pid) WHERE NOT l.granted AND a.datname = current_database()"
                )
            )

    try:
        yield waiting
    finally:
        await database.close()


async def tried(act: Coroutine[Any, Any, object]) -> None:
    """A refusal is an answer too: whoever got it tries again in the end."""
    with suppress(Refusal):
        await act


def order_of(answer: Placement | Replay) -> int:
    """The order that a process answered with."""
    return int(answer.response) if isinstance(answer, Replay) else answer.order.id


@lru_cache(maxsize=4)
def _settings(database_url: str, wait: float) -> Settings:
    """Read once: a process that was forked has them at once."""
    settings = demo_settings(database_url, "http://shop.test")
    checkout = settings.checkout.model_copy(update={"access": "open", "wait_seconds": wait})
    # One shopper of the proofs declines more often than any real one may.
    off = {
        "shield": settings.shield.model_copy(update={"mode": "off"}),
        "rate_limits": settings.rate_limits.model_copy(update={"enabled": False}),
    }
    return settings.model_copy(update={"checkout": checkout, **off})


@asynccontextmanager
async def open_till(
    stage: Stage, ahead: timedelta = timedelta(), wait: float = 0.3
) -> AsyncIterator[Till]:
    """A server process, as far as a purchase can tell; `ahead`: how far its clock goes before,
    `wait`: seconds that a shopper waits for another request."""
    settings = _settings(stage.database_url, wait)
    clock = MovedClock(ahead)
    peer = stage.connect(clock)
    link = Link(peer.gateway)
    pool = PoolOptions(min_size=1, max_size=6)
    database = await Database.open(stage.database_url, pool)
    try:
        shop = build(settings, database, clock, {peer.gateway.description.id: link})
        yield Till(shop, peer, clock, link)
    finally:
        await peer.gateway.close()
        await database.close()
