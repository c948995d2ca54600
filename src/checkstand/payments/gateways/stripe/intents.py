"""What a PaymentIntent of Stripe says, read once and without trust in its shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import stripe

from checkstand.payments.gateways.stripe.amounts import major

ATTEMPT, BINDING, ORDER, REFUND = "attempt", "binding", "order", "refund"
"""Names of our entries in Stripe's metadata."""


class Unreadable(Exception):
    """An answer of Stripe that is not what it should be: nothing can be told from it."""


@dataclass(frozen=True, slots=True)
class Intent:
    id: str
    status: str
    amount: int
    currency: str
    client_secret: str = field(default="", repr=False)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    received: int | None = None
    """Stripe's minor units that were captured; None when it does not say."""
    returned: int = 0
    """Stripe's minor units that were given back already, as far as this answer says."""
    error: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Why the last try to pay failed; empty when none did."""
    redirect: str = field(default="", repr=False)
    method: str = field(default="", repr=False)
    customer: str = field(default="", repr=False)
    keeps_method: bool = False
    """Whether the payment method is kept with the customer once it has paid."""
    replayed: bool = False
    """An answer that Stripe had stored under the idempotency key: the status may be history."""

    @property
    def taken(self) -> Decimal:
        """What was captured, in major units: all, when Stripe does not say."""
        return major(self.amount if self.received is None else self.received, self.currency)

    @property
    def attempt_id(self) -> str:
        """The attempt that it was made for, or that has claimed it; "" while there is none."""
        return _text(self.metadata.get(ATTEMPT))

    @property
    def binding(self) -> str:
        return _text(self.metadata.get(BINDING))


def read(answer: stripe.StripeObject) -> Intent:
    """Unreadable when it is no PaymentIntent."""
    found = body(answer)
    response = answer.last_response
    headers = response.headers if response else {}
    return of(found, replayed=headers.get("idempotent-replayed") == "true")


def body(answer: stripe.StripeObject) -> Mapping[str, Any]:
    """The JSON object that an answer of the SDK was made of; Unreadable when it was none."""
    # The SDK promises an object; of a list it makes a list.
    response = getattr(answer, "last_response", None)
    if response is None or not isinstance(response.data, Mapping):
        raise Unreadable("no object")
    return response.data


def of(found: Any, *, replayed: bool = False) -> Intent:
    """A PaymentIntent as JSON has it. Unreadable when it is none."""
    if not isinstance(found, Mapping):
        raise Unreadable("no object")
    name, status = _text(found.get("id")), _text(found.get("status"))
    amount, currency = found.get("amount"), _text(found.get("currency"))
    if not name.startswith("pi_") or not status or not isinstance(amount, int) or not currency:
        raise Unreadable("no payment intent")
    received = found.get("amount_received")
    returned = _mapping(found.get("latest_charge")).get("amount_refunded")
    return Intent(
        id=name,
        status=status,
        amount=amount,
        currency=currency.upper(),
        client_secret=_text(found.get("client_secret")),
        metadata=_mapping(found.get("metadata")),
        received=received if isinstance(received, int) else None,
        returned=returned if isinstance(returned, int) else 0,
        error=_mapping(found.get("last_payment_error")),
        redirect=_text(
            _mapping(_mapping(found.get("next_action")).get("redirect_to_url")).get("url")
        ),
        method=_named(found.get("payment_method")),
        customer=_named(found.get("customer")),
        keeps_method=bool(found.get("setup_future_usage")),
        replayed=replayed,
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _named(value: Any) -> str:
    """An id, or the object itself where Stripe has expanded it."""
    return _text(value.get("id") if isinstance(value, Mapping) else value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
