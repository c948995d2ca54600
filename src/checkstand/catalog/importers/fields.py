"""The columns that need nothing but their own cell: what they are called and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from checkstand.catalog.importers import cells
from checkstand.catalog.model import ProductType

_PUBLISHED = {"1": True, "0": False, "-1": False, "yes": True, "no": False}
_VISIBILITY = {each: each for each in ("visible", "catalog", "search", "hidden")}
TAX_STATUSES = {each: each for each in ("taxable", "shipping", "none")}
_STOCK_STATUS = {
    "1": "instock",
    "0": "outofstock",
    "backorder": "onbackorder",
    "instock": "instock",
    "outofstock": "outofstock",
    "onbackorder": "onbackorder",
    "yes": "instock",
    "no": "outofstock",
}
_BACKORDERS = {"0": "no", "1": "yes", "notify": "notify", "no": "no", "yes": "yes"}
STOCKED = {ProductType.SIMPLE, ProductType.VARIABLE, ProductType.VARIATION}

PLAIN: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "published": ("published", lambda text: cells.one_of(text, _PUBLISHED, True)),
    "is featured?": ("featured", lambda text: cells.one_of(text, cells.TRUTHS, False)),
    "visibility in catalog": (
        "visibility",
        lambda text: cells.one_of(text, _VISIBILITY, "visible"),
    ),
    "short description": ("short_description", cells.prose),
    "description": ("description", cells.prose),
    "date sale price starts": ("sale_from", cells.moment),
    "date sale price ends": ("sale_to", cells.end_moment),
    "in stock?": ("stock_status", lambda text: cells.one_of(text, _STOCK_STATUS, "instock")),
    "low stock amount": ("low_stock", partial(cells.whole, least=0)),
    "backorders allowed?": ("backorders", lambda text: cells.one_of(text, _BACKORDERS, "no")),
    "sold individually?": (
        "sold_individually",
        lambda text: cells.one_of(text, cells.TRUTHS, False),
    ),
    "allow customer reviews?": (
        "reviews_allowed",
        lambda text: cells.one_of(text, cells.TRUTHS, True),
    ),
    "purchase note": ("purchase_note", str),
    "gtin, upc, ean, or isbn": ("global_unique_id", lambda text: text.strip()[:100]),
    "external url": ("external_url", cells.web_address),
    "button text": ("button_text", str),
    "position": ("position", lambda text: cells.whole(text, -cells.LARGEST_INTEGER) or 0),
    "minimum quantity": ("min_quantity", partial(cells.whole, least=1)),
    "maximum quantity": ("max_quantity", partial(cells.whole, least=1)),
    "step quantity": ("step_quantity", partial(cells.whole, least=1)),
}
"""Header in lower case -> column of the products table, meaning of the cell."""

LINKS = {
    "grouped products": "grouped_ids",
    "upsells": "upsell_ids",
    "cross-sells": "cross_sell_ids",
}
