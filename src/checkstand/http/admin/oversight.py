"""Alerts and the audit log."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from checkstand.http.answers import answer
from checkstand.http.describe import READING, errors
from checkstand.http.requests import JSON_ROUTES, visit

router = APIRouter(prefix="/wp-json/checkstand/v1/admin", tags=["admin"], **JSON_ROUTES)

Before = Annotated[
    int, Query(ge=1, le=2**63 - 1, description="Only those with a smaller `id`, for paging.")
]
Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]
Wanted = Annotated[
    str, Query(max_length=100, pattern=r"^[ -~]*$", description="Only these; empty: all.")
]
LAST = 2**63 - 1


class AlertOut(BaseModel):
    id: int
    topic: str = Field(description="`key.failures`, `key.limited`, `key.new_network`, …")
    subject: str
    detail: dict[str, Any]
    created_at: str


class AuditOut(BaseModel):
    position: int | None = Field(description="Place in the chain; null for a few seconds.")
    id: int
    at: str
    actor: str
    action: str
    subject: str
    request_id: str
    detail: dict[str, Any]
    personal: dict[str, Any] | None = Field(description="Null when there was none, or erased.")
    salt: str | None
    personal_digest: str
    hash: str | None


class DecisionOut(BaseModel):
    id: int
    at: str
    verdict: str = Field(description="`allowed`, `challenged`, `refused` or `would_refuse`.")
    mode: str
    gateway: str
    request_id: str
    counts: dict[str, dict[str, int]] = Field(
        description="Declines, charges under way, limit and seconds of each budget looked at."
    )
    reason: str


@router.get("/alerts", response_model=list[AlertOut], responses=errors(*READING))
async def read_alerts(request: Request, before: Before = LAST, limit: Limit = 50) -> Response:
    """What was unusual, the latest first."""
    caller, shop = await visit(request)
    found = await shop.guards.oversight.alerts(caller, before, limit)
    body = [
        {
            "id": each.id,
            "topic": each.topic,
            "subject": each.subject,
            "detail": each.detail,
            "created_at": each.created_at.isoformat(),
        }
        for each in found
    ]
    return answer(request, body)


@router.get("/audit", response_model=list[AuditOut], responses=errors(*READING))
async def read_audit(
    request: Request,
    before: Before = LAST,
    limit: Limit = 50,
    action: Wanted = "",
    subject: Wanted = "",
) -> Response:
    """The audit log, the latest first. That it was read is an entry too."""
    caller, shop = await visit(request)
    found = await shop.guards.oversight.entries(caller, before, limit, action, subject)
    return answer(request, [entry.as_json() for entry in found])


@router.get("/shield/decisions", response_model=list[DecisionOut], responses=errors(*READING))
async def read_decisions(request: Request, before: Before = LAST, limit: Limit = 50) -> Response:
    """What the card-testing shield decided and why, the latest first. Charges of whom nothing was
    ever declined are not listed."""
    caller, shop = await visit(request)
    found = await shop.guards.decisions(caller, before, limit)
    return answer(request, [{**asdict(each), "at": each.at.isoformat()} for each in found])
