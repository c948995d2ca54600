"""Every error in one envelope: {code, message, data: {status, …}} (contract README 4.1).

Nothing of the input is repeated but the names of fields; faults of ours say nothing about us.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from checkstand.errors import (
    CheckoutInvalid,
    MethodNotAllowed,
    NoSuchRoute,
    ParameterInvalid,
    ParameterMissing,
    Refusal,
)
from checkstand.http.answers import JSON, PRIVATE, dump
from checkstand.storage.idempotency import Replay

_HARMLESS = re.compile(r"[\w-]{1,60}", re.ASCII)


def refusal_response(
    refusal: Refusal,
    *,
    code: str = "",
    status: int = 0,
    data: Mapping[str, Any] | None = None,
) -> Response:
    """The envelope of a refusal; a presenter may say another code, status and data."""
    if not code:
        code = refusal.wire_code if isinstance(refusal, CheckoutInvalid) else refusal.code
    status = status or refusal.status
    data = {"status": status, **(refusal.data if data is None else data)}
    headers = dict(PRIVATE)
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
        data["retry_after"] = refusal.retry_after
    body = {"code": code, "message": refusal.message, "data": data}
    return Response(dump(body), status, headers, JSON)


def install(app: FastAPI) -> None:
    """Sets the handlers for refusals and framework errors; the edge answers for the rest."""

    @app.exception_handler(Refusal)
    async def _refused(request: Request, refusal: Refusal) -> Response:
        return refusal_response(refusal)

    @app.exception_handler(Replay)
    async def _replayed(request: Request, replay: Replay) -> Response:
        headers = {**PRIVATE, "Idempotency-Replayed": "true"}
        if replay.cart_key and "/cart" in request.url.path:
            headers |= {"Cart-Key": replay.cart_key, "CoCart-API-Cart-Key": replay.cart_key}
        return Response(replay.response, 200, headers, JSON)

    @app.exception_handler(RequestValidationError)
    async def _malformed(request: Request, error: RequestValidationError) -> Response:
        return refusal_response(parameter_refusal(error.errors(), error.body))

    @app.exception_handler(HTTPException)
    async def _framework(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return refusal_response(NoSuchRoute())
        if error.status_code == 405:
            response = refusal_response(MethodNotAllowed())
            response.headers["Allow"] = ", ".join(_allowed(request))
            return response
        body = {
            "code": "rest_error",
            "message": "The request could not be read.",
            "data": {"status": error.status_code},
        }
        return Response(dump(body), error.status_code, PRIVATE, JSON)


def _allowed(request: Request) -> list[str]:
    """Every method of the path; the framework's own Allow names those of one route only."""
    return [
        method
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]


def parameter_refusal(errors: Sequence[Any], body: Any = None) -> Refusal:
    """What pydantic found, as the platform says it: names of what is missing, else what is wrong
    with each field (contract README 4.1)."""
    missing = [_name(error, body) for error in errors if error["type"] == "missing"]
    if missing:
        return ParameterMissing(
            f"Missing parameter(s): {', '.join(missing)}.", data={"params": missing}
        )
    params: dict[str, str] = {}
    details: dict[str, dict[str, str]] = {}
    for error in errors:
        name = _name(error, body)
        params.setdefault(name, _explanation(error))
        details.setdefault(name, {"code": "rest_invalid_type", "message": params[name]})
    names = ", ".join(params)
    return ParameterInvalid(
        f"Invalid parameter(s): {names}.", data={"params": params, "details": details}
    )


def _name(error: Any, body: Any) -> str:
    """The dotted name of a field, without where it was sent. Pydantic's names for the branches of
    a union are left out, and what a client used as a key is shown only when it is harmless."""
    where, *parts = error["loc"]
    if where == "body":
        parts = _sent(parts, body, keep_last=error["type"] == "missing")
    shown = [str(part) if _HARMLESS.fullmatch(str(part)) else "…" for part in parts[:6]]
    return ".".join(shown) or "body"


def _sent(parts: Sequence[Any], body: Any, *, keep_last: bool) -> list[Any]:
    """The parts of a location that lead through `body`."""
    found = []
    for index, part in enumerate(parts):
        inside = (
            part in body
            if isinstance(body, dict)
            else isinstance(body, list) and part in range(len(body))
        )
        if inside:
            body = body[part]
        if inside or (keep_last and index == len(parts) - 1):
            found.append(part)
    return found


def _explanation(error: Any) -> str:
    """Pydantic's words, unless they repeat what was sent."""
    message = str(error["msg"]).removeprefix("Value error, ")
    return message if "input" not in error["type"] and len(message) <= 200 else "is not valid"
