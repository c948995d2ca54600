"""The sections of the settings that guard the shop: limits, transport, shield and audit log."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated, Literal

import limits
from pydantic import AfterValidator, Field

from checkstand.settings.sections import Reference, Section


def _rate(value: str) -> str:
    try:
        found = limits.parse(value)
    except ValueError:
        raise ValueError(
            "is not a limit; write an amount and a time, such as 20/minute or 25/10 seconds"
        ) from None
    if not 1 <= found.amount <= 1_000_000 or found.get_expiry() > 86_400:
        raise ValueError("is out of bounds; 1 to 1000000 within a day at most")
    return value


def _network(value: str) -> str:
    if value != "unix":
        try:
            ip_network(value)
        except ValueError:
            raise ValueError(
                "is not a network; write 10.0.0.0/8, one address, or unix for a socket file"
            ) from None
    return value


def _origin(value: str) -> str:
    if value != "*" and not re.fullmatch(r"https?://[a-z0-9.\-\[\]:]+", value):
        raise ValueError(
            "is not an origin; write https://shop.example in small letters, without a path"
        )
    return value


def _store_url(value: str) -> str:
    schemes = ("valkey://", "valkeys://", "redis://", "rediss://", "unix://")
    if value and not value.startswith(schemes):
        raise ValueError("is not the address of a Valkey; it starts with valkey:// or redis://")
    return value


Rate = Annotated[str, AfterValidator(_rate)]
NetworkText = Annotated[str, AfterValidator(_network)]
OriginText = Annotated[str, AfterValidator(_origin)]
StoreUrl = Annotated[Reference, AfterValidator(_store_url)]


class RateLimitSettings(Section):
    enabled: bool = Field(True, description="Whether requests are limited.")
    store_url: StoreUrl = Field(
        "", description="Valkey or Redis that several processes share; empty: each its own count."
    )
    store_timeout: float = Field(
        0.5, gt=0, le=30, description="Seconds that it gets to answer a request."
    )
    checkout_read: Rate = Field("20/minute", description="Reading the checkout.")
    checkout_update: Rate = Field("25/10 seconds", description="Updating the checkout.")
    checkout_process: Rate = Field("5/minute", description="Ordering.")
    payment_methods: Rate = Field("30/minute", description="Listing payment methods.")
    payment_methods_debug: Rate = Field(
        "1/minute", description="The same by an administrator with `debug`."
    )
    token_refresh: Rate = Field("10/minute", description="Refreshing a token.")
    token_validate: Rate = Field("2/minute", description="Validating a token.")
    sign_in: Rate = Field(
        "10/minute", description="Attempts to sign in as one account from one address."
    )
    sign_in_failures: Rate = Field(
        "60/minute", description="Failed attempts to sign in, and refused keys, from one address."
    )
    cart_link: Rate = Field("20/minute", description="Making and opening load-cart links.")
    other: Rate = Field("25/10 seconds", description="Everything else.")


class SecuritySettings(Section):
    require_https: bool = Field(
        True, description="Refuse plain HTTP, except from this machine and private networks."
    )
    hsts_seconds: int = Field(
        31_536_000,
        ge=0,
        le=63_072_000,
        description="Seconds that browsers shall come by HTTPS only; 0: nothing is said.",
    )
    trusted_proxies: tuple[NetworkText, ...] = Field(
        (), description="Networks of the shop's own proxies; `unix` for a socket file."
    )
    client_header: Literal["x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip"] = Field(
        "x-forwarded-for", description="The header in which they name the client."
    )
    cors_origins: tuple[OriginText, ...] = Field(
        (), description="Origins whose pages may call the API; `*`: all."
    )


class AuditSettings(Section):
    retention_days: int = Field(
        730, ge=0, le=36_500, description="Days that entries of the audit log are kept; 0: all."
    )


class ShieldSettings(Section):
    mode: Literal["enforce", "dry_run", "off"] = Field(
        "enforce", description="Whether too many declined payments are refused, or only noted."
    )
    address: Rate = Field("30/hour", description="Declines of one address.")
    cart: Rate = Field("5/hour", description="Declines of one cart.")
    email: Rate = Field("8/hour", description="Declines of one e-mail.")
    account: Rate = Field("8/hour", description="Declines of one account.")
    gateway: Rate = Field("300/hour", description="Declines of a gateway, whoever pays.")
