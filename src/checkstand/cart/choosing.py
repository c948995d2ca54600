"""Finding what a shopper named: by ID, by SKU, or a variation by its options (cart.md 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from checkstand.cart import verbs
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


async def choose(catalogue: Catalogue, item: AddItem, base: Currency) -> tuple[Product, Choice]:
    """The product that was named, and what of it goes into the cart: the variation that the
    options lead to when it has variations."""
    given = await find(catalogue, item.id)
    verbs.check_type(given)
    product, chosen = given, dict[str, str]()
    if given.type is ProductType.VARIABLE:
        options = await catalogue.variations(given.id)
        product, chosen = variations.match(given, options, item.variation)
        verbs.check_type(product)
    elif given.type is ProductType.VARIATION:
        parent = (await catalogue.load([given.parent_id])).get(given.parent_id)
        if parent is None:
            raise ParentProductInvalid
        chosen = variations.complete(parent, given, item.variation)
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
