"""What the settings say to shoppers, and what can be told to be wrong with them."""

from __future__ import annotations

from urllib.parse import urlsplit

from checkstand.payments.gateway import Description
from checkstand.payments.gateways.paypal.client import HOSTS

_NOT_PAYPALS = ("pk_", "sk_", "rk_", "whsec_", "sandbox-sq", "sq0")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def described(
    client_id: str, has_secret: bool, environment: str, capture: str, title: str, text: str
) -> Description:
    return Description(
        id="paypal",
        title=title or "PayPal",
        description=text or "Pay with your PayPal account.",
        method_title="PayPal",
        method_description="The shopper approves the payment at PayPal.",
        supports=("products", "refunds"),
        order_button_text="Pay with PayPal",
        test_mode=environment != "live",
        is_connected=bool(client_id) and has_secret,
        storefront={
            "client_id": client_id,
            "environment": environment,
            "intent": "capture" if capture == "automatic" else "authorize",
        },
    )


def complaints(
    environment: str, client_id: str, client_secret: str, webhook_id: str, api_base: str
) -> list[str]:
    """See Gateway.complaints. Sandbox and live credentials look alike: only PayPal can tell."""
    found = []
    for name, value in (("client_id", client_id), ("client_secret", client_secret)):
        if not value:
            found.append(f"{name} is empty: take it from your app at developer.paypal.com.")
        elif value.startswith(_NOT_PAYPALS):
            found.append(f"{name} is another provider's key: take it from your PayPal app.")
        elif len(value.split()) != 1 or value != value.strip() or "@" in value:
            found.append(f"{name} is no REST credential: take it from your app, not your account.")
    if client_id and client_id == client_secret:
        found.append("client_secret is the client id: put the app's secret there.")
    if webhook_id.startswith(("http:", "https:", "WH-")):
        found.append(
            "webhook_id must be the id that the dashboard shows beside the "
            "webhook, not its address nor an event's id."
        )
    return found + _about_address(environment, api_base)


def _about_address(environment: str, api_base: str) -> list[str]:
    if not api_base:
        return []
    there = urlsplit(api_base)
    host = there.hostname or ""
    if there.scheme != "https" and host not in _LOOPBACK:
        return ["api_base must be https: leave it empty for PayPal itself."]
    other = "sandbox" if environment == "live" else "live"
    if host == HOSTS[other]:
        return [
            f"api_base is PayPal's {other}, environment says {environment}: leave api_base empty."
        ]
    return []
