"""What guards a shop, put together for wiring: limits, keys, the audit log, and hooks of installed
packages."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import entry_points
from typing import cast

from checkstand import audit
from checkstand.access.keys import Keys
from checkstand.access.oversight import Oversight
from checkstand.access.pages import Pages
from checkstand.access.principal import Caller
from checkstand.access.usage import KeyUsage
from checkstand.audit import service as audit_log
from checkstand.audit import store as audit_store
from checkstand.audit.journal import Journal
from checkstand.errors import CheckstandError, ConfigurationError
from checkstand.kit.clock import Clock
from checkstand.payments.service import NOTHING_DUE
from checkstand.settings import Settings
from checkstand.shield import store as shield_store
from checkstand.shield.counting import Counter, InProcess, shared_store
from checkstand.shield.limits import Hook, Operation, RateLimits, checked_hooks
from checkstand.shield.store import Decision
from checkstand.shield.velocity import Budget, Challenge, Dimension, Mode, Velocity
from checkstand.storage.database import Database

_log = logging.getLogger(__name__)
RATE_HOOKS = "checkstand.rate_limits"
"""The entry point group of functions that change limits."""
CHALLENGES = "checkstand.challenge"
"""The entry point group of a challenge for who has too many declines."""
TAKE_NO_CARD = frozenset({NOTHING_DUE, "bacs", "cheque", "cod"})
"""Gateways at which nobody can test a card."""
_WRITE_EVERY = 1.0
_USAGE_EVERY = 10
_SWEEP_EVERY = 3600
_SIGN_IN_NOTED = 900.0
_MOST_SIGN_INS = 10_000


@dataclass(frozen=True, slots=True)
class Hooks:
    """What comes in besides the hooks of installed packages."""

    rate_limits: Sequence[Hook] = ()
    challenge: Challenge | None = None


@dataclass
class Guards:
    """`limits` is None when requests are not limited. `audit_days`: how long entries are kept; 0
    for ever."""

    database: Database
    clock: Clock
    limits: RateLimits | None
    velocity: Velocity
    journal: Journal
    usage: KeyUsage
    keys: Keys
    pages: Pages
    oversight: Oversight
    audit_days: int
    _signed_in: OrderedDict[tuple[int, str], float] = field(default_factory=OrderedDict)

    def first_sign_in(self, account_id: int, address: str) -> bool:
        """Whether this account was not seen from there for a quarter of an hour."""
        place, now = (account_id, address), time.monotonic()
        before = self._signed_in.get(place)
        if before is not None and now - before < _SIGN_IN_NOTED:
            return False
        self._signed_in[place] = now
        self._signed_in.move_to_end(place)
        while len(self._signed_in) > _MOST_SIGN_INS:
            self._signed_in.popitem(last=False)
        return True

    async def note_settings(self, settings: Settings) -> None:
        """Notes in the audit log that the shop runs with other settings than before: by a digest,
        for they may hold secrets."""
        async with self.database.transaction() as connection:
            last = await audit_store.last_detail(connection, "settings.loaded")
            if last is None or last.get("digest") != _digest(settings):
                detail = {"digest": _digest(settings)}
                await audit.record(connection, "settings.loaded", "", detail)

    def reload(self, settings: Settings) -> None:
        """Takes limits, budgets and retention from settings that were read again. Where limits are
        counted, and whether there are any, only a restart changes."""
        if self.limits is not None:
            self.limits.change(rules_of(settings))
        self.velocity.mode = Mode(settings.shield.mode)
        self.velocity.budgets = budgets_of(settings)
        self.audit_days = settings.audit.retention_days
        self.journal.note("settings.loaded", "", {"digest": _digest(settings)})

    async def decisions(self, caller: Caller, before: int, limit: int) -> list[Decision]:
        """What the shield decided, the latest first, those with a smaller number than `before`."""
        caller.must_administer()
        async with self.database.acquire() as connection:
            return await shield_store.decisions(connection, before, limit)

    async def run(self) -> None:
        """Writes what was noted and counted, chains the audit log and shortens it; until
        cancelled. Trouble is logged and tried again."""
        turn = 0
        while True:
            await asyncio.sleep(_WRITE_EVERY)
            turn += 1
            try:
                await self.velocity.flush(self.database)
                await self.journal.flush()
                if turn % _USAGE_EVERY == 0:
                    await self.usage.flush()
                    await audit_log.seal_all(self.database)
                if turn % _SWEEP_EVERY == 1:
                    await self.sweep()
            except CheckstandError as error:
                _log.warning("the guards' notes will be written later: %s", error)
            except Exception:
                _log.exception("the guards' notes will be written later")

    async def flush(self) -> None:
        """Writes everything now."""
        await self.usage.flush()
        await self.velocity.flush(self.database)
        await self.journal.flush()

    async def sweep(self) -> None:
        """Deletes what is old."""
        await self.usage.sweep()
        now = self.clock.now()
        await self.velocity.sweep(self.database, now)
        async with self.database.transaction() as connection:
            await audit_store.drop_alerts(connection, now - timedelta(days=90))
        if self.audit_days:
            await audit_log.shorten(self.database, now - timedelta(days=self.audit_days))

    async def close(self) -> None:
        try:
            await self.flush()
        except CheckstandError as error:
            _log.warning("the guards' last notes could not be written: %s", error)
        if self.limits is not None:
            await self.limits.close()


def guards(settings: Settings, database: Database, clock: Clock, hooks: Hooks) -> Guards:
    """What guards the shop of these settings."""
    journal = Journal(database, clock)
    return Guards(
        database=database,
        clock=clock,
        limits=rate_limits(settings, hooks.rate_limits),
        velocity=velocity(settings, journal, hooks.challenge),
        journal=journal,
        usage=KeyUsage(database, clock, journal.alert),
        keys=Keys(database, clock),
        pages=Pages(database),
        oversight=Oversight(database),
        audit_days=settings.audit.retention_days,
    )


def velocity(settings: Settings, journal: Journal, challenge: Challenge | None) -> Velocity:
    """The card-testing shield, with the challenge of an installed package."""
    chosen = settings.shield
    offered = installed(CHALLENGES)
    if len(offered) > 1:
        names = ", ".join(name for name, _ in offered)
        raise ConfigurationError(f"there are several challenges ({names}); uninstall all but one")
    for name, made in offered:
        if not (hasattr(made, "describe") and hasattr(made, "passed")):
            raise ConfigurationError(
                f"the entry point {name} of {CHALLENGES} is no challenge; "
                "it needs describe() and passed(proof, address)"
            )
        challenge = challenge or cast("Challenge", made)
    return Velocity(
        mode=Mode(chosen.mode),
        budgets=budgets_of(settings),
        exempt=TAKE_NO_CARD,
        alert=journal.alert,
        challenge=challenge,
    )


def rules_of(settings: Settings) -> dict[Operation, str]:
    return {operation: getattr(settings.rate_limits, operation.value) for operation in Operation}


def budgets_of(settings: Settings) -> dict[Dimension, Budget]:
    return {name: Budget.of(getattr(settings.shield, name.value)) for name in Dimension}


def _digest(settings: Settings) -> str:
    return hashlib.sha256(settings.model_dump_json().encode()).hexdigest()[:16]


def rate_limits(settings: Settings, more_hooks: Sequence[Hook] = ()) -> RateLimits | None:
    """The limits of the settings, with the hooks of installed packages; None when they are off."""
    chosen = settings.rate_limits
    if not chosen.enabled:
        return None
    try:
        patience = chosen.store_timeout
        shared = shared_store(chosen.store_url, patience) if chosen.store_url else None
    except Exception as error:
        raise ConfigurationError(
            f"rate_limits.store_url cannot be used ({type(error).__name__}); "
            "it is written as valkey://host:6379/0"
        ) from None
    hooks = checked_hooks(installed(RATE_HOOKS))
    return RateLimits(
        rules_of(settings),
        Counter(InProcess(), shared, patience=patience),
        (*hooks, *more_hooks),
    )


async def store_answers(settings: Settings) -> bool:
    """Whether the shared store of the limits can be reached."""
    limits = settings.rate_limits
    store = shared_store(limits.store_url, limits.store_timeout)
    counter = Counter(InProcess(), store, patience=limits.store_timeout)
    try:
        return await counter.answers()
    finally:
        await counter.close()


def installed(group: str) -> list[tuple[str, object]]:
    """What installed packages offer under an entry point group, by name; ConfigurationError for
    what cannot be loaded: a guard that is silently not there is worse than none."""
    found = []
    for point in sorted(entry_points(group=group), key=lambda each: each.name):
        try:
            found.append((point.name, point.load()))
        except Exception as error:
            raise ConfigurationError(
                f"the entry point {point.name} of {group} cannot be loaded: {error}; "
                "mend or uninstall the package"
            ) from error
    return found
