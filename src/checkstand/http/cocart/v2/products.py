"""The routes of products and their variations (contract v2-products-store-sessions.md 1 to 4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from checkstand.catalog.listing import OrderBy, ProductQuery
from checkstand.catalog.model import ProductType
from checkstand.catalog.showcase import LARGEST_ID
from checkstand.errors import IdInvalid
from checkstand.http.cocart.v2.conditional import (
    Made,
    Pages,
    page_headers,
    respond,
    skips_cache,
)
from checkstand.http.cocart.v2.parameters import Parameter, documented, read
from checkstand.http.cocart.v2.product_query import PARAMETERS, SKIP_CACHE, product_query
from checkstand.http.cocart.v2.product_schemas import ProductOut, ProductsOut, VariationOut
from checkstand.http.cocart.v2.product_telling import products, variations
from checkstand.http.describe import READING, errors
from checkstand.http.requests import JSON_ROUTES, visit

router = APIRouter(prefix="/wp-json/cocart/v2", tags=["products v2"], **JSON_ROUTES)

Reference = Annotated[
    str, Path(min_length=1, max_length=200, description="An ID, else a SKU, else a slug.")
]
_REVIEWS = Parameter("show_reviews", "boolean", "Fill `reviews`.", False)
_NO_TYPES = tuple(p for p in PARAMETERS if p.name not in ("parent", "parent_exclude"))


@router.get(
    "/products",
    response_model=ProductsOut,
    responses=errors(*READING),
    openapi_extra=documented(*PARAMETERS, SKIP_CACHE),
)
async def list_products(request: Request) -> Response:
    """Published products, filtered and sorted, a page at a time."""
    _, shop = await visit(request)
    query = product_query(request, shop)

    async def make() -> Made:
        found = await shop.showcase.page(query, anew=skips_cache(request))
        pages = Pages(query.page, query.per_page, found.total, query.offset)
        body = {
            "products": products(shop, found.displays, whole_variations=query.with_variations),
            "page": pages.page,
            "total_pages": pages.pages,
            "total_products": pages.total,
        }
        return Made(body, page_headers(request, shop, pages), found.stock, entries="products")

    return await respond(request, shop, _key(query), make)


@router.get(
    "/products/{reference}/variations",
    response_model=list[VariationOut],
    responses=errors(*READING, 404),
    openapi_extra=documented(*_NO_TYPES, SKIP_CACHE),
)
async def list_variations(reference: Reference, request: Request) -> Response:
    """The variations of a product; its own order first, unless another is asked for."""
    _, shop = await visit(request)
    query = product_query(request, shop)
    if "orderby" not in request.query_params:
        query = replace(query, order_by=OrderBy.MENU_ORDER, descending=False)

    async def make() -> Made:
        parent = await shop.showcase.variable(reference)
        own = replace(query, parents=(parent.id,), types=(ProductType.VARIATION,))
        found = await shop.showcase.page(own, anew=skips_cache(request))
        pages = Pages(query.page, query.per_page, found.total, query.offset)
        body = variations(shop, found.displays)
        return Made(body, page_headers(request, shop, pages), found.stock)

    return await respond(request, shop, _key(query), make)


@router.get(
    "/products/{reference}/variations/{variation_id}",
    response_model=VariationOut,
    responses=errors(*READING, 404),
    openapi_extra=documented(SKIP_CACHE),
)
async def read_variation(
    reference: Reference,
    variation_id: Annotated[str, Path(max_length=30, description="The variation's ID.")],
    request: Request,
) -> Response:
    """One variation."""
    _, shop = await visit(request)
    number = whole_id(variation_id)

    async def make() -> Made:
        display = await shop.showcase.variation(reference, number)
        (body,) = variations(shop, [display])
        return Made(body, {}, display.shown_stock)

    return await respond(request, shop, "variation", make)


@router.get(
    "/products/{reference}",
    response_model=ProductOut,
    responses=errors(*READING, 404),
    openapi_extra=documented(_REVIEWS, SKIP_CACHE),
)
async def read_product(reference: Reference, request: Request) -> Response:
    """One product, by ID, SKU or slug, with its variations."""
    _, shop = await visit(request)
    reviews: bool = read(request, [_REVIEWS])["show_reviews"]

    async def make() -> Made:
        display = await shop.showcase.product(reference, with_reviews=reviews)
        (body,) = products(shop, [display], whole_variations=True)
        return Made(body, {}, display.shown_stock)

    return await respond(request, shop, ("product", reviews), make)


def whole_id(text: str) -> int:
    """An ID of a path; IdInvalid when it cannot be one."""
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= LARGEST_ID):
        raise IdInvalid
    return int(text)


def _key(query: ProductQuery) -> ProductQuery | None:
    return None if query.order_by is OrderBy.RAND else query
