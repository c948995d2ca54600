"""What OpenAPI says beyond the schemas: the error envelope, and only statuses that are sent."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

import checkstand
from checkstand.http.inputs import TRUTHS

_MEANING = {
    400: "Something in the request is wrong; `code` and `data` say what.",
    401: "Credentials are missing or wrong, or there is no cart key.",
    403: "Not allowed to this caller, or by a rule of the product.",
    404: "There is no such thing, or the product is out of stock.",
    405: "A quantity rule is broken.",
    409: "Another request is at this cart, or the total has changed.",
    410: "It was there, and is over.",
    413: "The body is too large.",
    415: "The body is neither JSON nor a form in UTF-8.",
    422: "The Idempotency-Key was used with another body.",
    429: "Too many requests, or too many declined payments; see Retry-After.",
    500: "A fault of ours.",
    503: "The database cannot be reached; nothing was changed.",
}
READING = (400, 401, 403, 415, 429, 500, 503)
SIGNING = (400, 401, 403, 409, 413, 415, 429, 500, 503)
"""Changes of an account, which take no Idempotency-Key: a stored answer would hold secrets."""
WRITING = (400, 401, 403, 409, 413, 415, 422, 429, 500, 503)


class ErrorData(BaseModel):
    model_config = ConfigDict(extra="allow")
    status: int = Field(description="The HTTP status again.")


class ErrorEnvelope(BaseModel):
    """Every error, whatever its cause."""

    model_config = ConfigDict(extra="forbid")
    code: str
    message: str
    data: ErrorData


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these errors."""
    return {
        status: {"model": ErrorEnvelope, "description": _MEANING[status]}
        for status in sorted(set(statuses))
    }


def operation_id(route: APIRoute) -> str:
    """What generated clients call a route: `get_v2_products_by_reference`."""
    words = [method.lower() for method in sorted(route.methods or ())]
    for part in route.path.removeprefix("/wp-json").removeprefix("/cocart").strip("/").split("/"):
        named = re.fullmatch(r"\{(\w+)(:\w+)?\}", part)
        words += ["by", named[1]] if named else re.findall(r"\w+", part)
    return "_".join(words)


def install(app: FastAPI) -> None:
    """Makes `app.openapi()` truthful: FastAPI's own 422 is never sent by this server."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title="Checkstand",
                version=checkstand.__version__,
                summary="A headless cart and checkout that speaks the CoCart REST API.",
                routes=app.routes,
            )
            _drop_unsent(schema)
            _name_dialects(schema)
            _add_credentials(schema)
            _add_parameters(schema)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _drop_unsent(schema: dict[str, Any]) -> None:
    for path in schema.get("paths", {}).values():
        for operation in path.values():
            described = operation.get("responses", {}).get("422", {})
            if "HTTPValidationError" in str(described):
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        schema.get("components", {}).get("schemas", {}).pop(name, None)


_CHECKOUT = "/wp-json/cocart/preview/checkout"
_V2_CHECKOUT = "/wp-json/cocart/v2/checkout"
_PROCESS = {
    "title": "Process",
    "body": {"$ref": "#/components/schemas/ProcessIn"},
    "answer": {"$ref": "#/components/schemas/ProcessedOut"},
}
_UPDATE = {
    "title": "Update",
    "body": {"$ref": "#/components/schemas/UpdateIn"},
    "answer": {"$ref": "#/components/schemas/UpdatedOut"},
}


def _name_dialects(schema: dict[str, Any]) -> None:
    """POST and PUT of the checkout mean opposite things in the two dialects: both bodies and both
    answers are shown, each under its dialect's name (DECISIONS 7)."""
    for verb, meanings in (
        ("post", (("reference", _PROCESS), ("tutorial", _UPDATE))),
        ("put", (("reference", _UPDATE), ("tutorial", _PROCESS))),
    ):
        operation = schema["paths"][_CHECKOUT][verb]
        for part, place in (
            ("body", operation["requestBody"]),
            ("answer", operation["responses"]["200"]),
        ):
            place["content"]["application/json"]["schema"] = {
                "anyOf": [
                    {"title": f"{what['title']} ({dialect} dialect)", "allOf": [what[part]]}
                    for dialect, what in meanings
                ]
            }


_SCHEMES = {
    "CartKey": {
        "type": "apiKey",
        "in": "header",
        "name": "Cart-Key",
        "description": "Selects a guest's cart. `CoCart-API-Cart-Key` and the query parameter "
        "`cart_key` are other spellings.",
    },
    "ConsumerKey": {
        "type": "http",
        "scheme": "basic",
        "description": "A consumer key and its secret, or an account's user name and password. "
        "Or send the pair as `consumer_key` and `consumer_secret` in the query.",
    },
    "Token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "From `/v2/login`, as `extras.jwt_token`.",
    },
    "ConsumerKeyQuery": {"type": "apiKey", "in": "query", "name": "consumer_key"},
    "ConsumerSecretQuery": {"type": "apiKey", "in": "query", "name": "consumer_secret"},
}
_CHECKOUT_CREDENTIALS: list[dict[str, list[str]]] = [
    {"CartKey": [], "ConsumerKey": []},
    {"CartKey": [], "ConsumerKeyQuery": [], "ConsumerSecretQuery": []},
    {"ConsumerKey": []},
    {"Token": []},
]
_OTHER_CREDENTIALS: list[dict[str, list[str]]] = [
    {},
    {"CartKey": []},
    {"ConsumerKey": []},
    {"Token": []},
]
_ACCOUNT_CREDENTIALS: list[dict[str, list[str]]] = [{"ConsumerKey": []}, {"Token": []}]
_NO_CREDENTIALS: list[dict[str, list[str]]] = [{}]
_ADMIN = "/wp-json/checkstand/v1/admin"
_BACK_OFFICE = (
    *(f"{_ADMIN}/{name}" for name in ("keys", "alerts", "audit", "shield")),
    "/wp-json/cocart/v2/session",
)
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "1 to 255 printable characters. The same request sent again with it is carried "
    "out once, and answered as before for 48 hours.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "pattern": "^[!-~]([ -~]{0,253}[!-~])?$",
    },
}


def _add_credentials(schema: dict[str, Any]) -> None:
    """Who may call what (DECISIONS 1), and the header that every change takes."""
    schema.setdefault("components", {})["securitySchemes"] = _SCHEMES
    for path, operations in schema["paths"].items():
        for verb, operation in operations.items():
            operation["security"] = _credentials(path, verb)
            if (
                verb != "get"
                and (
                    path.startswith((_CHECKOUT, _V2_CHECKOUT, _CART))
                    or path.endswith(("/pay", "/batch", "/batch/v1"))
                )
                and not path.endswith(("payment-context", "/cart/link"))
            ):
                operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)


def _credentials(path: str, verb: str) -> list[dict[str, list[str]]]:
    if path.startswith(_BACK_OFFICE):
        return [{"ConsumerKey": []}]
    if path.startswith((_CHECKOUT, _V2_CHECKOUT)) and not path.endswith("/config"):
        return _CHECKOUT_CREDENTIALS
    if path.endswith(("/register", "-password", "/refresh-token", "/verify-email")) and (
        not path.endswith("/change-password")
    ):
        return _NO_CREDENTIALS
    if path.endswith("/validate-token"):
        return [{"Token": []}]
    if "/my-account" in path:
        for_guests = verb == "get" and "{order_id}" in path
        return [{}, *_ACCOUNT_CREDENTIALS] if for_guests else _ACCOUNT_CREDENTIALS
    return _OTHER_CREDENTIALS


def _parameter(name: str, place: str, text: str, **schema: Any) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": False,
        "description": text,
        "schema": {"type": "string", **schema},
    }


_CART = "/wp-json/cocart/v2/cart"
_IMAGES = (f"{_CART}/items", f"{_CART}/item/{{item_key}}")
_CART_KEY = _parameter("cart_key", "query", "The cart key; the Cart-Key header wins over it.")
_THUMB = _parameter(
    "thumb",
    "query",
    "`false`: no image addresses.",
    enum=list(TRUTHS),
)
_FORMATTED = _parameter(
    "formatted",
    "query",
    "`true`: amounts as people read them instead of minor units.",
    enum=["true", "false", "1", "0", "yes", "no", "on", "off"],
)
_RAW = _parameter(
    "default",
    "query",
    "`true`: the lines as the engine has them, by item key, instead of the cart.",
    enum=["true", "false", "1", "0", "yes", "no", "on", "off"],
)
_FIELDS = _parameter(
    "fields", "query", "Members to build: `currency,totals:subtotal-total`.", maxLength=500
)
_EXPLAIN = _parameter(
    "explain",
    "query",
    "`1` adds `explanation`: how every total came about, in minor units. For who holds a consumer "
    "key that may read.",
    enum=list(TRUTHS),
)
_DIALECT = _parameter(
    "Checkstand-Dialect",
    "header",
    "`reference` (POST processes) or `tutorial` (PUT processes); the consumer key's own dialect "
    "wins over it.",
    enum=["reference", "tutorial"],
)


def _add_parameters(schema: dict[str, Any]) -> None:
    """What many routes read by themselves: FastAPI would take longer to look at each of these than
    the database takes to find a cart."""
    for path, operations in schema["paths"].items():
        for verb, operation in operations.items():
            more: list[dict[str, Any]] = []
            if path.startswith((_CART, _CHECKOUT, _V2_CHECKOUT)):
                more.append(_CART_KEY)
            if "CartOut" in str(operation["responses"].get("200")):
                more += [_THUMB, _FIELDS, _FORMATTED]
            elif path in _IMAGES and verb == "get":
                more += [_THUMB, _FORMATTED]
            if verb == "get" and path == _CART:
                more.append(_RAW)
            if verb == "get" and path in (f"{_CART}", _CHECKOUT, _V2_CHECKOUT):
                more.append(_EXPLAIN)
            if path == _CHECKOUT and verb != "get":
                more.append(_DIALECT)
            if more:
                operation.setdefault("parameters", []).extend(more)
