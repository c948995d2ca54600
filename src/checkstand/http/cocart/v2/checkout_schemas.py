"""What the v2 checkout and order routes take and give (contract v2-checkout.md)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from checkstand.http.cocart.preview.payment_schemas import OrderTotal, PayableMethod
from checkstand.http.cocart.preview.schemas import (
    BillingOut,
    OptionalAddress,
    PaymentData,
    RateChoice,
    ShippingAddressOut,
)
from checkstand.http.cocart.v2.schemas import CartCurrencyOut, ItemTotals
from checkstand.http.explained_schemas import Explanation
from checkstand.http.inputs import Flag

_LARGEST = 2**53 - 1


class _In(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Out(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _as_sent(value: Any) -> Any:
    return value


_Digits = Annotated[str, Field(pattern=r"^[0-9]{1,15}$")]
ExpectedMinor = Annotated[
    int,
    Field(ge=0, le=_LARGEST),
    BeforeValidator(_as_sent, json_schema_input_type=int | _Digits),
]
Minor = Annotated[str, Field(pattern=r"^-?[0-9]{1,16}$", description="Minor units.")]


class CheckoutUpdateIn(_In):
    """Everything is optional; addresses are merged. All of it is stored, or nothing."""

    billing_address: OptionalAddress = None
    shipping_address: OptionalAddress = None
    use_different_billing: Flag = Field(True, description="false: one address for both.")
    payment_method: str | None = Field(None, max_length=100)
    shipping_method: RateChoice = None
    currency: str | None = Field(None, max_length=20, description="ISO 4217; sticky once chosen.")
    coupon_code: str | None = Field(None, max_length=200)
    coupon_action: Literal["apply", "remove"] = "apply"
    payment_data: PaymentData = None
    payment_method_data: PaymentData = None
    customer_password: str | None = Field(None, max_length=4096)


class CheckoutProcessIn(_In):
    """Orders the cart and takes the payment. What is left out is as the checkout has it."""

    billing_address: OptionalAddress = None
    shipping_address: OptionalAddress = None
    use_different_billing: Flag = Field(True, description="false: one address for both.")
    payment_method: str | None = Field(None, max_length=100)
    shipping_method: RateChoice = None
    currency: str | None = Field(None, max_length=20)
    payment_data: PaymentData = None
    payment_method_data: PaymentData = None
    create_account: Flag = False
    customer_password: str | None = Field(None, max_length=4096)
    customer_note: str | None = Field(None, max_length=5000)
    expected_total: ExpectedMinor | None = Field(
        None, description="Refuse with 409 when the total is another; minor units."
    )


class CheckoutCustomerOut(_Out):
    customer_id: int
    billing_address: BillingOut
    shipping_address: ShippingAddressOut


class CheckoutQuantity(_Out):
    value: int
    minimum: int
    maximum: int = Field(description="-1: no limit.")
    multiple_of: int
    editable: bool


class CheckoutItemMeta(_Out):
    product_type: str
    sku: str
    dimensions: dict[str, str] | list[Any]
    weight: str
    variation: dict[str, str] | list[Any]


class CheckoutItemOut(_Out):
    item_key: str
    id: int
    name: str
    price: Minor
    quantity: CheckoutQuantity
    totals: ItemTotals
    slug: str
    meta: CheckoutItemMeta
    backorders: str
    cart_item_data: dict[str, Any]
    featured_image: str


class CheckoutCouponOut(_Out):
    coupon: str
    label: str
    discount_type: str
    saving: str
    saving_html: str


class CheckoutRateOut(_Out):
    id: str
    label: str
    cost: Minor
    method_id: str
    instance_id: int


class CheckoutFeeOut(_Out):
    """Amounts in major units, unlike everywhere else on this route."""

    name: str
    amount: float
    taxable: bool
    tax_class: str
    total: float
    tax: float


class CheckoutTotalsOut(_Out):
    subtotal: Minor
    subtotal_tax: Minor
    fee_total: Minor
    fee_tax: Minor
    discount_total: Minor
    discount_tax: Minor
    shipping_total: Minor
    shipping_tax: Minor
    cart_contents_total: Minor
    cart_contents_tax: Minor
    total: Minor
    total_tax: Minor


class CheckoutStateOut(_Out):
    """The checkout as it stands. Amounts are minor units in strings, in the active currency."""

    cart_hash: str
    cart_key: str
    currency: CartCurrencyOut
    customer: CheckoutCustomerOut
    items: dict[str, CheckoutItemOut]
    coupons: list[CheckoutCouponOut]
    needs_payment: bool
    needs_shipping: bool
    shipping_methods: dict[str, CheckoutRateOut]
    payment_method: str
    fees: list[CheckoutFeeOut]
    cart_totals: CheckoutTotalsOut
    message: str
    explanation: Explanation = None


class CheckoutUpdatedOut(CheckoutStateOut):
    success: bool


class CheckoutPaymentResult(_Out):
    """Which members there are depends on `payment_status`."""

    payment_status: Literal[
        "success", "no_payment_required", "failed", "requires_action", "pending"
    ]
    redirect_url: str | None = None
    message: str | None = None
    action_type: str | None = None
    action_data: dict[str, Any] | None = None


class CheckoutProcessedOut(_Out):
    order_id: int
    status: str
    order_key: str
    order_number: str
    payment_result: CheckoutPaymentResult
    customer_id: int
    billing_address: BillingOut
    shipping_address: ShippingAddressOut
    attempt_id: str | None = None


class MethodConfigOut(_Out):
    test_mode: bool
    is_connected: bool
    supports_tokenization: bool
    supports_refunds: bool
    supports_subscriptions: bool
    requires_billing_address: bool
    restricted_to_shipping_methods: list[str] | None


class SavedTokenStringOut(_Out):
    id: str
    token: str
    type: str
    gateway_id: str
    is_default: bool
    expires: str | None


class CheckoutMethodOut(_Out):
    id: str
    title: str
    description: str
    supports: list[str]
    has_fields: bool
    order_button_text: str
    method_title: str
    method_description: str
    config: MethodConfigOut
    saved_tokens: list[SavedTokenStringOut]
    supports_save_payment: bool


class ItemMetaDataOut(_Out):
    id: int
    key: str
    display_key: str
    display_value: str


class ReceivedItemOut(_Out):
    item_id: int
    product_id: int
    variation_id: int
    product_name: str
    product_image: str
    quantity: int
    subtotal: Minor
    total: Minor
    meta_data: list[ItemMetaDataOut]


class OrderReceivedOut(_Out):
    order_id: int
    order_number: str
    order_key: str
    status: str
    status_name: str
    date_created: str = Field(description="UTC.")
    date_paid: str | None
    currency: str
    total: Minor
    subtotal: Minor
    tax_total: Minor
    shipping_total: Minor
    discount_total: Minor
    payment_method: str
    payment_method_title: str
    customer_id: int
    customer_note: str
    billing_address: BillingOut
    shipping_address: ShippingAddressOut
    items: list[ReceivedItemOut]
    totals: list[OrderTotal]
    needs_payment: bool
    needs_shipping: bool
    has_downloads: bool
    download_url: str | None = None
    available_payment_methods: list[PayableMethod] = []


class OrderPaidOut(_Out):
    success: bool
    order_id: int
    order_status: str
    redirect_url: str
    payment_result: CheckoutPaymentResult
    attempt_id: str | None = None
