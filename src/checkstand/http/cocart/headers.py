"""The headers that answers about a cart carry, in both spellings (contract README 6.2)."""

from __future__ import annotations

import time

import checkstand
from checkstand.cart.view import CartView
from checkstand.http.answers import PRIVATE

_EXPIRING = 3600
"""Seconds before its end from which on a cart counts as about to expire."""


def cart_headers(seen: CartView) -> dict[str, str]:
    """Cart key, expiry (Unix seconds), time and version; no key without a stored cart: official
    clients keep whatever they get."""
    now = str(int(time.time()))
    headers = {
        **PRIVATE,
        "Timestamp": now,
        "CoCart-Timestamp": now,
        "CoCart-Version": checkstand.__version__,
    }
    if seen.cart.version:
        expires = int(seen.cart.expires_at.timestamp())
        for name, value in (
            ("Key", seen.cart.key),
            ("Expiring", str(expires - _EXPIRING)),
            ("Expiration", str(expires)),
        ):
            headers[f"Cart-{name}"] = headers[f"CoCart-API-Cart-{name}"] = value
    return headers
