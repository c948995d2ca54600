"""The routes of the v2 cart as a whole (contract cart.md 1, 2, 6 and 7)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from checkstand.cart.view import CartView
from checkstand.errors import (
    NamespaceRequired,
    NamespaceUnknown,
)
from checkstand.http.answers import remembered
from checkstand.http.cocart.headers import cart_headers
from checkstand.http.cocart.v2 import figures
from checkstand.http.cocart.v2.customer import customer_changes, quantities
from checkstand.http.cocart.v2.replies import (
    as_cart,
    fields_wanted,
    formatted_wanted,
    handled_quantity,
    respond,
    say_of,
    tagged,
    thumb_wanted,
)
from checkstand.http.cocart.v2.schemas import (
    CalculateIn,
    CartCreated,
    CartOut,
    CartTotalsOut,
    ClearIn,
    EngineLineOut,
    EngineTotals,
    UpdateCartIn,
)
from checkstand.http.describe import READING, WRITING, errors
from checkstand.http.display import currency_format
from checkstand.http.explaining import explained, wanted
from checkstand.http.inputs import flag
from checkstand.http.requests import JSON_ROUTES, ticket, visit

router = APIRouter(prefix="/wp-json/cocart/v2", tags=["cart v2"], **JSON_ROUTES)


@router.get(
    "/cart",
    response_model=CartOut | dict[str, EngineLineOut] | list[Any],
    responses=errors(*READING),
)
async def read_cart(
    request: Request,
) -> Response:
    """The cart; an empty one when there is none. Reading never makes a cart."""
    caller, shop = await visit(request)
    whole_cart = as_cart(request, shop)
    seen = await shop.carts.read(caller)
    if flag(request, "default", default=False):
        return respond(request, seen, figures.engine_lines(seen))
    if wanted(request, caller):
        return respond(request, seen, explained(whole_cart(seen), seen))
    if fields_wanted(request):  # as many as a client can think of: not to be kept
        return respond(request, seen, whole_cart(seen))
    name = ("v2 cart", thumb_wanted(request), formatted_wanted(request))
    make = partial(whole_cart, seen)
    kept = remembered(request, seen.answers, name, make, cart_headers(seen))
    return tagged(request, seen, kept)


@router.post("/cart", response_model=CartCreated, responses=errors(*WRITING))
async def create_cart(request: Request) -> Response:
    """A new, empty guest cart, to have a key before adding anything."""
    caller, shop = await visit(request)

    def render(seen: CartView) -> dict[str, Any]:
        return {"message": "Here is your cart key.", "cart_key": seen.cart.key}

    once = await ticket(request, "create cart", render)
    seen = await shop.carts.create(caller, once)
    return respond(request, seen, render(seen))


@router.get("/cart/totals", response_model=EngineTotals, responses=errors(*READING, 404))
async def read_totals(
    request: Request,
    html: Annotated[bool, Query(description="Amounts as display text.")] = False,
) -> Response:
    """All totals in major units."""
    caller, shop = await visit(request)
    seen = await shop.carts.totals(caller)
    shown = html or formatted_wanted(request)
    writing = currency_format(seen.quote.currency, shop.profile.language) if shown else None
    return respond(request, seen, figures.engine_totals(seen.quote, writing))


@router.post("/cart/calculate", response_model=CartOut | CartTotalsOut, responses=errors(*WRITING))
async def calculate(
    request: Request,
    body: CalculateIn | None = None,
) -> Response:
    """The totals worked out again."""
    caller, shop = await visit(request)
    whole_cart = as_cart(request, shop)
    only_totals = body is not None and body.return_totals

    def render(seen: CartView) -> Any:
        if only_totals:
            return figures.totals(seen.quote, say_of(request, seen, shop))
        return whole_cart(seen)

    once = await ticket(request, "calculate", render)
    seen = await shop.carts.calculate(caller, once)
    return respond(request, seen, render(seen))


@router.post("/cart/clear", response_model=CartOut, responses=errors(*WRITING))
@router.delete(
    "/cart/clear", response_model=CartOut, responses=errors(*WRITING), include_in_schema=False
)
async def clear_cart(
    request: Request,
    body: ClearIn | None = None,
) -> Response:
    """Everything out, for good; removed items too unless they are to be kept."""
    caller, shop = await visit(request)
    keep = body is not None and body.keep_removed_items
    render = as_cart(request, shop)
    once = await ticket(request, "clear", render)
    seen = await shop.carts.clear(caller, keep_removed=keep, ticket=once)
    return respond(request, seen, render(seen))


@router.post("/cart/customer", response_model=CartOut, include_in_schema=False)
async def update_customer(request: Request, body: UpdateCartIn) -> Response:
    """`update-customer` as older clients say it."""
    caller, shop = await visit(request)
    render = as_cart(request, shop)
    once = await ticket(request, "update-customer", render)
    billing, shipping = customer_changes(body.model_extra or {})
    seen = await shop.carts.update_customer(caller, billing, shipping, once)
    return respond(request, seen, render(seen))


@router.post("/cart/update", response_model=CartOut, responses=errors(*WRITING, 404, 405))
async def update_cart(
    body: UpdateCartIn,
    request: Request,
) -> Response:
    """Quantities (`update-cart`) or address parts (`update-customer`)."""
    caller, shop = await visit(request)
    given: Mapping[str, Any] = body.model_extra or {}
    render = as_cart(request, shop)
    namespace = body.namespace or _guessed(given)
    once = await ticket(request, namespace, render)
    if namespace == "update-cart":
        wanted = {key: handled_quantity(value) for key, value in quantities(given).items()}
        seen = await shop.items.set_quantities(caller, wanted, once)
    elif namespace == "update-customer":
        billing, shipping = customer_changes(given)
        seen = await shop.carts.update_customer(caller, billing, shipping, once)
    else:
        raise NamespaceUnknown
    return respond(request, seen, render(seen))


def _guessed(given: Mapping[str, Any]) -> str:
    """The namespace of clients that send none (contract cart.md 7)."""
    if "items" in given or "quantity" in given:
        return "update-cart"
    if any(key.startswith(("billing_", "shipping_")) for key in given):
        return "update-customer"
    raise NamespaceRequired
