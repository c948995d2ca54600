"""Signing in and out, registering, lost passwords, and tokens (contract accounts.md 1-3, 8)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from checkstand.access.credentials import PUBLISHABLE
from checkstand.access.principal import Account, Caller
from checkstand.access.sessions import Pair
from checkstand.errors import (
    AuthenticationFailed,
    CredentialsRequired,
    RefreshTokenMissing,
    TokenRefused,
    TokenRequired,
    TokensNotOffered,
)
from checkstand.http.admission import admit, knock, known_key, sign_in
from checkstand.http.answers import answer
from checkstand.http.cocart.accounts import present
from checkstand.http.cocart.accounts.schemas import (
    LoginIn,
    LoginOut,
    LostPasswordIn,
    MessageOut,
    PairOut,
    RefreshIn,
    RegisteredOut,
    RegisterIn,
    ResetPasswordIn,
    ValidOut,
)
from checkstand.http.describe import READING, SIGNING, errors
from checkstand.http.requests import (
    JSON_ROUTES,
    arrive,
    basic,
    bearer,
    both,
    origin_of,
    visit,
)
from checkstand.shield.limits import Operation
from checkstand.wiring import Shop

router = APIRouter(tags=["accounts"], **JSON_ROUTES)
V2 = "/wp-json/cocart/v2"
PREVIEW = "/wp-json/cocart/preview"
JWT = "/wp-json/cocart/jwt"
_MAILED = "If there is such an account, a link to set a new password is on its way to its e-mail."


@router.post(f"{V2}/login", response_model=LoginOut, responses=errors(*SIGNING))
async def login(request: Request, body: LoginIn | None = None) -> Response:
    """Who signs in, and tokens. Credentials in the body win over those in the query, and both over
    the Authorization header, which may be out of date. With nothing but a token, the answer has
    that token."""
    shop = await arrive(request)
    account, token = await _credentials(request, shop, body or LoginIn())
    stored = await shop.my_account.person(account)
    pair: Pair | None = None
    if not token and shop.sessions.offered:
        pair = await shop.sessions.begin(account, origin_of(request))
    return answer(request, present.login(stored, pair, token))


async def _credentials(request: Request, shop: Shop, body: LoginIn) -> tuple[Account, str]:
    """The account, and the token if it was that which said so."""
    query = request.query_params
    # Empty fields are none, as they are to the platform.
    if body.username or body.password:
        return await sign_in(request, shop, *both(body.username, body.password)), ""
    if query.get("username") or query.get("password"):
        sent = both(query.get("username"), query.get("password"))
        return await sign_in(request, shop, *sent), ""
    authorization = request.headers.get("authorization")
    if not authorization:
        raise CredentialsRequired
    if token := bearer(authorization):
        signed_in = await shop.sessions.verify(token, origin_of(request))
        return signed_in.account, token
    user, password = basic(authorization)
    if user.startswith(("ck_", PUBLISHABLE)):
        await known_key(request, shop, user, password)
        raise CredentialsRequired("A consumer key is not somebody; send a user name and password.")
    return await sign_in(request, shop, user, password), ""


@router.post(f"{V2}/logout", response_model=bool, responses=errors(*READING))
async def logout(request: Request) -> Response:
    """Ends the token that was sent and its refresh token. The cart stays."""
    caller, shop = await visit(request)
    if caller.session:
        await shop.sessions.end(caller.session)
    return answer(request, True)


async def register(body: RegisterIn, request: Request) -> Response:
    """A new customer account. It signs nobody in and moves no cart."""
    _, shop = await visit(request, None)
    await knock(request, shop, "register")
    made = await shop.registration.register(
        body.email, body.requested_username or "", body.requested_password or ""
    )
    message = "Your account is ready."
    if made.mailed:
        message = "Your account is ready; a link to choose its password was sent to you."
    return answer(
        request,
        {"user_id": made.account_id, "username": made.username, "message": message},
    )


async def lost_password(body: LostPasswordIn, request: Request) -> Response:
    """Mails a link to set a new password. The answer is the same whether there is an account."""
    shop = await arrive(request)
    await knock(request, shop, "lost password")
    shop.registration.lost_password(body.username)
    return answer(request, {"success": True, "message": _MAILED})


async def reset_password(body: ResetPasswordIn, request: Request) -> Response:
    """Sets a new password with the key of a mailed link. Everybody who was signed in is out."""
    shop = await arrive(request)
    await knock(request, shop, "reset password")
    await shop.registration.reset_password(body.key, body.password)
    return answer(request, {"success": True, "message": "Your new password is set; sign in."})


for _namespace in (V2, PREVIEW):
    router.add_api_route(
        f"{_namespace}/register",
        register,
        methods=["POST"],
        response_model=RegisteredOut,
        responses=errors(*SIGNING, 404, 405),
    )
    for _verb in (lost_password, reset_password):
        router.add_api_route(
            f"{_namespace}/{_verb.__name__.replace('_', '-')}",
            _verb,
            methods=["POST"],
            response_model=MessageOut,
            responses=errors(*SIGNING),
        )


@router.post(f"{JWT}/refresh-token", response_model=PairOut, responses=errors(*SIGNING))
async def refresh_token(request: Request, body: RefreshIn | None = None) -> Response:
    """A new pair for a refresh token; the old pair is dead at once. `Authorization` is ignored:
    clients send the token that has expired."""
    sent = body.refresh_token if body else None
    if not sent:
        raise RefreshTokenMissing
    shop = await arrive(request)
    await admit(request, shop, Caller(), Operation.TOKEN_REFRESH)
    pair = await shop.sessions.refresh(sent, origin_of(request))
    return answer(request, {"token": pair.token, "refresh_token": pair.refresh})


@router.post(f"{JWT}/validate-token", response_model=ValidOut, responses=errors(*SIGNING))
async def validate_token(request: Request) -> Response:
    """Whether the token that was sent is good here and now."""
    shop = await arrive(request)
    if not shop.sessions.offered:
        raise TokensNotOffered
    authorization = request.headers.get("authorization", "")
    if not authorization.lower().startswith("bearer"):
        raise TokenRequired
    try:
        signed_in = await shop.sessions.verify(bearer(authorization), origin_of(request))
    except TokenRefused as refusal:  # here alone it is 401 (contract v2-accounts.md 14)
        await admit(request, shop, Caller(), Operation.TOKEN_VALIDATE)
        raise AuthenticationFailed(refusal.message) from None
    await admit(request, shop, Caller(account=signed_in.account), Operation.TOKEN_VALIDATE)
    body: dict[str, Any] = {"message": "Token is valid."}
    return answer(request, body)
