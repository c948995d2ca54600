"""Acme keeps every promise of a gateway, and some of its own."""

from __future__ import annotations

import hmac
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from acme_gateway import gateway
from acme_gateway.adapter import AcmeGateway
from fake_acme import DECIMALS, SECRET_KEY, WEBHOOK_SECRET, FakeAcme, fake_acme, now

from checkstand.errors import ConfigurationError
from checkstand.kit.clock import SystemClock
from checkstand.kit.money import Money
from checkstand.payments.gateway import GatewayFactory, House
from checkstand.payments.model import Attempt, Declined, NeedsAction, Unknown
from checkstand.testing import makers
from checkstand.testing.peer import Fault, Impossible, Peer, Wish
from checkstand.testing.suite import GatewaySuite

FACTORY: GatewayFactory = gateway
HOUSE = House(SystemClock(), "https://shop.example")
OPTIONS = {
    "secret_key": SECRET_KEY,
    "publishable_key": "pk_test_acme",
    "webhook_secret": WEBHOOK_SECRET,
    "timeout": 1,
}
TOKENS = {
    Wish.APPROVE: "tok_good",
    Wish.DECLINE: "tok_bad",
    Wish.INSUFFICIENT_FUNDS: "tok_poor",
    Wish.ACTION: "tok_3ds",
}


class AcmePeer(Peer):
    wishes = frozenset(Wish)
    faults = frozenset(Fault)
    secrets = frozenset({SECRET_KEY, WEBHOOK_SECRET})
    patience = 3.0

    reserving: AcmeGateway

    def __init__(self, acme: FakeAcme) -> None:
        self.acme = acme
        self.gateway = gateway({**OPTIONS, "api_base": acme.url}, HOUSE)
        self.reserving = gateway({**OPTIONS, "api_base": acme.url, "capture": "manual"}, HOUSE)

    async def payment(self, wish: Wish, amount: Money, binding: str) -> Mapping[str, Any]:
        if wish is not Wish.BROWSER:
            return {"token": TOKENS[wish]}
        if amount.currency.code not in DECIMALS:
            raise Impossible(f"Acme takes no {amount.currency.code}")
        due = makers.due(amount, binding=binding)
        context = await self.gateway.context(due)
        self.acme.sessions[context.reference]["paid"] = True  # the shopper, in the browser
        return {"acme_session": context.fields["acme_session"]}

    async def charged(self, attempt_id: str) -> list[int]:
        payment = self.acme.payments.get(attempt_id)
        return [payment["captured"]] if payment and payment["captured"] else []

    async def reserved(self, attempt_id: str) -> list[int]:
        payment = self.acme.payments.get(attempt_id)
        return [payment["minor"]] if payment and payment["status"] == "authorised" else []

    async def returned(self, attempt_id: str) -> list[int]:
        return list(self.acme.payments.get(attempt_id, {}).get("refunds", {}).values())

    async def act(self, action: NeedsAction, *, agree: bool) -> None:
        self.acme.press(action.redirect_url.rpartition("/")[2], agree=agree)

    def fail_next(self, fault: Fault) -> None:
        self.acme.fault = fault

    def answer_all(self, status: int | None) -> None:
        self.acme.status = status

    async def webhook(self, attempt_id: str) -> tuple[bytes, Mapping[str, str]]:
        return self.signed(attempt_id, now())

    async def stale_webhook(self, attempt_id: str) -> tuple[bytes, Mapping[str, str]] | None:
        return self.signed(attempt_id, now() - 302)

    @staticmethod
    def signed(attempt_id: str, at: int) -> tuple[bytes, Mapping[str, str]]:
        told = {"id": f"evt_{uuid4().hex}", "type": "payment.captured", "payment": attempt_id}
        raw = json.dumps(told).encode()
        made = hmac.new(WEBHOOK_SECRET.encode(), b"%d.%s" % (at, raw), "sha256")
        return raw, {"acme-timestamp": str(at), "acme-signature": made.hexdigest()}


@pytest_asyncio.fixture
async def acme() -> AsyncIterator[AcmePeer]:
    with fake_acme() as provider:
        peer = AcmePeer(provider)
        yield peer
        await peer.gateway.close()
        await peer.reserving.close()


class TestAcme(GatewaySuite):
    @pytest.fixture
    def peer(self, acme: AcmePeer) -> Peer:
        return acme


def attempt(**changes: Any) -> Attempt:
    return makers.attempt("acme", **changes)


@pytest.mark.asyncio
async def test_a_wrong_key_is_the_shops_fault_and_charges_nothing(acme: AcmePeer) -> None:
    wrong = gateway({**OPTIONS, "api_base": acme.acme.url, "secret_key": "sk_test_other"}, HOUSE)
    outcome = await wrong.charge(attempt(), {"token": "tok_good"})
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["code"] == "configuration_error"
    assert acme.acme.payments == {}
    await wrong.close()


@pytest.mark.asyncio
async def test_a_status_that_nobody_knows_is_unknown(acme: AcmePeer) -> None:
    paid = attempt()
    await acme.gateway.charge(paid, {"token": "tok_good"})
    acme.acme.payments[paid.id]["status"] = "settling"
    assert isinstance(await acme.gateway.lookup(replace(paid, repeated=True)), Unknown)


def test_options_are_checked() -> None:
    with pytest.raises(ConfigurationError, match=r"missing \['webhook_secret'\]"):
        FACTORY({**OPTIONS, "webhook_secret": ""}, HOUSE)
    with pytest.raises(ConfigurationError, match=r"unknown \['secert_key'\]"):
        FACTORY({**OPTIONS, "secert_key": "x"}, HOUSE)
    assert FACTORY({**OPTIONS, "publishable_key": "pk_live_1"}, HOUSE).complaints() != []
