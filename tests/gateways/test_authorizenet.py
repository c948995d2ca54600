"""The Authorize.Net gateway against Authorize.Net as we play it, over HTTP."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checkstand.customers.addresses import Address
from checkstand.errors import WebhookRefused
from checkstand.kit.clock import SystemClock
from checkstand.kit.money import Money
from checkstand.payments.gateway import House
from checkstand.payments.gateways.authorizenet import (
    AuthorizeNetGateway,
    gateway,
    ledger,
    names,
    requests,
)
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
from checkstand.testing.peer import Fault, Impossible, Peer, Wish
from checkstand.testing.promises.charging import Charging
from checkstand.testing.promises.reserving import Reserving
from checkstand.testing.promises.truth import Truth
from checkstand.testing.suite import GatewaySuite
from tests.gateways.authorizenet_fake import (
    CAPTURED,
    CLIENT_KEY,
    LOGIN,
    SIGNATURE_KEY,
    TRANSACTION_KEY,
    FakeAuthorizeNet,
    fake_authorizenet,
    signed,
)

KEYS: dict[str, Any] = {
    "environment": "sandbox",
    "api_login_id": LOGIN,
    "transaction_key": TRANSACTION_KEY,
    "public_client_key": CLIENT_KEY,
    "signature_key": SIGNATURE_KEY,
}


class Later:
    """A clock that tests move on."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def connected(provider: FakeAuthorizeNet, clock: Any = None, **changes: Any) -> AuthorizeNetGateway:
    house = House(clock or SystemClock(), "https://shop.example")
    return gateway(**{**KEYS, "api_base": provider.address, **changes}, house=house, timeout=2.5)


@pytest.fixture
async def provider() -> AsyncIterator[FakeAuthorizeNet]:
    async with fake_authorizenet() as played:
        yield played


@pytest.fixture
def clock() -> Later:
    return Later()


@pytest.fixture
async def shop(provider: FakeAuthorizeNet, clock: Later) -> AsyncIterator[AuthorizeNetGateway]:
    made = connected(provider, clock)
    yield made
    await made.close()


@pytest.fixture
async def reserving(provider: FakeAuthorizeNet, clock: Later) -> AsyncIterator[AuthorizeNetGateway]:
    made = connected(provider, clock, capture="manual")
    yield made
    await made.close()


def sent(provider: FakeAuthorizeNet, wish: str = "approve") -> dict[str, str]:
    return {"data_descriptor": requests.DESCRIPTOR, "data_value": provider.nonce(wish)}


def attempt(**changes: Any) -> Attempt:
    return makers.attempt("authorizenet", **changes)


# --- the suite that every gateway passes --------------------------------------------------------


class AuthorizeNetPeer(Peer):
    """No INSUFFICIENT_FUNDS: Authorize.Net says no more than "declined" (reason 2). No ACTION:
    Accept.js without a third party's 3-D Secure asks the shopper for nothing. No BROWSER: a browser
    begins no payment."""

    secrets = frozenset({TRANSACTION_KEY, SIGNATURE_KEY})
    patience = 2.0
    wishes = frozenset({Wish.APPROVE, Wish.DECLINE})
    faults = frozenset(Fault)

    def __init__(
        self, provider: FakeAuthorizeNet, shop: AuthorizeNetGateway, manual: AuthorizeNetGateway
    ) -> None:
        self.provider = provider
        self.gateway = shop
        self.reserving = manual

    async def payment(self, wish: Wish, amount: Money, binding: str) -> Mapping[str, Any]:
        return sent(self.provider, wish.value)

    async def charged(self, attempt_id: str) -> list[int]:
        return [cents(e.amount) for e in self.provider.of(attempt_id) if e.status in CAPTURED]

    async def reserved(self, attempt_id: str) -> list[int]:
        found = self.provider.of(attempt_id)
        return [cents(e.amount) for e in found if e.status == "authorizedPendingCapture"]

    async def returned(self, attempt_id: str) -> list[int]:
        paid = {entry.id for entry in self.provider.of(attempt_id)}
        return [cents(e.amount) for e in self.provider.entries.values() if e.of in paid]

    async def act(self, action: NeedsAction, *, agree: bool) -> None:
        raise Impossible("not among the wishes")

    def fail_next(self, fault: Fault) -> None:
        self.provider.fault = fault

    def answer_all(self, status: int | None) -> None:
        self.provider.only_status = status

    async def webhook(self, attempt_id: str) -> tuple[bytes, Mapping[str, str]]:
        return self.provider.event("authcapture.created", self.provider.of(attempt_id)[0])


def cents(amount: str) -> int:
    return round(float(amount) * 100)


class TestAuthorizeNet(GatewaySuite):
    """Every transaction is settled at once, as after a night: only then a part can be refunded."""

    @pytest.fixture
    def peer(
        self, provider: FakeAuthorizeNet, shop: AuthorizeNetGateway, reserving: AuthorizeNetGateway
    ) -> Peer:
        provider.settles_at_once = True
        return AuthorizeNetPeer(provider, shop, reserving)


class TestBeforeSettlement(Charging, Truth, Reserving):
    """The same promises on the same day."""

    @pytest.fixture
    def peer(
        self, provider: FakeAuthorizeNet, shop: AuthorizeNetGateway, reserving: AuthorizeNetGateway
    ) -> Peer:
        return AuthorizeNetPeer(provider, shop, reserving)


# --- what is sent -------------------------------------------------------------------------------


async def test_what_authorizenet_is_asked_for(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway
) -> None:
    made = attempt()
    assert isinstance(await shop.charge(made, sent(provider)), Approved)
    [asked] = provider.requests
    assert asked["transactionType"] == "authCaptureTransaction"
    assert (asked["amount"], asked["currencyCode"]) == ("19.99", "USD")
    assert asked["order"] == {"invoiceNumber": names.invoice(made.id), "description": made.id}
    assert asked["customer"] == {"email": "ines@example.com"}
    assert asked["billTo"]["zip"] == "90011"
    assert asked["billTo"]["firstName"] == "Ines"
    setting = {"settingName": "duplicateWindow", "settingValue": "28800"}
    assert asked["transactionSettings"] == {"setting": [setting]}


async def test_manual_capture_reserves(
    provider: FakeAuthorizeNet, reserving: AuthorizeNetGateway
) -> None:
    outcome = await reserving.charge(attempt(), sent(provider))
    assert isinstance(outcome, Approved)
    assert outcome.funds is Funds.AUTHORISED
    assert provider.requests[0]["transactionType"] == "authOnlyTransaction"


@pytest.mark.parametrize("name", ["data_value", "dataValue", "payment_nonce", "nonce"])
async def test_every_spelling_of_the_nonce(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway, name: str
) -> None:
    assert isinstance(await shop.charge(attempt(), {name: provider.nonce("approve")}), Approved)


async def test_what_accept_js_gives_can_be_sent_as_it_is(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway
) -> None:
    opaque = {"dataDescriptor": requests.DESCRIPTOR, "dataValue": provider.nonce("approve")}
    payment = {"opaqueData": opaque, "card_last_four": "1111", "card_type": "visa"}
    assert isinstance(await shop.charge(attempt(), payment), Approved)


@pytest.mark.parametrize(
    ("payment", "named"),
    [
        ({}, "data_value"),
        ({"data_value": 5}, "data_value"),
        ({"dataValue": "x" * 9000}, "dataValue"),
        ({"data_value": "x", "data_descriptor": []}, "data_descriptor"),
        ({"opaqueData": "nonsense"}, "opaqueData"),
    ],
)
async def test_payment_data_of_the_wrong_form_says_what_to_send(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway, payment: dict[str, Any], named: str
) -> None:
    outcome = await shop.charge(attempt(), payment)
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["field"] == named
    assert provider.calls == []


def test_names_fit_and_do_not_collide() -> None:
    made = {names.invoice(f"att_{number:032x}") for number in range(20_000)}
    assert len(made) == 20_000
    assert {len(name) for name in made} == {20}
    assert all(name.isalnum() and name.isupper() for name in made)


async def test_a_shared_invoice_number_is_not_taken_for_the_attempt(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway
) -> None:
    other, made = attempt(), attempt()
    assert isinstance(await shop.charge(other, sent(provider)), Approved)
    provider.of(other.id)[0].invoice = names.invoice(made.id)
    assert isinstance(await shop.lookup(made), Unknown)


@pytest.mark.parametrize(("minor", "code"), [(500, "JPY"), (12_345, "KWD")])
async def test_a_currency_that_it_does_not_take(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway, minor: int, code: str
) -> None:
    outcome = await shop.charge(attempt(amount=money(minor, code)), sent(provider))
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["code"] == "currency_not_supported"
    assert provider.calls == []


async def test_a_currency_that_the_account_does_not_take(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway
) -> None:
    outcome = await shop.charge(attempt(amount=money(1999, "EUR")), sent(provider))
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["code"] == "currency_not_supported"
    assert outcome.gateway_error["reason_code"] == "39"


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "code", "reason", "words"),
    [
        ("decline", "card_declined", "2", "declined"),
        ("cvv", "cvv_mismatch", "44", "security code"),
        ("avs", "avs_mismatch", "27", "address"),
        ("expired", "expired_card", "8", "expired"),
        ("number", "invalid_number", "6", "number"),
    ],
)
async def test_a_decline_has_the_members_of_the_contract(
    provider: FakeAuthorizeNet,
    shop: AuthorizeNetGateway,
    wish: str,
    code: str,
    reason: str,
    words: str,
) -> None:
    made = attempt()
    outcome = await shop.charge(made, sent(provider, wish))
    assert isinstance(outcome, Declined)
    assert words in outcome.message
    error = outcome.gateway_error
    assert (error["code"], error["reason_code"]) == (code, reason)
    assert set(error) == {"code", "message", "reason_code", "reason_text"}
    assert error["reason_text"]
    if provider.of(made.id):  # errors (3) leave no transaction behind
        assert await shop.lookup(made) == outcome


async def test_a_spent_nonce_asks_for_the_card_again(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway
) -> None:
    payment = sent(provider)
    assert isinstance(await shop.charge(attempt(), payment), Approved)
    outcome = await shop.charge(attempt(), payment)
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["code"] == "invalid_token"
    assert outcome.gateway_error["reason_code"] == "E00114"


@pytest.mark.parametrize("wrong", ["transaction_key", "inactive"])
async def test_our_own_faults_are_logged_and_charge_nothing(
    provider: FakeAuthorizeNet, caplog: pytest.LogCaptureFixture, wrong: str
) -> None:
    changes = {} if wrong == "inactive" else {"transaction_key": "0000000000000000"}
    shop = connected(provider, **changes)
    outcome = await shop.charge(attempt(), sent(provider, wrong if not changes else "approve"))
    await shop.close()
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["code"] == "configuration_error"
    assert [record for record in caplog.records if record.levelno == logging.ERROR]
    assert TRANSACTION_KEY not in caplog.text
    assert provider.entries == {}


async def test_a_retry_that_is_turned_away_is_no_decline(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway
) -> None:
    made, payment = attempt(), sent(provider)
    provider.fault = Fault.TIMEOUT_AFTER
    assert isinstance(await shop.charge(made, payment), Unknown)
    provider.unlisted = True
    assert isinstance(await shop.charge(made, payment), Unknown)  # its nonce is spent: E00114
    provider.api_error = "E00007"
    assert isinstance(await shop.charge(made, payment), Unknown)


@pytest.mark.parametrize("code", ["E00001", "E00053", "E00104"])
async def test_errors_of_its_own_are_unknown(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway, code: str
) -> None:
    provider.api_error = code
    assert isinstance(await shop.charge(attempt(), sent(provider)), Unknown)


async def test_a_lost_answer_of_the_bank_is_unknown(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway
) -> None:
    assert isinstance(await shop.charge(attempt(), sent(provider, "lost")), Unknown)


@pytest.mark.parametrize("garbage", [b"", b"[]", b"\xff", b'{"messages":{"resultCode":"Ok"}}'])
async def test_answers_that_cannot_be_read_are_unknown(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway, garbage: bytes
) -> None:
    provider.garbage = garbage
    made = attempt()
    assert isinstance(await shop.charge(made, sent(provider)), Unknown)
    assert isinstance(await shop.lookup(replace(made, reference="60000000001")), Unknown)


# --- held for review ----------------------------------------------------------------------------


async def test_what_is_held_for_review_waits(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway
) -> None:
    made = attempt()
    outcome = await shop.charge(made, sent(provider, "held"))
    assert isinstance(outcome, Unknown)
    assert outcome.reference
    waiting = replace(made, reference=outcome.reference, state=AttemptState.UNKNOWN)
    assert isinstance(await shop.lookup(waiting), Unknown)
    [entry] = provider.of(made.id)
    entry.status = "capturedPendingSettlement"  # the merchant approves it
    assert await shop.lookup(waiting) == Approved(Funds.CAPTURED, entry.id)
    entry.status = "failedReview"
    assert isinstance(await shop.lookup(waiting), Declined)


# --- what was lost ------------------------------------------------------------------------------


async def test_a_nonce_that_may_still_be_good_is_not_given_up(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway, clock: Later
) -> None:
    made, payment = attempt(), sent(provider)
    provider.fault = Fault.LOST
    assert isinstance(await shop.charge(made, payment), Unknown)
    clock.ahead = timedelta(minutes=14)
    assert isinstance(await shop.lookup(replace(made, looks=9)), Unknown)
    clock.ahead = timedelta(minutes=17)
    assert isinstance(await shop.lookup(replace(made, looks=1)), Unknown)
    assert isinstance(await shop.lookup(replace(made, looks=2)), Declined)


async def test_a_request_that_comes_after_that_cannot_charge(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway
) -> None:
    """The word of the look-up rests on this: the nonce is over by then."""
    body = requests.charge(attempt(), requests.Nonce.read(sent(provider)), at_once=True)
    provider.now_ahead = timedelta(minutes=16)
    answer = await shop.api.ask("createTransactionRequest", body)
    assert (answer.accepted, answer.code) == (False, "E00114")
    assert provider.entries == {}


async def test_a_transaction_that_turns_up_later_is_voided(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway
) -> None:
    made = attempt()
    assert isinstance(await shop.charge(made, sent(provider)), Approved)
    given_up = replace(made, state=AttemptState.DECLINED)
    assert isinstance(await shop.lookup(given_up), Declined)
    assert [entry.status for entry in provider.of(made.id)] == ["voided"]


async def test_a_transaction_that_turns_up_settled_is_told(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway
) -> None:
    made = attempt()
    done = await shop.charge(made, sent(provider))
    provider.settle()
    assert await shop.lookup(replace(made, state=AttemptState.DECLINED)) == done


async def test_of_two_transactions_the_later_is_voided(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway
) -> None:
    """Another process charged the same attempt with another card, and neither saw the other."""
    made = attempt()
    first = await shop.charge(made, sent(provider))
    [entry] = provider.of(made.id)
    twin = replace(entry, id="60000000099", submitted=entry.submitted + timedelta(seconds=1))
    provider.entries[twin.id] = twin
    assert await shop.lookup(made) == first
    assert [e.status for e in provider.of(made.id)] == ["capturedPendingSettlement", "voided"]


async def test_a_duplicate_that_is_not_listed_yet_is_unknown(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway
) -> None:
    made = attempt()
    provider.fault = Fault.ERROR_AFTER
    assert isinstance(await shop.charge(made, sent(provider)), Unknown)
    provider.unlisted = True
    again = replace(made, repeated=True)
    assert isinstance(await shop.charge(again, sent(provider)), Unknown)
    assert len(provider.of(made.id)) == 1
    provider.unlisted = False
    assert isinstance(await shop.charge(again, {}), Approved)


async def test_it_is_looked_for_before_a_second_charge(
    provider: FakeAuthorizeNet, clock: Later
) -> None:
    """By another process, with the billing address gone and the nonce still good."""
    made, payment = attempt(), sent(provider)
    first = connected(provider, clock)
    done = await first.charge(made, payment)
    await first.close()
    provider.calls.clear()
    other = connected(provider, clock)
    again = replace(made, repeated=True, billing=Address())
    assert await other.charge(again, sent(provider)) == done
    await other.close()
    assert "createTransactionRequest" not in provider.calls


async def test_it_is_found_after_many_others_and_after_settlement(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "_PAGE", 3)
    made = attempt()
    done = await shop.charge(made, sent(provider))
    for _ in range(7):
        assert isinstance(await shop.charge(attempt(), sent(provider)), Approved)
    assert await shop.lookup(made) == done
    provider.settle()
    assert await shop.lookup(made) == done


async def test_lists_without_an_end_settle_nothing(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "_PAGE", 1)
    monkeypatch.setattr(ledger, "_MOST_PAGES", 2)
    for _ in range(3):
        assert isinstance(await shop.charge(attempt(), sent(provider)), Approved)
    old = attempt(created_at=datetime.now(UTC) - timedelta(hours=1), looks=9)
    assert isinstance(await shop.lookup(old), Unknown)


async def test_another_account_proves_nothing(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway, clock: Later
) -> None:
    """The keys were changed, and Authorize.Net knows nothing of what was paid before."""
    made = attempt()
    done = await shop.charge(made, sent(provider))
    assert isinstance(done, Approved)
    provider.entries.clear()
    clock.ahead = timedelta(days=1)
    paid = makers.approved(replace(made, looks=9), done)
    assert isinstance(await shop.lookup(paid), Unknown)
    assert isinstance(await shop.refund(makers.refund(paid)), Unknown)


async def test_without_permission_to_look_nothing_is_settled(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway
) -> None:
    provider.api_error = "E00011"
    old = attempt(created_at=datetime.now(UTC) - timedelta(hours=1), looks=9)
    assert isinstance(await shop.lookup(old), Unknown)


# --- giving money back --------------------------------------------------------------------------


@pytest.fixture
async def paid(provider: FakeAuthorizeNet, shop: AuthorizeNetGateway) -> Attempt:
    made = attempt()
    done = await shop.charge(made, sent(provider))
    assert isinstance(done, Approved)
    return makers.approved(made, done)


async def test_all_of_an_unsettled_payment_is_voided(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway, paid: Attempt
) -> None:
    refund = makers.refund(paid)
    for repeated in (False, True):
        outcome = await shop.refund(replace(refund, repeated=repeated))
        assert outcome == Approved(Funds.RETURNED, paid.reference)
    assert [entry.status for entry in provider.entries.values()] == ["voided"]


@pytest.mark.parametrize("fault", list(Fault))
async def test_a_fault_while_voiding(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway, paid: Attempt, fault: Fault
) -> None:
    refund = makers.refund(paid)
    provider.fault = fault
    assert isinstance(await shop.refund(refund), Approved | Unknown)
    assert isinstance(await shop.refund(replace(refund, repeated=True)), Approved)
    assert [entry.status for entry in provider.entries.values()] == ["voided"]


async def test_a_part_of_an_unsettled_payment_says_when(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway, paid: Attempt
) -> None:
    refused = await shop.refund(makers.refund(paid, 700))
    assert isinstance(refused, Declined)
    assert refused.gateway_error["code"] == "not_settled"
    assert "tomorrow" in refused.message
    too_much = await shop.refund(makers.refund(paid, 2000))
    assert isinstance(too_much, Declined)
    assert too_much.gateway_error["reason_code"] == "55"
    provider.settle()
    assert isinstance(await shop.refund(makers.refund(paid, 700)), Approved)
    assert provider.requests[-1]["payment"]["creditCard"]["cardNumber"] == "1111"


async def test_a_settled_refund_is_found_when_the_window_is_over(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway, paid: Attempt
) -> None:
    provider.settle()
    refund = makers.refund(paid, 700)
    first = await shop.refund(refund)
    provider.settle()
    provider._recent.clear()
    assert await shop.refund(replace(refund, repeated=True)) == first
    assert len(provider.entries) == 2


async def test_what_is_only_reserved_is_not_refunded(
    provider: FakeAuthorizeNet, reserving: AuthorizeNetGateway
) -> None:
    made = attempt()
    held = await reserving.charge(made, sent(provider))
    assert isinstance(held, Approved)
    outcome = await reserving.refund(makers.refund(makers.approved(made, held)))
    assert isinstance(outcome, Declined)
    assert outcome.gateway_error["code"] == "not_captured"


# --- webhooks -----------------------------------------------------------------------------------


async def test_a_webhook_is_told_whose_it_is(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway, paid: Attempt
) -> None:
    [entry] = provider.of(paid.id)
    notice = await shop.parse_webhook(*provider.event("authcapture.created", entry))
    assert notice is not None
    assert (notice.attempt_id, notice.reference) == (paid.id, entry.id)
    entry.description = "Auto-charge for Invoice #60"  # another program of the same merchant
    foreign = await shop.parse_webhook(*provider.event("authcapture.created", entry))
    assert foreign is not None
    assert foreign.attempt_id == ""
    provider.garbage = b"down"
    silent = await shop.parse_webhook(*provider.event("authcapture.created", entry))
    assert silent is not None
    assert (silent.attempt_id, silent.reference) == ("", entry.id)


async def test_a_refunds_webhook_names_what_was_paid(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway, paid: Attempt
) -> None:
    provider.settle()
    given = await shop.refund(makers.refund(paid, 700))
    assert isinstance(given, Approved)
    event = provider.event("refund.created", provider.entries[given.reference])
    notice = await shop.parse_webhook(*event)
    assert notice is not None
    assert (notice.attempt_id, notice.reference) == ("", paid.reference)


@pytest.mark.parametrize(
    ("age", "taken"),
    [
        (timedelta(minutes=1), True),
        (timedelta(days=9), True),
        (timedelta(days=11), False),
        (timedelta(minutes=-6), False),
    ],
)
async def test_the_age_of_a_webhook(
    provider: FakeAuthorizeNet,
    shop: AuthorizeNetGateway,
    paid: Attempt,
    age: timedelta,
    taken: bool,
) -> None:
    event = provider.event("void.created", provider.of(paid.id)[0], datetime.now(UTC) - age)
    if taken:
        assert await shop.parse_webhook(*event) is not None
    else:
        with pytest.raises(WebhookRefused):
            await shop.parse_webhook(*event)


async def test_the_signature_is_taken_with_the_key_as_text_or_as_bytes(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway, paid: Attempt
) -> None:
    raw, headers = provider.event("authcapture.created", provider.of(paid.id)[0])
    for key in (SIGNATURE_KEY.encode(), bytes.fromhex(SIGNATURE_KEY)):
        assert await shop.parse_webhook(raw, signed(raw, key)) is not None
    lower = {name: value.lower() for name, value in headers.items()}
    assert await shop.parse_webhook(raw, lower) is not None
    without_prefix = {name: value.partition("=")[2] for name, value in headers.items()}
    unset = connected(provider, signature_key="")
    for each, told in ((shop, signed(raw, b"other")), (shop, without_prefix), (unset, headers)):
        with pytest.raises(WebhookRefused):
            await each.parse_webhook(raw, told)
    await unset.close()


@pytest.mark.parametrize(
    "raw",
    [
        b'{"notificationId":"n","eventType":"net.authorize.payment.x","eventDate":"NOW"}',
        b'{"notificationId":"n","eventType":"net.authorize.payment.x","eventDate":"NOW","payload":'
        b'{"id":"../1"}}',
        b'{"notificationId":1,"eventType":"net.authorize.payment.x","eventDate":"NOW"}',
        b'{"notificationId":"n","eventType":"net.authorize.payment.x","eventDate":"soon"}',
        b'{"notificationId":"n","eventType":"net.authorize.payment.x"}',
        b"[]",
        b"\xff",
    ],
)
async def test_signed_nonsense_is_refused(shop: AuthorizeNetGateway, raw: bytes) -> None:
    raw = raw.replace(b"NOW", datetime.now(UTC).isoformat().encode())
    with pytest.raises(WebhookRefused):
        await shop.parse_webhook(raw, signed(raw))


async def test_webhooks_about_other_things_say_nothing(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway, paid: Attempt
) -> None:
    raw, _ = provider.event("x", provider.of(paid.id)[0])
    raw = raw.replace(b"net.authorize.payment.x", b"net.authorize.customer.created")
    assert await shop.parse_webhook(raw, signed(raw)) is None


# --- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"transaction_key": ""}, "transaction_key is not set"),
        ({"public_client_key": ""}, "public_client_key is not set"),
        ({"api_login_id": ""}, "api_login_id is not set"),
        ({"transaction_key": SIGNATURE_KEY}, "transaction_key is a signature key"),
        ({"transaction_key": "x" * 17}, "more than 16 characters"),
        ({"public_client_key": TRANSACTION_KEY}, "what storefronts are shown"),
        ({"public_client_key": SIGNATURE_KEY}, "public_client_key is a signature key"),
        ({"signature_key": "secret"}, "128 hexadecimal"),
    ],
)
async def test_complaints_name_the_setting_and_the_fix(
    provider: FakeAuthorizeNet, changes: dict[str, str], words: str
) -> None:
    shop = connected(provider, **changes)
    complaints = " ".join(shop.complaints())
    await shop.close()
    assert words in complaints
    assert not any(value and value in complaints for value in changes.values())


async def test_storefronts_are_told_what_accept_js_needs(
    provider: FakeAuthorizeNet, shop: AuthorizeNetGateway
) -> None:
    assert (await shop.context(makers.due())).fields == {
        "public_client_key": CLIENT_KEY,
        "api_login_id": LOGIN,
        "environment": "sandbox",
    }
    live = connected(provider, environment="live")
    assert live.description.storefront["environment"] == "production"
    assert not live.description.test_mode
    await live.close()
