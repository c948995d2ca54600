"""Where payment providers send their webhooks."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from checkstand.http.answers import answer
from checkstand.http.describe import errors, operation_id
from checkstand.http.requests import shop_of
from checkstand.payments.gateway import WEBHOOK_PATH

router = APIRouter(prefix=WEBHOOK_PATH, tags=["webhooks"], generate_unique_id_function=operation_id)


@router.post(
    "/{gateway_id}",
    responses=errors(400, 404, 413, 500, 503),
    response_model=dict[str, bool],
    openapi_extra={
        "requestBody": {
            "description": "As the provider signs it, byte for byte.",
            "content": {"application/json": {"schema": {}}},
        }
    },
)
async def receive_webhook(gateway_id: str, request: Request) -> Response:
    """Verified on the raw bytes, stored once, answered at once; what it is about is looked up at
    the provider."""
    shop = shop_of(request)
    headers = {name.lower(): value for name, value in request.headers.items()}
    await shop.webhooks.receive(gateway_id[:100], await request.body(), headers)
    return answer(request, {"received": True})
