"""The tables of contract cart.md with the newer members of v2-cart.md beside them, and those of the
sessions (v2-products-store-sessions.md 11)."""

from __future__ import annotations

from tests.shapes import (
    EMPTY_LIST,
    HASH,
    LOCAL_TIME,
    MINOR,
    SIGNED_MINOR,
    URL,
    Each,
    Text,
    number,
)
from tests.tables.v2_checkout import CHOSEN, CURRENCY, DIMENSIONS

NO_CART_HASH = {"No items in cart so no hash"}
DECIMAL = Text(r"\d+(\.\d+)?")
SIDES = {
    side: (
        f"{side}_first_name",
        f"{side}_last_name",
        f"{side}_company",
        f"{side}_country",
        f"{side}_address_1",
        f"{side}_address_2",
        f"{side}_city",
        f"{side}_state",
        f"{side}_postcode",
    )
    for side in ("billing", "shipping")
}
BILLING_PARTS = dict.fromkeys((*SIDES["billing"], "billing_phone", "billing_email"), str)
SHIPPING_PARTS = dict.fromkeys(SIDES["shipping"], str)
CUSTOMER = {"billing_address": BILLING_PARTS, "shipping_address": SHIPPING_PARTS}
ITEM_TOTALS = dict.fromkeys(("subtotal", "subtotal_tax", "total", "tax"), MINOR)
META = {
    "product_type": {"simple", "variation"},
    "sku": str,
    "dimensions": DIMENSIONS,
    "weight": DECIMAL,
    "variation": CHOSEN,
}
ITEM_DATA = (Each(lambda _: True), EMPTY_LIST)
REMOVED_ITEM = {
    "item_key": HASH,
    "id": int,
    "name": str,
    "title": str,
    "price": MINOR,
    "quantity": int,
    "totals": ITEM_TOTALS,
    "slug": str,
    "meta": META,
    "backorders": str,
    "cart_item_data": ITEM_DATA,
    "featured_image": (URL, {""}),
}
SESSION_ITEM = {
    **REMOVED_ITEM,
    "quantity": {
        "value": int,
        "min_purchase": int,
        "max_purchase": int,
        "minimum": int,
        "maximum": int,
        "multiple_of": int,
        "editable": bool,
    },
}
ITEM = {**SESSION_ITEM, "regular_price": MINOR, "on_sale": bool, "extensions": EMPTY_LIST}
COUPON = {
    "coupon": str,
    "label": Text(r"Coupon: .+"),
    "discount_type": {"percent", "fixed_cart", "fixed_product"},
    "saving": SIGNED_MINOR,
    "saving_html": str,
}
LISTED_COUPON = {**COUPON, "totals": {"discount": SIGNED_MINOR, "discount_tax": SIGNED_MINOR}}
FEE = {
    "name": str,
    "fee": SIGNED_MINOR,
    "amount": number,
    "taxable": bool,
    "tax_class": str,
    "total": number,
    "tax": number,
}
RATE = {
    "key": Text(r"\w+:\d+"),
    "method_id": str,
    "instance_id": int,
    "label": str,
    "cost": MINOR,
    "html": str,
    "taxes": (MINOR, {""}),
    "tax": (MINOR, {""}),
    "chosen_method": bool,
    "meta_data": ({"items": str}, EMPTY_LIST),
}
PACKAGE = {
    "package_name": str,
    "rates": (Each(RATE, keys=r"\w+:\d+"), EMPTY_LIST),
    "package_details": str,
    "index": int,
    "chosen_method": str,
    "formatted_destination": str,
}
SHIPPING = {
    "total_packages": int,
    "show_package_details": bool,
    "has_calculated_shipping": bool,
    "packages": (Each(PACKAGE, keys=r"default|\d+"), EMPTY_LIST),
}
CROSS_SELL = {
    "id": int,
    "name": str,
    "title": str,
    "product_name": str,
    "product_title": str,
    "slug": str,
    "price": MINOR,
    "regular_price": MINOR,
    "sale_price": (MINOR, {""}),
    "image": (URL, {""}),
    "product_image": (URL, {""}),
    "featured_image": (URL, {""}),
    "average_rating": str,
    "on_sale": bool,
    "type": str,
}
TOTALS = dict.fromkeys(
    (
        "subtotal",
        "subtotal_tax",
        "fee_total",
        "fee_tax",
        "discount_total",
        "discount_tax",
        "shipping_total",
        "shipping_tax",
        "total",
        "total_tax",
    ),
    MINOR,
)
NOTICES = (Each([str], keys="error|success|notice|info"), EMPTY_LIST)
CART = {
    "cart_hash": (HASH, NO_CART_HASH),
    "cart_key": str,
    "currency": CURRENCY,
    "customer": CUSTOMER,
    "items": [ITEM],
    "item_count": int,
    "items_weight": DECIMAL,
    "coupons": [COUPON],
    "needs_payment": bool,
    "needs_shipping": bool,
    "shipping": (SHIPPING, EMPTY_LIST),
    "fees": (Each(FEE), EMPTY_LIST),
    "taxes": (Each({"name": str, "price": MINOR}), EMPTY_LIST),
    "totals": TOTALS,
    "removed_items": [REMOVED_ITEM],
    "cross_sells": [CROSS_SELL],
    "notices": NOTICES,
    "extensions": EMPTY_LIST,
}
NO_CART = {
    **CART,
    "cart_hash": NO_CART_HASH,
    "items": EMPTY_LIST,
    "item_count": {0},
    "items_weight": {"0"},
    "coupons": EMPTY_LIST,
    "shipping": EMPTY_LIST,
    "fees": EMPTY_LIST,
    "taxes": EMPTY_LIST,
    "totals": {key: {"0"} for key in TOTALS},
    "removed_items": EMPTY_LIST,
    "cross_sells": EMPTY_LIST,
    "notices": EMPTY_LIST,
}
CREATED = {"message": str, "cart_key": Text(r"t_[0-9a-f]{30}")}
STATUS = {"message": str, "quantity": int}
MAJOR = Text(r"-?\d+(\.\d+)?")
_BY_CODE = (Each(MAJOR), EMPTY_LIST)
ENGINE_TOTALS = {
    "subtotal": MAJOR,
    "subtotal_tax": MAJOR,
    "shipping_total": MAJOR,
    "shipping_tax": MAJOR,
    "shipping_taxes": _BY_CODE,
    "discount_total": MAJOR,
    "discount_tax": MAJOR,
    "cart_contents_total": MAJOR,
    "cart_contents_tax": MAJOR,
    "cart_contents_taxes": _BY_CODE,
    "fee_total": MAJOR,
    "fee_tax": MAJOR,
    "fee_taxes": _BY_CODE,
    "total": MAJOR,
    "total_tax": MAJOR,
}
MINI_ITEM = {
    "item_key": HASH,
    "id": int,
    "name": str,
    "price": MINOR,
    "quantity": int,
    "variation": CHOSEN,
    "cart_item_data": ITEM_DATA,
    "featured_image": (URL, {""}),
}
MINI = {
    "cart_hash": (HASH, None),
    "cart_key": str,
    "currency": CURRENCY,
    "item_count": int,
    "items": [MINI_ITEM],
    "subtotal": MINOR,
    "totals": {"subtotal": MINOR, "total": MINOR},
    "notices": NOTICES,
}
SESSION = {
    "session_key": str,
    "cart": (
        Each(
            {
                "key": HASH,
                "product_id": int,
                "variation_id": int,
                "quantity": int,
                "variation": CHOSEN,
                "cart_item_data": ITEM_DATA,
                "line_subtotal": number,
                "line_subtotal_tax": number,
                "line_total": number,
                "line_tax": number,
            },
            keys=HASH.pattern,
        ),
        EMPTY_LIST,
    ),
    "customer": {**BILLING_PARTS, **SHIPPING_PARTS},
    "session_expiry": LOCAL_TIME,
}
