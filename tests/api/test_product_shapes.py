"""Every documented member of the catalogue's answers is there, in its type, and no other; what is
empty is empty in the documented form (contract v2-products-store-sessions.md, v2-checkout.md 5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from checkstand.storage.database import Database
from tests.api.wardrobe import furnish
from tests.makers import PREVIEW, V2, Storefront, running, shop_settings
from tests.shapes import EMPTY_LIST, LOCAL_TIME, MINOR, URL, Each, Text, differences

NOTHING: dict[str, Any] = {}
MONEY = (MINOR, {""})
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
MOMENT = (LOCAL_TIME, None)
PLAIN_PRICES = {
    "price": MONEY,
    "regular_price": MONEY,
    "sale_price": MONEY,
    "on_sale": bool,
    "date_on_sale": {"from": MOMENT, "from_gmt": MOMENT, "to": MOMENT, "to_gmt": MOMENT},
    "currency": CURRENCY,
}
PRICES = {**PLAIN_PRICES, "price_range": ({"min": MINOR, "max": MINOR}, None)}
CONDITIONS = dict.fromkeys(
    ("virtual", "downloadable", "manage_stock", "sold_individually", "shipping_required"), bool
)
SOURCES = {"thumbnail": URL, "medium": URL, "large": URL, "full": URL}
IMAGE = {
    "id": int,
    "src": SOURCES,
    "name": str,
    "alt": str,
    "position": int,
    "featured": bool,
}
TERM = {"id": int, "name": str, "slug": str, "rest_url": URL}
STATUS = {"instock", "outofstock", "onbackorder"}
STOCK = {
    "is_in_stock": bool,
    "stock_quantity": (int, None),
    "stock_status": STATUS,
    "backorders": {"no", "notify", "yes"},
    "backorders_allowed": bool,
    "backordered": bool,
    "low_stock_amount": (int, None),
}
SIZE = (Text(r"\d+(\.\d+)?"), None)
QUANTITIES = dict.fromkeys(
    ("minimum", "maximum", "multiple_of", "min_purchase", "max_purchase"), int
)
EMBEDDED_ADDING = {
    "is_purchasable": bool,
    "purchase_quantity": (QUANTITIES, NOTHING),
    "rest_url": (URL, {""}),
}
VARIATION_ADDING = {**EMBEDDED_ADDING, "text": str, "description": str}
CHOSEN = {"id": int, "name": str, "option": (Each(str), EMPTY_LIST)}
CHOSEN_OPTIONS = (Each(CHOSEN, keys=r"attribute_.+"), EMPTY_LIST)
REVIEW = {
    "id": int,
    "date_created": LOCAL_TIME,
    "date_created_gmt": LOCAL_TIME,
    "product_id": int,
    "status": {"approved", "hold", "spam", "trash"},
    "reviewer": str,
    "reviewer_email": str,
    "review": str,
    "rating": int,
    "verified": bool,
}
CONNECTED = {
    "id": int,
    "name": str,
    "permalink": URL,
    "price": MONEY,
    "add_to_cart": {"text": str, "description": str, "rest_url": (URL, {""})},
    "rest_url": URL,
}
DATES = dict.fromkeys(("created", "created_gmt", "modified", "modified_gmt"), LOCAL_TIME)
NAMED_VARIATION = {"id": int, "permalink": URL, "sku": str, "rest_url": URL}
EMBEDDED_VARIATION = {
    "id": int,
    "sku": str,
    "description": str,
    "attributes": Each(str, keys=r"attribute_.+"),
    "featured_image": (SOURCES, EMPTY_LIST),
    "prices": PLAIN_PRICES,
    "stock": STOCK,
    "add_to_cart": EMBEDDED_ADDING,
}
VARIATION = {
    "id": int,
    "parent_id": int,
    "name": str,
    "slug": str,
    "permalink": URL,
    "sku": str,
    "global_unique_id": str,
    "description": str,
    "dates": DATES,
    "featured": bool,
    "prices": {**PRICES, "price_range": None},
    "hidden_conditions": CONDITIONS,
    "images": [IMAGE],
    "categories": [TERM],
    "tags": [TERM],
    "brands": [TERM],
    "attributes": CHOSEN_OPTIONS,
    "stock": STOCK,
    "weight": {"value": SIZE, "unit": str},
    "dimensions": {"length": SIZE, "width": SIZE, "height": SIZE, "unit": str},
    "total_sales": int,
    "add_to_cart": VARIATION_ADDING,
    "meta_data": EMPTY_LIST,
}
ATTRIBUTE = {
    "id": int,
    "name": str,
    "position": int,
    "is_attribute_visible": bool,
    "used_for_variation": bool,
    "options": Each(str),
}
PRODUCT = {
    **VARIATION,
    "type": {"simple", "variable", "variation", "grouped", "external"},
    "short_description": str,
    "prices": PRICES,
    "hidden_conditions": {**CONDITIONS, "reviews_allowed": bool},
    "average_rating": Text(r"[0-5](\.\d\d?)?"),
    "review_count": int,
    "rating_count": int,
    "rated_out_of": {"5"},
    "attributes": (Each(ATTRIBUTE, keys=r"attribute_.+"), CHOSEN_OPTIONS),
    "default_attributes": CHOSEN_OPTIONS,
    "variations": [EMBEDDED_VARIATION],
    "grouped_products": [int],
    "reviews": [REVIEW],
    "related": [CONNECTED],
    "upsells": [CONNECTED],
    "cross_sells": [CONNECTED],
    "external_url": str,
    "button_text": str,
    "add_to_cart": {**VARIATION_ADDING, "has_options": bool},
}
LISTED = {**PRODUCT, "variations": [NAMED_VARIATION]}


def page_of(product: Any) -> dict[str, Any]:
    return {"products": [product], "page": int, "total_pages": int, "total_products": int}


FLAT = {**TERM, "description": str, "count": int}
CATEGORY_IMAGE = {
    "id": int,
    "date_created": str,
    "date_modified": str,
    "src": URL,
    "name": str,
    "alt": str,
}
CATEGORY = {
    **FLAT,
    "parent": int,
    "display": {"default", "products", "subcategories", "both"},
    "image": (CATEGORY_IMAGE, None),
    "menu_order": int,
}
SHARED_ATTRIBUTE = {
    "id": int,
    "name": str,
    "slug": str,
    "type": str,
    "order_by": {"menu_order", "name", "name_num", "id"},
    "has_archives": bool,
}
ATTRIBUTE_TERM = {
    "id": int,
    "name": str,
    "slug": str,
    "description": str,
    "menu_order": int,
    "count": int,
}
RATE = {
    "key": str,
    "method_id": str,
    "instance_id": int,
    "label": str,
    "cost": MINOR,
    "html": str,
    "taxes": MONEY,
    "meta_data": Each(str),
}
PACKAGES = Each({"rates": Each(RATE), "formatted_destination": str}, keys=r"\d+")
PRODUCT_RATES = {
    "item_key": Text(r"[0-9a-f]{32}"),
    "id": int,
    "parent_id": int,
    "name": str,
    "type": str,
    "item_match": bool,
    "packages": (PACKAGES, EMPTY_LIST),
}
STORE = {
    "version": str,
    "title": str,
    "description": str,
    "home_url": URL,
    "language": str,
    "gmt_offset": Text(r"-?\d+(\.\d+)?"),
    "timezone_string": str,
    "store_address": dict.fromkeys(
        ("address", "address_2", "city", "state", "postcode", "country"), str
    ),
    "routes": Each(str, keys=r"/.+"),
    "store_name": str,
    "store_description": str,
    "store_url": URL,
}
ADDRESS = dict.fromkeys(("address_1", "address_2", "city", "postcode", "country", "state"), str)
BASE_FIELD = {
    "type": str,
    "label": str,
    "required": bool,
    "autocomplete": str,
    "priority": int,
    "maxlength": int,
}
FIELD = (
    BASE_FIELD,
    {**BASE_FIELD, "country_field": str},
    {**BASE_FIELD, "validate": [str]},
    {**BASE_FIELD, "validate": [str], "hidden": bool},
)
PLAIN_FIELD = {"type": str, "label": str, "required": bool, "priority": int}
CONFIG = {
    "fields": {
        "billing": Each(FIELD, keys=r"billing_\w+"),
        "shipping": Each(FIELD, keys=r"shipping_\w+"),
        "account": Each({**PLAIN_FIELD, "autocomplete": str}, keys=r"account_\w+"),
        "order": {"order_comments": {**PLAIN_FIELD, "placeholder": str}},
    },
    "locale_settings": Each(dict, keys=r"[A-Z]{2}"),
    "countries": {
        "allowed_countries": Each(str, keys=r"[A-Z]{2}"),
        "shipping_countries": Each(str, keys=r"[A-Z]{2}"),
        "states": Each(dict, keys=r"[A-Z]{2}"),
        "default_country": Text(r"[A-Z]{2}"),
        "eu_countries": [Text(r"[A-Z]{2}")],
    },
    "shipping": {
        "enabled": bool,
        "calc_shipping": bool,
        "ship_to_countries": str,
        "ship_to_billing_address": bool,
        "shipping_cost_requires_address": bool,
    },
    "account": dict.fromkeys(
        (
            "allow_registration",
            "registration_generate_username",
            "registration_generate_password",
            "guest_checkout_enabled",
            "must_create_account",
        ),
        bool,
    ),
    "store": {
        "currency": Text(r"[A-Z]{3}"),
        "currency_symbol": str,
        "currency_position": {"left", "right", "left_space", "right_space"},
        "price_decimal_sep": str,
        "price_thousand_sep": str,
        "price_decimals": int,
        "tax_enabled": bool,
        "prices_include_tax": bool,
        "coupons_enabled": bool,
        "tax_display_cart": {"incl", "excl"},
        "terms_page_id": (int, None),
        "privacy_page_id": (int, None),
        "store_address": ADDRESS,
    },
    "validation": {
        "postcode": {"patterns": Each(Text(r"\^.+\$"), keys=r"[A-Z]{2}")},
        "phone": {"enabled": bool},
        "email": {"enabled": bool},
    },
}
SEARCH = {
    "suggestions": [
        {"id": str, "label": str, "matched_substrings": [{"offset": int, "length": int}]}
    ],
    "count": int,
    "provider": {"id": str, "name": str},
    "search_country": Text(r"[A-Z]{2}"),
    "query": str,
}
DETAILS = {"address": ADDRESS, "provider": {"id": str, "name": str}}

TABLE: list[tuple[str, Any]] = [
    (f"{V2}/products", page_of(LISTED)),
    (f"{V2}/products?show_reviews=true&per_page=100", page_of(LISTED)),
    (f"{V2}/products?return_variations=true&per_page=100", page_of(PRODUCT)),
    (f"{V2}/products?search=zzzz", {**page_of(PRODUCT), "products": EMPTY_LIST}),
    (f"{V2}/products/1", PRODUCT),
    (f"{V2}/products/1?show_reviews=true", PRODUCT),
    (f"{V2}/products/hoodie", PRODUCT),
    (f"{V2}/products/HOODIE-S", PRODUCT),
    (f"{V2}/products/4", PRODUCT),
    (f"{V2}/products/5", PRODUCT),
    (f"{V2}/products/6", PRODUCT),
    (f"{V2}/products/2/variations", [VARIATION]),
    (f"{V2}/products/hoodie/variations/3", VARIATION),
    (f"{V2}/products/attributes", [SHARED_ATTRIBUTE]),
    (f"{V2}/products/attributes/1", SHARED_ATTRIBUTE),
    (f"{V2}/products/attributes/pa_size", SHARED_ATTRIBUTE),
    (f"{V2}/products/attributes/pa_size/terms", [ATTRIBUTE_TERM]),
    (f"{V2}/products/attributes/1/terms/1", ATTRIBUTE_TERM),
    (f"{V2}/products/attributes/pa_size/terms/large", ATTRIBUTE_TERM),
    (f"{V2}/products/categories", [CATEGORY]),
    (f"{V2}/products/categories/1", CATEGORY),
    (f"{V2}/products/tags", [FLAT]),
    (f"{V2}/products/tags/1", FLAT),
    (f"{V2}/products/brands", [FLAT]),
    (f"{V2}/products/brands/1", FLAT),
    (f"{V2}/products/reviews", [REVIEW]),
    (f"{V2}/products/reviews/1", REVIEW),
    (f"{V2}/products/1/shipping-rates", PRODUCT_RATES),
    (f"{V2}/products/3/shipping-rates?quantity=2", PRODUCT_RATES),
    (f"{V2}/products/6/shipping-rates", {**PRODUCT_RATES, "packages": EMPTY_LIST}),
    (f"{V2}/store", STORE),
    (f"{V2}/checkout/config", CONFIG),
    (f"{V2}/address/search?query=alder", SEARCH),
    (f"{PREVIEW}/address/search?query=alder&country=US", SEARCH),
    (f"{V2}/address/details?address_id=or-1&provider=demo_places", DETAILS),
    (f"{PREVIEW}/address/details?address_id=or-1&provider=demo_places", DETAILS),
]


@pytest.fixture
async def wardrobe(empty_database: str, database: Database) -> AsyncIterator[Storefront]:
    async with database.acquire() as connection:
        await furnish(connection, datetime(2026, 5, 1, 12, tzinfo=UTC))
    async with running(shop_settings(empty_database)) as client:
        yield client


async def test_every_member_of_every_answer(wardrobe: Storefront) -> None:
    wrong: list[str] = []
    for path, shape in TABLE:
        response = await wardrobe.http.get(path)
        assert response.status_code == 200, (path, response.text)
        body = response.json()
        if isinstance(shape, list):
            assert body, f"{path} must have something in it to be looked at"
        wrong += [f"{path} {found}" for found in differences(shape, body)]
    assert wrong == []


async def test_the_table_looks_at_what_is_full_and_at_what_is_empty(wardrobe: Storefront) -> None:
    """Otherwise a member that is always empty would pass as any list."""
    whole = (await wardrobe.http.get(f"{V2}/products?per_page=100&show_reviews=true")).json()
    for member in (
        "images", "categories", "tags", "brands", "attributes", "default_attributes",
        "variations", "grouped_products", "reviews", "related", "upsells", "cross_sells",
    ):  # fmt: skip
        found = [product[member] for product in whole["products"]]
        assert any(found), member
        assert any(each == [] for each in found), f"{member} is never empty, or not as []"
    assert any(product["prices"]["price_range"] for product in whole["products"])
    assert any(product["prices"]["date_on_sale"]["to"] for product in whole["products"])


def test_the_checker_finds_what_is_wrong() -> None:
    shape = {"a": int, "b": (str, None), "c": [{"d": bool}]}
    assert differences(shape, {"a": 1, "b": None, "c": [{"d": True}]}) == []
    for value in (
        {"a": "1", "b": None, "c": []},
        {"a": True, "b": None, "c": []},
        {"a": 1, "b": 2, "c": []},
        {"a": 1, "b": None},
        {"a": 1, "b": None, "c": [], "e": 1},
        {"a": 1, "b": None, "c": [{"d": 1}]},
        {"a": 1, "b": None, "c": {}},
    ):
        assert differences(shape, value)
    assert differences(EMPTY_LIST, {})
    assert differences(EMPTY_LIST, [1])
    assert differences(Each(int), {})
