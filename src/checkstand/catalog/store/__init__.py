"""All SQL of the catalogue: `reading` serves the shop, `writing` serves the importers."""

from checkstand.catalog.store.reading import (
    list_products,
    product_id_by_sku,
    product_id_by_slug,
    products,
    variations_of,
)

__all__ = [
    "list_products",
    "product_id_by_sku",
    "product_id_by_slug",
    "products",
    "variations_of",
]
