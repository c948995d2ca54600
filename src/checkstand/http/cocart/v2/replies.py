"""What the routes of the v2 cart share: parameters, and the cart as a request wants it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Path, Query
from starlette.requests import Request
from starlette.responses import Response

from checkstand.cart.view import CartView
from checkstand.errors import QuantityNotNumeric
from checkstand.http.answers import answer
from checkstand.http.cocart.headers import cart_headers
from checkstand.http.cocart.v2 import present
from checkstand.http.cocart.v2.schemas import numeric, whole
from checkstand.http.requests import ShopDep

ItemKey = Annotated[str, Path(pattern=r"^[\w-]+$", max_length=64, description="The item's key.")]
CartKeyQuery = Annotated[
    str | None, Query(description="The cart key; the Cart-Key header wins over it.")
]
Thumb = Annotated[bool, Query(description="false: no image addresses.")]
Fields = Annotated[
    str, Query(max_length=500, description="Members to build: `currency,totals:subtotal-total`.")
]

Render = Callable[[CartView], Any]


def respond(request: Request, seen: CartView, body: Any) -> Response:
    return answer(request, body, cart_headers(seen))


def as_cart(request: Request, shop: ShopDep) -> Render:
    """How this request wants its cart."""
    query = request.query_params
    thumb = query.get("thumb", "").lower() not in ("false", "0")
    fields = query.get("fields", "")
    return lambda seen: present.cart(seen, shop.profile.language, thumb=thumb, fields=fields)


def handled_quantity(value: Any) -> int:
    """A quantity where what is not a number is the handler's refusal, 405 (contract cart.md 5)."""
    try:
        return whole(numeric(value))
    except ValueError:
        raise QuantityNotNumeric from None
