"""The checkout's verbs, each authorised here so that no presenter can get around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from checkstand.access.principal import Caller
from checkstand.accounts.enrolling import Enrolling, NewAccount
from checkstand.cart.model import Cart
from checkstand.cart.service import CartService
from checkstand.cart.view import CartView, Notices, Scene
from checkstand.checkout.charging import placement_of
from checkstand.checkout.model import Placement, ProcessCommand, UpdateCommand
from checkstand.checkout.pay import PayCommand, PayForOrder
from checkstand.checkout.paying import binding
from checkstand.checkout.process import Process
from checkstand.checkout.update import updated
from checkstand.errors import (
    AttemptNotFound,
    CartKeyRequired,
    CheckoutInvalid,
    EmptyCart,
    GuestCheckoutOff,
    Problem,
)
from checkstand.kit import crypto, ids
from checkstand.payments import card_data
from checkstand.payments.gateway import Description, Due
from checkstand.payments.model import Attempt
from checkstand.payments.service import Payments
from checkstand.payments.store import attempts, contexts, tokens
from checkstand.payments.store.contexts import Prepared
from checkstand.payments.store.tokens import SavedToken
from checkstand.promotions.model import clean_code
from checkstand.storage.idempotency import Ticket


@dataclass(frozen=True, slots=True)
class ReadyToPay:
    """A payment context: `fields` are the gateway's, for the browser."""

    method: Description
    seen: CartView
    fields: Mapping[str, Any]
    prepared: Prepared | None
    """None for methods that have nothing to collect."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How an attempt stands. `poll_after`: seconds until it makes sense to ask again; None when
    it is over."""

    attempt: Attempt
    placement: Placement
    poll_after: int | None


def _poll_after(attempt: Attempt, now: datetime) -> int | None:
    if not attempt.state.live:
        return None
    due = attempt.next_look_at or now
    return min(30, max(1, ceil((due - now).total_seconds()) + 1))


@dataclass(frozen=True, slots=True)
class Checkout:
    carts: CartService
    payments: Payments
    process_: Process
    pay_: PayForOrder
    context_life: timedelta
    keys_required: bool
    guest_checkout: bool
    strict_phone: bool
    enrolling: Enrolling

    async def state(self, caller: Caller, *, may_be_empty: bool = False) -> CartView:
        """The checkout as it stands; EmptyCart when there is nothing to check out, unless that is
        an answer too."""
        self._authorise(caller, writing=False)
        seen = await self.carts.read_for_checkout(caller)
        if not seen.cart.lines and not may_be_empty:
            raise EmptyCart
        return seen

    async def update(
        self, caller: Caller, command: UpdateCommand, ticket: Ticket | None = None
    ) -> CartView:
        """All of the command or nothing: CheckoutInvalid with every problem."""
        self._authorise(caller, writing=True)

        def change(cart: Cart, scene: Scene) -> tuple[Cart, Notices]:
            if not cart.lines:
                raise EmptyCart
            changed, _ = updated(
                cart,
                command,
                scene,
                self.carts.shop,
                self.payments,
                strict_phone=self.strict_phone,
            )
            return changed, {}  # what there is to say is said when it is stored

        codes = [clean_code(command.apply_coupon)] if command.apply_coupon else []
        return await self.carts.change(caller, change, ticket, codes=codes, must_exist=True)

    async def process(
        self,
        caller: Caller,
        command: ProcessCommand,
        ticket: Ticket | None = None,
        new_account: NewAccount | None = None,
    ) -> Placement:
        """Orders the cart, exactly once; for `new_account`, when a guest asks for one."""
        self._authorise(caller, writing=True)
        if caller.account is None and new_account is not None:
            enrolment = await self.enrolling.prepare(new_account)
            command = replace(command, enrolment=enrolment)
        elif caller.account is None and not self.guest_checkout:
            raise GuestCheckoutOff
        try:
            return await self.process_.run(caller, command, ticket)
        finally:
            if command.enrolment is not None:
                self.enrolling.letters.send()

    async def pay(
        self, caller: Caller, command: PayCommand, ticket: Ticket | None = None
    ) -> Placement:
        """Pays for an order that is pending or failed. The order's key is the credential."""
        return await self.pay_.run(caller, command, ticket)

    async def attempt(self, caller: Caller, attempt_id: str, order_key: str) -> Standing:
        """How a payment attempt stands, for who has its cart or its order's key; AttemptNotFound
        for everybody else."""
        if not order_key:
            self._authorise(caller, writing=False)
        async with self.carts.database.acquire() as connection:
            found = await attempts.find(connection, attempt_id)
        if found is None:
            raise AttemptNotFound
        placement = await placement_of(self.carts.database, found)
        if order_key:
            if not crypto.same(placement.order.order_key, order_key):
                raise AttemptNotFound
        elif found.cart_key != caller.own_cart_key:
            raise AttemptNotFound
        return Standing(found, placement, _poll_after(found, self.carts.clock.now()))

    async def payment_methods(self, caller: Caller) -> tuple[list[Description], list[SavedToken]]:
        """The methods that the caller's cart can be paid with, and what a customer has saved."""
        self._authorise(caller, writing=False)
        seen = await self.carts.read_for_checkout(caller)
        saved: list[SavedToken] = []
        if caller.customer_id is not None:
            async with self.carts.database.acquire() as connection:
                saved = await tokens.of_customer(connection, caller.customer_id)
        return self.payments.offered(seen.quote.chosen_rates), saved

    async def payment_context(self, caller: Caller, method: Any) -> ReadyToPay:
        """What a storefront needs to collect a payment with this method: for this cart, this
        amount, this currency, and a while."""
        self._authorise(caller, writing=True)
        card_data.refuse(method)
        seen = await self.carts.read_for_checkout(caller)
        if not seen.cart.lines:
            raise EmptyCart
        if not method:
            text = "Say which payment method: `payment_method`."
            raise CheckoutInvalid(
                [Problem("cocart_payment_method_required", "payment_method", text)]
            )
        description = self.payments.gateway(method).description
        if description.offline or not seen.quote.needs_payment:
            return ReadyToPay(description, seen, {}, None)
        now = self.carts.clock.now()
        total = seen.quote.total.in_iso()
        fresh = Prepared(
            id=ids.context_id(),
            gateway=method,
            cart_key=seen.cart.key,
            reference="",
            minor=total.minor,
            currency=total.currency.code,
            expires_at=now + self.context_life,
        )
        async with self.carts.database.acquire() as connection:
            earlier = await contexts.usable(connection, fresh, now + self.context_life / 2)
        prepared = earlier or fresh
        due = Due(
            amount=total,
            binding=binding(seen.cart.key),
            expires_at=prepared.expires_at,
            request_key=fresh.id,
            reference=prepared.reference,
        )
        context = await self.payments.context(method, due)
        if earlier is None or context.reference != earlier.reference:
            prepared = replace(fresh, reference=context.reference)
            async with self.carts.database.transaction() as connection:
                await contexts.insert(connection, prepared)
        return ReadyToPay(description, seen, context.fields, prepared)

    def _authorise(self, caller: Caller, *, writing: bool) -> None:
        caller.must_reach_checkout(writing=writing, keys_required=self.keys_required)
        if not caller.own_cart_key:
            raise CartKeyRequired
