"""The gateway: what Checkstand asks, in terms of PayPal's orders."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from checkstand.errors import PaymentMethodUnknown, ProviderSilent
from checkstand.kit.clock import Clock
from checkstand.kit.money import Money
from checkstand.payments.gateway import Context, Description, Due, House, Notice
from checkstand.payments.gateways.paypal import amounts, declines, sent, settings
from checkstand.payments.gateways.paypal.client import (
    HOSTS,
    CredentialsRefused,
    NoAnswer,
    PayPalApi,
    new_client,
)
from checkstand.payments.gateways.paypal.order import PayPalOrder
from checkstand.payments.gateways.paypal.orders import Orders, unknown_order
from checkstand.payments.gateways.paypal.returns import Returns
from checkstand.payments.gateways.paypal.webhook import Webhooks
from checkstand.payments.model import (
    Approved,
    Attempt,
    AttemptState,
    Declined,
    Funds,
    Outcome,
    Refund,
    Unknown,
)

_FINISHED_BY_LOOKUP = timedelta(hours=1)
_WAITING = (AttemptState.NEEDS_ACTION, AttemptState.UNKNOWN)
_OWN_TIME = 0.9
"""The part of the timeout after which a method answers Unknown by itself, with the reference."""


@dataclass(frozen=True, slots=True)
class PayPalGateway:
    description: Description
    timeout: float
    orders: Orders
    returns: Returns
    webhooks: Webhooks
    clock: Clock
    wrong_settings: tuple[str, ...]

    async def context(self, due: Due) -> Context:
        """`paypal_order_id` for buttons that approve an order of ours, `custom_id` for those that
        make one themselves. PaymentMethodUnknown when PayPal does not take the amount."""
        if (wrong := amounts.untakable(due.amount)) is not None:
            raise PaymentMethodUnknown(str(wrong.gateway_error["message"]))
        async with self._own_time():
            order = await self.orders.prepared(due)
        public = self.description.storefront
        fields = {**public, "paypal_order_id": order.id, "custom_id": due.binding}
        return Context(fields, order.id)

    def browser_payment(self, payment: Mapping[str, Any]) -> str:
        return sent.order_id(payment)

    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        given = sent.read(payment)
        reference = attempt.reference or given.order_id
        work = self._charge(attempt, given, reference)
        return await self._answered(work, reference, first=not attempt.repeated)

    async def _charge(self, attempt: Attempt, given: sent.Sent, reference: str) -> Outcome:
        if not reference:
            return given.refusal or await self.orders.made(attempt)
        order = await self.orders.read(reference)
        if order is None:
            return unknown_order(attempt, reference)
        if given.order_id not in ("", reference):
            return await self._other_order(attempt, order)
        wrong = given.refusal or given.contradiction(attempt.amount, order.payer_id)
        if wrong is not None and order.open:
            return await self.orders.refused(attempt, order, wrong)
        # Once it was asked for, what PayPal has done counts, not what the browser says of it.
        if wrong is not None and not attempt.repeated:
            return wrong
        return await self.orders.finish(attempt, order)

    async def _other_order(self, attempt: Attempt, order: PayPalOrder) -> Outcome:
        """The attempt's own order was paid: that counts. Else it is closed, so that the next
        attempt can use the other one without both being paid."""
        if not order.open or not self.orders.fits(attempt, order):
            return await self.orders.finish(attempt, order)
        other = declines.refused(
            "other_paypal_order",
            "The payment was started twice. Nothing was charged; please try again.",
            paypal_order_id=order.id,
        )
        return await self.orders.closed(attempt, order, other)

    async def lookup(self, attempt: Attempt) -> Outcome:
        """Also finishes what a shopper was told is under way, or has agreed to at PayPal and never
        come back from: the capture is the attempt's own, so it happens once."""
        if not attempt.reference:
            # Either nothing was made, or an order whose link nobody has.
            return declines.refused("never_begun", "The payment was not begun. Please try again.")
        return await self._answered(self._lookup(attempt), attempt.reference)

    async def _lookup(self, attempt: Attempt) -> Outcome:
        order = await self.orders.read(attempt.reference)
        if order is None:
            return unknown_order(attempt, attempt.reference)
        if order.open and not attempt.state.live:
            # It is over. The order may still pay by a later attempt, so it is left as it is.
            over = attempt.funds is None
            return _not_finished(order.id) if over else Unknown("an open order", order.id)
        given_up = order.status == "APPROVED" and not self._finishes(attempt)
        if given_up and self.orders.fits(attempt, order):
            return await self.orders.closed(attempt, order, _not_finished(order.id))
        return await self.orders.finish(attempt, order)

    def _finishes(self, attempt: Attempt) -> bool:
        """Whether the shopper still counts on it. Not when nobody was told anything about the
        attempt, and not after an hour: then he has given up, and may have bought elsewhere."""
        age = self.clock.now() - attempt.created_at
        return attempt.state in _WAITING and age <= _FINISHED_BY_LOOKUP

    async def capture(self, attempt: Attempt, amount: Money) -> Outcome:
        return await self._answered(self._capture(attempt, amount), attempt.reference)

    async def _capture(self, attempt: Attempt, amount: Money) -> Outcome:
        if attempt.amount < amount:  # PayPal would take up to 115 %
            return declines.refused("amount_too_large", "More than was reserved is not captured.")
        order = await self.orders.read(attempt.reference)
        if order is None:
            return Unknown("PayPal does not show the order any more", attempt.reference)
        return await self.orders.capture(attempt, order, amount)

    async def void(self, attempt: Attempt) -> Outcome:
        if not attempt.reference:
            return Approved(Funds.RETURNED)
        return await self._answered(self.returns.void(attempt), attempt.reference)

    async def refund(self, refund: Refund) -> Outcome:
        return await self._answered(self.returns.refund(refund), refund.reference)

    async def parse_webhook(self, raw: bytes, headers: Mapping[str, str]) -> Notice | None:
        try:
            async with self._own_time():
                return await self.webhooks.notice(raw, headers)
        except TimeoutError:
            raise ProviderSilent("PayPal could not be asked about a webhook.") from None

    def complaints(self) -> list[str]:
        return list(self.wrong_settings)

    async def close(self) -> None:
        await self.orders.api.close()

    def _own_time(self) -> asyncio.Timeout:
        return asyncio.timeout(self.timeout * _OWN_TIME)

    async def _answered(
        self, work: Awaitable[Outcome], reference: str, *, first: bool = False
    ) -> Outcome:
        """No answer is Unknown, with what is known. Refused credentials are a decline only in a
        `first` charge that has moved nothing: PayPal does nothing for who it does not know."""
        try:
            async with self._own_time():
                return await work
        except NoAnswer as silence:
            return Unknown(silence.reason, reference)
        except TimeoutError:
            return Unknown("PayPal did not answer in time", reference)
        except CredentialsRefused:
            if not first:
                return Unknown("PayPal refuses the shop's credentials", reference)
            return declines.refused(
                "configuration_error",
                "PayPal payments do not work in this shop right now. Please pay in another way.",
            )


def _not_finished(order_id: str) -> Declined:
    return declines.refused(
        "not_finished",
        "The payment was not finished. Nothing was charged; please start again.",
        paypal_order_id=order_id,
    )


def gateway(
    *,
    environment: Literal["sandbox", "live"],
    client_id: str,
    client_secret: str,
    webhook_id: str = "",
    capture: Literal["automatic", "manual"] = "automatic",
    unbound_orders: Literal["refuse", "accept"] = "refuse",
    api_base: str = "",
    title: str = "",
    description: str = "",
    house: House,
    timeout: float,
) -> PayPalGateway:
    """The gateway of a shop's PayPal account. `timeout`: seconds for each of its methods."""
    live = environment == "live"
    address = api_base.rstrip("/") or f"https://{HOSTS[environment]}"
    client = new_client(timeout * _OWN_TIME)
    api = PayPalApi(address, client_id, client_secret, house.clock, client)
    page = f"https://www.{'' if live else 'sandbox.'}paypal.com/checkoutnow?token="
    orders = Orders(api, capture == "automatic", unbound_orders == "accept", page)
    return PayPalGateway(
        description=settings.described(
            client_id, bool(client_secret), environment, capture, title, description
        ),
        timeout=timeout,
        orders=orders,
        returns=Returns(orders),
        webhooks=Webhooks(api, webhook_id, house.clock),
        clock=house.clock,
        wrong_settings=tuple(
            settings.complaints(environment, client_id, client_secret, webhook_id, api_base)
        ),
    )
