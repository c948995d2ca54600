"""One attempt to pay an order, refunds of it, and the closed set of what a gateway can answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeAlias

from checkstand.customers.addresses import Address
from checkstand.kit.money import Money

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class AttemptState(StrEnum):
    OPEN = "open"
    APPROVED = "approved"
    DECLINED = "declined"
    NEEDS_ACTION = "needs_action"
    UNKNOWN = "unknown"
    VOID = "void"

    @property
    def live(self) -> bool:
        """Whether money may still move because of it. An order has at most one live attempt."""
        return self in (AttemptState.OPEN, AttemptState.NEEDS_ACTION, AttemptState.UNKNOWN)


class Funds(StrEnum):
    """Where the money is once a gateway has approved."""

    CAPTURED = "captured"
    AUTHORISED = "authorised"
    """Reserved at the provider: it is captured later, or voided."""
    ON_DELIVERY = "on_delivery"
    AWAITED = "awaited"
    NOTHING_DUE = "nothing_due"
    RETURNED = "returned"
    """The answer to a void or a refund: it is back with the shopper, or on its way."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """`id`: the provider's idempotency keys are derived from it, so that asking again never
    charges again. `lease_until`: one process is at it until then, others wait, or take over after.
    """

    id: str
    order_id: int
    gateway: str
    state: AttemptState
    amount: Money
    lease_until: datetime
    reference: str = ""
    """What the provider calls the payment; "" until it has said, or the browser has."""
    cart_key: str = field(default="", repr=False)
    binding: str = ""
    """Ties a payment that a browser began to the cart: what `Due.binding` was (see there)."""
    created_at: datetime = _LONG_AGO
    repeated: bool = False
    """Whether the gateway may have been asked before: for providers without idempotency keys."""
    return_url: str = field(default="", repr=False)
    """Where a shopper whom the provider sent elsewhere comes back to."""
    billing: Address = field(default_factory=Address, repr=False)
    """For address checks; empty when an attempt is continued."""
    customer_id: int | None = None
    payment_hash: str = ""
    """SHA-256 of the payment data that the shopper sent; the data itself is never stored."""
    action: NeedsAction | None = field(default=None, repr=False)
    """What the shopper has to do, while that is so."""
    funds: Funds | None = None
    """Where the money is; None until approved."""
    captured: int = 0
    """Minor units that the provider has taken."""
    refunded: int = 0
    """Minor units that were given back, refunds under way included."""
    looks: int = 0
    """How often the worker has asked the provider about it."""
    next_look_at: datetime | None = None
    """When the worker asks next; None when nobody needs to."""
    decline: Declined | None = field(default=None, repr=False)
    """Why it was declined."""


@dataclass(frozen=True, slots=True)
class SavedMethod:
    """An instrument that a signed-in customer may pay with again. `token` and `customer` are the
    provider's names; `kind` is `cc` or `echeck`; `expires` is MM/YYYY or None."""

    token: str = field(repr=False)
    label: str
    """What the customer reads: Visa ending in 1881."""
    kind: str = "cc"
    expires: str | None = None
    customer: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Approved:
    """`captured`: what was taken, when that is not the whole of the attempt (a partial capture)."""

    funds: Funds
    reference: str = ""
    saved: SavedMethod | None = None
    captured: Money | None = None


@dataclass(frozen=True, slots=True)
class Declined:
    """Surely no money has moved, and none will because of this. `message` is for the shopper;
    `gateway_error` has the members of contract checkout.md 9.1."""

    message: str
    gateway_error: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NeedsAction:
    """The shopper has to do something first, such as 3-D Secure: by going to `redirect_url`, or
    by what `action_type` and `action_data` tell the provider's script in the browser."""

    redirect_url: str
    action_type: str = ""
    action_data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The provider did not answer: money may or may not have moved. `reason` goes to the log: no
    personal data, no secrets."""

    reason: str = ""
    reference: str = ""


Outcome: TypeAlias = Approved | Declined | NeedsAction | Unknown


class RefundState(StrEnum):
    OPEN = "open"
    DONE = "done"
    REFUSED = "refused"

    @property
    def counts(self) -> bool:
        """Whether its amount is spoken for."""
        return self is not RefundState.REFUSED


@dataclass(frozen=True, slots=True)
class RefundLine:
    """Units of an order line that came back; `amount` in minor units, tax included."""

    line_id: int
    quantity: int
    amount: int


@dataclass(frozen=True, slots=True)
class Refund:
    """Money of an approved attempt that goes back. `id`: as with an attempt, asking again never
    pays again. `repeated`: the gateway may have been asked before."""

    id: str
    attempt: Attempt
    amount: Money
    created_at: datetime
    state: RefundState = RefundState.OPEN
    reason: str = ""
    reference: str = ""
    repeated: bool = False
    restock: bool = False
    lines: tuple[RefundLine, ...] = ()
