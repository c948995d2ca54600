"""Stand-ins that come in by the front door."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from checkstand.errors import WebhookRefused
from checkstand.kit.money import Money
from checkstand.mail.post import Letter
from checkstand.payments.gateway import Context, Description, Due, Notice
from checkstand.payments.model import Approved, Attempt, Declined, Funds, Outcome, Refund


@dataclass
class ScriptedGateway:
    """Answers as its script says, one entry a charge, then approves. A callable entry is awaited.

    `ledger` is what the provider would know: attempt id -> minor units, each charged once.
    `looks` scripts the look-ups; without an entry they say what the ledger knows: charged, or
    surely never charged.
    """

    id: str = "card"
    script: list[Outcome | Callable[[], Any]] = field(default_factory=list)
    timeout: float = 1.0
    asked: list[str] = field(default_factory=list)
    ledger: dict[str, int] = field(default_factory=dict)
    looks: list[Outcome] = field(default_factory=list)
    returned: dict[str, int] = field(default_factory=dict)
    voided: list[str] = field(default_factory=list)
    voids: list[Outcome] = field(default_factory=list)
    funds: Funds = Funds.CAPTURED

    @property
    def description(self) -> Description:
        return Description(
            id=self.id, title="Card", description="", method_title="Card", method_description=""
        )

    async def context(self, due: Due) -> Context:
        return Context(
            {"public_key": "pk_test_scripted"}, due.reference or f"pay_{due.request_key}"
        )

    def browser_payment(self, payment: Mapping[str, Any]) -> str:
        return str(payment.get("payment_id", ""))

    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        self.asked.append(attempt.id)
        if attempt.id in self.ledger:
            return Approved(self.funds, "ref")
        step = (
            self.script.pop(0) if self.script else Approved(self.funds, attempt.reference or "ref")
        )
        if callable(step):
            step = await step()
        if isinstance(step, Approved):
            self.ledger[attempt.id] = attempt.amount.minor
        return step

    async def lookup(self, attempt: Attempt) -> Outcome:
        if self.looks:
            answer = self.looks.pop(0)
            if isinstance(answer, Approved):
                self.ledger[attempt.id] = attempt.amount.minor
            return answer
        if attempt.id in self.ledger:
            return Approved(self.funds, "ref")
        return Declined("The payment was not completed.")

    async def capture(self, attempt: Attempt, amount: Money) -> Outcome:
        return Approved(Funds.CAPTURED, "ref")

    async def void(self, attempt: Attempt) -> Outcome:
        if self.voids:
            return self.voids.pop(0)
        if attempt.id in self.ledger and attempt.funds is not Funds.AUTHORISED:
            return Declined("Too late: it is paid.")
        self.voided.append(attempt.id)
        return Approved(Funds.RETURNED)

    async def refund(self, refund: Refund) -> Outcome:
        self.returned[refund.id] = refund.amount.minor
        return Approved(Funds.RETURNED, f"back_{refund.id}")

    async def parse_webhook(self, raw: bytes, headers: Mapping[str, str]) -> Notice | None:
        if headers.get("signature") != "right":
            raise WebhookRefused
        said = json.loads(raw)
        return Notice(said["id"], "payment", said.get("attempt", ""), said.get("reference", ""))

    def complaints(self) -> list[str]:
        return []

    async def close(self) -> None: ...


async def never() -> Any:
    await asyncio.Event().wait()


@dataclass
class MovableClock:
    """The real time, moved by `moved`."""

    moved: timedelta = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.moved


@dataclass
class Letterbox:
    """A mail carrier that keeps what it was given."""

    letters: list[Letter] = field(default_factory=list)

    async def carry(self, letter: Letter) -> None:
        self.letters.append(letter)

    async def next(self, to: str) -> Letter:
        """The first letter to that address, which comes in the background; it is taken out."""
        for _ in range(200):
            for letter in self.letters:
                if letter.to == to:
                    self.letters.remove(letter)
                    return letter
            await asyncio.sleep(0.01)
        raise AssertionError(f"no letter to {to}; there are {[each.to for each in self.letters]}")
