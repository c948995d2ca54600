"""The routes of product reviews (contract v2-products 7; writing as in products-and-store.md 5)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from checkstand.access.principal import Account
from checkstand.catalog.listing import ReviewQuery
from checkstand.catalog.reviews import NewReview
from checkstand.customers.contacts import is_email
from checkstand.errors import ParameterInvalid, ReviewIdInvalid, SignInForReviews
from checkstand.http.answers import JSON, PRIVATE, cut_down, dump
from checkstand.http.cocart.v2.conditional import Made, Pages, page_headers, respond
from checkstand.http.cocart.v2.parameters import Parameter, documented, read
from checkstand.http.cocart.v2.product_parts import review
from checkstand.http.cocart.v2.product_present import API
from checkstand.http.cocart.v2.product_query import PAGE, PER_PAGE, SKIP_CACHE
from checkstand.http.cocart.v2.product_schemas import ReviewIn, ReviewOut
from checkstand.http.describe import READING, errors
from checkstand.http.requests import JSON_ROUTES, visit
from checkstand.wiring import Shop

router = APIRouter(prefix="/wp-json/cocart/v2", tags=["products v2"], **JSON_ROUTES)

_PARAMETERS = (
    PAGE,
    PER_PAGE,
    Parameter("offset", "integer", "How many to skip, instead of `page`.", least=0),
    Parameter("search", "string", "Part of the text."),
    Parameter("product", "integers", "Of these products."),
    Parameter("after", "moment", "Written after."),
    Parameter("before", "moment", "Written before."),
    Parameter("include", "integers", "These only."),
    Parameter("exclude", "integers", "None of these."),
    Parameter("order", "choice", "Direction.", "desc", choices=("asc", "desc")),
    Parameter(
        "orderby",
        "choice",
        "By what to sort.",
        "date_gmt",
        choices=("date", "date_gmt", "id", "include", "product"),
    ),
    SKIP_CACHE,
)
REVIEWS_QUERY = documented(*_PARAMETERS)


def _query(request: Request, shop: Shop, account_id: int | None = None) -> ReviewQuery:
    said = read(request, _PARAMETERS, shop.profile.timezone)
    return ReviewQuery(
        page=said["page"],
        per_page=said["per_page"],
        offset=said["offset"],
        search=said["search"] or "",
        after=said["after"],
        before=said["before"],
        include=said["include"],
        exclude=said["exclude"],
        products=said["product"],
        order_by=said["orderby"],
        descending=said["order"] == "desc",
        account_id=account_id,
    )


@router.get(
    "/products/reviews",
    response_model=list[ReviewOut],
    responses=errors(*READING),
    openapi_extra=REVIEWS_QUERY,
)
async def list_reviews(request: Request) -> Response:
    """Approved reviews, the newest first."""
    _, shop = await visit(request)
    query = _query(request, shop)

    async def make() -> Made:
        found, total = await shop.reviews.page(query)
        pages = Pages(query.page, query.per_page, total, query.offset)
        body = [review(each, shop) for each in found]
        return Made(body, page_headers(request, shop, pages))

    return await respond(request, shop, query, make)


@router.get(
    "/products/reviews/mine",
    response_model=list[ReviewOut],
    responses=errors(*READING),
    openapi_extra=REVIEWS_QUERY,
)
async def list_own_reviews(request: Request) -> Response:
    """What the account that is signed in has written, whatever became of it."""
    caller, shop = await visit(request)
    if caller.account is None:
        raise SignInForReviews
    return await own_reviews(request, shop, caller.account)


async def own_reviews(request: Request, shop: Shop, account: Account) -> Response:
    """A page of what the account has written."""
    query = _query(request, shop, account.id)
    found, total = await shop.reviews.page(query)
    body = [review(each, shop, own=True) for each in found]
    pages = Pages(query.page, query.per_page, total, query.offset)
    headers = {**PRIVATE, **page_headers(request, shop, pages)}
    return Response(dump(cut_down(request, body)), 200, headers, JSON)


@router.get(
    "/products/reviews/{review_id}",
    response_model=ReviewOut,
    responses=errors(*READING, 404),
    openapi_extra=documented(SKIP_CACHE),
)
async def read_review(
    review_id: Annotated[str, Path(min_length=1, max_length=30, description="An ID.")],
    request: Request,
) -> Response:
    """One approved review."""
    _, shop = await visit(request)
    read(request, [SKIP_CACHE])
    if not (review_id.isascii() and review_id.isdecimal()):
        raise ReviewIdInvalid

    async def make() -> Made:
        return Made(review(await shop.reviews.review(int(review_id)), shop))

    return await respond(request, shop, "one", make)


@router.post(
    "/products/reviews",
    status_code=201,
    response_model=ReviewOut,
    responses=errors(400, 401, 403, 404, 409, 413, 415, 500, 503),
)
async def write_review(body: ReviewIn, request: Request) -> Response:
    """A review by a visitor; shown at once or held for approval, as the shop has it."""
    caller, shop = await visit(request)
    if not is_email(body.reviewer_email.strip()):
        reason = {"reviewer_email": "is not well-formed"}
        raise ParameterInvalid("Invalid parameter(s): reviewer_email.", data={"params": reason})
    if not body.reviewer.strip():
        reason = {"reviewer": "is empty"}
        raise ParameterInvalid("Invalid parameter(s): reviewer.", data={"params": reason})
    written = await shop.reviews.write(
        caller,
        NewReview(
            product_id=body.product_id,
            reviewer=body.reviewer,
            email=body.reviewer_email.strip(),
            review=body.review,
            rating=body.rating,
        ),
    )
    shown: dict[str, Any] = review(written, shop, own=True)
    place = f"{shop.profile.base_url}{API}/products/reviews/{written.id}"
    return Response(dump(cut_down(request, shown)), 201, {**PRIVATE, "Location": place}, JSON)
