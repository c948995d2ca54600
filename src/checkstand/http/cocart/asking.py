"""What the checkouts of both namespaces take, as commands of the one use case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from checkstand.accounts.enrolling import NewAccount
from checkstand.cart.packages import Choices
from checkstand.checkout.model import Placement, ProcessCommand, UpdateCommand
from checkstand.customers.addresses import Address
from checkstand.errors import PaymentFailed
from checkstand.http.cocart.preview.schemas import AddressIn
from checkstand.payments import card_data

_OF_PROCESSING = ("payment_data", "payment_method_data", "customer_password")


class _Changes(Protocol):
    """What bodies have in common that change a checkout."""

    billing_address: AddressIn | None
    shipping_address: AddressIn | None
    payment_data: Any
    payment_method_data: Any

    @property
    def shipping_method(self) -> str | Mapping[str, str] | list[str] | None: ...

    @property
    def model_fields_set(self) -> set[str]: ...


class Update(_Changes, Protocol):
    coupon_code: str | None

    @property
    def coupon_action(self) -> str: ...


class Order(_Changes, Protocol):
    use_different_billing: bool
    customer_note: str | None
    customer_password: str | None
    create_account: bool


def update(body: Update) -> UpdateCommand:
    """What is to change, with the coupon that is applied or taken off."""
    code = body.coupon_code or ""
    removed = body.coupon_action == "remove"
    return replace(
        _changes(body),
        apply_coupon="" if removed else code,
        remove_coupon=code if removed else "",
    )


def order(body: Order) -> ProcessCommand:
    """What is to be ordered; CardDataRefused."""
    return ProcessCommand(
        update=_changes(body),
        use_different_billing=body.use_different_billing,
        payment=payment(body),
        customer_note=body.customer_note or "",
    )


def new_account(body: Order) -> NewAccount | None:
    """The account that a guest asks for; its e-mail is the one that the order is billed to."""
    return NewAccount(body.customer_password or "") if body.create_account else None


def of_processing(body: Any) -> list[str]:
    """Members of an update that only an order has: saying nothing would lose the order (DECISIONS
    6). CardDataRefused first: a card number is refused wherever it comes."""
    payment(body)
    return [name for name in _OF_PROCESSING if getattr(body, name)]


def payment(body: Any) -> dict[str, Any]:
    """Both spellings as one map: `payment_data` wins over `payment_method_data`, later list entries
    over earlier ones (contract README 10.3). CardDataRefused when there is a card number in it."""
    spellings = (body.payment_method_data, body.payment_data)
    card_data.refuse([_plain(given) for given in spellings])
    merged: dict[str, Any] = {}
    for given in spellings:
        if isinstance(given, dict):
            merged |= given
        elif given:
            merged |= {pair.key: pair.value for pair in given}
    return merged


def _plain(given: Any) -> Any:
    """A list of pairs as plain values."""
    return [(pair.key, pair.value) for pair in given] if isinstance(given, list) else given


def _changes(body: _Changes) -> UpdateCommand:
    """What was sent: not sent leaves as it is, null takes back."""
    sent = body.model_fields_set

    def text(name: str) -> str | None:
        return (getattr(body, name) or "") if name in sent else None

    return UpdateCommand(
        billing=_address(body.billing_address, "billing_address" in sent),
        shipping=_address(body.shipping_address, "shipping_address" in sent),
        payment_method=text("payment_method"),
        shipping_method=_rates(body) if "shipping_method" in sent else None,
        currency=text("currency"),
    )


def _rates(body: _Changes) -> Choices:
    """A rate for all packages that offer it; or by package, in a list by their order."""
    given = body.shipping_method
    if isinstance(given, list):
        return dict(enumerate(given))
    return given if isinstance(given, str) else dict(given or {}) or ""


def _address(given: AddressIn | None, sent: bool) -> dict[str, str] | None:
    if given is not None:
        return given.changes()
    return Address().as_billing() if sent else None


def declined(placement: Placement) -> PaymentFailed:
    """A decline where it is an error (DECISIONS 12)."""
    return PaymentFailed(
        placement.message,
        data={
            "error_type": "payment_error",
            "message": placement.message,
            "order_id": placement.order.id,
            "gateway_error": dict(placement.gateway_error),
        },
    )
