"""Views of carts that were read lately. Storefronts read a cart many times for each change of it,
and working it out again costs more than the trip to the database that says it is unchanged."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from checkstand.cart.model import Cart
from checkstand.cart.view import CartView, Scene, view
from checkstand.catalog.model import Product
from checkstand.pricing.shop import ShopRules

_MOST = 256


class GoneKeys:
    """Guest keys without a cart to take over, which clients go on sending after a sign-in. Keys
    are never given out twice, so what is gone stays gone."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._keys: OrderedDict[str, None] = OrderedDict()

    def add(self, key: str) -> None:
        self._keys[key] = None
        if len(self._keys) > self._most:
            self._keys.popitem(last=False)

    def __contains__(self, key: str) -> bool:
        return key in self._keys


class SeenCarts:
    """One per process. A remembered view is given again only if all that it was made of is the
    same: the cart as it is stored, the very products, their prices now, stock, taxes, coupons."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[Cart, CartView]] = OrderedDict()

    def view(self, cart: Cart, scene: Scene, shop: ShopRules) -> CartView:
        """The cart as it stands, as `view` gives it."""
        known = self._seen.get(cart.key)
        if known is not None and known[0] == cart and _same(known[1].scene, scene):
            self._seen.move_to_end(cart.key)
            return known[1]
        fresh = view(cart, scene, shop)
        self._seen[cart.key] = (cart, fresh)
        if len(self._seen) > _MOST:
            self._seen.popitem(last=False)
        return fresh


def _same(old: Scene, new: Scene) -> bool:
    if old.table is not new.table or old.stock != new.stock or old.coupons != new.coupons:
        return False
    return _same_products(old.products, new.products, old, new) and _same_products(
        old.suggested, new.suggested, old, new
    )


def _same_products(
    before: Mapping[int, Product], after: Mapping[int, Product], old: Scene, new: Scene
) -> bool:
    if len(before) != len(after):
        return False
    return all(
        before.get(product_id) is product and product.price(old.now) == product.price(new.now)
        for product_id, product in after.items()
    )
