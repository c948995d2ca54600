"""What v2 cart routes take and give, for validation on the way in and OpenAPI on both."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from checkstand.cart.verbs import MAX_QUANTITY
from checkstand.errors import QuantityNotNumeric, QuantityOutOfRange
from checkstand.http.explained_schemas import Explanation
from checkstand.http.inputs import EmptyObject, Flag, as_given_object

MAX_ITEM_DATA = 16_384
"""Bytes of JSON that one line may carry: the whole cart is read and written at once."""


_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class In(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Out(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _identifier(value: Any) -> Any:
    """IDs come as numbers or as strings (sdk-expectations 7.5)."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def numeric(value: Any) -> Any:
    """A quantity as text that looks like a number (contract README 3): 2, "2", 2.0."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("must be a number, or a string with a number")
    text = str(value).strip()
    try:
        if len(text) <= 30 and _NUMBER.fullmatch(text) and Decimal(text).is_finite():
            return text
    except InvalidOperation:  # an exponent beyond what Decimal counts
        pass
    raise ValueError("must be a number, or a string with a number")


def _not_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number, or a string with a number")
    return value


def _small(value: dict[str, Any]) -> dict[str, Any]:
    if len(orjson.dumps(value)) > MAX_ITEM_DATA:
        raise ValueError(f"must not be larger than {MAX_ITEM_DATA} bytes of JSON")
    return value


Identifier = Annotated[
    str,
    BeforeValidator(_identifier, json_schema_input_type=str | int),
    Field(max_length=200, description="Product ID, variation ID or SKU."),
]
Quantity = Annotated[
    str,
    BeforeValidator(numeric, json_schema_input_type=str | int | float),
    Field(description="A whole number, as number or string.", examples=["1"]),
]
Scalar = Annotated[str | int | float, BeforeValidator(_not_boolean)]
"""A quantity that the handler judges, or a price that nobody does."""
Options = Annotated[
    dict[str, Annotated[str, Field(max_length=200)]],
    BeforeValidator(as_given_object, json_schema_input_type=dict[str, str] | EmptyObject),
    Field(max_length=50),
]
FreeData = Annotated[
    dict[str, Any],
    BeforeValidator(as_given_object, json_schema_input_type=dict[str, Any] | EmptyObject),
    AfterValidator(_small),
    Field(max_length=50),
]


def whole(quantity: str) -> int:
    """The quantity as an integer: this shop sells whole units. Checks of the handler, after those
    of the parameter (contract cart.md 3.1, rows 6 and 7)."""
    try:
        number = Decimal(quantity)
    except InvalidOperation:
        raise QuantityNotNumeric from None
    if number != number.to_integral_value():
        raise QuantityNotNumeric
    if not 0 <= number <= MAX_QUANTITY:
        raise QuantityOutOfRange(f"A quantity is between 0 and {MAX_QUANTITY}.")
    return int(number)


class AddItemIn(In):
    id: Identifier
    quantity: Quantity = "1"
    variation: Options = Field(default_factory=dict)
    item_data: FreeData = Field(
        default_factory=dict, description="Anything that makes the line distinct."
    )
    email: str | None = Field(None, max_length=320)
    phone: str | None = Field(None, max_length=100)
    price: Scalar | None = Field(
        None,
        description="Major units of the base currency, from callers that may set prices; ignored "
        "from all others: a price is never taken from a shopper.",
    )
    return_item: Flag = Field(False, description="Answer with the item instead of the cart.")


class ListedItem(In):
    id: Identifier
    quantity: Quantity = "1"
    variation: Options = Field(default_factory=dict)
    item_data: FreeData = Field(default_factory=dict)


class AddItemsIn(In):
    """Either `items`, or a grouped product's `id` with a `quantity` for each of its products."""

    items: list[ListedItem] | None = Field(None, max_length=100)
    id: Identifier | None = None
    quantity: (
        Annotated[
            dict[str, Quantity],
            BeforeValidator(as_given_object, json_schema_input_type=dict[str, Any] | EmptyObject),
        ]
        | None
    ) = Field(None, description="Product ID -> quantity.")
    email: str | None = Field(None, max_length=320)
    phone: str | None = Field(None, max_length=100)
    return_items: Flag = Field(False, description="Answer with the items instead of the cart.")


class UpdateItemIn(In):
    quantity: Annotated[Scalar, Field(description="The new quantity; 0 takes the item out.")]
    id: Identifier | None = Field(None, description="The variation that it becomes.")
    variation: Options | None = Field(None, description="Options that are chosen instead.")
    item_data: FreeData | None = Field(None, description="Takes the place of its data.")
    return_status: Flag = False


class RestoreItemIn(In):
    """A `quantity` makes it an update: older clients update with PUT (sdk-expectations 6)."""

    quantity: Scalar | None = None
    return_item: Flag = False


class RemoveItemIn(In):
    return_status: Flag = False


class ClearIn(In):
    keep_removed_items: Flag = False


class CalculateIn(In):
    return_totals: Flag = False


class UpdateCartIn(BaseModel):
    """`update-cart` sets quantities, `update-customer` merges address parts."""

    model_config = ConfigDict(extra="allow")
    namespace: str | None = Field(None, max_length=100)


class CartCreated(Out):
    message: str
    cart_key: str


class QuantityStatus(Out):
    message: str
    quantity: int


class CartCurrencyOut(Out):
    currency_code: str
    currency_symbol: str
    currency_symbol_pos: str
    currency_minor_unit: int
    currency_decimal_separator: str
    currency_thousand_separator: str
    currency_prefix: str
    currency_suffix: str


class CustomerOut(Out):
    billing_address: dict[str, str]
    shipping_address: dict[str, str]


class ItemQuantity(Out):
    value: int
    min_purchase: int
    max_purchase: int = Field(description="-1: no limit.")
    minimum: int
    maximum: int
    multiple_of: int
    editable: bool


class ItemTotals(Out):
    subtotal: str
    subtotal_tax: str
    total: str
    tax: str


class ItemMeta(Out):
    product_type: str
    sku: str
    dimensions: dict[str, str] | list[Any]
    weight: str
    variation: dict[str, str] | list[Any]


class _ItemBase(Out):
    item_key: str
    id: int
    name: str
    title: str
    price: str = Field(description="Minor units.")
    totals: ItemTotals
    slug: str
    meta: ItemMeta
    backorders: str
    cart_item_data: dict[str, Any] | list[Any]
    featured_image: str


class ItemOut(_ItemBase):
    regular_price: str
    on_sale: bool
    quantity: ItemQuantity
    extensions: dict[str, Any] | list[Any]


class RemovedItemOut(_ItemBase):
    quantity: int


class CartRateOut(Out):
    key: str
    method_id: str
    instance_id: int
    label: str
    cost: str
    html: str
    taxes: str
    tax: str
    chosen_method: bool
    meta_data: dict[str, str] | list[Any]


class PackageOut(Out):
    package_name: str
    rates: dict[str, CartRateOut] | list[Any]
    package_details: str
    index: int
    chosen_method: str
    formatted_destination: str


class ShippingOut(Out):
    total_packages: int
    show_package_details: bool
    has_calculated_shipping: bool
    packages: dict[str, PackageOut] | list[Any]


class CartTotalsOut(Out):
    subtotal: str
    subtotal_tax: str
    fee_total: str
    fee_tax: str
    discount_total: str
    discount_tax: str
    shipping_total: str
    shipping_tax: str
    total: str
    total_tax: str


class EngineLineOut(Out):
    """A line as the engine has it; amounts are numbers in major units, ex tax."""

    key: str
    product_id: int
    variation_id: int
    variation: dict[str, str] | list[Any]
    quantity: int
    cart_item_data: dict[str, Any] | list[Any]
    line_subtotal: float
    line_subtotal_tax: float
    line_total: float
    line_tax: float


class EngineTotals(Out):
    subtotal: str
    subtotal_tax: str
    shipping_total: str
    shipping_tax: str
    shipping_taxes: dict[str, str] | list[Any]
    discount_total: str
    discount_tax: str
    cart_contents_total: str
    cart_contents_tax: str
    cart_contents_taxes: dict[str, str] | list[Any]
    fee_total: str
    fee_tax: str
    fee_taxes: dict[str, str] | list[Any]
    total: str
    total_tax: str


class TaxOut(Out):
    name: str
    price: str


class FeeOut(Out):
    """`fee` in minor units; `amount`, `total` and `tax` are numbers in major units."""

    name: str
    fee: str
    amount: float
    taxable: bool
    tax_class: str
    total: float
    tax: float


class CrossSellOut(Out):
    id: int
    name: str
    title: str
    product_name: str
    product_title: str
    slug: str
    price: str
    regular_price: str
    sale_price: str
    image: str
    product_image: str
    featured_image: str
    average_rating: str
    on_sale: bool
    type: str


class CartCouponOut(Out):
    coupon: str = Field(description="The code.")
    label: str
    discount_type: str
    saving: str = Field(description='Minor units with a minus sign, "-290".')
    saving_html: str = Field(description="As text, for display.")


class CartOut(BaseModel):
    """`fields` and `_fields` cut it down, so no member is always there; all are without them."""

    model_config = ConfigDict(extra="forbid")
    cart_hash: str = ""
    cart_key: str = Field("", description='"" when there is no cart yet.')
    currency: CartCurrencyOut = None  # type: ignore[assignment]
    customer: CustomerOut = None  # type: ignore[assignment]
    items: list[ItemOut] = []
    item_count: int = 0
    items_weight: str = "0"
    coupons: list[CartCouponOut] = []
    needs_payment: bool = False
    needs_shipping: bool = False
    shipping: ShippingOut | list[Any] = []
    fees: dict[str, FeeOut] | list[Any] = []
    taxes: dict[str, TaxOut] | list[Any] = []
    totals: CartTotalsOut = None  # type: ignore[assignment]
    removed_items: list[RemovedItemOut] = []
    cross_sells: list[CrossSellOut] = []
    notices: dict[str, list[str]] | list[Any] = []
    extensions: dict[str, Any] | list[Any] = []
    explanation: Explanation = None
