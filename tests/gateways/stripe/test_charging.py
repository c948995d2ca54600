"""What is Stripe's own about a charge: spellings, declines, currencies, trouble with the API."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from checkstand.errors import PaymentMethodUnknown, ProviderSilent
from checkstand.payments.gateways.stripe.amounts import NotTaken, stripe_amount
from checkstand.payments.model import Approved, Declined, Funds, NeedsAction, Unknown
from checkstand.testing import makers
from checkstand.testing.makers import money
from checkstand.testing.peer import Wish
from tests.gateways.stripe.front import SECRET, Front
from tests.gateways.stripe.peer import CARDS, Browser, StripePeer, connected


@pytest.fixture
def browser(stripe_front: Front) -> Browser:
    return Browser(stripe_front)


def posted(front: Front, ending: str) -> list[dict[str, str]]:
    return [sent for verb, path, sent in front.asked if verb == "POST" and path.endswith(ending)]


async def test_it_is_made_first_and_confirmed_second(peer: StripePeer, browser: Browser) -> None:
    attempt, method = makers.attempt("stripe"), await browser.method()
    peer.front.asked.clear()
    outcome = await peer.gateway.charge(attempt, {"payment_method_id": method})
    assert isinstance(outcome, Approved)
    (made,), (confirmed,) = posted(peer.front, "/payment_intents"), posted(peer.front, "/confirm")
    assert made == {
        "amount": "1999",
        "currency": "usd",
        "capture_method": "automatic",
        "payment_method_types[0]": "card",
        "metadata[attempt]": attempt.id,
        "metadata[binding]": attempt.binding,
        "metadata[order]": "7310",
    }
    assert confirmed == {"payment_method": method, "return_url": attempt.return_url}
    keys = [key for key in peer.front.stored if key.startswith(attempt.id)]
    assert keys[0] == f"{attempt.id}-create"
    assert keys[1].startswith(f"{attempt.id}-confirm-")
    assert len(keys) == 2


@pytest.mark.parametrize(
    "name",
    [
        "payment_method_id",
        "payment_method",
        "paymentMethodId",
        "wc-stripe-payment-method",
        "wc-stripe-payment-token",
        "stripe_source",
        "source",
        "token",
    ],
)
async def test_spellings_of_the_payment_method(
    peer: StripePeer, browser: Browser, name: str
) -> None:
    # With the words that WooCommerce's forms send along in the same fields.
    others = {"payment_method": "stripe", "wc-stripe-payment-token": "new"}
    payment = {**others, name: await browser.method()}
    assert isinstance(await peer.gateway.charge(makers.attempt("stripe"), payment), Approved)


async def test_what_stripe_js_hands_out_may_be_sent_whole(
    peer: StripePeer, browser: Browser
) -> None:
    payment = {"paymentMethod": {"id": await browser.method(), "card": {"last4": "4242"}}}
    assert isinstance(await peer.gateway.charge(makers.attempt("stripe"), payment), Approved)


async def test_a_token_pays_too(peer: StripePeer) -> None:
    sent = {"card[number]": "4242424242424242", "card[exp_month]": "12", "card[exp_year]": "2031"}
    status, body = await peer.front.ask("POST", "/v1/tokens", {**sent, "card[cvc]": "123"})
    assert status == 200, body
    attempt = makers.attempt("stripe")
    outcome = await peer.gateway.charge(attempt, {"stripe_token": body["id"]})
    assert isinstance(outcome, Approved), outcome
    assert await peer.charged(attempt.id) == [1999]


@pytest.mark.parametrize(
    ("payment", "intent"),
    [
        ({"payment_intent_id": "pi_1A"}, "pi_1A"),
        ({"payment_intent": "pi_1A"}, "pi_1A"),
        ({"payment_intent": {"id": "pi_1A", "status": "succeeded"}}, "pi_1A"),
        ({"client_secret": "pi_1A_secret_x9"}, "pi_1A"),
        ({"payment_intent_id": "pi_1A_secret_x9"}, "pi_1A"),
        ({"payment_intent_id": "", "client_secret": "pi_1A_secret_x9"}, "pi_1A"),
        ({"payment_intent_id": " pi_1A "}, "pi_1A"),
        ({"payment_intent_id": "pi_../../customers"}, ""),
        ({"payment_intent_id": "pi_" + "x" * 300}, ""),
        ({"client_secret": "seti_1A_secret_x9"}, ""),
        ({"payment_method_id": "pm_1"}, ""),
    ],
)
def test_spellings_of_the_browsers_payment(
    peer: StripePeer, payment: Mapping[str, Any], intent: str
) -> None:
    assert peer.gateway.browser_payment(payment) == intent


async def test_nothing_to_charge_says_what_to_send(peer: StripePeer) -> None:
    peer.front.asked.clear()
    outcome = await peer.gateway.charge(makers.attempt("stripe"), {"card_number": "4242"})
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["code"] == "payment_incomplete"
    assert "payment_method_id" in outcome.gateway_error["message"]
    assert peer.front.asked == []


async def test_an_unheard_of_payment_method_says_what_to_send(peer: StripePeer) -> None:
    attempt = makers.attempt("stripe")
    outcome = await peer.gateway.charge(attempt, {"payment_method_id": "pm_unheard"})
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["code"] == "payment_method_unknown"
    assert "payment_method_id" in outcome.message
    (intent,) = await peer.front.intents(attempt.id)
    assert intent["status"] == "canceled"


@pytest.mark.parametrize(
    ("number", "code", "reason", "said"),
    [
        ("4000000000000002", "card_declined", "generic_decline", "declined"),
        ("4000000000009995", "card_declined", "insufficient_funds", "not enough money"),
        ("4000000000000069", "expired_card", None, "expired"),
        ("4000000000000127", "incorrect_cvc", None, "security code"),
        ("4000000000000119", "processing_error", None, "in a moment"),
        # Whoever holds a stolen card is not told that it is known to be stolen.
        ("4000000000009979", "card_declined", "generic_decline", "declined"),
    ],
)
async def test_declines(
    peer: StripePeer, browser: Browser, number: str, code: str, reason: str | None, said: str
) -> None:
    attempt = makers.attempt("stripe")
    outcome = await peer.gateway.charge(
        attempt, {"payment_method_id": await browser.method(number)}
    )
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["code"] == code
    assert outcome.gateway_error.get("decline_code") == reason
    assert said in outcome.message
    (intent,) = await peer.front.intents(attempt.id)
    assert intent["status"] == "canceled", "declined, but it can still be paid"
    late = await peer.gateway.lookup(attempt)
    assert isinstance(late, Declined)
    assert late.gateway_error == outcome.gateway_error, "the look-up gives another reason"


async def test_3d_secure_names_both_ways_to_go_on(peer: StripePeer, browser: Browser) -> None:
    attempt = makers.attempt("stripe")
    payment = {"payment_method_id": await browser.method(CARDS[Wish.ACTION])}
    outcome = await peer.gateway.charge(attempt, payment)
    assert isinstance(outcome, NeedsAction)
    assert outcome.redirect_url == f"{peer.front.url}/3ds/{outcome.reference}"
    assert outcome.action_type == "stripe_confirm_payment"
    (intent,) = await peer.front.intents(attempt.id)
    assert outcome.action_data == {
        "client_secret": intent["client_secret"],
        "intent_type": "payment_intent",
    }
    looked = await peer.gateway.lookup(replace(attempt, reference=outcome.reference))
    assert looked == outcome


@pytest.mark.parametrize("other", [False, True])
async def test_after_3d_secure_failed_only_another_card_is_tried(
    peer: StripePeer, browser: Browser, other: bool
) -> None:
    attempt = makers.attempt("stripe")
    payment = {"payment_method_id": await browser.method(CARDS[Wish.ACTION])}
    action = await peer.gateway.charge(attempt, payment)
    assert isinstance(action, NeedsAction)
    await peer.act(action, agree=False)
    if other:
        payment = {"payment_method_id": await browser.method()}
    outcome = await peer.gateway.charge(makers.continued(attempt, action), payment)
    assert isinstance(outcome, Approved if other else Declined), outcome
    if isinstance(outcome, Declined):
        assert outcome.gateway_error["code"] == "payment_intent_authentication_failure"
        assert "not confirmed with your bank" in outcome.message
    assert await peer.charged(attempt.id) == ([1999] if other else [])


@pytest.mark.parametrize(
    ("minor", "code", "sent"),
    [
        (1999, "USD", 1999),
        (500, "JPY", 500),
        (12_340, "KWD", 12_340),
        (500, "ISK", 50_000),
        (500, "UGX", 50_000),
        (50_000, "MGA", 500),
        (150_050, "HUF", 150_050),
    ],
)
async def test_amounts_as_stripe_counts_them(
    peer: StripePeer, browser: Browser, minor: int, code: str, sent: int
) -> None:
    attempt = makers.attempt("stripe", money(minor, code))
    outcome = await peer.gateway.charge(attempt, {"payment_method_id": await browser.method()})
    assert isinstance(outcome, Approved), outcome
    assert await peer.charged(attempt.id) == [sent]
    refunded = await peer.gateway.refund(makers.refund(makers.approved(attempt, outcome)))
    assert isinstance(refunded, Approved)
    assert await peer.returned(attempt.id) == [sent]


@pytest.mark.parametrize(
    ("minor", "code", "reason"),
    [
        (12_345, "KWD", "amount_not_chargeable"),
        (50_050, "MGA", "amount_not_chargeable"),
        (0, "USD", "amount_not_chargeable"),
        (-5, "USD", "amount_not_chargeable"),
        (10**15, "USD", "amount_not_chargeable"),
        (1000, "CUP", "currency_not_supported"),
        (1000, "IQD", "currency_not_supported"),
    ],
)
async def test_amounts_that_stripe_cannot_take(
    peer: StripePeer, minor: int, code: str, reason: str
) -> None:
    with pytest.raises(NotTaken) as refused:
        stripe_amount(money(minor, code))
    assert refused.value.code == reason
    peer.front.asked.clear()
    attempt = makers.attempt("stripe")
    attempt = replace(attempt, amount=money(minor, code))
    for outcome in (
        await peer.gateway.charge(attempt, {"payment_method_id": "pm_1"}),
        await peer.gateway.lookup(attempt),
    ):
        assert isinstance(outcome, Declined)
        assert outcome.gateway_error["code"] == reason
    with pytest.raises(PaymentMethodUnknown):
        await peer.gateway.context(replace(makers.due(), amount=money(minor, code)))
    assert peer.front.asked == []


async def test_an_amount_that_stripe_finds_too_small(peer: StripePeer, browser: Browser) -> None:
    attempt = makers.attempt("stripe", money(49))
    outcome = await peer.gateway.charge(attempt, {"payment_method_id": await browser.method()})
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["code"] == "amount_too_small"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((401, {"error": {"type": "invalid_request_error", "message": "No."}}), "configuration"),
        ((403, {"error": {"type": "invalid_request_error", "message": "No."}}), "configuration"),
        ((400, {"error": {"type": "invalid_request_error", "param": "x"}}), "configuration"),
        ((429, {"error": {"type": "rate_limit_error", "code": "rate_limit"}}), "rate_limit"),
    ],
)
async def test_what_was_surely_not_begun_is_declined(
    peer: StripePeer, caplog: pytest.LogCaptureFixture, answer: Any, code: str
) -> None:
    attempt, payment = makers.attempt("stripe"), {"payment_method_id": "pm_card_visa"}
    peer.front.instead.append(answer)
    outcome = await peer.gateway.charge(attempt, payment)
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["code"].startswith(code)
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == (code == "configuration")
    assert SECRET not in caplog.text
    assert await peer.charged(attempt.id) == []


@pytest.mark.parametrize("step", [0, 1, 2])
@pytest.mark.parametrize(
    "answer",
    [
        (500, {"error": {"type": "api_error"}}),
        (502, {"error": {"type": "api_error"}}),
        (409, {"error": {"type": "invalid_request_error", "code": "idempotency_key_in_use"}}),
        b"<html>504 Gateway Time-out</html>",
        (200, {"object": "list", "data": []}),
        (200, {"id": "pi_1", "object": "payment_intent"}),
        (200, []),
    ],
)
async def test_what_cannot_be_told_is_unknown(peer: StripePeer, step: int, answer: Any) -> None:
    """At the first request of a charge, at the second, and at a look-up."""
    attempt, payment = makers.attempt("stripe"), {"payment_method_id": "pm_card_visa"}
    if step == 1:
        peer.front.broken = ("/confirm", answer)
    else:
        peer.front.instead.append(answer)
    ask = peer.gateway.lookup(attempt) if step == 2 else peer.gateway.charge(attempt, payment)
    outcome = await ask
    assert isinstance(outcome, Unknown), outcome
    assert bool(outcome.reference) == (step == 1)
    assert await peer.charged(attempt.id) == []


async def test_a_wrong_key_does_not_settle_what_was_begun(
    peer: StripePeer, caplog: pytest.LogCaptureFixture
) -> None:
    attempt = makers.attempt("stripe")
    assert isinstance(
        await peer.gateway.charge(attempt, {"payment_method_id": "pm_card_visa"}), Approved
    )
    other = connected(peer.front, secret_key="sk_test_rolled_away")
    for outcome in (
        await other.lookup(attempt),
        await other.charge(replace(attempt, repeated=True), {"payment_method_id": "pm_card_visa"}),
    ):
        assert isinstance(outcome, Unknown), outcome
    await other.close()
    assert "refused the key" in caplog.text
    assert "rolled" not in caplog.text


async def test_without_a_server_everything_is_unknown(peer: StripePeer) -> None:
    gone = connected(peer.front, api_base="http://127.0.0.1:9")
    attempt = makers.attempt("stripe", reference="pi_1")
    outcomes = [
        await gone.charge(attempt, {}),
        await gone.lookup(attempt),
        await gone.capture(attempt, attempt.amount),
        await gone.void(attempt),
        await gone.refund(makers.refund(attempt)),
    ]
    assert all(isinstance(outcome, Unknown) for outcome in outcomes), outcomes
    with pytest.raises(ProviderSilent):
        await gone.context(makers.due())
    await gone.close()


async def test_manual_capture_reserves(peer: StripePeer, browser: Browser) -> None:
    assert peer.reserving is not None
    attempt = makers.attempt("stripe")
    outcome = await peer.reserving.charge(attempt, {"payment_method_id": await browser.method()})
    assert isinstance(outcome, Approved)
    assert outcome.funds is Funds.AUTHORISED
    taken = await peer.reserving.capture(attempt, money(500))
    assert isinstance(taken, Approved)
    again = await peer.reserving.capture(attempt, money(700))
    assert isinstance(again, Declined), "another amount was captured already"
    assert await peer.charged(attempt.id) == [500]
