"""The mini cart, fees, and choosing how goods are shipped (contract cart.md 8 and 9, v2-cart.md 10
to 12)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from checkstand.cart.fees import AddFee
from checkstand.cart.view import CartView
from checkstand.http.cocart.v2 import present
from checkstand.http.cocart.v2.extras_schemas import (
    AddFeeIn,
    DestinationIn,
    MiniCartOut,
    ShippingMethodIn,
)
from checkstand.http.cocart.v2.replies import (
    as_cart,
    fields_wanted,
    formatted_wanted,
    respond,
    thumb_wanted,
)
from checkstand.http.cocart.v2.schemas import CartOut
from checkstand.http.describe import READING, WRITING, errors
from checkstand.http.requests import JSON_ROUTES, ticket, visit

router = APIRouter(prefix="/wp-json/cocart/v2", tags=["cart v2"], **JSON_ROUTES)


@router.get("/cart/mini", response_model=MiniCartOut, responses=errors(*READING))
async def read_mini_cart(request: Request) -> Response:
    """The least that a cart icon needs."""
    caller, shop = await visit(request)
    thumb, formatted = thumb_wanted(request), formatted_wanted(request)
    seen = await shop.carts.read(caller)
    language, fields = shop.profile.language, fields_wanted(request)
    body = present.mini(seen, language, thumb=thumb, fields=fields, formatted=formatted)
    return respond(request, seen, body)


@router.post("/cart/add-fee", response_model=CartOut, responses=errors(*WRITING, 403, 404))
async def add_fee(request: Request, body: AddFeeIn | None = None) -> Response:
    """A fee onto the cart, from callers that may set prices; never from a shopper."""
    caller, shop = await visit(request)
    given = body or AddFeeIn()
    render = as_cart(request, shop)
    once = await ticket(request, "add fee", render)
    amount = "" if given.amount is None else str(given.amount)
    fee = AddFee(given.name, amount, given.taxable, given.tax_class)
    seen = await shop.fees.add(caller, fee, once)
    return respond(request, seen, render(seen))


@router.post("/cart/remove-fees", response_model=CartOut, responses=errors(*WRITING, 403))
async def remove_fees(request: Request) -> Response:
    """Every fee off the cart, for callers that may set prices."""
    caller, shop = await visit(request)
    render = as_cart(request, shop)
    once = await ticket(request, "remove fees", render)
    seen = await shop.fees.remove_all(caller, once)
    return respond(request, seen, render(seen))


@router.post("/cart/set-shipping-method", response_model=CartOut, responses=errors(*WRITING, 404))
async def set_shipping_method(request: Request, body: ShippingMethodIn | None = None) -> Response:
    """The shipping rate that is wanted, for one package or for all."""
    caller, shop = await visit(request)
    given = body or ShippingMethodIn()
    render = as_cart(request, shop)
    once = await ticket(request, "set shipping method", render)
    rate = given.rate_id or given.method_key or given.key or ""
    package = "" if given.package_id is None else given.package_id
    seen = await shop.delivery.choose(caller, rate, package, once)
    return respond(request, seen, render(seen))


@router.post("/cart/calculate/shipping", response_model=CartOut, responses=errors(*WRITING, 404))
async def calculate_shipping(request: Request, body: DestinationIn | None = None) -> Response:
    """What shipping to a place costs: the cart with its rates."""
    caller, shop = await visit(request)
    render: Any = as_cart(request, shop)
    once = await ticket(request, "calculate shipping", render)
    given = (body or DestinationIn()).model_dump(exclude_unset=True)
    seen: CartView = await shop.delivery.estimate(caller, given, once)
    return respond(request, seen, render(seen))
