"""What preview checkout routes take and give (contract checkout.md)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from checkstand.http.explained_schemas import Explanation
from checkstand.http.inputs import EmptyObject, Flag, as_object

_AMOUNT = re.compile(r"-?\d{1,15}(\.\d{1,10})?", re.ASCII)


class In(BaseModel):
    """A body: what it does not know is ignored, as CoCart does."""

    model_config = ConfigDict(extra="ignore")


class Out(BaseModel):
    """An answer: every field is said here."""

    model_config = ConfigDict(extra="forbid")


Part = Annotated[str | None, Field(max_length=500)]


class AddressIn(In):
    """Any subset; null or "" takes a part back."""

    first_name: Part = None
    last_name: Part = None
    company: Part = None
    address_1: Part = None
    address_2: Part = None
    city: Part = None
    state: Part = None
    postcode: Part = None
    country: Part = None
    phone: Part = None
    email: Part = None

    def changes(self) -> dict[str, str]:
        """The parts that were sent."""
        return {part: getattr(self, part) or "" for part in self.model_fields_set}


OptionalAddress = Annotated[
    AddressIn | None,
    BeforeValidator(as_object, json_schema_input_type=AddressIn | EmptyObject | None),
]
Scalar = str | bool | int | float | None


def _amount(value: Any) -> Any:
    """An amount in major units, as number or text."""
    text = "" if isinstance(value, bool) else str(value).strip()
    if not _AMOUNT.fullmatch(text):
        raise ValueError("must be an amount such as 19.99")
    return text


class KeyValue(In):
    key: Annotated[str, Field(max_length=200)]
    value: Scalar


_Given = Annotated[dict[str, Any] | list[KeyValue], Field(max_length=100)]
PaymentData = Annotated[
    _Given | None,
    BeforeValidator(as_object, json_schema_input_type=_Given | EmptyObject | None),
    Field(description="An object, or a list of {key, value}."),
]


_RateKey = Annotated[str, Field(max_length=200)]
_PackageName = Annotated[str, Field(max_length=100)]
RateChoice = Annotated[
    _RateKey | dict[_PackageName, _RateKey] | list[_RateKey] | None,
    Field(
        max_length=200,
        description="A rate key, such as `flat_rate:1`, for every package that offers it; or one "
        "for each package, by the package's key or index.",
    ),
]
Amount = Annotated[str, BeforeValidator(_amount, json_schema_input_type=str | int | float)]


class UpdateIn(In):
    """Everything is optional. Keys that only processing knows are ignored, except payment data and
    a password, which are refused: they belong to the verb that processes."""

    billing_address: OptionalAddress = None
    shipping_address: OptionalAddress = None
    payment_method: str | None = Field(None, max_length=100)
    shipping_method: RateChoice = None
    currency: str | None = Field(None, max_length=20, description="ISO 4217; sticky once chosen.")
    coupon_code: str | None = Field(None, max_length=200, description="Updates only.")
    coupon_action: Literal["apply", "remove"] = "apply"
    payment_data: PaymentData = None
    payment_method_data: PaymentData = None
    customer_password: str | None = Field(None, max_length=4096)


class ProcessIn(UpdateIn):
    """Orders the cart and takes the payment."""

    use_different_billing: Flag = Field(True, description="false: one address for both.")
    create_account: Flag = False
    customer_note: str | None = Field(None, max_length=5000)
    expected_total: Amount | None = Field(
        None, description="Refuse with 409 when the total is another; major units."
    )


class CurrencyOut(Out):
    code: str
    symbol: str
    base_currency: str
    exchange_rate: float | None


class BillingOut(Out):
    first_name: str
    last_name: str
    company: str
    address_1: str
    address_2: str
    city: str
    state: str
    postcode: str
    country: str
    phone: str
    email: str


class ShippingAddressOut(Out):
    first_name: str
    last_name: str
    company: str
    address_1: str
    address_2: str
    city: str
    state: str
    postcode: str
    country: str


class LineOut(Out):
    key: str
    product_id: int
    variation_id: int
    quantity: int
    product_name: str
    product_title: str
    product_price: str = Field(description="With symbol, for display.")
    line_subtotal: str
    line_total: str


class TotalsOut(Out):
    subtotal: str
    subtotal_tax: str
    shipping_total: str
    shipping_tax: str
    discount_total: str
    discount_tax: str
    cart_contents_total: str
    cart_contents_tax: str
    fee_total: str
    fee_tax: str
    total: str
    total_tax: str


class RateOut(Out):
    id: str
    label: str
    cost: str
    method_id: str
    instance_id: str


class GatewayConfigOut(Out):
    test_mode: bool
    is_connected: bool
    supports_tokenization: bool
    supports_refunds: bool
    supports_subscriptions: bool
    requires_billing_address: bool


class SavedTokenOut(Out):
    id: int
    token: str
    type: str
    gateway_id: str
    is_default: bool
    expires: str | None


class PaymentMethodOut(Out):
    id: str
    title: str
    description: str
    enabled: bool
    icon: str
    supports: list[str]
    has_fields: bool
    order_button_text: str
    method_title: str
    method_description: str
    saved_tokens: list[SavedTokenOut]
    supports_save_payment: bool
    config: GatewayConfigOut


class DebugInfo(Out):
    payment_context: dict[str, dict[str, str]]
    note: str


class PaymentMethodsWithDebug(Out):
    payment_methods: dict[str, PaymentMethodOut]
    debug_info: DebugInfo


class SummaryTotals(Out):
    subtotal: str


class SummaryItem(Out):
    item_key: str
    name: str
    quantity: int
    price: str
    totals: SummaryTotals


class OrderSummary(Out):
    subtotal: str
    discount_total: str
    shipping_total: str
    fee_total: str
    total_tax: str
    total: str


class CouponOut(Out):
    coupon: str
    label: str
    discount_type: str
    saving: str
    discount_tax: str


class CustomerDataOut(Out):
    customer_id: int
    billing_address: BillingOut
    shipping_address: ShippingAddressOut


class CheckoutPackageOut(Out):
    package_name: str
    index: int
    items: dict[str, int] = Field(description="Units by item key.")
    rates: dict[str, RateOut]
    chosen_method: str = Field(description="A rate key, or empty.")


class StateOut(Out):
    """The checkout as it stands. Amounts are decimal strings in the active currency."""

    cart_key: str | None
    cart_hash: str
    currency: CurrencyOut
    customer_id: int
    billing_address: BillingOut
    shipping_address: ShippingAddressOut
    cart_contents: dict[str, LineOut]
    cart_totals: TotalsOut
    shipping_methods: dict[str, RateOut] = Field(
        description="The rates of all packages; `cost` is for all packages that offer it."
    )
    needs_payment: bool
    needs_shipping: bool
    payment_method: str
    shipping_method: str = Field(
        description="The rate key that is chosen wherever it is offered; empty when there is none."
    )
    shipping_packages: dict[str, CheckoutPackageOut] = Field(
        description="What travels together: `default`, `2` and so on."
    )
    payment_methods: dict[str, PaymentMethodOut]
    customer_data: CustomerDataOut
    cart: dict[str, SummaryItem]
    totals: OrderSummary
    coupons: list[CouponOut]
    id: str
    notices: dict[str, list[str]] | list[Any]
    explanation: Explanation = None


class UpdatedOut(StateOut):
    """The state, and that it was updated."""

    success: bool
    message: str


class PaymentResult(Out):
    payment_status: str
    redirect_url: str
    message: str
    action_type: str | None = None
    action_data: dict[str, Any] | None = None


class ProcessedOut(Out):
    order_id: int
    status: str
    order_key: str
    order_number: str
    payment_result: PaymentResult
    customer_id: int
    billing_address: BillingOut
    shipping_address: ShippingAddressOut
    cart_key: str | None
    attempt_id: str | None = None
