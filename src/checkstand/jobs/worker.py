"""The worker: finishes what nobody is waiting for any more.

It asks providers about attempts that a crash, a timeout or a webhook left to look at, carries out
refunds that are still open, calls off payments that were prepared and never made, carries letters
that could not be carried at once, and deletes what is over. Every step claims its rows first
(leases, SKIP LOCKED): it may be killed at any moment and run in several processes at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial

from checkstand.accounts.correspondence import Correspondence
from checkstand.checkout.back_office import BackOffice
from checkstand.checkout.charging import LEASE, Charging
from checkstand.errors import CheckstandError, Refusal
from checkstand.jobs.sweep import sweep
from checkstand.kit.money import Currency, Money
from checkstand.payments.model import (
    Approved,
    Attempt,
    AttemptState,
    Declined,
    Funds,
    Refund,
)
from checkstand.payments.store import attempts, contexts, notices, refunds
from checkstand.payments.store.contexts import Prepared
from checkstand.payments.store.notices import StoredNotice
from checkstand.storage.database import Connection

_log = logging.getLogger(__name__)
_IDLE = 1.0
"""Seconds between two looks when there was nothing to do."""
_BATCH = 20
_MOST_AT_ONCE = 25
"""Questions to one provider that may be open in one process: a dead one holds up no other."""
_CONTEXTS_EVERY = 30.0
_LETTERS_EVERY = 2.0
_POST = "the post"
_SWEEP_EVERY = 600.0
_WORTH_A_CALL = 8
"""Looks without an answer, some eight minutes, until an operator should know."""


@dataclass(slots=True)
class Worker:
    charging: Charging
    back_office: BackOffice
    letters: Correspondence
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a webhook came to this process."""
    _contexts_at: float = -_CONTEXTS_EVERY
    _letters_at: float = -_LETTERS_EVERY
    _swept_at: float = -_SWEEP_EVERY
    _asking: dict[asyncio.Task[None], str] = field(default_factory=dict)

    async def run(self) -> None:
        """Runs until cancelled; trouble is logged and tried again at the next turn. A provider that
        thinks long holds up nothing else."""
        try:
            while True:
                done = 0
                try:
                    done = await self._begin_turn()
                except CheckstandError as error:
                    _log.warning("the worker will try again: %s", error)
                except Exception:
                    _log.exception("the worker will try again")
                if not done:
                    await self._rest()
        finally:
            asked = list(self._asking)
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def turn(self) -> int:
        """Does what is due now, to the end; says how much that was."""
        done = await self._begin_turn()
        await self._all_asked()
        return done

    async def _begin_turn(self) -> int:
        done = await self._begin_notices()
        done += await self._begin_attempts() + await self._begin_refunds()
        now = time.monotonic()
        if now - self._contexts_at >= _CONTEXTS_EVERY:
            self._contexts_at = now
            done += await self._begin_contexts()
        if now - self._letters_at >= _LETTERS_EVERY and _POST not in self._asking.values():
            self._letters_at = now
            self._ask("deliver", "letters", self.letters.deliver, _POST)
        if now - self._swept_at >= _SWEEP_EVERY:
            self._swept_at = now
            await sweep(self.charging.database, self.charging.clock)
        return done

    async def _rest(self) -> None:
        """Until a webhook comes; processes that started together drift apart."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_IDLE * random.uniform(0.8, 1.2)):
                await self.arrived.wait()
        self.arrived.clear()

    def _ask(
        self, what: str, name: str, do: Callable[[], Awaitable[object]], gateway: str = ""
    ) -> None:
        task = asyncio.create_task(self._guarded(what, name, do))
        self._asking[task] = gateway
        task.add_done_callback(lambda done: self._asking.pop(done, None))

    def _busy(self) -> list[str]:
        """Gateways that are asked as much as is good at once."""
        return [
            name for name, open_ in Counter(self._asking.values()).items() if open_ >= _MOST_AT_ONCE
        ]

    async def _all_asked(self) -> None:
        while self._asking:
            await asyncio.gather(*self._asking)

    # --- what is due ---------------------------------------------------------------------------

    async def read_notices(self) -> int:
        """Makes due what webhooks point at; says how many there were."""
        done = await self._begin_notices()
        await self._all_asked()
        return done

    async def finish_attempts(self) -> int:
        """Asks providers about attempts whose look is due; says how many there were."""
        done = await self._begin_attempts()
        await self._all_asked()
        return done

    async def finish_refunds(self) -> int:
        """Carries out refunds that are open and that nobody is at; says how many there were."""
        done = await self._begin_refunds()
        await self._all_asked()
        return done

    async def end_contexts(self) -> int:
        """Calls off payments that were prepared for a browser and not made in time."""
        done = await self._begin_contexts()
        await self._all_asked()
        return done

    async def _begin_notices(self) -> int:
        async with self.charging.database.transaction() as connection:
            found = await notices.open_ones(connection, _BATCH)
            for stored in found:
                await self._read(connection, stored)
        return len(found)

    async def _begin_attempts(self) -> int:
        now = self.charging.clock.now()
        async with self.charging.database.transaction() as connection:
            due = await attempts.claim_due(connection, now, now + LEASE, _BATCH, self._busy())
        for attempt in due:
            if attempt.looks == _WORTH_A_CALL:
                _log.error("%s does not say what became of %s", attempt.gateway, attempt.id)
            look = partial(self.charging.look, attempt)
            self._ask("finish", attempt.id, look, attempt.gateway)
        return len(due)

    async def _begin_refunds(self) -> int:
        now = self.charging.clock.now()
        until = now + self.back_office.refund_lease
        async with self.charging.database.transaction() as connection:
            due = await refunds.claim_due(connection, now, until, _BATCH, self._busy())
        for refund in due:
            carry_out = partial(self.back_office.carry_out, refund)
            self._ask("refund", refund.id, carry_out, refund.attempt.gateway)
        return len(due)

    async def _begin_contexts(self) -> int:
        now = self.charging.clock.now()
        async with self.charging.database.transaction() as connection:
            until = now + self.back_office.refund_lease
            over = await contexts.take_expired(connection, now, until, _BATCH)
        for prepared in over:
            self._ask("end", prepared.id, partial(self._end, prepared), prepared.gateway)
        return len(over)

    async def _read(self, connection: Connection, stored: StoredNotice) -> None:
        """Records in one transaction that a notice was read and what is to be looked at: also an
        attempt that is over, when the provider may have something new to say about its money."""
        now = self.charging.clock.now()
        notice = stored.notice
        attempt = await attempts.find(connection, notice.attempt_id) if notice.attempt_id else None
        if attempt is None:
            attempt = await attempts.by_reference(connection, stored.gateway, notice.reference)
        if attempt is None:
            _log.warning("%s tells of a payment that pays for no order (yet)", stored.gateway)
            await notices.handled(connection, stored, "unclaimed", now)
            return
        final = attempt.state is AttemptState.APPROVED and attempt.funds is not Funds.AUTHORISED
        if final:
            await notices.handled(connection, stored, "settled before", now)
            return
        await attempts.look_soon(connection, attempt.id, now)
        await notices.handled(connection, stored, "looked", now)

    async def _end(self, prepared: Prepared) -> None:
        """Calls off what a browser did not pay in time. What it did pay, and nobody ordered with,
        goes back: the shopper has nothing for it."""
        attempt = _standing_for(prepared)
        match await self.charging.payments.void(attempt):
            case Approved() | Declined(gateway_error={"code": "not_found"}):
                over = True
            case Declined():
                over = await self._given_back(prepared, attempt)
            case _:  # it did not answer: again, when the claim has run out
                over = False
        if over:
            async with self.charging.database.transaction() as connection:
                await contexts.drop(connection, prepared.id)

    async def _given_back(self, prepared: Prepared, attempt: Attempt) -> bool:
        _log.warning(
            "%s was paid for a cart that nobody ordered: %s goes back",
            prepared.gateway,
            prepared.reference,
        )
        refund = Refund(
            id=f"rf_{prepared.id}",
            attempt=replace(attempt, funds=Funds.CAPTURED, captured=prepared.minor),
            amount=attempt.amount,
            created_at=prepared.expires_at,
            reason="Nobody ordered with it.",
            repeated=True,
        )
        outcome = await self.charging.payments.refund(refund)
        if isinstance(outcome, Declined):
            _log.error("%s cannot be given back yet: %s", prepared.reference, prepared.gateway)
        return isinstance(outcome, Approved)

    async def _guarded(self, what: str, name: str, do: Callable[[], Awaitable[object]]) -> None:
        """The others must not wait for one that cannot be done."""
        try:
            await do()
        except Refusal as refusal:
            _log.warning("could not %s %s: %s", what, name, refusal)
        except Exception:
            _log.exception("could not %s %s", what, name)


def _standing_for(prepared: Prepared) -> Attempt:
    """The prepared payment as an attempt that can be called off at the provider."""
    return Attempt(
        id=prepared.id,
        order_id=0,
        gateway=prepared.gateway,
        state=AttemptState.NEEDS_ACTION,
        amount=Money(prepared.minor, Currency.of(prepared.currency)),
        lease_until=prepared.expires_at,
        reference=prepared.reference,
        cart_key=prepared.cart_key,
    )
