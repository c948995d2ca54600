"""Pages that people see: the confirmation of an order, where `redirect_url` leads, the form for a
new password, where the link of a lost one leads, and the way from a load-cart link on."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Query
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from checkstand.access.principal import Caller
from checkstand.customers import addresses
from checkstand.errors import NoSuchRoute, Refusal
from checkstand.http.admission import admit, knock, stranger
from checkstand.http.cocart.telling import total_rows
from checkstand.http.cocart.v2 import links
from checkstand.http.display import currency_format, display_date
from checkstand.http.requests import shop_of
from checkstand.shield.limits import Operation

router = APIRouter(include_in_schema=False)
TEMPLATES = Environment(
    loader=PackageLoader("checkstand.ui"), autoescape=True, undefined=StrictUndefined
)
# The address of the page holds the order's key: it must not leave by referrer, frame or cache.
HEADERS = {
    "Cache-Control": "no-store, private",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "img-src https: http:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}


@router.get("/checkout/order-received/{order_id}/")
async def order_received(
    order_id: int,
    request: Request,
    key: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """The confirmation of an order, for who has its key."""
    shop = shop_of(request)
    profile = shop.profile
    try:
        await admit(request, shop, Caller(), Operation.OTHER)
        order = await shop.orders.received(Caller(), order_id, key)
    except Refusal as refusal:
        return _page("refused.html", refusal.status, profile=profile, text=refusal.message)
    show = currency_format(order.currency, profile.language).show
    return _page(
        "order_received.html",
        200,
        profile=profile,
        order=order,
        show=show,
        totals=total_rows(order, profile),
        date=display_date(order.created_at, profile.timezone, profile.language),
        billing=addresses.formatted_destination(order.billing),
        shipping=addresses.formatted_destination(order.shipping),
    )


@router.get("/")
async def follow_cart_link(request: Request) -> Response:
    """Leads from a load-cart link to the storefront that opens it. Nothing is used up: mail
    programs follow links. What opens the cart goes on in the fragment, which browsers tell nobody.
    """
    query, shop = request.query_params, shop_of(request)
    token = query.get(links.PARAMETER)
    if token is None:
        raise NoSuchRoute
    try:
        await admit(request, shop, Caller(), Operation.CART_LINK)
        target = await shop.links.target(token)
    except Refusal as refusal:
        profile = shop.profile
        return _page("link_refused.html", refusal.status, profile=profile, text=refusal.message)
    keep = query.get("keep-cart", "").lower() not in ("false", "0", "no")
    notify = query.get("notify", "").lower() in ("true", "1", "yes")
    carried = {links.PARAMETER: token} | links.said(keep=keep, notify=notify)
    return Response(None, 303, {**HEADERS, "Location": f"{target}#{urlencode(carried)}"})


@router.get("/my-account/reset-password/")
async def new_password(
    request: Request, key: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """The form for a new password. Opening it uses nothing up: mail programs look at links."""
    return _password_form(request, 200, key=key)


@router.post("/my-account/reset-password/")
async def set_new_password(request: Request) -> Response:
    """What the form sends."""
    try:
        sent = parse_qs((await request.body()).decode(), max_num_fields=10)
    except ValueError:
        sent = {}
    key, first, again = (sent.get(name, [""])[0] for name in ("key", "password", "again"))
    if len(key) > 200 or "\0" in key:
        key = ""
    if first != again:
        return _password_form(request, 400, key=key, said="The two passwords are not the same.")
    try:
        stranger(request)
        await knock(request, shop_of(request), "reset password")
        await shop_of(request).registration.reset_password(key, first)
    except Refusal as refusal:
        return _password_form(request, refusal.status, key=key, said=refusal.message)
    return _password_form(request, 200, done=True)


def _password_form(
    request: Request, status: int, *, key: str = "", said: str = "", done: bool = False
) -> Response:
    profile = shop_of(request).profile
    return _page("new_password.html", status, profile=profile, key=key, said=said, done=done)


def _page(template: str, status: int, **values: object) -> Response:
    html = TEMPLATES.get_template(template).render(**values)
    return Response(html, status, HEADERS, "text/html; charset=utf-8")
