"""What a payment method must be able to do. Only wiring knows which ones there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from checkstand.payments.model import Attempt, Outcome


@dataclass(frozen=True, slots=True)
class Description:
    """How a shopper and a storefront see a gateway (contract checkout.md 4.1)."""

    id: str
    title: str
    description: str
    method_title: str
    method_description: str
    supports: tuple[str, ...] = ("products",)
    has_fields: bool = False
    order_button_text: str = "Place order"
    test_mode: bool = False
    is_connected: bool = True
    requires_billing_address: bool = False
    shipping_methods: tuple[str, ...] | None = None
    """Rate keys that it is restricted to; None for all."""


class Gateway(Protocol):
    @property
    def description(self) -> Description: ...

    @property
    def timeout(self) -> float:
        """Seconds after which `charge` has surely returned."""

    def context(self) -> Mapping[str, Any]:
        """What a storefront needs before it can collect a payment; no secrets."""

    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        """Takes the attempt's amount. The same attempt charges once, however often it is asked."""
