"""Who may look at a charge before it is opened. Given to payments by wiring."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from checkstand.storage.database import Connection


@dataclass(frozen=True, slots=True)
class Charge:
    """What a guard is told of a charge that is about to be opened."""

    attempt_id: str
    gateway: str
    cart_key: str
    email: str
    customer_id: int | None


class Guard(Protocol):
    async def before_charge(self, connection: Connection, charge: Charge, now: datetime) -> None:
        """Raises a Refusal when the charge must not be opened. In the transaction that opens it."""

    def after_charge(self, attempt_id: str) -> None:
        """The gateway has answered, and did not decline."""

    async def after_decline(self, connection: Connection, attempt_id: str, now: datetime) -> None:
        """The gateway declined. In the transaction that settles it, whoever settles: the client's
        own request, a webhook or the worker."""


class NoGuard:
    """Lets everything pass."""

    async def before_charge(self, connection: Connection, charge: Charge, now: datetime) -> None:
        return None

    def after_charge(self, attempt_id: str) -> None:
        return None

    async def after_decline(self, connection: Connection, attempt_id: str, now: datetime) -> None:
        return None
