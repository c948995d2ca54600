"""Reading requests: JSON and form bodies within bounds, and who is calling."""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
import re
from collections.abc import Callable, Coroutine
from typing import Any, get_args

import orjson
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope

from checkstand.access.credentials import PUBLISHABLE
from checkstand.access.principal import Account, Caller, ConsumerKey
from checkstand.access.tokens import LONGEST_DEVICE, Origin
from checkstand.errors import (
    AuthenticationFailed,
    BodyNotJson,
    IdempotencyKeyMalformed,
    ParameterInvalid,
    TokenRefused,
    UnsupportedMediaType,
)
from checkstand.http import forms
from checkstand.http.admission import (
    address_of,
    admit,
    known_key,
    sign_in,
    stranger,
    welcome,
)
from checkstand.http.answers import cut_down, dump
from checkstand.http.describe import operation_id
from checkstand.http.inside import REHEARSAL
from checkstand.shield.limits import Operation
from checkstand.storage.idempotency import Ticket
from checkstand.wiring import Shop

_MAX_DEPTH = 20
_MAX_NODES = 20_000
_LONGEST_LOGIN = 4096
_NOT_IN_KEYS = re.compile(r"[^a-z0-9_-]")
_JSON_TYPE = re.compile(r"application/([\w.!#$&^-]+\+)?json", re.ASCII)
_CREDENTIALS = ("consumer_key", "consumer_secret", "cart_key", "username", "password")
_PASSWORD = "customer_password"  # noqa: S105 - the name of a field
# Addresses end up in logs: what is secret is taken from bodies only.
_OF_THE_BODY_ONLY = frozenset(
    (
        *_CREDENTIALS,
        "customer_password",
        "password_1",
        "password_2",
        "password_current",
        "payment_data",
        "payment_method_data",
        "refresh_token",
        "requested_password",
    )
)
# Parameters of every cart route, which a body that takes any member does not mean.
_ABOUT_THE_ANSWER = frozenset(
    ("_fields", "_method", "_skip_cache", "config", "fields", "formatted", "thumb")
)
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")


class _JsonRequest(Request):
    _parsed: Any = None

    async def read(self) -> None:
        """Parses the body: strict JSON (no NaN, no lone surrogate), nested at most 20 deep, without
        NUL. `[]` stands for an empty object here too (DECISIONS 21)."""
        try:
            parsed = orjson.loads(await self.body())
        except orjson.JSONDecodeError:
            raise BodyNotJson from None
        _check_bounds(parsed)
        self._parsed = {} if parsed == [] else parsed

    @classmethod
    def made(cls, scope: Scope, receive: Receive, parsed: Any, body: bytes) -> _JsonRequest:
        """A request whose body is known."""
        request = cls(scope, receive)
        request._parsed, request._body = parsed, body
        return request

    @property
    def parsed(self) -> Any:
        """What the body says; None when there is none."""
        return self._parsed

    async def json(self) -> Any:
        return self._parsed


class JsonRoute(APIRoute):
    """A route whose body is JSON, a form that says the same, or absent; anything else is 415. What
    the body may hold can be sent in the query as well; the body wins (contract README 3)."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        takes = _taken_from_query(self)
        needed = self.body_field is not None and self.body_field.field_info.is_required()

        async def handle_json(request: Request) -> Response:
            request = _JsonRequest(request.scope, request.receive)
            if await request.body():
                sent = request.headers.get("content-type", "")
                # Not where FastAPI asks for it: it answers for whatever is raised there.
                if not sent or _JSON_TYPE.fullmatch(sent.partition(";")[0].strip().lower()):
                    await request.read()
                else:
                    request = await _from_form(request, sent)
            elif needed:
                request = _said(request, {})  # so that what is missing is named
            if takes is not None and request.scope["query_string"]:
                request = _with_query(request, takes)
            if request.scope.get(REHEARSAL):
                return await self._rehearse()(request)
            return await handle(request)

        return handle_json

    def _rehearse(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Reads and validates a request as this route does, and carries nothing out."""
        twin = copy.copy(self)
        twin.dependant = copy.copy(self.dependant)
        twin.dependant.call = _well_formed
        return APIRoute.get_route_handler(twin)


async def _well_formed(**values: Any) -> Response:
    return Response(status_code=204)


async def _from_form(request: _JsonRequest, content_type: str) -> _JsonRequest:
    """The request as if it had come in JSON, under the same bounds. Its body is the same for every
    way to write the same form, a boundary drawn at random included."""
    parsed = await forms.read(content_type, await request.body())
    if parsed is None:
        raise UnsupportedMediaType
    return _said(request, parsed)


def _with_query(request: _JsonRequest, takes: Callable[[str], bool]) -> _JsonRequest:
    """The request with the parameters of its query that `takes` as members of its body, under what
    the body itself has."""
    pairs = [pair for pair in request.query_params.multi_items() if takes(pair[0].split("[")[0])]
    body = {} if request.parsed is None else request.parsed
    if not pairs or not isinstance(body, dict):
        return request
    return _said(request, {**forms.nested(pairs), **body})


def _said(request: _JsonRequest, parsed: Any) -> _JsonRequest:
    """The request as if this had come as JSON, under the same bounds."""
    _check_bounds(parsed)
    try:
        body = orjson.dumps(parsed)
    except TypeError:  # lone surrogates
        raise ParameterInvalid("The request is not in UTF-8.") from None
    headers = [pair for pair in request.scope["headers"] if pair[0] != b"content-type"]
    headers.append((b"content-type", b"application/json"))
    return _JsonRequest.made({**request.scope, "headers": headers}, request.receive, parsed, body)


def _taken_from_query(route: APIRoute) -> Callable[[str], bool] | None:
    """Which parameters of the query are members of the route's body; None when it has no body."""
    if route.body_field is None:
        return None
    said = route.body_field.field_info.annotation
    models = [each for each in (said, *get_args(said)) if isinstance(each, type)]
    model = next((each for each in models if issubclass(each, BaseModel)), None)
    if model is None:
        return None
    own = {field.alias for field in route.dependant.query_params} | _OF_THE_BODY_ONLY
    if model.model_config.get("extra") == "allow":
        return lambda name: name not in own and name not in _ABOUT_THE_ANSWER
    names = frozenset(model.model_fields) - own
    return names.__contains__


JSON_ROUTES: dict[str, Any] = {
    "route_class": JsonRoute,
    "strict_content_type": False,
    "generate_unique_id_function": operation_id,
}
"""What every router of JSON routes is made with. A body without a content type is JSON."""


def _check_bounds(parsed: Any) -> None:
    """Refuses nesting bombs and NUL bytes, which no database text can hold."""
    level: list[Any] = [parsed]
    nodes = 0
    for _ in range(_MAX_DEPTH):
        deeper: list[Any] = []
        for value in level:
            if isinstance(value, str):
                if "\0" in value:
                    raise ParameterInvalid("Text must not contain NUL bytes.")
            elif isinstance(value, dict):
                deeper.extend(value.keys())
                deeper.extend(value.values())
            elif isinstance(value, list):
                deeper.extend(value)
        nodes += len(deeper)
        if not deeper:
            return
        if nodes > _MAX_NODES:
            raise ParameterInvalid("The body has too many values.")
        level = deeper
    raise ParameterInvalid(f"The body is nested deeper than {_MAX_DEPTH} levels.")


def shop_of(request: Request) -> Shop:
    """The shop that is open."""
    shop: Shop = request.app.state.shop
    return shop


async def visit(
    request: Request, operation: Operation | None = Operation.OTHER
) -> tuple[Caller, Shop]:
    """Who is calling, and the shop; the request is counted as this operation, with None the route
    does that itself by `admit`. Not a FastAPI dependency: resolving two of those costs as much as
    the whole answer to a read."""
    shop = shop_of(request)
    caller = await _caller(request, shop)
    welcome(request, shop, caller)
    if operation is not None:
        await admit(request, shop, caller, operation)
    return caller, shop


async def _caller(request: Request, shop: Shop) -> Caller:
    """Who is calling. Credentials that are sent must be right, also where none are needed. A token
    costs no statement for as long as it is remembered."""
    query = request.query_params
    key = await _key_of_query(request, shop)
    account: Account | None = None
    session = ""
    authorization = request.headers.get("authorization")
    if authorization and (token := bearer(authorization)):
        signed_in = await shop.sessions.verify(token, origin_of(request))
        account, session = signed_in.account, signed_in.pat
    elif authorization:
        user, password = basic(authorization)
        if user.startswith(("ck_", PUBLISHABLE)):
            key = await known_key(request, shop, user, password)
        else:
            account = await sign_in(request, shop, user, password)
    elif "username" in query or "password" in query:
        # For clients whose headers are stripped on the way (contract README 7.2).
        user, password = both(query.get("username"), query.get("password"))
        account = await sign_in(request, shop, user, password)
    return Caller(cart_key=_cart_key(request), key=key, account=account, session=session)


async def _key_of_query(request: Request, shop: Shop) -> ConsumerKey | None:
    query = request.query_params
    key, secret = query.get("consumer_key"), query.get("consumer_secret")
    if key is None and secret is None:
        return None
    if not key or not (secret or key.startswith(PUBLISHABLE)):
        raise AuthenticationFailed("Send both consumer_key and consumer_secret.")
    return await known_key(request, shop, key, secret or "")


async def arrive(request: Request) -> Shop:
    """The shop, for a route that is there before anybody is known: where the request comes from is
    noted. A consumer key that was sent must be right here too (DECISIONS 1)."""
    shop = shop_of(request)
    stranger(request)
    await _key_of_query(request, shop)
    return shop


def bearer(header: str) -> str:
    """The token of an Authorization header; "" for another scheme. An empty token is refused."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "bearer":
        return ""
    if not (token := value.strip()):
        raise TokenRefused
    return token


def origin_of(request: Request) -> Origin:
    """Where a request comes from, which tokens are bound to."""
    return Origin(
        ip=address_of(request),
        device=request.headers.get("user-agent", "")[:LONGEST_DEVICE],
    )


def both(user: object, password: object) -> tuple[str, str]:
    """A user name and a password; AuthenticationFailed when one of them is not there."""
    if not isinstance(user, str) or not isinstance(password, str) or not user or not password:
        raise AuthenticationFailed("Send both a user name and a password.")
    if "\0" in user or len(user) > _LONGEST_LOGIN or len(password) > _LONGEST_LOGIN:
        raise AuthenticationFailed
    return user, password


def basic(header: str) -> tuple[str, str]:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        raise AuthenticationFailed("Use Basic or Bearer credentials.")
    try:
        user, separator, password = (
            base64.b64decode(value.strip(), validate=True).decode().partition(":")
        )
    except (binascii.Error, UnicodeDecodeError):
        raise AuthenticationFailed("The Basic credentials cannot be read.") from None
    if user.startswith(PUBLISHABLE) and separator and not password and "\0" not in user:
        return user, ""
    return both(user, password if separator else "")


def _cart_key(request: Request) -> str:
    """Both header spellings, then the query; cleaned as CoCart does (contract cart.md 11.1)."""
    headers = request.headers
    sent = (
        headers.get("cart-key")
        or headers.get("cocart-api-cart-key")
        or request.query_params.get("cart_key")
    )
    if not sent:
        return ""
    # What is left of a key of other characters is still a key that was sent: "-" is nobody's.
    return _NOT_IN_KEYS.sub("", sent.lower())[:42] or "-"


async def _sayable(request: Request) -> bytes:
    """The body as it came; without the password, where it has one. What is made of this is stored,
    and a digest that takes no time would let a thief of the database guess the password."""
    body = await request.body()
    parsed = await request.json() if body else None
    if not isinstance(parsed, dict) or _PASSWORD not in parsed:
        return body
    told = {name: value for name, value in parsed.items() if name != _PASSWORD}
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)


async def ticket(request: Request, operation: str, render: Callable[[Any], Any]) -> Ticket | None:
    """The ticket of a request with an Idempotency-Key; None without. `render` makes the answer's
    body of the use case's result."""
    sent = request.headers.get("idempotency-key")
    if sent is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(sent):
        raise IdempotencyKeyMalformed
    query = sorted((k, v) for k, v in request.query_params.multi_items() if k not in _CREDENTIALS)
    said = repr((request.method, request.url.path, query)).encode() + await _sayable(request)
    return Ticket(
        scope=operation,
        key=sent,
        fingerprint=hashlib.sha256(said).hexdigest(),
        render=lambda result: dump(cut_down(request, render(result))).decode(),
    )
