"""The checkout's verbs, each authorised here so that no presenter can get around it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from checkstand.access.principal import Caller
from checkstand.accounts.enrolling import Enrolling, NewAccount
from checkstand.cart.model import Cart
from checkstand.cart.service import CartService
from checkstand.cart.view import CartView, Notices, Scene
from checkstand.checkout.model import Placement, ProcessCommand, UpdateCommand
from checkstand.checkout.process import Process
from checkstand.checkout.update import updated
from checkstand.errors import (
    CartKeyRequired,
    CheckoutInvalid,
    EmptyCart,
    GuestCheckoutOff,
    Problem,
)
from checkstand.payments.gateway import Description, Gateway
from checkstand.payments.service import Payments
from checkstand.storage.idempotency import Ticket


@dataclass(frozen=True, slots=True)
class Checkout:
    carts: CartService
    payments: Payments
    process_: Process
    keys_required: bool
    guest_checkout: bool
    strict_phone: bool
    enrolling: Enrolling

    async def state(self, caller: Caller) -> CartView:
        """The checkout as it stands; EmptyCart when there is nothing to check out."""
        self._authorise(caller, writing=False)
        seen = await self.carts.read_for_checkout(caller)
        if not seen.cart.lines:
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

        return await self.carts.change(caller, change, ticket, must_exist=True)

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
        return await self.process_.run(caller, command, ticket)

    async def payment_methods(self, caller: Caller) -> list[Description]:
        """The methods that the caller's cart can be paid with."""
        self._authorise(caller, writing=False)
        seen = await self.carts.read_for_checkout(caller)
        packages = seen.quote.packages
        chosen = packages[0].chosen.key if packages and packages[0].chosen else None
        return self.payments.offered(chosen)

    async def payment_context(self, caller: Caller, method: Any) -> tuple[Gateway, CartView]:
        """What a storefront needs to collect a payment with this method."""
        self._authorise(caller, writing=True)
        seen = await self.carts.read_for_checkout(caller)
        if not seen.cart.lines:
            raise EmptyCart
        if not method:
            text = "Say which payment method: `payment_method`."
            raise CheckoutInvalid(
                [Problem("cocart_payment_method_required", "payment_method", text)]
            )
        return self.payments.gateway(method), seen

    def _authorise(self, caller: Caller, *, writing: bool) -> None:
        caller.must_reach_checkout(writing=writing, keys_required=self.keys_required)
        if not caller.own_cart_key:
            raise CartKeyRequired
