"""Products out of the database, variations resolved against their parents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

import orjson
from asyncpg import Record as Row

from checkstand.catalog.model import (
    Attribute,
    Backorders,
    Download,
    Image,
    Option,
    Product,
    ProductType,
    StockStatus,
    TaxStatus,
)
from checkstand.storage.database import Connection

# jsonb is read as text: whichever codec the connection has for it, this stays true.
_COLUMNS = """
    p.id, p.type, p.parent_id, p.sku, p.slug, p.name, p.published, p.visibility, p.featured,
    p.description, p.short_description, p.regular_price, p.sale_price, p.sale_from, p.sale_to,
    p.tax_status, p.tax_class, p.shipping_class, p.manages_stock, p.stock_status, p.backorders,
    p.low_stock, p.sold_individually, p.min_quantity, p.max_quantity, p.step_quantity,
    p.weight, p.length, p.width, p.height, p.virtual, p.downloadable,
    p.downloads::text, p.images::text, p.attributes::text, p.variation::text,
    p.default_options::text, p.grouped_ids, p.upsell_ids, p.cross_sell_ids, p.external_url,
    p.button_text, p.purchase_note, p.reviews_allowed, p.position,
    ARRAY(SELECT c.category_id FROM product_categories c
          WHERE c.product_id = p.id ORDER BY c.category_id) AS category_ids,
    (SELECT l.rating FROM product_listing l WHERE l.product_id = p.id) AS rating
"""

# Two index scans; `OR id IN (SELECT ...)` would make the planner read the whole table.
_BY_ID = f"""
    SELECT {_COLUMNS} FROM products p WHERE p.id = ANY($1::bigint[])
    UNION ALL
    SELECT {_COLUMNS} FROM products p
    WHERE p.id IN (SELECT v.parent_id FROM products v WHERE v.id = ANY($1::bigint[]))
      AND p.id <> ALL($1::bigint[])
"""

_FAMILY = f"""
    SELECT {_COLUMNS} FROM products p WHERE p.id = $1
    UNION ALL
    SELECT {_COLUMNS} FROM products p WHERE p.parent_id = $1
"""

# Building 1,000 products takes long enough to be felt by other requests of the process.
_BUILT_AT_ONCE = 200


async def products(connection: Connection, ids: Collection[int]) -> dict[int, Product]:
    """The products with these ids, in no order; ids that no product has are left out.

    One statement, whatever their number; parents are read along and variations come resolved.
    """
    if not ids:
        return {}
    rows = {row["id"]: row for row in await connection.fetch(_BY_ID, list(ids))}
    return await _build((rows[id] for id in ids if id in rows), rows)


async def variations_of(connection: Connection, parent_id: int) -> list[Product]:
    """The variations of a product in menu order, published or not."""
    rows = {row["id"]: row for row in await connection.fetch(_FAMILY, parent_id)}
    children = (row for row in rows.values() if row["parent_id"] == parent_id)
    found = await _build(children, rows)
    return sorted(found.values(), key=lambda product: (product.position, product.id))


async def product_id_by_sku(connection: Connection, sku: str) -> int | None:
    """The product or variation with exactly this SKU."""
    found: int | None = await connection.fetchval("SELECT id FROM products WHERE sku = $1", sku)
    return found


async def product_id_by_slug(connection: Connection, slug: str) -> int | None:
    found: int | None = await connection.fetchval("SELECT id FROM products WHERE slug = $1", slug)
    return found


async def list_products(connection: Connection, limit: int) -> list[tuple[int, str]]:
    """Id and name of the first published products that are not variations, by id."""
    rows = await connection.fetch(
        "SELECT id, name FROM products WHERE published AND parent_id IS NULL ORDER BY id LIMIT $1",
        limit,
    )
    return [(row["id"], row["name"]) for row in rows]


async def _build(wanted: Iterable[Row], rows: Mapping[int, Row]) -> dict[int, Product]:
    built: dict[int, Product] = {}
    attributes: dict[int, tuple[Attribute, ...]] = {}  # shared by the variations of one parent
    for number, row in enumerate(wanted, start=1):
        parent = rows.get(row["parent_id"])
        source = parent or row
        if source["id"] not in attributes:
            attributes[source["id"]] = attributes_from_json(source["attributes"])
        built[row["id"]] = _product(row, parent, attributes[source["id"]])
        if number % _BUILT_AT_ONCE == 0:
            await asyncio.sleep(0)
    return built


def _product(row: Row, parent: Row | None, attributes: tuple[Attribute, ...]) -> Product:
    own_stock = parent is None or row["manages_stock"]
    stock = row if parent is None or own_stock or not parent["manages_stock"] else parent
    said = _inheriting(row, parent)
    variation: dict[str, str] = orjson.loads(row["variation"])
    return Product(
        **_identity(row, parent),
        name=row["name"] or _name(parent, attributes, variation),
        **_prices(row),
        **_delivery(said, row),
        **_quantities(said, stock),
        tax_status=TaxStatus((parent or row)["tax_status"] or TaxStatus.TAXABLE),
        tax_class=said("tax_class") or "",
        sold_individually=(parent or row)["sold_individually"],
        purchase_note=said("purchase_note"),
        images=_images(row["images"]) or (_images(parent["images"]) if parent else ()),
        attributes=attributes,
        variation=variation,
        default_options=orjson.loads(row["default_options"]),
        category_ids=tuple((parent or row)["category_ids"]),
        grouped_ids=tuple(row["grouped_ids"]),
        upsell_ids=tuple(row["upsell_ids"]),
        cross_sell_ids=tuple((parent or row)["cross_sell_ids"]),
        rating=(parent or row)["rating"] or Decimal(0),
    )


def _inheriting(row: Row, parent: Row | None) -> Callable[[str], Any]:
    """Reads a column of `row`, or of `parent` when `row` leaves it null or, for texts, empty."""

    def said(column: str) -> Any:
        own = row[column]
        if parent is None or (own is not None and (own != "" or column == "tax_class")):
            return own
        return parent[column]

    return said


def _identity(row: Row, parent: Row | None) -> dict[str, Any]:
    facts = {
        "id": row["id"],
        "type": ProductType(row["type"]),
        "sku": row["sku"] or "",
        "published": row["published"],
        "featured": row["featured"],
        "description": row["description"],
        "short_description": row["short_description"],
        "external_url": row["external_url"],
        "button_text": row["button_text"],
        "reviews_allowed": row["reviews_allowed"],
        "position": row["position"],
        "slug": row["slug"] or "",
        "visibility": row["visibility"],
    }
    if parent is not None:
        facts |= {
            "parent_id": parent["id"],
            "parent_name": parent["name"],
            "parent_published": parent["published"],
            "sku": row["sku"] or parent["sku"] or "",
            "slug": row["slug"] or parent["slug"] or "",
            "visibility": parent["visibility"],
        }
    return facts


def _prices(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("regular_price", "sale_price", "sale_from", "sale_to")}


def _delivery(said: Callable[[str], Any], row: Row) -> dict[str, Any]:
    return {
        "shipping_class": said("shipping_class") or "",
        "weight": said("weight"),
        "length": said("length"),
        "width": said("width"),
        "height": said("height"),
        "virtual": row["virtual"],
        "downloadable": row["downloadable"],
        "downloads": tuple(
            Download(each["name"], each["url"]) for each in orjson.loads(row["downloads"])
        ),
    }


def _quantities(said: Callable[[str], Any], stock: Row) -> dict[str, Any]:
    """`stock` is the row that manages the stock: the product's own or its parent's."""
    return {
        "manages_stock": stock["manages_stock"],
        "stock_id": stock["id"],
        "stock_status": StockStatus(stock["stock_status"]),
        "backorders": Backorders(stock["backorders"]),
        "low_stock": said("low_stock"),
        "min_quantity": said("min_quantity") or 1,
        "max_quantity": said("max_quantity"),
        "step_quantity": said("step_quantity") or 1,
    }


def _name(
    parent: Row | None, attributes: tuple[Attribute, ...], variation: Mapping[str, str]
) -> str:
    """Of a variation without a name of its own: `Hoodie - Blue, Large`."""
    if parent is None:
        return ""
    chosen = [
        option.name
        for attribute in attributes
        for option in attribute.options
        if variation.get(attribute.slug) == option.slug
    ]
    return " - ".join(filter(None, [parent["name"], ", ".join(chosen)]))


def _images(text: str) -> tuple[Image, ...]:
    return tuple(Image(**each) for each in orjson.loads(text))


def attributes_from_json(text: str) -> tuple[Attribute, ...]:
    """Attributes as the `attributes` column keeps them."""
    return tuple(
        Attribute(
            slug=each["slug"],
            name=each["name"],
            options=tuple(Option(**option) for option in each["options"]),
            shared=each["shared"],
            visible=each["visible"],
            for_variations=each["for_variations"],
        )
        for each in orjson.loads(text)
    )
