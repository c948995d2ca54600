"""The few things that this shop asks of Stripe, each one request of the official SDK."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import stripe

from checkstand.payments.gateways.stripe import intents
from checkstand.payments.gateways.stripe.intents import Intent, Unreadable
from checkstand.payments.gateways.stripe.transport import Transport

Params = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Api:
    """Errors are the SDK's, or Unreadable. `key`: what Stripe knows a request by for a day; asked
    again under it, Stripe repeats its first answer, failures included, and does nothing."""

    client: stripe.StripeClient
    transport: Transport

    async def create(self, params: Params, key: str) -> Intent:
        made = await self.client.v1.payment_intents.create_async(
            cast("Any", params), {"idempotency_key": key}
        )
        return intents.read(made)

    async def retrieve(self, intent: str) -> Intent:
        found = await self.client.v1.payment_intents.retrieve_async(
            intent, {"expand": ["latest_charge"]}
        )
        return intents.read(found)

    async def update(self, intent: str, params: Params) -> Intent:
        return intents.read(
            await self.client.v1.payment_intents.update_async(intent, cast("Any", params))
        )

    async def confirm(self, intent: str, params: Params, key: str) -> Intent:
        asked = await self.client.v1.payment_intents.confirm_async(
            intent, cast("Any", params), {"idempotency_key": key}
        )
        return intents.read(asked)

    async def cancel(self, intent: str) -> Intent:
        """Without a key of ours: a payment is cancelled once, whoever asks how often."""
        return intents.read(await self.client.v1.payment_intents.cancel_async(intent))

    async def capture(self, intent: str, amount: int) -> Intent:
        """Without a key of ours: what is captured cannot be captured again, and an error that
        Stripe remembered under a key would stand in the way for a day."""
        return intents.read(
            await self.client.v1.payment_intents.capture_async(
                intent, {"amount_to_capture": amount}
            )
        )

    async def find(self, attempt_id: str) -> Intent | None:
        """By metadata. Stripe's search sees what is older than some minutes."""
        query = f"metadata['{intents.ATTEMPT}']:'{_quoted(attempt_id)}'"
        found = await self.client.v1.payment_intents.search_async({"query": query, "limit": 10})
        for entry in _entries(found):
            intent = intents.of(entry)
            if intent.attempt_id == attempt_id:
                return intent
        return None

    async def customer(self, customer_id: int, key: str) -> str:
        """A new customer of Stripe's for one of ours. Only the number is told."""
        made = await self.client.v1.customers.create_async(
            {"metadata": {"customer": str(customer_id)}}, {"idempotency_key": key}
        )
        return made.id

    async def method(self, method: str) -> Mapping[str, Any]:
        return intents.body(await self.client.v1.payment_methods.retrieve_async(method))

    async def refund(self, params: Params, key: str) -> Mapping[str, Any]:
        made = await self.client.v1.refunds.create_async(
            cast("Any", params), {"idempotency_key": key}
        )
        return intents.body(made)

    async def refunds(self, intent: str) -> list[Mapping[str, Any]]:
        """The last hundred refunds of a payment."""
        listed = await self.client.v1.refunds.list_async({"payment_intent": intent, "limit": 100})
        return _entries(listed)

    async def close(self) -> None:
        await self.transport.close_async()


def connect(secret_key: str, api_base: str, timeout: float) -> Api:
    """`timeout`: seconds for one request."""
    # The SDK would write a file into the home folder, and tell about the machine.
    stripe.enable_telemetry = False
    # It logs bodies, and with them names and client secrets, when the log is detailed enough.
    logging.getLogger("stripe").setLevel(logging.WARNING)
    transport = Transport(timeout)
    client = stripe.StripeClient(
        # Without a key the shop does not start (see complaints); the client insists on some text.
        secret_key or "sk_none",
        max_network_retries=0,
        http_client=transport,
        base_addresses={"api": api_base.rstrip("/")} if api_base else None,
    )
    return Api(client, transport)


def was_replayed(error: stripe.StripeError) -> bool:
    """Whether Stripe had stored this error under the key: what it was about is over."""
    return (error.headers or {}).get("idempotent-replayed") == "true"


def detail(error: stripe.StripeError) -> Mapping[str, Any]:
    """Stripe's error object; {} when there is none."""
    body = error.json_body
    found = body.get("error") if isinstance(body, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def named(error: stripe.StripeError) -> str:
    """For the log: the kind of error and Stripe's words for it, none of its sentences."""
    found = detail(error)
    parts = [type(error).__name__, error.http_status, error.request_id]
    parts += [found.get("code"), found.get("param")]
    return " ".join(str(part)[:100] for part in parts if part)


def _entries(answer: Any) -> list[Mapping[str, Any]]:
    listed = intents.body(answer).get("data")
    if not isinstance(listed, list):
        raise Unreadable("no list")
    return [entry for entry in listed if isinstance(entry, Mapping)]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
