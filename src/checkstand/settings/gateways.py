"""Settings of payments: each gateway's keys, and how long things around a payment may take."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr

from checkstand.settings.sections import Reference, Section, resolved


def _deep(value: Any) -> Any:
    """References resolved at any depth: what third parties have as settings is theirs to shape."""
    if isinstance(value, dict):
        return {key: _deep(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_deep(entry) for entry in value]
    return resolved(value)


def _secret(value: Any) -> Any:
    return value if isinstance(value, SecretStr) else resolved(value)


Secret = Annotated[SecretStr, BeforeValidator(_secret)]
"""Given as `env:NAME` or `file:PATH`; never printed."""
Capture = Literal["automatic", "manual"]
Environment = Literal["sandbox", "live"]
_CAPTURE = "`automatic` takes the money at once, `manual` reserves it until it is captured."


class PaymentSettings(Section):
    timeout: float = Field(
        30, gt=0, le=300, description="Seconds that a payment provider gets to answer."
    )
    context_minutes: int = Field(
        30, ge=1, le=1440, description="Minutes that a payment context may be used."
    )
    action_minutes: int = Field(
        30,
        ge=1,
        le=1440,
        description="Minutes that a shopper has for 3-D Secure and the like; then the attempt is "
        "voided and the cart is free again.",
    )


class OfflineGatewaySettings(Section):
    enabled: bool = Field(False, description="Whether shoppers can choose it.")
    title: str = Field("", description="What the shopper reads; empty: the usual name.")
    description: str = Field("", description="More about it, shown at checkout.")


class CashOnDeliverySettings(OfflineGatewaySettings):
    shipping_methods: tuple[str, ...] = Field(
        (), description="Rate keys that it is restricted to; empty: all."
    )


class SandboxSettings(OfflineGatewaySettings):
    capture: Capture = Field("automatic", description=_CAPTURE)
    webhook_secret: Secret = Field(
        SecretStr("sandbox"), description="Signs the webhooks of the sandbox."
    )


class StripeSettings(OfflineGatewaySettings):
    secret_key: Secret = Field(SecretStr(""), description="`sk_…` or `rk_…`, by reference.")
    publishable_key: Reference = Field("", description="`pk_…`: what storefronts use.")
    webhook_secret: Secret = Field(
        SecretStr(""), description="`whsec_…` of the webhook endpoint, by reference."
    )
    capture: Capture = Field("automatic", description=_CAPTURE)
    api_base: str = Field("", description="Another address of the API, for tests; empty: Stripe.")


class PayPalSettings(OfflineGatewaySettings):
    environment: Environment = Field("sandbox", description="PayPal's sandbox, or live.")
    client_id: Reference = Field("", description="The app's client id: what storefronts use.")
    client_secret: Secret = Field(SecretStr(""), description="The app's secret, by reference.")
    webhook_id: str = Field("", description="Id of the webhook, as PayPal's dashboard shows it.")
    capture: Capture = Field("automatic", description=_CAPTURE)
    unbound_orders: Literal["refuse", "accept"] = Field(
        "refuse",
        description="Whether a PayPal order may pay that a browser made without a `custom_id`. "
        "Amount and currency must match in any case; with another `custom_id` it never pays.",
    )
    api_base: str = Field("", description="Another address of the API, for tests; empty: PayPal.")


class SquareSettings(OfflineGatewaySettings):
    environment: Environment = Field("sandbox", description="Square's sandbox, or live.")
    access_token: Secret = Field(SecretStr(""), description="The access token, by reference.")
    application_id: Reference = Field("", description="The application id: what storefronts use.")
    location_id: str = Field("", description="The location that payments belong to.")
    webhook_signature_key: Secret = Field(
        SecretStr(""), description="The webhook subscription's signature key, by reference."
    )
    webhook_url: str = Field(
        "",
        description="The notification URL exactly as it was given to Square, which signs it; "
        "empty: made of server.base_url.",
    )
    capture: Capture = Field("automatic", description=_CAPTURE)
    api_base: str = Field("", description="Another address of the API, for tests; empty: Square.")


class AuthorizeNetSettings(OfflineGatewaySettings):
    environment: Environment = Field("sandbox", description="Authorize.Net's sandbox, or live.")
    api_login_id: Reference = Field("", description="The API login id: storefronts use it too.")
    transaction_key: Secret = Field(SecretStr(""), description="By reference.")
    public_client_key: Reference = Field("", description="What Accept.js uses in the browser.")
    signature_key: Secret = Field(SecretStr(""), description="Signs webhooks; by reference.")
    capture: Capture = Field("automatic", description=_CAPTURE)
    api_base: str = Field(
        "", description="Another address of the API, for tests; empty: Authorize.Net."
    )


class GatewaySettings(Section):
    bacs: OfflineGatewaySettings = OfflineGatewaySettings()
    cheque: OfflineGatewaySettings = OfflineGatewaySettings()
    cod: CashOnDeliverySettings = CashOnDeliverySettings()
    sandbox: SandboxSettings = SandboxSettings()
    stripe: StripeSettings = StripeSettings()
    paypal: PayPalSettings = PayPalSettings()
    square: SquareSettings = SquareSettings()
    authorizenet: AuthorizeNetSettings = AuthorizeNetSettings()
    more: Annotated[dict[str, dict[str, Any]], BeforeValidator(_deep)] = Field(
        {},
        description="Gateways of other packages, by the name of their entry point, each with its "
        "own settings.",
    )
