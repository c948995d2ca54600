"""The checkout and orders as v2 says them: minor units in strings (contract v2-checkout.md).

Maps of this page are `{}` when empty, lists `[]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from html import escape
from typing import Any

from checkstand.cart.packages import flat_rates
from checkstand.cart.view import CartView, cart_hash
from checkstand.checkout.drafting import flat_totals
from checkstand.checkout.model import PaymentStatus, Placement
from checkstand.http.cocart import telling
from checkstand.http.cocart.v2 import present
from checkstand.http.cocart.v2.figures import minor
from checkstand.http.display import CurrencyFormat, currency_format
from checkstand.orders.model import Order, OrderLine
from checkstand.payments.gateway import Description
from checkstand.payments.store.tokens import SavedToken
from checkstand.pricing.quote import AppliedDiscount, Quote, QuotedFee, QuotedRate
from checkstand.wiring import StoreProfile

UPDATED = "Checkout data updated."
"""The text that the contract fixes for updates."""

_TOTALS = (
    "subtotal",
    "subtotal_tax",
    "fee_total",
    "fee_tax",
    "discount_total",
    "discount_tax",
    "shipping_total",
    "shipping_tax",
    "cart_contents_total",
    "cart_contents_tax",
    "total",
    "total_tax",
)
_ITEM = (
    "item_key",
    "id",
    "name",
    "price",
    "quantity",
    "totals",
    "slug",
    "meta",
    "backorders",
    "cart_item_data",
    "featured_image",
)
_QUANTITY = ("value", "minimum", "maximum", "multiple_of", "editable")


def state(seen: CartView, profile: StoreProfile, message: str = "") -> dict[str, Any]:
    """The checkout state (1)."""
    cart, quote = seen.cart, seen.quote
    totals = flat_totals(quote)
    writing = currency_format(quote.currency, profile.language)
    return {
        "cart_hash": cart_hash(seen),
        "cart_key": cart.key,
        "currency": writing.as_v2(),
        "customer": {
            "customer_id": cart.customer_id or 0,
            "billing_address": cart.billing.as_billing(),
            "shipping_address": cart.ships_to.as_shipping(),
        },
        "items": {line.key: _item(present.item(seen, line)) for line in cart.lines},
        "coupons": [_coupon(quote, each, writing) for each in quote.discounts],
        "needs_payment": quote.needs_payment,
        "needs_shipping": quote.needs_shipping,
        "shipping_methods": {key: _rate(rate) for key, rate in flat_rates(quote).items()},
        "payment_method": cart.payment_method,
        "fees": [_fee(fee) for fee in quote.fees],
        "cart_totals": {name: str(totals[name]) for name in _TOTALS},
        "message": message,
    }


def _item(whole: Mapping[str, Any]) -> dict[str, Any]:
    """A line of the cart, without what this route does not have (1.3)."""
    item = {name: whole[name] for name in _ITEM}
    item["quantity"] = {name: whole["quantity"][name] for name in _QUANTITY}
    item["cart_item_data"] = whole["cart_item_data"] or {}
    return item


def _rate(rate: QuotedRate) -> dict[str, Any]:
    return {
        "id": rate.key,
        "label": rate.label,
        "cost": str(rate.cost.minor),
        "method_id": rate.method_id,
        "instance_id": rate.instance_id,
    }


def _coupon(quote: Quote, each: AppliedDiscount, writing: CurrencyFormat) -> dict[str, str]:
    """What a coupon saves, as people read it: without a sign, unlike in the cart (1.4)."""
    taken = each.amount + each.tax if quote.prices_include_tax else each.amount
    saving = writing.show(taken) if taken or not each.free_shipping else "Free shipping coupon"
    return {
        "coupon": each.code,
        "label": each.label,
        "discount_type": each.kind.value,
        "saving": saving,
        "saving_html": f'<span class="amount">{escape(saving)}</span>',
    }


def _fee(fee: QuotedFee) -> dict[str, Any]:
    """The one place of this route that speaks in major units (1.6)."""
    amount = float(fee.amount.decimal())
    return {
        "name": fee.name,
        "amount": amount,
        "taxable": fee.taxable,
        "tax_class": fee.tax_class,
        "total": amount,
        "tax": float(fee.tax.decimal()),
    }


def methods(offered: Iterable[Description], saved: Iterable[SavedToken]) -> dict[str, Any]:
    """Payment methods by id, with what the customer has saved (4)."""
    kept = list(saved)
    return {each.id: _method(each, kept) for each in offered}


def _method(each: Description, saved: Iterable[SavedToken]) -> dict[str, Any]:
    only = each.shipping_methods
    told = telling.method(each, saved, str.upper)
    return {
        **told,
        "config": {
            **told["config"],
            "restricted_to_shipping_methods": None if only is None else list(only),
        },
        "saved_tokens": [{**token, "id": str(token["id"])} for token in told["saved_tokens"]],
    }


def processed(placement: Placement, profile: StoreProfile) -> dict[str, Any]:
    """The answer to a process (3.3); declines too (DECISIONS 12)."""
    return telling.processed(placement, payment_result(placement, profile))


def payment_result(placement: Placement, profile: StoreProfile) -> dict[str, Any]:
    """What came of the payment: which members there are depends on its status (3.3)."""
    status = {"payment_status": placement.status.value}
    url = telling.leads_to(placement, profile)
    match placement.status:
        case PaymentStatus.SUCCESS | PaymentStatus.NOTHING_DUE:
            return {**status, "redirect_url": url, "message": ""}
        case PaymentStatus.FAILED:
            return {**status, "message": placement.message}
        case PaymentStatus.NEEDS_ACTION:
            # Always something that a client can act on: without data of the gateway's, the address.
            return {
                **status,
                "action_type": placement.action_type or "redirect",
                "action_data": dict(placement.action_data) or {"redirect_url": url},
                "redirect_url": url,
                "message": placement.message,
            }
        case PaymentStatus.PENDING:
            return {**status, "redirect_url": url, "message": placement.message}


def paid(placement: Placement, profile: StoreProfile) -> dict[str, Any]:
    """The answer to paying for an order (7)."""
    return telling.paid(placement, payment_result(placement, profile), profile)


def received(
    order: Order, payable_by: Iterable[Description], profile: StoreProfile
) -> dict[str, Any]:
    """The confirmation of an order (6)."""
    body = telling.received(order, profile, minor, _utc, _order_item)
    if order.downloads:
        body["download_url"] = None
    if order.payable:
        body["available_payment_methods"] = telling.payable_by(payable_by)
    return body


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _order_item(line: OrderLine) -> dict[str, Any]:
    return telling.received_line(line, minor)
