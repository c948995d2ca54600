"""A PayPal order as the API shows it, reduced to what a payment is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from checkstand.kit.money import Money
from checkstand.payments.gateways.paypal.amounts import equal, number
from checkstand.payments.gateways.paypal.client import NoAnswer, link_in

CLOSED = "checkstand-closed"
"""The custom_id of an order that must not be paid any more (see gateway, `_close`)."""
_TO_PAYPAL = ("payer-action", "approve")


@dataclass(frozen=True, slots=True)
class Movement:
    """A capture, an authorization or a refund of an order."""

    id: str
    status: str
    amount: Mapping[str, Any] = field(repr=False)
    reason: str = ""
    custom_id: str = ""

    @property
    def value(self) -> Decimal | None:
        """Major units; None when PayPal has not told them."""
        return number(self.amount.get("value"))

    def is_for(self, amount: Money) -> bool:
        return equal(amount, self.amount)


@dataclass(frozen=True, slots=True)
class PayPalOrder:
    """`unit` names its purchase unit; `amount` is empty when it has several, which we never make
    and which therefore matches nothing. `link` leads the shopper to PayPal."""

    id: str
    intent: str
    status: str
    unit: str = "default"
    custom_id: str = ""
    amount: Mapping[str, Any] = field(default_factory=dict, repr=False)
    payer_id: str = ""
    link: str = field(default="", repr=False)
    captures: tuple[Movement, ...] = ()
    authorizations: tuple[Movement, ...] = ()
    refunds: tuple[Movement, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether the shopper has yet to agree at PayPal."""
        return self.status in ("CREATED", "SAVED", "PAYER_ACTION_REQUIRED")

    @property
    def open(self) -> bool:
        """Whether it is unpaid and could be paid."""
        return self.waits or self.status == "APPROVED"

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> PayPalOrder:
        """NoAnswer when it has no id or status: then it says nothing."""
        name, status = _text(body, "id"), _text(body, "status")
        if not name or not status:
            raise NoAnswer("an order without id or status")
        units = [unit for unit in _list(body, "purchase_units") if isinstance(unit, Mapping)]
        unit: Mapping[str, Any] = units[0] if units else {}
        payments = [_map(each, "payments") for each in units]
        return cls(
            id=name,
            intent=_text(body, "intent"),
            status=status,
            unit=_text(unit, "reference_id") or "default",
            custom_id=_text(unit, "custom_id"),
            amount=_map(unit, "amount") if len(units) == 1 else {},
            payer_id=_text(_map(body, "payer"), "payer_id"),
            link=link_in(body, *_TO_PAYPAL),
            captures=_movements(payments, "captures"),
            authorizations=_movements(payments, "authorizations"),
            refunds=_movements(payments, "refunds"),
        )


def movement(body: Mapping[str, Any]) -> Movement:
    """A capture, authorization or refund on its own; NoAnswer when it has no id or status."""
    found = _movements([{"it": [body]}], "it")
    if not found:
        raise NoAnswer("a payment without id or status")
    return found[0]


def _movements(payments: list[Mapping[str, Any]], kind: str) -> tuple[Movement, ...]:
    found = [
        entry
        for payment in payments
        for entry in _list(payment, kind)
        if isinstance(entry, Mapping) and _text(entry, "id") and _text(entry, "status")
    ]
    return tuple(
        Movement(
            _text(entry, "id"),
            _text(entry, "status"),
            _map(entry, "amount"),
            _text(_map(entry, "status_details"), "reason"),
            _text(entry, "custom_id"),
        )
        for entry in found
    )


def _text(body: Mapping[str, Any], key: str) -> str:
    found = body.get(key)
    return found if isinstance(found, str) else ""


def _map(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = body.get(key)
    return found if isinstance(found, Mapping) else {}


def _list(body: Mapping[str, Any], key: str) -> list[Any]:
    found = body.get(key)
    return found if isinstance(found, list) else []
