"""What whoever runs the shop does about payments: refund, capture, void, and look again."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from checkstand.access.principal import Caller
from checkstand.checkout.charging import LEASE, Charging
from checkstand.checkout.model import Placement
from checkstand.checkout.settle import LATE, captured, released
from checkstand.errors import (
    AttemptNotFound,
    CheckoutInProgress,
    IdempotencyMismatch,
    NothingToCapture,
    OrderNotFound,
    ParameterInvalid,
    ProviderSilent,
    RefundRefused,
    RefundTooLarge,
)
from checkstand.kit import ids
from checkstand.kit.money import Money
from checkstand.orders import store as orders
from checkstand.orders.model import Order, OrderLine, OrderStatus
from checkstand.payments.model import (
    Approved,
    Attempt,
    AttemptState,
    Declined,
    Funds,
    Refund,
    RefundLine,
    RefundState,
)
from checkstand.payments.store import attempts, refunds
from checkstand.stock import store as stock
from checkstand.storage.database import Connection

_log = logging.getLogger(__name__)
_LARGEST_ID = 2**63 - 1
_RESERVED = (Funds.AUTHORISED, Funds.AWAITED, Funds.ON_DELIVERY)


@dataclass(frozen=True, slots=True)
class RefundCommand:
    """`lines`: order line id -> units that come back. `amount` in major units; without it what the
    lines cost, without both everything that is left. `restock` puts the lines' units back on the
    shelf; without lines, everything that was not refunded yet."""

    amount: str | None = None
    lines: tuple[tuple[int, int], ...] = ()
    reason: str = ""
    restock: bool = False


@dataclass(frozen=True, slots=True)
class OrderPayments:
    """An order with everything that happened to its money, oldest first."""

    order: Order
    attempts: Sequence[Attempt]
    refunds: Sequence[Refund]

    @property
    def paid(self) -> Attempt | None:
        """The attempt that paid, or is to pay."""
        return next((each for each in self.attempts if _stands(each)), None)


def _stands(attempt: Attempt) -> bool:
    return attempt.state is AttemptState.APPROVED


@dataclass(frozen=True, slots=True)
class BackOffice:
    """For shop managers, administrators and the command line; AdministratorOnly for others."""

    charging: Charging

    @property
    def refund_lease(self) -> timedelta:
        """A refund belongs to who asks for it until the provider has surely answered: not all of
        them know an idempotency key."""
        return timedelta(seconds=self.charging.payments.longest + 5)

    async def payments(self, caller: Caller, order_id: int) -> OrderPayments:
        """OrderNotFound when there is no such order."""
        caller.must_manage()
        return await self._read(order_id)

    async def _read(self, order_id: int) -> OrderPayments:
        async with self.charging.database.acquire() as connection:
            return await self._payments(connection, order_id)

    # --- giving back ---------------------------------------------------------------------------

    async def refund(
        self, caller: Caller, order_id: int, command: RefundCommand, once: str = ""
    ) -> Refund:
        """Gives money back, never more than was captured. RefundTooLarge, RefundRefused by the
        provider; a refund that the provider did not answer stays open, and the worker asks again.
        `once`: an Idempotency-Key; with the same one again it is the same refund, and
        IdempotencyMismatch when something else is asked for."""
        by = caller.must_manage()
        async with self.charging.database.transaction() as connection:
            await self._locked(connection, order_id)
            found = await self._payments(connection, order_id)
            name = _named(order_id, by, once)
            for before in found.refunds:
                if before.id == name:
                    return _same_refund(before, command)
            refund = _planned(found, command, name, self.charging.clock.now())
            await refunds.insert(connection, refund, by, refund.created_at + self.refund_lease)
        return await self.carry_out(refund)

    async def carry_out(self, refund: Refund) -> Refund:
        """Asks the provider for an open refund whose lease is ours, and settles it."""
        if refund.attempt.funds is Funds.AUTHORISED:
            outcome = await self.charging.payments.void(refund.attempt)
        else:
            outcome = await self.charging.payments.refund(refund)
        async with self.charging.database.transaction() as connection:
            now = self.charging.clock.now()
            match outcome:
                case Approved(reference=reference):
                    await self._refunded(connection, refund, reference, now)
                case Declined() if refund.id.startswith(LATE):
                    # Nobody asked for it, so nobody would ask again: the shop owes it.
                    _log.error("refund %s of money that came too late is refused", refund.id)
                    await refunds.put_off(connection, refund.id, now)
                case Declined():
                    await refunds.settle(connection, refund.id, RefundState.REFUSED, "", now)
                case _:
                    await refunds.put_off(connection, refund.id, now)
        if isinstance(outcome, Declined):
            raise RefundRefused(
                f"The payment provider refused the refund: {outcome.message}",
                data={"gateway_error": dict(outcome.gateway_error)},
            )
        async with self.charging.database.acquire() as connection:
            stored = await refunds.of_order(connection, refund.attempt.order_id)
        return next(each for each in stored if each.id == refund.id)

    async def _refunded(
        self, connection: Connection, refund: Refund, reference: str, now: datetime
    ) -> None:
        order = await self._locked(connection, refund.attempt.order_id)
        if not await refunds.settle(connection, refund.id, RefundState.DONE, reference, now):
            return
        full = await orders.find(connection, order.id)
        assert full is not None, "the order is locked"
        if refund.restock:
            units = {line.line_id: line.quantity for line in refund.lines}
            sold: dict[int, int] = {}
            for line in full.lines:
                sold[line.sold_id] = sold.get(line.sold_id, 0) + units.get(line.id, 0)
            await stock.give_back(connection, {k: v for k, v in sold.items() if v})
        found = await self._payments(connection, order.id)
        done = sum(
            each.amount.minor
            for each in found.refunds
            if each.state is RefundState.DONE and _stands(each.attempt)
        )
        paid = found.paid
        if paid is not None and done >= paid.captured > 0:
            await orders.move(
                connection,
                order,
                OrderStatus.REFUNDED,
                placed_at=order.placed_at,
                paid_at=order.paid_at,
            )

    # --- taking and letting go -----------------------------------------------------------------

    async def capture(
        self, caller: Caller, order_id: int, amount: str | None = None
    ) -> OrderPayments:
        """Takes what is reserved, or records that awaited money has come. NothingToCapture."""
        caller.must_manage()
        attempt = await self._reserved(order_id, self.charging.payments.longest)
        wanted = attempt.amount if amount is None else _amount(amount, attempt.amount)
        if wanted > attempt.amount:
            raise RefundTooLarge(f"Only {attempt.amount.decimal()} is reserved.")
        outcome = await self.charging.payments.capture(attempt, wanted)
        match outcome:
            case Approved():
                async with self.charging.database.transaction() as connection:
                    order = await self._locked(connection, order_id)
                    known = await attempts.find(connection, attempt.id, lock=True)
                    if known is not None and known.funds in _RESERVED:
                        now = self.charging.clock.now()
                        await captured(connection, order, known, wanted.minor, now)
                    return await self._payments(connection, order_id)
            case Declined(message=message, gateway_error=gateway_error):
                raise NothingToCapture(message, data={"gateway_error": dict(gateway_error)})
            case _:
                raise ProviderSilent(retry_after=5)

    async def void(self, caller: Caller, order_id: int) -> OrderPayments:
        """Lets go of what is reserved: the order is cancelled, its stock back on the shelf."""
        caller.must_manage()
        attempt = await self._reserved(order_id, self.charging.payments.longest)
        outcome = await self.charging.payments.void(attempt)
        match outcome:
            case Approved():
                async with self.charging.database.transaction() as connection:
                    order = await self._locked(connection, order_id)
                    known = await attempts.find(connection, attempt.id, lock=True)
                    if known is not None and known.funds in _RESERVED:
                        await released(connection, order, known)
                    return await self._payments(connection, order_id)
            case Declined(message=message, gateway_error=gateway_error):
                raise NothingToCapture(message, data={"gateway_error": dict(gateway_error)})
            case _:
                raise ProviderSilent(retry_after=5)

    async def look(self, caller: Caller, attempt_id: str) -> Placement:
        """Asks the provider about an attempt now, and settles what it says."""
        caller.must_manage()
        now = self.charging.clock.now()
        async with self.charging.database.transaction() as connection:
            attempt = await attempts.find(connection, attempt_id)
            if attempt is None:
                raise AttemptNotFound
            if attempt.state.live and not await attempts.claim(
                connection, attempt.id, now, now + LEASE
            ):
                raise CheckoutInProgress
        return await self.charging.look(attempt)

    # --- what they share -----------------------------------------------------------------------

    async def _locked(self, connection: Connection, order_id: int) -> Order:
        order = None
        if 0 < order_id <= _LARGEST_ID:
            order = await orders.head(connection, order_id, lock=True)
        if order is None:
            raise OrderNotFound
        return order

    async def _payments(self, connection: Connection, order_id: int) -> OrderPayments:
        order = None
        if 0 < order_id <= _LARGEST_ID:
            order = await orders.find(connection, order_id)
        if order is None:
            raise OrderNotFound
        return OrderPayments(
            order,
            await attempts.of_order(connection, order_id),
            await refunds.of_order(connection, order_id),
        )

    async def _reserved(self, order_id: int, seconds: float) -> Attempt:
        """The attempt whose money is reserved or awaited. Whatever happens to the request that
        takes it or lets it go, the worker asks the provider after so many seconds."""
        found = (await self._read(order_id)).paid
        if found is None or found.funds not in _RESERVED:
            raise NothingToCapture
        if found.funds is Funds.AUTHORISED:
            due = self.charging.clock.now() + timedelta(seconds=seconds + 2)
            async with self.charging.database.transaction() as connection:
                await attempts.look_soon(connection, found.id, due)
        return found


def _named(order_id: int, by: int | None, once: str) -> str:
    """The id of a refund: by the key that the client repeats, else a new one."""
    if not once:
        return ids.refund_id()
    said = f"order {order_id} by {by}: {once}"
    return f"rf_{hashlib.sha256(said.encode()).hexdigest()[:32]}"


def _same_refund(before: Refund, command: RefundCommand) -> Refund:
    """The refund that this key made; IdempotencyMismatch when the command is another."""
    lines = tuple((line.line_id, line.quantity) for line in before.lines)
    same_amount = command.amount is None or _amount(command.amount, before.amount) == before.amount
    same_lines = not command.lines or command.lines == lines
    if not (same_amount and same_lines and command.restock == before.restock):
        raise IdempotencyMismatch
    return before


def _planned(found: OrderPayments, command: RefundCommand, name: str, now: datetime) -> Refund:
    """The refund that the command asks for; RefundTooLarge and ParameterInvalid."""
    paid = found.paid
    left = paid.captured - paid.refunded if paid is not None else 0
    if paid is None or left <= 0:
        raise RefundTooLarge("Nothing of this order is captured and not refunded yet.")
    currency = paid.amount.currency
    by_id = {line.id: line for line in found.order.lines}
    lines = tuple(_line(by_id, line_id, units) for line_id, units in command.lines)
    if len({line.line_id for line in lines}) < len(lines):
        raise ParameterInvalid("Name each line once.", data={"params": {"lines": "named twice"}})
    if command.amount is not None:
        amount = _amount(command.amount, paid.amount)
    elif lines:
        amount = Money(sum(line.amount for line in lines), currency)
    else:
        amount = Money(left, currency)
    if amount.minor > left:
        raise RefundTooLarge(
            f"At most {Money(left, currency).decimal()} {currency.code} can still be refunded.",
            data={"refundable": Money(left, currency).decimal(), "currency": currency.code},
        )
    if amount.minor <= 0:
        raise ParameterInvalid(
            "amount must be more than zero.", data={"params": {"amount": "must be more than zero"}}
        )
    if command.restock and not lines:
        lines = tuple(
            RefundLine(line.id, line.quantity - line.refunded, 0)
            for line in found.order.lines
            if line.quantity > line.refunded
        )
    return Refund(
        id=name,
        attempt=paid,
        amount=amount,
        created_at=now,
        reason=command.reason,
        restock=command.restock,
        lines=lines,
    )


def _line(by_id: dict[int, OrderLine], line_id: int, units: int) -> RefundLine:
    line = by_id.get(line_id)
    if line is None:
        raise ParameterInvalid(
            f"This order has no line {line_id}.", data={"params": {"lines": "no such line"}}
        )
    left = line.quantity - line.refunded
    if not 0 < units <= left:
        raise RefundTooLarge(f"Of line {line_id}, {left} can still be refunded.")
    whole = (line.total + line.tax).in_iso().minor
    share = _share(whole, line.refunded + units, line.quantity) - _share(
        whole, line.refunded, line.quantity
    )
    return RefundLine(line_id, units, share)


def _share(whole: int, units: int, of: int) -> int:
    """What the first `units` of a line cost, so that all of them cost exactly what it cost."""
    return (2 * whole * units + of) // (2 * of)


def _amount(text: str, like: Money) -> Money:
    try:
        amount = Money.of(text, like.currency)
        exact = amount.major() == Decimal(text)
    except (ValueError, InvalidOperation):
        amount, exact = Money(0, like.currency), False
    if amount.minor <= 0 or not exact:
        places = like.currency.exponent
        raise ParameterInvalid(
            f"amount must be an amount of {like.currency.code} with at most {places} decimals, "
            "more than zero.",
            data={"params": {"amount": "must be an amount such as 12.50"}},
        )
    return amount
