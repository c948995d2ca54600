"""The routes of attributes, terms, categories, tags and brands (contract v2-products 5 and 6)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from checkstand.catalog.listing import Kind, TermQuery
from checkstand.errors import (
    AttributeIdInvalid,
    AttributeNotFound,
    BrandIdInvalid,
    BrandNotFound,
    CategoryIdInvalid,
    CategoryNotFound,
    Refusal,
    TagIdInvalid,
    TagNotFound,
    TermNotFound,
)
from checkstand.http.cocart.v2.conditional import Made, Pages, page_headers, respond
from checkstand.http.cocart.v2.parameters import Parameter, documented, read
from checkstand.http.cocart.v2.product_present import API
from checkstand.http.cocart.v2.product_query import PAGE, PER_PAGE, SKIP_CACHE
from checkstand.http.cocart.v2.product_schemas import (
    AttributeOut,
    CategoryOut,
    FlatTermOut,
    TermOut,
)
from checkstand.http.describe import READING, errors
from checkstand.http.requests import JSON_ROUTES, visit
from checkstand.wiring import Shop

router = APIRouter(prefix="/wp-json/cocart/v2", tags=["products v2"], **JSON_ROUTES)

Reference = Annotated[str, Path(min_length=1, max_length=200, description="An ID or a slug.")]
Number = Annotated[str, Path(min_length=1, max_length=30, description="An ID.")]
Present = Callable[[Mapping[str, Any], Shop], dict[str, Any]]

_ORDERS = ("id", "include", "name", "slug", "term_group", "description", "count")
_COMMON = (
    PAGE,
    PER_PAGE,
    Parameter("search", "string", "Part of the name."),
    Parameter("slug", "strings", "Exactly these slugs."),
    Parameter("include", "integers", "These IDs only."),
    Parameter("exclude", "integers", "None of these IDs."),
    Parameter("order", "choice", "Direction.", "asc", choices=("asc", "desc")),
    Parameter("orderby", "choice", "By what to sort.", "name", choices=_ORDERS),
    Parameter("hide_empty", "boolean", "Only those with products.", False),
    Parameter("product", "integer", "Only those of this product."),
    SKIP_CACHE,
)
_OFFSET = Parameter("offset", "integer", "How many to skip, instead of `page`.", least=0)
_PARENT = Parameter("parent", "integer", "Directly in this category; 0: in none.", least=0)
_OF_TERMS = tuple(
    replace(each, default="menu_order", choices=("menu_order", *_ORDERS))
    if each.name == "orderby"
    else each
    for each in _COMMON
)


async def _list(
    request: Request,
    parameters: tuple[Parameter, ...],
    kind: Kind,
    present: Present,
    attribute: str = "",
) -> Response:
    _, shop = await visit(request)
    said = read(request, parameters)
    query = TermQuery(
        kind=kind,
        page=said["page"],
        per_page=said["per_page"],
        offset=said.get("offset"),
        search=said["search"] or "",
        slugs=said["slug"],
        include=said["include"],
        exclude=said["exclude"],
        parent=said.get("parent"),
        product=said["product"],
        hide_empty=said["hide_empty"],
        order_by=said["orderby"],
        descending=said["order"] == "desc",
    )

    async def make() -> Made:
        wanted = query
        if kind is Kind.TERM:
            found = await shop.showcase.attribute(attribute)
            wanted = replace(query, attribute_id=found["id"])
        terms, total = await shop.showcase.terms(wanted)
        pages = Pages(query.page, query.per_page, total, query.offset)
        body = [present(term, shop) for term in terms]
        return Made(body, page_headers(request, shop, pages))

    return await respond(request, shop, query, make)


async def _one(
    request: Request,
    kind: Kind,
    reference: str,
    refusals: tuple[type[Refusal], type[Refusal]],
    present: Present,
) -> Response:
    _, shop = await visit(request)
    read(request, [SKIP_CACHE])
    malformed, absent = refusals
    if not (reference.isascii() and reference.isdecimal() and 0 < int(reference) < 2**63):
        raise malformed

    async def make() -> Made:
        query = TermQuery(kind=kind, include=(int(reference),))
        found, _ = await shop.showcase.terms(query)
        if not found:
            raise absent
        return Made(present(found[0], shop))

    return await respond(request, shop, "one", make)


# --- attributes -----------------------------------------------------------------------------------


@router.get(
    "/products/attributes",
    response_model=list[AttributeOut],
    responses=errors(*READING),
    openapi_extra=documented(SKIP_CACHE),
)
async def list_attributes(request: Request) -> Response:
    """The attributes that the shop's products share, all of them."""
    _, shop = await visit(request)
    read(request, [SKIP_CACHE])

    async def make() -> Made:
        found = await shop.showcase.attributes()
        pages = Pages(1, max(len(found), 1), len(found))
        return Made([_attribute(each) for each in found], page_headers(request, shop, pages))

    return await respond(request, shop, "all", make)


@router.get(
    "/products/attributes/{attribute}",
    response_model=AttributeOut,
    responses=errors(*READING, 404),
    openapi_extra=documented(SKIP_CACHE),
)
async def read_attribute(attribute: Reference, request: Request) -> Response:
    """One attribute, by ID or slug."""
    _, shop = await visit(request)
    read(request, [SKIP_CACHE])
    if attribute.isdecimal() and (not attribute.isascii() or not 0 < int(attribute) < 2**63):
        raise AttributeIdInvalid

    async def make() -> Made:
        return Made(_attribute(await shop.showcase.attribute(attribute)))

    return await respond(request, shop, "one", make)


@router.get(
    "/products/attributes/{attribute}/terms",
    response_model=list[TermOut],
    responses=errors(*READING, 404),
    openapi_extra=documented(*_OF_TERMS, _OFFSET),
)
async def list_terms(attribute: Reference, request: Request) -> Response:
    """The terms of an attribute."""
    return await _list(request, (*_OF_TERMS, _OFFSET), Kind.TERM, _term, attribute)


@router.get(
    "/products/attributes/{attribute}/terms/{term}",
    response_model=TermOut,
    responses=errors(*READING, 404),
    openapi_extra=documented(SKIP_CACHE),
)
async def read_term(attribute: Reference, term: Reference, request: Request) -> Response:
    """One term; both by ID or slug."""
    _, shop = await visit(request)
    read(request, [SKIP_CACHE])

    async def make() -> Made:
        try:
            own = await shop.showcase.attribute(attribute)
        except AttributeNotFound:
            raise TermNotFound from None
        return Made(_term(await shop.showcase.term(own["id"], term), shop))

    return await respond(request, shop, "one", make)


def _attribute(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": found["id"],
        "name": found["name"],
        "slug": found["slug"],
        "type": found["type"],
        "order_by": found["order_by"],
        "has_archives": False,
    }


def _term(found: Mapping[str, Any], shop: Shop) -> dict[str, Any]:
    return {
        "id": found["id"],
        "name": found["name"],
        "slug": found["slug"],
        "description": found["description"],
        "menu_order": found["position"],
        "count": found["count"],
    }


# --- categories, tags, brands ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Taxonomy:
    """What products are sorted into, and how its routes tell of it."""

    kind: Kind
    one: str
    about: str
    schema: type[BaseModel]
    own: Parameter
    refusals: tuple[type[Refusal], type[Refusal]]
    present: Present


def _mount(taxonomy: _Taxonomy) -> None:
    """Its list, and one of it by ID."""
    kind, one, schema, present = taxonomy.kind, taxonomy.one, taxonomy.schema, taxonomy.present
    parameters = (*_COMMON, taxonomy.own)

    async def read_list(request: Request) -> Response:
        return await _list(request, parameters, kind, present)

    async def read_one(term_id: Number, request: Request) -> Response:
        return await _one(request, kind, term_id, taxonomy.refusals, present)

    read_list.__doc__, read_one.__doc__ = taxonomy.about, f"One {one}."
    router.add_api_route(
        f"/products/{kind.value}",
        read_list,
        name=f"list_{kind.value}",
        response_model=list[schema],  # type: ignore[valid-type]
        responses=errors(*READING),
        openapi_extra=documented(*parameters),
    )
    router.add_api_route(
        f"/products/{kind.value}/{{term_id}}",
        read_one,
        name=f"read_{one}",
        response_model=schema,
        responses=errors(*READING, 404),
        openapi_extra=documented(SKIP_CACHE),
    )


def _category(found: Mapping[str, Any], shop: Shop) -> dict[str, Any]:
    return {
        "id": found["id"],
        "name": found["name"],
        "slug": found["slug"],
        "parent": found["parent"],
        "description": found["description"],
        "display": found["display"],
        "image": _image(found["image"]),
        "menu_order": found["position"],
        "count": found["count"],
        "rest_url": _url(shop, "categories", found["id"]),
    }


def _image(image: Mapping[str, str] | None) -> dict[str, Any] | None:
    """When a category's image was made is not kept: its dates are empty."""
    if not image or not image.get("src"):
        return None
    return {
        "id": zlib.crc32(image["src"].encode()),
        "date_created": "",
        "date_modified": "",
        "src": image["src"],
        "name": image.get("name", ""),
        "alt": image.get("alt", ""),
    }


def _flat(kind: str) -> Present:
    def present(found: Mapping[str, Any], shop: Shop) -> dict[str, Any]:
        return {
            "id": found["id"],
            "name": found["name"],
            "slug": found["slug"],
            "description": found["description"],
            "count": found["count"],
            "rest_url": _url(shop, kind, found["id"]),
        }

    return present


def _url(shop: Shop, kind: str, term_id: int) -> str:
    return f"{shop.profile.base_url}{API}/products/{kind}/{term_id}"


for _each in (
    _Taxonomy(
        Kind.CATEGORY,
        "category",
        "Categories; `count` includes the products of those that lie in it.",
        CategoryOut,
        _PARENT,
        (CategoryIdInvalid, CategoryNotFound),
        _category,
    ),
    _Taxonomy(
        Kind.TAG, "tag", "Tags.", FlatTermOut, _OFFSET, (TagIdInvalid, TagNotFound), _flat("tags")
    ),
    _Taxonomy(
        Kind.BRAND,
        "brand",
        "Brands.",
        FlatTermOut,
        _OFFSET,
        (BrandIdInvalid, BrandNotFound),
        _flat("brands"),
    ),
):
    _mount(_each)
