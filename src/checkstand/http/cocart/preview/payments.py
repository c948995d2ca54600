"""Payment methods, contexts and attempts, and orders that are seen or paid with their key (contract
checkout.md 4 to 7)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from checkstand.access.principal import Role
from checkstand.checkout.model import PaymentStatus, Placement
from checkstand.checkout.pay import PayCommand
from checkstand.errors import ParameterMissing
from checkstand.http.admission import admit
from checkstand.http.answers import answer
from checkstand.http.cocart import asking
from checkstand.http.cocart.preview import present
from checkstand.http.cocart.preview.payment_schemas import (
    AttemptOut,
    ContextIn,
    ContextOut,
    PaidOut,
    PayIn,
    ReceivedOut,
)
from checkstand.http.cocart.preview.schemas import PaymentMethodOut, PaymentMethodsWithDebug
from checkstand.http.describe import READING, WRITING, errors
from checkstand.http.inputs import TRUTHS
from checkstand.http.requests import JSON_ROUTES, ticket, visit
from checkstand.shield.limits import Operation

router = APIRouter(prefix="/wp-json/cocart/preview", **JSON_ROUTES)
OrderKey = Annotated[str, Query(max_length=100, description="The order's key.")]


@router.get(
    "/checkout/payment-methods",
    tags=["checkout"],
    response_model=dict[str, PaymentMethodOut] | PaymentMethodsWithDebug,
    responses=errors(*READING, 404),
)
async def read_payment_methods(
    request: Request,
    debug: Annotated[
        str,
        Query(
            max_length=10,
            description="`true` adds what storefronts must use; for administrators who are signed "
            "in by Basic or Bearer.",
        ),
    ] = "",
) -> Response:
    """The methods that this cart can be paid with, by id."""
    caller, shop = await visit(request, None)
    administrator = caller.account is not None and caller.account.role is Role.ADMINISTRATOR
    with_debug = administrator and TRUTHS.get(debug.lower(), False)
    operation = Operation.PAYMENT_METHODS_DEBUG if with_debug else Operation.PAYMENT_METHODS
    await admit(request, shop, caller, operation)
    offered, saved = await shop.checkout.payment_methods(caller)
    listed = present.methods(offered, saved)
    if with_debug:
        return answer(request, present.with_debug(listed, offered, shop.profile))
    return answer(request, listed)


@router.post(
    "/checkout/payment-context",
    tags=["checkout"],
    response_model=ContextOut,
    responses=errors(*WRITING, 404),
)
async def create_payment_context(body: ContextIn, request: Request) -> Response:
    """What a storefront needs to collect a payment: for this cart, amount and currency."""
    caller, shop = await visit(request)
    ready = await shop.checkout.payment_context(caller, body.payment_method)
    return answer(request, present.context(ready))


@router.get(
    "/checkout/attempts/{attempt_id}",
    tags=["checkout"],
    response_model=AttemptOut,
    responses=errors(*READING, 404),
)
async def read_attempt(attempt_id: str, request: Request, order_key: OrderKey = "") -> Response:
    """How a payment stands, for a client that lost the answer or was told `pending`. With the
    cart's key, or with the order's."""
    caller, shop = await visit(request)
    standing = await shop.checkout.attempt(caller, attempt_id[:100], order_key)
    return answer(request, present.attempt(standing, shop.profile))


@router.get(
    "/order-received/{order_id}",
    tags=["orders"],
    response_model=ReceivedOut,
    responses=errors(*READING, 404),
)
async def read_order_received(order_id: int, request: Request, order_key: OrderKey) -> Response:
    """The confirmation of an order, for who has its key."""
    caller, shop = await visit(request)
    if not order_key:
        raise ParameterMissing("Missing parameter(s): order_key.", data={"params": ["order_key"]})
    order = await shop.orders.received(caller, order_id, order_key)
    return answer(request, present.received(order, shop.payments.offered(), shop.profile))


@router.post(
    "/order-received/{order_id}/pay",
    tags=["orders"],
    response_model=PaidOut,
    responses=errors(*WRITING, 404),
)
async def pay_for_order(
    order_id: int, body: PayIn, request: Request, order_key: OrderKey = ""
) -> Response:
    """Pays for an order that is pending or failed. The order's key is the credential; it may come
    in the body or in the query."""
    caller, shop = await visit(request, Operation.CHECKOUT_PROCESS)
    key = body.order_key or order_key
    if not key:
        raise ParameterMissing("Missing parameter(s): order_key.", data={"params": ["order_key"]})

    def render(placement: Placement) -> dict[str, Any]:
        return present.paid(placement, shop.profile)

    once = await ticket(request, "pay order", render)
    command = PayCommand(order_id, key, body.payment_method, asking.payment(body))
    placement = await shop.checkout.pay(caller, command, once)
    if placement.status is PaymentStatus.FAILED:
        raise asking.declined(placement)
    return answer(request, render(placement))
