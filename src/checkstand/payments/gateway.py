"""What a payment method must be able to do. Only wiring knows which ones there are.

Third parties write their own: see docs/howto/write-a-gateway.md. `checkstand.testing` holds the
suite that every gateway must pass, ours and theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from checkstand.kit.clock import Clock
from checkstand.kit.money import Money
from checkstand.payments.model import Attempt, Outcome, Refund


@dataclass(frozen=True, slots=True)
class Description:
    """How a shopper and a storefront see a gateway (contract checkout.md 4.1)."""

    id: str
    title: str
    description: str
    method_title: str
    method_description: str
    supports: tuple[str, ...] = ("products",)
    """Of `products`, `refunds`, `tokenization`."""
    has_fields: bool = False
    """Whether the storefront has to collect something before it can charge."""
    order_button_text: str = "Place order"
    test_mode: bool = False
    is_connected: bool = True
    """Whether the credentials are there."""
    requires_billing_address: bool = False
    shipping_methods: tuple[str, ...] | None = None
    """Rate keys that it is restricted to; None for all."""
    storefront: Mapping[str, str] = field(default_factory=dict)
    """What the storefront must use: `publishable_key`, `client_id`, `environment` and the like.
    Public by nature: never a secret."""
    offline: bool = False
    """Nobody is asked: the shop waits for the money."""


@dataclass(frozen=True, slots=True)
class Due:
    """What a payment context is asked for. `binding` is a digest of the cart's key: the provider
    keeps it with the payment, so that a payment that a browser began pays for this cart only."""

    amount: Money
    binding: str
    expires_at: datetime
    request_key: str
    """The provider's idempotency key for whatever is prepared."""
    reference: str = ""
    """What an earlier context of the same cart and amount prepared: used again when it can be."""


@dataclass(frozen=True, slots=True)
class Context:
    """`fields` go to the browser (contract checkout.md 5 and 9); no secret of the shop is in them.
    They are not stored. `reference`: what was prepared at the provider, "" for nothing."""

    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A webhook that was verified. It only says what to look at: what is true there is asked by
    `lookup`, so its order and its age do not matter. `id` is the provider's, unique for ever."""

    id: str
    kind: str
    attempt_id: str = ""
    reference: str = ""


class Gateway(Protocol):
    """A payment method. Nothing here is called with a transaction open.

    Every method that asks the provider ends within `timeout` seconds. No answer, an answer of 5xx
    or one that cannot be read is Unknown, never Declined, and may also be raised: the caller makes
    Unknown of it. `CancelledError` passes through.
    """

    @property
    def description(self) -> Description: ...

    @property
    def timeout(self) -> float:
        """Seconds after which every method has surely returned."""

    async def context(self, due: Due) -> Context:
        """What a storefront needs before it can collect a payment."""

    def browser_payment(self, payment: Mapping[str, Any]) -> str:
        """What the provider calls the payment that the shopper's browser began, by the payment
        data in any of its spellings; "" when it began none. It can pay for one order only."""

    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        """Takes or reserves the attempt's amount. The same attempt charges once, however often and
        wherever it is asked. With `attempt.reference` it is continued: after an action, or because
        a browser began it; then the payment is fetched from the provider, and amount, currency and
        binding must match, or it is Declined."""

    async def lookup(self, attempt: Attempt) -> Outcome:
        """What became of a charge, for who lost the answer. Declined is final: what was never
        begun, or is not finished and no longer can be, can surely not be charged any more (cancel
        it at the provider first). Unknown when that is not sure yet."""

    async def capture(self, attempt: Attempt, amount: Money) -> Outcome:
        """Takes what was reserved; `amount` may be less. Approved(CAPTURED), also when repeated."""

    async def void(self, attempt: Attempt) -> Outcome:
        """Lets go of a payment that waits for an action or is reserved: Approved(RETURNED), also
        when repeated. Declined when it is too late: the money was taken."""

    async def refund(self, refund: Refund) -> Outcome:
        """Gives money back: Approved(RETURNED, reference of the refund). The same refund pays
        once, however often it is asked."""

    async def parse_webhook(self, raw: bytes, headers: Mapping[str, str]) -> Notice | None:
        """Verifies the signature over the raw bytes and reads the notice; None for kinds that say
        nothing about payments. `headers` have lower-case names. WebhookRefused when the signature
        is wrong or older than five minutes."""

    def complaints(self) -> list[str]:
        """What is wrong with the settings as far as can be told without asking the provider, each
        with its fix: test and live keys mixed, a key of the wrong kind. The shop does not start
        with any."""

    async def close(self) -> None:
        """Closes connections."""


@dataclass(frozen=True, slots=True)
class House:
    """What a gateway is given besides its own settings."""

    clock: Clock
    base_url: str
    """Public address of this server, without a slash at the end."""

    def webhook_url(self, gateway_id: str) -> str:
        """Where the provider must send its webhooks."""
        return f"{self.base_url}{WEBHOOK_PATH}/{gateway_id}"


WEBHOOK_PATH = "/wp-json/checkstand/v1/webhooks"


class GatewayFactory(Protocol):
    """What an entry point in the group `checkstand.gateways` names. `options` are those of
    `gateways.more.<entry point's name>`, references resolved. ConfigurationError when wrong."""

    def __call__(self, options: Mapping[str, Any], house: House) -> Gateway: ...
