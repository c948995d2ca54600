"""What is interrupted in the crash matrix, and how it must stand in the end.

A scene is played by three processes, one after the other: one prepares, one acts and is killed,
one finds what is left and goes on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from checkstand.checkout.model import PaymentStatus, Placement
from checkstand.errors import RefundTooLarge
from checkstand.storage.idempotency import Replay
from checkstand.testing.peer import Fault, Peer, Wish
from checkstand.testing.proofs.books import (
    assert_bought,
    assert_given_back,
    assert_not_bought,
    read_books,
)
from checkstand.testing.proofs.till import IN_STOCK, Purchase, Till, order_of

LATER = timedelta(minutes=1)
"""When whoever goes on comes: leases of who died are over."""


class Scene(ABC):
    """`ahead`: how far the clock of who acts goes before that of who prepared."""

    name: str
    ahead = timedelta()
    wish = Wish.APPROVE

    @abstractmethod
    async def prepare(self, till: Till) -> Purchase: ...

    @abstractmethod
    async def act(self, till: Till, purchase: Purchase) -> None:
        """What is interrupted."""

    @abstractmethod
    async def go_on(self, till: Till, purchase: Purchase, *, client_first: bool) -> None:
        """What happens after the restart, and what must be true then. AssertionError otherwise.
        `client_first`: the shopper tries again before the worker has looked."""


def can_play(scene: Scene, peer: Peer) -> bool:
    return scene.wish in peer.wishes and (
        not isinstance(scene, LateMoney) or hasattr(peer, "pay_late")
    )


@dataclass
class Ordering(Scene):
    """A cart is processed and paid."""

    wish: Wish = Wish.APPROVE
    fault: Fault | None = None

    @property
    def name(self) -> str:  # type: ignore[override]
        fault = f", {self.fault.value}" if self.fault else ""
        return f"process ({self.wish.value}{fault})"

    async def prepare(self, till: Till) -> Purchase:
        return await till.prepare(self.wish, keyed=self.fault is None)

    async def act(self, till: Till, purchase: Purchase) -> None:
        if self.fault is not None:
            till.fail_next(self.fault)
        await till.process(purchase)

    async def go_on(self, till: Till, purchase: Purchase, *, client_first: bool) -> None:
        if client_first:
            await till.process(purchase)
        await till.work_on()
        answer = await till.process(purchase)
        if self.wish is Wish.DECLINE:
            assert isinstance(answer, Placement), answer
            assert answer.status is PaymentStatus.FAILED, answer
            books = await assert_not_bought(till, purchase)
            assert books.orders == ((order_of(answer), "failed"),), books
            return
        if self.wish is Wish.ACTION:
            assert isinstance(answer, Placement), answer
            assert answer.status is PaymentStatus.NEEDS_ACTION, answer
            await till.agree(purchase)
            if not client_first:
                await till.tell(purchase)
                await till.work_on()
            answer = await till.process(purchase)
        if self.wish is Wish.BROWSER and not _paid(answer):
            # The worker was first and has called off what was not charged yet: pay anew.
            await assert_not_bought(till, purchase)
            purchase = await till.pay_anew(purchase, self.wish)
            answer = await till.process(purchase)
        books = await assert_bought(till, purchase)
        assert books.orders[0][0] == order_of(answer), "the retry is answered with the order"
        assert _paid(answer), answer


def _paid(answer: Placement | Replay) -> bool:
    return isinstance(answer, Replay) or answer.status is PaymentStatus.SUCCESS


class Settling(Scene):
    """The worker settles an attempt whose answer was lost."""

    name = "the worker settles an unknown attempt"
    ahead = LATER

    async def prepare(self, till: Till) -> Purchase:
        purchase = await till.prepare(Wish.APPROVE)
        till.fail_next(Fault.ERROR_AFTER)
        answer = await till.process(purchase)
        assert isinstance(answer, Placement), answer
        assert answer.status is PaymentStatus.PENDING, answer
        return purchase

    async def act(self, till: Till, purchase: Purchase) -> None:
        await till.work()

    async def go_on(self, till: Till, purchase: Purchase, *, client_first: bool) -> None:
        if client_first:
            await till.process(purchase)
        await till.work_on()
        books = await assert_bought(till, purchase)
        assert order_of(await till.process(purchase)) == books.orders[0][0]
        await assert_bought(till, purchase)


class Hearing(Settling):
    """A webhook comes and the worker looks at what it points at."""

    name = "a webhook is received and handled"
    ahead = timedelta()

    async def act(self, till: Till, purchase: Purchase) -> None:
        await till.tell(purchase)
        purchase.noted["received"] = "yes"
        await till.work()

    async def go_on(self, till: Till, purchase: Purchase, *, client_first: bool) -> None:
        if "received" not in purchase.noted:
            await till.tell(purchase)  # it was not answered: the provider sends it again
        await super().go_on(till, purchase, client_first=client_first)


class Refunding(Scene):
    """A shop manager gives all of it back."""

    name = "a refund"

    async def prepare(self, till: Till) -> Purchase:
        purchase = await till.prepare(Wish.APPROVE)
        await till.process(purchase)
        await assert_bought(till, purchase)
        return purchase

    async def act(self, till: Till, purchase: Purchase) -> None:
        await till.refund(purchase, restock=True)

    async def go_on(self, till: Till, purchase: Purchase, *, client_first: bool) -> None:
        """`client_first`: the manager tries again at once."""
        if not client_first:
            await till.work_on()
        with suppress(RefundTooLarge):  # the first one is there
            await till.refund(purchase, restock=True)
        await till.work_on()
        await assert_given_back(till, purchase, restocked=True)


class PayingForOrder(Scene):
    """An order whose first payment was declined is paid by its key."""

    name = "pay for order"
    wish = Wish.DECLINE

    async def prepare(self, till: Till) -> Purchase:
        purchase = await till.prepare(Wish.DECLINE)
        failed = await till.process(purchase)
        assert isinstance(failed, Placement), failed
        purchase.noted.update(order=str(failed.order.id), key=failed.order.order_key)
        return await till.pay_anew(purchase, Wish.APPROVE)

    async def act(self, till: Till, purchase: Purchase) -> None:
        await till.pay(purchase, int(purchase.noted["order"]), purchase.noted["key"])

    async def go_on(self, till: Till, purchase: Purchase, *, client_first: bool) -> None:
        if client_first:
            await self.act(till, purchase)
        await till.work_on()
        placement = await till.pay(purchase, int(purchase.noted["order"]), purchase.noted["key"])
        assert placement.status is PaymentStatus.SUCCESS, placement
        books = await assert_bought(till, purchase)
        assert books.orders[0][0] == int(purchase.noted["order"]), books
        await till.process(purchase)
        await assert_bought(till, purchase)


class CallingOff(Scene):
    """A cart that waits for its shopper is edited, and the shopper agrees all the same."""

    name = "an edit calls a payment off"
    wish = Wish.ACTION

    async def prepare(self, till: Till) -> Purchase:
        purchase = await till.prepare(Wish.ACTION)
        await till.process(purchase)
        return purchase

    async def act(self, till: Till, purchase: Purchase) -> None:
        await till.edit(purchase)

    async def go_on(self, till: Till, purchase: Purchase, *, client_first: bool) -> None:
        if client_first:
            await till.edit(purchase)
        await till.agree(purchase)
        await till.tell(purchase)
        await till.work_on()
        books = await read_books(till, purchase)
        assert books.charges == books.order_totals, books
        assert len(books.charges) <= int(not client_first), books
        assert books.returned == (), books
        assert (books.stock, books.held) == (IN_STOCK - books.placed, 0), books
        assert (books.uses, books.uses_held) == (books.placed, 0), books
        assert (books.live, books.cart_locked) == (0, False), books


class LateMoney(Scene):
    """The provider takes money for an attempt that was given up, and says so."""

    name = "money that comes late goes back"
    wish = Wish.ACTION
    ahead = timedelta(hours=1)

    async def prepare(self, till: Till) -> Purchase:
        purchase = await till.prepare(Wish.ACTION)
        await till.process(purchase)
        till.clock.ahead += timedelta(hours=1)
        await till.work()
        await assert_not_bought(till, purchase)
        await pay_late(till.peer, (await till.attempts(purchase))[0])
        return purchase

    async def act(self, till: Till, purchase: Purchase) -> None:
        await till.tell(purchase)
        purchase.noted["received"] = "yes"
        await till.work()

    async def go_on(self, till: Till, purchase: Purchase, *, client_first: bool) -> None:
        if "received" not in purchase.noted:
            await till.tell(purchase)
        await till.work_on()
        books = await read_books(till, purchase)
        assert books.charges == books.returned == (purchase.total,), books
        assert books.refunds == ("done",), books
        await assert_not_bought(till, purchase)


async def pay_late(peer: Peer, attempt_id: str) -> None:
    """What only a played provider can be told to do: see `provider.ProviderPeer.pay_late`."""
    await peer.pay_late(attempt_id)  # type: ignore[attr-defined]


SCENES: tuple[Scene, ...] = (
    Ordering(),
    Ordering(Wish.DECLINE),
    Ordering(Wish.ACTION),
    Ordering(Wish.APPROVE, Fault.TIMEOUT_AFTER),
    Ordering(Wish.BROWSER),
    Settling(),
    Hearing(),
    Refunding(),
    PayingForOrder(),
    CallingOff(),
    LateMoney(),
)
