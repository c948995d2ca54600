"""The card-testing shield: how many declined cards are too many.

Who tests stolen cards makes many charges that are declined. Declines are counted by the client's
address, the cart, the e-mail, the account and the gateway as a whole, in the database, so that all
processes see the same and a restart forgets nothing. Only declines count: no success, no replay, no
gateway that takes no card. Values are kept as digests.

Carts can be made in peace and paid for in one moment. So charges that are at their gateway right
now count, for the address, the e-mail and the account, as if they were declined: when one of them
succeeds, its place is free again. Each process knows its own.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from limits import parse

from checkstand import audit
from checkstand.errors import TooManyDeclines
from checkstand.kit import crypto
from checkstand.kit.network import household
from checkstand.shield import store
from checkstand.shield.store import Decision
from checkstand.shield.volley import UnderWay
from checkstand.storage.database import Connection, Database

_log = logging.getLogger(__name__)
_MOST_KEPT = 2_000


class Mode(StrEnum):
    ENFORCE = "enforce"
    DRY_RUN = "dry_run"
    OFF = "off"


class Dimension(StrEnum):
    ADDRESS = "address"
    CART = "cart"
    EMAIL = "email"
    ACCOUNT = "account"
    GATEWAY = "gateway"


_IN_VOLLEYS = frozenset((Dimension.ADDRESS, Dimension.EMAIL, Dimension.ACCOUNT))
"""Of which what is under way counts: a cart has one charge at a time, a gateway many good ones."""
_SOON = 5
"""Seconds until a charge that is under way has probably ended."""


class ChargeLike(Protocol):
    """What the shield reads of a charge."""

    @property
    def attempt_id(self) -> str: ...
    @property
    def gateway(self) -> str: ...
    @property
    def cart_key(self) -> str: ...
    @property
    def email(self) -> str: ...
    @property
    def customer_id(self) -> int | None: ...


class Challenge(Protocol):
    """A hook that lets a person through whose budget is spent: a puzzle, a code by mail."""

    def describe(self) -> Mapping[str, Any]:
        """What the storefront needs to show it; goes out as `data.challenge`."""

    async def passed(self, proof: str, address: str) -> bool:
        """Whether the proof, which the client sent as Checkstand-Challenge, holds."""


@dataclass(frozen=True, slots=True)
class Budget:
    """So many declines within so many seconds."""

    declines: int
    seconds: int

    @classmethod
    def of(cls, text: str) -> Budget:
        """From `10/hour`."""
        found = parse(text)
        return cls(found.amount, found.get_expiry())


@dataclass(frozen=True, slots=True)
class Seen:
    """When charges of one value were declined, the oldest first, and how many are at their gateway
    right now, where that counts."""

    declines: list[datetime]
    under_way: int


Alert = Callable[[str, str, dict[str, object]], None]


@dataclass
class Velocity:
    """The policy. `exempt` are gateways that take no card."""

    mode: Mode
    budgets: Mapping[Dimension, Budget]
    exempt: Collection[str]
    alert: Alert
    challenge: Challenge | None = None
    _under_way: UnderWay = field(default_factory=UnderWay)
    _decisions: list[Decision] = field(default_factory=list)
    _alerted: dict[str, datetime] = field(default_factory=dict)

    async def before_charge(
        self, connection: Connection, charge: ChargeLike, now: datetime
    ) -> None:
        """TooManyDeclines when a budget is spent and no challenge was passed."""
        if self.mode is Mode.OFF or charge.gateway in self.exempt:
            return
        marks = self._marks(charge)
        since = {name: now - timedelta(seconds=self._budget(name).seconds) for name in marks}
        declines = await store.ask(connection, charge.attempt_id, marks, since, now)
        # No await from here to where it begins: of many at once, each sees those before.
        found = {
            name: Seen(times, self._under_way.count(marks[name], now) if name in _IN_VOLLEYS else 0)
            for name, times in declines.items()
        }
        spent = {name: seen for name, seen in found.items() if self._is_spent(name, seen)}
        if spent:
            self._stand(charge, found, spent, now)
        elif any(declines.values()):
            self._note("allowed", charge, found, "within every budget", now)
        values = [value for name, value in marks.items() if name in _IN_VOLLEYS]
        self._under_way.begin(charge.attempt_id, values, now)

    def after_charge(self, attempt_id: str) -> None:
        """The gateway has answered, and did not decline."""
        self._under_way.end(attempt_id)

    async def after_decline(self, connection: Connection, attempt_id: str, now: datetime) -> None:
        """Counts the decline, once."""
        if self.mode is not Mode.OFF and await store.declined(connection, attempt_id, now):
            _log.info("the shield counts a decline: attempt %s", attempt_id)
        self._under_way.end(attempt_id)

    async def proven(self, proof: str, address: str) -> bool:
        """Whether what a client sent passes the challenge. Asked before anything is locked: a
        challenge may have to ask somebody else."""
        if self.mode is Mode.OFF or self.challenge is None or not proof:
            return False
        try:
            return await self.challenge.passed(proof, address)
        except Exception:
            _log.exception("the shield's challenge failed; it counts as not passed")
            return False

    async def flush(self, database: Database) -> None:
        """Writes the decisions that were made: a refusal rolls its own transaction back."""
        if not self._decisions:
            return
        made, self._decisions = self._decisions, []
        try:
            async with database.transaction() as connection:
                await store.add_decisions(connection, made)
        except BaseException:
            self._decisions = [*made, *self._decisions][:_MOST_KEPT]
            raise

    async def sweep(self, database: Database, now: datetime) -> None:
        """Forgets charges of two days ago and decisions of 90."""
        async with database.transaction() as connection:
            await store.drop_before(connection, now - timedelta(days=2), now - timedelta(days=90))

    def _stand(
        self,
        charge: ChargeLike,
        found: Mapping[str, Seen],
        spent: Mapping[str, Seen],
        now: datetime,
    ) -> None:
        """What is done about a budget that is spent."""
        names = ", ".join(spent)
        self._warn(charge, sorted(spent), now)
        if self.mode is Mode.DRY_RUN:
            self._note("would_refuse", charge, found, f"spent: {names}", now)
            return
        if audit.origin.get().proven:
            self._note("allowed", charge, found, f"spent: {names}; challenge passed", now)
            return
        verdict = "challenged" if self.challenge is not None else "refused"
        self._note(verdict, charge, found, f"spent: {names}", now)
        wait = max(self._free_again(name, seen.declines, now) for name, seen in spent.items())
        asked = {"challenge": dict(self.challenge.describe())} if self.challenge else {}
        raise TooManyDeclines(data=asked, retry_after=wait)

    def _marks(self, charge: ChargeLike) -> dict[str, str]:
        """The digests of whom the charge is for; what is not known is not counted."""
        values = {
            Dimension.ADDRESS: household(audit.origin.get().address),
            Dimension.CART: charge.cart_key,
            Dimension.EMAIL: charge.email.strip().lower(),
            Dimension.ACCOUNT: str(charge.customer_id or ""),
            Dimension.GATEWAY: charge.gateway,
        }
        return {
            name.value: crypto.sha256(f"{name.value}\n{value}")
            for name, value in values.items()
            if value
        }

    def _budget(self, name: str) -> Budget:
        return self.budgets[Dimension(name)]

    def _is_spent(self, name: str, seen: Seen) -> bool:
        return len(seen.declines) + seen.under_way >= self._budget(name).declines

    def _free_again(self, name: str, times: list[datetime], now: datetime) -> int:
        """Seconds until one of the declines that spent the budget is out of its window, or one of
        the charges under way has ended."""
        budget = self._budget(name)
        if len(times) < budget.declines:
            return _SOON
        blocking = times[-budget.declines]
        free = blocking + timedelta(seconds=budget.seconds)
        return max(1, math.ceil((free - now).total_seconds()))

    def _note(
        self,
        verdict: str,
        charge: ChargeLike,
        found: Mapping[str, Seen],
        reason: str,
        now: datetime,
    ) -> None:
        counts = {
            name: {
                "declines": len(seen.declines),
                "under_way": seen.under_way,
                "limit": self._budget(name).declines,
                "seconds": self._budget(name).seconds,
            }
            for name, seen in found.items()
        }
        said = ", ".join(
            f"{n} {c['declines']}+{c['under_way']}/{c['limit']}" for n, c in counts.items()
        )
        level = logging.INFO if verdict == "allowed" else logging.WARNING
        _log.log(
            level, "shield: %s (%s; %s) %s", verdict, reason, said, audit.origin.get().request_id
        )
        if len(self._decisions) < _MOST_KEPT:
            self._decisions.append(
                Decision(
                    at=now,
                    verdict=verdict,
                    mode=self.mode.value,
                    gateway=charge.gateway,
                    request_id=audit.origin.get().request_id,
                    counts=counts,
                    reason=reason,
                )
            )

    def _warn(self, charge: ChargeLike, spent: list[str], now: datetime) -> None:
        """An alert, at most one in a quarter of an hour for each gateway and kind of budget."""
        kind = f"{charge.gateway} {' '.join(spent)}"
        said = self._alerted.get(kind)
        if said is None or now - said > timedelta(minutes=15):
            self._alerted[kind] = now
            self.alert(
                "declines.too_many", charge.gateway, {"budgets": spent, "mode": self.mode.value}
            )
