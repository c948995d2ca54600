"""Cards by Stripe. The SDK is imported when a shop switches this gateway on, not before."""

from __future__ import annotations

from checkstand.payments.gateway import Description, Gateway, House

__all__ = ["gateway"]


def gateway(
    *,
    secret_key: str,
    publishable_key: str,
    webhook_secret: str = "",
    capture: str = "automatic",
    api_base: str = "",
    title: str = "",
    description: str = "",
    house: House,
    timeout: float,
) -> Gateway:
    """`capture`: `automatic` or `manual`. `timeout`: seconds after which every answer is there."""
    from checkstand.payments.gateways.stripe.adapter import StripeGateway
    from checkstand.payments.gateways.stripe.api import connect
    from checkstand.payments.gateways.stripe.keys import Keys

    keys = Keys(secret_key.strip(), publishable_key.strip(), webhook_secret.strip())
    shown = Description(
        id="stripe",
        title=title or "Card",
        description=description or "Pay with a credit or debit card.",
        method_title="Stripe",
        method_description="Cards by Stripe's Payment Intents, with 3-D Secure where banks ask.",
        supports=("products", "refunds", "tokenization"),
        has_fields=True,
        test_mode=keys.test,
        is_connected=keys.complete,
        storefront={"publishable_key": keys.publishable} if keys.shown else {},
    )
    return StripeGateway(
        api=connect(keys.secret, api_base, timeout * 0.8),
        keys=keys,
        description=shown,
        house=house,
        manual=capture == "manual",
        timeout=timeout,
        api_base=api_base,
    )
