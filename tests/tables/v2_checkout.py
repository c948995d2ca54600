"""The tables of contract v2-checkout.md, and what is ours beside them."""

from __future__ import annotations

from typing import Any

from tests.shapes import EMPTY_LIST, HASH, MINOR, URL, UTC_TIME, Each, Text, number

DIMENSIONS = ({"length": str, "width": str, "height": str, "unit": str}, EMPTY_LIST)
CHOSEN = (Each(str), EMPTY_LIST)
SHIPPING_ADDRESS = dict.fromkeys(
    (
        "first_name",
        "last_name",
        "company",
        "address_1",
        "address_2",
        "city",
        "state",
        "postcode",
        "country",
    ),
    str,
)
BILLING_ADDRESS = {**SHIPPING_ADDRESS, "email": str, "phone": str}
CURRENCY = {
    "currency_code": str,
    "currency_symbol": str,
    "currency_symbol_pos": {"currency_prefix", "currency_suffix"},
    "currency_minor_unit": int,
    "currency_decimal_separator": str,
    "currency_thousand_separator": str,
    "currency_prefix": str,
    "currency_suffix": str,
}
ITEM = {
    "item_key": HASH,
    "id": int,
    "name": str,
    "price": MINOR,
    "quantity": {
        "value": number,
        "minimum": number,
        "maximum": number,
        "multiple_of": number,
        "editable": bool,
    },
    "totals": dict.fromkeys(("subtotal", "subtotal_tax", "total", "tax"), MINOR),
    "slug": str,
    "meta": {
        "product_type": str,
        "sku": str,
        "dimensions": DIMENSIONS,
        "weight": str,
        "variation": CHOSEN,
    },
    "backorders": str,
    "cart_item_data": dict,
    "featured_image": str,
}
COUPON = {
    "coupon": str,
    "label": str,
    "discount_type": str,
    "saving": Text(r"[^-<>]+"),
    "saving_html": Text(r'<span class="amount">[^-<>]+</span>'),
}
RATE = {"id": str, "label": str, "cost": MINOR, "method_id": str, "instance_id": int}
FEE = {
    "name": str,
    "amount": number,
    "taxable": bool,
    "tax_class": str,
    "total": number,
    "tax": number,
}
TOTALS = (
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
STATE = {
    "cart_hash": str,
    "cart_key": str,
    "currency": CURRENCY,
    "customer": {
        "customer_id": int,
        "billing_address": BILLING_ADDRESS,
        "shipping_address": SHIPPING_ADDRESS,
    },
    "items": Each(ITEM, keys=HASH.pattern, empty=True),
    "coupons": [COUPON],
    "needs_payment": bool,
    "needs_shipping": bool,
    "shipping_methods": Each(RATE, empty=True),
    "payment_method": str,
    "fees": [FEE],
    "cart_totals": dict.fromkeys(TOTALS, MINOR),
    "message": str,
}
UPDATED = {**STATE, "message": {"Checkout data updated."}, "success": {True}}
PAYMENT_RESULTS: dict[str, Any] = {
    "success": {"payment_status": {"success"}, "redirect_url": URL, "message": {""}},
    "no_payment_required": {
        "payment_status": {"no_payment_required"},
        "redirect_url": URL,
        "message": {""},
    },
    "failed": {"payment_status": {"failed"}, "message": str},
    "requires_action": {
        "payment_status": {"requires_action"},
        "action_type": str,
        "action_data": dict,
        "redirect_url": URL,
        "message": str,
    },
    "pending": {"payment_status": {"pending"}, "redirect_url": URL, "message": str},
}


def processed_shape(status: str) -> dict[str, Any]:
    return {
        "order_id": int,
        "status": {"pending", "processing", "on-hold", "completed", "failed"},
        "order_key": str,
        "order_number": str,
        "payment_result": PAYMENT_RESULTS[status],
        "customer_id": int,
        "billing_address": BILLING_ADDRESS,
        "shipping_address": SHIPPING_ADDRESS,
        "attempt_id?": str,
    }


METHOD = {
    "id": str,
    "title": str,
    "description": str,
    "supports": [str],
    "has_fields": bool,
    "order_button_text": str,
    "method_title": str,
    "method_description": str,
    "config": {
        "test_mode": bool,
        "is_connected": bool,
        "supports_tokenization": bool,
        "supports_refunds": bool,
        "supports_subscriptions": bool,
        "requires_billing_address": bool,
        "restricted_to_shipping_methods": ([str], None),
    },
    "saved_tokens": [
        {
            "id": str,
            "token": str,
            "type": str,
            "gateway_id": str,
            "is_default": bool,
            "expires": (str, None),
        }
    ],
    "supports_save_payment": bool,
}
RECEIVED = {
    "order_id": int,
    "order_number": str,
    "order_key": str,
    "status": str,
    "status_name": str,
    "date_created": UTC_TIME,
    "date_paid": (UTC_TIME, None),
    "currency": str,
    "total": MINOR,
    "subtotal": MINOR,
    "tax_total": MINOR,
    "shipping_total": MINOR,
    "discount_total": MINOR,
    "payment_method": str,
    "payment_method_title": str,
    "customer_id": int,
    "customer_note": str,
    "billing_address": BILLING_ADDRESS,
    "shipping_address": SHIPPING_ADDRESS,
    "items": [
        {
            "item_id": int,
            "product_id": int,
            "variation_id": int,
            "product_name": str,
            "product_image": str,
            "quantity": number,
            "subtotal": MINOR,
            "total": MINOR,
            "meta_data": [{"id": int, "key": str, "display_key": str, "display_value": str}],
        }
    ],
    "totals": [{"key": str, "label": str, "value": str}],
    "needs_payment": bool,
    "needs_shipping": bool,
    "has_downloads": bool,
}
PAYABLE = {
    **RECEIVED,
    "available_payment_methods": [
        {"id": str, "title": str, "description": str, "has_fields": bool}
    ],
}
PAID = {
    "success": bool,
    "order_id": int,
    "order_status": str,
    "redirect_url": URL,
    "payment_result": dict,
    "attempt_id?": str,
}
