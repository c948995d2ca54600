"""What the routes of coupons, fees, shipping choices and the mini cart take and give."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from checkstand.http.cocart.v2.schemas import CartCouponOut, CartCurrencyOut, In, Out, Scalar
from checkstand.http.inputs import Flag


class MiniItem(Out):
    item_key: str
    id: int
    name: str
    price: str
    quantity: int
    variation: dict[str, str] | list[Any]
    cart_item_data: dict[str, Any] | list[Any]
    featured_image: str


class MiniTotals(Out):
    subtotal: str
    total: str


class MiniCartOut(Out):
    cart_hash: str | None = None
    cart_key: str = ""
    currency: CartCurrencyOut = None  # type: ignore[assignment]
    item_count: int = 0
    items: list[MiniItem] = Field([])
    subtotal: str = "0"
    totals: MiniTotals = None  # type: ignore[assignment]
    notices: dict[str, list[str]] | list[Any] = Field([])


class AddFeeIn(In):
    name: str = Field("", max_length=200)
    amount: Scalar | None = Field(
        None, description="Major units of the base currency, ex tax; negative takes off."
    )
    taxable: Flag = False
    tax_class: str = Field("", max_length=100)


class ShippingMethodIn(In):
    """`rate_id`, `method_key` and `key` are the same thing in different clients."""

    rate_id: str | None = Field(None, max_length=200)
    method_key: str | None = Field(None, max_length=200)
    key: str | None = Field(None, max_length=200)
    package_id: str | int | None = Field(
        None,
        description="As a number the package's index; as text its key, else its index. Left out: "
        "every package that offers the rate.",
    )


class DestinationIn(In):
    country: str = Field("", max_length=200)
    state: str = Field("", max_length=200)
    postcode: str = Field("", max_length=200)
    city: str = Field("", max_length=200)


class CouponTotals(Out):
    discount: str = Field(description="Minor units, ex tax.")
    discount_tax: str


class CouponWithTotals(CartCouponOut):
    totals: CouponTotals


class ApplyCouponIn(In):
    """`coupon` is what official clients send, `code` what the specification names."""

    code: str | None = Field(None, max_length=200)
    coupon: str | None = Field(None, max_length=200)
    email: str | None = Field(
        None, max_length=320, description="Becomes the billing e-mail; some coupons ask for it."
    )
