"""The requests that Square is sent for an attempt: the same attempt and data, the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from checkstand.customers.addresses import Address
from checkstand.kit.money import Money
from checkstand.payments.gateways import payment_data
from checkstand.payments.model import Attempt, AttemptState

_LONGEST_KEY = 45  # characters; Square's limits
_LONGEST_REFERENCE = 40
_LONGEST_NOTE = 500
# A late request can then only ever reserve money, for a day at most: nobody completes it.
_RESERVED_FOR = "P1D"


def key(*parts: str) -> str:
    """An idempotency key of at most 45 characters: the one part as it is, or a digest of all (156
    bits, so that no two share one)."""
    joined = ":".join(parts)
    if len(parts) == 1 and len(joined) <= _LONGEST_KEY and joined.isascii():
        return joined
    return "cs" + hashlib.sha256(joined.encode()).hexdigest()[:39]


def reference_id(attempt: Attempt) -> str:
    """What the attempt is called in Square's lists."""
    if len(attempt.id) <= _LONGEST_REFERENCE:
        return attempt.id
    return "cs" + hashlib.sha256(attempt.id.encode()).hexdigest()[:38]


def charge_keys(attempt: Attempt) -> tuple[str, ...]:
    """Every idempotency key that the attempt may have been charged under, the latest first."""
    first = key(attempt.id)
    return (continued_key(attempt), first) if _continued(attempt) else (first,)


def charge_key(attempt: Attempt) -> str:
    return charge_keys(attempt)[0]


def continued_key(attempt: Attempt) -> str:
    """After the bank asked for a check, the refused payment names the next: one for each check,
    whatever card comes with it, so that two tabs cannot pay twice."""
    return key(attempt.id, "verified", attempt.reference)


def _continued(attempt: Attempt) -> bool:
    return (
        attempt.action is not None
        or attempt.state is AttemptState.NEEDS_ACTION
        or bool(attempt.reference)
    )


@dataclass(frozen=True, slots=True)
class Source:
    """What the shopper's browser sent, judged."""

    source_id: str
    verification_token: str
    note: str
    contact: Mapping[str, str]

    @classmethod
    def read(cls, payment: Mapping[str, Any]) -> Source:
        """Unusable when a part is missing or not of its form. Names are those of the contract, of
        Square's SDK, and of older storefronts."""
        contact = payment_data.members(payment, "billing_contact")
        note = payment_data.text(payment, ("note",), _LONGEST_NOTE)
        own = payment_data.text(payment, ("reference_id",), 100)
        return cls(
            payment_data.required(
                payment, ("source_id", "token", "nonce", "card_nonce", "sourceId"), 1000
            ),
            payment_data.text(payment, ("verification_token", "verificationToken"), 2000),
            " / ".join(part for part in (note, own) if part)[:_LONGEST_NOTE],
            {
                "first_name": payment_data.text(contact, ("given_name", "givenName"), 200),
                "last_name": payment_data.text(contact, ("family_name", "familyName"), 200),
                "email": payment_data.text(contact, ("email",), 255),
            },
        )


def money(amount: Money) -> dict[str, Any]:
    """An amount as Square counts it: in the minor units of ISO 4217."""
    counted = amount.in_iso()
    return {"amount": counted.minor, "currency": counted.currency.code}


def charge_body(attempt: Attempt, source: Source, location_id: str, at_once: bool) -> Any:
    """The body of CreatePayment. Always reserved first (see SquareGateway)."""
    body: dict[str, Any] = {
        "source_id": source.source_id,
        "idempotency_key": charge_key(attempt),
        "amount_money": money(attempt.amount),
        "autocomplete": False,
        "delay_action": "CANCEL",
        "location_id": location_id,
        "reference_id": reference_id(attempt),
    }
    if at_once:
        body["delay_duration"] = _RESERVED_FOR
    if source.verification_token:
        body["verification_token"] = source.verification_token
    if source.note:
        body["note"] = source.note
    address = _address(attempt.billing, source.contact)
    if address:
        body["billing_address"] = address
    email = attempt.billing.email or source.contact["email"]
    if email:
        body["buyer_email_address"] = email
    return body


def _address(billing: Address, contact: Mapping[str, str]) -> dict[str, str]:
    parts = {
        "address_line_1": billing.address_1,
        "address_line_2": billing.address_2,
        "locality": billing.city,
        "administrative_district_level_1": billing.state,
        "postal_code": billing.postcode,
        "country": billing.country,
        "first_name": billing.first_name or contact["first_name"],
        "last_name": billing.last_name or contact["last_name"],
    }
    return {name: value for name, value in parts.items() if value}


def refund_reason(refund_id: str, reason: str) -> str:
    """At most 192 characters, ending in our name of the refund: by it a repetition finds it."""
    mark = f"[{refund_id}]"[:100]
    return f"{reason[: 192 - len(mark) - 1]} {mark}".strip()


def refund_mark(refund_id: str) -> str:
    return f"[{refund_id}]"[:100]
