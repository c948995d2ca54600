"""A guest's cart becomes the customer's who signed in (contract cart.md 11.4, DECISIONS 20).

Pure: two carts in, one out. What cannot be taken over is said, never silently lost.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from checkstand.cart import verbs
from checkstand.cart.model import MOST_COUPONS, MOST_FEES, Cart, CartLine
from checkstand.cart.verbs import Choice
from checkstand.cart.view import Notices, Scene, for_sale
from checkstand.customers.addresses import Address
from checkstand.errors import Refusal


class MergePolicy(StrEnum):
    """What happens when both carts hold something."""

    SUM = "sum"
    """Everything; of the same item, both quantities."""
    MAX = "max"
    """Everything; of the same item, the larger quantity."""
    GUEST = "guest"
    """What the guest had; the customer's lines can be restored."""
    CUSTOMER = "customer"
    """What the customer had; the guest's lines can be restored."""


def merged(
    customer: Cart, guest: Cart, policy: MergePolicy, scene: Scene, max_lines: int
) -> tuple[Cart, Notices]:
    """The customer's cart with the guest's in it, and what there is to say. A cart without lines
    never outweighs one with lines, whatever the policy."""
    said: list[str] = []
    if not guest.lines:
        lines = customer.lines
        set_aside: tuple[CartLine, ...] = ()
    elif not customer.lines or policy is MergePolicy.GUEST:
        lines, set_aside = guest.lines, customer.lines
    elif policy is MergePolicy.CUSTOMER:
        lines, set_aside = customer.lines, guest.lines
    else:
        together = replace(customer, removed=())
        for line in guest.lines:
            together = _with(together, line, policy, scene, max_lines, said)
        lines, set_aside = together.lines, together.removed
    # The guest's choices are the newer ones, where they are about the lines that stay.
    newer = guest if lines is guest.lines else customer
    older = customer if newer is guest else guest
    cart = replace(
        customer,
        lines=lines,
        removed=_removed(lines, (*customer.removed, *guest.removed, *set_aside)),
        billing=_filled(customer.billing, guest.billing),
        shipping=_filled(customer.shipping, guest.shipping),
        currency=newer.currency or older.currency,
        payment_method=newer.payment_method or older.payment_method,
        chosen_rates=newer.chosen_rates or older.chosen_rates,
        # Those that do not hold for both carts together are judged, and said, when it is totalled.
        coupons=tuple(dict.fromkeys((*customer.coupons, *guest.coupons)))[:MOST_COUPONS],
        fees=tuple({fee.id: fee for fee in (*guest.fees, *customer.fees)}.values())[:MOST_FEES],
    )
    return cart, {"info": said} if said else {}


def _with(
    cart: Cart, line: CartLine, policy: MergePolicy, scene: Scene, max_lines: int, said: list[str]
) -> Cart:
    product = scene.products.get(line.sold_id)
    if product is None or not for_sale(product, scene.now):
        return replace(cart, removed=(*cart.removed, line))
    choice = Choice(product, line.quantity, line.variation, line.item_data, line.price)
    key = verbs.line_key(cart, choice)
    existing = cart.line(key)
    if existing is None and len(cart.lines) >= max_lines:
        said.append(f"“{product.name}” did not fit into your cart any more.")
        return replace(cart, removed=(*cart.removed, line))
    if existing is None:
        return cart.put(replace(line, key=key))
    if policy is MergePolicy.MAX:
        wanted = max(existing.quantity, line.quantity)
    else:
        wanted = existing.quantity + line.quantity
    try:
        return verbs.set_quantity(cart, key, wanted, scene)
    except Refusal as refusal:
        # Both together are more than there is or may be had: the larger of the two stays.
        said.append(refusal.message)
        larger = max(existing.quantity, line.quantity)
        return cart.put(replace(existing, quantity=larger))


def _removed(lines: tuple[CartLine, ...], gone: tuple[CartLine, ...]) -> tuple[CartLine, ...]:
    """Lines that can be restored: each once, none that is there."""
    there = {line.key for line in lines}
    return tuple({line.key: line for line in gone if line.key not in there}.values())


def _filled(own: Address, guest: Address) -> Address:
    """The customer's address. Without a country it is no address yet: the guest's parts fill its
    blanks. Parts of two real addresses are never mixed, but for e-mail and phone."""
    parts = guest.as_billing()
    if own.has_destination:
        parts = {part: parts[part] for part in ("email", "phone")}
    blanks = {part: text for part, text in parts.items() if text and not getattr(own, part)}
    return own.merged(blanks)
