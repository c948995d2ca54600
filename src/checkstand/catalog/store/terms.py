"""Categories, tags, brands, attributes and their terms as a storefront browses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from checkstand.catalog.listing import Kind, TermQuery
from checkstand.storage.database import Connection

# What each kind has beyond id, name, slug and description, and the products that count for it.
_OWN = {
    Kind.CATEGORY: "coalesce(t.parent_id, 0) AS parent, t.display, t.image, t.position",
    Kind.TAG: "0 AS parent, '' AS display, NULL::jsonb AS image, 0 AS position",
    Kind.BRAND: "0 AS parent, '' AS display, NULL::jsonb AS image, 0 AS position",
    Kind.TERM: "0 AS parent, '' AS display, NULL::jsonb AS image, t.position",
}
_COUNTS = {
    Kind.CATEGORY: ("unnest(l.category_ids)", "t.id"),
    Kind.TAG: ("unnest(l.tag_ids)", "t.id"),
    Kind.BRAND: ("unnest(l.brand_ids)", "t.id"),
    Kind.TERM: ("unnest(l.options)", "a.slug || '=' || t.slug"),
}
_COLUMN = {Kind.CATEGORY: "category_ids", Kind.TAG: "tag_ids", Kind.BRAND: "brand_ids"}
_ORDERS = {
    "id": "id",
    "name": "plain(name)",
    "slug": "slug",
    "term_group": "plain(name)",
    "description": "description",
    "count": "count",
    "menu_order": "position",
}


async def terms(connection: Connection, query: TermQuery) -> tuple[list[Mapping[str, Any]], int]:
    """A page of terms, each with how many published products it has, and how many terms there are
    on all pages. One statement."""
    values: list[Any] = []

    def put(value: Any, type: str) -> str:
        values.append(value)
        return f"${len(values)}::{type}"

    conditions = _conditions(query, put)
    counted, named = _COUNTS[query.kind]
    joined = "JOIN attributes a ON a.id = t.attribute_id" if query.kind is Kind.TERM else ""
    empty = "WHERE count > 0" if query.hide_empty else ""
    direction = "DESC" if query.descending else "ASC"
    order = f"{_ORDERS.get(query.order_by, 'plain(name)')} {direction}, id {direction}"
    if query.order_by == "include" and query.include:
        order = f"array_position({put(list(query.include), 'bigint[]')}, id)"
    limit, offset = put(query.per_page, "int"), put(query.skipped, "bigint")
    row = await connection.fetchrow(
        f"""
        WITH counts AS (
            SELECT {counted} AS named, count(*) AS count FROM product_listing l
            WHERE l.published AND l.parent_id = 0 AND l.visibility <> 'hidden' GROUP BY 1
        ), found AS (
            SELECT t.id, t.name, t.slug, t.description, {_OWN[query.kind]},
                coalesce(c.count, 0) AS count
            FROM {query.kind.value} t {joined} LEFT JOIN counts c ON c.named = {named}
            WHERE {" AND ".join(conditions) or "true"}
        ), kept AS (SELECT * FROM found {empty}),
        page AS (SELECT row_number() OVER (ORDER BY {order}) AS place, * FROM kept
                 ORDER BY {order} LIMIT {limit} OFFSET {offset})
        SELECT (SELECT count(*) FROM kept) AS total,
            (SELECT coalesce(jsonb_agg(to_jsonb(page) ORDER BY place), '[]') FROM page) AS terms
        """,
        *values,
    )
    assert row is not None
    return row["terms"], row["total"]


def _conditions(query: TermQuery, put: Any) -> list[str]:
    conditions = []
    if query.kind is Kind.TERM:
        conditions.append(f"t.attribute_id = {put(query.attribute_id, 'bigint')}")
    if query.search:
        conditions.append(f"strpos(plain(t.name), plain({put(query.search, 'text')})) > 0")
    if query.slugs:
        conditions.append(f"t.slug = ANY ({put(list(query.slugs), 'text[]')})")
    if query.include:
        conditions.append(f"t.id = ANY ({put(list(query.include), 'bigint[]')})")
    if query.exclude:
        conditions.append(f"t.id <> ALL ({put(list(query.exclude), 'bigint[]')})")
    if query.parent is not None:
        conditions.append(f"coalesce(t.parent_id, 0) = {put(query.parent, 'bigint')}")
    if query.product is not None:
        product = put(query.product, "bigint")
        own = (
            f"a.slug || '=' || t.slug = ANY (SELECT unnest(l.options) FROM product_listing l "
            f"WHERE l.product_id = {product} AND l.published)"
            if query.kind is Kind.TERM
            else f"t.id = ANY (SELECT unnest(l.{_COLUMN[query.kind]}) FROM product_listing l "
            f"WHERE l.product_id = {product} AND l.published)"
        )
        conditions.append(own)
    return conditions


async def attributes(connection: Connection, reference: str = "") -> list[Mapping[str, Any]]:
    """The shop's attributes by name; with a reference only the one with that id, else that slug,
    with or without the `pa_` in front."""
    number = int(reference) if reference.isascii() and reference.isdecimal() else None
    return [
        dict(row)
        for row in await connection.fetch(
            """
            SELECT id, name, slug, type, order_by FROM attributes
            WHERE $1 = '' OR id = $2::bigint OR slug IN ($1, 'pa_' || $1)
            ORDER BY $1 <> '' AND id IS DISTINCT FROM $2::bigint, slug <> $1, plain(name), id
            """,
            reference,
            number if number is not None and number < 2**63 else None,
        )
    ]


async def term_id(connection: Connection, attribute_id: int, reference: str) -> int | None:
    """The term of an attribute with this id, else this slug."""
    number = int(reference) if reference.isascii() and reference.isdecimal() else None
    found: int | None = await connection.fetchval(
        """
        SELECT id FROM attribute_terms WHERE attribute_id = $1 AND (id = $2::bigint OR slug = $3)
        ORDER BY id IS DISTINCT FROM $2::bigint LIMIT 1
        """,
        attribute_id,
        number if number is not None and number < 2**63 else None,
        reference,
    )
    return found
