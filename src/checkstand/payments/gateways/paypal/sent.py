"""What a storefront sends as payment data, in all its spellings (contract checkout.md 9).

It is untrusted: the PayPal order that it names is fetched, and what it says about amounts can only
speak against the payment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from checkstand.kit.money import Money
from checkstand.payments.gateways.paypal.amounts import number
from checkstand.payments.model import Declined

# Guides, the JS package, and what PayPal's own script calls them.
_ORDER = ("paypal_order_id", "order_id", "orderID")
_PAYER = ("paypal_payer_id", "payer_id", "payerID")
_ORDER_ID = re.compile(r"[A-Z0-9]{8,36}")
_PAYER_ID = re.compile(r"[A-Z0-9]{8,20}")
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Sent:
    """`wrong`: why this cannot be used, in words for the storefront's developer."""

    order_id: str = ""
    payer_id: str = ""
    gross: Decimal | None = None
    currency: str = ""
    wrong: str = ""

    def contradiction(self, amount: Money, payer_id: str) -> Declined | None:
        """Declined when the client speaks of another amount, currency or payer."""
        if self.currency and self.currency != amount.currency.code:
            return _declined("currency_mismatch", "`currency` is not the order's.")
        if self.gross is not None and self.gross != amount.major():
            return _declined("amount_mismatch", "`gross_amount` is not the order's total.")
        if self.payer_id and payer_id and self.payer_id != payer_id:
            return _declined("payer_mismatch", "Another payer approved this PayPal order.")
        return None

    @property
    def refusal(self) -> Declined | None:
        return _declined("payment_data_malformed", self.wrong) if self.wrong else None


def read(payment: Mapping[str, Any]) -> Sent:
    """Never raises, whatever is sent. `transaction_id`, `payment_status`, `payer_email` and
    `payment_fee` are not looked at: PayPal knows them better."""
    order_id, wrong = _named(payment, _ORDER, _ORDER_ID, "PayPal order id")
    if wrong:
        return Sent(wrong=wrong)
    payer_id, wrong = _named(payment, _PAYER, _PAYER_ID, "PayPal payer id")
    if wrong:
        return Sent(order_id, wrong=wrong)
    gross = payment.get("gross_amount")
    amount = None if gross in (None, "") else number(gross)
    if amount is None and gross not in (None, ""):
        return Sent(order_id, wrong='Send `gross_amount` in major units, like "44.98", or not.')
    currency = payment.get("currency") or ""
    if not isinstance(currency, str) or (currency and not _CURRENCY.fullmatch(currency.upper())):
        return Sent(order_id, wrong="Send `currency` as three letters, or not at all.")
    return Sent(order_id, payer_id, amount, currency.upper())


def order_id(payment: Mapping[str, Any]) -> str:
    """The PayPal order that is named; "" when none is, or not properly."""
    name, _ = _named(payment, _ORDER, _ORDER_ID, "")
    return name


def _named(
    payment: Mapping[str, Any], spellings: tuple[str, ...], shape: re.Pattern[str], what: str
) -> tuple[str, str]:
    """The value under any of the spellings, and what is wrong with it."""
    given = [payment[key] for key in spellings if payment.get(key) not in (None, "")]
    if not given:
        return "", ""
    first = given[0]
    if not isinstance(first, str) or not shape.fullmatch(first):
        return "", f"Send the {what} as PayPal gave it, as `{spellings[0]}` or `{spellings[1]}`."
    if any(other != first for other in given):
        return "", f"`{spellings[0]}` and `{spellings[1]}` differ: send one {what}."
    return first, ""


def _declined(code: str, message: str) -> Declined:
    return Declined(
        "The payment does not fit this order. Nothing was charged; please try again.",
        {"code": code, "message": message},
    )
