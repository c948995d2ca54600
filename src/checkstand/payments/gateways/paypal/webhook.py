"""PayPal's webhooks: PayPal itself is asked whether it signed these bytes."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from checkstand.errors import ProviderSilent, WebhookRefused
from checkstand.kit.clock import Clock
from checkstand.payments.gateway import Notice
from checkstand.payments.gateways.paypal.client import CredentialsRefused, NoAnswer, PayPalApi

_log = logging.getLogger(__name__)
_TOLERANCE = timedelta(minutes=5)
_LONGEST = 262_144  # bytes; PayPal's are a few thousand
_VERIFY = "/v1/notifications/verify-webhook-signature"
_NAME = re.compile(r"[A-Z0-9]{8,36}")
_LIMITS = {"transmission-id": 50, "transmission-sig": 500, "cert-url": 500, "auth-algo": 100}
_ABOUT_PAYMENTS = ("PAYMENT.CAPTURE.", "PAYMENT.AUTHORIZATION.", "PAYMENT.REFUND.")
_ABOUT_ORDERS = ("CHECKOUT.ORDER.", "CHECKOUT.PAYMENT-APPROVAL.")


@dataclass(frozen=True, slots=True)
class Webhooks:
    api: PayPalApi
    webhook_id: str
    clock: Clock

    async def notice(self, raw: bytes, headers: Mapping[str, str]) -> Notice | None:
        """See Gateway.parse_webhook. ProviderSilent when PayPal cannot be asked: it sends again."""
        if not self.webhook_id:
            raise WebhookRefused("PayPal webhooks need gateways.paypal.webhook_id.")
        event = _event(raw)
        envelope = self._envelope(headers)
        await self._verify(envelope, raw)
        name, kind = event.get("id"), event.get("event_type")
        if not isinstance(name, str) or not name or not isinstance(kind, str):
            raise WebhookRefused("The webhook has no id or event_type.")
        resource = event.get("resource")
        if not isinstance(resource, Mapping):
            return None
        reference = await self._order(kind, resource)
        return Notice(name[:200], kind[:200], reference=reference) if reference else None

    def _envelope(self, headers: Mapping[str, str]) -> dict[str, str]:
        """What is verified besides the body. WebhookRefused when PayPal would not send it."""
        found = {}
        for name, longest in _LIMITS.items():
            value = headers.get(f"paypal-{name}", "")
            if not 0 < len(value) <= longest:
                raise WebhookRefused
            found[name.replace("-", "_")] = value
        sent = headers.get("paypal-transmission-time", "")
        if abs(self.clock.now() - _time(sent)) > _TOLERANCE:
            raise WebhookRefused("The webhook is older than five minutes.")
        if not _is_paypals(found["cert_url"], self.api.address):
            raise WebhookRefused("The webhook's certificate is not PayPal's.")
        return {**found, "transmission_time": sent, "webhook_id": self.webhook_id}

    async def _verify(self, envelope: Mapping[str, str], raw: bytes) -> None:
        # The event goes back byte for byte, since the signature is over these bytes. `_event` has
        # made sure that they are one JSON object, so they cannot break out of their member.
        body = json.dumps(envelope).encode()[:-1] + b', "webhook_event": ' + raw + b"}"
        try:
            answer = await self.api.post_bytes(_VERIFY, body)
        except (NoAnswer, CredentialsRefused):
            raise ProviderSilent("PayPal could not be asked about a webhook.") from None
        if not answer.done:
            _log.error("PayPal cannot verify webhooks: HTTP %d %s", answer.status, answer.issue)
        if answer.body.get("verification_status") != "SUCCESS":
            raise WebhookRefused

    async def _order(self, kind: str, resource: Mapping[str, Any]) -> str:
        """The PayPal order that the event is about; "" when it is not about one."""
        if kind.startswith(_ABOUT_ORDERS):
            return _name(resource.get("id")) or _name(resource.get("order_id"))
        if not kind.startswith(_ABOUT_PAYMENTS):
            return ""
        if order := _related(resource):
            return order
        # Refunds name their capture only, in a link.
        for path in _parents(resource):
            try:
                answer = await self.api.get(path)
            except (NoAnswer, CredentialsRefused):
                raise ProviderSilent("PayPal could not be asked about a webhook.") from None
            if answer.done and (order := _related(answer.body)):
                return order
        return ""


def _event(raw: bytes) -> Mapping[str, Any]:
    if len(raw) > _LONGEST:
        raise WebhookRefused("The webhook is too large.")
    try:
        event = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise WebhookRefused("The webhook is not JSON.") from None
    if not isinstance(event, dict):
        raise WebhookRefused("The webhook is not a JSON object.")
    return event


def _time(text: str) -> datetime:
    """An RFC 3339 time; one without a zone is not accepted."""
    try:
        found = datetime.fromisoformat(text[:40])
    except ValueError:
        raise WebhookRefused from None
    if found.tzinfo is None:
        raise WebhookRefused
    try:
        return found.astimezone(UTC)
    except OverflowError:
        raise WebhookRefused from None


def _is_paypals(url: str, api: str) -> bool:
    """Whether a certificate's address is https at PayPal, or at the API that the shop uses."""
    try:
        there, port = urlsplit(url), urlsplit(url).port
    except ValueError:
        return False
    host = there.hostname or ""
    if there.username is not None or there.password is not None or there.scheme != "https":
        return False
    if host == "paypal.com" or host.endswith(".paypal.com"):
        return port in (None, 443)
    return host == (urlsplit(api).hostname or "")


def _related(resource: Mapping[str, Any]) -> str:
    extra = resource.get("supplementary_data")
    related = extra.get("related_ids") if isinstance(extra, Mapping) else None
    return _name(related.get("order_id")) if isinstance(related, Mapping) else ""


def _parents(resource: Mapping[str, Any]) -> list[str]:
    """Paths of the capture or authorization that a resource belongs to, at most two."""
    links = resource.get("links")
    found = []
    for link in links if isinstance(links, list) else ():
        if isinstance(link, Mapping) and link.get("rel") == "up":
            match = re.search(
                r"/v2/payments/(captures|authorizations)/([A-Z0-9]{8,36})$", str(link.get("href"))
            )
            if match:
                found.append(f"/v2/payments/{match[1]}/{match[2]}")
    return found[:2]


def _name(value: Any) -> str:
    return value if isinstance(value, str) and _NAME.fullmatch(value) else ""
