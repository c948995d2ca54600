"""My account (contract accounts.md 4, v2-accounts.md 5-9): the same handlers in both namespaces,
each answering in the form of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from checkstand.access.principal import Caller
from checkstand.accounts.my_account import PasswordChange
from checkstand.errors import CurrentPasswordWrong, MyAccountDenied, OrderDoesNotExist
from checkstand.http.admission import failed, knock, look
from checkstand.http.answers import answer
from checkstand.http.cocart.accounts import present
from checkstand.http.cocart.accounts.present import Voice
from checkstand.http.cocart.accounts.schemas import (
    AccountIn,
    AccountOut,
    AddressesIn,
    CancelledOut,
    ChangedAddressesOut,
    DownloadOut,
    MessageOut,
    OrderOut,
    OrdersOut,
    PasswordIn,
    SentOut,
    UpdatedAccountOut,
    VerifiedOut,
)
from checkstand.http.cocart.v2.product_schemas import ReviewOut
from checkstand.http.cocart.v2.reviews import REVIEWS_QUERY, own_reviews
from checkstand.http.describe import READING, SIGNING, errors
from checkstand.http.requests import JSON_ROUTES, arrive, visit
from checkstand.orders.history import paid_downloads
from checkstand.orders.model import Order
from checkstand.wiring import Shop

router = APIRouter(tags=["my account"], **JSON_ROUTES)
Email = Annotated[
    str, Query(max_length=500, description="The e-mail address the order is billed to; for guests.")
]
Key = Annotated[str, Query(max_length=200, description="From the mailed link.")]
UserId = Annotated[int, Query(ge=1, le=2**63 - 1, description="The account.")]
_PREVIEW = "/wp-json/cocart/preview"


def _voice(request: Request, shop: Shop) -> Voice:
    return Voice(shop.profile, preview=request.url.path.startswith(_PREVIEW))


async def read_account(request: Request) -> Response:
    """Who is signed in, with addresses and what was ordered."""
    caller, shop = await visit(request)
    found = await shop.my_account.profile(caller)
    return answer(request, present.account(found, shop.rules, _voice(request, shop)))


async def update_account(request: Request, body: AccountIn | None = None) -> Response:
    """Names, e-mail and, when it is sent, password: all or nothing."""
    caller, shop = await visit(request)
    body = body or AccountIn()
    fields = {
        name: getattr(body, name) or ""
        for name in (
            "account_first_name",
            "account_last_name",
            "account_display_name",
            "account_email",
        )
    }
    password = _password(body)
    async with _proving(request, shop, caller, password):
        pending = await shop.my_account.update(caller, fields, password)
    message = "Your account is updated."
    if pending:
        message = "Your account is updated; the new e-mail address counts once you confirm it."
    return answer(
        request, {"success": True, "message": message, "email_verification_pending": pending}
    )


async def change_password(request: Request, body: PasswordIn | None = None) -> Response:
    """Another password. Everybody who was signed in to the account is signed out."""
    caller, shop = await visit(request)
    password = _password(body or PasswordIn())
    async with _proving(request, shop, caller, password):
        await shop.my_account.change_password(caller, password)
    return answer(request, {"success": True, "message": "Your password is changed."})


@asynccontextmanager
async def _proving(
    request: Request, shop: Shop, caller: Caller, password: PasswordChange
) -> AsyncIterator[None]:
    """Attempts at the current password are limited and noted as those to sign in are: a stolen
    token must not be enough to find it."""
    if caller.account is None or not password.current:
        yield
        return
    subject = f"account {caller.account.id}"
    await knock(request, shop, f"password of {subject}")
    await look(request, shop)
    try:
        yield
    except CurrentPasswordWrong:
        shop.guards.journal.note("account.password_refused", subject)
        await failed(request, shop)
        raise


def _password(body: PasswordIn) -> PasswordChange:
    return PasswordChange(body.password_current or "", body.password_1 or "", body.password_2 or "")


async def update_address(request: Request, body: AddressesIn | None = None) -> Response:
    """Merges address parts; all problems at once, or everything is stored."""
    caller, shop = await visit(request)
    body = body or AddressesIn()
    customer = await shop.my_account.update_addresses(
        caller,
        body.billing_address.changes() if body.billing_address else None,
        body.shipping_address.changes() if body.shipping_address else None,
    )
    return answer(request, {"addresses": present.addresses(customer)})


async def read_orders(
    request: Request,
    page: int = 1,
    per_page: int = 10,
    order: Annotated[str, Query(pattern="^(?i:asc|desc)$")] = "DESC",
) -> Response:
    """The orders of who is signed in, newest first unless `order` is `ASC`."""
    caller, shop = await visit(request)
    ascending = order.upper() == "ASC"
    found = await shop.history.page(caller, page, per_page, ascending=ascending)
    return answer(request, present.orders(found, ascending, _voice(request, shop)))


async def read_order(order_id: int, request: Request, email: Email = "") -> Response:
    """One order, for its owner or for who knows the e-mail address that it is billed to."""
    caller, shop = await visit(request)
    found = await _order(request, shop, caller, order_id, email)
    owned = caller.account is not None and found.customer_id == caller.account.id
    known = await shop.catalogue.load({line.product_id for line in found.lines})
    sold_still = {product.id for product in known.values() if product.published}
    voice = _voice(request, shop)
    return answer(request, present.order(found, voice, owned=owned, sold_still=sold_still))


async def _order(request: Request, shop: Shop, caller: Caller, order_id: int, email: str) -> Order:
    """An e-mail address opens an order as a password does: guesses are limited as those are."""
    if not email:
        return await shop.history.one(caller, order_id, "")
    await look(request, shop)
    try:
        return await shop.history.one(caller, order_id, email)
    except OrderDoesNotExist:
        await failed(request, shop)
        raise


async def cancel_order(order_id: int, request: Request) -> Response:
    """Calls an order off that is not paid."""
    caller, shop = await visit(request)
    order = await shop.history.cancel(caller, order_id)
    body = {"success": True, "order_id": order.id, "order_status": order.status.label}
    return answer(request, body)


async def read_downloads(request: Request) -> Response:
    """Everything that was paid for and can be downloaded."""
    caller, shop = await visit(request)
    found = present.downloads(await shop.history.downloads(caller))
    nothing: Any = [] if _voice(request, shop).preview else "There is nothing to download yet."
    return answer(request, found or nothing)


async def read_order_downloads(order_id: int, request: Request, email: Email = "") -> Response:
    """What one order gives to download; 404 when that is nothing."""
    caller, shop = await visit(request)
    order = await _order(request, shop, caller, order_id, email)
    found = present.downloads(paid_downloads(order))
    if not found:
        raise OrderDoesNotExist("This order has nothing to download.")
    return answer(request, found)


async def read_reviews(request: Request) -> Response:
    """What who is signed in has written about products, approved or not."""
    caller, shop = await visit(request)
    if caller.account is None:
        raise MyAccountDenied
    return await own_reviews(request, shop, caller.account)


async def ask_to_verify_orders(request: Request) -> Response:
    """Mails a link to the account's e-mail address. Who follows it owns the orders that were made
    with this address without an account. `throttled`: it was mailed less than a minute ago."""
    caller, shop = await visit(request)
    sent = await shop.earlier_orders.ask(caller)
    return answer(request, {"success": True, "status": "sent" if sent else "throttled"})


async def verify_orders(request: Request, key: Key, user_id: UserId) -> Response:
    """What the link leads to: for who is signed in as the account that it was mailed to."""
    caller, shop = await visit(request, None)
    await knock(request, shop, "verify order e-mail")
    email = await shop.earlier_orders.prove(caller, key, user_id)
    return answer(request, {"success": True, "email": email})


async def verify_email(request: Request, key: Key, user_id: UserId) -> Response:
    """Gives the account the e-mail address that the link was sent to."""
    shop = await arrive(request)
    await knock(request, shop, "verify e-mail")
    email = await shop.my_account.verify_email(key, user_id)
    return answer(request, {"success": True, "email": email})


_Route = tuple[str, str, Callable[..., Any], Any, tuple[int, ...]]
_CHANGING = SIGNING
_ROUTES: tuple[_Route, ...] = (
    ("GET", "", read_account, AccountOut, READING),
    ("POST", "", update_account, UpdatedAccountOut, _CHANGING),
    ("POST", "/change-password", change_password, MessageOut, _CHANGING),
    ("PATCH", "/address", update_address, ChangedAddressesOut, _CHANGING),
    ("GET", "/downloads", read_downloads, list[DownloadOut] | str, READING),
    ("GET", "/orders", read_orders, OrdersOut, (*READING, 404)),
    ("GET", "/orders/{order_id}", read_order, OrderOut, (*READING, 404)),
    (
        "GET",
        "/orders/{order_id}/downloads",
        read_order_downloads,
        list[DownloadOut],
        (*READING, 404),
    ),
    ("POST", "/orders/{order_id}/cancel", cancel_order, CancelledOut, (*_CHANGING, 404)),
    ("GET", "/verify-email", verify_email, VerifiedOut, READING),
    ("POST", "/verify-order-email", ask_to_verify_orders, SentOut, _CHANGING),
    ("GET", "/verify-order-email", verify_orders, VerifiedOut, READING),
    ("GET", "/reviews", read_reviews, list[ReviewOut], READING),
)


def _mount(method: str, path: str, verb: Callable[..., Any], out: Any, on: Any) -> None:
    for namespace in ("/wp-json/cocart/v2", _PREVIEW):
        router.add_api_route(
            f"{namespace}/my-account{path}",
            verb,
            methods=[method],
            response_model=out,
            responses=errors(*on),
            openapi_extra=REVIEWS_QUERY if verb is read_reviews else None,
        )


for _route in _ROUTES:
    _mount(*_route)
