"""From what a request presents to who is calling.

Verified credentials are remembered for a few seconds (by their hash only), so that a request costs
no statement and no argon2 run; a change notice forgets them at once, age does within 5 s.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from checkstand.access import account_store, store
from checkstand.access.passwords import Passwords
from checkstand.access.principal import Account, ConsumerKey, Dialect, Permission, Role
from checkstand.errors import AuthenticationFailed
from checkstand.kit import crypto, ids
from checkstand.storage.database import Connection, Database

MAX_AGE = 5.0
_MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key pair at the one moment when its secret can be read."""

    id: int
    consumer_key: str
    consumer_secret: str


class Credentials:
    """Verifies consumer keys and passwords."""

    def __init__(
        self,
        database: Database,
        monotonic: Callable[[], float] = time.monotonic,
        passwords: Passwords | None = None,
    ) -> None:
        self._database = database
        self.passwords = passwords or Passwords()
        self._monotonic = monotonic
        self._known: OrderedDict[str, tuple[float, ConsumerKey | Account]] = OrderedDict()
        self._generation = 0

    async def consumer_key(self, key: str, secret: str) -> ConsumerKey:
        """The key of the pair; AuthenticationFailed when unknown, wrong or revoked."""
        digest = crypto.sha256(f"key\n{key}\n{secret}")
        known = self._recall(digest)
        if isinstance(known, ConsumerKey):
            return known
        generation = self._generation
        async with self._database.acquire() as connection:
            stored = await store.key_by_hash(connection, crypto.sha256(key))
        # The secret is compared even when there is no key: both answers take as long.
        expected = stored.secret_hash if stored else "0" * 64
        right = crypto.same(crypto.sha256(secret), expected)
        if stored is None or not right or stored.revoked_at is not None:
            raise AuthenticationFailed("The consumer key or its secret is wrong, or was revoked.")
        self._remember(digest, stored.key, generation)
        return stored.key

    async def account(self, login: str, password: str) -> Account:
        """Who signs in with a user name, e-mail address or billing phone; AuthenticationFailed,
        equally slow for a wrong password and for nobody."""
        digest = crypto.sha256(f"account\n{login}\n{password}")
        known = self._recall(digest)
        if isinstance(known, Account):
            return known
        generation = self._generation
        async with self._database.acquire() as connection:
            stored = await account_store.by_login(connection, login)
        right = await self.passwords.match(stored.password_hash if stored else None, password)
        if stored is None or not right:
            raise AuthenticationFailed("The user name or the password is wrong.")
        self._remember(digest, stored.account, generation)
        return stored.account

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


async def create_key(
    connection: Connection, name: str, permission: Permission, dialect: Dialect | None
) -> NewKey:
    """A new pair, stored as hashes; the pair itself is returned here and nowhere else."""
    key, secret = ids.consumer_key(), ids.consumer_secret()
    key_id = await store.add_key(
        connection,
        name=name,
        permission=permission,
        dialect=dialect,
        key_hash=crypto.sha256(key),
        tail=key[-7:],
        secret_hash=crypto.sha256(secret),
    )
    return NewKey(key_id, key, secret)


async def create_account(
    connection: Connection, username: str, email: str, password: str, role: Role
) -> int:
    """An account that can sign in, or another password and role for the one of that name; for
    operators. The password is stored as argon2id."""
    hashed = await Passwords().hash(password)
    return await account_store.put(connection, username, email, hashed, role)
