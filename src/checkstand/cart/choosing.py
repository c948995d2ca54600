"""Finding what a shopper named: by ID, by SKU, or a variation by its options (cart.md 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from checkstand.cart import verbs
from checkstand.cart.model import CartLine
from checkstand.cart.verbs import Choice
from checkstand.cart.view import LARGEST_TOTAL
from checkstand.catalog import variations
from checkstand.catalog.model import Product, ProductType
from checkstand.catalog.service import Catalogue
from checkstand.errors import (
    InvalidProduct,
    ParameterInvalid,
    ParentProductInvalid,
    ProductIdRequired,
    UnknownProductId,
)
from checkstand.kit.money import Currency, Money


@dataclass(frozen=True, slots=True)
class AddItem:
    """`id` is a product ID, a variation ID or a SKU."""

    id: str
    quantity: int = 1
    variation: Mapping[str, str] = field(default_factory=dict)
    item_data: Mapping[str, Any] = field(default_factory=dict)
    price: str = ""
    """A unit price in major units of the base currency; "" for the product's own. Looked at only
    when the caller may set prices."""
    before: Mapping[str, str] = field(default_factory=dict)
    """Options that stay chosen where `variation` says nothing."""


@dataclass(frozen=True, slots=True)
class Switch:
    """What a line becomes: another variation, by its ID or by options, or other data. None: as it
    is."""

    id: str | None = None
    variation: Mapping[str, str] | None = None
    item_data: Mapping[str, Any] | None = None

    def __bool__(self) -> bool:
        return any(each is not None for each in (self.id, self.variation, self.item_data))

    def of(self, line: CartLine, quantity: int) -> AddItem:
        """What would have to be added for it. Options that are not named stay chosen."""
        if self.id is not None:
            named = self.id
        else:
            named = str(line.sold_id if self.variation is None else line.product_id)
        another = self.id is not None and self.id.strip() != str(line.sold_id)
        data = line.item_data if self.item_data is None else self.item_data
        before = {} if another else line.variation
        return AddItem(named, quantity, self.variation or {}, data, before=before)


async def choose(catalogue: Catalogue, item: AddItem, base: Currency) -> tuple[Product, Choice]:
    """The product that was named, and what of it goes into the cart: the variation that the
    options lead to when it has variations."""
    given = await find(catalogue, item.id)
    verbs.check_type(given)
    product, chosen = given, dict[str, str]()
    if given.type is ProductType.VARIABLE:
        options = await catalogue.variations(given.id)
        wanted = variations.over(given, item.before, item.variation)
        product, chosen = variations.match(given, options, wanted)
        verbs.check_type(product)
    elif given.type is ProductType.VARIATION:
        parent = (await catalogue.load([given.parent_id])).get(given.parent_id)
        if parent is None:
            raise ParentProductInvalid
        wanted = variations.over(parent, item.before, item.variation)
        chosen = variations.complete(parent, given, wanted)
    price = own_price(item.price, base) if item.price else None
    return given, Choice(product, item.quantity, chosen, item.item_data, price)


def own_price(text: str, base: Currency) -> int:
    """A price that was set, in minor units; ParameterInvalid."""
    try:
        minor = Money.of(text, base).minor
    except ValueError:
        minor = -1
    if not 0 <= minor <= LARGEST_TOTAL:
        raise ParameterInvalid(
            "price must be an amount such as 12.50, zero or more.",
            data={"params": {"price": "must be an amount such as 12.50"}},
        )
    return minor


async def find(catalogue: Catalogue, named: str) -> Product:
    """By ID first when it is a number, then by SKU."""
    named = named.strip()
    if not named:
        raise ProductIdRequired
    numeric = named.isascii() and named.isdecimal() and len(named) <= 18
    if numeric:
        by_id = (await catalogue.load([int(named)])).get(int(named))
        if by_id is not None:
            return by_id
    by_sku = await catalogue.by_sku(named)
    if by_sku is None:
        raise InvalidProduct if numeric else UnknownProductId
    return by_sku
