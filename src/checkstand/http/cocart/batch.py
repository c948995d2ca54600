"""Several requests in one: CoCart's batch, and the platform's (contract README 9).

Every part goes through the application as if it had come alone: the same routes, bounds, limits and
authorisation. Who is calling, and which cart it is, is said once, on the batch. A cart that a part
makes is the cart of the parts after it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, unquote, urlencode

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from checkstand.errors import NotInBatch, ParameterInvalid
from checkstand.http import forms
from checkstand.http.admission import admit
from checkstand.http.answers import JSON, PRIVATE, dump
from checkstand.http.cocart.v2.schemas import CartOut
from checkstand.http.describe import WRITING, errors
from checkstand.http.inputs import EmptyObject, as_given_object
from checkstand.http.inside import REHEARSAL, UNCOUNTED, WITHIN, Reply, ask
from checkstand.http.requests import JSON_ROUTES, ticket, visit
from checkstand.shield.limits import Operation

MOST = 25
"""Parts of one batch (contract README 9)."""

router = APIRouter(prefix="/wp-json", tags=["batch"], **JSON_ROUTES)

_MOST_PARAMETERS = 100
_CART = "/wp-json/cocart/v2/cart"
_CART_LINK = f"{_CART}/link"
_ONCE_HEADERS = ("authorization", "cart-key", "cocart-api-cart-key")
_ONCE_PARAMETERS = ("cart_key", "consumer_key", "consumer_secret", "username", "password")
_OWN_HEADERS = ("idempotency-key", "checkstand-dialect", "if-none-match", "accept-language")
# What is the batch's own, or the connection's, and would mislead a part.
_NOT_PASSED_ON = frozenset(
    (
        b"content-length",
        b"content-type",
        b"transfer-encoding",
        b"connection",
        b"expect",
        b"idempotency-key",
        b"if-none-match",
        b"x-http-method-override",
    )
)
# What every answer has, or what is about the connection: said once, by the batch's own answer.
_NOT_SHOWN = frozenset(
    (
        "content-length",
        "content-type",
        "x-request-id",
        "vary",
        "referrer-policy",
        "x-frame-options",
        "strict-transport-security",
        *map(str.lower, PRIVATE),
    )
)


class PartIn(BaseModel):
    """One request. A GET takes its `body` as query parameters."""

    model_config = ConfigDict(extra="ignore")
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    path: str = Field(max_length=2000, description="With the namespace: `/cocart/v2/cart`.")
    body: Annotated[
        dict[str, Any],
        BeforeValidator(
            as_given_object, json_schema_input_type=dict[str, Any] | EmptyObject | None
        ),
    ] = Field(default_factory=dict)
    headers: Annotated[
        dict[str, str | list[str]],
        BeforeValidator(
            as_given_object, json_schema_input_type=dict[str, Any] | EmptyObject | None
        ),
    ] = Field(default_factory=dict, max_length=50)


class BatchIn(BaseModel):
    model_config = ConfigDict(extra="ignore")
    requests: list[PartIn] = Field(min_length=1, max_length=MOST)
    validation: Literal["normal", "require-all-validate"] = Field(
        "normal", description="`require-all-validate`: nothing is done unless all are well-formed."
    )


class ReplyOut(BaseModel):
    status: int
    headers: dict[str, str]
    body: Any


class RepliesOut(BaseModel):
    """The answers one by one, in the order of the requests."""

    responses: list[ReplyOut | None]
    failed: Literal["validation"] | None = Field(
        None, description="Nothing was done; `responses` has what is wrong, null where nothing is."
    )


_REPLIES: dict[int | str, dict[str, Any]] = {
    207: {"model": RepliesOut, "description": "The answers one by one."}
}


@router.post("/cocart/batch", response_model=CartOut, responses={**_REPLIES, **errors(*WRITING)})
async def batch(body: BatchIn, request: Request) -> Response:
    """Up to 25 requests for one cart, one after another. When all are about the cart and all
    succeed, the answer is the cart after the last, with the notices of all; else 207 with every
    answer."""
    replies = await _carried_out(request, body)
    if isinstance(replies, Response):
        return replies
    told = [reply for _, reply in replies]
    if all(reply.status < 300 and _about_cart(part) for part, reply in replies):
        parts = _Parts(request, told)
        cart = await parts.send(_Part("GET", _CART, _shaping(request), b"", {}), UNCOUNTED)
        if cart.status == 200:
            return _merged(cart, told)
    return _each(told)


@router.post("/batch/v1", status_code=207, response_model=RepliesOut, responses=errors(*WRITING))
async def platform_batch(body: BatchIn, request: Request) -> Response:
    """The platform's own shape: writes only, and always 207 with every answer."""
    for index, part in enumerate(body.requests):
        if part.method == "GET":
            raise _wrong(index, "method", "is POST, PUT, PATCH or DELETE")
    replies = await _carried_out(request, body)
    return replies if isinstance(replies, Response) else _each([reply for _, reply in replies])


@dataclass(frozen=True, slots=True)
class _Part:
    method: str
    path: str
    query: str
    body: bytes
    headers: Mapping[str, str]


async def _carried_out(request: Request, body: BatchIn) -> list[tuple[_Part, Reply]] | Response:
    """The parts with their answers; or the answer of a batch that is not carried out."""
    if request.scope.get(WITHIN):
        raise NotInBatch
    # Credentials that are sent must be right, also where no part needs any. Limits count the parts,
    # each as what it is: a full batch is as many requests as it has parts.
    caller, shop = await visit(request, None)
    await ticket(request, "batch", lambda replies: replies)
    parts = [_part(request, index, part) for index, part in enumerate(body.requests)]
    if body.validation == "require-all-validate":
        rehearsed = [await _Parts(request).send(part, REHEARSAL) for part in parts]
        if any(reply.status >= 300 for reply in rehearsed):
            await admit(request, shop, caller, Operation.OTHER)
            return _each(
                [reply if reply.status >= 300 else None for reply in rehearsed],
                failed="validation",
            )
    sender = _Parts(request)
    return [(part, await sender.send(part)) for part in parts]


def _part(request: Request, index: int, sent: PartIn) -> _Part:
    """A part as it will be asked; ParameterInvalid when it brings credentials of its own."""
    route, _, query = sent.path.partition("?")
    route = unquote(route.removeprefix("/wp-json"))
    if not route.startswith("/cocart/"):
        raise _wrong(index, "path", "starts with /cocart/")
    if query.count("&") >= _MOST_PARAMETERS:
        raise _wrong(index, "path", "has too many parameters")
    pairs = parse_qsl(query, keep_blank_values=True)
    if any(name in _ONCE_PARAMETERS for name, _ in pairs):
        raise _wrong(index, "path", "has credentials or a cart key: send them with the batch")
    headers: dict[str, str] = {}
    for name, value in sent.headers.items():
        if name.lower() in _ONCE_HEADERS:
            raise _wrong(
                index, "headers", "has credentials or a cart key: send them with the batch"
            )
        if name.lower() in _OWN_HEADERS:
            headers[name.lower()] = value if isinstance(value, str) else ",".join(value)
    if sent.method != "GET" and "idempotency-key" not in headers:
        headers |= _own_key(request, index)
    content = b""
    if sent.method == "GET":
        pairs += forms.spelled(sent.body)
        if len(pairs) > _MOST_PARAMETERS:
            raise _wrong(index, "body", "has too many parameters")
    elif sent.body:
        content = orjson.dumps(sent.body)
    return _Part(sent.method, f"/wp-json{route}", urlencode(pairs), content, headers)


def _own_key(request: Request, index: int) -> dict[str, str]:
    """A batch that is sent again with its Idempotency-Key repeats none of its parts."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return {}
    digest = hashlib.sha256(f"{index} {key}".encode()).hexdigest()
    return {"idempotency-key": f"batch-{digest}"}


def _wrong(index: int, field: str, reason: str) -> ParameterInvalid:
    name = f"requests.{index}.{field}"
    return ParameterInvalid(f"Invalid parameter(s): {name}.", data={"params": {name: reason}})


def _shaping(request: Request) -> str:
    """What the batch's query says about the cart that is to be shown."""
    pairs = request.query_params.multi_items()
    return urlencode([pair for pair in pairs if pair[0] not in _ONCE_PARAMETERS])


class _Parts:
    """Sends parts one after another, each for the cart of the one before."""

    def __init__(self, request: Request, before: Sequence[Reply] = ()) -> None:
        self._request = request
        self._headers = [
            (name, value) for name, value in request.scope["headers"] if name not in _NOT_PASSED_ON
        ]
        self._once = [
            (name, value)
            for name, value in request.query_params.multi_items()
            if name in _ONCE_PARAMETERS
        ]
        for reply in before:
            self._take_over(reply)

    async def send(self, part: _Part, *marks: str) -> Reply:
        query = "&".join(filter(None, (part.query, urlencode(self._once))))
        headers = [
            *self._headers,
            *((name.encode(), value.encode()) for name, value in part.headers.items()),
        ]
        if part.body:
            headers.append((b"content-type", b"application/json"))
        reply = await ask(
            self._request,
            part.method,
            part.path,
            query,
            headers,
            part.body,
            dict.fromkeys((WITHIN, *marks), True),
        )
        self._take_over(reply)
        return reply

    def _take_over(self, reply: Reply) -> None:
        """The cart that an answer speaks of is the cart from here on."""
        key = reply.headers.get("cart-key")
        if key:
            spellings = (b"cart-key", b"cocart-api-cart-key")
            kept = [pair for pair in self._headers if pair[0] not in spellings]
            self._headers = [*kept, (b"cart-key", key.encode())]


def _about_cart(part: _Part) -> bool:
    """Whether the cart after it says what came of the part; of a link, it does not."""
    return part.path == _CART or (part.path.startswith(f"{_CART}/") and part.path != _CART_LINK)


def _merged(cart: Reply, told: Sequence[Reply]) -> Response:
    """The cart with the notices of every answer."""
    body = cart.json()
    if isinstance(body, dict) and "notices" in body:
        notices: dict[str, list[str]] = {}
        for reply in told:
            said = reply.json()
            found = said.get("notices") if isinstance(said, dict) else None
            for kind, texts in (found or {}).items():
                notices.setdefault(kind, []).extend(texts)
        body["notices"] = notices or []
    return Response(dump(body), 200, {**_standing(told), **_shown(cart.headers), **PRIVATE}, JSON)


def _each(replies: Sequence[Reply | None], failed: str = "") -> Response:
    body: dict[str, Any] = {"failed": failed} if failed else {}
    body["responses"] = [
        reply and {"status": reply.status, "headers": _shown(reply.headers), "body": reply.json()}
        for reply in replies
    ]
    headers = {**PRIVATE, **_standing([reply for reply in replies if reply])}
    keys = [reply.headers["cart-key"] for reply in replies if reply and "cart-key" in reply.headers]
    if keys:
        headers |= {"Cart-Key": keys[-1], "CoCart-API-Cart-Key": keys[-1]}
    return Response(dump(body), 207, headers, JSON)


def _standing(told: Sequence[Reply]) -> dict[str, str]:
    """How the caller stands after the last part, and how long to wait when one was too many."""
    last = told[-1].headers if told else {}
    return {
        name: value
        for name, value in last.items()
        if name.startswith("ratelimit-") or name == "retry-after"
    }


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    """Of a part's headers, those that say something about its answer."""
    return {
        name: value
        for name, value in headers.items()
        if name not in _NOT_SHOWN and not name.startswith("access-control-")
    }
