"""The preview checkout in both dialects (contract README 10, DECISIONS 5 to 7).

`reference`: POST processes, PUT updates. `tutorial`: POST updates, PUT processes. PATCH always
updates. The dialect is the consumer key's, else the request header's, else the setting's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from checkstand.access.principal import Caller, Dialect
from checkstand.accounts.enrolling import NewAccount
from checkstand.cart.packages import Choices
from checkstand.cart.view import CartView
from checkstand.checkout.model import (
    PaymentStatus,
    Placement,
    ProcessCommand,
    UpdateCommand,
)
from checkstand.customers.addresses import Address
from checkstand.errors import ParameterInvalid, WrongVerb
from checkstand.http.admission import admit
from checkstand.http.answers import answer, remembered
from checkstand.http.cocart.headers import cart_headers
from checkstand.http.cocart.preview import present
from checkstand.http.cocart.preview.payments import declined, payment_data
from checkstand.http.cocart.preview.schemas import (
    AddressIn,
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
    payment_data(body.payment_method_data, body.payment_data)  # a card number is refused first
    _refuse_payment(body, dialect)

    def render(seen: CartView) -> dict[str, Any]:
        return {
            **present.state(seen, _offered(shop, seen), shop.profile),
            "success": True,
            "message": "Checkout data updated.",
        }

    once = await ticket(request, "update checkout", render)
    code = body.coupon_code or ""
    removed = body.coupon_action == "remove"
    command = replace(
        changes(body),
        apply_coupon="" if removed else code,
        remove_coupon=code if removed else "",
    )
    seen = await shop.checkout.update(caller, command, once)
    return answer(request, render(seen), cart_headers(seen))


async def _process(
    request: Request, caller: Caller, shop: Shop, body: UpdateIn, dialect: Dialect
) -> Response:
    assert isinstance(body, ProcessIn)
    await admit(request, shop, caller, Operation.CHECKOUT_PROCESS)

    def render(placement: Placement) -> dict[str, Any]:
        return present.processed(placement, shop.profile)

    once = await ticket(request, "process checkout", render)
    command = ProcessCommand(
        update=changes(body),
        use_different_billing=body.use_different_billing,
        payment=payment_data(body.payment_method_data, body.payment_data),
        customer_note=body.customer_note or "",
        expected_total=body.expected_total,
    )
    billing = body.billing_address
    new_account = NewAccount(body.customer_password or "", (billing and billing.email) or "")
    placement = await shop.checkout.process(
        caller, command, once, new_account if body.create_account else None
    )
    if placement.status is PaymentStatus.FAILED:
        raise declined(placement)
    return answer(request, render(placement))


def _offered(shop: Shop, seen: CartView) -> Any:
    return shop.payments.offered(seen.quote.chosen_rates)


class ChangesIn(Protocol):
    """What bodies have in common that change a checkout."""

    billing_address: AddressIn | None
    shipping_address: AddressIn | None

    @property
    def shipping_method(self) -> str | Mapping[str, str] | list[str] | None: ...

    @property
    def model_fields_set(self) -> set[str]: ...


def changes(body: ChangesIn) -> UpdateCommand:
    """What was sent: not sent leaves as it is, null takes back."""
    sent = body.model_fields_set

    def text(name: str) -> str | None:
        return (getattr(body, name) or "") if name in sent else None

    return UpdateCommand(
        billing=_address(body.billing_address, "billing_address" in sent),
        shipping=_address(body.shipping_address, "shipping_address" in sent),
        payment_method=text("payment_method"),
        shipping_method=_rates(body) if "shipping_method" in sent else None,
        currency=text("currency"),
    )


def _rates(body: ChangesIn) -> Choices:
    """A rate for all packages that offer it; or by package, in a list by their order."""
    given = body.shipping_method
    if isinstance(given, list):
        return dict(enumerate(given))
    return given if isinstance(given, str) else dict(given or {}) or ""


def _address(given: AddressIn | None, sent: bool) -> dict[str, str] | None:
    if given is not None:
        return given.changes()
    return Address().as_billing() if sent else None


def _refuse_payment(body: UpdateIn, dialect: Dialect) -> None:
    """An update with payment data was meant to process (DECISIONS 6)."""
    found = [
        name
        for name in ("payment_data", "payment_method_data", "customer_password")
        if getattr(body, name)
    ]
    if found:
        verb = "POST" if dialect is Dialect.REFERENCE else "PUT"
        raise WrongVerb(
            f"This request updates the checkout and must not carry {', '.join(found)}. Send it "
            f"with {verb} to order (dialect `{dialect}`; set by the consumer key, the "
            "Checkstand-Dialect header or the setting checkout.dialect).",
            data={"fields": found, "process_verb": verb, "dialect": dialect.value},
        )
