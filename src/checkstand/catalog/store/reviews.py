"""Reviews in the database. Whether somebody has bought a product is asked of the orders' tables:
the one question that the catalogue has to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from asyncpg import UniqueViolationError

from checkstand.catalog.listing import Review, ReviewQuery
from checkstand.catalog.store.listing import review_of
from checkstand.errors import ReviewRepeated
from checkstand.storage.database import Connection

_ORDERS = {"id": "r.id", "product": "r.product_id", "date": "r.created_at"}


async def reviews(connection: Connection, query: ReviewQuery) -> tuple[list[Review], int]:
    """A page of reviews of published products, and how many there are on all pages."""
    direction = "DESC" if query.descending else "ASC"
    order = f"{_ORDERS.get(query.order_by, 'r.created_at')} {direction}, r.id {direction}"
    own = "r.account_id = $1" if query.account_id is not None else "r.status = 'approved'"
    where = f"""{own} AND ($1::bigint IS NULL OR r.account_id = $1)
        AND ($2 = '' OR strpos(plain(r.review), plain($2)) > 0)
        AND ($3::timestamptz IS NULL OR r.created_at > $3)
        AND ($4::timestamptz IS NULL OR r.created_at < $4)
        AND (cardinality($5::bigint[]) = 0 OR r.id = ANY ($5))
        AND r.id <> ALL ($6::bigint[])
        AND (cardinality($7::bigint[]) = 0 OR r.product_id = ANY ($7))
        AND EXISTS (SELECT FROM products p WHERE p.id = r.product_id AND p.published)"""
    if query.order_by == "include" and query.include:
        order = "array_position($5::bigint[], r.id)"
    values = (
        query.account_id,
        query.search,
        query.after,
        query.before,
        list(query.include),
        list(query.exclude),
        list(query.products),
    )
    rows = await connection.fetch(
        f"SELECT r.* FROM product_reviews r WHERE {where} ORDER BY {order} LIMIT $8 OFFSET $9",
        *values,
        query.per_page,
        query.skipped,
    )
    total = await connection.fetchval(
        f"SELECT count(*) FROM product_reviews r WHERE {where}", *values
    )
    return [review_of(dict(row)) for row in rows], total


async def review(connection: Connection, review_id: int) -> Review | None:
    """An approved review of a published product."""
    row = await connection.fetchrow(
        """
        SELECT r.* FROM product_reviews r JOIN products p ON p.id = r.product_id AND p.published
        WHERE r.id = $1 AND r.status = 'approved'
        """,
        review_id,
    )
    return review_of(dict(row)) if row is not None else None


async def has_bought(
    connection: Connection, product_id: int, email: str, account_id: int | None
) -> bool:
    """Whether an order for this product was placed with that address, or by that account, and has
    not come to nothing."""
    found: bool = await connection.fetchval(
        """
        WITH placed AS (
            SELECT id, status FROM orders
            WHERE lower(billing ->> 'email') = lower($2) AND placed_at IS NOT NULL
            UNION
            SELECT id, status FROM orders WHERE customer_id = $3 AND placed_at IS NOT NULL
        )
        SELECT EXISTS (
            SELECT FROM placed JOIN order_lines l ON l.order_id = placed.id
            WHERE placed.status IN ('processing', 'completed')
              AND (l.product_id = $1 OR l.variation_id = $1))
        """,
        product_id,
        email,
        account_id,
    )
    return found


async def last_by(connection: Connection, email: str) -> datetime | None:
    """When a review was last written under this address."""
    found: datetime | None = await connection.fetchval(
        "SELECT max(created_at) FROM product_reviews WHERE lower(email) = lower($1)", email
    )
    return found


async def add(connection: Connection, new: Review, account_id: int | None) -> Review:
    """Stores a review under a new id. ReviewRepeated when the same words are there already."""
    try:
        row = await connection.fetchrow(
            """
            INSERT INTO product_reviews
                (product_id, account_id, reviewer, email, review, rating, verified, status,
                 created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING *
            """,
            new.product_id,
            account_id,
            new.reviewer,
            new.email,
            new.review,
            new.rating,
            new.verified,
            new.status,
            new.created_at,
        )
    except UniqueViolationError:
        raise ReviewRepeated from None
    assert row is not None
    return review_of(dict(row))


async def waiting(connection: Connection, status: str, limit: int) -> list[Review]:
    """Reviews with a status, the oldest first."""
    rows = await connection.fetch(
        "SELECT * FROM product_reviews WHERE status = $1 ORDER BY created_at, id LIMIT $2",
        status,
        limit,
    )
    return [review_of(dict(row)) for row in rows]


async def set_status(connection: Connection, ids: Sequence[int], status: str) -> list[int]:
    """Gives reviews another status; the ids of those that there are."""
    rows = await connection.fetch(
        "UPDATE product_reviews SET status = $2 WHERE id = ANY ($1::bigint[]) RETURNING id",
        list(ids),
        status,
    )
    return sorted(row["id"] for row in rows)
