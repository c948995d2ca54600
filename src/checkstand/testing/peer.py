"""The other side of a gateway in a test: a provider, real or played, and what is known about it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Protocol

from checkstand.kit.money import Money
from checkstand.payments.gateway import Gateway
from checkstand.payments.model import NeedsAction


class Wish(StrEnum):
    """What the shopper's payment should come to."""

    APPROVE = "approve"
    DECLINE = "decline"
    INSUFFICIENT_FUNDS = "insufficient funds"
    ACTION = "action"
    """Approved once the shopper has done something, as with 3-D Secure."""
    BROWSER = "browser"
    """Begun, and as far as the provider lets a browser go finished, by the shopper's browser."""


class Fault(StrEnum):
    """What happens to the next request that moves money, or tries to."""

    TIMEOUT_AFTER = "timeout after success"
    ERROR_AFTER = "500 after success"
    ERROR_BEFORE = "500 before anything"
    LOST = "never arrives"
    TWICE = "arrives twice"


class Peer(Protocol):
    """One provider for one test. Its ledger is its own: it does not ask the gateway."""

    @property
    def gateway(self) -> Gateway:
        """The gateway under test, connected to this provider."""

    @property
    def wishes(self) -> frozenset[Wish]:
        """What this provider can play."""

    @property
    def faults(self) -> frozenset[Fault]: ...

    async def payment(self, wish: Wish, amount: Money, binding: str) -> Mapping[str, Any]:
        """Payment data as a storefront would send it. For BROWSER, the payment is at the provider
        already, for `amount` and tied to `binding`."""

    async def charged(self, attempt_id: str) -> list[int]:
        """Minor units of every charge that the provider's ledger has for the attempt."""

    async def returned(self, attempt_id: str) -> list[int]:
        """Minor units of every refund that the ledger has for the attempt's charges."""

    async def act(self, action: NeedsAction, *, agree: bool) -> None:
        """The shopper does what was asked, or refuses to."""

    def fail_next(self, fault: Fault) -> None: ...

    async def webhook(self, attempt_id: str) -> tuple[bytes, Mapping[str, str]]:
        """A signed webhook about the attempt's payment: raw body and headers, lower-case names."""
