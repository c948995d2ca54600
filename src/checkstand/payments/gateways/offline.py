"""Bank transfer, cheque and cash on delivery: nothing to charge, the shop waits for the money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from checkstand.errors import WebhookRefused
from checkstand.kit.money import Money
from checkstand.payments.gateway import Context, Description, Due, Notice
from checkstand.payments.gateways import taken
from checkstand.payments.model import Approved, Attempt, Funds, Outcome, Refund


@dataclass(frozen=True, slots=True)
class OfflineGateway:
    """Approves every attempt; `funds` says what the order waits for."""

    description: Description
    funds: Funds
    timeout: float = 1.0

    async def context(self, due: Due) -> Context:
        return Context()

    def browser_payment(self, payment: Mapping[str, Any]) -> str:
        return ""

    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        return Approved(self.funds)

    async def lookup(self, attempt: Attempt) -> Outcome:
        return Approved(self.funds)

    async def capture(self, attempt: Attempt, amount: Money) -> Outcome:
        return taken.captured(attempt, "", amount.major())

    async def void(self, attempt: Attempt) -> Outcome:
        return Approved(Funds.RETURNED)

    async def refund(self, refund: Refund) -> Outcome:
        """Recorded only: whoever keeps the shop's books sends the money."""
        return Approved(Funds.RETURNED, refund.id)

    async def parse_webhook(self, raw: bytes, headers: Mapping[str, str]) -> Notice | None:
        raise WebhookRefused("This payment method has no webhooks.")

    def complaints(self) -> list[str]:
        return []

    async def close(self) -> None: ...


def bank_transfer(title: str, text: str) -> OfflineGateway:
    return OfflineGateway(
        Description(
            id="bacs",
            title=title or "Direct bank transfer",
            description=text or "Transfer the amount to our bank account; we ship when it arrives.",
            method_title="Direct bank transfer",
            method_description="The shopper transfers the amount. The order waits on hold.",
            offline=True,
        ),
        Funds.AWAITED,
    )


def cheque(title: str, text: str) -> OfflineGateway:
    return OfflineGateway(
        Description(
            id="cheque",
            title=title or "Cheque",
            description=text or "Send us a cheque; we ship when it has cleared.",
            method_title="Cheque payments",
            method_description="The shopper sends a cheque. The order waits on hold.",
            offline=True,
        ),
        Funds.AWAITED,
    )


def cash_on_delivery(title: str, text: str, shipping_methods: tuple[str, ...]) -> OfflineGateway:
    return OfflineGateway(
        Description(
            id="cod",
            title=title or "Cash on delivery",
            description=text or "Pay with cash when the parcel arrives.",
            method_title="Cash on delivery",
            method_description="The courier collects the money. The order is processed at once.",
            shipping_methods=shipping_methods or None,
            offline=True,
        ),
        Funds.ON_DELIVERY,
    )


def nothing_due() -> OfflineGateway:
    """For orders that cost nothing. Shoppers are not offered it; it keeps one story for all."""
    return OfflineGateway(
        Description(
            id="",
            title="",
            description="",
            method_title="",
            method_description="",
            offline=True,
        ),
        Funds.NOTHING_DUE,
    )
