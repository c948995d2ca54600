"""Payments by Acme for Checkstand. `gateway` is what the entry point names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from acme_gateway.adapter import AcmeGateway
from checkstand.errors import ConfigurationError
from checkstand.payments.gateway import House

__all__ = ["gateway"]

_KNOWN = {"api_base", "secret_key", "publishable_key", "webhook_secret", "capture", "timeout"}
_NEEDED = ("secret_key", "publishable_key", "webhook_secret")


def gateway(options: Mapping[str, Any], house: House) -> AcmeGateway:
    """The gateway by its section of the settings, [gateways.more.acme]."""
    unheard = sorted(set(options) - _KNOWN)
    missing = [name for name in _NEEDED if not options.get(name)]
    if unheard or missing:
        raise ConfigurationError(
            f"gateways.more.acme: unknown {unheard}, missing {missing}; "
            f"it takes {', '.join(sorted(_KNOWN))}."
        )
    return AcmeGateway(
        api_base=str(options.get("api_base", "https://api.acme.example")),
        secret_key=str(options["secret_key"]),
        publishable_key=str(options["publishable_key"]),
        webhook_secret=str(options["webhook_secret"]),
        reserves=options.get("capture") == "manual",
        timeout=float(options.get("timeout", 10)),
        house=house,
    )
