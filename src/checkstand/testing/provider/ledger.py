"""What the provider knows: payments by the id that the shop gave them, and refunds of them.

Everything is said once: the same id asked again gets the same answer, and what was closed before
it came stays closed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import uuid4

APPROVED, DECLINED, ACTION, CLOSED = "approved", "declined", "requires_action", "closed"
WAITING = "waiting"
"""Agreed to in a browser: it is charged when the shop says for which attempt."""

OUTCOMES = {
    "tok_success": APPROVED,
    "tok_declined": DECLINED,
    "tok_insufficient_funds": DECLINED,
    "tok_action": ACTION,
}


class Refused(Exception):
    """A request that the provider understands and does not carry out; the argument says why."""


@dataclass(slots=True)
class Payment:
    """`amount` and what was charged are minor units. `charges` would have two entries if the
    provider ever charged twice."""

    id: str
    reference: str
    token: str
    amount: int
    currency: str
    binding: str
    state: str
    charges: list[int] = field(default_factory=list)
    refunds: dict[str, int] = field(default_factory=dict)

    def charge(self) -> None:
        self.state = APPROVED
        self.charges.append(self.amount)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Ledger:
    def __init__(self) -> None:
        self._by_id: dict[str, Payment] = {}
        self._by_reference: dict[str, Payment] = {}

    def find(self, name: str) -> Payment:
        """By id or reference; Refused when there is none."""
        found = self._by_id.get(name) or self._by_reference.get(name)
        if found is None:
            raise Refused("not_found")
        return found

    def prepare(self, amount: int, currency: str, binding: str) -> Payment:
        """What a browser does on its own: agrees to pay, for whom the binding says."""
        return self._kept("", "tok_success", amount, currency, binding, WAITING)

    def pay(
        self, payment_id: str, token: str, amount: int, currency: str, *, again: bool = False
    ) -> Payment:
        """Charges a token, or says again what came of it. `again`: as a provider without
        idempotency keys, that charges as often as it is asked."""
        known = self._by_id.get(payment_id)
        if known is not None:
            if again and known.state == APPROVED:
                known.charge()
            return known
        outcome = OUTCOMES.get(token)
        if outcome is None:
            raise Refused("unknown_token")
        made = self._kept(payment_id, token, amount, currency, "", outcome)
        if outcome == APPROVED:
            made.charge()
        return made

    def pay_prepared(
        self, payment_id: str, reference: str, amount: int, currency: str, binding: str
    ) -> Payment:
        """Charges what a browser has agreed to, when it is for this."""
        known = self._by_id.get(payment_id)
        if known is not None:
            return known  # charged, waiting for its shopper, or closed before it came
        prepared = self.find(reference)
        if (prepared.amount, prepared.currency, prepared.binding) != (amount, currency, binding):
            raise Refused("not_for_this")
        if prepared.id:
            raise Refused("already_used")
        prepared.id = payment_id
        self._by_id[payment_id] = prepared
        if prepared.state == WAITING:
            prepared.charge()
        return prepared

    def decide(self, reference: str, *, agree: bool) -> Payment:
        """The shopper does what was asked of him, or refuses to. Too late changes nothing."""
        payment = self.find(reference)
        if payment.state == ACTION:
            if agree:
                payment.charge()
            else:
                payment.state = DECLINED
        return payment

    def close(self, payment_id: str, reference: str) -> Payment:
        """Makes sure that it is never charged any more, also when it is yet to come."""
        payment = self._by_id.get(payment_id) or self._by_reference.get(reference)
        if payment is None:
            return self._kept(payment_id, "", 0, "", "", CLOSED)
        if payment.state in (ACTION, WAITING):
            payment.state = CLOSED
        return payment

    def refund(self, name: str, refund_id: str, amount: int) -> Payment:
        payment = self.find(name)
        if refund_id in payment.refunds:
            return payment
        left = sum(payment.charges) - sum(payment.refunds.values())
        if not 0 < amount <= left:
            raise Refused("refund_too_large")
        payment.refunds[refund_id] = amount
        return payment

    def force(self, payment_id: str) -> Payment:
        """Money moves although the payment was closed: what no provider should do, and some do."""
        payment = self.find(payment_id)
        if not payment.charges:
            payment.charge()
        return payment

    def _kept(
        self, payment_id: str, token: str, amount: int, currency: str, binding: str, state: str
    ) -> Payment:
        reference = f"pay_{uuid4().hex}"
        made = Payment(payment_id, reference, token, amount, currency, binding, state)
        self._by_reference[reference] = made
        if payment_id:
            self._by_id[payment_id] = made
        return made
