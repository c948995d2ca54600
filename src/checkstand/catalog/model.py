"""What the shop sells: products and their variations, as facts without behaviour of a cart.

Prices are minor units of the store's base currency. A variation comes resolved: what it does not
say itself (tax class, weight, image, stock management ...) was taken from its parent when loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class ProductType(StrEnum):
    SIMPLE = "simple"
    VARIABLE = "variable"
    VARIATION = "variation"
    GROUPED = "grouped"
    EXTERNAL = "external"


class Backorders(StrEnum):
    NO = "no"
    NOTIFY = "notify"
    YES = "yes"


class StockStatus(StrEnum):
    IN_STOCK = "instock"
    OUT_OF_STOCK = "outofstock"
    ON_BACKORDER = "onbackorder"


class TaxStatus(StrEnum):
    TAXABLE = "taxable"
    SHIPPING_ONLY = "shipping"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Option:
    """One value of an attribute: `slug` goes over the wire, `name` is shown."""

    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """`slug` is `pa_size` for an attribute shared by the shop, `logo` for one product's own.

    Options of a shared attribute are chosen by slug, those of an own attribute by their exact
    text (contract cart.md 3.2); for the latter `slug` equals `name`.
    """

    slug: str
    name: str
    options: tuple[Option, ...]
    shared: bool = False
    visible: bool = True
    for_variations: bool = False


@dataclass(frozen=True, slots=True)
class Image:
    src: str
    name: str = ""
    alt: str = ""


@dataclass(frozen=True, slots=True)
class Download:
    name: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    id: int
    type: ProductType
    name: str
    slug: str
    parent_id: int = 0
    sku: str = ""
    published: bool = True
    visibility: str = "visible"
    featured: bool = False
    description: str = ""
    short_description: str = ""
    regular_price: int | None = None
    sale_price: int | None = None
    sale_from: datetime | None = None
    sale_to: datetime | None = None
    tax_status: TaxStatus = TaxStatus.TAXABLE
    tax_class: str = ""
    shipping_class: str = ""
    manages_stock: bool = False
    stock_id: int = 0
    """The product whose stock row counts: itself, or the parent that manages it for all."""
    stock_status: StockStatus = StockStatus.IN_STOCK
    backorders: Backorders = Backorders.NO
    low_stock: int | None = None
    sold_individually: bool = False
    min_quantity: int = 1
    max_quantity: int | None = None
    step_quantity: int = 1
    weight: Decimal | None = None
    length: Decimal | None = None
    width: Decimal | None = None
    height: Decimal | None = None
    virtual: bool = False
    downloadable: bool = False
    downloads: tuple[Download, ...] = ()
    images: tuple[Image, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    """Of a variation: its parent's, so that the labels of its options can be shown."""
    variation: Mapping[str, str] = field(default_factory=dict)
    """Of a variation: attribute slug -> option slug, "" for any option."""
    default_options: Mapping[str, str] = field(default_factory=dict)
    category_ids: tuple[int, ...] = ()
    """The categories it was put in, without their ancestors; a variation has its parent's."""
    grouped_ids: tuple[int, ...] = ()
    upsell_ids: tuple[int, ...] = ()
    cross_sell_ids: tuple[int, ...] = ()
    external_url: str = ""
    button_text: str = ""
    purchase_note: str = ""
    reviews_allowed: bool = True
    position: int = 0
    parent_name: str = ""
    parent_published: bool = True
    rating: Decimal = Decimal(0)
    """The average of its reviews, 1 to 5; 0 without one."""

    def on_sale(self, now: datetime) -> bool:
        """Whether the sale price holds at `now`: it is set, lower, and inside its dates."""
        if self.sale_price is None or self.regular_price is None:
            return False
        if self.sale_price >= self.regular_price:
            return False
        started = self.sale_from is None or self.sale_from <= now
        return started and (self.sale_to is None or now < self.sale_to)

    def price(self, now: datetime) -> int | None:
        """What one costs at `now`, in minor units of the base currency; None when not for sale."""
        return self.sale_price if self.on_sale(now) else self.regular_price

    @property
    def needs_shipping(self) -> bool:
        return not self.virtual

    @property
    def promoted(self) -> bool:
        """Whether it is shown where nobody searched for it: beside other products and carts."""
        return self.visibility in ("visible", "catalog")

    @property
    def allows_backorders(self) -> bool:
        return self.backorders is not Backorders.NO

    @property
    def sold_out(self) -> bool:
        """Marked as sold out by hand; a product that keeps count is sold out by its count."""
        return self.stock_status is StockStatus.OUT_OF_STOCK
