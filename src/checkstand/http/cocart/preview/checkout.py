"""The preview checkout in both dialects (contract README 10, DECISIONS 5 to 7).

`reference`: POST processes, PUT updates. `tutorial`: POST updates, PUT processes. PATCH always
updates. The dialect is the consumer key's, else the request header's, else the setting's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from checkstand.access.principal import Caller, Dialect
from checkstand.cart.view import CartView
from checkstand.checkout.model import (
    PaymentStatus,
    Placement,
)
from checkstand.errors import ParameterInvalid, WrongVerb
from checkstand.http.admission import admit
from checkstand.http.answers import answer, remembered
from checkstand.http.cocart import asking
from checkstand.http.cocart.headers import cart_headers
from checkstand.http.cocart.preview import present
from checkstand.http.cocart.preview.schemas import (
    ProcessedOut,
    ProcessIn,
    StateOut,
    UpdatedOut,
    UpdateIn,
)
from checkstand.http.describe import READING, WRITING, errors
from checkstand.http.explaining import explained, wanted
from checkstand.http.requests import JSON_ROUTES, ticket, visit
from checkstand.shield.limits import Operation
from checkstand.wiring import Shop

router = APIRouter(prefix="/wp-json/cocart/preview", **JSON_ROUTES)
CHECKOUT = "/checkout"

_PROCESS_NOTE = (
    "Processing may take as long as the payment provider does: use a timeout of 60 s or more. "
    "It is safe to send again: one cart gives one order."
)


@router.get(CHECKOUT, tags=["checkout"], response_model=StateOut, responses=errors(*READING, 404))
async def read_checkout(
    request: Request,
) -> Response:
    """The checkout as it stands."""
    caller, shop = await visit(request, Operation.CHECKOUT_READ)
    seen = await shop.checkout.state(caller)

    def make() -> dict[str, Any]:
        return present.state(seen, _offered(shop, seen), shop.profile)

    if wanted(request, caller):
        return answer(request, explained(make(), seen), cart_headers(seen))
    return remembered(request, seen.answers, "preview checkout", make, cart_headers(seen))


@router.patch(
    CHECKOUT, tags=["checkout"], response_model=UpdatedOut, responses=errors(*WRITING, 404)
)
async def patch_checkout(
    request: Request,
    body: UpdateIn | None = None,
) -> Response:
    """Updates the checkout, in both dialects."""
    caller, shop = await visit(request, None)
    spoken = _dialect(caller, shop, request)
    return await _update(request, caller, shop, body or UpdateIn(), spoken)


@router.post(
    CHECKOUT,
    tags=["checkout"],
    response_model=ProcessedOut | UpdatedOut,
    responses=errors(*WRITING, 404),
    description=f"`reference`: orders the cart. `tutorial`: updates the checkout. {_PROCESS_NOTE}",
)
async def post_checkout(
    request: Request,
    body: ProcessIn | None = None,
) -> Response:
    caller, shop = await visit(request, None)
    spoken = _dialect(caller, shop, request)
    verb = _process if spoken is Dialect.REFERENCE else _update
    return await verb(request, caller, shop, body or ProcessIn(), spoken)


@router.put(
    CHECKOUT,
    tags=["checkout"],
    response_model=UpdatedOut | ProcessedOut,
    responses=errors(*WRITING, 404),
    description=f"`reference`: updates the checkout. `tutorial`: orders the cart. {_PROCESS_NOTE}",
)
async def put_checkout(
    request: Request,
    body: ProcessIn | None = None,
) -> Response:
    caller, shop = await visit(request, None)
    spoken = _dialect(caller, shop, request)
    verb = _process if spoken is Dialect.TUTORIAL else _update
    return await verb(request, caller, shop, body or ProcessIn(), spoken)


def _dialect(caller: Caller, shop: Shop, request: Request) -> Dialect:
    if caller.key is not None and caller.key.dialect is not None:
        return caller.key.dialect
    header = request.headers.get("checkstand-dialect")
    if not header:
        return Dialect(shop.profile.dialect)
    try:
        return Dialect(header.strip().lower())
    except ValueError:
        raise ParameterInvalid(
            "Checkstand-Dialect is `reference` or `tutorial`.",
            data={"params": {"Checkstand-Dialect": "is `reference` or `tutorial`"}},
        ) from None


async def _update(
    request: Request, caller: Caller, shop: Shop, body: UpdateIn, dialect: Dialect
) -> Response:
    await admit(request, shop, caller, Operation.CHECKOUT_UPDATE)
    _refuse_payment(body, dialect)

    def render(seen: CartView) -> dict[str, Any]:
        return {
            **present.state(seen, _offered(shop, seen), shop.profile),
            "success": True,
            "message": "Checkout data updated.",
        }

    once = await ticket(request, "update checkout", render)
    seen = await shop.checkout.update(caller, asking.update(body), once)
    return answer(request, render(seen), cart_headers(seen))


async def _process(
    request: Request, caller: Caller, shop: Shop, body: UpdateIn, dialect: Dialect
) -> Response:
    assert isinstance(body, ProcessIn)
    await admit(request, shop, caller, Operation.CHECKOUT_PROCESS)

    def render(placement: Placement) -> dict[str, Any]:
        return present.processed(placement, shop.profile)

    once = await ticket(request, "process checkout", render)
    command = replace(asking.order(body), expected_total=body.expected_total)
    placement = await shop.checkout.process(caller, command, once, asking.new_account(body))
    if placement.status is PaymentStatus.FAILED:
        raise asking.declined(placement)
    return answer(request, render(placement))


def _offered(shop: Shop, seen: CartView) -> Any:
    return shop.payments.offered(seen.quote.chosen_rates)


def _refuse_payment(body: UpdateIn, dialect: Dialect) -> None:
    """An update with payment data was meant to process (DECISIONS 6)."""
    found = asking.of_processing(body)
    if found:
        verb = "POST" if dialect is Dialect.REFERENCE else "PUT"
        raise WrongVerb(
            f"This request updates the checkout and must not carry {', '.join(found)}. Send it "
            f"with {verb} to order (dialect `{dialect}`; set by the consumer key, the "
            "Checkstand-Dialect header or the setting checkout.dialect).",
            data={"fields": found, "process_verb": verb, "dialect": dialect.value},
        )
