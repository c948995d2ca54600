"""The other side of a gateway in a test: a provider, real or played, and what is known about it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Protocol

from checkstand.kit.clock import Clock, SystemClock
from checkstand.kit.money import Money
from checkstand.payments.gateway import Gateway
from checkstand.payments.model import Attempt, NeedsAction


class Impossible(Exception):
    """Raised by a peer's `payment`: no storefront could come with such a payment, because the
    provider does not even begin it (a currency that it does not take)."""


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
    """One provider for one test. Its ledger is its own: it does not ask the gateway.

    Below `webhook` is what a peer may leave out: subclass Peer for the defaults, or leave them to
    the suite. `secrets` has none that passes.
    """

    gateway: Gateway
    """The gateway under test, connected to this provider."""

    wishes: frozenset[Wish]
    """What this provider can play."""

    faults: frozenset[Fault]

    async def payment(self, wish: Wish, amount: Money, binding: str) -> Mapping[str, Any]:
        """Payment data as a storefront would send it. For BROWSER, the payment is at the provider
        already, for `amount` and tied to `binding`."""

    async def charged(self, attempt_id: str) -> list[int]:
        """Minor units of every charge that the provider's ledger has for the attempt: money
        taken. What is only reserved is not among them."""

    async def returned(self, attempt_id: str) -> list[int]:
        """Minor units of every refund that the ledger has for the attempt's charges."""

    async def act(self, action: NeedsAction, *, agree: bool) -> None:
        """The shopper does what was asked, or refuses to. Harmless when it is too late."""

    def fail_next(self, fault: Fault) -> None: ...

    async def webhook(self, attempt_id: str) -> tuple[bytes, Mapping[str, str]]:
        """A signed webhook about the attempt's payment: raw body and headers, lower-case names."""

    # --- with defaults ---------------------------------------------------------------------------

    secrets: frozenset[str] | None = None
    """What the gateway must never show: API secrets, webhook secrets. A gateway that has none says
    frozenset(); None fails the suite."""

    patience: float = 5.0
    """Seconds that the provider may take to know what it was asked. The suite repeats look-ups for
    so long; after a tenth of it, the attempt's `created_at` ages by ten minutes a look."""

    clock: Clock = SystemClock()
    """What the gateway goes by."""

    reserving: Gateway | None = None
    """The same gateway with manual capture, connected to the same provider. None: it has none,
    and what the suite knows of it is skipped."""

    async def reserved(self, attempt_id: str) -> list[int]:
        """Minor units of every reservation that stands for the attempt, neither captured nor
        voided. Asked only with `reserving`."""
        raise NotImplementedError

    def expect(self, attempt: Attempt) -> None:
        """Told of every attempt before it is charged: for ledgers that know a browser's payment
        by its reference only."""
        return None  # noqa: RET501 - a default that does nothing, not an abstract method

    async def stale_webhook(self, attempt_id: str) -> tuple[bytes, Mapping[str, str]] | None:
        """A webhook that was signed rightly, but more than five minutes ago. None when the
        provider signs no time."""
        return None

    def answer_all(self, status: int | None) -> None:
        """From now on the provider answers everything with this HTTP status and an empty object,
        and does nothing; None: as usual again. Without it, what the suite knows of outages,
        revoked keys and exhausted limits is skipped."""
        raise NotImplementedError
