"""Carts of all shoppers, for store managers (contract v2-products-store-sessions 11)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from checkstand.cart.model import CartLine
from checkstand.cart.view import CartView
from checkstand.http.answers import PRIVATE, answer
from checkstand.http.cocart.v2 import present
from checkstand.http.cocart.v2.replies import thumb_wanted
from checkstand.http.describe import READING, WRITING, errors
from checkstand.http.requests import JSON_ROUTES, visit
from checkstand.kit.money import Money

router = APIRouter(prefix="/wp-json/cocart/v2", tags=["sessions"], **JSON_ROUTES)

SessionKey = Annotated[
    str, Path(max_length=200, description="A cart key, or the number of a customer.")
]
_LEFT_OUT = ("regular_price", "on_sale", "extensions")


class SessionLine(BaseModel):
    model_config = ConfigDict(extra="forbid")
    key: str
    product_id: int
    variation_id: int
    quantity: int
    variation: dict[str, str] | list[Any]
    cart_item_data: dict[str, Any] | list[Any]
    line_subtotal: float = Field(description="Major units.")
    line_subtotal_tax: float
    line_total: float
    line_tax: float


class SessionOut(BaseModel):
    model_config = ConfigDict(extra="forbid")
    session_key: str
    cart: dict[str, SessionLine] | list[Any]
    customer: dict[str, str]
    session_expiry: str = Field(description="UTC, without an offset.")


class DeletedOut(BaseModel):
    model_config = ConfigDict(extra="forbid")
    deleted: bool


@router.get("/sessions", response_model=list[SessionOut], responses=errors(*READING))
async def list_sessions(
    request: Request,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    per_page: Annotated[int, Query(ge=1, le=100)] = 10,
) -> Response:
    """Living carts, the one that was made last first."""
    caller, shop = await visit(request)
    found, total = await shop.cart_sessions.page(caller, page, per_page)
    pages = -(-total // per_page)
    headers = {**PRIVATE, "X-WP-Total": str(total), "X-WP-TotalPages": str(pages)}
    links = [("prev", page - 1)] if 1 < page <= pages + 1 else []
    links += [("next", page + 1)] if page < pages else []
    if links:
        here = f"{shop.profile.base_url}/wp-json/cocart/v2/sessions?per_page={per_page}&page="
        headers["Link"] = ", ".join(f'<{here}{number}>; rel="{rel}"' for rel, number in links)
    return answer(request, [_session(seen) for seen in found], headers)


@router.get("/sessions/{session_key}", response_model=SessionOut, responses=errors(*READING, 404))
@router.get("/session/{session_key}", response_model=SessionOut, responses=errors(*READING, 404))
async def read_session(session_key: SessionKey, request: Request) -> Response:
    """One cart."""
    caller, shop = await visit(request)
    return answer(request, _session(await shop.cart_sessions.one(caller, session_key)))


@router.delete(
    "/sessions/{session_key}", response_model=DeletedOut, responses=errors(*WRITING, 404)
)
@router.delete("/session/{session_key}", response_model=DeletedOut, responses=errors(*WRITING, 404))
async def delete_session(session_key: SessionKey, request: Request) -> Response:
    """Deletes one cart."""
    caller, shop = await visit(request)
    await shop.cart_sessions.delete(caller, session_key)
    return answer(request, {"deleted": True})


@router.get(
    "/sessions/{session_key}/items",
    response_model=list[dict[str, Any]],
    responses=errors(*READING, 404),
)
@router.get(
    "/session/{session_key}/items",
    response_model=list[dict[str, Any]],
    responses=errors(*READING, 404),
)
async def read_session_items(session_key: SessionKey, request: Request) -> Response:
    """The items of one cart, as the cart shows them, less prices that are none of a session's."""
    caller, shop = await visit(request)
    thumb = thumb_wanted(request)
    seen = await shop.cart_sessions.one(caller, session_key)
    items = [present.item(seen, line, thumb=thumb) for line in seen.cart.lines]
    body = [{k: v for k, v in each.items() if k not in _LEFT_OUT} for each in items]
    return answer(request, body)


def _session(seen: CartView) -> dict[str, Any]:
    cart = seen.cart
    billing = {f"billing_{k}": v for k, v in cart.billing.as_billing().items()}
    shipping = {f"shipping_{k}": v for k, v in cart.ships_to.as_shipping().items()}
    return {
        "session_key": cart.key,
        "cart": {line.key: _line(seen, line) for line in cart.lines} or [],
        "customer": {**billing, **shipping},
        "session_expiry": f"{cart.expires_at:%Y-%m-%dT%H:%M:%S}",
    }


def _line(seen: CartView, line: CartLine) -> dict[str, Any]:
    quoted = seen.quote.line(line.key)
    return {
        "key": line.key,
        "product_id": line.product_id,
        "variation_id": line.variation_id,
        "quantity": line.quantity,
        "variation": dict(line.variation) or [],
        "cart_item_data": dict(line.item_data) or [],
        "line_subtotal": _number(quoted.subtotal),
        "line_subtotal_tax": _number(quoted.subtotal_tax),
        "line_total": _number(quoted.total),
        "line_tax": _number(quoted.tax),
    }


def _number(amount: Money) -> float:
    """Major units as a JSON number, which is what the contract has here and nowhere else."""
    return float(amount.decimal())
