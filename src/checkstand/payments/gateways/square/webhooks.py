"""Square's webhooks: who sent them, how old they are, and which payment they are about.

Square signs the address and the body, not the moment of sending: a notification that it sends again
(for up to 24 hours, until somebody answers 200) is the same bytes under the same signature. So the
age is that of the event, `created_at` in the signed body. A first delivery may be five minutes old.
What Square marks as a repetition (Square-Retry-Number) may be as old as its repetitions get. That
mark is not signed, so it does not keep out somebody who has got hold of an old notification; it
need not: an event is taken once by its id, and all it does is make the shop ask Square.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from checkstand.errors import WebhookRefused
from checkstand.kit.clock import Clock
from checkstand.payments.gateway import Notice

SIGNATURE = "x-square-hmacsha256-signature"
RETRY = "square-retry-number"
_TOLERANCE = timedelta(minutes=5)
_RETRIES = timedelta(hours=24)
_KINDS = ("payment.created", "payment.updated", "refund.created", "refund.updated")


@dataclass(frozen=True, slots=True)
class Webhooks:
    """`url` is the notification URL exactly as Square has it: it is part of what is signed."""

    url: str
    signature_key: str = field(repr=False)
    clock: Clock

    def notice(self, raw: bytes, headers: Mapping[str, str]) -> Notice | None:
        """None for events that are not about a payment of this shop; WebhookRefused for the rest
        that cannot be trusted."""
        self._verify(raw, headers.get(SIGNATURE, ""))
        event = _object(raw)
        self._judge_age(event, headers.get(RETRY, ""))
        event_id, kind = event.get("event_id"), event.get("type")
        if not isinstance(event_id, str) or not 0 < len(event_id) <= 200:
            raise WebhookRefused("The webhook has no event_id.")
        if kind not in _KINDS:
            return None
        return _notice(event_id, str(kind), event)

    def _verify(self, raw: bytes, signature: str) -> None:
        if not self.signature_key:
            raise WebhookRefused("gateways.square.webhook_signature_key is not set.")
        digest = hmac.new(self.signature_key.encode(), self.url.encode() + raw, hashlib.sha256)
        expected = base64.b64encode(digest.digest())
        if not hmac.compare_digest(expected, signature.encode("utf-8", "replace")):
            raise WebhookRefused("The webhook's signature is wrong.")

    def _judge_age(self, event: Mapping[str, Any], retry: str) -> None:
        try:
            created_at = datetime.fromisoformat(str(event.get("created_at")))
        except ValueError:
            raise WebhookRefused("The webhook does not say when it was made.") from None
        if created_at.tzinfo is None:
            created_at = created_at.replace(tzinfo=UTC)
        try:
            age = self.clock.now() - created_at
        except OverflowError:
            raise WebhookRefused("The webhook does not say when it was made.") from None
        repeated = retry.isascii() and retry.isdigit() and int(retry[:9]) > 0
        oldest = _RETRIES + _TOLERANCE if repeated else _TOLERANCE
        if not -_TOLERANCE <= age <= oldest:
            raise WebhookRefused("The webhook is too old, or from the future.")


def _object(raw: bytes) -> Mapping[str, Any]:
    try:
        event = json.loads(raw)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise WebhookRefused("The webhook is not a JSON object.")
    return event


def _notice(event_id: str, kind: str, event: Mapping[str, Any]) -> Notice | None:
    found: Any = event
    for key in ("data", "object", kind.partition(".")[0]):
        found = found.get(key) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping):
        raise WebhookRefused("The webhook names no payment.")
    reference = found.get("payment_id" if kind.startswith("refund.") else "id")
    if not isinstance(reference, str) or not 0 < len(reference) <= 200:
        raise WebhookRefused("The webhook names no payment.")
    if kind.startswith("refund."):
        return Notice(event_id, kind, reference=reference)
    attempt_id = found.get("reference_id")
    if not isinstance(attempt_id, str) or not attempt_id:
        return None  # taken at a till, or by another program of the same seller
    return Notice(event_id, kind, attempt_id=attempt_id, reference=reference)
