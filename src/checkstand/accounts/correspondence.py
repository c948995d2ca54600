"""Letters to the owners of accounts: written with what they are about, tried until they arrive.

A letter waits in the database: neither a crash nor a mail server that is away loses it. The key
in it is made when it is carried, for only hashes of keys are stored; each try has a key of its own.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from checkstand.access import account_store
from checkstand.access.account_store import StoredAccount
from checkstand.accounts import letters, mailed_keys
from checkstand.accounts.letters import Occasion
from checkstand.accounts.mailed_keys import Purpose
from checkstand.accounts.rules import AccountRules
from checkstand.errors import ServiceUnavailable
from checkstand.mail import store
from checkstand.mail.post import Letter, NotDelivered, Post
from checkstand.mail.store import Waiting
from checkstand.storage.database import Connection, Database

_log = logging.getLogger(__name__)
_LEASE = timedelta(minutes=10)
"""How long one process has for one letter: longer than a mail server may take."""
_PAUSES = (1, 5, 30, 120, 600, 1800)
"""Seconds between the first tries; an hour between later ones."""
_PATIENCE = timedelta(days=1)
"""How long a letter is tried."""
_KEYS: dict[Occasion, Purpose] = {
    Occasion.LOST_PASSWORD: "password",
    Occasion.WELCOME: "password",
    Occasion.NEW_EMAIL: "email",
    Occasion.EARLIER_ORDERS: "orders",
}
"""What the key in a letter is for."""


@dataclass(frozen=True, slots=True)
class Correspondence:
    database: Database
    post: Post
    rules: AccountRules
    now: Callable[[], datetime]

    @property
    def open(self) -> bool:
        """Whether this shop sends mail at all."""
        return self.post.open

    async def write(
        self, connection: Connection, occasion: Occasion, stored: StoredAccount, to: str = ""
    ) -> None:
        """Puts a letter on its way with the transaction, to the account's address or to `to`; it
        takes the place of one with the same kind of key. Nothing in a shop that sends no mail."""
        if self.post.open:
            await store.put(
                connection,
                occasion,
                stored.account.id,
                stored.account.generation,
                to or stored.email,
                self.now(),
                instead_of=_rivals(occasion),
            )

    async def lately(
        self, connection: Connection, account_id: int, occasion: Occasion, since: datetime
    ) -> bool:
        """Whether a letter with such a key was written since then, carried or not."""
        purpose = _KEYS[occasion]
        return await store.waits(
            connection, account_id, _rivals(occasion), since
        ) or await account_store.mailed_lately(connection, account_id, purpose, since)

    def send(self) -> None:
        """Carries what waits, in the background; call it once the transaction is committed. When
        too much is under way already, the worker does it."""
        if self.post.open:
            with contextlib.suppress(ServiceUnavailable):
                self.post.soon(self.deliver)

    def later(self, write: Callable[[], Awaitable[object]]) -> None:
        """Writes in the background, and carries what was written; ServiceUnavailable when too much
        is under way."""

        async def both() -> None:
            await write()
            await self.deliver()

        self.post.soon(both)

    async def deliver(self) -> int:
        """Carries every letter that is due; says how many there were."""
        done = 0
        while self.post.open and (due := await self._next()) is not None:
            done += 1
            await self._carry(*due)
        return done

    async def _next(self) -> tuple[Waiting, Letter | None] | None:
        """A letter that is due, with what is in it; None when it is of no use any more."""
        async with self.database.transaction() as connection:
            now = self.now()
            waiting = await store.claim(connection, now, now + _LEASE)
            if waiting is None:
                return None
            return waiting, await self._composed(connection, waiting, now)

    async def _composed(
        self, connection: Connection, waiting: Waiting, now: datetime
    ) -> Letter | None:
        occasion = Occasion(waiting.occasion)
        stored = await account_store.by_id(connection, waiting.account_id, lock=True)
        if stored is None:
            return None
        key = ""
        if occasion in _KEYS:
            if stored.account.generation != waiting.generation:
                return None  # the account has changed since: whoever wants a key asks again
            purpose, life = _KEYS[occasion], self.rules.link_life
            to = waiting.recipient
            key = await mailed_keys.make(connection, stored, purpose, to, now, life)
        return letters.about(occasion, self.rules, waiting.recipient, stored.account, key)

    async def _carry(self, waiting: Waiting, letter: Letter | None) -> None:
        failure: NotDelivered | None = None
        if letter is not None:
            try:
                await self.post.carry(letter)
            except NotDelivered as refusal:
                failure = refusal
        now = self.now()
        async with self.database.transaction() as connection:
            if failure is None or failure.lasting or now - waiting.created_at > _PATIENCE:
                await store.over(connection, waiting)
            else:
                await store.again(connection, waiting, now + _pause(waiting.tries))
                _log.warning("a letter was not delivered yet: %s", failure)
                return
        if failure is not None:
            _log.error("a letter was not delivered: %s", failure)


def _pause(tries: int) -> timedelta:
    return timedelta(seconds=_PAUSES[tries - 1] if tries <= len(_PAUSES) else 3600)


def _rivals(occasion: Occasion) -> list[Occasion]:
    """Occasions whose letters have the same kind of key: only the newest key works."""
    purpose = _KEYS.get(occasion)
    return [each for each, other in _KEYS.items() if other == purpose]
