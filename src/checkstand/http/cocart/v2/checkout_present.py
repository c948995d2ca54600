"""The checkout and orders as v2 says them: minor units in strings (contract v2-checkout.md).

Maps of this page are `{}` when empty, lists `[]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from checkstand.cart.packages import flat_rates
from checkstand.cart.view import CartView, cart_hash
from checkstand.checkout.drafting import flat_totals
from checkstand.checkout.model import PaymentStatus, Placement
from checkstand.http.cocart.preview.present import total_rows
from checkstand.http.cocart.v2 import present
from checkstand.http.cocart.v2.figures import coupons
from checkstand.http.display import currency_format
from checkstand.orders.model import Order, OrderLine
from checkstand.payments.gateway import Description
from checkstand.payments.store.tokens import SavedToken
from checkstand.pricing.quote import QuotedFee, QuotedRate
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
        "coupons": [{**each, "saving": each["saving_html"]} for each in coupons(quote, writing)],
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
    return {
        each.id: _method(each, [_token(token) for token in kept if token.gateway == each.id])
        for each in offered
    }


def _method(each: Description, tokens: list[dict[str, Any]]) -> dict[str, Any]:
    only = each.shipping_methods
    return {
        "id": each.id,
        "title": each.title,
        "description": each.description,
        "supports": list(each.supports),
        "has_fields": each.has_fields,
        "order_button_text": each.order_button_text,
        "method_title": each.method_title,
        "method_description": each.method_description,
        "config": {
            "test_mode": each.test_mode,
            "is_connected": each.is_connected,
            "supports_tokenization": "tokenization" in each.supports,
            "supports_refunds": "refunds" in each.supports,
            "supports_subscriptions": "subscriptions" in each.supports,
            "requires_billing_address": each.requires_billing_address,
            "restricted_to_shipping_methods": None if only is None else list(only),
        },
        "saved_tokens": tokens,
        "supports_save_payment": "tokenization" in each.supports,
    }


def _token(token: SavedToken) -> dict[str, Any]:
    return {
        "id": str(token.id),
        "token": token.method.label,
        "type": token.method.kind.upper(),
        "gateway_id": token.gateway,
        "is_default": token.is_default,
        "expires": token.method.expires,
    }


def processed(placement: Placement, profile: StoreProfile) -> dict[str, Any]:
    """The answer to a process (3.3); declines too (DECISIONS 12)."""
    order = placement.order
    body: dict[str, Any] = {
        "order_id": order.id,
        "status": order.status.value,
        "order_key": order.order_key,
        "order_number": order.number,
        "payment_result": payment_result(placement, profile),
        "customer_id": order.customer_id or 0,
        "billing_address": order.billing.as_billing(),
        "shipping_address": order.shipping.as_shipping(),
    }
    if placement.attempt_id:
        body["attempt_id"] = placement.attempt_id
    return body


def payment_result(placement: Placement, profile: StoreProfile) -> dict[str, Any]:
    """What came of the payment: which members there are depends on its status (3.3)."""
    order = placement.order
    status = {"payment_status": placement.status.value}
    url = placement.redirect_url or profile.order_received(order.id, order.order_key)
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
    """The answer to paying for an order (7), with the payment result for who has to do more."""
    order = placement.order
    body: dict[str, Any] = {
        "success": placement.done,
        "order_id": order.id,
        "order_status": order.status.value,
        "redirect_url": placement.redirect_url or profile.order_received(order.id, order.order_key),
        "payment_result": payment_result(placement, profile),
    }
    if placement.attempt_id:
        body["attempt_id"] = placement.attempt_id
    return body


def received(
    order: Order, payable_by: Iterable[Description], profile: StoreProfile
) -> dict[str, Any]:
    """The confirmation of an order (6)."""
    amounts = {name: str(minor) for name, minor in order.totals.items()}
    body: dict[str, Any] = {
        "order_id": order.id,
        "order_number": order.number,
        "order_key": order.order_key,
        "status": order.status.value,
        "status_name": order.status.label,
        "date_created": _utc(order.created_at),
        "date_paid": _utc(order.paid_at) if order.paid_at else None,
        "currency": order.currency.code,
        "total": amounts["total"],
        "subtotal": amounts["subtotal"],
        "tax_total": amounts["total_tax"],
        "shipping_total": amounts["shipping_total"],
        "discount_total": amounts["discount_total"],
        "payment_method": order.payment_method,
        "payment_method_title": order.payment_method_title,
        "customer_id": order.customer_id or 0,
        "customer_note": order.customer_note,
        "billing_address": order.billing.as_billing(),
        "shipping_address": order.shipping.as_shipping(),
        "items": [_order_item(line) for line in order.lines],
        "totals": total_rows(order, profile),
        "needs_payment": order.payable,
        "needs_shipping": order.needs_shipping,
        "has_downloads": bool(order.downloads),
    }
    if order.downloads:
        body["download_url"] = None
    if order.payable:
        body["available_payment_methods"] = [
            {
                "id": each.id,
                "title": each.title,
                "description": each.description,
                "has_fields": each.has_fields,
            }
            for each in payable_by
        ]
    return body


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _order_item(line: OrderLine) -> dict[str, Any]:
    return {
        "item_id": line.id,
        "product_id": line.product_id,
        "variation_id": line.variation_id,
        "product_name": line.name,
        "product_image": line.image,
        "quantity": line.quantity,
        "subtotal": str(line.subtotal.minor),
        "total": str(line.total.minor),
        "meta_data": [{"id": index, **entry} for index, entry in enumerate(line.meta, 1)],
    }
