"""Which payment methods there are, and the one place that asks a gateway."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from checkstand.errors import PaymentMethodOff, PaymentMethodUnknown, ProviderSilent, Refusal
from checkstand.kit.money import Money
from checkstand.payments.gateway import Context, Description, Due, Gateway
from checkstand.payments.model import Attempt, Outcome, Refund, Unknown

_log = logging.getLogger(__name__)
Measure = Callable[[str, str, str, float], None]
"""Takes note of a call: gateway, what was asked, the kind of outcome, seconds."""


def _unmeasured(gateway: str, call: str, outcome: str, seconds: float) -> None:
    """For who does not want to know."""


NOTHING_DUE = ""
"""The id of the gateway behind orders that cost nothing."""


@dataclass(frozen=True, slots=True)
class Payments:
    """`gateways` by id, in the order in which shoppers see them; NOTHING_DUE is one of them.

    A late or broken answer of a provider is Unknown, never a decline: the money may have moved.
    """

    gateways: Mapping[str, Gateway]
    switched_off: frozenset[str] = frozenset()
    """Ids of methods that this version has and this shop does not use."""
    measure: Measure = _unmeasured
    _offered: dict[str | None, list[Description]] = field(default_factory=dict)

    def offered(self, chosen_rate: str | None) -> list[Description]:
        """Methods for a cart that ships by `chosen_rate` (None: nothing to ship, or not yet)."""
        known = self._offered.get(chosen_rate)
        if known is None:
            known = [
                description
                for description in (gateway.description for gateway in self.gateways.values())
                if description.id != NOTHING_DUE
                and (
                    description.shipping_methods is None
                    or chosen_rate is None
                    or chosen_rate in description.shipping_methods
                )
            ]
            if len(self._offered) < 256:  # rates are the shop's own, few
                self._offered[chosen_rate] = known
        return known

    def gateway(self, gateway_id: str) -> Gateway:
        """PaymentMethodUnknown when there is none, naming those that there are."""
        found = self.gateways.get(gateway_id)
        if found is None or gateway_id == NOTHING_DUE:
            names = ", ".join(description.id for description in self.offered(None)) or "none"
            refusal = PaymentMethodOff if gateway_id in self.switched_off else PaymentMethodUnknown
            raise refusal(f"This payment method is not offered; there are: {names}.")
        return found

    async def context(self, gateway_id: str, due: Due) -> Context:
        """ProviderSilent when the provider does not answer: nothing has happened then."""
        gateway = self.gateway(gateway_id)
        try:
            async with asyncio.timeout(gateway.timeout):
                return await gateway.context(due)
        except Refusal:
            raise
        except Exception:
            _log.exception("no payment context from %s", gateway_id)
            raise ProviderSilent(retry_after=5) from None

    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        gateway = self.gateways.get(attempt.gateway)
        if gateway is None:  # continued, and taken out of the settings meanwhile
            return Unknown("the gateway is not in the settings")
        return await self._asked("charge", attempt, gateway.charge(attempt, payment))

    async def lookup(self, attempt: Attempt) -> Outcome:
        """Unknown also when the gateway has been taken out of the settings meanwhile."""
        gateway = self.gateways.get(attempt.gateway)
        if gateway is None:
            _log.error("attempt %s waits for %s, not in the settings", attempt.id, attempt.gateway)
            return Unknown("the gateway is not in the settings")
        return await self._asked("look up", attempt, gateway.lookup(attempt))

    async def capture(self, attempt: Attempt, amount: Money) -> Outcome:
        gateway = self.gateway(attempt.gateway)
        return await self._asked("capture", attempt, gateway.capture(attempt, amount))

    async def void(self, attempt: Attempt) -> Outcome:
        gateway = self.gateway(attempt.gateway)
        return await self._asked("void", attempt, gateway.void(attempt))

    async def refund(self, refund: Refund) -> Outcome:
        gateway = self.gateways.get(refund.attempt.gateway)
        if gateway is None:
            return Unknown("the gateway is not in the settings")
        return await self._asked("refund", refund.attempt, gateway.refund(refund))

    @property
    def longest(self) -> float:
        """Seconds after which any gateway has surely answered, or will not."""
        return max(gateway.timeout for gateway in self.gateways.values())

    async def close(self) -> None:
        for gateway in self.gateways.values():
            await gateway.close()

    async def _asked(self, what: str, attempt: Attempt, answer: Awaitable[Outcome]) -> Outcome:
        begun = perf_counter()
        outcome = await self._told(what, attempt, answer)
        kind = type(outcome).__name__.lower()
        self.measure(attempt.gateway or "none", what, kind, perf_counter() - begun)
        return outcome

    async def _told(self, what: str, attempt: Attempt, answer: Awaitable[Outcome]) -> Outcome:
        gateway = self.gateways[attempt.gateway]
        try:
            async with asyncio.timeout(gateway.timeout):
                outcome = await answer
        except Exception as error:
            # Without the error's text: a provider may have put a name or a number into it.
            name = type(error).__name__
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("to %s %s by %s: %s\n%s", what, attempt.id, attempt.gateway, name, where)
            return Unknown(name)
        if isinstance(outcome, Unknown):
            _log.warning("to %s %s: no answer, %s", what, attempt.id, outcome.reason)
        return outcome
