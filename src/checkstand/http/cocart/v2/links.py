"""Load-cart links: making one, and opening one (contract cart.md 11.5)."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from checkstand.http.answers import answer
from checkstand.http.cocart.v2.links_schemas import LinkOut, LoadLinkIn, MakeLinkIn
from checkstand.http.cocart.v2.replies import as_cart, respond
from checkstand.http.cocart.v2.schemas import CartOut
from checkstand.http.describe import SIGNING, WRITING, errors
from checkstand.http.requests import JSON_ROUTES, ticket, visit
from checkstand.shield.limits import Operation

router = APIRouter(prefix="/wp-json/cocart/v2", tags=["cart v2"], **JSON_ROUTES)
PARAMETER = "cocart-load-cart"
_LONGEST_LIFE = 10**9


@router.post("/cart/link", response_model=LinkOut, responses=errors(*SIGNING, 404))
async def make_cart_link(request: Request, body: MakeLinkIn | None = None) -> Response:
    """A link to what lies in the caller's cart: signed, for a while, and once. It takes no
    Idempotency-Key, for a stored answer would hold a secret: sent again, it makes another link."""
    caller, shop = await visit(request, Operation.CART_LINK)
    given = body or MakeLinkIn()
    life = None
    if given.expires_in is not None:
        life = timedelta(seconds=max(0, min(given.expires_in, _LONGEST_LIFE)))
    made = await shop.links.make(caller, given.target, life)
    query = {PARAMETER: made.token} | said(keep=given.keep_cart, notify=given.notify)
    return answer(
        request,
        {
            "url": f"{shop.profile.base_url}/?{urlencode(query)}",
            "token": made.token,
            "target": made.target,
            "expires_at": f"{made.expires_at:%Y-%m-%dT%H:%M:%SZ}",
        },
    )


@router.post("/cart/load", response_model=CartOut, responses=errors(*WRITING, 404, 410))
async def load_cart(request: Request, body: LoadLinkIn) -> Response:
    """Opens a load-cart link: what it brings comes into the caller's cart, or into a new one."""
    caller, shop = await visit(request, Operation.CART_LINK)
    render = as_cart(request, shop)
    once = await ticket(request, "load cart", render)
    seen = await shop.links.load(
        caller, body.token, keep=body.keep_cart, notify=body.notify, ticket=once
    )
    return respond(request, seen, render(seen))


def said(*, keep: bool, notify: bool) -> dict[str, str]:
    """What a link says besides its token, where that is not the usual."""
    wishes = {} if keep else {"keep-cart": "false"}
    return {**wishes, "notify": "true"} if notify else wishes
