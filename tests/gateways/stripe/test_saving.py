"""Payment methods that a signed-in customer keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from checkstand.payments.model import Approved, NeedsAction, SavedMethod
from checkstand.testing import makers
from checkstand.testing.peer import Fault, Wish
from tests.gateways.stripe.peer import CARDS, Browser, StripePeer

SAVE: list[dict[str, Any]] = [
    {"save_payment_method": True},
    {"save_payment_method": "true"},
    {"setup_future_usage": "off_session"},
    {"wc-stripe-new-payment-method": "1"},
]


async def kept(peer: StripePeer, **changes: Any) -> tuple[str, SavedMethod]:
    method = await Browser(peer.front).method()
    attempt = makers.attempt("stripe", customer_id=41, **changes)
    payment = {"payment_method_id": method, "save_payment_method": True}
    outcome = await peer.gateway.charge(attempt, payment)
    assert isinstance(outcome, Approved)
    assert outcome.saved is not None
    return method, outcome.saved


@pytest.mark.parametrize("asked", SAVE)
async def test_it_is_kept_with_a_customer_of_stripes(
    peer: StripePeer, asked: dict[str, Any]
) -> None:
    method = await Browser(peer.front).method()
    attempt = makers.attempt("stripe", customer_id=41)
    outcome = await peer.gateway.charge(attempt, {"payment_method_id": method, **asked})
    assert isinstance(outcome, Approved)
    assert outcome.saved is not None
    assert outcome.saved == SavedMethod(
        token=method,
        label="Visa ending in 4242",
        kind="cc",
        expires="12/2031",
        customer=outcome.saved.customer,
    )
    _, customer = await peer.front.ask("GET", f"/v1/customers/{outcome.saved.customer}")
    assert customer["metadata"] == {"customer": "41"}
    _, held = await peer.front.ask("GET", f"/v1/payment_methods/{method}")
    assert held["customer"] == outcome.saved.customer


async def test_it_pays_again(peer: StripePeer) -> None:
    method, saved = await kept(peer)
    attempt = makers.attempt("stripe", customer_id=41)
    payment = {"saved_token": saved.token, "saved_customer": saved.customer}
    outcome = await peer.gateway.charge(attempt, {"payment_method_id": "pm_other", **payment})
    assert isinstance(outcome, Approved), outcome
    assert outcome.saved is None, "saved twice"
    (intent,) = await peer.front.intents(attempt.id)
    assert (intent["customer"], intent["payment_method"]) == (saved.customer, method)


async def test_another_one_is_kept_with_the_same_customer(peer: StripePeer) -> None:
    _, first = await kept(peer)
    method = await Browser(peer.front).method()
    payment = {"payment_method_id": method, "saved_customer": first.customer, **SAVE[0]}
    outcome = await peer.gateway.charge(makers.attempt("stripe", customer_id=41), payment)
    assert isinstance(outcome, Approved)
    assert outcome.saved is not None
    assert outcome.saved.customer == first.customer


async def test_a_guest_keeps_nothing(peer: StripePeer) -> None:
    payment = {"payment_method_id": await Browser(peer.front).method(), **SAVE[0]}
    outcome = await peer.gateway.charge(makers.attempt("stripe"), payment)
    assert isinstance(outcome, Approved)
    assert outcome.saved is None


async def test_nothing_is_kept_unless_asked(peer: StripePeer) -> None:
    payment = {"payment_method_id": await Browser(peer.front).method()}
    outcome = await peer.gateway.charge(makers.attempt("stripe", customer_id=41), payment)
    assert isinstance(outcome, Approved)
    assert outcome.saved is None


async def test_it_is_kept_after_3d_secure(peer: StripePeer) -> None:
    method = await Browser(peer.front).method(CARDS[Wish.ACTION])
    attempt = makers.attempt("stripe", customer_id=41)
    action = await peer.gateway.charge(attempt, {"payment_method_id": method, **SAVE[0]})
    assert isinstance(action, NeedsAction)
    await peer.act(action, agree=True)
    outcome = await peer.gateway.lookup(replace(attempt, reference=action.reference))
    assert isinstance(outcome, Approved)
    assert outcome.saved is not None
    assert outcome.saved.token == method


async def test_a_lost_answer_loses_no_saved_method(peer: StripePeer) -> None:
    method = await Browser(peer.front).method()
    attempt = makers.attempt("stripe", customer_id=41)
    peer.fail_next(Fault.TIMEOUT_AFTER)
    await peer.gateway.charge(attempt, {"payment_method_id": method, **SAVE[0]})
    outcome = await peer.gateway.lookup(attempt)
    assert isinstance(outcome, Approved)
    assert outcome.saved is not None
    assert outcome.saved.token == method
