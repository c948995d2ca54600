"""The tables of contract checkout.md (the preview namespace), and what is ours beside them."""

from __future__ import annotations

from tests.shapes import EMPTY_LIST, HASH, URL, Each, Text, number
from tests.tables.cart import NOTICES
from tests.tables.v2_checkout import BILLING_ADDRESS, SHIPPING_ADDRESS, TOTALS

DECIMAL = Text(r"-?\d+\.\d\d")
TOTALS_OUT = dict.fromkeys(TOTALS, DECIMAL)
LINE = {
    "key": HASH,
    "product_id": int,
    "variation_id": int,
    "quantity": int,
    "product_name": str,
    "product_title": str,
    "product_price": Text(r"\$[\d,]+\.\d\d"),
    "line_subtotal": DECIMAL,
    "line_total": DECIMAL,
}
RATE = {
    "id": Text(r"\w+:\d+"),
    "label": str,
    "cost": DECIMAL,
    "method_id": str,
    "instance_id": Text(r"\d+"),
}
PACKAGE = {
    "package_name": str,
    "index": int,
    "items": Each(int, keys=HASH.pattern),
    "rates": Each(RATE, empty=True),
    "chosen_method": str,
}
TOKEN = {
    "id": int,
    "token": str,
    "type": {"cc", "echeck"},
    "gateway_id": str,
    "is_default": bool,
    "expires": (Text(r"\d\d/\d{4}"), None),
}
METHOD = {
    "id": str,
    "title": str,
    "description": str,
    "enabled": bool,
    "icon": str,
    "supports": [str],
    "has_fields": bool,
    "order_button_text": str,
    "method_title": str,
    "method_description": str,
    "saved_tokens": [TOKEN],
    "supports_save_payment": bool,
    "config": dict.fromkeys(
        (
            "test_mode",
            "is_connected",
            "supports_tokenization",
            "supports_refunds",
            "supports_subscriptions",
            "requires_billing_address",
        ),
        bool,
    ),
}
METHODS = Each(METHOD)
DEBUG = {
    "payment_methods": METHODS,
    "debug_info": {"payment_context": Each(Each(str)), "note": str},
}
STATE = {
    "cart_key": str,
    "cart_hash": HASH,
    "currency": {
        "code": Text(r"[A-Z]{3}"),
        "symbol": str,
        "base_currency": Text(r"[A-Z]{3}"),
        "exchange_rate": number,
    },
    "customer_id": int,
    "billing_address": BILLING_ADDRESS,
    "shipping_address": SHIPPING_ADDRESS,
    "cart_contents": Each(LINE, keys=HASH.pattern),
    "cart_totals": TOTALS_OUT,
    "shipping_methods": Each(RATE, empty=True),
    "needs_payment": bool,
    "needs_shipping": bool,
    "payment_method": str,
    "shipping_method": str,
    "shipping_packages": Each(PACKAGE, keys=r"default|\d+", empty=True),
    "payment_methods": METHODS,
    "customer_data": {
        "customer_id": int,
        "billing_address": BILLING_ADDRESS,
        "shipping_address": SHIPPING_ADDRESS,
    },
    "cart": Each(
        {
            "item_key": HASH,
            "name": str,
            "quantity": int,
            "price": DECIMAL,
            "totals": {"subtotal": DECIMAL},
        },
        keys=HASH.pattern,
    ),
    "totals": dict.fromkeys(
        ("subtotal", "discount_total", "shipping_total", "fee_total", "total_tax", "total"), DECIMAL
    ),
    "coupons": [
        {
            "coupon": str,
            "label": str,
            "discount_type": str,
            "saving": DECIMAL,
            "discount_tax": DECIMAL,
        }
    ],
    "id": str,
    "notices": NOTICES,
}
UPDATED = {**STATE, "success": {True}, "message": str}
RESULT = {"payment_status": {"success"}, "redirect_url": URL, "message": str}
ACTION = {
    **RESULT,
    "payment_status": {"requires_action"},
    "action_type": str,
    "action_data": Each(lambda _: True),
}
PROCESSED = {
    "order_id": int,
    "status": {"pending", "processing", "on-hold", "completed"},
    "order_key": Text(r"wc_order_\w+"),
    "order_number": str,
    "payment_result": RESULT,
    "customer_id": int,
    "billing_address": BILLING_ADDRESS,
    "shipping_address": SHIPPING_ADDRESS,
    "cart_key": None,
    "attempt_id?": str,
}
TO_BE_CONTINUED = {**PROCESSED, "cart_key": str, "payment_result": ACTION, "attempt_id": str}
CONTEXT = {
    "gateway_id": str,
    "title": str,
    "cart_total": DECIMAL,
    "currency": Text(r"[A-Z]{3}"),
    "public_key": str,
    "context_id": str,
    "expires_at": Text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
}
OFFLINE_CONTEXT = {
    name: CONTEXT[name] for name in ("gateway_id", "title", "cart_total", "currency")
}
DISPLAY_DATE = Text(r"[A-Z][a-z]+ \d{1,2}, \d{4}, \d{1,2}:\d\d [ap]m")
RECEIVED = {
    "order_id": int,
    "order_number": str,
    "order_key": Text(r"wc_order_\w+"),
    "status": str,
    "status_name": str,
    "date_created": DISPLAY_DATE,
    "date_paid": (DISPLAY_DATE, None),
    "currency": Text(r"[A-Z]{3}"),
    "total": DECIMAL,
    "subtotal": DECIMAL,
    "tax_total": DECIMAL,
    "shipping_total": DECIMAL,
    "discount_total": DECIMAL,
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
            "product_title": str,
            "product_type": str,
            "product_image": (URL, {""}),
            "sku": str,
            "quantity": int,
            "subtotal": DECIMAL,
            "total": DECIMAL,
            "purchase_note": str,
            "refunded_qty": Text(r"\d+"),
            "meta": str,
            "link": str,
            "meta_data": [{"id": int, "key": str, "display_key": str, "display_value": str}],
        }
    ],
    "totals": [{"key": str, "label": str, "value": str}],
    "needs_payment": bool,
    "needs_shipping": bool,
    "has_downloads": bool,
    "download_url": (URL, None),
    "available_payment_methods": EMPTY_LIST,
}
PAYABLE = {
    **RECEIVED,
    "available_payment_methods": [
        {"id": str, "title": str, "description": str, "has_fields": bool}
    ],
}
PAID = {
    "success": {True},
    "order_id": int,
    "order_status": str,
    "redirect_url": URL,
    "payment_result": RESULT,
    "attempt_id?": str,
}
