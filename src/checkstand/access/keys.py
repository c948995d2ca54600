"""Consumer keys, from the making to the end: the verbs of operators and administrators."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from urllib.parse import urlsplit

from checkstand import audit
from checkstand.access import key_store as store
from checkstand.access.key_store import StoredKey, Terms, Usage
from checkstand.access.principal import Caller, KeyKind
from checkstand.errors import NoSuchKey, ParameterInvalid
from checkstand.kit import crypto, ids
from checkstand.kit.clock import Clock
from checkstand.storage.database import Connection, Database

_ORIGIN = re.compile(r"https?://[a-z0-9.\-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?")
_MOST = 50
"""Origins or networks of one key."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the one moment when its secret can be read; a publishable one has none."""

    id: int
    consumer_key: str
    consumer_secret: str


async def create(connection: Connection, terms: Terms, now: datetime | None = None) -> NewKey:
    """A new key, stored as hashes; the pair itself is returned here and nowhere else.
    ParameterInvalid when the terms make no sense, now by the system's clock unless it is given."""
    terms = checked(terms, now)
    made = await _make(connection, terms)
    await audit.record(connection, "key.created", f"key {made.id}", _told(terms))
    return made


async def rotate(
    connection: Connection, key_id: int, overlap: timedelta, now: datetime
) -> tuple[NewKey, datetime]:
    """A successor on the same terms, and when the key ends: both work until then. NoSuchKey when it
    has ended already."""
    stored = await store.key(connection, key_id, lock=True)
    if stored is None or stored.state(now) != "active":
        raise NoSuchKey
    key = stored.key
    terms = Terms(
        name=key.name,
        permission=key.permission,
        dialect=key.dialect,
        kind=key.kind,
        owner=key.owner,
        origins=tuple(sorted(key.origins)),
        networks=tuple(str(network) for network in key.networks),
        expires_at=key.expires_at,
    )
    made = await _make(connection, terms)
    ends_at = now + overlap
    if key.expires_at is not None:
        ends_at = min(ends_at, key.expires_at)
    await store.succeed(connection, key_id, made.id, ends_at)
    detail = {"successor": made.id, "ends_at": ends_at.isoformat()}
    await audit.record(connection, "key.rotated", f"key {key_id}", detail)
    return made, ends_at


async def revoke(connection: Connection, key_id: int, now: datetime) -> None:
    """The key ends now: every server that hears change notices refuses it at once, every other
    within 5 s. NoSuchKey when there is none, or it was revoked."""
    if not await store.revoke_key(connection, key_id, now):
        raise NoSuchKey
    await audit.record(connection, "key.revoked", f"key {key_id}")


def checked(terms: Terms, now: datetime | None = None) -> Terms:
    """The terms in their usual form."""
    name, owner = terms.name.strip(), terms.owner.strip()
    if not name or len(name) > 200:
        raise _wrong("name", "say in 1 to 200 characters what the key is for")
    if len(owner) > 200:
        raise _wrong("owner", "has more than 200 characters")
    for field, named in (("origins", terms.origins), ("networks", terms.networks)):
        if len(named) > _MOST:
            raise _wrong(field, f"at most {_MOST}")
    if terms.kind is KeyKind.PUBLISHABLE and not terms.origins:
        raise _wrong("origins", "a publishable key needs the origins of the pages that use it")
    if terms.expires_at is not None and terms.expires_at.tzinfo is None:
        raise _wrong("expires_at", "needs a time zone, such as Z")
    if terms.expires_at is not None and terms.expires_at <= (now or datetime.now(UTC)):
        raise _wrong("expires_at", "is over already")
    return replace(
        terms,
        name=name,
        owner=owner,
        origins=tuple(sorted({_origin(text) for text in terms.origins})),
        networks=tuple(sorted({_network(text) for text in terms.networks})),
    )


def _origin(text: str) -> str:
    """`https://shop.example`, as browsers write it: small letters, no path, no usual port."""
    parts = urlsplit(text.strip().lower())
    origin = f"{parts.scheme}://{parts.netloc}"
    usual = {"http": ":80", "https": ":443"}.get(parts.scheme, " ")
    origin = origin.removesuffix(usual)
    if not _ORIGIN.fullmatch(origin) or parts.path not in ("", "/") or parts.query:
        raise _wrong("origins", "write an origin without a path, such as https://shop.example")
    return origin


def _network(text: str) -> str:
    try:
        return str(ip_network(text.strip(), strict=False))
    except ValueError:
        raise _wrong("networks", "a network is written 10.0.0.0/8, or is an address") from None


def _wrong(field: str, why: str) -> ParameterInvalid:
    return ParameterInvalid(f"Invalid parameter(s): {field}.", data={"params": {field: why}})


async def _make(connection: Connection, terms: Terms) -> NewKey:
    publishable = terms.kind is KeyKind.PUBLISHABLE
    key = ids.publishable_key() if publishable else ids.consumer_key()
    secret = "" if publishable else ids.consumer_secret()
    key_id = await store.add_key(
        connection,
        terms,
        key_hash=crypto.sha256(key),
        tail=key[-7:],
        secret_hash=crypto.sha256(secret) if secret else "",
    )
    return NewKey(key_id, key, secret)


def _told(terms: Terms) -> dict[str, object]:
    """What the audit log keeps of a new key's terms. Name and owner may be a person's."""
    return {
        "kind": terms.kind.value,
        "permission": terms.permission.value,
        "origins": list(terms.origins),
        "networks": list(terms.networks),
        "expires_at": terms.expires_at.isoformat() if terms.expires_at else None,
    }


@dataclass(frozen=True, slots=True)
class Keys:
    """The same for administrators who call the API."""

    database: Database
    clock: Clock

    async def create(self, caller: Caller, terms: Terms) -> NewKey:
        caller.must_administer()
        async with self.database.transaction() as connection:
            return await create(connection, terms, self.clock.now())

    async def rotate(
        self, caller: Caller, key_id: int, overlap: timedelta
    ) -> tuple[NewKey, datetime]:
        caller.must_administer()
        async with self.database.transaction() as connection:
            return await rotate(connection, key_id, overlap, self.clock.now())

    async def revoke(self, caller: Caller, key_id: int) -> None:
        caller.must_administer()
        async with self.database.transaction() as connection:
            await revoke(connection, key_id, self.clock.now())

    async def every(self, caller: Caller) -> list[tuple[StoredKey, str]]:
        """All keys with their states."""
        caller.must_administer()
        async with self.database.acquire() as connection:
            found = await store.all_keys(connection)
        return [(stored, stored.state(self.clock.now())) for stored in found]

    async def usage(self, caller: Caller, key_id: int, days: int) -> list[Usage]:
        """The use of a key by day and route; NoSuchKey when there never was one."""
        caller.must_administer()
        since = self.clock.now().date() - timedelta(days=days - 1)
        async with self.database.acquire() as connection:
            if await store.key(connection, key_id) is None:
                raise NoSuchKey
            return await store.usage(connection, key_id, since)
