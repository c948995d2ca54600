"""What Authorize.Net is asked to do, each in the order of its schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from checkstand.customers.addresses import Address
from checkstand.kit.money import Money
from checkstand.payments.gateways import payment_data
from checkstand.payments.gateways.authorizenet import names
from checkstand.payments.model import Attempt

DESCRIPTOR = "COMMON.ACCEPT.INAPP.PAYMENT"
DUPLICATE_WINDOW = 28_800
"""Seconds in which Authorize.Net refuses the same card, amount and invoice number once more: the
most that it takes."""
_SETTINGS = {"setting": [{"settingName": "duplicateWindow", "settingValue": str(DUPLICATE_WINDOW)}]}


@dataclass(frozen=True, slots=True)
class Nonce:
    """What Accept.js gave the shopper's browser: good once, for 15 minutes."""

    descriptor: str
    value: str

    @classmethod
    def read(cls, payment: Mapping[str, Any]) -> Nonce:
        """Unusable when it is missing or not of its form. Names are those of the contract, of
        Accept.js, and of the overview page (`payment_nonce`)."""
        opaque = payment_data.members(payment, "opaqueData")
        flat = {**opaque, **payment}
        return cls(
            payment_data.text(flat, ("data_descriptor", "dataDescriptor"), 128) or DESCRIPTOR,
            payment_data.required(
                flat, ("data_value", "dataValue", "payment_nonce", "nonce"), 8192
            ),
        )


def charge(attempt: Attempt, nonce: Nonce, *, at_once: bool) -> dict[str, Any]:
    request: dict[str, Any] = {
        "transactionType": "authCaptureTransaction" if at_once else "authOnlyTransaction",
        "amount": attempt.amount.in_iso().decimal(),
        "currencyCode": attempt.amount.currency.code,
        "payment": {"opaqueData": {"dataDescriptor": nonce.descriptor, "dataValue": nonce.value}},
        "order": names.order(attempt.id),
    }
    if attempt.billing.email:
        request["customer"] = {"email": attempt.billing.email[:255]}
    bill_to = _bill_to(attempt.billing)
    if bill_to:
        request["billTo"] = bill_to
    request["transactionSettings"] = _SETTINGS
    return _of(names.invoice(attempt.id), request)


def capture(attempt: Attempt, reference: str, amount: Money) -> dict[str, Any]:
    return _of(
        names.invoice(attempt.id),
        {
            "transactionType": "priorAuthCaptureTransaction",
            "amount": amount.in_iso().decimal(),
            "refTransId": reference,
        },
    )


def void(name: str, reference: str) -> dict[str, Any]:
    return _of(names.invoice(name), {"transactionType": "voidTransaction", "refTransId": reference})


def refund(name: str, reference: str, amount: Money, last_four: str) -> dict[str, Any]:
    """The card is named by its last four digits; the transaction knows the rest."""
    return _of(
        names.invoice(name),
        {
            "transactionType": "refundTransaction",
            "amount": amount.in_iso().decimal(),
            "currencyCode": amount.currency.code,
            "payment": {"creditCard": {"cardNumber": last_four, "expirationDate": "XXXX"}},
            "refTransId": reference,
            "order": names.order(name),
            "transactionSettings": _SETTINGS,
        },
    )


def _of(reference: str, request: dict[str, Any]) -> dict[str, Any]:
    return {"refId": reference, "transactionRequest": request}


def _bill_to(billing: Address) -> dict[str, str]:
    street = " ".join(part for part in (billing.address_1, billing.address_2) if part)
    parts = {
        "firstName": billing.first_name[:50],
        "lastName": billing.last_name[:50],
        "company": billing.company[:50],
        "address": street[:60],
        "city": billing.city[:40],
        "state": billing.state[:40],
        "zip": billing.postcode[:20],
        "country": billing.country[:60],
        "phoneNumber": billing.phone[:25],
    }
    return {name: value for name, value in parts.items() if value}
