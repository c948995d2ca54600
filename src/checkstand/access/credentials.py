"""From what a request presents to who is calling.

Verified credentials are remembered for a few seconds (by their hash only), so that a request costs
no statement and no argon2 run; a change notice forgets them at once, age does within 5 s.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from weakref import WeakValueDictionary

from checkstand.access import account_store, key_store
from checkstand.access.account_store import StoredAccount
from checkstand.access.passwords import Passwords
from checkstand.access.principal import Account, ConsumerKey, Place, Role
from checkstand.errors import AuthenticationFailed, KeyNotAccepted, PasswordRefused
from checkstand.kit import crypto
from checkstand.kit.clock import Clock, SystemClock
from checkstand.storage.database import Connection, Database

MAX_AGE = 5.0
PUBLISHABLE = "pk_"
"""How a publishable key begins."""
_MAX_REMEMBERED = 10_000


class Credentials:
    """Verifies consumer keys and passwords."""

    def __init__(
        self,
        database: Database,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Clock | None = None,
        passwords: Passwords | None = None,
    ) -> None:
        self._database = database
        self.passwords = passwords or Passwords()
        self._monotonic = monotonic
        self._clock = clock or SystemClock()
        self._known: OrderedDict[str, tuple[float, ConsumerKey | Account]] = OrderedDict()
        self._generation = 0
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def consumer_key(self, key: str, secret: str, place: Place | None = None) -> ConsumerKey:
        """The key, when it may be used from there: AuthenticationFailed when there is none,
        KeyNotAccepted (with its `reason` and the key's `id`) when it is not for there or now. A
        publishable key has no secret; whatever is sent for one is not looked at."""
        publishable = key.startswith(PUBLISHABLE)
        digest = crypto.sha256(f"key\n{key}\n{'' if publishable else secret}")
        known = self._recall(digest)
        if isinstance(known, ConsumerKey):
            found = known
        else:
            found = await self._checked(key, "" if publishable else secret, digest)
        found.check(place or Place(), self._clock.now())
        return found

    async def _checked(self, key: str, secret: str, digest: str) -> ConsumerKey:
        generation = self._generation
        async with self._database.acquire() as connection:
            stored = await key_store.key_by_hash(connection, crypto.sha256(key))
        # The secret is compared even when there is no key: both answers take as long.
        expected = stored.secret_hash if stored else "0" * 64
        right = crypto.same(crypto.sha256(secret) if secret else "", expected)
        text = "The consumer key or its secret is wrong, or was revoked."
        if stored is None:
            raise AuthenticationFailed(text)
        if not right or stored.revoked_at is not None:
            reason = "revoked" if right else "secret"
            raise KeyNotAccepted(text, reason=reason, key_id=stored.key.id)
        self._remember(digest, stored.key, generation)
        return stored.key

    async def account(self, login: str, password: str) -> Account:
        """Who signs in with a user name, e-mail address or billing phone; PasswordRefused, equally
        slow for a wrong password and for nobody."""
        digest = crypto.sha256(f"account\n{login}\n{password}")
        known = self._recall(digest)
        if isinstance(known, Account):
            return known
        generation = self._generation
        async with self._database.acquire() as connection:
            stored = await account_store.by_login(connection, login)
        right = await self.passwords.match(stored.password_hash if stored else None, password)
        if stored is None or not right:
            raise PasswordRefused(stored.account.id if stored else None)
        if self.passwords.outdated(stored.password_hash):
            await self._renew(stored, password)
        self._remember(digest, stored.account, generation)
        return stored.account

    async def _renew(self, stored: StoredAccount, password: str) -> None:
        """The same password with today's parameters, now that it is known."""
        hashed = await self.passwords.hash(password)
        async with self._database.transaction() as connection:
            await account_store.renew_hash(connection, stored, hashed)

    def turn(self, login: str, password: str) -> asyncio.Lock:
        """What those hold who check the same login and password, one after another: all but the
        first recall the answer."""
        digest = crypto.sha256(f"account\n{login}\n{password}")
        return self._turns.setdefault(digest, asyncio.Lock())

    def recalled(self, login: str, password: str) -> Account | None:
        """Who signed in with these a moment ago."""
        known = self._recall(crypto.sha256(f"account\n{login}\n{password}"))
        return known if isinstance(known, Account) else None

    def forget(self) -> None:
        """Drops everything remembered: a key or an account has changed."""
        self._generation += 1
        self._known.clear()

    def _recall(self, digest: str) -> ConsumerKey | Account | None:
        found = self._known.get(digest)
        if found is None or self._monotonic() - found[0] > MAX_AGE:
            return None
        return found[1]

    def _remember(self, digest: str, who: ConsumerKey | Account, generation: int) -> None:
        if generation != self._generation:
            return  # something changed while we were asking: ask again next time
        self._known[digest] = (self._monotonic(), who)
        self._known.move_to_end(digest)
        while len(self._known) > _MAX_REMEMBERED:
            self._known.popitem(last=False)


async def create_account(
    connection: Connection, username: str, email: str, password: str, role: Role
) -> int:
    """An account that can sign in, or another password and role for the one of that name; for
    operators. The password is stored as argon2id."""
    hashed = await Passwords().hash(password)
    return await account_store.put(connection, username, email, hashed, role)
