"""Faults on the link between shop and provider: exactly once all the same, and the cart is
unlocked or closed in the end."""

from __future__ import annotations

from datetime import timedelta

import pytest

from checkstand.checkout.model import PaymentStatus, Placement
from checkstand.errors import PaymentPending
from checkstand.testing.peer import Fault, Peer, Wish
from checkstand.testing.proofs.books import assert_bought, assert_not_bought, read_books
from checkstand.testing.proofs.scenes import pay_late
from checkstand.testing.proofs.till import Purchase, Stage, Till, open_till, order_of

_NOT_CHARGED = (Fault.ERROR_BEFORE, Fault.LOST)


class FaultProofs:
    """A pytest class: subclass it and give a fixture `stage`."""

    pytestmark = pytest.mark.asyncio

    @pytest.mark.parametrize("finder", ["client", "worker", "webhook"])
    @pytest.mark.parametrize("fault", list(Fault))
    async def test_an_answer_that_is_lost(self, stage: Stage, fault: Fault, finder: str) -> None:
        async with open_till(stage) as till:
            purchase = await till.prepare(Wish.APPROVE, keyed=True)
            till.fail_next(fault)
            first = await till.process(purchase)
            assert isinstance(first, Placement)
            assert first.status in (PaymentStatus.PENDING, PaymentStatus.SUCCESS), first
            await self._found_out(till, purchase, finder)
            if fault in _NOT_CHARGED:
                await assert_not_bought(till, purchase)
            else:
                await assert_bought(till, purchase)
            assert order_of(await till.process(purchase)) == order_of(first)
            await assert_bought(till, purchase)

    @staticmethod
    async def _found_out(till: Till, purchase: Purchase, finder: str) -> None:
        if finder == "webhook":
            assert await till.tell(purchase)
            await till.work()
            return
        if finder == "client":  # who hears the same again, and changes nothing
            await till.process(purchase)
        await till.work_on()

    async def test_webhooks_twice_late_and_in_the_wrong_order(self, stage: Stage) -> None:
        """The shopper agreed at the provider and never came back, and the shop was not there: an
        hour later come the webhooks, the last one first, each twice."""
        async with open_till(stage) as till:
            needs(till.peer, Wish.ACTION)
            purchase = await till.prepare(Wish.ACTION)
            await till.process(purchase)
            (attempt_id,) = await till.attempts(purchase)
            await till.agree(purchase)
            till.clock.ahead += timedelta(hours=1)
            told = [await till.peer.webhook(attempt_id) for _ in range(2)]
            for raw, headers in [told[1], told[1], told[0], told[0]]:
                gateway_id = till.peer.gateway.description.id
                await till.shop.webhooks.receive(gateway_id, raw, headers)
                await till.work()
            await assert_bought(till, purchase)

    @pytest.mark.parametrize("arrived", [False, True])
    async def test_a_provider_that_is_down_for_a_minute(self, stage: Stage, arrived: bool) -> None:
        """`arrived`: the charge did get there before."""
        async with open_till(stage) as till:
            purchase = await till.prepare(Wish.APPROVE)
            if arrived:
                till.fail_next(Fault.ERROR_AFTER)
            till.link.up = arrived
            first = await till.process(purchase)
            till.link.up = False
            assert isinstance(first, Placement)
            assert first.status is PaymentStatus.PENDING, first
            for _ in range(12):
                till.clock.ahead += timedelta(seconds=5)
                await till.work()
                again = await till.process(purchase)
                assert isinstance(again, Placement)
                assert (again.order.id, again.status) == (first.order.id, PaymentStatus.PENDING)
                with pytest.raises(PaymentPending):
                    await till.edit(purchase)
            books = await read_books(till, purchase)
            assert (books.cart_locked, books.held) == (True, 1), books
            till.link.up = True
            till.clock.ahead += timedelta(seconds=60)
            await till.work()
            if not arrived:
                await assert_not_bought(till, purchase)
            assert order_of(await till.process(purchase)) == first.order.id
            await assert_bought(till, purchase)

    @pytest.mark.parametrize("paid_since", [False, True])
    async def test_money_that_comes_late_goes_back_once(
        self, stage: Stage, paid_since: bool
    ) -> None:
        """`paid_since`: the shopper has paid in another way meanwhile."""
        async with open_till(stage) as till, open_till(stage) as other:
            if not hasattr(till.peer, "pay_late"):
                pytest.skip("the provider never takes money for a payment that was called off")
            needs(till.peer, Wish.ACTION)
            purchase = await till.prepare(Wish.ACTION)
            await till.process(purchase)
            for each in (till, other):
                each.clock.ahead += timedelta(hours=1)
            await till.work()
            await assert_not_bought(till, purchase)
            (late,) = await till.attempts(purchase)
            if paid_since:
                anew = await till.pay_anew(purchase, Wish.APPROVE)
                await till.process(anew)
                await assert_bought(till, anew)
            await pay_late(till.peer, late)
            for each in (till, other, till):
                raw, headers = await each.peer.webhook(late)
                await each.shop.webhooks.receive(each.peer.gateway.description.id, raw, headers)
                await each.work_on()
            assert await till.peer.returned(late) == [purchase.total]
            books = await read_books(till, purchase)
            assert books.refunds == ("done",), books
            assert books.live == 0, books
            assert books.placed == int(paid_since), books
            assert sum(books.charges) - sum(books.returned) == sum(books.order_totals), books
            assert books.orders[0][1] == ("processing" if paid_since else "failed"), books


def needs(peer: Peer, wish: Wish) -> None:
    if wish not in peer.wishes:
        pytest.skip(f"the provider cannot play: {wish.value}")
