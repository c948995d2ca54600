"""What a shopper asks a listing for, and what a listing knows beyond the product itself.

Contract v2-products-store-sessions.md 3 and 6. Everything here was bounded by who read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from checkstand.catalog.model import ProductType, StockStatus


class Match(StrEnum):
    """How a product must relate to the terms of a filter: to one, to none, to every one."""

    IN = "in"
    NOT_IN = "not_in"
    AND = "and"


class Visibility(StrEnum):
    """Which products a listing shows; each but ANY is a place that products are shown in."""

    ANY = "any"
    VISIBLE = "visible"
    CATALOG = "catalog"
    SEARCH = "search"
    HIDDEN = "hidden"


class OrderBy(StrEnum):
    DATE = "date"
    ID = "id"
    INCLUDE = "include"
    TITLE = "title"
    NAME = "name"
    SLUG = "slug"
    PRICE = "price"
    POPULARITY = "popularity"
    RATING = "rating"
    MENU_ORDER = "menu_order"
    ALPHABETICAL = "alphabetical"
    REVERSE_ALPHA = "reverse_alpha"
    RELEVANCE = "relevance"
    RAND = "rand"
    BY_STOCK = "by_stock"
    REVIEW_COUNT = "review_count"
    ON_SALE_FIRST = "on_sale_first"
    FEATURED_FIRST = "featured_first"
    PRICE_ASC = "price_asc"
    PRICE_DESC = "price_desc"
    SALES = "sales"


@dataclass(frozen=True, slots=True)
class TermFilter:
    """Terms by id (digits only) or slug. A category stands for all that lie in it too."""

    terms: tuple[str, ...]
    match: Match = Match.IN


@dataclass(frozen=True, slots=True)
class AttributeFilter:
    """Options of one attribute (`pa_size`), by slug or by the id of a shared term."""

    attribute: str
    slugs: tuple[str, ...] = ()
    term_ids: tuple[int, ...] = ()
    match: Match = Match.IN


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductQuery:
    """Prices are minor units of the base currency, both bounds included; None is no filter."""

    page: int = 1
    per_page: int = 10
    offset: int | None = None
    """Instead of `page`: how many to skip."""
    search: str = ""
    slug: str = ""
    skus: tuple[str, ...] = ()
    global_unique_id: str = ""
    after: datetime | None = None
    before: datetime | None = None
    include: tuple[int, ...] = ()
    exclude: tuple[int, ...] = ()
    parents: tuple[int, ...] = ()
    parents_excluded: tuple[int, ...] = ()
    types: tuple[ProductType, ...] = ()
    types_excluded: tuple[ProductType, ...] = ()
    featured: bool | None = None
    on_sale: bool | None = None
    virtual: bool | None = None
    hide_free: bool = False
    stock_status: StockStatus | None = None
    min_price: int | None = None
    max_price: int | None = None
    categories: TermFilter | None = None
    tags: TermFilter | None = None
    brands: TermFilter | None = None
    attributes: tuple[AttributeFilter, ...] = ()
    any_attribute: bool = False
    """One of `attributes` is enough."""
    visibility: Visibility = Visibility.VISIBLE
    ratings: tuple[int, ...] = ()
    with_variations: bool = False
    """Variations are results too, and are told in full inside their products."""
    with_reviews: bool = False
    order_by: OrderBy = OrderBy.DATE
    descending: bool = True

    @property
    def skipped(self) -> int:
        return self.offset if self.offset is not None else (self.page - 1) * self.per_page


@dataclass(frozen=True, slots=True)
class Term:
    """A category, tag or brand as a product names it."""

    id: int
    name: str
    slug: str


@dataclass(frozen=True, slots=True)
class Review:
    """`rating` is 1 to 5, or 0 when none was given. `email` is for its author only."""

    id: int
    product_id: int
    reviewer: str
    email: str
    review: str
    rating: int
    verified: bool
    status: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a listing knows of a product. `low` and `high` are minor units of the base currency,
    of all that it is sold as; None when nothing of it is for sale."""

    id: int
    created_at: datetime
    modified_at: datetime
    global_unique_id: str
    low: int | None
    high: int | None
    rating: Decimal
    rating_count: int
    review_count: int
    sales: int
    categories: tuple[Term, ...]
    tags: tuple[Term, ...]
    brands: tuple[Term, ...]
    attribute_ids: Mapping[str, int]
    """Of shared attributes, by slug."""
    variation_ids: tuple[int, ...]
    """Published ones, in menu order."""
    grouped_ids: tuple[int, ...]
    linked_ids: tuple[int, ...]
    """Upsells and cross-sells."""
    related_ids: tuple[int, ...]
    """Up to five others of its categories, next in line by id: the same at every look."""
    reviews: tuple[Review, ...] = field(default=())
    """The newest hundred, when they were asked for."""


class Kind(StrEnum):
    CATEGORY = "categories"
    TAG = "tags"
    BRAND = "brands"
    TERM = "attribute_terms"


@dataclass(frozen=True, slots=True, kw_only=True)
class TermQuery:
    """`parent` 0 is the outermost level, None any; `attribute_id` is for terms of attributes."""

    kind: Kind
    attribute_id: int = 0
    page: int = 1
    per_page: int = 10
    offset: int | None = None
    search: str = ""
    slugs: tuple[str, ...] = ()
    include: tuple[int, ...] = ()
    exclude: tuple[int, ...] = ()
    parent: int | None = None
    product: int | None = None
    """Only terms of this product."""
    hide_empty: bool = False
    order_by: str = "name"
    descending: bool = False

    @property
    def skipped(self) -> int:
        return self.offset if self.offset is not None else (self.page - 1) * self.per_page


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewQuery:
    """`account_id`: all of that account's own, whatever their status; else approved ones only."""

    page: int = 1
    per_page: int = 10
    offset: int | None = None
    search: str = ""
    after: datetime | None = None
    before: datetime | None = None
    include: tuple[int, ...] = ()
    exclude: tuple[int, ...] = ()
    products: tuple[int, ...] = ()
    order_by: str = "date_gmt"
    descending: bool = True
    account_id: int | None = None

    @property
    def skipped(self) -> int:
        return self.offset if self.offset is not None else (self.page - 1) * self.per_page
