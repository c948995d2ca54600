"""Products, terms and reviews over the wire (contract v2-products-store-sessions.md 4 to 7)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from checkstand.http.cocart.v2.schemas import CartCurrencyOut

Nothing = list[Any]
"""An associative value that is empty is `[]` (contract README 4)."""
_MINOR = "Minor units of the store's currency; empty when there is none."


class _Out(BaseModel):
    """`_fields` cuts it down; without it every member is there."""

    model_config = ConfigDict(extra="forbid")


class PriceRange(_Out):
    min: str
    max: str


class SaleDates(_Out):
    from_: str | None = Field(alias="from")
    from_gmt: str | None
    to: str | None
    to_gmt: str | None


class PlainPrices(_Out):
    price: str = Field(description=_MINOR)
    regular_price: str
    sale_price: str = Field(description="Empty unless it is on sale.")
    on_sale: bool
    date_on_sale: SaleDates
    currency: CartCurrencyOut


class Prices(PlainPrices):
    price_range: PriceRange | None = Field(description="Of a product with variations.")


class VariationConditions(_Out):
    virtual: bool
    downloadable: bool
    manage_stock: bool
    sold_individually: bool
    shipping_required: bool


class Conditions(VariationConditions):
    reviews_allowed: bool


class Dates(_Out):
    created: str
    created_gmt: str
    modified: str
    modified_gmt: str


class ImageOut(_Out):
    id: int
    src: dict[str, str]
    name: str
    alt: str
    position: int
    featured: bool


class LinkedTerm(_Out):
    id: int
    name: str
    slug: str
    rest_url: str


class AttributeOfProduct(_Out):
    id: int = Field(description="0 for a product's own.")
    name: str
    position: int
    is_attribute_visible: bool
    used_for_variation: bool
    options: dict[str, str]


class ChosenOption(_Out):
    id: int
    name: str
    option: dict[str, str] | Nothing


class StockOut(_Out):
    is_in_stock: bool
    stock_quantity: int | None = Field(description="null when no count is kept.")
    stock_status: Literal["instock", "outofstock", "onbackorder"]
    backorders: Literal["no", "notify", "yes"]
    backorders_allowed: bool
    backordered: bool
    low_stock_amount: int | None


class WeightOut(_Out):
    value: str | None
    unit: str


class DimensionsOut(_Out):
    length: str | None
    width: str | None
    height: str | None
    unit: str


class Quantities(_Out):
    minimum: int
    maximum: int = Field(description="-1: no limit.")
    multiple_of: int
    min_purchase: int
    max_purchase: int


class NoQuantities(_Out):
    """Of what is not added by itself."""


class EmbeddedAdding(_Out):
    is_purchasable: bool
    purchase_quantity: Quantities | NoQuantities
    rest_url: str


class VariationAdding(EmbeddedAdding):
    text: str
    description: str


class Adding(VariationAdding):
    has_options: bool


class EmbeddedVariation(_Out):
    id: int
    sku: str
    description: str
    attributes: dict[str, str]
    featured_image: dict[str, str] | Nothing
    prices: PlainPrices
    stock: StockOut
    add_to_cart: EmbeddedAdding


class NamedVariation(_Out):
    id: int
    permalink: str
    sku: str
    rest_url: str


class ConnectedAdding(_Out):
    text: str
    description: str
    rest_url: str


class Connected(_Out):
    id: int
    name: str
    permalink: str
    price: str
    add_to_cart: ConnectedAdding
    rest_url: str


class ReviewOut(_Out):
    id: int = 0
    date_created: str = ""
    date_created_gmt: str = ""
    product_id: int = 0
    status: Literal["approved", "hold", "spam", "trash"] = "approved"
    reviewer: str = ""
    reviewer_email: str = Field("", description="Empty for anybody but its author.")
    review: str = Field("", description="HTML; nothing of what was typed is markup.")
    rating: int = Field(0, ge=0, le=5)
    verified: bool = Field(False, description="Whether the author has bought the product.")


class MetaOut(_Out):
    key: str
    value: str


class _Both(_Out):
    """What products and variations have in common. All members are there without `_fields`."""

    id: int = 0
    parent_id: int = Field(0, description="0: none.")
    name: str = ""
    slug: str = ""
    permalink: str = ""
    sku: str = ""
    global_unique_id: str = ""
    description: str = ""
    dates: Dates = None  # type: ignore[assignment]
    featured: bool = False
    images: list[ImageOut] = []
    categories: list[LinkedTerm] = []
    tags: list[LinkedTerm] = []
    brands: list[LinkedTerm] = []
    stock: StockOut = None  # type: ignore[assignment]
    prices: Prices = None  # type: ignore[assignment]
    weight: WeightOut = None  # type: ignore[assignment]
    dimensions: DimensionsOut = None  # type: ignore[assignment]
    total_sales: int = 0
    meta_data: list[MetaOut] = Field([], description="Empty: this shop publishes none.")


class VariationOut(_Both):
    hidden_conditions: VariationConditions = None  # type: ignore[assignment]
    attributes: dict[str, ChosenOption] | Nothing = []
    add_to_cart: VariationAdding = None  # type: ignore[assignment]


class ProductOut(_Both):
    type: Literal["simple", "variable", "variation", "grouped", "external"] = "simple"
    short_description: str = ""
    hidden_conditions: Conditions = None  # type: ignore[assignment]
    average_rating: str = "0"
    review_count: int = 0
    rating_count: int = 0
    rated_out_of: str = "5"
    attributes: dict[str, AttributeOfProduct] | dict[str, ChosenOption] | Nothing = []
    default_attributes: dict[str, ChosenOption] | Nothing = []
    variations: list[EmbeddedVariation] | list[NamedVariation] = []
    grouped_products: list[int] = []
    reviews: list[ReviewOut] = []
    related: list[Connected] = []
    upsells: list[Connected] = []
    cross_sells: list[Connected] = []
    external_url: str = ""
    button_text: str = ""
    add_to_cart: Adding = None  # type: ignore[assignment]


class ProductsOut(_Out):
    products: list[ProductOut] = []
    page: int = 1
    total_pages: int = 0
    total_products: int = 0


class AttributeOut(_Out):
    id: int = 0
    name: str = ""
    slug: str = ""
    type: str = "select"
    order_by: Literal["menu_order", "name", "name_num", "id"] = "menu_order"
    has_archives: bool = False


class TermOut(_Out):
    id: int = 0
    name: str = ""
    slug: str = ""
    description: str = ""
    menu_order: int = 0
    count: int = Field(0, description="Published products.")


class CategoryImage(_Out):
    id: int
    date_created: str
    date_modified: str
    src: str
    name: str
    alt: str


class CategoryOut(_Out):
    id: int = 0
    name: str = ""
    slug: str = ""
    parent: int = Field(0, description="0: none.")
    description: str = ""
    display: Literal["default", "products", "subcategories", "both"] = "default"
    image: CategoryImage | None = None
    menu_order: int = 0
    count: int = 0
    rest_url: str = ""


class FlatTermOut(_Out):
    """A tag or a brand."""

    id: int = 0
    name: str = ""
    slug: str = ""
    description: str = ""
    count: int = 0
    rest_url: str = ""


class ReviewIn(BaseModel):
    model_config = ConfigDict(extra="ignore")
    product_id: int = Field(ge=1, le=2**63 - 1)
    review: str = Field(max_length=10_000)
    reviewer: str = Field(min_length=1, max_length=200)
    reviewer_email: str = Field(min_length=1, max_length=254)
    rating: int = Field(0, ge=0, le=5)
