"""Makers of what a gateway is asked with: attempts, refunds, and what a context is due for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from checkstand.customers.addresses import Address
from checkstand.kit import ids
from checkstand.kit.money import Currency, Money
from checkstand.payments.gateway import Due
from checkstand.payments.model import (
    Approved,
    Attempt,
    AttemptState,
    Funds,
    NeedsAction,
    Refund,
)

BILLING = Address(
    first_name="Ines",
    last_name="Okafor",
    address_1="8 Quarry Row",
    city="Dunmore",
    state="CA",
    postcode="90011",
    country="US",
    phone="+13105550142",
    email="ines@example.com",
)


def money(minor: int, code: str = "USD") -> Money:
    """`minor` units of an ISO 4217 currency."""
    return Money(minor, Currency.of(code))


def attempt(gateway: str, amount: Money | None = None, **changes: Any) -> Attempt:
    """A new attempt of an order of its own, leased for a minute: 19.99 USD unless told."""
    now = datetime.now(UTC)
    made = Attempt(
        id=ids.attempt_id(),
        order_id=7310,
        gateway=gateway,
        state=AttemptState.OPEN,
        amount=amount or money(1999),
        lease_until=now + timedelta(minutes=1),
        cart_key=ids.cart_key(),
        binding=uuid4().hex,
        created_at=now,
        return_url="https://shop.example/checkout/order-received/7310/?key=wc_order_1",
        billing=BILLING,
    )
    return replace(made, **changes)


def approved(charged: Attempt, outcome: Approved) -> Attempt:
    """The attempt as the shop keeps it once the gateway has approved."""
    taken = charged.amount if outcome.captured is None else outcome.captured
    return replace(
        charged,
        state=AttemptState.APPROVED,
        reference=outcome.reference or charged.reference,
        funds=outcome.funds,
        captured=taken.minor if outcome.funds is Funds.CAPTURED else 0,
        billing=Address(),
        action=None,
        repeated=True,
    )


def continued(charged: Attempt, action: NeedsAction) -> Attempt:
    """The attempt as it is charged again after the shopper was asked to do something."""
    return replace(
        charged,
        state=AttemptState.NEEDS_ACTION,
        reference=action.reference or charged.reference,
        action=action,
        billing=Address(),
        repeated=True,
    )


def refund(of: Attempt, minor: int | None = None, **changes: Any) -> Refund:
    """A refund of an approved attempt; all of it unless `minor` units are told."""
    amount = of.amount if minor is None else Money(minor, of.amount.currency)
    made = Refund(id=f"ref_{uuid4().hex}", attempt=of, amount=amount, created_at=datetime.now(UTC))
    return replace(made, **changes)


def due(amount: Money | None = None, **changes: Any) -> Due:
    """What a payment context is asked for: half an hour for 19.99 USD unless told."""
    made = Due(
        amount=amount or money(1999),
        binding=uuid4().hex,
        expires_at=datetime.now(UTC) + timedelta(minutes=30),
        request_key=f"ctx_{uuid4().hex}",
    )
    return replace(made, **changes)
