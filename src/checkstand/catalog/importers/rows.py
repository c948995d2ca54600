"""One record of a WooCommerce product export, understood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from checkstand.catalog.importers.report import BadRow, RowWarning
from checkstand.catalog.model import ProductType


@dataclass(frozen=True, slots=True)
class RowAttribute:
    """`shared` is None where the cell is empty, as for variations in older exports."""

    name: str
    values: tuple[str, ...]
    visible: bool
    shared: bool | None
    default: str


@dataclass(slots=True)
class ProductRow:
    """`values` are cells by column of the products table; `links` are references by column.

    Only columns that the file has are there: what a file does not mention stays as it is.
    None for `categories`, `tags`, `brands` and `attributes` means that the file has no such column.
    `stock` is the quantity of a product that manages its stock, else None.
    """

    line: int
    file_id: int | None
    sku: str
    type: ProductType
    name: str
    parent: str
    values: dict[str, Any]
    links: dict[str, tuple[str, ...]]
    stock: int | None
    categories: tuple[tuple[str, ...], ...] | None
    tags: tuple[str, ...] | None
    brands: tuple[str, ...] | None
    attributes: tuple[RowAttribute, ...] | None
    problems: list[BadRow]
    warnings: list[RowWarning]


@dataclass(frozen=True, slots=True)
class Item:
    """A good row with the product that it is; `parent_id` is 0 unless it is a variation."""

    row: ProductRow
    id: int
    parent_id: int
