"""Payments that a browser began: contexts, and what becomes of what does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from checkstand.payments.gateway import Context, Due
from checkstand.payments.model import Approved, Attempt, Declined, Funds, NeedsAction
from checkstand.testing import makers
from checkstand.testing.makers import money
from checkstand.testing.peer import Wish
from tests.gateways.stripe.front import PUBLISHABLE, Front
from tests.gateways.stripe.peer import CARDS, Browser, StripePeer


@pytest.fixture
def browser(stripe_front: Front) -> Browser:
    return Browser(stripe_front)


async def prepared(peer: StripePeer, minor: int = 1999) -> tuple[Due, Context, Attempt]:
    due = makers.due(money(minor))
    context = await peer.gateway.context(due)
    attempt = makers.attempt("stripe", due.amount, binding=due.binding, reference=context.reference)
    return due, context, attempt


def sent(context: Context) -> Mapping[str, Any]:
    return {"payment_intent_id": context.reference}


async def status(peer: StripePeer, reference: str) -> str:
    return str((await peer.front._intent(reference))[1]["status"])


async def test_a_context_has_what_stripe_js_needs(peer: StripePeer) -> None:
    due, context, _ = await prepared(peer)
    _, intent = await peer.front._intent(context.reference)
    assert context.fields == {
        "client_secret": intent["client_secret"],
        "payment_intent_id": intent["id"],
        "public_key": PUBLISHABLE,
    }
    assert (intent["amount"], intent["currency"]) == (1999, "usd")
    assert intent["metadata"] == {"binding": due.binding}


async def test_the_same_request_key_prepares_once(peer: StripePeer) -> None:
    due, context, _ = await prepared(peer)
    assert (await peer.gateway.context(due)).reference == context.reference


async def test_a_context_that_was_paid_is_handed_out_again(
    peer: StripePeer, browser: Browser
) -> None:
    """The page was loaded anew between paying and ordering: the shopper must not pay twice."""
    due, context, attempt = await prepared(peer)
    assert await browser.confirm(context.fields, await browser.method()) == 200
    again = await peer.gateway.context(replace(due, reference=context.reference))
    assert again.reference == context.reference
    assert isinstance(await peer.gateway.charge(attempt, sent(again)), Approved)
    after = await peer.gateway.context(replace(due, reference=context.reference))
    assert after.reference != context.reference, "it has paid for an order already"


@pytest.mark.parametrize("change", ["amount", "currency", "binding", "cancelled", "unheard of"])
async def test_a_context_that_does_not_fit_is_not_used_again(peer: StripePeer, change: str) -> None:
    due, context, attempt = await prepared(peer)
    again = replace(due, reference=context.reference)
    if change == "amount":
        again = replace(again, amount=money(2000), request_key="ctx_2")
    elif change == "currency":
        again = replace(again, amount=money(1999, "EUR"), request_key="ctx_2")
    elif change == "binding":
        again = replace(again, binding="another-cart", request_key="ctx_2")
    elif change == "cancelled":
        assert isinstance(await peer.gateway.void(attempt), Approved)
    else:
        again = replace(again, reference="pi_unheardof", request_key="ctx_2")
    assert (await peer.gateway.context(again)).reference not in ("", context.reference)


async def test_a_prepared_payment_is_confirmed_by_the_server(
    peer: StripePeer, browser: Browser
) -> None:
    """payment_intent_id with payment_method_id: the browser has only collected the card."""
    _, context, attempt = await prepared(peer)
    payment = {**context.fields, "payment_method_id": await browser.method()}
    for _ in range(2):
        outcome = await peer.gateway.charge(attempt, payment)
        assert isinstance(outcome, Approved), outcome
        assert outcome.reference == context.reference
    assert await peer.charged(attempt.id) == [1999]


async def test_3d_secure_in_the_browser(peer: StripePeer, browser: Browser) -> None:
    _, context, attempt = await prepared(peer)
    method = await browser.method(CARDS[Wish.ACTION])
    assert await browser.confirm(context.fields, method) == 200
    early = await peer.gateway.charge(attempt, sent(context))
    assert isinstance(early, NeedsAction)
    assert early.redirect_url == attempt.return_url
    await peer.act(early, agree=True)
    assert isinstance(await peer.gateway.charge(attempt, sent(context)), Approved)
    assert await peer.charged(attempt.id) == [1999]


async def test_ordered_before_the_browser_has_paid_it_never_can(
    peer: StripePeer, browser: Browser
) -> None:
    _, context, attempt = await prepared(peer)
    outcome = await peer.gateway.charge(attempt, sent(context))
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["code"] == "payment_incomplete"
    assert await browser.confirm(context.fields, await browser.method()) == 400
    assert await peer.charged(attempt.id) == []
    again = makers.attempt("stripe", binding=attempt.binding, reference=context.reference)
    over = await peer.gateway.charge(again, sent(context))
    assert isinstance(over, Declined)
    assert over.gateway_error["code"] == "payment_cancelled"


async def test_a_card_that_was_declined_in_the_browser(peer: StripePeer, browser: Browser) -> None:
    _, context, attempt = await prepared(peer)
    method = await browser.method(CARDS[Wish.INSUFFICIENT_FUNDS])
    assert await browser.confirm(context.fields, method) == 402
    outcome = await peer.gateway.charge(attempt, sent(context))
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["decline_code"] == "insufficient_funds"


async def test_another_amount_is_given_back_and_never_pays(
    peer: StripePeer, browser: Browser
) -> None:
    due, context, attempt = await prepared(peer)
    assert await browser.confirm(context.fields, await browser.method()) == 200
    dearer = replace(attempt, amount=money(2500))
    for _ in range(2):
        outcome = await peer.gateway.charge(dearer, sent(context))
        assert isinstance(outcome, Declined)
        assert outcome.gateway_error["code"] == "amount_mismatch"
        assert "given back" in outcome.message
        assert await peer.returned(dearer.id) == [1999]
    assert isinstance(await peer.gateway.lookup(dearer), Declined)
    cheap = makers.attempt("stripe", due.amount, binding=due.binding, reference=context.reference)
    refused = await peer.gateway.charge(cheap, sent(context))
    assert isinstance(refused, Declined), "what was given back has paid for an order"
    new = await peer.gateway.context(replace(due, reference=context.reference))
    assert new.reference != context.reference


async def test_what_was_reserved_for_another_amount_is_let_go(
    peer: StripePeer, browser: Browser
) -> None:
    assert peer.reserving is not None
    due = makers.due()
    context = await peer.reserving.context(due)
    assert await browser.confirm(context.fields, await browser.method()) == 200
    assert await status(peer, context.reference) == "requires_capture"
    attempt = makers.attempt("stripe", money(2500), binding=due.binding)
    outcome = await peer.reserving.charge(attempt, sent(context))
    assert isinstance(outcome, Declined)
    assert await status(peer, context.reference) == "canceled"


async def test_one_payment_pays_one_order(peer: StripePeer, browser: Browser) -> None:
    """Even if the shop's own guard against it were gone."""
    due, context, first = await prepared(peer)
    assert await browser.confirm(context.fields, await browser.method()) == 200
    second = makers.attempt("stripe", due.amount, binding=due.binding, reference=context.reference)
    assert isinstance(await peer.gateway.charge(first, sent(context)), Approved)
    refused = await peer.gateway.charge(second, sent(context))
    assert isinstance(refused, Declined)
    assert refused.gateway_error["code"] == "payment_already_used"
    assert isinstance(await peer.gateway.lookup(second), Declined)
    assert await peer.charged(first.id) == [1999]
    assert await peer.returned(first.id) == [], "the first order's money was touched"


async def test_what_the_shop_has_given_back_by_hand_does_not_pay(
    peer: StripePeer, browser: Browser
) -> None:
    _, context, attempt = await prepared(peer)
    assert await browser.confirm(context.fields, await browser.method()) == 200
    await peer.front.ask("POST", "/v1/refunds", {"payment_intent": context.reference})
    outcome = await peer.gateway.charge(attempt, sent(context))
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["code"] == "payment_returned"


@pytest.mark.parametrize("paid", [False, True])
async def test_what_was_prepared_and_not_ordered_is_called_off(
    peer: StripePeer, browser: Browser, paid: bool
) -> None:
    """As the worker does it once the context's time is over: without the cart's binding."""
    _, context, _ = await prepared(peer)
    if paid:
        assert await browser.confirm(context.fields, await browser.method()) == 200
    standing = makers.attempt("stripe", binding="", reference=context.reference)
    outcome = await peer.gateway.void(standing)
    if not paid:
        assert isinstance(outcome, Approved)
        assert await browser.confirm(context.fields, await browser.method()) == 400
        return
    assert isinstance(outcome, Declined)
    assert await status(peer, context.reference) == "succeeded"
    await peer.front.ask("POST", "/v1/refunds", {"payment_intent": context.reference})
    assert isinstance(await peer.gateway.void(standing), Approved)


async def test_the_payment_of_an_order_is_not_called_off_for_its_context(
    peer: StripePeer, browser: Browser
) -> None:
    assert peer.reserving is not None
    due = makers.due()
    context = await peer.reserving.context(due)
    assert await browser.confirm(context.fields, await browser.method()) == 200
    attempt = makers.attempt("stripe", binding=due.binding, reference=context.reference)
    assert isinstance(await peer.reserving.charge(attempt, sent(context)), Approved)
    standing = makers.attempt("stripe", binding="", reference=context.reference)
    await peer.reserving.void(standing)
    assert await peer.reserved(attempt.id) == [1999]


async def test_a_strangers_payment_is_left_alone(peer: StripePeer, browser: Browser) -> None:
    _, context, _ = await prepared(peer)
    stranger = makers.attempt("stripe", reference=context.reference)
    refused = await peer.gateway.charge(stranger, sent(context))
    assert isinstance(refused, Declined)
    assert refused.gateway_error["code"] == "payment_mismatch"
    assert isinstance(await peer.gateway.lookup(stranger), Declined)
    voided = await peer.gateway.void(stranger)
    assert isinstance(voided, Approved)
    assert voided.funds is Funds.RETURNED
    assert await status(peer, context.reference) == "requires_payment_method"


async def test_a_payment_that_stripe_does_not_know(peer: StripePeer) -> None:
    attempt = makers.attempt("stripe", reference="pi_unheardof")
    for outcome in (
        await peer.gateway.charge(attempt, {"payment_intent_id": "pi_unheardof"}),
        await peer.gateway.lookup(attempt),
    ):
        assert isinstance(outcome, Declined)
        assert outcome.gateway_error["code"] == "not_found"
