"""What a checkout is asked to do, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from checkstand.accounts.enrolling import Enrolment
from checkstand.cart.packages import Choices
from checkstand.orders.model import Order, OrderStatus


@dataclass(frozen=True, slots=True)
class UpdateCommand:
    """None leaves a thing as it is; "" takes a choice back; address parts are merged."""

    billing: Mapping[str, str] | None = None
    shipping: Mapping[str, str] | None = None
    payment_method: str | None = None
    shipping_method: Choices | None = None
    """A rate for every package that offers it, or rates by package."""
    currency: str | None = None
    apply_coupon: str = ""
    remove_coupon: str = ""


@dataclass(frozen=True, slots=True)
class ProcessCommand:
    """`payment` is the gateway's data, its spellings already one map. `expected_total`, in major
    units, or `expected_minor`, in minor ones, makes a client strict about what it saw."""

    update: UpdateCommand = UpdateCommand()
    use_different_billing: bool = True
    payment: Mapping[str, Any] = field(default_factory=dict, repr=False)
    enrolment: Enrolment | None = None
    """The account that is to be made for a guest, and to own the order."""
    customer_note: str = ""
    expected_total: str | None = None
    expected_minor: int | None = None

    @property
    def expects(self) -> bool:
        """Whether the client says which total it saw."""
        return self.expected_total is not None or self.expected_minor is not None


class PaymentStatus(StrEnum):
    SUCCESS = "success"
    NOTHING_DUE = "no_payment_required"
    FAILED = "failed"
    NEEDS_ACTION = "requires_action"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Placement:
    """What came of a process: the order, and how its payment stands."""

    order: Order
    status: PaymentStatus
    message: str
    redirect_url: str = ""
    """Set when the shopper must go to the provider first."""
    action_type: str = ""
    action_data: Mapping[str, Any] = field(default_factory=dict)
    attempt_id: str = ""
    gateway_error: Mapping[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether the order is placed: paid, promised, or free."""
        return self.status in (PaymentStatus.SUCCESS, PaymentStatus.NOTHING_DUE)


def placed(order: Order) -> Placement:
    """The answer for an order that was placed; the same however often it is asked for, until the
    shop cancels the order."""
    if order.status is OrderStatus.CANCELLED:
        return Placement(order, PaymentStatus.FAILED, "This order was cancelled.")
    if not order.needs_payment:
        return Placement(order, PaymentStatus.NOTHING_DUE, "Your order is placed.")
    return Placement(order, PaymentStatus.SUCCESS, "Thank you. Your order has been received.")
