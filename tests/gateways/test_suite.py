"""The suite finds mistakes: gateways that are broken on purpose, and the promise that each breaks.

Each is the example's gateway with one thing wrong. Intact, it passes them all (test_example.py).
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "acme-gateway"
sys.path += [str(EXAMPLE / "src"), str(EXAMPLE / "tests")]

from acme_gateway.adapter import AcmeGateway, KeyRefused, Silent  # noqa: E402
from fake_acme import FakeAcme, fake_acme  # noqa: E402
from test_acme import HOUSE, OPTIONS, AcmePeer  # noqa: E402

from checkstand.kit.money import Currency, Money  # noqa: E402
from checkstand.payments.gateway import Context, Due, Notice  # noqa: E402
from checkstand.payments.model import (  # noqa: E402
    Approved,
    Attempt,
    Declined,
    Funds,
    Outcome,
    Refund,
)
from checkstand.testing.peer import Fault, Wish  # noqa: E402
from checkstand.testing.suite import GatewaySuite  # noqa: E402

NO = Declined("no", {"code": "no", "message": "no"})


class ChargesEachTime(AcmeGateway):
    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        return await super().charge(replace(attempt, id=f"{attempt.id}+{uuid4().hex}"), payment)


class ChargesWhenRepeated(AcmeGateway):
    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        name = f"{attempt.id}+again" if attempt.repeated else attempt.id
        return await super().charge(replace(attempt, id=name), payment)


class ChargesOneMore(AcmeGateway):
    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        more = attempt.amount + attempt.amount.currency.money(1)
        return await super().charge(replace(attempt, amount=more), payment)


class DeclinesWithoutSayingWhy(AcmeGateway):
    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        outcome = await super().charge(attempt, payment)
        return Declined("", {}) if isinstance(outcome, Declined) else outcome


class TakesSilenceForADecline(AcmeGateway):
    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        try:
            return await super().charge(attempt, payment)
        except Silent:
            return NO


class LooksUpTooEarly(AcmeGateway):
    async def lookup(self, attempt: Attempt) -> Outcome:
        answer = await self._ask("GET", f"/payments/{attempt.id}")
        return NO if answer.status_code == 404 else self._outcome(attempt, answer)


class LooksUpByReferenceOnly(AcmeGateway):
    async def lookup(self, attempt: Attempt) -> Outcome:
        return await super().lookup(attempt) if attempt.reference else NO


class TakesARefusedKeyForADecline(AcmeGateway):
    async def lookup(self, attempt: Attempt) -> Outcome:
        try:
            return await super().lookup(attempt)
        except KeyRefused:
            return NO


class TakesAnEmptyAnswerForADecline(AcmeGateway):
    def _outcome(self, attempt: Attempt, answer: Any) -> Outcome:
        return super()._outcome(attempt, answer) if answer.json() else NO


class NeverFindsOut(AcmeGateway):
    async def lookup(self, attempt: Attempt) -> Outcome:
        raise Silent


class NeverReturns(AcmeGateway):
    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        return await asyncio.sleep(60, NO)


class TrustsAnySession(AcmeGateway):
    async def _pays_for(self, attempt: Attempt) -> bool:
        return True


class ForgetsTheAction(AcmeGateway):
    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        name = attempt.id + ("+" if attempt.action else "")
        return await super().charge(replace(attempt, id=name, reference=""), payment)


class VoidsWhatIsTaken(AcmeGateway):
    async def void(self, attempt: Attempt) -> Outcome:
        return Approved(Funds.RETURNED)


class RefundsEachTime(AcmeGateway):
    async def refund(self, refund: Refund) -> Outcome:
        return await super().refund(replace(refund, id=uuid4().hex))


class RefundsWithoutAsking(AcmeGateway):
    async def refund(self, refund: Refund) -> Outcome:
        return Approved(Funds.RETURNED, refund.id)


class TrustsTypes(AcmeGateway):
    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        payment["token"].strip()
        return await super().charge(attempt, payment)


class TrustsReferences(AcmeGateway):
    def browser_payment(self, payment: Mapping[str, Any]) -> str:
        return str(payment.get("token", ""))


class TrustsWebhooks(AcmeGateway):
    async def parse_webhook(self, raw: bytes, headers: Mapping[str, str]) -> Notice | None:
        return Notice("evt_1", "payment.captured", raw.decode().rpartition(": ")[2].strip('"}'))


class TakesOldWebhooks(AcmeGateway):
    async def parse_webhook(self, raw: bytes, headers: Mapping[str, str]) -> Notice | None:
        await asyncio.sleep(0)
        self._house = replace(self._house, clock=Then(int(headers["acme-timestamp"])))
        return await super().parse_webhook(raw, headers)


class Then:
    def __init__(self, at: int) -> None:
        self.at = at

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


class TellsItsKey(AcmeGateway):
    async def context(self, due: Due) -> Context:
        context = await super().context(due)
        return replace(context, fields={**context.fields, "key": self._secret_key})


class LogsTheToken(AcmeGateway):
    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        logging.getLogger("checkstand.acme").info("charging %s", payment)
        return await super().charge(attempt, payment)


class PreparesAnew(AcmeGateway):
    async def context(self, due: Due) -> Context:
        return await super().context(replace(due, reference="", request_key=uuid4().hex))


class CapturesAtOnce(AcmeGateway):
    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        self._reserves = False
        return await super().charge(attempt, payment)


class ConfirmsAnyCapture(AcmeGateway):
    async def capture(self, attempt: Attempt, amount: Money) -> Outcome:
        outcome = await super().capture(attempt, amount)
        return Approved(Funds.CAPTURED) if isinstance(outcome, Declined) else outcome


class TellsNoPart(AcmeGateway):
    def _outcome(self, attempt: Attempt, answer: Any) -> Outcome:
        outcome = super()._outcome(attempt, answer)
        return replace(outcome, captured=None) if isinstance(outcome, Approved) else outcome


class TellsThePartOnlyWhenItCaptures(AcmeGateway):
    async def lookup(self, attempt: Attempt) -> Outcome:
        outcome = await super().lookup(attempt)
        return replace(outcome, captured=None) if isinstance(outcome, Approved) else outcome


class CountsInTheShopsUnits(AcmeGateway):
    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        code = attempt.amount.currency.code
        amount = Money(attempt.amount.minor, Currency.of(code))
        return await super().charge(replace(attempt, amount=amount), payment)


BROKEN: list[tuple[type[AcmeGateway], str, dict[str, Any]]] = [
    (ChargesEachTime, "the_same_attempt_asked_again_charges_once", {"repeated": False}),
    (ChargesEachTime, "the_same_attempt_asked_at_the_same_time_charges_once", {"repeated": False}),
    (ChargesWhenRepeated, "the_same_attempt_asked_again_charges_once", {"repeated": True}),
    (ChargesOneMore, "amounts_are_charged_to_the_unit", {"minor": 500, "code": "JPY"}),
    (CountsInTheShopsUnits, "an_amount_without_cents_is_charged_in_the_providers_units", {}),
    (DeclinesWithoutSayingWhy, "a_decline_says_why_and_charges_nothing", {"wish": Wish.DECLINE}),
    (
        TakesSilenceForADecline,
        "after_a_fault_the_look_up_agrees_with_the_ledger",
        {"fault": Fault.TIMEOUT_AFTER, "crashed": False},
    ),
    (LooksUpTooEarly, "what_the_provider_never_saw_is_declined_for_good", {}),
    (
        LooksUpTooEarly,
        "after_a_fault_the_look_up_agrees_with_the_ledger",
        {"fault": Fault.LOST, "crashed": True},
    ),
    (
        LooksUpByReferenceOnly,
        "after_a_fault_the_look_up_agrees_with_the_ledger",
        {"fault": Fault.ERROR_AFTER, "crashed": True},
    ),
    (TakesARefusedKeyForADecline, "what_is_not_understood_is_never_a_decline", {"status": 401}),
    (TakesAnEmptyAnswerForADecline, "what_is_not_understood_is_never_a_decline", {"status": 200}),
    (NeverFindsOut, "what_the_provider_never_saw_is_declined_for_good", {}),
    (NeverReturns, "an_approved_payment_is_charged_once", {}),
    (TrustsAnySession, "it_does_not_pay_for_another_cart", {"binding": "another-cart"}),
    (ForgetsTheAction, "an_agreed_action_is_charged_once", {"payment": "the same"}),
    (VoidsWhatIsTaken, "what_was_captured_cannot_be_voided", {}),
    (RefundsEachTime, "the_same_refund_pays_once", {}),
    (RefundsEachTime, "after_a_fault_the_refund_still_pays_once", {"fault": Fault.ERROR_AFTER}),
    (RefundsWithoutAsking, "a_full_refund_returns_all", {}),
    (RefundsWithoutAsking, "a_refund_of_more_than_was_captured_is_declined", {}),
    (TrustsTypes, "junk_is_declined_and_never_charges", {"junk": "null"}),
    (TrustsReferences, "junk_is_declined_and_never_charges", {"junk": "very long"}),
    (TrustsWebhooks, "a_flipped_bit_in_the_body_is_refused", {}),
    (TrustsWebhooks, "a_flipped_bit_in_the_signature_is_refused", {}),
    (TakesOldWebhooks, "a_webhook_that_is_too_old_is_refused", {}),
    (PreparesAnew, "a_context_is_fit_for_browsers_and_used_again", {}),
]


class LedgerByPrefix(AcmePeer):
    """Also sees charges that were made under other names derived from the attempt's."""

    patience = 1.0

    async def charged(self, attempt_id: str) -> list[int]:
        mine = [each for name, each in self.acme.payments.items() if name.startswith(attempt_id)]
        return [payment["captured"] for payment in mine if payment["captured"]]


@pytest.fixture
def acme() -> Iterator[FakeAcme]:
    with fake_acme() as provider:
        yield provider


@pytest.fixture
async def intact(acme: FakeAcme) -> AsyncIterator[LedgerByPrefix]:
    peer = LedgerByPrefix(acme)
    yield peer
    await peer.gateway.close()
    await peer.reserving.close()


@asynccontextmanager
async def broken(
    kind: type[AcmeGateway], acme: FakeAcme, *, reserves: bool = False
) -> AsyncIterator[AcmeGateway]:
    made = kind(
        api_base=acme.url,
        secret_key=str(OPTIONS["secret_key"]),
        publishable_key=str(OPTIONS["publishable_key"]),
        webhook_secret=str(OPTIONS["webhook_secret"]),
        reserves=reserves,
        timeout=0.5,
        house=HOUSE,
    )
    yield made
    await made.close()


def with_gateway(peer: LedgerByPrefix, gateway: AcmeGateway) -> LedgerByPrefix:
    other = copy(peer)
    other.gateway = gateway
    return other


@pytest.mark.parametrize(("kind", "promise", "given"), BROKEN)
async def test_a_broken_gateway_is_found_out(
    intact: LedgerByPrefix, kind: type[AcmeGateway], promise: str, given: dict[str, Any]
) -> None:
    test = getattr(GatewaySuite(), f"test_{promise}")
    await test(intact, **given)
    async with broken(kind, intact.acme) as gateway:
        # A gateway that raises where it must not is seen as what it raises.
        with pytest.raises((AssertionError, pytest.fail.Exception, AttributeError)):
            await test(with_gateway(intact, gateway), **given)


@pytest.mark.parametrize("kind", [TellsItsKey, LogsTheToken])
async def test_told_secrets_are_found(
    intact: LedgerByPrefix, kind: type[AcmeGateway], caplog: pytest.LogCaptureFixture
) -> None:
    suite = GatewaySuite()
    await suite.test_no_secret_is_told(intact, caplog)
    async with broken(kind, intact.acme) as gateway:
        with pytest.raises(AssertionError):
            await suite.test_no_secret_is_told(with_gateway(intact, gateway), caplog)


async def test_a_peer_says_which_secrets_there_are(
    intact: LedgerByPrefix, caplog: pytest.LogCaptureFixture
) -> None:
    intact.secrets = None
    with pytest.raises(AssertionError, match=r"peer\.secrets"):
        await GatewaySuite().test_no_secret_is_told(intact, caplog)


@pytest.mark.parametrize(
    ("kind", "promise", "given"),
    [
        (CapturesAtOnce, "money_is_reserved_once_then_captured_once", {}),
        (
            ConfirmsAnyCapture,
            "another_amount_than_was_captured_is_not_confirmed",
            {"first": 1200, "then": 1999},
        ),
        (TellsNoPart, "less_than_was_reserved_can_be_captured", {}),
        (TellsThePartOnlyWhenItCaptures, "less_than_was_reserved_can_be_captured", {}),
        (
            TellsThePartOnlyWhenItCaptures,
            "after_a_fault_it_is_known_how_much_was_captured",
            {"fault": Fault.ERROR_AFTER},
        ),
        (CountsInTheShopsUnits, "a_reservation_counts_in_the_providers_units", {}),
    ],
)
async def test_a_broken_reservation_is_found_out(
    intact: LedgerByPrefix, kind: type[AcmeGateway], promise: str, given: dict[str, Any]
) -> None:
    test = getattr(GatewaySuite(), f"test_{promise}")
    await test(intact, intact.reserving, **given)
    async with broken(kind, intact.acme, reserves=True) as gateway:
        with pytest.raises(AssertionError):
            await test(intact, gateway, **given)
