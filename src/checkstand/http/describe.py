"""What OpenAPI says beyond the schemas: the error envelope, and only statuses that are sent."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field

import checkstand

_MEANING = {
    400: "Something in the request is wrong; `code` and `data` say what.",
    401: "Credentials are missing or wrong, or there is no cart key.",
    403: "Not allowed to this caller, or by a rule of the product.",
    404: "There is no such thing, or the product is out of stock.",
    405: "A quantity rule is broken.",
    409: "Another request is at this cart, or the total has changed.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "The Idempotency-Key was used with another body.",
    500: "A fault of ours.",
    503: "The database cannot be reached; nothing was changed.",
}
READING = (400, 401, 403, 415, 500, 503)
WRITING = (400, 401, 403, 409, 413, 415, 422, 500, 503)


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
