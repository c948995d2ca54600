"""Fees on a cart: gift wrap, a deposit, a discount by agreement. Never from a shopper."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace

from checkstand.access.principal import Caller
from checkstand.cart.model import MOST_FEES, Cart, CartFee
from checkstand.cart.service import CartService
from checkstand.cart.view import LARGEST_TOTAL, CartView, Notices, Scene
from checkstand.errors import (
    CartTooLarge,
    FeeAmountRequired,
    FeeCannotAdd,
    FeeNameRequired,
    FeesNotAllowed,
    ParameterInvalid,
)
from checkstand.kit.money import Currency, Money
from checkstand.storage.idempotency import Ticket

_ALWAYS_THERE = frozenset({"", "reduced-rate", "zero-rate"})


@dataclass(frozen=True, slots=True)
class AddFee:
    """`amount` in major units of the base currency, ex tax; negative takes off, at most what is
    due."""

    name: str
    amount: str
    taxable: bool = False
    tax_class: str = ""


@dataclass(frozen=True, slots=True)
class CartFees:
    """The verbs. FeesNotAllowed for who may not set prices."""

    carts: CartService

    async def add(self, caller: Caller, given: AddFee, ticket: Ticket | None = None) -> CartView:
        """Adds a fee; one of the same name stays as it is, which is said."""
        self._authorise(caller)
        fee = _fee(given, self.carts.shop.base)

        def change(cart: Cart, scene: Scene) -> tuple[Cart, Notices]:
            if not cart.lines:
                raise FeeCannotAdd
            _check_class(fee.tax_class, scene)
            if any(each.id == fee.id for each in cart.fees):
                return cart, {"notice": [f"The fee “{fee.name}” is there already."]}
            if len(cart.fees) >= MOST_FEES:
                raise CartTooLarge(f"One cart takes at most {MOST_FEES} fees.")
            added = replace(cart, fees=(*cart.fees, fee))
            return added, {"success": [f"The fee “{fee.name}” was added."]}

        return await self.carts.change(caller, change, ticket)

    async def remove_all(self, caller: Caller, ticket: Ticket | None = None) -> CartView:
        """Takes every fee off."""
        self._authorise(caller)

        def change(cart: Cart, _: Scene) -> tuple[Cart, Notices]:
            said: Notices = {"success": ["All fees were taken off."]} if cart.fees else {}
            return replace(cart, fees=()), said

        return await self.carts.change(caller, change, ticket)

    def _authorise(self, caller: Caller) -> None:
        if not self.carts.may_price(caller):
            raise FeesNotAllowed


def _fee(given: AddFee, base: Currency) -> CartFee:
    name = given.name.strip()
    if not name:
        raise FeeNameRequired
    if not given.amount:
        raise FeeAmountRequired
    try:
        minor = Money.of(given.amount, base).minor
    except ValueError:
        minor = LARGEST_TOTAL + 1
    if abs(minor) > LARGEST_TOTAL:
        raise ParameterInvalid(
            "amount must be an amount such as 2.50.",
            data={"params": {"amount": "must be an amount such as 2.50"}},
        )
    return CartFee(_id(name), name, minor, given.taxable, given.tax_class)


def _id(name: str) -> str:
    """From the name, as WooCommerce makes it: fees of one name are one fee."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return slug or hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()[:12]


def _check_class(tax_class: str, scene: Scene) -> None:
    """A class that nobody taxes would be a fee without tax by a slip of the pen."""
    if tax_class not in _ALWAYS_THERE | {rate.tax_class for rate in scene.table.rates}:
        raise ParameterInvalid(
            "There is no such tax class.",
            data={"params": {"tax_class": "is not a tax class of this shop"}},
        )
