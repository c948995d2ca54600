"""Stand-ins that come in by the front door."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from checkstand.mail.post import Letter
from checkstand.payments.gateway import Description
from checkstand.payments.model import Approved, Attempt, Funds, Outcome


@dataclass
class ScriptedGateway:
    """Answers as its script says, one entry a charge, then approves. A callable entry is awaited.

    `ledger` is what the provider would know: attempt id -> minor units, each charged once.
    """

    id: str = "card"
    script: list[Outcome | Callable[[], Any]] = field(default_factory=list)
    timeout: float = 1.0
    asked: list[str] = field(default_factory=list)
    ledger: dict[str, int] = field(default_factory=dict)

    @property
    def description(self) -> Description:
        return Description(
            id=self.id, title="Card", description="", method_title="Card", method_description=""
        )

    def context(self) -> Mapping[str, Any]:
        return {}

    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        self.asked.append(attempt.id)
        step = self.script.pop(0) if self.script else Approved(Funds.CAPTURED, "ref")
        if callable(step):
            step = await step()
        if isinstance(step, Approved):
            self.ledger[attempt.id] = attempt.amount.minor
        return step


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
