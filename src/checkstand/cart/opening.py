"""How a cart begins."""

from __future__ import annotations

from datetime import datetime

from checkstand.cart.model import Cart
from checkstand.customers import store as customers
from checkstand.kit import ids
from checkstand.storage.database import Connection


async def opened(connection: Connection, customer_id: int | None, expires_at: datetime) -> Cart:
    """An empty cart under a key of ours; a customer's has what was bought with last filled in."""
    if customer_id is None:
        return Cart(key=ids.cart_key(), expires_at=expires_at)
    known = await customers.find(connection, customer_id)
    return Cart(
        key=str(customer_id),
        expires_at=expires_at,
        customer_id=customer_id,
        billing=known.billing,
        shipping=known.shipping,
        payment_method=known.payment_method,
    )
