"""Which payment methods there are, and the one place that calls a gateway."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from checkstand.errors import PaymentMethodUnknown
from checkstand.payments.gateway import Description, Gateway
from checkstand.payments.guard import Guard, NoGuard
from checkstand.payments.model import Attempt, Outcome, Unknown

_log = logging.getLogger(__name__)
NOTHING_DUE = ""
"""The id of the gateway behind orders that cost nothing."""


@dataclass(frozen=True, slots=True)
class Payments:
    """`gateways` by id, in the order in which shoppers see them; NOTHING_DUE is one of them.
    `guard` is asked before a charge is opened and told of declines."""

    gateways: Mapping[str, Gateway]
    guard: Guard = NoGuard()

    def offered(self, chosen_rate: str | None) -> list[Description]:
        """Methods for a cart that ships by `chosen_rate` (None: nothing to ship, or not yet)."""
        return [
            gateway.description
            for gateway in self.gateways.values()
            if gateway.description.id != NOTHING_DUE
            and (
                gateway.description.shipping_methods is None
                or chosen_rate is None
                or chosen_rate in gateway.description.shipping_methods
            )
        ]

    def gateway(self, gateway_id: str) -> Gateway:
        """PaymentMethodUnknown when there is none, naming those that there are."""
        found = self.gateways.get(gateway_id)
        if found is None or gateway_id == NOTHING_DUE:
            names = ", ".join(description.id for description in self.offered(None)) or "none"
            raise PaymentMethodUnknown(f"This payment method is not offered; there are: {names}.")
        return found

    def lease_seconds(self, gateway_id: str) -> float:
        """How long an attempt belongs to the process that charges it."""
        return self.gateways[gateway_id].timeout + 1.0

    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        """Asks the gateway, with no transaction open. A late or broken answer is Unknown, never a
        decline: the money may have moved."""
        gateway = self.gateways[attempt.gateway]
        try:
            async with asyncio.timeout(gateway.timeout):
                return await gateway.charge(attempt, payment)
        except Exception as error:
            _log.exception("charging attempt %s by %s did not end", attempt.id, attempt.gateway)
            return Unknown(type(error).__name__)
