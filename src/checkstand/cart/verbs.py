"""What can be done to a cart, as pure functions: the old cart and a scene in, the new cart out.

The checks and their order are those of contract cart.md 3.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from checkstand.cart.model import Cart, CartLine
from checkstand.cart.view import Scene
from checkstand.catalog.model import Product, ProductType, StockStatus
from checkstand.customers import addresses
from checkstand.errors import (
    CannotIncreaseQuantity,
    CannotSwitchItem,
    CartTooLarge,
    InvalidProduct,
    ItemAlreadyRestored,
    ItemNeverInCart,
    ItemNotInCart,
    NoItems,
    NotEnoughInStock,
    NotEnoughStockRemaining,
    NotPurchasable,
    OutOfStock,
    ParentProductInvalid,
    ProductTypeNotAddable,
    QuantityOutOfRange,
    SoldIndividually,
)
from checkstand.kit import ids

MAX_QUANTITY = 999_999
"""Units of one line."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A product that was found for an add, before anything is checked. For a variation, `product`
    is the variation and `parent_id` what it belongs to."""

    product: Product
    quantity: int
    variation: Mapping[str, str] = field(default_factory=dict)
    item_data: Mapping[str, Any] = field(default_factory=dict)
    price: int | None = None
    """Set by somebody who may; None for the product's own."""

    @property
    def product_id(self) -> int:
        return self.product.parent_id or self.product.id

    @property
    def variation_id(self) -> int:
        return self.product.id if self.product.parent_id else 0

    @property
    def key(self) -> str:
        return ids.item_key(self.product_id, self.variation_id, self.variation, self.item_data)


def check_range(product: Product, quantity: int, available: int | None) -> None:
    """Row 7: within the product's own limits, and at most what is in stock when that counts."""
    least, most, step = limits(product, available)
    if quantity < least:
        raise QuantityOutOfRange(f"The least that can be ordered of “{product.name}” is {least}.")
    _check_most(product, quantity, most)
    if quantity % step:
        raise QuantityOutOfRange(f"“{product.name}” is sold in steps of {step}.")


def _check_most(product: Product, quantity: int, most: int) -> None:
    most = min(most, MAX_QUANTITY) if most > 0 else MAX_QUANTITY
    if quantity > most:
        raise QuantityOutOfRange(f"The most that can be ordered of “{product.name}” is {most}.")


def limits(product: Product, available: int | None) -> tuple[int, int, int]:
    """Least, most (-1: no limit, 0: sold out) and step of a quantity."""
    most = product.max_quantity if product.max_quantity is not None else -1
    if product.sold_individually:
        most = 1
    if available is not None and not product.allows_backorders:
        most = available if most < 0 else min(most, available)
        most = max(most, 0)
    return product.min_quantity, most, product.step_quantity


def check_type(product: Product) -> None:
    """Row 8 and the state of the product itself."""
    if not product.published:
        raise InvalidProduct
    if product.type in (ProductType.EXTERNAL, ProductType.GROUPED):
        raise ProductTypeNotAddable(f"“{product.name}” cannot be added to a cart by itself.")
    if not product.parent_published:
        raise ParentProductInvalid


def add(cart: Cart, choice: Choice, scene: Scene, max_lines: int) -> Cart:
    """With the choice in the cart: a line of its own, or more of the line that is the same."""
    product = choice.product
    key = line_key(cart, choice)
    existing = cart.line(key)
    if product.sold_individually and cart.quantity_of(product.id):
        raise SoldIndividually(f"Only one “{product.name}” can be in a cart, and it is there.")
    if product.price(scene.now) is None:
        raise NotPurchasable(f"“{product.name}” cannot be bought at the moment.")
    _check_stock(cart, product, choice.quantity, scene)
    quantity = choice.quantity + (existing.quantity if existing else 0)
    _check_most(product, quantity, limits(product, None)[1])
    if existing is None and len(cart.lines) >= max_lines:
        raise CartTooLarge(f"One cart holds at most {max_lines} different items.")
    line = CartLine(
        key=key,
        product_id=choice.product_id,
        variation_id=choice.variation_id,
        quantity=quantity,
        variation=choice.variation,
        item_data=choice.item_data,
        price=choice.price,
    )
    return cart.put(line)


def line_key(cart: Cart, choice: Choice) -> str:
    """The key of the line that the choice is or becomes. CoCart's key joins names and values
    without a mark in between, so that different data can share it: those get another one, and so
    do units that cost something else."""
    key = choice.key
    for _ in cart.lines:
        line = cart.line(key)
        same = line is not None and line.item_data == choice.item_data
        if line is None or (same and line.price == choice.price):
            break
        key = hashlib.md5(f"{key}+".encode(), usedforsecurity=False).hexdigest()
    return key


def _check_stock(cart: Cart, product: Product, more: int, scene: Scene) -> None:
    """Rows 16 to 18."""
    available = scene.available(product)
    if available is None:
        if product.stock_status is StockStatus.OUT_OF_STOCK:
            raise OutOfStock(f"“{product.name}” has sold out.")
        return
    if product.allows_backorders:
        return
    if available <= 0:
        raise OutOfStock(f"“{product.name}” has sold out.")
    if more > available:
        raise NotEnoughInStock(f"There are only {available} of “{product.name}” in stock.")
    inside = _counted(cart, product, scene)
    if inside + more > available:
        raise NotEnoughStockRemaining(
            f"There are {available} of “{product.name}” in stock and {inside} in your cart already."
        )


def _counted(cart: Cart, product: Product, scene: Scene, but: str = "") -> int:
    """Units in the cart that count against the product's stock row, leaving out one line."""
    return sum(
        line.quantity
        for line in cart.lines
        if line.key != but
        and (other := scene.products.get(line.sold_id)) is not None
        and other.manages_stock
        and other.stock_id == product.stock_id
    )


def set_quantity(cart: Cart, key: str, quantity: int, scene: Scene) -> Cart:
    """The line with another quantity; 0 takes it out."""
    line = cart.line(key)
    if line is None:
        raise ItemNotInCart
    if quantity == 0:
        return cart.take_out(key)
    product = scene.products.get(line.sold_id)
    if product is None:
        raise InvalidProduct
    if line.price is not None and quantity > line.quantity:
        raise CannotIncreaseQuantity(f"The price of “{product.name}” was set for so many of it.")
    if product.sold_individually and quantity > 1:
        raise CannotIncreaseQuantity(f"Only one “{product.name}” can be bought at a time.")
    check_range(product, quantity, None)
    if quantity > line.quantity:
        without = replace(cart, lines=tuple(old for old in cart.lines if old.key != key))
        _check_stock(without, product, quantity, scene)
    return cart.put(replace(line, quantity=quantity))


def switch(cart: Cart, key: str, choice: Choice, scene: Scene, max_lines: int) -> Cart:
    """The line as the choice, in its place: another variation of its product, or other data.
    Another product, or a price that was set for this one, is CannotSwitchItem. What becomes the
    same as another line adds up with it."""
    line = cart.line(key)
    if line is None:
        raise ItemNotInCart
    if choice.product_id != line.product_id or line.price is not None:
        raise CannotSwitchItem
    place = [old.key for old in cart.lines].index(key)
    without = replace(cart, lines=tuple(old for old in cart.lines if old.key != key))
    added = add(without, choice, scene, max_lines)
    if len(added.lines) == len(without.lines):
        return added
    *others, new = added.lines
    return replace(added, lines=(*others[:place], new, *others[place:]))


def remove(cart: Cart, key: str) -> Cart:
    if not cart.lines:
        raise NoItems
    if cart.line(key) is None:
        raise ItemNotInCart
    return cart.take_out(key)


def restore(cart: Cart, key: str, scene: Scene, max_lines: int) -> Cart:
    """A removed line back as it was, checked like an add."""
    if cart.line(key) is not None:
        raise ItemAlreadyRestored
    line = cart.removed_line(key)
    if line is None:
        raise ItemNeverInCart
    product = scene.products.get(line.sold_id)
    if product is None:
        raise InvalidProduct
    check_type(product)
    choice = Choice(product, line.quantity, line.variation, line.item_data, line.price)
    added = add(cart, choice, scene, max_lines)
    return added.put(line)


def with_contact(cart: Cart, contact: Mapping[str, str]) -> Cart:
    """With the `email` and `phone` of `contact` in the billing address, as far as well-formed."""
    for part, value in contact.items():
        alone = addresses.normalised(addresses.Address().merged({part: value}))
        if not addresses.malformed(alone, "billing_address"):
            cart = replace(cart, billing=cart.billing.merged({part: getattr(alone, part)}))
    return cart


def update_customer(
    cart: Cart,
    billing: Mapping[str, str],
    shipping: Mapping[str, str],
    allowed_countries: frozenset[str] | None,
) -> tuple[Cart, list[str]]:
    """Merges what is acceptable; what is not keeps its old value and is said (cart.md 7)."""
    new_billing, said_billing = _merged(cart.billing, billing, "billing_address", allowed_countries)
    base = cart.shipping
    new_shipping, said_shipping = _merged(base, shipping, "shipping_address", allowed_countries)
    changed = replace(cart, billing=new_billing, shipping=new_shipping)
    return changed, said_billing + said_shipping


def _merged(
    old: addresses.Address,
    changes: Mapping[str, str],
    group: str,
    allowed_countries: frozenset[str] | None,
) -> tuple[addresses.Address, list[str]]:
    merged = addresses.normalised(old.merged(changes))
    problems = addresses.malformed(merged, group, allowed_countries=allowed_countries)
    if not problems:
        return merged, []
    refused = {problem.field.rpartition(".")[2] for problem in problems}
    if "country" in refused:
        refused |= {"state", "postcode"}  # they were judged by a country that is not taken
    kept = {part: value for part, value in changes.items() if part not in refused}
    said = [problem.message for problem in problems]
    again = addresses.normalised(old.merged(kept))
    # What was there already may not fit what is left of the change; then nothing is taken.
    still = addresses.malformed(again, group, allowed_countries=allowed_countries)
    return (old if still else again), said
