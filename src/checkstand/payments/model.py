"""One attempt to pay an order, and the closed set of what a gateway can answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from checkstand.kit.money import Money


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


@dataclass(frozen=True, slots=True)
class Attempt:
    """The provider's idempotency key is derived from `id`: charging it twice charges once.
    `lease_until`: one process is charging it until then, others wait or take over after."""

    id: str
    order_id: int
    gateway: str
    state: AttemptState
    amount: Money
    lease_until: datetime
    reference: str = ""


class Funds(StrEnum):
    """Where the money is once a gateway has approved."""

    CAPTURED = "captured"
    ON_DELIVERY = "on_delivery"
    AWAITED = "awaited"
    NOTHING_DUE = "nothing_due"


@dataclass(frozen=True, slots=True)
class Approved:
    funds: Funds
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Declined:
    """`gateway_error` has the members of contract checkout.md 9.1."""

    message: str
    gateway_error: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NeedsAction:
    redirect_url: str
    action_type: str = ""
    action_data: Mapping[str, Any] = field(default_factory=dict)
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The provider did not answer: money may or may not have moved."""

    reason: str = ""


Outcome: TypeAlias = Approved | Declined | NeedsAction | Unknown
