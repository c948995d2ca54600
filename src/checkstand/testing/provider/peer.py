"""The provider as the proofs see it: its ledger is read over HTTP, past the gateway."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx2

from checkstand.kit.clock import Clock, SystemClock
from checkstand.kit.money import Money
from checkstand.payments.model import NeedsAction
from checkstand.testing.peer import Fault, Peer, Wish
from checkstand.testing.provider.gateway import SECRET, SIGNATURE, ProviderGateway, sign

_TOKENS = {
    Wish.APPROVE: "tok_success",
    Wish.DECLINE: "tok_declined",
    Wish.INSUFFICIENT_FUNDS: "tok_insufficient_funds",
    Wish.ACTION: "tok_action",
}


class ProviderPeer(Peer):
    """`timeout`: seconds that the gateway waits for the provider."""

    wishes = frozenset(_TOKENS) | {Wish.BROWSER}
    faults = frozenset(Fault)
    secrets = frozenset({SECRET})
    gateway: ProviderGateway

    def __init__(self, url: str, clock: Clock | None = None, timeout: float = 0.5) -> None:
        self.url = url
        self.clock = clock or SystemClock()
        self.gateway = ProviderGateway(url, self.clock, timeout)

    async def payment(self, wish: Wish, amount: Money, binding: str) -> Mapping[str, Any]:
        if wish is not Wish.BROWSER:
            return {"token": _TOKENS[wish]}
        asked = {"amount": amount.minor, "currency": amount.currency.code, "binding": binding}
        prepared = await self._asked("prepare", asked)
        return {"payment_id": prepared["reference"]}

    async def charged(self, attempt_id: str) -> list[int]:
        found = await self._asked("find", {"name": attempt_id})
        return list(found.get("charges", ()))

    async def returned(self, attempt_id: str) -> list[int]:
        found = await self._asked("find", {"name": attempt_id})
        return list(found.get("refunds", {}).values())

    async def act(self, action: NeedsAction, *, agree: bool) -> None:
        reference = action.redirect_url.rsplit("/", 1)[1]
        await self._asked("decide", {"reference": reference, "agree": agree})

    def fail_next(self, fault: Fault) -> None:
        self.gateway.fault = fault

    async def webhook(self, attempt_id: str) -> tuple[bytes, Mapping[str, str]]:
        return self._signed(attempt_id, 0)

    async def stale_webhook(self, attempt_id: str) -> tuple[bytes, Mapping[str, str]] | None:
        return self._signed(attempt_id, -301)

    async def pay_late(self, attempt_id: str) -> None:
        """Money moves although the payment was called off: see `proofs.purchase.LatePeer`."""
        await self._asked("force", {"id": attempt_id})

    def _signed(self, attempt_id: str, seconds: int) -> tuple[bytes, Mapping[str, str]]:
        raw = json.dumps({"id": f"evt_{uuid4().hex}", "payment": attempt_id}).encode()
        at = int(self.clock.now().timestamp()) + seconds
        return raw, {"content-type": "application/json", SIGNATURE: sign(at, raw)}

    async def _asked(self, what: str, said: dict[str, Any]) -> dict[str, Any]:
        # A client for each question: it is asked rarely, and there is none left to close.
        trusted = self.gateway.trusted
        async with httpx2.AsyncClient(base_url=self.url, timeout=5, verify=trusted) as http:
            answer = await http.post(f"/{what}", json=said)
        told: dict[str, Any] = answer.json()
        return told
