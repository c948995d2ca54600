"""The statements of the importers: whole batches, one statement each, whatever their size.

The database announces every change of products by itself (trigger products_announce).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from asyncpg import IntegrityConstraintViolationError

from checkstand.catalog.model import Attribute, ProductType
from checkstand.catalog.store.reading import attributes_from_json
from checkstand.errors import StorageError
from checkstand.storage.database import Connection

_IMPORT_LOCK = 0x696D706F7274  # "import": importers write one after the other

_COLUMNS = {
    "bigint": "id parent_id regular_price sale_price",
    "text": "type sku slug name visibility description short_description tax_status tax_class "
    "shipping_class stock_status backorders external_url button_text purchase_note "
    "global_unique_id",
    "boolean": "published featured manages_stock sold_individually virtual downloadable "
    "reviews_allowed",
    "integer": "low_stock min_quantity max_quantity step_quantity position",
    "numeric": "weight length width height",
    "timestamptz": "sale_from sale_to",
    "jsonb": "downloads images attributes variation default_options",
    "bigint[]": "grouped_ids upsell_ids cross_sell_ids",
}
_TYPES = {column: type for type, columns in _COLUMNS.items() for column in columns.split()}
_KEPT_ON_UPDATE = {"id", "type", "parent_id", "slug"}


@dataclass(frozen=True, slots=True)
class Existing:
    """What the shop has already, as far as an importer must know it."""

    id: int
    sku: str
    type: ProductType
    parent_id: int


async def lock_for_import(connection: Connection) -> None:
    """Wait until no other importer is writing; held until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _IMPORT_LOCK)


async def existing(
    connection: Connection, ids: Collection[int], skus: Collection[str]
) -> list[Existing]:
    """The products that have one of these ids or one of these SKUs."""
    rows = await connection.fetch(
        """
        SELECT id, sku, type, parent_id FROM products WHERE id = ANY($1::bigint[])
        UNION
        SELECT id, sku, type, parent_id FROM products WHERE sku = ANY($2::text[])
        """,
        list(ids),
        list(skus),
    )
    return [
        Existing(row["id"], row["sku"] or "", ProductType(row["type"]), row["parent_id"] or 0)
        for row in rows
    ]


async def reserve_ids(connection: Connection, above: int, count: int) -> list[int]:
    """`count` ids for new products, all larger than `above` and than every id in use.

    From then on nobody else is given an id up to `above`.
    """
    await connection.execute(
        """
        WITH used AS (SELECT greatest($1, (SELECT max(id) FROM products)) AS largest)
        SELECT setval(pg_get_serial_sequence('products', 'id'), used.largest)
        FROM used, pg_sequences s
        WHERE format('%I.%I', s.schemaname, s.sequencename)::regclass
              = pg_get_serial_sequence('products', 'id')::regclass
          AND used.largest > coalesce(s.last_value, 0)
        """,
        above,
    )
    rows = await connection.fetch(
        """
        SELECT nextval(pg_get_serial_sequence('products', 'id')) AS id FROM generate_series(1, $1)
        """,
        count,
    )
    return [row["id"] for row in rows]


async def upsert_products(
    connection: Connection, rows: Sequence[Mapping[str, Any]]
) -> tuple[set[int], set[int]]:
    """Insert or change products; all rows have the same columns. Ids created, ids changed.

    Columns that are not there keep their value (or their default, in a new product). A product
    that exists keeps its type, parent and slug; one that would not change is not touched.
    StorageError when another writer got in between.
    """
    if not rows:
        return set(), set()
    columns = [column for column in _TYPES if column in rows[0]]
    definition = ", ".join(f"{column} {_TYPES[column]}" for column in columns)
    changing = [column for column in columns if column not in _KEPT_ON_UPDATE]
    given = ", ".join(columns)
    statement = f"""
        INSERT INTO products AS kept ({given})
        SELECT {given} FROM json_to_recordset($1::text::json) AS given({definition})
        ON CONFLICT (id) DO UPDATE
        SET {", ".join(f"{column} = excluded.{column}" for column in changing)},
            updated_at = now()
        WHERE ({", ".join(f"kept.{column}" for column in changing)})
              IS DISTINCT FROM ({", ".join(f"excluded.{column}" for column in changing)})
        RETURNING id, xmax = 0 AS created
    """
    try:
        found = await connection.fetch(statement, orjson.dumps(rows).decode())
    except IntegrityConstraintViolationError as error:
        raise StorageError(
            f"the catalogue was changed by somebody else meanwhile ({error}); import again"
        ) from error
    created = {row["id"] for row in found if row["created"]}
    return created, {row["id"] for row in found} - created


async def put_in_categories(
    connection: Connection, categories: Mapping[int, Collection[int]]
) -> set[int]:
    """Make these the categories of each product; the ids of products for which that is new."""
    return await _replace_links(connection, "product_categories", "category_id", categories)


async def put_tags(connection: Connection, tags: Mapping[int, Collection[int]]) -> set[int]:
    """Make these the tags of each product; the ids of products for which that is new."""
    return await _replace_links(connection, "product_tags", "tag_id", tags)


async def put_brands(connection: Connection, brands: Mapping[int, Collection[int]]) -> set[int]:
    """Make these the brands of each product; the ids of products for which that is new."""
    return await _replace_links(connection, "product_brands", "brand_id", brands)


async def _replace_links(
    connection: Connection, table: str, column: str, links: Mapping[int, Collection[int]]
) -> set[int]:
    pairs = [(product, other) for product, others in links.items() for other in others]
    rows = await connection.fetch(
        f"""
        WITH wanted AS (
            SELECT * FROM unnest($2::bigint[], $3::bigint[]) AS w(product_id, {column})
        ), gone AS (
            DELETE FROM {table} t WHERE product_id = ANY($1::bigint[])
               AND NOT EXISTS (SELECT FROM wanted w
                               WHERE w.product_id = t.product_id AND w.{column} = t.{column})
            RETURNING product_id
        ), added AS (
            INSERT INTO {table} (product_id, {column}) SELECT product_id, {column} FROM wanted
            ON CONFLICT DO NOTHING
            RETURNING product_id
        )
        SELECT product_id FROM gone UNION SELECT product_id FROM added
        """,
        list(links),
        [product for product, _ in pairs],
        [other for _, other in pairs],
    )
    return {row["product_id"] for row in rows}


async def set_stock(connection: Connection, quantities: Mapping[int, int]) -> set[int]:
    """Set how many there are; the ids of products for which that is new.

    Holds stay: what orders have reserved is still taken off the new quantity. Rows are locked in
    the order of their ids, as everywhere, and only those that change.
    """
    rows = await connection.fetch(
        """
        INSERT INTO stock AS kept (product_id, quantity)
        SELECT given.product_id, given.quantity
        FROM unnest($1::bigint[], $2::bigint[]) AS given(product_id, quantity)
        LEFT JOIN stock s ON s.product_id = given.product_id
        WHERE s.quantity IS DISTINCT FROM given.quantity
        ORDER BY given.product_id
        ON CONFLICT (product_id) DO UPDATE SET quantity = excluded.quantity
        RETURNING product_id
        """,
        list(quantities),
        list(quantities.values()),
    )
    return {row["product_id"] for row in rows}


async def attributes_of(
    connection: Connection, ids: Collection[int]
) -> dict[int, tuple[Attribute, ...]]:
    """The attributes of these products, for those that exist."""
    rows = await connection.fetch(
        "SELECT id, attributes::text FROM products WHERE id = ANY($1::bigint[])", list(ids)
    )
    return {row["id"]: attributes_from_json(row["attributes"]) for row in rows}


async def set_attributes(
    connection: Connection, attributes: Mapping[int, Iterable[Attribute]]
) -> None:
    await connection.execute(
        """
        UPDATE products p SET attributes = given.attributes, updated_at = now()
        FROM json_to_recordset($1::text::json) AS given(id bigint, attributes jsonb)
        WHERE p.id = given.id
        """,
        orjson.dumps(
            [{"id": id, "attributes": list(each)} for id, each in attributes.items()]
        ).decode(),
    )


async def slugs_taken(connection: Connection, slugs: Collection[str]) -> set[str]:
    """Those of `slugs` that a product has already."""
    rows = await connection.fetch(
        "SELECT slug FROM products WHERE slug = ANY($1::text[])", list(slugs)
    )
    return {row["slug"] for row in rows}
