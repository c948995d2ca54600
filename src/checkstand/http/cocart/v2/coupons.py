"""The routes of the v2 cart's coupons (contract cart.md 9, v2-cart.md 10)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from checkstand.http.cocart.v2 import figures
from checkstand.http.cocart.v2.extras_schemas import ApplyCouponIn, CouponWithTotals
from checkstand.http.cocart.v2.replies import as_cart, respond
from checkstand.http.cocart.v2.schemas import CartOut
from checkstand.http.describe import READING, WRITING, errors
from checkstand.http.requests import JSON_ROUTES, ticket, visit

router = APIRouter(prefix="/wp-json/cocart/v2", tags=["cart v2"], **JSON_ROUTES)
Code = Annotated[str, Path(max_length=200, description="The coupon's code, in any case.")]


@router.post("/cart/apply-coupon", response_model=CartOut, responses=errors(*WRITING, 404))
async def apply_coupon(request: Request, body: ApplyCouponIn | None = None) -> Response:
    """A coupon onto the cart; one that is there already is said, and no error."""
    caller, shop = await visit(request)
    given = body or ApplyCouponIn()
    render = as_cart(request, shop)
    once = await ticket(request, "apply coupon", render)
    code = given.code or given.coupon or ""
    seen = await shop.coupons.apply(caller, code, given.email or "", once)
    return respond(request, seen, render(seen))


@router.get("/cart/coupons", response_model=list[CouponWithTotals], responses=errors(*READING, 404))
async def list_coupons(request: Request) -> Response:
    """The coupons that are applied, with what each takes off; 404 when there are none."""
    caller, shop = await visit(request)
    seen = await shop.coupons.listed(caller)
    return respond(request, seen, figures.coupons_with_totals(seen, shop.profile.language))


@router.get("/cart/coupons/validate", response_model=CartOut, responses=errors(*READING, 404))
async def validate_coupons(
    request: Request,
    email: Annotated[
        str, Query(max_length=320, description="Judge restrictions by this e-mail.")
    ] = "",
) -> Response:
    """The cart with the coupons that hold, and notices about those that do not. Nothing is stored:
    the next write takes them off, and so does the attempt to order with them."""
    caller, shop = await visit(request)
    render = as_cart(request, shop)
    seen = await shop.coupons.check(caller, email)
    return respond(request, seen, render(seen))


@router.delete("/cart/coupons", response_model=CartOut, responses=errors(*WRITING, 404))
async def remove_coupons(request: Request) -> Response:
    """Every coupon off the cart."""
    caller, shop = await visit(request)
    render = as_cart(request, shop)
    once = await ticket(request, "remove coupons", render)
    seen = await shop.coupons.remove_all(caller, once)
    return respond(request, seen, render(seen))


@router.delete("/cart/coupons/{code:path}", response_model=CartOut, responses=errors(*WRITING, 404))
@router.delete(
    "/cart/coupon/{code:path}",
    response_model=CartOut,
    responses=errors(*WRITING, 404),
    include_in_schema=False,
)
async def remove_coupon(code: Code, request: Request) -> Response:
    """One coupon off the cart. Older clients say `coupon`."""
    caller, shop = await visit(request)
    render = as_cart(request, shop)
    once = await ticket(request, f"remove coupon {code.lower()}", render)
    seen = await shop.coupons.remove(caller, code, once)
    return respond(request, seen, render(seen))
