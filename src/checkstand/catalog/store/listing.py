"""Pages of products: one statement finds and counts them, one tells what is known of each.

Filters and orders run on `product_listing`, which the database keeps true by itself (migration
0005). Every value is a parameter; the texts here are constants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from asyncpg import Record as Row

from checkstand.catalog.listing import Listed, OrderBy, ProductQuery, Review, Term
from checkstand.catalog.store.filters import NEWEST_FIRST, filters_of, order_of
from checkstand.storage.database import Connection

_TERMS = """
    (SELECT coalesce(jsonb_agg(jsonb_build_array(t.id, t.name, t.slug) ORDER BY t.name, t.id), '[]')
     FROM {links} x JOIN {terms} t ON t.id = x.{column} WHERE x.product_id = root.id)
"""

# Next in line by id and then from the start: a few steps of an index, however full a category is.
_NEIGHBOURS = """
    (SELECT m.product_id FROM product_categories m JOIN product_listing r USING (product_id)
     WHERE m.category_id = own.category_id AND m.product_id {side} root.id
       AND r.published AND r.parent_id = 0 AND r.visibility IN ('visible', 'catalog')
     ORDER BY m.product_id LIMIT 5)
"""

_LISTED = f"""
    SELECT p.id, p.created_at, p.updated_at, p.global_unique_id, l.price, l.price_high, l.rating,
        l.rating_count, l.review_count, l.sales, p.grouped_ids,
        p.upsell_ids || root.cross_sell_ids AS linked_ids,
        {_TERMS.format(links="product_categories", terms="categories", column="category_id")}
            AS categories,
        {_TERMS.format(links="product_tags", terms="tags", column="tag_id")} AS tags,
        {_TERMS.format(links="product_brands", terms="brands", column="brand_id")} AS brands,
        (SELECT coalesce(jsonb_object_agg(a.slug, a.id), '{{}}') FROM attributes a
         WHERE a.slug IN (SELECT e ->> 'slug' FROM jsonb_array_elements(root.attributes) e))
            AS attribute_ids,
        ARRAY(SELECT v.product_id FROM product_listing v
              WHERE v.parent_id = p.id AND v.parent_id > 0 AND v.published
              ORDER BY v.position, v.product_id) AS variation_ids,
        ARRAY(SELECT near.product_id FROM product_categories own, LATERAL (
                  {_NEIGHBOURS.format(side=">")} UNION ALL {_NEIGHBOURS.format(side="<")} LIMIT 5
              ) near WHERE own.product_id = root.id GROUP BY 1 ORDER BY min(own.category_id), 1
              LIMIT 5) AS related_ids,
        CASE WHEN $1::boolean THEN (
            SELECT coalesce(jsonb_agg(to_jsonb(r) ORDER BY r.created_at DESC, r.id DESC), '[]')
            FROM (SELECT * FROM product_reviews
                  WHERE product_id = root.id AND status = 'approved'
                  ORDER BY created_at DESC, id DESC LIMIT 100) r) END AS reviews
    FROM unnest({{ids}}) WITH ORDINALITY AS page (id, place)
    JOIN products p ON p.id = page.id
    JOIN products root ON root.id = coalesce(p.parent_id, p.id)
    JOIN product_listing l ON l.product_id = p.id AND l.published
    ORDER BY page.place
"""

_FACTS = _LISTED.replace("{ids}", "$2::bigint[]")

_BY_REFERENCE = _LISTED.replace(
    "{ids}",
    """ARRAY(
        SELECT id FROM (
            SELECT id, 0 AS rank FROM products WHERE id = $2::bigint
            UNION ALL SELECT id, 1 FROM products WHERE sku = $3::text
            UNION ALL SELECT id, 2 FROM products WHERE slug = $3::text
        ) AS found ORDER BY rank LIMIT 1)""",
)


# What the planner cannot know has been counted: so few are gathered by their filters and sorted,
# of more an index that has them in order already is read until the page is full.
_FEW = 1_000
# Ranking reads every text that was found. What more products have in common ranks none of them.
_MOST_RANKED = 2_000


async def found(
    connection: Connection, query: ProductQuery, total: int | None = None
) -> tuple[list[int], int]:
    """The ids of the page that `query` asks for, in its order, and how many there are on all pages;
    `total` when that is known. One statement, or none past the end of what is known."""
    if total is not None and total <= query.skipped:
        return [], total
    ranked = query.order_by is OrderBy.RELEVANCE and query.search != ""
    if ranked and total is not None and total > _MOST_RANKED:
        ranked, query = False, replace(query, order_by=OrderBy.DATE, descending=True)
    filters = filters_of(query, first=1)
    order = order_of(query, filters)
    limit, offset = filters.put(query.per_page, "int"), filters.put(query.skipped, "bigint")
    rows, part = f"product_listing l WHERE {filters.where}", f"LIMIT {limit} OFFSET {offset}"
    few = f"""SELECT l.product_id FROM (SELECT l.* FROM {rows} OFFSET 0) l
              ORDER BY {order} {part}"""
    walked = filters_of(query, first=1, walking=True).where
    many = f"""SELECT l.product_id FROM product_listing l WHERE {walked}
               ORDER BY {NEWEST_FIRST if ranked else order} {part}"""
    most = _MOST_RANKED if ranked else _FEW
    if total is not None:
        known = await connection.fetch(few if total <= most else many, *filters.values)
        return [row["product_id"] for row in known], total
    row = await connection.fetchrow(
        f"""
        SELECT t.total, CASE WHEN t.total <= {offset} THEN '{{}}'
            WHEN t.total <= {most} THEN ARRAY({few}) ELSE ARRAY({many}) END AS ids
        FROM (SELECT count(*) AS total FROM {rows}) t
        """,
        *filters.values,
    )
    assert row is not None
    return row["ids"], row["total"]


async def facts(
    connection: Connection, ids: Sequence[int], *, with_reviews: bool = False
) -> list[Listed]:
    """What is known of these products, of those that are published."""
    return [_listed(row) for row in await connection.fetch(_FACTS, with_reviews, list(ids))]


async def by_reference(
    connection: Connection, reference: str, *, with_reviews: bool = False
) -> Listed | None:
    """The published product that an ID, else a SKU, else a slug names."""
    number = int(reference) if reference.isascii() and reference.isdecimal() else None
    row = await connection.fetchrow(
        _BY_REFERENCE, with_reviews, number if number and number < 2**63 else None, reference
    )
    return _listed(row) if row is not None else None


async def stock_and_prices(
    connection: Connection, stock_ids: Sequence[int], ids: Sequence[int], at: datetime
) -> tuple[dict[int, int], dict[int, int]]:
    """Units that a stranger can have, by stock row; lowest price in minor units, by product."""
    row = await connection.fetchrow(
        """
        SELECT stock_available($1::bigint[], NULL, $2) AS stock,
            (SELECT coalesce(jsonb_object_agg(product_id, price), '{}') FROM product_listing
             WHERE product_id = ANY ($3::bigint[]) AND price IS NOT NULL) AS prices
        """,
        list(stock_ids),
        at,
        list(ids),
    )
    assert row is not None
    return (
        {int(id): int(units) for id, units in row["stock"].items()},
        {int(id): int(price) for id, price in row["prices"].items()},
    )


async def refresh_sales(connection: Connection, at: datetime) -> int:
    """Bring the prices of sales that began or ended by `at` up to date; how many products."""
    found: int = await connection.fetchval(
        """
        WITH due AS (
            SELECT array_agg(product_id) AS ids FROM (
                SELECT product_id FROM product_listing WHERE changes_at <= $1
                ORDER BY product_id LIMIT 1000 FOR UPDATE SKIP LOCKED
            ) AS rows
        )
        SELECT coalesce(cardinality(ids), 0) FROM due, LATERAL refresh_listing(coalesce(ids, '{}'))
        """,
        at,
    )
    return found


async def count_sales(connection: Connection, until: datetime) -> None:
    """Add the units of orders placed before `until` that were not counted yet; in a transaction.

    `until` lies long enough back that no transaction is still about to place an order before it.
    """
    await connection.execute(
        "INSERT INTO sales_tally (counted_until) VALUES ('-infinity') ON CONFLICT DO NOTHING"
    )
    await connection.execute(
        """
        WITH due AS (SELECT counted_until AS since FROM sales_tally FOR UPDATE), sold AS (
            SELECT named.product_id, sum(l.quantity) AS units
            FROM due JOIN orders o ON o.placed_at >= due.since AND o.placed_at < $1
            JOIN order_lines l ON l.order_id = o.id,
                LATERAL (SELECT l.product_id UNION SELECT l.variation_id
                         WHERE l.variation_id > 0) AS named
            GROUP BY named.product_id
        ), locked AS (
            SELECT product_id FROM product_listing WHERE product_id IN (SELECT product_id FROM sold)
            ORDER BY product_id FOR NO KEY UPDATE
        )
        UPDATE product_listing p SET sales = p.sales + sold.units
        FROM sold JOIN locked USING (product_id) WHERE p.product_id = sold.product_id
        """,
        until,
    )
    await connection.execute(
        "UPDATE sales_tally SET counted_until = $1 WHERE counted_until < $1", until
    )


# --- rows -----------------------------------------------------------------------------------------


def _listed(row: Row) -> Listed:
    return Listed(
        id=row["id"],
        created_at=row["created_at"],
        modified_at=row["updated_at"],
        global_unique_id=row["global_unique_id"],
        low=row["price"],
        high=row["price_high"],
        rating=row["rating"],
        rating_count=row["rating_count"],
        review_count=row["review_count"],
        sales=row["sales"],
        categories=_terms(row["categories"]),
        tags=_terms(row["tags"]),
        brands=_terms(row["brands"]),
        attribute_ids=row["attribute_ids"],
        variation_ids=tuple(row["variation_ids"]),
        grouped_ids=tuple(row["grouped_ids"]),
        linked_ids=tuple(row["linked_ids"]),
        related_ids=tuple(row["related_ids"]),
        reviews=tuple(review_of(each) for each in row["reviews"] or ()),
    )


def _terms(found: Sequence[Sequence[Any]]) -> tuple[Term, ...]:
    return tuple(Term(*each) for each in found)


def review_of(row: Mapping[str, Any]) -> Review:
    """A row of product_reviews, as a record or as JSON."""
    created = row["created_at"]
    return Review(
        id=row["id"],
        product_id=row["product_id"],
        reviewer=row["reviewer"],
        email=row["email"],
        review=row["review"],
        rating=row["rating"],
        verified=row["verified"],
        status=row["status"],
        created_at=datetime.fromisoformat(created) if isinstance(created, str) else created,
    )
