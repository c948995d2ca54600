"""How a cart is delivered: where to, as an estimate, and by which rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from checkstand.access.principal import Caller
from checkstand.cart import verbs
from checkstand.cart.model import Cart
from checkstand.cart.service import CartService
from checkstand.cart.view import CartView, Notices, Scene, view
from checkstand.errors import RateNotOffered, RateRequired, ShippingNotCalculated, ShippingOff
from checkstand.pricing.quote import Package
from checkstand.pricing.shop import ShopRules
from checkstand.storage.idempotency import Ticket


def choose_rate(
    cart: Cart, rate: str, package_id: str, scene: Scene, shop: ShopRules
) -> tuple[Cart, Notices]:
    """The cart with a rate chosen for a package, or for all that offer it when `package_id` is "".
    A rate that is not on offer is never stored: RateNotOffered."""
    quote = view(cart, scene, shop).quote
    if not quote.has_destination:
        raise ShippingNotCalculated
    offering = [
        package
        for index, package in enumerate(quote.packages)
        if _named(package, index, package_id, rate) and rate in {each.key for each in package.rates}
    ]
    if not offering:
        offered = ", ".join(each.key for package in quote.packages for each in package.rates)
        raise RateNotOffered(
            f"This shipping method is not offered to that address; there are: {offered or 'none'}."
        )
    chosen = {**cart.chosen_rates, **{package.id: rate for package in offering}}
    return replace(cart, chosen_rates=chosen), {"success": ["The shipping method is set."]}


def _named(package: Package, index: int, package_id: str, rate: str) -> bool:
    """Whether clients call the package that: by key, by index, or by the instance of the rate."""
    instance = rate.rpartition(":")[2]
    return package_id in ("", package.id, str(index), instance)


@dataclass(frozen=True, slots=True)
class CartDelivery:
    """The verbs. ShippingOff where the shop does not ship."""

    carts: CartService

    async def choose(
        self, caller: Caller, rate: str, package_id: str = "", ticket: Ticket | None = None
    ) -> CartView:
        """Chooses a shipping rate."""
        shop = self._shipping()
        if not rate:
            raise RateRequired

        def change(cart: Cart, scene: Scene) -> tuple[Cart, Notices]:
            return choose_rate(cart, rate, package_id, scene, shop)

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
