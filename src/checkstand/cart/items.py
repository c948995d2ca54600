"""The verbs on a cart's lines: in, out, and how many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from checkstand.access.principal import Caller
from checkstand.cart import choosing, verbs
from checkstand.cart.choosing import AddItem, Switch
from checkstand.cart.model import Cart
from checkstand.cart.service import CartService
from checkstand.cart.view import (
    CartView,
    Notices,
    Scene,
)
from checkstand.catalog.model import ProductType
from checkstand.errors import (
    CartEmpty,
    GroupedNothingChosen,
    GroupedQuantityRequired,
    InvalidProduct,
)
from checkstand.storage.idempotency import Ticket


@dataclass(frozen=True, slots=True)
class CartItems:
    carts: CartService

    async def add(
        self,
        caller: Caller,
        items: Sequence[AddItem],
        contact: Mapping[str, str],
        ticket: Ticket | None = None,
    ) -> CartView:
        """All of the items, or none. `contact` may hold an `email`
        and a `phone` for the billing address; what is not well-formed there is left out."""
        if not self.carts.may_price(caller):
            items = [replace(item, price="") for item in items]
        choices = [
            await choosing.choose(self.carts.catalogue, item, self.carts.shop.base)
            for item in items
        ]

        def change(cart: Cart, scene: Scene) -> tuple[Cart, Notices]:
            texts = []
            for given, choice in choices:
                available = scene.available(choice.product)
                verbs.check_range(given, choice.quantity, scene.available(given))
                if choice.product is not given:
                    verbs.check_range(choice.product, choice.quantity, available)
                cart = verbs.add(cart, choice, scene, self.carts.limits.max_lines)
                texts.append(f"{choice.quantity} × “{choice.product.name}” was added to your cart.")
            return verbs.with_contact(cart, contact), {"success": texts}

        products = {choice.product.id: choice.product for _, choice in choices}
        products |= {given.id: given for given, _ in choices}
        return await self.carts.change(caller, change, ticket, products)

    async def add_group(
        self,
        caller: Caller,
        group_id: str,
        quantities: Mapping[str, int],
        contact: Mapping[str, str],
        ticket: Ticket | None = None,
    ) -> CartView:
        """Products of a grouped product; quantities of 0 are skipped."""
        group = await choosing.find(self.carts.catalogue, group_id)
        if group.type is not ProductType.GROUPED:
            raise InvalidProduct("This product is not a group; add it with add-item.")
        if not quantities:
            raise GroupedQuantityRequired
        chosen = [AddItem(child, count) for child, count in quantities.items() if count]
        if not chosen:
            raise GroupedNothingChosen
        members = {str(child) for child in group.grouped_ids}
        if any(item.id not in members for item in chosen):
            raise InvalidProduct(f"Not all of these products belong to “{group.name}”.")
        return await self.add(caller, chosen, contact, ticket)

    async def set_quantity(
        self, caller: Caller, key: str, quantity: int, ticket: Ticket | None = None
    ) -> CartView:
        """The line with another quantity; 0 takes it out."""

        def change(cart: Cart, scene: Scene) -> tuple[Cart, Notices]:
            return verbs.set_quantity(cart, key, quantity, scene), {"success": ["Cart updated."]}

        return await self.carts.change(caller, change, ticket)

    async def switch(
        self,
        caller: Caller,
        key: str,
        quantity: int,
        wanted: Switch,
        ticket: Ticket | None = None,
    ) -> CartView:
        """The line as another variation or with other data, and so many of it; 0 takes it out.
        Its key becomes another one."""
        line = (await self.carts.read(caller)).cart.line(key)
        if quantity == 0 or not wanted or line is None:  # gone, perhaps, by this very request
            return await self.set_quantity(caller, key, quantity, ticket)
        item = wanted.of(line, quantity)
        given, choice = await choosing.choose(self.carts.catalogue, item, self.carts.shop.base)

        def change(cart: Cart, scene: Scene) -> tuple[Cart, Notices]:
            verbs.check_range(choice.product, quantity, scene.available(choice.product))
            most = self.carts.limits.max_lines
            return verbs.switch(cart, key, choice, scene, most), {"success": ["Cart updated."]}

        products = {given.id: given, choice.product.id: choice.product}
        return await self.carts.change(caller, change, ticket, products)

    async def set_quantities(
        self, caller: Caller, quantities: Mapping[str, int], ticket: Ticket | None = None
    ) -> CartView:
        """Each line with its quantity; keys that the cart does not have are skipped."""

        def change(cart: Cart, scene: Scene) -> tuple[Cart, Notices]:
            if not cart.lines:
                raise CartEmpty
            said: Notices = {"success": ["Cart updated."]}
            for key, quantity in quantities.items():
                line = cart.line(key)
                if line is None:
                    continue
                product = scene.products.get(line.sold_id)
                if product and product.sold_individually and quantity > 1:
                    said.setdefault("error", []).append(
                        f"Only one “{product.name}” can be bought at a time."
                    )
                    continue
                cart = verbs.set_quantity(cart, key, quantity, scene)
            return cart, said

        return await self.carts.change(caller, change, ticket)

    async def remove(self, caller: Caller, key: str, ticket: Ticket | None = None) -> CartView:
        def change(cart: Cart, scene: Scene) -> tuple[Cart, Notices]:
            line = cart.line(key)
            product = scene.products.get(line.sold_id) if line else None
            name = f"“{product.name}”" if product else "The item"
            return verbs.remove(cart, key), {"success": [f"{name} was removed from your cart."]}

        return await self.carts.change(caller, change, ticket)

    async def remove_all(self, caller: Caller, ticket: Ticket | None = None) -> CartView:
        """Every line out; they can be restored."""

        def change(cart: Cart, _: Scene) -> tuple[Cart, Notices]:
            for line in cart.lines:
                cart = cart.take_out(line.key)
            return cart, {"success": ["All items were removed from your cart."]}

        return await self.carts.change(caller, change, ticket)

    async def restore(self, caller: Caller, key: str, ticket: Ticket | None = None) -> CartView:
        def change(cart: Cart, scene: Scene) -> tuple[Cart, Notices]:
            restored = verbs.restore(cart, key, scene, self.carts.limits.max_lines)
            return restored, {"success": ["The item is in your cart again."]}

        return await self.carts.change(caller, change, ticket)
