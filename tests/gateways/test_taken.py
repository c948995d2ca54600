"""What approvals say of money that was taken: the whole, a part, and what the shop cannot count."""

from __future__ import annotations

from decimal import Decimal

import pytest

from checkstand.kit.money import Currency, Money
from checkstand.payments.gateways import offline, taken
from checkstand.payments.model import Approved, Declined, Funds, Outcome, Unknown
from checkstand.testing import makers
from checkstand.testing.makers import money

WHOLE_DOLLARS = Currency("USD", 0)


@pytest.mark.parametrize(
    ("due", "told", "part"),
    [
        (money(2500), "25", None),
        (money(2500), "25.000", None),
        (money(2500), "10.00", money(1000)),
        (money(2500), "0", money(0)),
        (money(500, "JPY"), "500", None),
        (money(500, "JPY"), "499", money(499, "JPY")),
        (money(12_345, "KWD"), "12.340", money(12_340, "KWD")),
        (WHOLE_DOLLARS.money(25), "25.00", None),
        (WHOLE_DOLLARS.money(25), "10.00", WHOLE_DOLLARS.money(10)),
        # Taken by hand at the provider: never more is booked than that.
        (WHOLE_DOLLARS.money(25), "10.99", WHOLE_DOLLARS.money(10)),
        (WHOLE_DOLLARS.money(25), "24.99", WHOLE_DOLLARS.money(24)),
    ],
)
def test_a_part_is_told_in_the_shops_units(due: Money, told: str, part: Money | None) -> None:
    attempt = makers.attempt("card", due)
    outcome = taken.captured(attempt, "ref", Decimal(told))
    assert outcome == Approved(Funds.CAPTURED, "ref", captured=part)


@pytest.mark.parametrize(
    ("part", "asked", "confirmed"),
    [
        (None, money(2500), True),
        (None, money(1000), False),
        (money(1000), money(1000), True),
        (money(1000), money(2500), False),
        (money(0), money(2500), False),
    ],
)
def test_only_what_was_asked_for_is_confirmed(
    part: Money | None, asked: Money, confirmed: bool
) -> None:
    attempt = makers.attempt("card", money(2500))
    outcome = taken.as_asked(Approved(Funds.CAPTURED, "ref", captured=part), attempt, asked)
    if confirmed:
        assert outcome == Approved(Funds.CAPTURED, "ref", captured=part)
    else:
        assert isinstance(outcome, Declined)
        assert outcome.gateway_error["code"] == "already_captured"


@pytest.mark.parametrize("other", [Unknown("silent"), Declined("No."), Approved(Funds.AUTHORISED)])
def test_other_answers_to_a_capture_stay(other: Outcome) -> None:
    assert taken.as_asked(other, makers.attempt("card"), money(1)) is other


async def test_a_transfer_of_a_part_is_booked_as_that() -> None:
    attempt = makers.attempt("bacs", money(2500))
    told = await offline.bank_transfer("", "").capture(attempt, money(1000))
    assert told == Approved(Funds.CAPTURED, captured=money(1000))
    assert await offline.bank_transfer("", "").capture(attempt, money(2500)) == Approved(
        Funds.CAPTURED
    )
