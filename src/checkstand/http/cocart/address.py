"""Address look-up, the same under v2 and preview but for a few error codes (contract v2-checkout.md
8, checkout.md 8). Public: no cart and no key are needed."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from checkstand.access.principal import Caller
from checkstand.customers.lookup.provider import AddressProvider, Suggestion
from checkstand.errors import (
    AddressCountryNotSupported,
    AddressIdRequired,
    AddressQueryTooShort,
    NoAddressProvider,
    ParameterInvalid,
    ParameterMissing,
    PreviewAddressCountryNotSupported,
    PreviewNoAddressProvider,
    QueryInvalid,
    Refusal,
)
from checkstand.http.answers import answer
from checkstand.http.cocart.v2.parameters import Parameter, documented, read
from checkstand.http.describe import READING, errors
from checkstand.http.requests import JSON_ROUTES, visit
from checkstand.wiring import Shop

router = APIRouter(tags=["address"], **JSON_ROUTES)

_V2, _PREVIEW = "/wp-json/cocart/v2", "/wp-json/cocart/preview"
_QUERY = Parameter("query", "string", "What was typed so far; at least 3 characters.")
_COUNTRY = Parameter("country", "string", "ISO 3166-1 alpha-2; else the cart's, else the store's.")
_TYPE = Parameter(
    "type", "choice", "Which address is asked for.", "billing", choices=("billing", "shipping")
)
_PROVIDER = Parameter("provider", "string", "The provider's id.")
_ADDRESS_ID = Parameter("address_id", "string", "The id of a suggestion.")
_SEARCH = (_QUERY, _COUNTRY, _TYPE, _PROVIDER)
_DETAILS = (_ADDRESS_ID, _PROVIDER)


class ProviderOut(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: str
    name: str


class Matched(BaseModel):
    model_config = ConfigDict(extra="forbid")
    offset: int
    length: int


class SuggestionOut(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: str
    label: str
    matched_substrings: list[Matched]


class SearchOut(BaseModel):
    model_config = ConfigDict(extra="forbid")
    suggestions: list[SuggestionOut] = []
    count: int = 0
    provider: ProviderOut = None  # type: ignore[assignment]
    search_country: str = ""
    query: str = ""


class AddressOut(BaseModel):
    model_config = ConfigDict(extra="forbid")
    address_1: str
    address_2: str
    city: str
    state: str
    postcode: str
    country: str


class DetailsOut(BaseModel):
    model_config = ConfigDict(extra="forbid")
    address: AddressOut = None  # type: ignore[assignment]
    provider: ProviderOut = None  # type: ignore[assignment]


async def _search(request: Request) -> Response:
    caller, shop = await visit(request)
    said = read(request, _SEARCH)
    country = (said["country"] or await _likely(caller, shop, said["type"])).upper()
    if len(country) != 2 or not country.isascii() or not country.isalpha():
        reason = {"country": "is not a two-letter ISO 3166-1 code"}
        raise QueryInvalid("Invalid parameter(s): country.", data={"params": reason})
    query = said["query"] or ""
    provider, found = await shop.addresses.search(query, country, said["provider"] or "")
    body = {
        "suggestions": [_suggestion(each) for each in found],
        "count": len(found),
        "provider": _provider(provider),
        "search_country": country,
        "query": query,
    }
    return answer(request, body)


async def _details(request: Request) -> Response:
    _, shop = await visit(request)
    said = read(request, _DETAILS)
    provider, found = await shop.addresses.details(said["address_id"] or "", said["provider"] or "")
    parts = ("address_1", "address_2", "city", "state", "postcode", "country")
    body = {
        "address": {part: getattr(found, part) for part in parts},
        "provider": _provider(provider),
    }
    return answer(request, body)


async def _likely(caller: Caller, shop: Shop, kind: str) -> str:
    """The country of the caller's cart (an account's addresses are in it), else the store's."""
    seen = await shop.carts.find(caller)
    if seen is not None:
        address = seen.cart.ships_to if kind == "shipping" else seen.cart.billing
        if address.country:
            return address.country
    return shop.rules.place.country or "US"


def _suggestion(found: Suggestion) -> dict[str, Any]:
    return {
        "id": found.id,
        "label": found.label,
        "matched_substrings": [
            {"offset": offset, "length": length} for offset, length in found.matched
        ],
    }


def _provider(provider: AddressProvider) -> dict[str, str]:
    return {"id": provider.id, "name": provider.name}


# --- v2 -------------------------------------------------------------------------------------------


@router.get(
    f"{_V2}/address/search",
    response_model=SearchOut,
    responses=errors(*READING),
    openapi_extra=documented(*_SEARCH),
)
async def search_addresses(request: Request) -> Response:
    """Addresses that begin like what was typed."""
    return await _search(request)


@router.get(
    f"{_V2}/address/details",
    response_model=DetailsOut,
    responses=errors(*READING, 404),
    openapi_extra=documented(*_DETAILS),
)
async def read_address(request: Request) -> Response:
    """The whole address behind a suggestion."""
    return await _details(request)


# --- preview --------------------------------------------------------------------------------------


@router.get(
    f"{_PREVIEW}/address/search",
    response_model=SearchOut,
    responses=errors(*READING),
    openapi_extra=documented(*_SEARCH),
)
async def search_addresses_in_preview(request: Request) -> Response:
    """Addresses that begin like what was typed."""
    try:
        return await _search(request)
    except AddressQueryTooShort as refusal:
        raise _parameter("query", refusal) from None
    except AddressCountryNotSupported as refusal:
        raise PreviewAddressCountryNotSupported(refusal.message) from None
    except NoAddressProvider:
        raise PreviewNoAddressProvider from None
    except QueryInvalid as refusal:
        raise ParameterInvalid(refusal.message, data=refusal.data) from None


@router.get(
    f"{_PREVIEW}/address/details",
    response_model=DetailsOut,
    responses=errors(*READING, 404),
    openapi_extra=documented(*_DETAILS),
)
async def read_address_in_preview(request: Request) -> Response:
    """The whole address behind a suggestion."""
    try:
        return await _details(request)
    except AddressIdRequired as refusal:
        params = {"params": ["address_id"]}
        raise ParameterMissing(refusal.message, data=params) from None
    except QueryInvalid as refusal:
        raise ParameterInvalid(refusal.message, data=refusal.data) from None


def _parameter(name: str, refusal: Refusal) -> ParameterInvalid:
    return ParameterInvalid(
        f"Invalid parameter(s): {name}.", data={"params": {name: refusal.message}}
    )
