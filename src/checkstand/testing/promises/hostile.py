"""Promises about what strangers send: payment data of any shape, webhooks that nobody signed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from checkstand.errors import WebhookRefused
from checkstand.payments.model import Approved, Attempt, Outcome
from checkstand.testing import makers
from checkstand.testing.peer import Peer, Wish
from checkstand.testing.promises.asking import (
    assert_declined,
    bill,
    expect,
    matches_ledger,
    paid,
)

LONGEST_REFERENCE = 255


def _nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


JUNK: dict[str, Any] = {
    "null": None,
    "empty text": "",
    "blank": "  \t\n",
    "true": True,
    "false": False,
    "zero": 0,
    "minus one": -1,
    "a huge number": 10**400,
    "not a number": float("nan"),
    "infinity": float("inf"),
    "an empty list": [],
    "an empty object": {},
    "a list": ["a", 1, None],
    "an object": {"id": {"id": {"id": 1}}},
    "deeply nested": _nested(500),
    "a word": "nonsense",
    "a path": "../../v1/customers",
    "an absolute path": "/v2/accounts",
    "a question mark": "x?amount=1&y=#z",
    "an address": "https://evil.example/v1/charges",
    "markup": "<script>alert(1)</script>",
    "quotes": "'; DROP TABLE orders; --\"",
    "a line break": "x\r\nAuthorization: Bearer y",
    "NUL": "a\x00b",
    "a lone surrogate": "\ud800",
    "emoji": "💳" * 50,
    "right to left": "\u202egnp.exe",
    "very long": "x" * 100_000,
    "percent": "%00%2e%2e%2f",
    "braces": "{0.__class__}{{7*7}}${7*7}",
}
"""Values that no storefront should send."""

_SPELLINGS = tuple(
    """token payment_token payment_method payment_method_id source_id nonce payment_nonce
    payment_intent_id payment_intent client_secret order_id paypal_order_id transaction_id
    data_value data_descriptor payment_method_nonce card_token wc-stripe-payment-token
    verification_token amount currency""".split()
)


class Hostile:
    @pytest.mark.parametrize("junk", JUNK)
    async def test_junk_is_declined_and_never_charges(self, peer: Peer, junk: str) -> None:
        """Under every name that payment data has anywhere, in place of all that was needed."""
        if not peer.gateway.description.has_fields:
            pytest.skip("the gateway needs no payment data")
        needed = await peer.payment(Wish.APPROVE, makers.money(1999), "b")
        payment = dict.fromkeys([*_SPELLINGS, *needed], JUNK[junk])
        attempt = self.attempt(peer, payment)
        assert_declined(await peer.gateway.charge(attempt, payment))
        assert await peer.charged(attempt.id) == []

    @pytest.mark.parametrize("junk", ["missing", *JUNK])
    async def test_each_part_replaced_by_junk(self, peer: Peer, junk: str) -> None:
        """One part of good payment data is junk, or missing: it is charged as if it was not
        there, or not at all."""
        whole = await bill(peer, Wish.APPROVE)
        for name in whole.payment:
            due = await bill(peer, Wish.APPROVE)
            payment = dict(due.payment)
            payment[name] = JUNK.get(junk)
            if junk == "missing":
                del payment[name]
            reference = self.reference(peer, payment)
            attempt = replace(due.attempt, reference=reference)
            expect(peer, attempt)
            outcome: Outcome = await peer.gateway.charge(attempt, payment)
            assert isinstance(outcome, Outcome)
            await matches_ledger(peer, attempt, outcome)

    async def test_no_payment_data_at_all(self, peer: Peer) -> None:
        if not peer.gateway.description.has_fields:
            pytest.skip("the gateway needs no payment data")
        for payment in ({}, {"": ""}, {"unheard_of": "x"}, {"saved_token": "forged"}):
            attempt = self.attempt(peer, payment)
            assert_declined(await peer.gateway.charge(attempt, payment))
            assert await peer.charged(attempt.id) == []

    @classmethod
    def attempt(cls, peer: Peer, payment: dict[str, Any]) -> Attempt:
        made = makers.attempt(peer.gateway.description.id, reference=cls.reference(peer, payment))
        expect(peer, made)
        return made

    @staticmethod
    def reference(peer: Peer, payment: dict[str, Any]) -> str:
        """As the shop takes it: it is stored, so it must be fit to be."""
        reference = peer.gateway.browser_payment(payment)
        assert isinstance(reference, str)
        assert len(reference) <= LONGEST_REFERENCE, "what a browser sends is bounded"
        assert reference == "" or reference.isprintable(), "what a browser sends is bounded"
        return reference


class Webhooks:
    async def test_a_webhook_names_the_payment(self, peer: Peer) -> None:
        attempt = await paid(peer)
        raw, headers = await peer.webhook(attempt.id)
        notice = await peer.gateway.parse_webhook(raw, headers)
        assert notice is not None
        assert notice.id, "a notice has an id"
        assert notice.kind, "a notice has a kind"
        named = (notice.attempt_id == attempt.id, notice.reference == attempt.reference)
        assert any(named), f"names neither the attempt nor its reference: {notice}"
        assert notice.attempt_id in ("", attempt.id)
        assert await peer.gateway.parse_webhook(raw, headers) == notice
        assert isinstance(await peer.gateway.lookup(attempt), Approved)

    async def test_a_flipped_bit_in_the_body_is_refused(self, peer: Peer) -> None:
        attempt = await paid(peer)
        raw, headers = await peer.webhook(attempt.id)
        for position in range(0, len(raw), max(1, len(raw) // 24)):
            forged = bytearray(raw)
            forged[position] ^= 1
            with pytest.raises(WebhookRefused):
                await peer.gateway.parse_webhook(bytes(forged), headers)
        for forged_raw in (raw + b" ", b" " + raw, raw[:-1], b""):
            with pytest.raises(WebhookRefused):
                await peer.gateway.parse_webhook(forged_raw, headers)

    async def test_a_flipped_bit_in_the_signature_is_refused(self, peer: Peer) -> None:
        """Of the headers that are needed at all, each changed one is refused; one is needed."""
        attempt = await paid(peer)
        raw, headers = await peer.webhook(attempt.id)
        notice = await peer.gateway.parse_webhook(raw, headers)
        refused = set()
        for name, value in headers.items():
            for position in sorted({0, len(value) // 2, max(0, len(value) - 8)}):
                flipped = chr(ord(value[position]) ^ 1)
                forged = value[:position] + flipped + value[position + 1 :]
                try:
                    found = await peer.gateway.parse_webhook(raw, {**headers, name: forged})
                    assert found == notice, f"{name} changed what the webhook says"
                except WebhookRefused:
                    refused.add(name)
        assert refused, "no header was needed: the webhook is not signed"

    async def test_unsigned_and_nonsense_are_refused(self, peer: Peer) -> None:
        attempt = await paid(peer)
        raw, headers = await peer.webhook(attempt.id)
        with pytest.raises(WebhookRefused):
            await peer.gateway.parse_webhook(raw, {})
        deep = b"[" * 5000 + b"]" * 5000
        for body in (b"", b"{}", b"[]", b"null", b"\xff\xfe", b"x" * 100_000, deep):
            for sent in ({}, headers, dict.fromkeys(headers, ""), dict.fromkeys(headers, "\xe9")):
                with pytest.raises(WebhookRefused):
                    await peer.gateway.parse_webhook(body, sent)

    async def test_a_webhook_that_is_too_old_is_refused(self, peer: Peer) -> None:
        attempt = await paid(peer)
        made = getattr(peer, "stale_webhook", None)
        stale = await made(attempt.id) if made else None
        if stale is None:
            pytest.skip("the provider signs no time")
        with pytest.raises(WebhookRefused):
            await peer.gateway.parse_webhook(*stale)

    async def test_references_of_others_are_not_taken_for_ones_own(self, peer: Peer) -> None:
        first, second = await paid(peer), await paid(peer)
        notices = [
            await peer.gateway.parse_webhook(*await peer.webhook(attempt.id))
            for attempt in (first, second)
        ]
        assert None not in notices
        told = {(n.attempt_id, n.reference) for n in notices if n is not None}
        assert len(told) == 2
        assert len({n.id for n in notices if n is not None}) == 2
