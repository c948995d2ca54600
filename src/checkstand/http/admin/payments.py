"""Refund, capture, void and look-up of payments, for shop managers who are signed in."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from checkstand.checkout.back_office import OrderPayments, RefundCommand
from checkstand.http.answers import answer
from checkstand.http.cocart.preview.schemas import Amount
from checkstand.http.describe import READING, WRITING, errors
from checkstand.http.requests import JSON_ROUTES, visit
from checkstand.kit.money import Money
from checkstand.payments.model import Attempt, Refund
from checkstand.storage import changes

router = APIRouter(prefix="/wp-json/checkstand/v1/admin", tags=["admin"], **JSON_ROUTES)


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Out(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RefundLineIn(_In):
    item_id: int = Field(ge=1, description="`item_id` of the order's items.")
    quantity: int = Field(ge=1, description="Units that come back.")


class RefundIn(_In):
    """Without `amount`, what the lines cost; without both, all that is left."""

    amount: Amount | None = Field(None, description="Major units.")
    lines: list[RefundLineIn] | None = Field(None, min_length=1, max_length=1000)
    reason: str = Field("", max_length=500)
    restock: bool = Field(False, description="Whether the goods are back on the shelf.")


class CaptureIn(_In):
    amount: Amount | None = Field(None, description="Major units; all that is reserved without.")


class RefundOut(_Out):
    id: str
    state: str = Field(description="`open` (the provider did not answer yet), `done`, `refused`.")
    amount: str
    currency: str
    reason: str
    reference: str
    restock: bool
    lines: list[dict[str, int]]
    attempt_id: str
    created_at: str


class AttemptOnFile(_Out):
    id: str
    gateway: str
    state: str
    amount: str
    currency: str
    reference: str
    funds: str | None
    captured: str
    refunded: str
    looks: int
    created_at: str


class OrderPaymentsOut(_Out):
    order_id: int
    order_status: str
    attempts: list[AttemptOnFile]
    refunds: list[RefundOut]


class LookedOut(_Out):
    attempt_id: str
    order_id: int
    order_status: str
    payment_status: str


@router.get(
    "/orders/{order_id}/payments",
    response_model=OrderPaymentsOut,
    responses=errors(*READING, 404),
)
async def read_order_payments(order_id: int, request: Request) -> Response:
    """Every attempt and refund of an order."""
    caller, shop = await visit(request)
    return answer(request, _payments(await shop.back_office.payments(caller, order_id)))


@router.post(
    "/orders/{order_id}/refunds", response_model=RefundOut, responses=errors(*WRITING, 404)
)
async def refund_order(order_id: int, request: Request, body: RefundIn | None = None) -> Response:
    """Gives money back: all of it, an amount, or what lines cost; never more than was captured."""
    caller, shop = await visit(request)
    body = body or RefundIn()
    command = RefundCommand(
        amount=body.amount,
        lines=tuple((line.item_id, line.quantity) for line in body.lines or ()),
        reason=body.reason,
        restock=body.restock,
    )
    once = request.headers.get("idempotency-key", "")[:255]
    return answer(request, _refund(await shop.back_office.refund(caller, order_id, command, once)))


@router.post(
    "/orders/{order_id}/capture", response_model=OrderPaymentsOut, responses=errors(*WRITING, 404)
)
async def capture_order(order_id: int, request: Request, body: CaptureIn | None = None) -> Response:
    """Takes reserved money, or records that awaited money (a bank transfer) has come."""
    caller, shop = await visit(request)
    amount = body.amount if body else None
    return answer(request, _payments(await shop.back_office.capture(caller, order_id, amount)))


@router.post(
    "/orders/{order_id}/void", response_model=OrderPaymentsOut, responses=errors(*WRITING, 404)
)
async def void_order(order_id: int, request: Request) -> Response:
    """Lets go of reserved or awaited money: the order is cancelled, its goods are back."""
    caller, shop = await visit(request)
    return answer(request, _payments(await shop.back_office.void(caller, order_id)))


@router.post(
    "/attempts/{attempt_id}/look", response_model=LookedOut, responses=errors(*WRITING, 404)
)
async def look_at_attempt(attempt_id: str, request: Request) -> Response:
    """Asks the provider now what became of an attempt, and settles it."""
    caller, shop = await visit(request)
    placement = await shop.back_office.look(caller, attempt_id[:100])
    return answer(
        request,
        {
            "attempt_id": attempt_id,
            "order_id": placement.order.id,
            "order_status": placement.order.status.value,
            "payment_status": placement.status.value,
        },
    )


@router.post("/reload", response_model=dict[str, bool], responses=errors(*WRITING))
async def reload_settings(request: Request) -> Response:
    """Tells every server of this shop to read its settings again."""
    caller, shop = await visit(request)
    caller.must_manage()
    await changes.tell(shop.database, "settings")
    return answer(request, {"announced": True})


def _payments(found: OrderPayments) -> dict[str, Any]:
    return {
        "order_id": found.order.id,
        "order_status": found.order.status.value,
        "attempts": [_attempt(attempt) for attempt in found.attempts],
        "refunds": [_refund(refund) for refund in found.refunds],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    currency = attempt.amount.currency
    return {
        "id": attempt.id,
        "gateway": attempt.gateway,
        "state": attempt.state.value,
        "amount": attempt.amount.decimal(),
        "currency": currency.code,
        "reference": attempt.reference,
        "funds": attempt.funds.value if attempt.funds else None,
        "captured": Money(attempt.captured, currency).decimal(),
        "refunded": Money(attempt.refunded, currency).decimal(),
        "looks": attempt.looks,
        "created_at": attempt.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _refund(refund: Refund) -> dict[str, Any]:
    return {
        "id": refund.id,
        "state": refund.state.value,
        "amount": refund.amount.decimal(),
        "currency": refund.amount.currency.code,
        "reason": refund.reason,
        "reference": refund.reference,
        "restock": refund.restock,
        "lines": [
            {"item_id": line.line_id, "quantity": line.quantity, "amount": line.amount}
            for line in refund.lines
        ],
        "attempt_id": refund.attempt.id,
        "created_at": refund.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
