"""Finding what a shopper named: by ID, by SKU, or a variation by its options (cart.md 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from checkstand.cart import verbs
from checkstand.cart.verbs import Choice
from checkstand.catalog import variations
from checkstand.catalog.model import Product, ProductType
from checkstand.catalog.service import Catalogue
from checkstand.errors import (
    InvalidProduct,
    ParentProductInvalid,
    ProductIdRequired,
    UnknownProductId,
)


@dataclass(frozen=True, slots=True)
class AddItem:
    """`id` is a product ID, a variation ID or a SKU."""

    id: str
    quantity: int = 1
    variation: Mapping[str, str] = field(default_factory=dict)
    item_data: Mapping[str, Any] = field(default_factory=dict)


async def choose(catalogue: Catalogue, item: AddItem) -> tuple[Product, Choice]:
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
    return given, Choice(product, item.quantity, chosen, item.item_data)


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
