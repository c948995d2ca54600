"""Promises about what a gateway tells: to shoppers, to browsers, to the log. Never a secret."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import replace

import pytest

from checkstand.payments.model import Approved
from checkstand.testing import makers
from checkstand.testing.peer import Peer, Wish
from checkstand.testing.promises.asking import bill, charge, clock_of

_SUPPORTS = {"products", "refunds", "tokenization"}


class Telling:
    async def test_it_describes_itself(self, peer: Peer) -> None:
        told = peer.gateway.description
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,49}", told.id), "an id is a short plain word"
        assert told.title.strip(), "shoppers read a title"
        assert told.method_title.strip(), "the shop's people read a title"
        assert set(told.supports) <= _SUPPORTS, f"unheard of: {told.supports}"
        assert "products" in told.supports
        assert all(isinstance(value, str) for value in told.storefront.values())
        assert 0 < peer.gateway.timeout <= 300
        assert peer.gateway.complaints() == [], "a gateway that works has no complaints"

    async def test_a_context_is_fit_for_browsers_and_used_again(self, peer: Peer) -> None:
        due = makers.due()
        first = await peer.gateway.context(due)
        json.dumps(dict(first.fields))
        second = await peer.gateway.context(replace(due, reference=first.reference))
        assert second.reference == first.reference
        assert set(second.fields) == set(first.fields)
        third = await peer.gateway.context(makers.due())
        assert first.reference == "" or third.reference != first.reference

    async def test_no_secret_is_told(self, peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
        secrets = getattr(peer, "secrets", None)
        assert secrets is not None, (
            "say in peer.secrets what must never be shown; frozenset() when there is nothing"
        )
        caplog.set_level(logging.INFO)
        caplog.set_level(logging.DEBUG, logger="checkstand")
        gateway = peer.gateway
        told = [repr(gateway), str(gateway), repr(gateway.description)]
        context = await gateway.context(makers.due())
        told += [repr(context), json.dumps(dict(context.fields))]
        sent: list[str] = []
        for wish in sorted(peer.wishes):
            due = await bill(peer, wish)
            outcome = await charge(peer, due)
            told.append(repr(outcome))
            sent += [value for value in due.payment.values() if isinstance(value, str)]
        due = await bill(peer, Wish.APPROVE)
        broken = replace(due, payment=dict.fromkeys(due.payment, "nonsense"))
        told.append(repr(await charge(peer, broken)))
        text = "\n".join([*told, caplog.text])
        for secret in secrets:
            assert len(secret) >= 4, "too short to look for"
            assert secret not in text, f"a secret was told: {secret[:4]}…"
        ours = "\n".join(
            record.getMessage() for record in caplog.records if record.name.startswith("checkstand")
        )
        for value in sent:
            assert len(value) < 8 or value not in ours, "what the shopper sent was logged"

    async def test_its_clock_is_the_one_it_was_given(self, peer: Peer) -> None:
        """So that a peer with a clock of its own says so."""
        assert clock_of(peer).now().tzinfo is not None
        assert isinstance(await charge(peer, await bill(peer, Wish.APPROVE)), Approved)
