"""The Square gateway against Square as we play it, over HTTP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checkstand.customers.addresses import Address
from checkstand.errors import WebhookRefused
from checkstand.kit.clock import SystemClock
from checkstand.kit.money import Currency, Money
from checkstand.payments.gateway import House
from checkstand.payments.gateways.square import SquareGateway, gateway, orders
from checkstand.payments.model import (
    Approved,
    Attempt,
    AttemptState,
    Declined,
    Funds,
    NeedsAction,
    Unknown,
)
from checkstand.testing import makers
from checkstand.testing.makers import money
from checkstand.testing.peer import Fault, Peer, Wish
from checkstand.testing.suite import GatewaySuite
from tests.gateways.square_fake import (
    ACCESS_TOKEN,
    LOCATION,
    NOTIFICATION_URL,
    SIGNATURE_KEY,
    FakeSquare,
    fake_square,
    signed,
)

KEYS: dict[str, Any] = {
    "environment": "sandbox",
    "access_token": ACCESS_TOKEN,
    "application_id": "sandbox-sq0idb-abc",
    "location_id": LOCATION,
    "webhook_signature_key": SIGNATURE_KEY,
}


class Later:
    """A clock that tests move on."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def connected(square: FakeSquare, clock: Any = None, **changes: Any) -> SquareGateway:
    house = House(clock or SystemClock(), "https://shop.example")
    return gateway(**{**KEYS, "api_base": square.address, **changes}, house=house, timeout=2.5)


@pytest.fixture
async def square() -> AsyncIterator[FakeSquare]:
    async with fake_square() as provider:
        yield provider


@pytest.fixture
def clock() -> Later:
    return Later()


@pytest.fixture
async def shop(square: FakeSquare, clock: Later) -> AsyncIterator[SquareGateway]:
    made = connected(square, clock)
    yield made
    await made.close()


@pytest.fixture
async def reserving(square: FakeSquare, clock: Later) -> AsyncIterator[SquareGateway]:
    made = connected(square, clock, capture="manual")
    yield made
    await made.close()


# --- the suite that every gateway passes --------------------------------------------------------


class SquarePeer(Peer):
    """No ACTION: the suite's shopper continues with the same payment data, or none, and Square
    wants a new token after the bank's check (see test_the_bank_wants_a_check below). No BROWSER:
    a browser begins no payment at Square."""

    secrets = frozenset({ACCESS_TOKEN, SIGNATURE_KEY})
    patience = 2.0

    def __init__(self, square: FakeSquare, shop: SquareGateway, manual: SquareGateway) -> None:
        self.square = square
        self._gateway = shop
        self.reserving = manual

    @property
    def gateway(self) -> SquareGateway:
        return self._gateway

    @property
    def wishes(self) -> frozenset[Wish]:
        return frozenset({Wish.APPROVE, Wish.DECLINE, Wish.INSUFFICIENT_FUNDS})

    @property
    def faults(self) -> frozenset[Fault]:
        return frozenset(Fault)

    async def payment(self, wish: Wish, amount: Money, binding: str) -> Mapping[str, Any]:
        contact = {"given_name": "Ines", "family_name": "Okafor", "email": "ines@example.com"}
        return {
            "source_id": self.square.token(wish.value),
            "verification_token": self.square.verification(),
            "billing_contact": contact,
        }

    async def charged(self, attempt_id: str) -> list[int]:
        return [p.amount for p in self.square.of(attempt_id) if p.status == "COMPLETED"]

    async def reserved(self, attempt_id: str) -> list[int]:
        return [p.amount for p in self.square.of(attempt_id) if p.status == "APPROVED"]

    async def returned(self, attempt_id: str) -> list[int]:
        return [
            self.square.refunds[refund_id]["amount_money"]["amount"]
            for payment in self.square.of(attempt_id)
            for refund_id in payment.refund_ids
        ]

    async def act(self, action: NeedsAction, *, agree: bool) -> None:
        raise NotImplementedError("not among the wishes")

    def fail_next(self, fault: Fault) -> None:
        self.square.fault = (fault, "")

    def answer_all(self, status: int | None) -> None:
        self.square.only_status = status

    async def webhook(self, attempt_id: str) -> tuple[bytes, Mapping[str, str]]:
        return self.square.event("payment.updated", self.square.of(attempt_id)[0])

    async def stale_webhook(self, attempt_id: str) -> tuple[bytes, Mapping[str, str]]:
        made = datetime.now(UTC) - timedelta(minutes=6)
        return self.square.event("payment.updated", self.square.of(attempt_id)[0], made)


class TestSquare(GatewaySuite):
    @pytest.fixture
    def peer(self, square: FakeSquare, shop: SquareGateway, reserving: SquareGateway) -> Peer:
        return SquarePeer(square, shop, reserving)


# --- what is sent -------------------------------------------------------------------------------


def attempt(**changes: Any) -> Attempt:
    return makers.attempt("square", **changes)


async def test_what_square_is_asked_for(square: FakeSquare, shop: SquareGateway) -> None:
    made = attempt()
    payment = {"source_id": square.token("approve"), "note": "Ring twice", "reference_id": "A-17"}
    outcome = await shop.charge(made, payment)
    body = square.bodies[0]
    assert body["amount_money"] == {"amount": 1999, "currency": "USD"}
    assert body["idempotency_key"] == made.id
    assert body["reference_id"] == made.id
    assert body["location_id"] == LOCATION
    assert (body["autocomplete"], body["delay_duration"]) == (False, "P1D")
    assert body["note"] == "Ring twice / A-17"
    assert body["buyer_email_address"] == "ines@example.com"
    assert body["billing_address"]["postal_code"] == "90011"
    assert isinstance(outcome, Approved)
    assert square.calls[1] == ("POST", f"/v2/payments/{outcome.reference}/complete")


@pytest.mark.parametrize("name", ["source_id", "token", "nonce", "card_nonce", "sourceId"])
async def test_every_spelling_of_the_token(
    square: FakeSquare, shop: SquareGateway, name: str
) -> None:
    assert isinstance(await shop.charge(attempt(), {name: square.token("approve")}), Approved)


async def test_the_contact_stands_in_for_a_missing_address(
    square: FakeSquare, shop: SquareGateway
) -> None:
    contact = '{"given_name": "Ana", "family_name": "Ruiz", "email": "ana@example.com"}'
    payment = {"source_id": square.token("approve"), "billing_contact": contact}
    assert isinstance(await shop.charge(attempt(billing=Address()), payment), Approved)
    assert square.bodies[0]["billing_address"] == {"first_name": "Ana", "last_name": "Ruiz"}
    assert square.bodies[0]["buyer_email_address"] == "ana@example.com"


@pytest.mark.parametrize(
    ("payment", "named"),
    [
        ({}, "source_id"),
        ({"token": 12}, "token"),
        ({"nonce": "x" * 1001}, "nonce"),
        ({"source_id": "cnon:1", "billing_contact": "[1]"}, "billing_contact"),
        ({"source_id": "cnon:1", "verification_token": ["v"]}, "verification_token"),
    ],
)
async def test_payment_data_of_the_wrong_form_says_what_to_send(
    square: FakeSquare, shop: SquareGateway, payment: dict[str, Any], named: str
) -> None:
    outcome = await shop.charge(attempt(), payment)
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["field"] == named
    assert named in outcome.gateway_error["message"]
    assert square.calls == []


def test_keys_and_names_keep_to_squares_lengths() -> None:
    made = attempt()
    assert orders.charge_keys(made) == (made.id,)
    asked = replace(made, state=AttemptState.NEEDS_ACTION, reference="pay1")
    first, second = orders.charge_keys(asked)
    assert second == made.id
    assert first != second
    assert first != orders.charge_keys(replace(asked, reference="pay2"))[0]
    long = replace(made, id="att_" + "9" * 80)
    assert len(orders.charge_key(long)) <= 45
    assert len(orders.reference_id(long)) <= 40
    reason = orders.refund_reason("ref_1", "r" * 500)
    assert len(reason) <= 192
    assert reason.endswith("[ref_1]")


@pytest.mark.parametrize(("minor", "code"), [(500, "JPY"), (1999, "EUR")])
async def test_amounts_are_in_minor_units(
    square: FakeSquare, shop: SquareGateway, minor: int, code: str
) -> None:
    made = attempt(amount=money(minor, code))
    assert isinstance(await shop.charge(made, {"token": square.token("approve")}), Approved)
    assert square.bodies[0]["amount_money"] == {"amount": minor, "currency": code}


async def test_a_currency_that_square_does_not_take(
    square: FakeSquare, shop: SquareGateway
) -> None:
    made = attempt(amount=money(12_345, "KWD"))
    outcome = await shop.charge(made, {"token": square.token("approve")})
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["code"] == "currency_not_supported"
    assert square.calls == []


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "code", "words"),
    [
        ("decline", "GENERIC_DECLINE", "declined"),
        ("insufficient funds", "INSUFFICIENT_FUNDS", "not enough money"),
        ("cvv", "CVV_FAILURE", "security code"),
        ("expired", "CARD_EXPIRED", "expired"),
        ("postcode", "ADDRESS_VERIFICATION_FAILURE", "address"),
    ],
)
async def test_a_decline_has_squares_code_and_a_message(
    square: FakeSquare, shop: SquareGateway, wish: str, code: str, words: str
) -> None:
    outcome = await shop.charge(attempt(), {"token": square.token(wish)})
    assert isinstance(outcome, Declined)
    assert words in outcome.message
    assert outcome.gateway_error == {
        "code": code,
        "message": outcome.message,
        "category": "PAYMENT_METHOD_ERROR",
        "detail": f"{code}.",
    }


async def test_a_token_is_used_once(square: FakeSquare, shop: SquareGateway) -> None:
    payment = {"token": square.token("approve")}
    assert isinstance(await shop.charge(attempt(), payment), Approved)
    outcome = await shop.charge(attempt(), payment)
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["code"] == "CARD_TOKEN_USED"


@pytest.mark.parametrize("wrong", [{"access_token": "EAAA-wrong"}, {"location_id": "LWRONG"}])
async def test_our_own_faults_are_logged_and_charge_nothing(
    square: FakeSquare,
    caplog: pytest.LogCaptureFixture,
    wrong: dict[str, str],
) -> None:
    shop = connected(square, **wrong)
    outcome = await shop.charge(attempt(), {"token": square.token("approve")})
    await shop.close()
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["code"] == "configuration_error"
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert errors
    assert "EAAA" not in caplog.text
    assert square.payments == {}


async def test_a_retry_that_is_turned_away_is_no_decline(
    square: FakeSquare, shop: SquareGateway
) -> None:
    """The first one may have gone through: 429 and 401 say nothing about that."""
    payment = {"token": square.token("approve")}
    square.fault = (Fault.TIMEOUT_AFTER, "")
    made = attempt()
    assert isinstance(await shop.charge(made, payment), Unknown)
    square.limited = True
    square.listed_after = timedelta(hours=1)
    assert isinstance(await shop.charge(replace(made, repeated=True), payment), Unknown)
    square.limited = False
    square.access_token = "EAAA-another"
    assert isinstance(await shop.lookup(made), Unknown)


@pytest.mark.parametrize("garbage", [b"", b"[]", b"\xff", b'{"payment": 5}', b'{"payment": {}}'])
async def test_answers_that_cannot_be_read_are_unknown(
    square: FakeSquare, shop: SquareGateway, garbage: bytes
) -> None:
    made = attempt()
    square.garbage = garbage
    assert isinstance(await shop.charge(made, {"token": square.token("approve")}), Unknown)
    assert isinstance(await shop.lookup(replace(made, reference="pay1")), Unknown)


# --- what was lost ------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", list(Fault))
async def test_a_fault_while_completing(
    square: FakeSquare, shop: SquareGateway, fault: Fault
) -> None:
    """Reserved, and the answer to the second request is lost: the look-up finishes it."""
    made = attempt()
    square.fault = (fault, "/complete")
    outcome = await shop.charge(made, {"token": square.token("approve")})
    assert isinstance(outcome, Approved | Unknown)
    assert outcome.reference
    for asked in (made, replace(made, reference=outcome.reference)):
        found = await shop.lookup(asked)
        assert found == Approved(Funds.CAPTURED, outcome.reference)
    assert [p.status for p in square.of(made.id)] == ["COMPLETED"]


async def test_what_is_not_listed_yet_is_not_given_up(
    square: FakeSquare, shop: SquareGateway, clock: Later
) -> None:
    square.listed_after = timedelta(seconds=60)
    square.fault = (Fault.ERROR_AFTER, "")
    made = attempt()
    assert isinstance(await shop.charge(made, {"token": square.token("approve")}), Unknown)
    assert isinstance(await shop.lookup(made), Unknown)
    assert [p.status for p in square.of(made.id)] == ["APPROVED"]
    square.listed_after = timedelta(0)
    clock.ahead = timedelta(minutes=1)
    found = await shop.lookup(made)
    assert isinstance(found, Approved)
    assert [p.status for p in square.of(made.id)] == ["COMPLETED"]


async def test_what_stays_unlisted_is_cancelled_by_its_key(
    square: FakeSquare, shop: SquareGateway, clock: Later
) -> None:
    """Declined, and true: what Square had for it holds no money any more."""
    square.listed_after = timedelta(hours=1)
    square.fault = (Fault.ERROR_AFTER, "")
    made = attempt()
    assert isinstance(await shop.charge(made, {"token": square.token("approve")}), Unknown)
    clock.ahead = timedelta(minutes=1)
    assert isinstance(await shop.lookup(made), Declined)
    assert [p.status for p in square.of(made.id)] == ["CANCELED"]


async def test_a_request_that_comes_late_never_takes_money(
    square: FakeSquare, shop: SquareGateway, clock: Later
) -> None:
    """It was lost, the look-up declined it, and then it arrives: it can only reserve, and that is
    let go of by the webhook's look-up, or by Square after a day."""
    made, payment = attempt(), {"token": square.token("approve")}
    square.fault = (Fault.LOST, "")
    assert isinstance(await shop.charge(made, payment), Unknown)
    clock.ahead = timedelta(minutes=1)
    assert isinstance(await shop.lookup(made), Declined)
    late = orders.charge_body(made, orders.Source.read(payment), LOCATION, at_once=True)
    answer = await shop.api.ask("POST", "/v2/payments", late)
    assert answer.accepted
    assert [p.status for p in square.of(made.id)] == ["APPROVED"]
    another = connected(square, clock)  # another process: it knows by the attempt's state
    notice = await another.parse_webhook(
        *square.event("payment.created", square.of(made.id)[0], clock.now())
    )
    assert notice is not None
    assert notice.attempt_id == made.id
    assert isinstance(await another.lookup(replace(made, state=AttemptState.DECLINED)), Declined)
    await another.close()
    assert [p.status for p in square.of(made.id)] == ["CANCELED"]


async def test_a_late_request_without_webhooks_lapses(
    square: FakeSquare, shop: SquareGateway
) -> None:
    made = attempt()
    late = orders.Source.read({"token": square.token("approve")})
    body = orders.charge_body(made, late, LOCATION, at_once=True)
    assert (await shop.api.ask("POST", "/v2/payments", body)).accepted
    square.lapse()
    outcome = await shop.lookup(made)
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["code"] == "CANCELED"


async def test_the_payment_is_found_on_later_pages(square: FakeSquare, shop: SquareGateway) -> None:
    square.page = 3
    first = attempt()
    done = await shop.charge(first, {"token": square.token("approve")})
    for _ in range(7):
        assert isinstance(
            await shop.charge(attempt(), {"token": square.token("approve")}), Approved
        )
    assert await shop.lookup(first) == done


async def test_asked_again_with_other_data_the_first_payment_counts(
    square: FakeSquare, shop: SquareGateway
) -> None:
    made = attempt()
    first = await shop.charge(made, {"token": square.token("approve")})
    assert await shop.charge(made, {"token": square.token("approve")}) == first
    assert len(square.of(made.id)) == 1


async def test_a_restart_without_payment_data_finds_the_payment(
    square: FakeSquare, shop: SquareGateway
) -> None:
    made = attempt()
    square.fault = (Fault.TIMEOUT_AFTER, "")
    assert isinstance(await shop.charge(made, {"token": square.token("approve")}), Unknown)
    again = replace(made, repeated=True, billing=Address())
    assert isinstance(await shop.charge(again, {}), Approved)


async def test_another_account_proves_nothing(
    square: FakeSquare, shop: SquareGateway, clock: Later
) -> None:
    """The keys were changed, and Square knows nothing of what was paid before."""
    made = attempt()
    done = await shop.charge(made, {"token": square.token("approve")})
    assert isinstance(done, Approved)
    square.payments.clear()
    clock.ahead = timedelta(days=1)
    paid = makers.approved(made, done)
    assert isinstance(await shop.lookup(paid), Unknown)
    assert isinstance(await shop.refund(makers.refund(paid)), Unknown)


# --- the bank wants a check ---------------------------------------------------------------------


async def test_the_bank_is_told_the_amount_with_its_cents(
    square: FakeSquare, shop: SquareGateway
) -> None:
    """Also by a shop that keeps its prices without them."""
    made = replace(attempt(), amount=Currency("USD", 0).money(25))
    outcome = await shop.charge(made, {"token": square.token("action")})
    assert isinstance(outcome, NeedsAction)
    assert outcome.action_data["amount"] == "25.00"


async def asked_to_verify(square: FakeSquare, shop: SquareGateway) -> Attempt:
    made = attempt()
    outcome = await shop.charge(made, {"token": square.token("action")})
    assert isinstance(outcome, NeedsAction)
    assert outcome.action_type == "square_verify_buyer"
    assert outcome.action_data == {
        "application_id": "sandbox-sq0idb-abc",
        "location_id": LOCATION,
        "environment": "sandbox",
        "intent": "CHARGE",
        "amount": "19.99",
        "currency_code": "USD",
    }
    return makers.continued(made, outcome)


async def test_the_bank_wants_a_check(square: FakeSquare, shop: SquareGateway) -> None:
    waiting = await asked_to_verify(square, shop)
    assert isinstance(await shop.lookup(waiting), NeedsAction)
    payment = {"token": square.token("action"), "verification_token": square.verification()}
    done = await shop.charge(waiting, payment)
    assert isinstance(done, Approved)
    assert await shop.charge(waiting, payment) == done
    other = {"token": square.token("action"), "verification_token": square.verification()}
    assert await shop.charge(waiting, other) == done
    assert await shop.lookup(waiting) == done
    assert sorted(p.status for p in square.of(waiting.id)) == ["COMPLETED", "FAILED"]


async def test_two_tabs_after_the_check_charge_once(
    square: FakeSquare, shop: SquareGateway
) -> None:
    waiting = await asked_to_verify(square, shop)
    square.listed_after = timedelta(hours=1)  # neither sees the other's
    tabs = [
        {"token": square.token("action"), "verification_token": square.verification()}
        for _ in range(2)
    ]
    outcomes = await asyncio.gather(*(shop.charge(waiting, tab) for tab in tabs))
    assert sum(isinstance(outcome, Approved) for outcome in outcomes) == 1
    assert sorted(p.status for p in square.of(waiting.id)) == ["COMPLETED", "FAILED"]


async def test_a_second_demand_is_a_decline(square: FakeSquare, shop: SquareGateway) -> None:
    waiting = await asked_to_verify(square, shop)
    outcome = await shop.charge(waiting, {"token": square.token("action")})
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["code"] == "CARD_DECLINED_VERIFICATION_REQUIRED"


async def test_the_answer_after_the_check_is_lost(square: FakeSquare, shop: SquareGateway) -> None:
    waiting = await asked_to_verify(square, shop)
    payment = {"token": square.token("action"), "verification_token": square.verification()}
    square.fault = (Fault.TIMEOUT_AFTER, "")
    assert isinstance(await shop.charge(waiting, payment), Unknown)
    found = await shop.lookup(replace(waiting, state=AttemptState.UNKNOWN))
    assert isinstance(found, Approved)


async def test_the_continuation_is_lost(
    square: FakeSquare, shop: SquareGateway, clock: Later
) -> None:
    waiting = await asked_to_verify(square, shop)
    payment = {"token": square.token("action"), "verification_token": square.verification()}
    square.fault = (Fault.LOST, "")
    assert isinstance(await shop.charge(waiting, payment), Unknown)
    clock.ahead = timedelta(minutes=1)
    assert isinstance(await shop.lookup(replace(waiting, state=AttemptState.UNKNOWN)), Declined)
    assert all(p.status == "FAILED" for p in square.of(waiting.id))


async def test_a_shopper_who_never_comes_back_is_let_go(
    square: FakeSquare, shop: SquareGateway
) -> None:
    waiting = await asked_to_verify(square, shop)
    assert isinstance(await shop.void(waiting), Approved)


# --- refunds ------------------------------------------------------------------------------------


async def test_a_refund_is_found_when_square_has_forgotten_the_key(
    square: FakeSquare, shop: SquareGateway
) -> None:
    made = attempt()
    done = await shop.charge(made, {"token": square.token("approve")})
    assert isinstance(done, Approved)
    refund = makers.refund(makers.approved(made, done), 700, reason="Torn")
    first = await shop.refund(refund)
    square.answers.clear()
    assert await shop.refund(replace(refund, repeated=True)) == first
    assert len(square.refunds) == 1


async def test_money_that_is_only_reserved_is_not_refunded(
    square: FakeSquare, reserving: SquareGateway
) -> None:
    made = attempt()
    held = await reserving.charge(made, {"token": square.token("approve")})
    assert isinstance(held, Approved)
    assert "delay_duration" not in square.bodies[0]  # Square's seven days
    outcome = await reserving.refund(makers.refund(makers.approved(made, held)))
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["code"] == "PAYMENT_NOT_REFUNDABLE"


# --- webhooks -----------------------------------------------------------------------------------


@pytest.fixture
async def paid(square: FakeSquare, shop: SquareGateway) -> Attempt:
    made = attempt()
    done = await shop.charge(made, {"token": square.token("approve")})
    assert isinstance(done, Approved)
    return makers.approved(made, done)


@pytest.mark.parametrize(
    ("age", "retry", "taken"),
    [
        (timedelta(minutes=4), "", True),
        (timedelta(minutes=6), "", False),
        (timedelta(minutes=6), "1", True),
        (timedelta(hours=24), "11", True),
        (timedelta(hours=25), "11", False),
        (timedelta(minutes=6), "0", False),
        (timedelta(minutes=6), "²", False),
        (timedelta(minutes=-4), "", True),
        (timedelta(minutes=-6), "", False),
    ],
)
async def test_the_age_of_a_webhook(
    square: FakeSquare, shop: SquareGateway, paid: Attempt, age: timedelta, retry: str, taken: bool
) -> None:
    """A first delivery is young; a repetition is as old as Square's repetitions get."""
    raw, headers = square.event("payment.updated", square.of(paid.id)[0], datetime.now(UTC) - age)
    headers["square-retry-number"] = retry
    if taken:
        notice = await shop.parse_webhook(raw, headers)
        assert notice is not None
        assert (notice.attempt_id, notice.reference) == (paid.id, paid.reference)
    else:
        with pytest.raises(WebhookRefused):
            await shop.parse_webhook(raw, headers)


async def test_a_refunds_webhook_names_its_payment(
    square: FakeSquare, shop: SquareGateway, paid: Attempt
) -> None:
    notice = await shop.parse_webhook(*square.event("refund.updated", square.of(paid.id)[0]))
    assert notice is not None
    assert (notice.kind, notice.reference) == ("refund.updated", paid.reference)


async def test_webhooks_about_other_things_say_nothing(
    square: FakeSquare, shop: SquareGateway, paid: Attempt
) -> None:
    payment = square.of(paid.id)[0]
    assert await shop.parse_webhook(*square.event("payment.canceled_twice", payment)) is None
    payment.reference_id = ""  # taken at the till
    assert await shop.parse_webhook(*square.event("payment.updated", payment)) is None


@pytest.mark.parametrize(
    "raw",
    [
        b'{"event_id":"e","type":"payment.updated","created_at":"NOW","data":{"object":[]}}',
        b'{"event_id":"e","type":"payment.updated","created_at":"NOW"}',
        b'{"event_id":5,"type":"payment.updated","created_at":"NOW"}',
        b'{"event_id":"e","type":"payment.updated","created_at":"yesterday"}',
        b'{"event_id":"e","type":"payment.updated","created_at":"0001-01-01T00:00:00+23:59"}',
        b'{"event_id":"e","type":"payment.updated","created_at":{}}',
        b'{"event_id":"e","type":"payment.updated"}',
        b"[1]",
        b"\xff",
    ],
)
async def test_signed_nonsense_is_refused(shop: SquareGateway, raw: bytes) -> None:
    raw = raw.replace(b"NOW", datetime.now(UTC).isoformat().encode())
    with pytest.raises(WebhookRefused):
        await shop.parse_webhook(raw, signed(raw))


async def test_the_address_is_part_of_the_signature(square: FakeSquare, paid: Attempt) -> None:
    raw, headers = square.event("payment.updated", square.of(paid.id)[0])
    elsewhere = connected(square, webhook_url="https://other.example/hook")
    unset = connected(square, webhook_signature_key="")
    for each in (elsewhere, unset):
        with pytest.raises(WebhookRefused):
            await each.parse_webhook(raw, headers)
        await each.close()
    told = connected(square, webhook_url=NOTIFICATION_URL)
    assert await told.parse_webhook(raw, headers) is not None
    await told.close()


# --- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"access_token": ""}, "access_token is not set"),
        ({"location_id": ""}, "location_id is not set"),
        ({"environment": "live"}, "application_id is of the sandbox"),
        ({"application_id": "sq0idp-live"}, "application_id is of production"),
        ({"access_token": "sandbox-sq0csb-x"}, "an application secret"),
        ({"access_token": "sandbox-sq0idb-x"}, "an application id"),
        ({"application_id": "sq0csp-x"}, "is a secret"),
        ({"application_id": "EAAAxyz"}, "is a secret"),
    ],
)
async def test_complaints_name_the_setting_and_the_fix(
    square: FakeSquare, changes: dict[str, str], words: str
) -> None:
    shop = connected(square, **changes)
    complaints = shop.complaints()
    await shop.close()
    assert any(words in complaint for complaint in complaints)
    assert not any(
        value and value in "".join(complaints) for value in changes.values() if value != "live"
    )


async def test_storefronts_are_told_what_the_sdk_needs(
    square: FakeSquare, shop: SquareGateway
) -> None:
    context = await shop.context(makers.due())
    assert context.fields == {
        "application_id": "sandbox-sq0idb-abc",
        "location_id": LOCATION,
        "environment": "sandbox",
    }
    live = connected(square, environment="live", application_id="sq0idp-x")
    assert live.description.storefront["environment"] == "production"
    assert not live.description.test_mode
    await live.close()
    assert shop.description.test_mode
