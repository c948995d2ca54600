"""The tables of contract v2-accounts.md and, where preview differs, accounts.md."""

from __future__ import annotations

from tests.shapes import EMPTY_LIST, LOCAL_TIME, URL, UTC_TIME, Each, Text
from tests.tables.preview import DISPLAY_DATE
from tests.tables.v2_checkout import BILLING_ADDRESS, SHIPPING_ADDRESS

JWT = Text(r"[\w-]+\.[\w-]+\.[\w-]+")
REFRESH = Text(r"[0-9a-f]{128}")
DISPLAY = Text(r"\$[\d,]+\.\d\d")
DISPLAY_DAY = Text(r"[A-Z][a-z]+ \d{1,2}, \d{4}")
LOGIN = {
    "user_id": Text(r"\d+"),
    "first_name": str,
    "last_name": str,
    "display_name": str,
    "role": str,
    "avatar_urls": EMPTY_LIST,
    "email": str,
    "extras": {"jwt_token": JWT, "jwt_refresh": REFRESH},
    "dev_note": str,
}
REGISTERED = {"user_id": int, "username": str, "message": str}
DONE = {"success": {True}, "message": str}
ADDRESSES = {"billing": BILLING_ADDRESS, "shipping": SHIPPING_ADDRESS}
ACCOUNT = {
    "user": {
        "id": int,
        "date_registered": UTC_TIME,
        "email": str,
        "first_name": str,
        "last_name": str,
        "display_name": str,
        "addresses": ADDRESSES,
        "orders_count": int,
        "total_spent": DISPLAY,
        "is_paying_customer": bool,
        "avatar_url": str,
    },
    "recent_order": {"order_id": int, "order_date": DISPLAY_DAY, "order_data": URL},
    "meta": {"is_customer_outside_base": bool, "is_vat_exempt": bool},
    "extensions": ({"email_verification": {"verified": bool}}, EMPTY_LIST),
}
NEW_ACCOUNT = {
    **ACCOUNT,
    "recent_order": {"order_id": None, "order_date": None, "order_data": {""}},
}
PREVIEW_ACCOUNT = {
    **ACCOUNT,
    "user": {**ACCOUNT["user"], "date_registered": LOCAL_TIME},  # type: ignore[dict-item]
    "recent_order": {"order_id": int, "order_date": LOCAL_TIME, "order_data": URL},
}
PREVIEW_NEW_ACCOUNT = {
    **PREVIEW_ACCOUNT,
    "recent_order": {"order_id": None, "order_date": None, "order_data": None},
}
UPDATED = {"success": {True}, "message": str, "email_verification_pending": bool}
CHANGED_ADDRESSES = {"addresses": ADDRESSES}
DOWNLOAD = {
    "product_name": str,
    "download_name": str,
    "file": URL,
    "downloads_remaining": {"∞"},
    "download_expires": {"Never"},
}
ACTION = {"url": URL, "name": str, "label": str}
ORDERS = {
    "orders": [
        {
            "order_id": int,
            "order_status": str,
            "order_date": DISPLAY_DATE,
            "item_count": int,
            "order_total": DISPLAY,
            "order_actions": {"view": ACTION},
        }
    ],
    "pagination": EMPTY_LIST,
}
FIRST_OF_TWO = {**ORDERS, "pagination": {"next": URL}}
PREVIEW_ORDERS = {**ORDERS, "pagination": {"previous": None, "next": None}}
PREVIEW_FIRST_OF_TWO = {**ORDERS, "pagination": {"previous": None, "next": URL}}
ORDER = {
    "order_id": int,
    "order_key": Text(r"wc_order_\w+"),
    "order_number": str,
    "order_parent": {0},
    "order_date": DISPLAY_DATE,
    "order_status": str,
    "order_currency": Text(r"[A-Z]{3}"),
    "billing_address": Text(r".+, .+"),
    "shipping_address": str,
    "phone": str,
    "email": str,
    "ship_to_billing": bool,
    "items": [
        {
            "item_id": int,
            "product_id": int,
            "variation_id": int,
            "product_image": (URL, {""}),
            "product_name": str,
            "product_title": str,
            "product_type": str,
            "sku": str,
            "quantity": Text(r"\d+"),
            "subtotal": DISPLAY,
            "purchase_note": str,
            "refunded_qty": Text(r"\d+"),
            "meta": (Each({"key": str, "display_key": str, "display_value": str}), EMPTY_LIST),
            "link": str,
        }
    ],
    "totals": Each({"label": str, "value": str}),
    "order_note": str,
    "order_notes": [{"date": str, "note": str}],
    "downloads": [DOWNLOAD],
    "order_actions": (Each(ACTION, keys="view|cancel|pay"), EMPTY_LIST),
}
CANCELLED = {"success": {True}, "order_id": int, "order_status": {"Cancelled"}}
VERIFIED = {"success": {True}, "email": str}
PAIR = {"token": JWT, "refresh_token": REFRESH}
VALID = {"message": {"Token is valid."}}
