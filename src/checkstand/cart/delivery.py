"""How a cart is delivered: where to, as an estimate, and by which rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from checkstand.access.principal import Caller
from checkstand.cart import packages, verbs
from checkstand.cart.model import Cart
from checkstand.cart.service import CartService
from checkstand.cart.view import CartView, Notices, Scene, view
from checkstand.errors import RateRequired, ShippingNotCalculated, ShippingOff
from checkstand.pricing.shop import ShopRules
from checkstand.storage.idempotency import Ticket


@dataclass(frozen=True, slots=True)
class CartDelivery:
    """The verbs. ShippingOff where the shop does not ship."""

    carts: CartService

    async def choose(
        self, caller: Caller, rate: str, package: str | int = "", ticket: Ticket | None = None
    ) -> CartView:
        """Chooses a shipping rate for a package, or for all that offer it when `package` is "".
        ShippingNotCalculated without a destination, RateNotOffered."""
        shop = self._shipping()
        if not rate:
            raise RateRequired

        def change(cart: Cart, scene: Scene) -> tuple[Cart, Notices]:
            quote = view(cart, scene, shop).quote
            if not quote.has_destination:
                raise ShippingNotCalculated
            chosen = packages.choose_one(cart, quote, rate, package)
            return chosen, {"success": ["The shipping method is set."]}

        return await self.carts.change(caller, change, ticket)

    async def estimate(
        self, caller: Caller, destination: Mapping[str, str], ticket: Ticket | None = None
    ) -> CartView:
        """What shipping to a place costs. While the cart knows no address at all, the place is kept
        as part of the billing address, where goods go unless told otherwise: a shipping
        address of its own would then have to be completed before an order."""
        shop = self._shipping()

        def change(cart: Cart, _: Scene) -> tuple[Cart, Notices]:
            unknown = cart.shipping.is_empty and not cart.billing.first_name
            billing, shipping = (destination, {}) if unknown else ({}, destination)
            changed, refused = verbs.update_customer(cart, billing, shipping, shop.sell_to)
            return changed, {"error": refused} if refused else {}

        return await self.carts.change(caller, change, ticket)

    def _shipping(self) -> ShopRules:
        if not self.carts.shop.shipping_enabled:
            raise ShippingOff
        return self.carts.shop
