"""What a storefront builds its checkout form from (contract v2-checkout.md 5). Public."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from checkstand.customers import forms
from checkstand.http.answers import answer
from checkstand.http.describe import READING, errors
from checkstand.http.display import CurrencyFormat, currency_format
from checkstand.http.requests import JSON_ROUTES, visit
from checkstand.wiring import Shop

router = APIRouter(prefix="/wp-json/cocart/v2", tags=["checkout v2"], **JSON_ROUTES)


class _Out(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FieldDefinition(BaseModel):
    """Open: a field has what it needs."""

    model_config = ConfigDict(extra="allow")
    type: str = "text"
    label: str = ""
    required: bool = False
    priority: int = 0


class FieldsOut(_Out):
    billing: dict[str, FieldDefinition]
    shipping: dict[str, FieldDefinition]
    account: dict[str, FieldDefinition]
    order: dict[str, FieldDefinition]


class CountriesOut(_Out):
    allowed_countries: dict[str, str]
    shipping_countries: dict[str, str]
    states: dict[str, dict[str, str]]
    default_country: str
    eu_countries: list[str]


class ShippingConfig(_Out):
    enabled: bool
    calc_shipping: bool
    ship_to_countries: str
    ship_to_billing_address: bool
    shipping_cost_requires_address: bool


class AccountConfig(_Out):
    allow_registration: bool
    registration_generate_username: bool
    registration_generate_password: bool
    guest_checkout_enabled: bool
    must_create_account: bool


class ConfigAddress(_Out):
    address_1: str
    address_2: str
    city: str
    postcode: str
    country: str
    state: str


class StoreConfig(_Out):
    currency: str
    currency_symbol: str
    currency_position: str
    price_decimal_sep: str
    price_thousand_sep: str
    price_decimals: int
    tax_enabled: bool
    prices_include_tax: bool
    coupons_enabled: bool
    tax_display_cart: str
    terms_page_id: int | None
    privacy_page_id: int | None
    store_address: ConfigAddress


class Patterns(_Out):
    patterns: dict[str, str]


class Checked(_Out):
    enabled: bool


class ValidationConfig(_Out):
    postcode: Patterns = Field(description="For a form; the server's own check decides.")
    phone: Checked
    email: Checked


class CheckoutConfigOut(_Out):
    fields: FieldsOut = None  # type: ignore[assignment]
    locale_settings: dict[str, dict[str, dict[str, Any]]] = {}
    countries: CountriesOut = None  # type: ignore[assignment]
    shipping: ShippingConfig = None  # type: ignore[assignment]
    account: AccountConfig = None  # type: ignore[assignment]
    store: StoreConfig = None  # type: ignore[assignment]
    validation: ValidationConfig = None  # type: ignore[assignment]


@router.get("/checkout/config", response_model=CheckoutConfigOut, responses=errors(*READING))
async def read_checkout_config(request: Request) -> Response:
    """Fields, countries and rules of the checkout form. Needs neither a cart nor a key."""
    _, shop = await visit(request)
    world = await asyncio.to_thread(forms.world, shop.rules.sell_to)
    return answer(request, _config(shop, world))


def _config(shop: Shop, world: Mapping[str, Any]) -> dict[str, Any]:
    home = shop.profile.address
    rules = shop.registration.rules
    return {
        "fields": {
            "billing": forms.fields("billing", home.country, needs_email=True),
            "shipping": forms.fields("shipping", home.country, needs_email=False),
            "account": _ACCOUNT,
            "order": _ORDER,
        },
        "locale_settings": world["locale"],
        "countries": {
            "allowed_countries": world["names"],
            "shipping_countries": world["names"] if shop.rules.shipping_enabled else {},
            "states": world["states"],
            "default_country": home.country,
            "eu_countries": forms.EU,
        },
        "shipping": {
            "enabled": shop.rules.shipping_enabled,
            "calc_shipping": shop.rules.shipping_enabled,
            "ship_to_countries": "" if shop.rules.shipping_enabled else "disabled",
            "ship_to_billing_address": False,
            "shipping_cost_requires_address": True,
        },
        "account": {
            "allow_registration": rules.registration,
            "registration_generate_username": rules.generate_username,
            "registration_generate_password": rules.generate_password and shop.post.open,
            "guest_checkout_enabled": shop.checkout.guest_checkout,
            "must_create_account": not shop.checkout.guest_checkout,
        },
        "store": _store(shop),
        "validation": {
            "postcode": {"patterns": forms.postcode_patterns()},
            "phone": {"enabled": True},
            "email": {"enabled": True},
        },
    }


_ACCOUNT = {
    "account_username": {
        "type": "text",
        "label": "User name",
        "required": False,
        "priority": 10,
        "autocomplete": "username",
    },
    "account_password": {
        "type": "password",
        "label": "Password",
        "required": False,
        "priority": 20,
        "autocomplete": "new-password",
    },
}
_ORDER = {
    "order_comments": {
        "type": "textarea",
        "label": "Order notes",
        "placeholder": "Anything we should know about your order or its delivery.",
        "required": False,
        "priority": 10,
    }
}


def _store(shop: Shop) -> dict[str, Any]:
    rules, home = shop.rules, shop.profile.address
    writing = currency_format(rules.base, shop.profile.language)
    return {
        "currency": rules.base.code,
        "currency_symbol": writing.symbol,
        "currency_position": _position(writing),
        "price_decimal_sep": writing.decimal_separator,
        "price_thousand_sep": writing.thousand_separator,
        "price_decimals": rules.base.exponent,
        "tax_enabled": rules.tax_enabled,
        "prices_include_tax": rules.prices_include_tax,
        "coupons_enabled": rules.coupons_enabled,
        # Prices are shown as they are entered.
        "tax_display_cart": "incl" if rules.prices_include_tax else "excl",
        "terms_page_id": None,
        "privacy_page_id": None,
        "store_address": {
            "address_1": home.address_1,
            "address_2": home.address_2,
            "city": home.city,
            "postcode": home.postcode,
            "country": home.country,
            "state": home.state,
        },
    }


def _position(writing: CurrencyFormat) -> str:
    if writing.suffix:
        return "right_space" if writing.suffix.startswith(" ") else "right"
    return "left_space" if writing.prefix.endswith(" ") else "left"
