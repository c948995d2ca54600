"""The sections of the settings, each key with its default, its bounds and what it is for."""

from __future__ import annotations

import os
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import localedata
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from checkstand.kit.money import Currency, is_currency


def resolved(value: Any) -> Any:
    """The text behind `env:NAME` or `file:PATH`; other values as they are."""
    if not isinstance(value, str):
        return value
    kind, _, rest = value.partition(":")
    if kind == "env":
        found = os.environ.get(rest)
        if found is None:
            raise ValueError(
                f"the environment variable {rest} is not set; set it, or change the reference"
            )
        return found
    if kind == "file":
        try:
            return Path(rest).expanduser().read_text().strip()
        except OSError as error:
            raise ValueError(
                f"cannot read {rest}: {error.strerror}; check the path and its rights"
            ) from None
    return value


def _upper(value: Any) -> Any:
    """Variables reach us in lower case: CHECKSTAND_STORE__CURRENCIES__EUR__RATE."""
    return value.upper() if isinstance(value, str) else value


def _currency_code(value: str) -> str:
    if not is_currency(value):
        near = get_close_matches(
            value.upper(), ("USD", "EUR", "GBP", "JPY", "CAD", "AUD", "CHF"), 1
        )
        hint = f"did you mean {near[0]}?" if near else "use a code such as USD, EUR or JPY"
        raise ValueError(f"is not an ISO 4217 currency code; {hint}")
    return value


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is not a time zone; use a name such as America/Los_Angeles") from None
    return value


def _language(value: str) -> str:
    if not localedata.exists(value):
        raise ValueError("is not a known language; use a code such as en_US or de_DE")
    return value


def _country_code(value: str) -> str:
    if len(value) != 2 or not value.isascii() or not value.isalpha() or not value.isupper():
        raise ValueError("is not a country code; use two capital letters (ISO 3166-1), such as US")
    return value


def _state_code(value: str) -> str:
    country, _, state = value.partition(":")
    if not state or len(country) != 2 or not country.isupper():
        raise ValueError("is not a state; write COUNTRY:STATE, such as US:CA")
    return value


Reference = Annotated[str, BeforeValidator(resolved)]
CurrencyCode = Annotated[str, BeforeValidator(_upper), AfterValidator(_currency_code)]
TimeZone = Annotated[str, AfterValidator(_timezone)]
Language = Annotated[str, AfterValidator(_language)]
CountryCode = Annotated[str, AfterValidator(_country_code)]
StateCode = Annotated[str, AfterValidator(_state_code)]
Amount = Annotated[Decimal, Field(ge=0, le=Decimal(10) ** 12, allow_inf_nan=False)]
"""A price in major units of the base currency."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(Section):
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    base_url: str = Field(
        "", description="Public address of the shop, for links; empty: taken from host and port."
    )
    workers: int = Field(1, ge=1, le=64, description="Server processes of `checkstand serve`.")
    keep_alive: int = Field(
        75,
        ge=1,
        le=3600,
        description="Seconds an idle client connection is kept: longer than a proxy's.",
    )
    shutdown_grace: int = Field(
        30, ge=1, le=600, description="Seconds that running requests get when the server stops."
    )
    max_body: int = Field(
        1_048_576, ge=1024, le=8_388_608, description="Largest request body in bytes."
    )
    metrics: Literal["off", "local", "on"] = Field(
        "local",
        description="Who reads /metrics: nobody, this machine (not through a proxy), everybody.",
    )
    timing: bool = Field(
        False, description="Whether answers say in Server-Timing how long they took."
    )


class DatabaseSettings(Section):
    url: Reference = Field(
        "",
        description="PostgreSQL address; secret ones by `env:NAME` or `file:PATH`. "
        "`checkstand demo` brings its own.",
    )
    listen_url: Reference = Field(
        "",
        description="Direct address for change notices when `url` is a pgbouncer; empty: as `url`.",
    )
    pool_min: int = Field(2, ge=0, le=100, description="Connections kept open by each process.")
    pool_max: int = Field(10, ge=1, le=500, description="Most connections of each process.")
    connect_timeout: float = Field(
        10, gt=0, le=300, description="Seconds to wait for a new connection."
    )
    acquire_timeout: float = Field(
        10, gt=0, le=300, description="Seconds a request waits for a free connection."
    )
    statement_timeout: float = Field(
        15, gt=0, le=300, description="Seconds that one statement may take."
    )
    lock_timeout: float = Field(
        10, gt=0, le=300, description="Seconds to wait for a row that another request holds."
    )
    prepared_statements: bool = Field(
        True, description="False behind pgbouncer in transaction mode."
    )

    @property
    def direct_url(self) -> str:
        """The address of PostgreSQL itself, for what no pgbouncer in between can do."""
        return self.listen_url or self.url

    @model_validator(mode="after")
    def _sizes(self) -> DatabaseSettings:
        if self.pool_min > self.pool_max:
            raise ValueError("pool_min is larger than pool_max; lower pool_min or raise pool_max")
        return self


class StoreAddress(Section):
    address_1: str = ""
    address_2: str = ""
    city: str = ""
    state: str = ""
    postcode: str = ""
    country: CountryCode = "US"


class CurrencySettings(Section):
    rate: Decimal = Field(
        gt=0,
        le=Decimal(10) ** 9,
        allow_inf_nan=False,
        description="Units of this currency for one of the base currency.",
    )
    decimals: int | None = Field(None, ge=0, le=4, description="Decimals used; empty: ISO 4217's.")


class StoreSettings(Section):
    name: str = Field("Checkstand shop", description="The shop's name.")
    description: str = Field("", description="One line about the shop.")
    address: StoreAddress = Field(StoreAddress(), description="Where the shop is.")
    currency: CurrencyCode = Field("USD", description="The base currency: prices are kept in it.")
    decimals: int | None = Field(
        None, ge=0, le=4, description="Decimals of the base currency; empty: ISO 4217's."
    )
    currencies: dict[CurrencyCode, CurrencySettings] = Field(
        {}, description="Further currencies by code, each with its rate."
    )
    language: Language = Field("en_US", description="Language of amounts and dates.")
    timezone: TimeZone = Field(
        "UTC", description="The shop's time zone: of dates that are shown, and of imported ends."
    )
    weight_unit: Literal["kg", "g", "lbs", "oz"] = Field(
        "kg", description="Unit of product weights."
    )
    dimension_unit: Literal["m", "cm", "mm", "in", "yd"] = Field(
        "cm", description="Unit of product sizes."
    )
    sell_to: tuple[CountryCode, ...] = Field(
        (), description="Countries that may order; empty: all."
    )
    product_url: str = Field(
        "{base_url}/product/{slug}/",
        description="Where a storefront shows a product; {base_url}, {id} and {slug} are filled "
        "in.",
    )
    cart_url: str = Field(
        "{base_url}/cart/",
        description="Where a storefront shows the cart, and load-cart links lead; {base_url} is "
        "filled in.",
    )
    order_received_url: str = Field(
        "{base_url}/checkout/order-received/{order_id}/?key={order_key}",
        description="Where a shopper goes after ordering; {base_url}, {order_id} and {order_key} "
        "are filled in.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> StoreSettings:
        if self.currency in self.currencies:
            raise ValueError(f"currencies lists the base currency {self.currency}; remove it there")
        for code, decimals in [
            (self.currency, self.decimals),
            *((code, further.decimals) for code, further in self.currencies.items()),
        ]:
            if decimals is not None and decimals > Currency.of(code).exponent:
                raise ValueError(
                    f"{code} has {Currency.of(code).exponent} decimals (ISO 4217), {decimals} "
                    "cannot be charged; lower the decimals"
                )
        try:
            self.product_url.format(base_url="", id=1, slug="")
        except (KeyError, ValueError, IndexError):
            raise ValueError("product_url may only use {base_url}, {id} and {slug}") from None
        try:
            self.cart_url.format(base_url="")
        except (KeyError, ValueError, IndexError):
            raise ValueError("cart_url may only use {base_url}") from None
        try:
            self.order_received_url.format(base_url="", order_id=1, order_key="")
        except (KeyError, ValueError, IndexError):
            raise ValueError(
                "order_received_url may only use {base_url}, {order_id} and {order_key}"
            ) from None
        return self


class TaxSettings(Section):
    enabled: bool = Field(
        True,
        description="Whether tax is charged at all. Rates are in the database: "
        "`checkstand tax import`.",
    )
    prices_include_tax: bool = Field(
        False, description="Whether catalogue prices are entered with tax."
    )
    based_on: Literal["shipping", "billing", "store"] = Field(
        "shipping", description="Whose address decides the rates."
    )
    default_location: Literal["store", "none"] = Field(
        "store", description="Where a shopper without an address is taken to be."
    )
    shipping_class: str = Field("", description="Tax class of shipping costs; empty: standard.")


class CheckoutSettings(Section):
    access: Literal["keys", "open"] = Field(
        "keys", description="Whether checkout routes need a consumer key."
    )
    dialect: Literal["reference", "tutorial"] = Field(
        "reference", description="Which verb processes: POST (reference) or PUT (tutorial)."
    )
    guest_checkout: bool = Field(True, description="Whether orders are taken without an account.")
    strict_phone: bool = Field(False, description="Refuse phone numbers that no network has.")
    hold_minutes: int = Field(
        60, ge=1, le=10_080, description="Minutes that stock is kept for an order that is not paid."
    )
    wait_seconds: float = Field(
        25, ge=0, le=300, description="Seconds that a second process of a cart waits for the first."
    )


class ReviewSettings(Section):
    enabled: bool = Field(True, description="Whether products can be reviewed at all.")
    moderated: bool = Field(
        True, description="Whether a new review waits for approval: `checkstand reviews`."
    )
    buyers_only: bool = Field(
        False, description="Whether only who has bought a product can review it."
    )


class AddressLookupSettings(Section):
    providers: tuple[str, ...] = Field(
        (),
        description="Address providers in the order in which they are tried: `places`, `google`, "
        "or the name of an entry point.",
    )
    places_file: str = Field("", description="`places`: a CSV file of addresses.")
    google_key: Reference = Field("", description="`google`: the API key, by reference.")
    google_url: str = Field(
        "", description="`google`: another server that speaks the same; empty: Google's."
    )
    options: dict[str, dict[str, str]] = Field(
        {}, description="What further providers are given, by their name."
    )
    timeout: float = Field(5, gt=0, le=60, description="Seconds that a provider gets to answer.")


class CartSettings(Section):
    guest_hours: int = Field(
        48, ge=1, le=720, description="Hours until an untouched guest cart expires."
    )
    customer_hours: int = Field(
        168, ge=1, le=720, description="Hours until a customer's untouched cart expires."
    )
    max_items: int = Field(100, ge=1, le=1000, description="Most different items in one cart.")
    link_hours: int = Field(24, ge=1, le=168, description="Most hours that a load-cart link works.")
    trusted_keys: bool = Field(
        False, description="Whether consumer keys that may write add fees and set prices."
    )
    etags: bool = Field(False, description="Whether cart reads carry an ETag and answer 304.")
    merge: Literal["sum", "max", "guest", "customer"] = Field(
        "sum", description="What becomes of a guest's cart when its shopper signs in."
    )


class CouponSettings(Section):
    enabled: bool = Field(True, description="Whether the shop takes coupons.")


class WorkerSettings(Section):
    in_process: bool = Field(
        True,
        description="Whether server processes do the worker's work too; false where "
        "`checkstand worker` runs.",
    )


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least serious messages that are logged."
    )
