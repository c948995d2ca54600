"""What customers have saved to pay with, to look at and to forget. CoCart has no routes for it:
these are of our own."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from checkstand.http.answers import answer
from checkstand.http.cocart import telling
from checkstand.http.cocart.accounts.schemas import ForgottenOut
from checkstand.http.cocart.preview.schemas import SavedTokenOut
from checkstand.http.describe import READING, SIGNING, errors
from checkstand.http.requests import JSON_ROUTES, visit

router = APIRouter(
    prefix="/wp-json/checkstand/v1/my-account/payment-methods", tags=["my account"], **JSON_ROUTES
)


@router.get("", response_model=list[SavedTokenOut], responses=errors(*READING))
async def list_saved_methods(request: Request) -> Response:
    """What who is signed in can pay with again, the default first; never a provider's token."""
    caller, shop = await visit(request)
    body: list[dict[str, Any]] = [
        telling.saved_token(token, str) for token in await shop.saved_methods.all(caller)
    ]
    return answer(request, body)


@router.delete("/{token_id}", response_model=ForgottenOut, responses=errors(*SIGNING, 404))
async def forget_saved_method(token_id: int, request: Request) -> Response:
    """Forgets one: nobody pays with it here any more. The provider is not told."""
    caller, shop = await visit(request)
    await shop.saved_methods.forget(caller, token_id)
    return answer(request, {"deleted": True})
