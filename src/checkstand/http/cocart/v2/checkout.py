"""The v2 checkout (contract v2-checkout.md 1 to 4): GET reads, PUT and PATCH update, POST orders.
There are no dialects here. A decline is an answer, not an error (DECISIONS 12)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from checkstand.cart.view import CartView
from checkstand.checkout.model import Placement, ProcessCommand, UpdateCommand
from checkstand.checkout.update import for_process
from checkstand.errors import WrongVerb
from checkstand.http.answers import answer, remembered
from checkstand.http.cocart import asking
from checkstand.http.cocart.headers import cart_headers
from checkstand.http.cocart.v2 import checkout_present as present
from checkstand.http.cocart.v2.checkout_schemas import (
    CheckoutMethodOut,
    CheckoutProcessedOut,
    CheckoutProcessIn,
    CheckoutStateOut,
    CheckoutUpdatedOut,
    CheckoutUpdateIn,
)
from checkstand.http.cocart.v2.refusals import V2CheckoutRoute
from checkstand.http.describe import READING, WRITING, errors
from checkstand.http.explaining import explained, wanted
from checkstand.http.requests import JSON_ROUTES, ticket, visit
from checkstand.shield.limits import Operation

router = APIRouter(
    prefix="/wp-json/cocart/v2",
    tags=["checkout v2"],
    **{**JSON_ROUTES, "route_class": V2CheckoutRoute},
)
CHECKOUT = "/checkout"


@router.get(CHECKOUT, response_model=CheckoutStateOut, responses=errors(*READING, 404))
async def read_checkout_v2(request: Request) -> Response:
    """The checkout as it stands; of an empty cart too."""
    caller, shop = await visit(request, Operation.CHECKOUT_READ)
    seen = await shop.checkout.state(caller, may_be_empty=True)

    def make() -> dict[str, Any]:
        return present.state(seen, shop.profile)

    if wanted(request, caller):
        return answer(request, explained(make(), seen), cart_headers(seen))
    return remembered(request, seen.answers, "v2 checkout", make, cart_headers(seen))


@router.put(CHECKOUT, response_model=CheckoutUpdatedOut, responses=errors(*WRITING, 404))
@router.patch(CHECKOUT, response_model=CheckoutUpdatedOut, responses=errors(*WRITING, 404))
async def update_checkout_v2(request: Request, body: CheckoutUpdateIn | None = None) -> Response:
    """Updates the checkout: all of the body, or nothing."""
    caller, shop = await visit(request, Operation.CHECKOUT_UPDATE)
    body = body or CheckoutUpdateIn()
    _refuse_payment(body)

    def render(seen: CartView) -> dict[str, Any]:
        return {**present.state(seen, shop.profile, present.UPDATED), "success": True}

    once = await ticket(request, "update checkout", render)
    seen = await shop.checkout.update(caller, _update(body), once)
    return answer(request, render(seen), cart_headers(seen))


@router.post(
    CHECKOUT,
    response_model=CheckoutProcessedOut,
    responses=errors(*WRITING, 404),
    description="Orders the cart. It may take as long as the payment provider does: use a timeout "
    "of 60 s or more. It is safe to send again: one cart gives one order.",
)
async def process_checkout_v2(request: Request, body: CheckoutProcessIn | None = None) -> Response:
    caller, shop = await visit(request, Operation.CHECKOUT_PROCESS)
    body = body or CheckoutProcessIn()

    def render(placement: Placement) -> dict[str, Any]:
        return present.processed(placement, shop.profile)

    once = await ticket(request, "process checkout", render)
    command = replace(asking.order(body), expected_minor=body.expected_total)
    placement = await shop.checkout.process(caller, command, once, asking.new_account(body))
    return answer(request, render(placement))


@router.get(
    f"{CHECKOUT}/payment-methods",
    response_model=dict[str, CheckoutMethodOut],
    responses=errors(*READING, 404),
)
async def read_payment_methods_v2(request: Request) -> Response:
    """The methods that this cart can be paid with, by id."""
    caller, shop = await visit(request, Operation.PAYMENT_METHODS)
    offered, saved = await shop.checkout.payment_methods(caller)
    return answer(request, present.methods(offered, saved))


def _update(body: CheckoutUpdateIn) -> UpdateCommand:
    update = asking.update(body)
    if body.use_different_billing:
        return update
    return for_process(ProcessCommand(update=update, use_different_billing=False))


def _refuse_payment(body: CheckoutUpdateIn) -> None:
    """An update with payment data was meant to order; saying nothing would lose the order."""
    found = asking.of_processing(body)
    if found:
        raise WrongVerb(
            f"This request updates the checkout and must not carry {', '.join(found)}. Send it "
            "with POST to order.",
            data={"fields": found, "process_verb": "POST"},
        )
