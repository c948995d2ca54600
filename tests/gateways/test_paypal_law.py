"""One attempt, one PayPal order, and anything that shop, shopper, browser and network can do to it,
in any sequence: it is paid at most once, and what was given up stays unpaid."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from checkstand.payments.model import (
    Approved,
    Attempt,
    AttemptState,
    Declined,
    NeedsAction,
    Outcome,
    Unknown,
)
from checkstand.testing import makers
from checkstand.testing.peer import Fault
from tests.gateways.paypal_fake import FakePayPal, Refused
from tests.gateways.paypal_peer import connected

STEPS = st.sampled_from(
    [
        "charge",
        "look up",
        "void",
        "the shopper agrees",
        "the browser captures",
        "the next request is held back",
        "what was held back arrives",
        *(fault for fault in Fault if fault is not Fault.TIMEOUT_AFTER),  # it takes its time
    ]
)


def settled(attempt: Attempt, outcome: Outcome) -> Attempt:
    """As the shop records it."""
    states = {
        Approved: AttemptState.APPROVED,
        Declined: AttemptState.DECLINED,
        NeedsAction: AttemptState.NEEDS_ACTION,
        Unknown: AttemptState.UNKNOWN,
    }
    funds = outcome.funds if isinstance(outcome, Approved) else None
    return replace(attempt, state=states[type(outcome)], funds=funds, repeated=True)


async def play(steps: list[str | Fault], capture: str, intent: str) -> None:
    async with FakePayPal() as paypal:
        gateway = connected(paypal, capture=capture)
        order = paypal.browser_order("19.99", "USD", "cart-1", intent)
        attempt = makers.attempt("paypal", binding="cart-1", reference=order)
        given_up = False
        for step in steps:
            if isinstance(step, Fault):
                paypal.faults.append(step)
            elif step == "the shopper agrees":
                paypal.approve(order)
            elif step == "the next request is held back":
                paypal.hold_next = True
            elif step == "what was held back arrives":
                paypal.release()
            elif step == "the browser captures":
                with suppress(Refused):  # its script does what the order was made for
                    paypal._take(order, "capture" if intent == "CAPTURE" else "authorize", "")
            elif attempt.state.live:
                if step == "charge":
                    outcome = await gateway.charge(attempt, {"order_id": order})
                elif step == "look up":
                    outcome = await gateway.lookup(attempt)
                else:
                    outcome = await gateway.void(attempt)
                    given_up = given_up or isinstance(outcome, Approved)
                    if isinstance(outcome, Approved):
                        outcome = Declined("called off")
                    elif isinstance(outcome, Declined):
                        outcome = await gateway.lookup(attempt)
                attempt = settled(attempt, outcome)
                given_up = given_up or isinstance(outcome, Declined)
            else:
                assert not given_up or not isinstance(await gateway.lookup(attempt), Approved)
            charges = [entry for entry in paypal.ledger if entry.kind == "charge"]
            kept = [entry for entry in paypal.ledger if entry.status in ("COMPLETED", "CREATED")]
            assert len(charges) <= 1
            assert len(kept) <= 1
            if given_up:
                assert kept == [], "given up, and paid"
            elif attempt.state is AttemptState.APPROVED:
                assert len(kept) == 1, "approved, and not paid"
        await gateway.close()


@example([Fault.ERROR_BEFORE, "charge", "void", "the browser captures"], "manual", "CAPTURE").via(
    "it was paid after it was called off"
)
@given(
    st.lists(STEPS, min_size=2, max_size=12),
    st.sampled_from(["automatic", "manual"]),
    st.sampled_from(["CAPTURE", "AUTHORIZE"]),
)
def test_whatever_happens_it_is_paid_at_most_once(
    steps: list[str | Fault], capture: str, intent: str
) -> None:
    asyncio.run(play(["the shopper agrees", *steps], capture, intent))
