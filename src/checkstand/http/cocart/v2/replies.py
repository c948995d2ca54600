"""What the routes of the v2 cart share: parameters, and the cart as a request wants it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Path
from starlette.requests import Request
from starlette.responses import Response

from checkstand.cart.view import CartView
from checkstand.errors import ParameterInvalid, QuantityNotNumeric
from checkstand.http.answers import answer
from checkstand.http.cocart.headers import cart_headers
from checkstand.http.cocart.v2 import present
from checkstand.http.cocart.v2.schemas import numeric, whole
from checkstand.wiring import Shop

ItemKey = Annotated[str, Path(pattern=r"^[\w-]+$", max_length=64, description="The item's key.")]
_TRUTHS = {"true": True, "1": True, "yes": True, "on": True} | dict.fromkeys(
    ("false", "0", "no", "off"), False
)
_LONGEST_FIELDS = 500
Render = Callable[[CartView], Any]


def respond(request: Request, seen: CartView, body: Any) -> Response:
    return answer(request, body, cart_headers(seen))


def thumb_wanted(request: Request) -> bool:
    """Whether image addresses are wanted; they are, unless `thumb` says no."""
    said = request.query_params.get("thumb", "true").lower()
    if said not in _TRUTHS:
        raise ParameterInvalid(
            "Invalid parameter(s): thumb.", data={"params": {"thumb": "is `true` or `false`"}}
        )
    return _TRUTHS[said]


def as_cart(request: Request, shop: Shop) -> Render:
    """How this request wants its cart."""
    thumb = thumb_wanted(request)
    fields = request.query_params.get("fields", "")
    if len(fields) > _LONGEST_FIELDS:
        raise ParameterInvalid(
            "Invalid parameter(s): fields.",
            data={"params": {"fields": f"has more than {_LONGEST_FIELDS} characters"}},
        )
    return lambda seen: present.cart(seen, shop.profile.language, thumb=thumb, fields=fields)


def handled_quantity(value: Any) -> int:
    """A quantity where what is not a number is the handler's refusal, 405 (contract cart.md 5)."""
    try:
        return whole(numeric(value))
    except ValueError:
        raise QuantityNotNumeric from None
