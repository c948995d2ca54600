"""Consumer keys: making, rotating, revoking, and how they are used."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from checkstand.access.key_store import StoredKey, Terms
from checkstand.access.keys import NewKey
from checkstand.access.principal import Dialect, KeyKind, Permission
from checkstand.http.answers import answer
from checkstand.http.describe import READING, WRITING, errors
from checkstand.http.requests import JSON_ROUTES, visit

router = APIRouter(prefix="/wp-json/checkstand/v1/admin", tags=["admin"], **JSON_ROUTES)

KeyId = Annotated[int, Path(ge=1, le=2**63 - 1, description="The key's number.")]
Short = Annotated[str, Field(max_length=300)]


class KeyIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=200, description="What the key is for.")
    owner: str = Field("", max_length=200, description="Who answers for it.")
    permission: Permission = Permission.READ_WRITE
    dialect: Dialect | None = None
    kind: KeyKind = KeyKind.SECRET
    origins: list[Short] = Field([], max_length=50, description="Pages that may use it.")
    networks: list[Short] = Field([], max_length=50, description="Where it may be used from.")
    expires_at: datetime | None = Field(None, description="With a time zone.")

    def terms(self) -> Terms:
        return Terms(
            name=self.name,
            permission=self.permission,
            dialect=self.dialect,
            kind=self.kind,
            owner=self.owner,
            origins=tuple(self.origins),
            networks=tuple(self.networks),
            expires_at=self.expires_at,
        )


def _not_boolean(value: object) -> object:
    """`false` is no time: it would end the key at once."""
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


class RotateIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    overlap_seconds: Annotated[int, BeforeValidator(_not_boolean)] = Field(
        86_400, ge=0, le=7_776_000, description="How long the old key still works."
    )


class KeyOut(BaseModel):
    id: int
    name: str
    owner: str
    kind: KeyKind
    permission: Permission
    dialect: Dialect | None
    origins: list[str]
    networks: list[str]
    key_ends_in: str
    state: str = Field(description="`active`, `rotating`, `expired` or `revoked`.")
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None
    successor_id: int | None


class NewKeyOut(BaseModel):
    id: int
    consumer_key: str
    consumer_secret: str = Field(description="Shown this once; empty for a publishable key.")


class RotatedOut(NewKeyOut):
    old_key_ends_at: str


class EndedOut(BaseModel):
    revoked: bool


class UsageOut(BaseModel):
    day: str
    route: str
    requests: int
    failures: int
    limited: int
    last_at: str


@router.get("/keys", response_model=list[KeyOut], responses=errors(*READING))
async def list_keys(request: Request) -> Response:
    """All keys, without secrets."""
    caller, shop = await visit(request)
    found = await shop.guards.keys.every(caller)
    return answer(request, [_shown(stored, state) for stored, state in found])


@router.post("/keys", response_model=NewKeyOut, responses=errors(*WRITING))
async def create_key(body: KeyIn, request: Request) -> Response:
    """A new key. Its secret is shown this once."""
    caller, shop = await visit(request)
    return answer(request, _new(await shop.guards.keys.create(caller, body.terms())))


@router.post("/keys/{key_id}/rotate", response_model=RotatedOut, responses=errors(*WRITING, 404))
async def rotate_key(key_id: KeyId, request: Request, body: RotateIn | None = None) -> Response:
    """A successor on the same terms; both work until the old one ends."""
    caller, shop = await visit(request)
    overlap = timedelta(seconds=(body or RotateIn()).overlap_seconds)
    made, ends_at = await shop.guards.keys.rotate(caller, key_id, overlap)
    return answer(request, {**_new(made), "old_key_ends_at": _time(ends_at)})


@router.delete("/keys/{key_id}", response_model=EndedOut, responses=errors(*WRITING, 404))
async def revoke_key(key_id: KeyId, request: Request) -> Response:
    """Ends a key at once."""
    caller, shop = await visit(request)
    await shop.guards.keys.revoke(caller, key_id)
    return answer(request, {"revoked": True})


@router.get("/keys/{key_id}/usage", response_model=list[UsageOut], responses=errors(*READING, 404))
async def read_usage(
    key_id: KeyId,
    request: Request,
    days: Annotated[int, Query(ge=1, le=400, description="How many days, today included.")] = 30,
) -> Response:
    """How often a key was used, by day (UTC) and route."""
    caller, shop = await visit(request)
    found = await shop.guards.keys.usage(caller, key_id, days)
    body = [
        {
            "day": each.day.isoformat(),
            "route": each.route,
            "requests": each.requests,
            "failures": each.failures,
            "limited": each.limited,
            "last_at": _time(each.last_at),
        }
        for each in found
    ]
    return answer(request, body)


def _new(made: NewKey) -> dict[str, Any]:
    return {
        "id": made.id,
        "consumer_key": made.consumer_key,
        "consumer_secret": made.consumer_secret,
    }


def _shown(stored: StoredKey, state: str) -> dict[str, Any]:
    key = stored.key
    return {
        "id": key.id,
        "name": key.name,
        "owner": key.owner,
        "kind": key.kind.value,
        "permission": key.permission.value,
        "dialect": key.dialect.value if key.dialect else None,
        "origins": sorted(key.origins),
        "networks": [str(network) for network in key.networks],
        "key_ends_in": stored.tail,
        "state": state,
        "created_at": _time(stored.created_at),
        "expires_at": _time(key.expires_at),
        "revoked_at": _time(stored.revoked_at),
        "last_used_at": _time(stored.last_used_at),
        "successor_id": stored.successor_id,
    }


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
