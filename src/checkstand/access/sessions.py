"""Sessions: the tokens that a sign-in hands out, their refreshing and their end.

A token that was verified is remembered for a few seconds, so that a request with it costs neither
a statement nor a signature. Ended in this process it is forgotten at once, in others by age.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

from checkstand import audit
from checkstand.access import session_store
from checkstand.access.principal import Account
from checkstand.access.tokens import LONGEST_DEVICE, Claims, Origin, Signer
from checkstand.errors import (
    RefreshTokenMissing,
    RefreshTokenRefused,
    TokenRefused,
    TokensNotOffered,
)
from checkstand.kit import crypto
from checkstand.kit.clock import Clock
from checkstand.storage.database import Connection, Database

MAX_AGE = 5.0
_MAX_REMEMBERED = 10_000
_LONGEST_REFRESH = 1024
ASKED_TWICE = timedelta(seconds=10)
"""Parallel requests that meet an expired token all refresh it, in official clients too."""


@dataclass(frozen=True, slots=True)
class SessionRules:
    token_life: timedelta = timedelta(days=10)
    refresh_life: timedelta = timedelta(days=30)
    most: int = 5
    """Living sessions of one account; one more ends the oldest."""
    bind_ip: bool = True
    bind_device: bool = True


@dataclass(frozen=True, slots=True)
class Pair:
    """A token and its refresh token, at the one moment when the latter can be read."""

    token: str
    refresh: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who a token stands for, and which session it is of."""

    account: Account
    claims: Claims

    @property
    def pat(self) -> str:
        return self.claims.pat


class Sessions:
    """`signer` is None while no secret is set: then there are no tokens, and none is accepted."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        signer: Signer | None,
        rules: SessionRules | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._clock = clock
        self._signer = signer
        self._rules = rules or SessionRules()
        self._monotonic = monotonic
        self._known: OrderedDict[str, tuple[float, SignedIn]] = OrderedDict()
        self._digests: dict[str, str] = {}
        """pat -> the digest that its token is known by."""
        self._generation = 0

    @property
    def offered(self) -> bool:
        """Whether signing in gives a token at all."""
        return self._signer is not None

    async def begin(self, account: Account, origin: Origin) -> Pair:
        """A token pair for somebody who just signed in; TokenRefused when the password changed
        meanwhile."""
        async with self._database.transaction() as connection:
            pair = await self._new(connection, account, origin, "")
            now = self._clock.now()
            ended = await session_store.evict(connection, account.id, self._rules.most, now)
        self._drop(ended)
        return pair

    async def refresh(self, refresh_token: str, origin: Origin) -> Pair:
        """A new pair for a refresh token, which is used up, as the old token is. One that was used
        before is refused, and has been copied: everything that goes back to the same sign-in ends,
        unless it comes so soon that it is a client which asked twice at once."""
        if self._signer is None:
            raise TokensNotOffered
        if not refresh_token:
            raise RefreshTokenMissing
        if len(refresh_token) > _LONGEST_REFRESH:
            raise RefreshTokenRefused
        pair, ended = None, list[str]()
        async with self._database.transaction() as connection:
            now = self._clock.now()
            found = await session_store.use(connection, crypto.sha256(refresh_token), now)
            if found is not None and found.used_at is not None:
                if now - found.used_at > ASKED_TWICE:
                    ended = await session_store.end_family(connection, found.family, now)
                    subject, detail = f"account {found.account.id}", {"ended": len(ended)}
                    await audit.record(connection, "token.reused", subject, detail)
            elif found is not None and found.alive:
                pair = await self._new(connection, found.account, origin, found.family)
                ended = [found.pat]
        self._drop(ended)
        if pair is None:
            raise RefreshTokenRefused
        return pair

    async def verify(self, token: str, origin: Origin) -> SignedIn:
        """Who is calling; TokenRefused for a token that is not ours, has expired, was refreshed or
        ended, or comes from elsewhere than it was handed out to."""
        if self._signer is None:
            raise TokenRefused(TokensNotOffered.text)
        digest = crypto.sha256(token)
        now = self._clock.now()
        known = self._recall(digest)
        if known is not None:
            self._signer.check_time(known.claims, now)
        else:
            known = await self._look_up(digest, self._signer.read(token, now))
        self._check_origin(known.claims.origin, origin)
        return known

    async def end(self, pat: str) -> None:
        """Signs one session out: its token and its refresh token."""
        async with self._database.transaction() as connection:
            await session_store.end(connection, pat, self._clock.now())
        self._drop([pat])

    def forget(self) -> None:
        """Drops everything remembered: an account has changed."""
        self._generation += 1
        self._known.clear()
        self._digests.clear()

    def _drop(self, ended: Iterable[str]) -> None:
        self._generation += 1
        for pat in ended:
            self._known.pop(self._digests.pop(pat, ""), None)

    async def _new(
        self, connection: Connection, account: Account, origin: Origin, family: str
    ) -> Pair:
        if self._signer is None:
            raise TokensNotOffered
        now = self._clock.now()
        pat, refresh = "pat_" + secrets.token_hex(12), secrets.token_hex(64)
        added = await session_store.add(
            connection,
            pat=pat,
            family=family or pat,
            account=account,
            refresh_hash=crypto.sha256(refresh),
            now=now,
            expires_at=now + self._rules.refresh_life,
        )
        if not added:
            raise TokenRefused("The account has changed meanwhile; sign in again.")
        token = self._signer.sign(
            pat, account.id, account.username, origin, now, self._rules.token_life
        )
        return Pair(token, refresh)

    async def _look_up(self, digest: str, claims: Claims) -> SignedIn:
        generation = self._generation
        async with self._database.acquire() as connection:
            account = await session_store.account_of(connection, claims.pat)
        if account is None or account.id != claims.account_id:
            raise TokenRefused("The token was revoked.")
        found = SignedIn(account, claims)
        if generation == self._generation:  # else something ended while we were asking
            self._known[digest] = (self._monotonic(), found)
            self._digests[found.pat] = digest
            while len(self._known) > _MAX_REMEMBERED:
                _, (_, oldest) = self._known.popitem(last=False)
                self._digests.pop(oldest.pat, None)
        return found

    def _recall(self, digest: str) -> SignedIn | None:
        found = self._known.get(digest)
        if found is None:
            return None
        if self._monotonic() - found[0] > MAX_AGE:
            del self._known[digest]
            self._digests.pop(found[1].pat, None)
            return None
        return found[1]

    def _check_origin(self, bound: Origin, origin: Origin) -> None:
        if self._rules.bind_ip and bound.ip != origin.ip:
            raise TokenRefused("The token was handed out to another address.")
        # Only if one is sent (contract accounts.md 8.4).
        device = origin.device[:LONGEST_DEVICE]
        if self._rules.bind_device and device and bound.device != device:
            raise TokenRefused("The token was handed out to another program.")
