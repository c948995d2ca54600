"""What shipping a product would cost, rated in a cart that nobody keeps (v2-products 9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from checkstand.access.principal import Caller
from checkstand.cart import choosing, store
from checkstand.cart.choosing import AddItem
from checkstand.cart.model import Cart, CartLine
from checkstand.cart.service import CartService
from checkstand.cart.verbs import Choice
from checkstand.cart.view import CartView, Scene, for_sale, view
from checkstand.catalog.model import Product, ProductType
from checkstand.customers.addresses import Address
from checkstand.errors import (
    InvalidProduct,
    NoVariationFound,
    ParentProductInvalid,
    ProductTypeNotAddable,
    RatesOfExternal,
    RatesOfGroup,
    RatesProductUnusable,
    RatesVariationInvalid,
    RatesWithCartKey,
    UnknownProductId,
    VariationDataInvalid,
    VariationDataMissing,
)


@dataclass(frozen=True, slots=True)
class Carriage:
    """Rates for where the signed-in customer's cart goes, else for where the store itself is."""

    carts: CartService
    home: Address

    async def rates(
        self,
        caller: Caller,
        reference: str,
        quantity: int,
        variation: Mapping[str, str],
        item_data: Mapping[str, Any],
    ) -> tuple[Product, CartView]:
        """The product that would be sold, and the cart as it would stand with only that in it.

        RatesWithCartKey, UnknownProductId, RatesOfExternal, RatesOfGroup, RatesVariationInvalid,
        RatesProductUnusable.
        """
        if caller.cart_key:
            raise RatesWithCartKey
        item = AddItem(reference, quantity, variation, item_data)
        choice = await self._choice(item)
        carts = self.carts
        now = carts.clock.now()
        if not for_sale(choice.product, now):
            raise RatesProductUnusable
        async with carts.database.acquire() as connection:
            found = await store.find(connection, str(caller.customer_id or ""), now)
            table = await carts.taxes.at(connection, found.tax_revision)
        destination = found.cart.destination if found.cart else Address()
        line = CartLine(
            key=choice.key,
            product_id=choice.product_id,
            variation_id=choice.variation_id,
            quantity=quantity,
            variation=choice.variation,
            item_data=choice.item_data,
        )
        cart = Cart(
            key="",
            expires_at=now,
            lines=(line,),
            billing=destination if destination.has_destination else self.home,
        )
        product = choice.product
        # As if there were enough: what it costs to ship does not depend on the stock.
        scene = Scene(now, {product.id: product}, {product.stock_id: quantity}, table)
        return product, view(cart, scene, carts.shop)

    async def _choice(self, item: AddItem) -> Choice:
        try:
            given = await choosing.find(self.carts.catalogue, item.id)
        except InvalidProduct:
            raise UnknownProductId("There is no product with this ID or SKU.") from None
        if not given.published:
            raise RatesProductUnusable
        if given.type is ProductType.EXTERNAL:
            raise RatesOfExternal
        if given.type is ProductType.GROUPED:
            raise RatesOfGroup
        try:
            _, choice = await choosing.choose(self.carts.catalogue, item, self.carts.shop.base)
        except (NoVariationFound, VariationDataInvalid, VariationDataMissing) as refusal:
            raise RatesVariationInvalid(refusal.message) from None
        except (InvalidProduct, ParentProductInvalid, ProductTypeNotAddable):
            raise RatesProductUnusable from None
        return choice
