"""Stripe's webhooks: whether Stripe has sent it, and what to look at (docs.stripe.com/webhooks).

The SDK's own check reads the machine's clock and decodes the body first; this one goes by the
shop's clock and the bytes as they came.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from checkstand.errors import WebhookRefused
from checkstand.payments.gateway import Notice
from checkstand.payments.gateways.stripe.intents import ATTEMPT

TOLERANCE = 300
"""Seconds that a signature may be old, or ahead of our clock."""
_ABOUT_PAYMENTS = ("payment_intent.", "charge.", "refund.")


def verify(raw: bytes, header: str, secret: str, now: datetime) -> None:
    """WebhookRefused unless one of the header's `v1` signs time and body with `secret`."""
    if not secret:
        raise WebhookRefused("Webhooks are refused: gateways.stripe.webhook_secret is not set.")
    parts = [part.strip().partition("=") for part in header[:4096].split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit() and len(times[0]) <= 12):
        raise WebhookRefused
    expected = hmac.new(secret.encode(), times[0].encode() + b"." + raw, hashlib.sha256)
    digest = expected.hexdigest().encode()
    signatures = [value.encode("utf-8", "replace") for name, _, value in parts if name == "v1"]
    # All are compared, so that the time taken does not tell which one fits.
    if not sum(hmac.compare_digest(digest, signature) for signature in signatures):
        raise WebhookRefused
    if abs(now.timestamp() - int(times[0])) > TOLERANCE:
        raise WebhookRefused


def notice(raw: bytes) -> Notice | None:
    """What a verified webhook is about; None when it is about no payment."""
    event = _parsed(raw)
    kind, name = event.get("type"), event.get("id")
    if not isinstance(kind, str) or not isinstance(name, str) or not 0 < len(name) <= 255:
        raise WebhookRefused("The webhook is no event of Stripe.")
    if not kind.startswith(_ABOUT_PAYMENTS):
        return None
    held = event.get("data")
    subject = held.get("object") if isinstance(held, Mapping) else None
    if not isinstance(subject, Mapping):
        return None
    own = kind.startswith("payment_intent.")
    reference = subject.get("id") if own else subject.get("payment_intent")
    if not isinstance(reference, str) or not reference.startswith("pi_") or len(reference) > 255:
        return None
    metadata = subject.get("metadata")
    attempt = metadata.get(ATTEMPT) if isinstance(metadata, Mapping) else None
    known = isinstance(attempt, str) and len(attempt) <= 100
    return Notice(name, kind[:100], attempt if known and attempt else "", reference)


def _parsed(raw: bytes) -> Mapping[str, Any]:
    try:
        event = json.loads(raw)
    except (ValueError, RecursionError):  # ValueError: no JSON, or no UTF-8
        raise WebhookRefused("The webhook is no JSON.") from None
    if not isinstance(event, Mapping):
        raise WebhookRefused("The webhook is no event of Stripe.")
    return event
