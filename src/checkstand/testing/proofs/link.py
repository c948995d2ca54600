"""The link between a shop and a gateway under proof, which can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from checkstand.kit.money import Money
from checkstand.payments.gateway import Context, Description, Due, Gateway, Notice
from checkstand.payments.model import Attempt, Outcome, Refund
from checkstand.testing.peer import Fault


class Link:
    """A gateway that asks the one behind it, while it is `up`. `fault` meets the next question
    that moves money, for providers that cannot play it themselves."""

    def __init__(self, gateway: Gateway) -> None:
        self._behind = gateway
        self.up = True
        self.fault: Fault | None = None

    @property
    def description(self) -> Description:
        return self._behind.description

    @property
    def timeout(self) -> float:
        return self._behind.timeout

    async def context(self, due: Due) -> Context:
        self._check()
        return await self._behind.context(due)

    def browser_payment(self, payment: Mapping[str, Any]) -> str:
        return self._behind.browser_payment(payment)

    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        return await self._moved(lambda: self._behind.charge(attempt, payment))

    async def lookup(self, attempt: Attempt) -> Outcome:
        self._check()
        return await self._behind.lookup(attempt)

    async def capture(self, attempt: Attempt, amount: Money) -> Outcome:
        return await self._moved(lambda: self._behind.capture(attempt, amount))

    async def void(self, attempt: Attempt) -> Outcome:
        return await self._moved(lambda: self._behind.void(attempt))

    async def refund(self, refund: Refund) -> Outcome:
        return await self._moved(lambda: self._behind.refund(refund))

    async def parse_webhook(self, raw: bytes, headers: Mapping[str, str]) -> Notice | None:
        return await self._behind.parse_webhook(raw, headers)

    def complaints(self) -> list[str]:
        return self._behind.complaints()

    async def close(self) -> None:
        await self._behind.close()

    def _check(self) -> None:
        if not self.up:
            raise ConnectionRefusedError("the provider is down")

    async def _moved(self, ask: Callable[[], Awaitable[Outcome]]) -> Outcome:
        self._check()
        fault, self.fault = self.fault, None
        if fault is Fault.ERROR_BEFORE:
            raise ConnectionResetError
        if fault is Fault.LOST:
            await asyncio.Event().wait()
        outcome = await ask()
        if fault is Fault.TWICE:
            outcome = await ask()
        if fault is Fault.ERROR_AFTER:
            raise ConnectionResetError
        if fault is Fault.TIMEOUT_AFTER:
            await asyncio.Event().wait()
        return outcome
