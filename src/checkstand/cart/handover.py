"""What a load-cart link hands over, and how it comes into another cart (contract cart.md 11.5).

Pure. Handed over is what lies in the cart: never an address, an e-mail or a way to pay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from checkstand.cart import merging
from checkstand.cart.merging import MergePolicy
from checkstand.cart.model import Cart, CartLine, from_document
from checkstand.cart.view import Notices, Scene

_PARTS = ("lines", "coupons", "fees", "currency")


def contents_of(cart: Cart, *, priced: bool) -> dict[str, Any]:
    """What is stored with a link. Prices that were set and fees are only handed over when its maker
    may set them (`priced`): else a shopper could have a special price in as many carts as he makes
    links (DECISIONS 22)."""
    handed = Cart(
        key="",
        expires_at=cart.expires_at,
        lines=cart.lines if priced else _at_usual_prices(cart.lines),
        coupons=cart.coupons,
        fees=cart.fees if priced else (),
        currency=cart.currency,
    )
    document = handed.as_document()
    return {part: document[part] for part in _PARTS}


def _at_usual_prices(lines: tuple[CartLine, ...]) -> tuple[CartLine, ...]:
    """Units with a price of their own go to the line that they would be in without it."""
    kept: list[CartLine] = []
    for line in lines:
        plain = replace(line, price=None)
        same = next((place for place, old in enumerate(kept) if _alike(old, plain)), None)
        if same is None:
            kept.append(plain)
        else:
            kept[same] = replace(kept[same], quantity=kept[same].quantity + plain.quantity)
    return tuple(kept)


def _alike(one: CartLine, other: CartLine) -> bool:
    return replace(one, key="", quantity=0) == replace(other, key="", quantity=0)


def handed_over(stored: Mapping[str, Any], now: datetime) -> Cart:
    """A cart that is nothing but what `contents_of` kept."""
    return from_document(
        {part: stored[part] for part in _PARTS},
        key="",
        version=0,
        customer_id=None,
        order_id=None,
        placed_at=None,
        paying_until=None,
        awaits_action=False,
        expires_at=now,
    )


def received(
    own: Cart, handed: Cart, scene: Scene, max_lines: int, policy: MergePolicy
) -> tuple[Cart, Notices]:
    """The visitor's cart with what was handed over in it; his addresses and his way to pay stay.
    With MergePolicy.GUEST what was handed over takes the place of his lines, which he can restore.
    """
    return merging.merged(own, handed, policy, scene, max_lines)
