"""Subscriptions (contract v2-accounts.md 10 and 11). This shop sells none, and answers as a store
without the extension for them does: there is none to list, to read or to change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from checkstand.errors import MyAccountDenied, NoSubscriptions, SubscriptionDoesNotExist
from checkstand.http.describe import READING, errors
from checkstand.http.requests import JSON_ROUTES, visit

router = APIRouter(tags=["my account"], **JSON_ROUTES)
_PREVIEW = "/wp-json/cocart/preview"
_ACTIONS = ("suspend", "cancel", "reactivate", "resubscribe", "auto-renew", "payment-method")
_OLDER_ACTIONS = ("on-hold", "renew-enable", "renew-disable")


async def list_subscriptions(request: Request) -> Response:
    """404 `cocart_account_no_subscriptions`: this shop sells none."""
    caller, _ = await visit(request)
    if caller.account is None:
        raise MyAccountDenied
    raise NoSubscriptions


async def read_subscription(subscription_id: int, request: Request, email: str = "") -> Response:
    """404 `cocart_subscription_does_not_exist`, to guests with an `email` too."""
    caller, _ = await visit(request)
    if caller.account is None and not email:
        raise MyAccountDenied
    raise SubscriptionDoesNotExist


async def change_subscription(subscription_id: int, request: Request) -> Response:
    """404 `cocart_subscription_does_not_exist`."""
    caller, _ = await visit(request)
    if caller.account is None:
        raise MyAccountDenied
    raise SubscriptionDoesNotExist


for _namespace in ("/wp-json/cocart/v2", _PREVIEW):
    _base = f"{_namespace}/my-account/subscriptions"
    _one = f"{_base}/{{subscription_id}}"
    _routes: list[tuple[str, str, Callable[..., Any]]] = [
        ("GET", _base, list_subscriptions),
        ("GET", _one, read_subscription),
        ("DELETE", f"{_one}/resubscribe", change_subscription),
    ]
    _routes.extend(
        ("POST", f"{_one}/{action}", change_subscription)
        for action in (*_ACTIONS, *(_OLDER_ACTIONS if _namespace == _PREVIEW else ()))
    )
    for _method, _path, _verb in _routes:
        router.add_api_route(_path, _verb, methods=[_method], responses=errors(*READING, 404))
