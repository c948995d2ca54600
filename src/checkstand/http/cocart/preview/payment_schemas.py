"""What preview routes of payments and of placed orders take and give (contract checkout.md)."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from checkstand.http.cocart.preview.schemas import (
    BillingOut,
    In,
    Out,
    PaymentData,
    PaymentResult,
    ShippingAddressOut,
)


class ContextIn(In):
    payment_method: str = Field(max_length=100)


class PayIn(In):
    order_key: str = Field("", max_length=100, description="Here or in the query.")
    payment_method: str = Field(max_length=100)
    payment_data: PaymentData = None
    payment_method_data: PaymentData = None


class PaidOut(Out):
    success: bool
    order_id: int
    order_status: str
    redirect_url: str
    payment_result: PaymentResult
    attempt_id: str | None = None


class NextAction(Out):
    redirect_url: str
    action_type: str
    action_data: dict[str, Any]


class AttemptOut(Out):
    attempt_id: str
    state: str = Field(
        description="`open`, `needs_action`, `unknown`, `approved`, `declined` or `void`."
    )
    order_id: int
    order_key: str
    order_status: str
    payment_status: str
    message: str
    redirect_url: str
    next_action: NextAction | None
    poll_after: int | None = Field(
        description="Seconds until it makes sense to ask again; null when it is over."
    )


class ContextOut(BaseModel):
    model_config = ConfigDict(extra="allow")
    gateway_id: str
    title: str
    cart_total: str
    currency: str
    context_id: str | None = None
    expires_at: str | None = Field(None, description="UTC. Ask for a new context after it.")


class OrderTotal(Out):
    key: str
    label: str
    value: str


class OrderItemOut(Out):
    item_id: int
    product_id: int
    variation_id: int
    product_name: str
    product_title: str
    product_type: str
    product_image: str
    sku: str
    quantity: int
    subtotal: str
    total: str
    purchase_note: str
    refunded_qty: str
    meta: str
    link: str
    meta_data: list[dict[str, Any]]


class PayableMethod(Out):
    id: str
    title: str
    description: str
    has_fields: bool


class ReceivedOut(Out):
    order_id: int
    order_number: str
    order_key: str
    status: str
    status_name: str
    date_created: str
    date_paid: str | None
    currency: str
    total: str
    subtotal: str
    tax_total: str
    shipping_total: str
    discount_total: str
    payment_method: str
    payment_method_title: str
    customer_id: int
    customer_note: str
    billing_address: BillingOut
    shipping_address: ShippingAddressOut
    items: list[OrderItemOut]
    totals: list[OrderTotal]
    needs_payment: bool
    needs_shipping: bool
    has_downloads: bool
    download_url: str | None
    available_payment_methods: list[PayableMethod]
