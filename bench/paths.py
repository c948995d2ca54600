"""The paths that are measured, what is sent to them, and what they may cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode

import orjson

Work = Literal["read", "write", "process"]

CHECKOUT = "/wp-json/cocart/preview/checkout"
CART = "/wp-json/cocart/v2/cart"

PROMOTED_CART = f"{CART}?with=coupons"
"""The query says nothing to the shop; by it the floor knows which bytes to send."""

CARTS = 64
"""Enough that nobody waits for a cart, few enough that a worker may remember them all."""
_MANY = 2048
"""More than a worker remembers: each is read as if for the first time."""

AUSTIN = {
    "first_name": "Ines",
    "last_name": "Okafor",
    "company": "",
    "address_1": "8 Quarry Row",
    "address_2": "",
    "city": "Austin",
    "state": "TX",
    "postcode": "78701",
    "country": "US",
    "phone": "+13105550142",
    "email": "ines@example.com",
}
"""Two tax rates apply here: a taxed cart is the usual one."""
NEXT_DOOR = {**AUSTIN, "address_1": "10 Quarry Row", "postcode": "78702"}


@dataclass(frozen=True, slots=True)
class Measured:
    """One path. `statements` and `ratio` are its budgets; `bodies` are sent in turn."""

    name: str
    method: str
    route: str
    work: Work
    """What the floor does in the database."""
    statements: int
    bodies: tuple[Mapping[str, Any], ...] = ()
    with_key: bool = True
    ratio: float = 0.30
    transactions: int = 0
    carts: int = CARTS
    """How many carts the load is spread over."""
    promoted: bool = False
    """Whether the carts have coupons."""

    @property
    def once(self) -> bool:
        """Whether a cart can be used for one request only."""
        return self.work == "process"

    def request(self, cart_key: str, keys: Mapping[str, str], turn: int = 0) -> bytes:
        """The request as it goes over the wire; `turn` chooses the body."""
        target = f"{self.route}?{urlencode(keys)}" if self.with_key else self.route
        head = [f"{self.method} {target} HTTP/1.1", "Host: 127.0.0.1", "Accept: application/json"]
        head.append(f"Cart-Key: {cart_key}")
        body = b""
        if self.bodies:
            body = orjson.dumps(self.bodies[turn % len(self.bodies)])
            head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*head, "", ""]).encode() + body


def measured_paths(product_id: int) -> tuple[Measured, ...]:
    """All of them; `product_id` is what add-item adds."""
    item = {"id": str(product_id), "quantity": "1"}
    updates = tuple({"billing_address": address} for address in (NEXT_DOOR, AUSTIN))
    order = {"billing_address": AUSTIN, "payment_method": "bacs"}
    return (
        Measured("read-checkout", "GET", CHECKOUT, "read", 1),
        Measured("read-checkout-cold", "GET", CHECKOUT, "read", 1, carts=_MANY),
        Measured("read-cart", "GET", CART, "read", 1, with_key=False),
        Measured(
            "read-cart-coupons", "GET", PROMOTED_CART, "read", 1, with_key=False, promoted=True
        ),
        Measured(
            "add-item", "POST", f"{CART}/add-item", "write", 3, (item,), False, transactions=1
        ),
        Measured("update", "PUT", CHECKOUT, "write", 3, updates, transactions=1),
        Measured("process", "POST", CHECKOUT, "process", 14, (order,), transactions=2),
    )


NAMES = tuple(path.name for path in measured_paths(0))
