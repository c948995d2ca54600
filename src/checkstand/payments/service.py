"""Which payment methods there are, and the one place that asks a gateway."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import orjson

from checkstand.errors import (
    PaymentDataUnreadable,
    PaymentMethodOff,
    PaymentMethodUnknown,
    ProviderSilent,
    Refusal,
)
from checkstand.kit.money import Money
from checkstand.payments.gateway import Context, Description, Due, Gateway
from checkstand.payments.guard import Guard, NoGuard
from checkstand.payments.model import (
    Approved,
    Attempt,
    Declined,
    Funds,
    NeedsAction,
    Outcome,
    Refund,
    Unknown,
)

_log = logging.getLogger(__name__)
Measure = Callable[[str, str, str, float], None]
"""Takes note of a call: gateway, what was asked, the kind of outcome, seconds."""
_LONGEST_NAME = 1000
TAKEN = frozenset(Funds) - {Funds.RETURNED}
RESERVED = frozenset({Funds.CAPTURED})
RETURNED = frozenset({Funds.RETURNED})
"""Where the money may be by the answer to a charge, to a capture, to a void or refund."""


def _unmeasured(provider: str, call: str, outcome: str, seconds: float) -> None:
    """For who does not want to know."""


NOTHING_DUE = ""
"""The id of the gateway behind orders that cost nothing."""


@dataclass(frozen=True, slots=True)
class Payments:
    """`gateways` by id, in the order in which shoppers see them; NOTHING_DUE is one of them.
    `guard` is asked before a charge is opened and told of declines.

    A late or broken answer of a provider is Unknown, never a decline: the money may have moved.
    """

    gateways: Mapping[str, Gateway]
    guard: Guard = field(default_factory=NoGuard)
    retired: Mapping[str, Gateway] = field(default_factory=dict)
    """Not offered any more, and still there for orders that were placed with them."""
    switched_off: frozenset[str] = frozenset()
    """Ids of methods that this version has and this shop does not use."""
    measure: Measure = _unmeasured
    _offered: dict[frozenset[str], list[Description]] = field(default_factory=dict)

    def offered(self, rates: frozenset[str] = frozenset()) -> list[Description]:
        """Methods for a cart whose packages go by these rates (none: nothing to ship, or not yet).
        A method that is for some rates only has to be for all of them."""
        known = self._offered.get(rates)
        if known is None:
            known = [
                description
                for description in (gateway.description for gateway in self.gateways.values())
                if description.id != NOTHING_DUE
                and (
                    description.shipping_methods is None
                    or rates.issubset(description.shipping_methods)
                )
            ]
            if len(self._offered) < 256:  # rates are the shop's own, few
                self._offered[rates] = known
        return known

    def gateway(self, gateway_id: str) -> Gateway:
        """PaymentMethodUnknown when there is none, naming those that there are."""
        found = self.gateways.get(gateway_id)
        if found is None or gateway_id == NOTHING_DUE:
            names = ", ".join(description.id for description in self.offered()) or "none"
            refusal = PaymentMethodOff if gateway_id in self.switched_off else PaymentMethodUnknown
            raise refusal(f"This payment method is not offered; there are: {names}.")
        return found

    async def context(self, gateway_id: str, due: Due) -> Context:
        """ProviderSilent when the provider does not answer: nothing has happened then."""
        gateway = self.gateway(gateway_id)
        begun, outcome = perf_counter(), "failed"
        try:
            async with asyncio.timeout(gateway.timeout):
                made = await gateway.context(due)
            outcome = "made"
            return made
        except Refusal:
            outcome = "refused"
            raise
        except Exception as error:
            _log.error("no payment context from %s: %s", gateway_id, _told(error))
            raise ProviderSilent(retry_after=5) from None
        finally:
            self.measure(gateway_id, "context", outcome, perf_counter() - begun)

    def browser_payment(self, gateway_id: str, payment: Mapping[str, Any]) -> str:
        """What the provider calls the payment that a browser began; "" for none.
        PaymentDataUnreadable when the gateway cannot tell."""
        try:
            reference = self.gateways[gateway_id].browser_payment(payment)
        except Exception as error:
            _log.error("%s cannot read payment data: %s", gateway_id, _told(error))
            raise PaymentDataUnreadable from None
        if reference and not _is_name(reference):
            raise PaymentDataUnreadable
        return reference or ""

    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        gateway = self.gateways.get(attempt.gateway)
        if gateway is None:  # continued, and taken out of the settings meanwhile
            return Unknown("the gateway is not in the settings")
        outcome = await self._asked("charge", attempt, gateway.charge(attempt, payment))
        if not isinstance(outcome, Declined):  # that ends where it is counted
            self.guard.after_charge(attempt.id)
        return outcome

    async def lookup(self, attempt: Attempt) -> Outcome:
        """Unknown also when the gateway has been taken out of the settings meanwhile."""
        gateway = self.gateways.get(attempt.gateway)
        if gateway is None:
            _log.error("attempt %s waits for %s, not in the settings", attempt.id, attempt.gateway)
            return Unknown("the gateway is not in the settings")
        return await self._asked("look up", attempt, gateway.lookup(attempt))

    async def capture(self, attempt: Attempt, amount: Money) -> Outcome:
        """PaymentMethodUnknown when nobody knows its gateway any more."""
        gateway = self._known(attempt.gateway)
        return await self._asked("capture", attempt, gateway.capture(attempt, amount), RESERVED)

    async def void(self, attempt: Attempt) -> Outcome:
        """Unknown also when the gateway has been taken out of the settings meanwhile."""
        gateway = self.gateways.get(attempt.gateway) or self.retired.get(attempt.gateway)
        if gateway is None:
            return Unknown("the gateway is not in the settings")
        return await self._asked("void", attempt, gateway.void(attempt), RETURNED)

    async def refund(self, refund: Refund) -> Outcome:
        name = refund.attempt.gateway
        gateway = self.gateways.get(name) or self.retired.get(name)
        if gateway is None:
            return Unknown("the gateway is not in the settings")
        return await self._asked("refund", refund.attempt, gateway.refund(refund), RETURNED)

    def _known(self, gateway_id: str) -> Gateway:
        return self.retired.get(gateway_id) or self.gateway(gateway_id)

    @property
    def longest(self) -> float:
        """Seconds after which any gateway has surely answered, or will not."""
        known = (*self.gateways.values(), *self.retired.values())
        return max(gateway.timeout for gateway in known)

    async def close(self) -> None:
        for gateway in self.gateways.values():
            await gateway.close()

    async def _asked(
        self,
        what: str,
        attempt: Attempt,
        answer: Awaitable[Outcome],
        expected: frozenset[Funds] = TAKEN,
    ) -> Outcome:
        begun = perf_counter()
        outcome = await self._told(what, attempt, answer, expected)
        kind = type(outcome).__name__.lower()
        self.measure(attempt.gateway or "none", what, kind, perf_counter() - begun)
        return outcome

    async def _told(
        self, what: str, attempt: Attempt, answer: Awaitable[Outcome], expected: frozenset[Funds]
    ) -> Outcome:
        gateway = self.gateways.get(attempt.gateway) or self.retired[attempt.gateway]
        try:
            async with asyncio.timeout(gateway.timeout):
                outcome = await answer
        except Exception as error:
            # Without the error's text: a provider may have put a name or a number into it.
            _log.error("to %s %s by %s: %s", what, attempt.id, attempt.gateway, _told(error))
            return Unknown(type(error).__name__)
        if isinstance(outcome, Declined) and not _makes_sense(outcome, expected):
            _log.error("to %s %s: %s declined in no way to tell", what, attempt.id, attempt.gateway)
            return Declined("The payment was declined.")
        if not _makes_sense(outcome, expected):
            _log.error("to %s %s: %s answered nonsense", what, attempt.id, attempt.gateway)
            return Unknown("the gateway answered nonsense")
        if isinstance(outcome, Unknown):
            _log.warning("to %s %s: no answer, %s", what, attempt.id, outcome.reason)
        return outcome


def _told(error: Exception) -> str:
    """The kind of an error and where it was, never its text."""
    return f"{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))}"


def _makes_sense(outcome: Any, expected: frozenset[Funds]) -> bool:
    """Whether a gateway, which may be anybody's, has answered as the protocol says."""
    match outcome:
        case Approved(funds=funds, reference=reference, captured=captured):
            is_amount = captured is None or isinstance(captured, Money)
            return _is_funds(funds) and funds in expected and _is_name(reference) and is_amount
        case Declined(message=message, gateway_error=about):
            return _is_text(message) and _is_json(about)
        case NeedsAction(reference=reference, redirect_url=url, action_data=about):
            return _is_name(reference) and _is_text(url) and _is_json(about)
        case Unknown(reason=reason, reference=reference):
            return _is_text(reason) and _is_name(reference)
        case _:
            return False


def _is_funds(funds: Any) -> bool:
    return isinstance(funds, Funds)


def _is_text(text: Any) -> bool:
    return isinstance(text, str) and "\0" not in text


def _is_name(reference: Any) -> bool:
    """Printable ASCII of a length that an index takes; "" too."""
    if not isinstance(reference, str) or len(reference) > _LONGEST_NAME:
        return False
    return reference.isascii() and (reference.isprintable() or not reference)


def _is_json(about: Any) -> bool:
    """What PostgreSQL can keep, too: it takes no NUL."""
    try:
        written = orjson.dumps(about, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return False
    return isinstance(about, Mapping) and b"\\u0000" not in written
