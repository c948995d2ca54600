"""The route of the store itself (contract v2-products-store-sessions.md 10)."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response

import checkstand
from checkstand.http.answers import answer
from checkstand.http.describe import READING, errors
from checkstand.http.requests import JSON_ROUTES, visit

_V2 = "/wp-json/cocart/v2"
router = APIRouter(prefix=_V2, tags=["store v2"], **JSON_ROUTES)


class StoreAddressOut(BaseModel):
    model_config = ConfigDict(extra="forbid")
    address: str
    address_2: str
    city: str
    state: str
    postcode: str
    country: str


class StoreOut(BaseModel):
    model_config = ConfigDict(extra="forbid")
    version: str = ""
    title: str = ""
    description: str = ""
    home_url: str = ""
    language: str = ""
    gmt_offset: str = ""
    timezone_string: str = ""
    store_address: StoreAddressOut = None  # type: ignore[assignment]
    routes: dict[str, str] = {}
    store_name: str = ""
    store_description: str = ""
    store_url: str = ""


@router.get("/store", response_model=StoreOut, responses=errors(*READING))
async def read_store(request: Request) -> Response:
    """The store, and which routes of this version it has."""
    _, shop = await visit(request)
    profile, home = shop.profile, shop.profile.address
    body = {
        "version": checkstand.__version__,
        "title": profile.name,
        "description": profile.description,
        "home_url": profile.base_url,
        "language": profile.language,
        "gmt_offset": gmt_offset(shop.carts.clock.now(), profile.timezone),
        "timezone_string": profile.timezone,
        "store_address": {
            "address": home.address_1,
            "address_2": home.address_2,
            "city": home.city,
            "state": home.state,
            "postcode": home.postcode,
            "country": home.country,
        },
        "routes": routes(request.app),
        # What the TypeScript SDK's types call them.
        "store_name": profile.name,
        "store_description": profile.description,
        "store_url": profile.base_url,
    }
    return answer(request, body)


def gmt_offset(now: datetime, timezone: str) -> str:
    """Hours that the store's clocks are ahead of UTC now: "-8", "5.5"."""
    ahead = now.astimezone(ZoneInfo(timezone)).utcoffset()
    assert ahead is not None, "a zone has an offset at every moment"
    return f"{ahead.total_seconds() / 3600:g}"


def routes(app: FastAPI) -> dict[str, str]:
    """Path -> what it is, for every path of v2 that this app has."""
    found: dict[str, str] = {}
    for route in app.router.routes:
        # Older spellings of clients are served, and not told.
        if isinstance(route, APIRoute) and route.include_in_schema and route.path.startswith(_V2):
            first = (route.endpoint.__doc__ or "").partition("\n")[0]
            found.setdefault(route.path_format.removeprefix(_V2), first)
    return found
