"""What a listing is filtered and sorted by, as SQL: texts are constants, values are parameters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from checkstand.catalog.listing import (
    AttributeFilter,
    Match,
    OrderBy,
    ProductQuery,
    TermFilter,
    Visibility,
)
from checkstand.catalog.model import ProductType

_MOST_WORDS = 10
_WORD = re.compile(r"[^\W_]+")
_MARKS = re.compile("[\u0300-\u036f]+")
_SHOWN_IN = {
    Visibility.VISIBLE: ["visible"],
    Visibility.CATALOG: ["visible", "catalog"],
    Visibility.SEARCH: ["visible", "search"],
    Visibility.HIDDEN: ["hidden"],
}

NEWEST_FIRST = "l.created_at DESC, l.product_id DESC"
_ORDERS: Mapping[OrderBy, str] = {
    OrderBy.DATE: "l.created_at {0}, l.product_id {0}",
    OrderBy.ID: "l.product_id {0}",
    OrderBy.TITLE: "plain(l.name) {0}, l.product_id {0}",
    OrderBy.NAME: "plain(l.name) {0}, l.product_id {0}",
    OrderBy.ALPHABETICAL: "plain(l.name), l.product_id",
    OrderBy.REVERSE_ALPHA: "plain(l.name) DESC, l.product_id DESC",
    OrderBy.SLUG: "l.slug {0}, l.product_id {0}",
    OrderBy.PRICE: "l.price {0} NULLS LAST, l.product_id {0}",
    OrderBy.PRICE_ASC: "l.price, l.product_id",
    OrderBy.PRICE_DESC: "l.price DESC NULLS LAST, l.product_id DESC",
    OrderBy.POPULARITY: "l.sales {0}, l.product_id {0}",
    OrderBy.SALES: "l.sales {0}, l.product_id {0}",
    OrderBy.RATING: "l.rating {0}, l.product_id {0}",
    OrderBy.REVIEW_COUNT: "l.review_count {0}, l.product_id {0}",
    OrderBy.MENU_ORDER: "l.position {0}, plain(l.name) {0}, l.product_id {0}",
    OrderBy.RAND: "random()",
    # The letters have it right: instock, onbackorder, outofstock.
    OrderBy.BY_STOCK: f"l.stock_status, {NEWEST_FIRST}",
    OrderBy.ON_SALE_FIRST: f"l.on_sale DESC, {NEWEST_FIRST}",
    OrderBy.FEATURED_FIRST: f"l.featured DESC, {NEWEST_FIRST}",
}


class Filters:
    """Conditions on `product_listing l`, and the values of their parameters."""

    def __init__(self, first: int) -> None:
        self._first = first
        self.values: list[Any] = []
        self.conditions: list[str] = []

    def put(self, value: Any, type: str) -> str:
        """The mark of a parameter with this value."""
        self.values.append(value)
        return f"${self._first + len(self.values) - 1}::{type}"

    def add(self, condition: str) -> None:
        self.conditions.append(condition)

    @property
    def where(self) -> str:
        return " AND ".join(self.conditions)


def filters_of(query: ProductQuery, first: int, *, walking: bool = False) -> Filters:
    """`walking`: for who goes through products in their order and looks at each. Parameters are the
    same either way."""
    filters = Filters(first)
    filters.add("l.published")
    _put_kinds(query, filters)
    _put_facts(query, filters)
    _put_prices(query, filters)
    _put_texts(query, filters, walking=walking)
    for given, table, column in (
        (query.categories, "categories", "category_ids"),
        (query.tags, "tags", "tag_ids"),
        (query.brands, "brands", "brand_ids"),
    ):
        if given is not None:
            _put_terms(filters, given, table, column)
    if query.attributes:
        joined = " OR " if query.any_attribute else " AND "
        filters.add(f"({joined.join(_options(filters, each) for each in query.attributes)})")
    return filters


def _may_be_variations(query: ProductQuery) -> bool:
    return (
        query.with_variations
        or bool(query.parents)
        or bool(query.include)
        or bool(query.skus)
        or ProductType.VARIATION in query.types
    )


def _put_kinds(query: ProductQuery, filters: Filters) -> None:
    if not _may_be_variations(query):
        filters.add("l.parent_id = 0")
    if query.types:
        filters.add(f"l.type = ANY ({filters.put(list(query.types), 'text[]')})")
    if query.types_excluded:
        filters.add(f"l.type <> ALL ({filters.put(list(query.types_excluded), 'text[]')})")
    if query.visibility is not Visibility.ANY:
        shown = _SHOWN_IN[query.visibility]
        filters.add(f"l.visibility = ANY ({filters.put(shown, 'text[]')})")
    if query.include:
        filters.add(f"l.product_id = ANY ({filters.put(list(query.include), 'bigint[]')})")
    if query.exclude:
        filters.add(f"l.product_id <> ALL ({filters.put(list(query.exclude), 'bigint[]')})")
    if query.parents:
        filters.add(f"l.parent_id = ANY ({filters.put(list(query.parents), 'bigint[]')})")
    if query.parents_excluded:
        filters.add(f"l.parent_id <> ALL ({filters.put(list(query.parents_excluded), 'bigint[]')})")


def _put_facts(query: ProductQuery, filters: Filters) -> None:
    for name in ("featured", "on_sale", "virtual"):
        wanted = getattr(query, name)
        if wanted is not None:
            filters.add(f"l.{name}" if wanted else f"NOT l.{name}")
    if query.stock_status is not None:
        filters.add(f"l.stock_status = {filters.put(query.stock_status.value, 'text')}")
    if query.after is not None:
        filters.add(f"l.created_at > {filters.put(query.after, 'timestamptz')}")
    if query.before is not None:
        filters.add(f"l.created_at < {filters.put(query.before, 'timestamptz')}")
    if query.ratings:
        around = [
            f"l.rating >= {mark} - 0.5 AND l.rating < {mark} + 0.5"
            for mark in (filters.put(rating, "int") for rating in query.ratings)
        ]
        filters.add(f"({' OR '.join(around)})")


def _put_prices(query: ProductQuery, filters: Filters) -> None:
    """A product with a range of prices passes when one of them can lie between the bounds."""
    if query.hide_free:
        filters.add("l.price_high > 0")
    if query.min_price is not None:
        filters.add(f"l.price_high >= {filters.put(query.min_price, 'bigint')}")
    if query.max_price is not None:
        filters.add(f"l.price <= {filters.put(query.max_price, 'bigint')}")


def _put_texts(query: ProductQuery, filters: Filters, *, walking: bool) -> None:
    if query.slug:
        filters.add(f"l.slug = {filters.put(query.slug, 'text')}")
    if query.global_unique_id:
        filters.add(
            f"l.product_id IN (SELECT p.id FROM products p "
            f"WHERE p.global_unique_id = {filters.put(query.global_unique_id, 'text')})"
        )
    if query.skus:
        filters.add(
            f"l.product_id IN (SELECT p.id FROM products p "
            f"WHERE p.sku = ANY ({filters.put(list(query.skus), 'text[]')}))"
        )
    if query.search:
        has = f"w.words @@ {_words(query, filters)}"
        listed = f"w.listed AND {has}"
        # Both halves have an index of their own.
        has = f"({listed} OR NOT w.listed AND {has})" if _may_be_variations(query) else listed
        # The planner takes two words for much rarer than one, and would gather all that have them.
        filters.add(
            f"EXISTS (SELECT FROM product_search w WHERE w.product_id = l.product_id AND {has} "
            "OFFSET 0)"
            if walking
            else f"l.product_id IN (SELECT w.product_id FROM product_search w WHERE {has})"
        )


def _words(query: ProductQuery, filters: Filters) -> str:
    """Every word of the search, each as the start of a word; what is no word finds nothing. Taken
    apart like the texts that are searched (`words_of`, migration 0005)."""
    letters = _MARKS.sub("", unicodedata.normalize("NFKD", query.search)).lower()
    words = _WORD.findall(letters)[:_MOST_WORDS]
    text = " & ".join(f"{word}:*" for word in words)
    return f"to_tsquery('simple', {filters.put(text, 'text')})"


def _put_terms(filters: Filters, given: TermFilter, table: str, column: str) -> None:
    ids = [int(each) for each in given.terms if each.isdecimal()]
    slugs = [each for each in given.terms if not each.isdecimal()]
    wanted = (
        f"ARRAY(SELECT t.id FROM {table} t WHERE t.id = ANY ({filters.put(ids, 'bigint[]')}) "
        f"OR t.slug = ANY ({filters.put(slugs, 'text[]')}))"
    )
    filters.add(_matched(f"l.{column}", wanted, given.match))
    if given.match is Match.AND:  # a term that nobody knows is on no product
        number = filters.put(len(given.terms), "int")
        filters.add(f"cardinality({wanted}) = {number}")


def _options(filters: Filters, given: AttributeFilter) -> str:
    named = [f"{given.attribute}={slug}" for slug in given.slugs]
    wanted = filters.put(named, "text[]")
    if given.term_ids:
        wanted = (
            f"({wanted} || ARRAY(SELECT a.slug || '=' || t.slug FROM attribute_terms t "
            f"JOIN attributes a ON a.id = t.attribute_id "
            f"WHERE a.slug = {filters.put(given.attribute, 'text')} "
            f"AND t.id = ANY ({filters.put(list(given.term_ids), 'bigint[]')})))"
        )
    condition = _matched("l.options", wanted, given.match)
    if given.match is Match.AND and given.term_ids:
        number = filters.put(len(named) + len(given.term_ids), "int")
        condition = f"({condition} AND cardinality({wanted}) = {number})"
    return condition


def _matched(column: str, wanted: str, match: Match) -> str:
    if match is Match.AND:
        return f"{column} @> {wanted}"
    overlaps = f"{column} && {wanted}"
    return overlaps if match is Match.IN else f"NOT ({overlaps})"


def order_of(query: ProductQuery, filters: Filters) -> str:
    direction = "DESC" if query.descending else "ASC"
    if query.order_by is OrderBy.INCLUDE and query.include:
        place = filters.put(list(query.include), "bigint[]")
        return f"array_position({place}, l.product_id)"
    if query.order_by is OrderBy.RELEVANCE and query.search:
        words = _words(query, filters)
        return (
            f"(SELECT ts_rank(w.words, {words}) FROM product_search w "
            "WHERE w.product_id = l.product_id) DESC, l.product_id DESC"
        )
    return _ORDERS.get(query.order_by, _ORDERS[OrderBy.DATE]).format(direction)


def counted_alike(query: ProductQuery) -> ProductQuery:
    """The query with all that does not change how many products there are put aside."""
    return replace(
        query,
        page=1,
        per_page=1,
        offset=None,
        with_reviews=False,
        order_by=OrderBy.DATE,
        descending=True,
    )
