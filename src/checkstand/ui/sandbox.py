"""The page of the sandbox that a shopper is sent to when a payment requires an action.

It plays the bank's page, so it is the provider's and not the shop's: it knows the payment only. Its
random id is the capability: who has the address may decide, once, and nobody else can.
"""

from __future__ import annotations

import re
from typing import Protocol, cast
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from checkstand.errors import Refusal
from checkstand.kit.money import Currency, Money
from checkstand.payments.store.sandbox import Played
from checkstand.ui.pages import HEADERS, TEMPLATES

router = APIRouter(include_in_schema=False)
_PAGE = "/sandbox/pay/{payment_id}"
_ID = re.compile(r"sbx_[0-9a-f]{32}")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9a-fA-F:.]{2,45}\](:\d{1,5})?")
_LONGEST_FORM = 1024  # bytes
_SAID = {
    "requires_action": "",
    "approved": "You have approved this payment.",
    "declined": "You have declined this payment.",
    "void": "The shop has cancelled this payment.",
}


class Payments(Protocol):
    """What the page needs of the sandbox gateway; the app keeps it as `app.state.sandbox`, None
    when the sandbox is not switched on."""

    async def waiting(self, payment_id: str) -> Played | None: ...

    async def decide(self, payment_id: str, *, agree: bool) -> Played | None: ...


@router.get(_PAGE)
async def ask(payment_id: str, request: Request) -> Response:
    """Shows what is to be paid, and the two buttons while it waits."""
    payments = _payments(request)
    if payments is None or not _ID.fullmatch(payment_id):
        return _not_found()
    try:
        payment = await payments.waiting(payment_id)
    except Refusal as refusal:
        return _refused(refusal.status, refusal.message)
    return _shown(payment) if payment else _not_found()


@router.post(_PAGE)
async def decide(payment_id: str, request: Request) -> Response:
    """Takes the decision and leads back to the shop. Pressed twice, the first press counts."""
    payments = _payments(request)
    if payments is None or not _ID.fullmatch(payment_id):
        return _not_found()
    body = await request.body()
    form = parse_qs(body.decode("ascii", "replace")) if len(body) <= _LONGEST_FORM else {}
    decision = form.get("decision", [""])[0]
    if decision not in ("approve", "decline"):
        return _refused(400, "Choose to approve or to decline.")
    try:
        payment = await payments.decide(payment_id, agree=decision == "approve")
    except Refusal as refusal:
        return _refused(refusal.status, refusal.message)
    if payment is None:
        return _not_found()
    if _origin(payment.return_url):
        return Response(None, 303, {**HEADERS, "Location": payment.return_url})
    return _shown(payment)


def _payments(request: Request) -> Payments | None:
    return cast("Payments | None", getattr(request.app.state, "sandbox", None))


def _shown(payment: Played) -> Response:
    origin = _origin(payment.return_url)
    # Browsers hold the redirection after a form to `form-action` as well.
    policy = HEADERS["Content-Security-Policy"].replace(
        "form-action 'self'", f"form-action 'self' {origin}".strip()
    )
    html = TEMPLATES.get_template("sandbox_pay.html").render(
        amount=str(Money(payment.amount, Currency.of(payment.currency))),
        waits=payment.state == "requires_action",
        said=_SAID[payment.state],
        back=payment.return_url if origin else "",
    )
    headers = {**HEADERS, "Content-Security-Policy": policy}
    return Response(html, 200, headers, "text/html; charset=utf-8")


def _refused(status: int, text: str) -> Response:
    html = TEMPLATES.get_template("sandbox_refused.html").render(text=text)
    return Response(html, status, HEADERS, "text/html; charset=utf-8")


def _not_found() -> Response:
    return _refused(404, "There is no such payment.")


def _origin(address: str) -> str:
    """Scheme and host of a web address that one may be sent to; "" for anything else."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(parts.netloc):
        return ""
    return f"{parts.scheme}://{parts.netloc}" if address.isprintable() else ""
