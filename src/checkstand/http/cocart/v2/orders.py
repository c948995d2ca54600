"""Orders that are seen or paid with their key (contract v2-checkout.md 6 and 7)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from checkstand.checkout.model import PaymentStatus, Placement
from checkstand.checkout.pay import PayCommand
from checkstand.errors import ParameterMissing
from checkstand.http.answers import answer
from checkstand.http.cocart import asking
from checkstand.http.cocart.preview.payment_schemas import PayIn
from checkstand.http.cocart.v2 import checkout_present as present
from checkstand.http.cocart.v2.checkout_schemas import (
    OrderPaidOut,
    OrderReceivedOut,
)
from checkstand.http.cocart.v2.refusals import V2CheckoutRoute
from checkstand.http.describe import READING, WRITING, errors
from checkstand.http.requests import JSON_ROUTES, ticket, visit
from checkstand.shield.limits import Operation

router = APIRouter(
    prefix="/wp-json/cocart/v2",
    tags=["orders v2"],
    **{**JSON_ROUTES, "route_class": V2CheckoutRoute},
)
OrderKey = Annotated[str, Query(max_length=100, description="The order's key.")]


@router.get(
    "/order-received/{order_id}", response_model=OrderReceivedOut, responses=errors(*READING, 404)
)
async def read_order_received_v2(
    order_id: int, request: Request, order_key: OrderKey = ""
) -> Response:
    """The confirmation of an order, for who has its key."""
    caller, shop = await visit(request)
    order = await shop.orders.received(caller, order_id, _given(order_key))
    return answer(request, present.received(order, shop.payments.offered(), shop.profile))


@router.post(
    "/order-received/{order_id}/pay", response_model=OrderPaidOut, responses=errors(*WRITING, 404)
)
async def pay_for_order_v2(
    order_id: int, body: PayIn, request: Request, order_key: OrderKey = ""
) -> Response:
    """Pays for an order that is pending or failed. The order's key is the credential; it may come
    in the query or in the body. A decline is an error here."""
    caller, shop = await visit(request, Operation.CHECKOUT_PROCESS)
    key = _given(order_key or body.order_key)

    def render(placement: Placement) -> dict[str, Any]:
        return present.paid(placement, shop.profile)

    once = await ticket(request, "pay order", render)
    command = PayCommand(order_id, key, body.payment_method, asking.payment(body))
    placement = await shop.checkout.pay(caller, command, once)
    if placement.status is PaymentStatus.FAILED:
        raise asking.declined(placement)
    return answer(request, render(placement))


def _given(order_key: str) -> str:
    if not order_key:
        raise ParameterMissing("Missing parameter(s): order_key.", data={"params": ["order_key"]})
    return order_key
