"""Authorize.Net's webhooks: who sent them, and which transaction they are about.

The signature is HMAC-SHA512 over the raw body. No time of sending is signed: a notification that is
sent again (for days, and nothing marks it as a repetition) is the same bytes under the same
signature, and `eventDate` is the event's. So five minutes would refuse every honest repetition;
what is older than Authorize.Net repeats anything, or is from the future, is refused. A replay can
do no more than a repetition: each notification is taken once, by its id, and only makes the shop
ask.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from checkstand.errors import WebhookRefused
from checkstand.kit.clock import Clock

SIGNATURE = "x-anet-signature"
_PREFIX = "sha512="
_PAYMENT = "net.authorize.payment."
_TOLERANCE = timedelta(minutes=5)
_REPEATED_FOR = timedelta(days=10)
_FRACTION = re.compile(r"\.(\d{1,6})\d*")


@dataclass(frozen=True, slots=True)
class Told:
    """A verified notification about a transaction."""

    id: str
    kind: str
    transaction: str


@dataclass(frozen=True, slots=True)
class Webhooks:
    """`signature_key`: hexadecimal, as the Merchant Interface shows it."""

    signature_key: str = field(repr=False)
    clock: Clock

    def told(self, raw: bytes, headers: Mapping[str, str]) -> Told | None:
        """None for events that are not about payments; WebhookRefused for what cannot be
        trusted."""
        self._verify(raw, headers.get(SIGNATURE, ""))
        event = _object(raw)
        self._judge_age(event)
        name, kind = event.get("notificationId"), event.get("eventType")
        if not isinstance(name, str) or not 0 < len(name) <= 200:
            raise WebhookRefused("The webhook has no notificationId.")
        if not isinstance(kind, str) or not kind.startswith(_PAYMENT):
            return None
        payload = event.get("payload")
        transaction = payload.get("id") if isinstance(payload, Mapping) else None
        if not isinstance(transaction, str) or not re.fullmatch(r"[0-9]{1,30}", transaction):
            raise WebhookRefused("The webhook names no transaction.")
        return Told(name, kind[:100], transaction)

    def _verify(self, raw: bytes, signature: str) -> None:
        """Authorize.Net's page and its clients disagree on whether the key is taken as text or as
        the bytes that it spells; whoever can make either has the key."""
        if not self.signature_key:
            raise WebhookRefused("gateways.authorizenet.signature_key is not set.")
        given = signature.removeprefix(_PREFIX).lower().encode("utf-8", "replace")
        right = [
            hmac.compare_digest(hmac.new(key, raw, hashlib.sha512).hexdigest().encode(), given)
            for key in _keys(self.signature_key)
        ]
        if not signature.startswith(_PREFIX) or not any(right):
            raise WebhookRefused("The webhook's signature is wrong.")

    def _judge_age(self, event: Mapping[str, Any]) -> None:
        try:  # seven digits of a second are one more than Python reads
            happened = datetime.fromisoformat(_FRACTION.sub(r".\1", str(event.get("eventDate"))))
            if happened.tzinfo is None:
                happened = happened.replace(tzinfo=UTC)
            age = self.clock.now() - happened
        except (ValueError, OverflowError):
            raise WebhookRefused("The webhook does not say when it was made.") from None
        if not -_TOLERANCE <= age <= _REPEATED_FOR:
            raise WebhookRefused("The webhook is too old, or from the future.")


def _keys(signature_key: str) -> list[bytes]:
    try:
        return [signature_key.encode(), bytes.fromhex(signature_key)]
    except ValueError:
        return [signature_key.encode()]


def _object(raw: bytes) -> Mapping[str, Any]:
    try:
        event = json.loads(raw)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise WebhookRefused("The webhook is not a JSON object.")
    return event
