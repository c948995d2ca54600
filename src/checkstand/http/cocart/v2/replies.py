"""What the routes of the v2 cart share: parameters, and the cart as a request wants it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Path
from starlette.requests import Request
from starlette.responses import Response

from checkstand.cart.view import CartView
from checkstand.errors import ParameterInvalid, QuantityNotNumeric
from checkstand.http.answers import answer, has_already
from checkstand.http.cocart.headers import cart_headers
from checkstand.http.cocart.v2 import present
from checkstand.http.cocart.v2.figures import Say, minor
from checkstand.http.cocart.v2.schemas import numeric, whole
from checkstand.http.display import currency_format
from checkstand.http.inputs import TRUTHS, flag
from checkstand.http.requests import shop_of
from checkstand.wiring import Shop

ItemKey = Annotated[str, Path(pattern=r"^[\w-]+$", max_length=64, description="The item's key.")]
_LONGEST_FIELDS = 500
_OF_A_BODY = frozenset({"content-length", "content-type"})
Render = Callable[[CartView], Any]


def respond(request: Request, seen: CartView, body: Any) -> Response:
    return tagged(request, seen, answer(request, body, cart_headers(seen)))


def tagged(request: Request, seen: CartView, response: Response) -> Response:
    """The answer with its tag, or 304 to who has it already, where the shop wants tags: official
    clients hand an empty body on after a 304 (sdk-expectations 5). The tag is the cart's own: two
    carts that look the same have different ones."""
    if not shop_of(request).profile.etags:
        return response
    said = seen.cart.key.encode() + b"\n" + bytes(response.body)
    tag = f'W/"{hashlib.md5(said, usedforsecurity=False).hexdigest()}"'
    skipped = TRUTHS.get(request.query_params.get("_skip_cache", "").lower(), False)
    if request.method == "GET" and not skipped and has_already(request, tag):
        kept = {k: v for k, v in response.headers.items() if k not in _OF_A_BODY}
        response = Response(status_code=304, headers=kept)
    hit = response.status_code == 304
    response.headers["ETag"] = tag
    response.headers["CoCart-Cache"] = "HIT" if hit else "SKIP" if skipped else "MISS"
    return response


def thumb_wanted(request: Request) -> bool:
    """Whether image addresses are wanted; they are, unless `thumb` says no."""
    return flag(request, "thumb", default=True)


def formatted_wanted(request: Request) -> bool:
    """Whether amounts are wanted as people read them."""
    return flag(request, "formatted", default=False)


def say_of(request: Request, seen: CartView, shop: Shop) -> Say:
    """How this request wants its amounts."""
    if not formatted_wanted(request):
        return minor
    return currency_format(seen.quote.currency, shop.profile.language).show


def fields_wanted(request: Request) -> str:
    """The members that are wanted, from `fields`, the list form of older clients, or a preset;
    ParameterInvalid for what no client needs."""
    query = request.query_params
    listed = query.get("fields", "") or ",".join(query.getlist("fields[]"))
    preset = query.get("config[fields]", "")
    fields = listed or present.PRESETS.get(preset, "")
    if len(fields) > _LONGEST_FIELDS:
        raise ParameterInvalid(
            "Invalid parameter(s): fields.",
            data={"params": {"fields": f"has more than {_LONGEST_FIELDS} characters"}},
        )
    return fields


def as_cart(request: Request, shop: Shop) -> Render:
    """How this request wants its cart."""
    thumb, formatted = thumb_wanted(request), formatted_wanted(request)
    fields = fields_wanted(request)
    return lambda seen: present.cart(
        seen, shop.profile.language, thumb=thumb, fields=fields, formatted=formatted
    )


def handled_quantity(value: Any) -> int:
    """A quantity where what is not a number is the handler's refusal, 405 (contract cart.md 5)."""
    try:
        return whole(numeric(value))
    except ValueError:
        raise QuantityNotNumeric from None
