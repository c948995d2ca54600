"""All SQL about consumer keys and their use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from ipaddress import ip_network

from asyncpg import Record

from checkstand.access.principal import ConsumerKey, Dialect, KeyKind, Permission
from checkstand.storage.database import Connection


@dataclass(frozen=True, slots=True)
class StoredKey:
    key: ConsumerKey
    secret_hash: str
    tail: str
    created_at: datetime
    revoked_at: datetime | None
    successor_id: int | None = None
    last_used_at: datetime | None = None
    """Only where it is asked for."""

    def state(self, now: datetime) -> str:
        """`active`, `rotating` (it still works beside its successor), `expired`, `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        if self.key.expires_at is not None and self.key.expires_at <= now:
            return "expired"
        return "rotating" if self.successor_id is not None else "active"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a key is made with."""

    name: str
    permission: Permission = Permission.READ_WRITE
    dialect: Dialect | None = None
    kind: KeyKind = KeyKind.SECRET
    owner: str = ""
    origins: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """How often a key was used for a route on a day (UTC)."""

    day: date
    route: str
    requests: int
    failures: int
    limited: int
    last_at: datetime


async def add_key(
    connection: Connection, terms: Terms, *, key_hash: str, tail: str, secret_hash: str
) -> int:
    """Stores a new key by its hashes and returns its id."""
    return int(
        await connection.fetchval(
            "INSERT INTO consumer_keys (name, permission, dialect, kind, owner, origins, networks,"
            " expires_at, key_hash, key_tail, secret_hash)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id",
            terms.name,
            terms.permission.value,
            terms.dialect.value if terms.dialect else None,
            terms.kind.value,
            terms.owner,
            list(terms.origins),
            list(terms.networks),
            terms.expires_at,
            key_hash,
            tail,
            secret_hash,
        )
    )


async def key_by_hash(connection: Connection, key_hash: str) -> StoredKey | None:
    row = await connection.fetchrow("SELECT * FROM consumer_keys WHERE key_hash = $1", key_hash)
    return _key(row) if row else None


async def key(connection: Connection, key_id: int, *, lock: bool = False) -> StoredKey | None:
    row = await connection.fetchrow(
        f"SELECT * FROM consumer_keys WHERE id = $1{' FOR UPDATE' if lock else ''}", key_id
    )
    return _key(row) if row else None


async def all_keys(connection: Connection) -> list[StoredKey]:
    """With the time of their last use."""
    rows = await connection.fetch(
        "SELECT k.*, u.last_used_at FROM consumer_keys k LEFT JOIN ("
        "SELECT key_id, max(last_at) AS last_used_at FROM key_usage WHERE requests > 0"
        " GROUP BY key_id) u ON u.key_id = k.id ORDER BY k.id"
    )
    return [_key(row, row["last_used_at"]) for row in rows]


async def pages(connection: Connection) -> frozenset[str]:
    """The origins of all publishable keys that have not ended."""
    rows = await connection.fetch(
        "SELECT DISTINCT unnest(origins) FROM consumer_keys WHERE kind = 'publishable'"
        " AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"
    )
    return frozenset(row[0] for row in rows)


async def revoke_key(connection: Connection, key_id: int, now: datetime) -> bool:
    """Whether there was such a key that was not revoked yet."""
    done = await connection.fetchval(
        "UPDATE consumer_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING 1",
        key_id,
        now,
    )
    return done is not None


async def succeed(
    connection: Connection, key_id: int, successor_id: int, ends_at: datetime
) -> None:
    """The key ends then, or earlier when it would have; another one follows it."""
    await connection.execute(
        "UPDATE consumer_keys SET successor_id = $2, expires_at = least(expires_at, $3)"
        " WHERE id = $1",
        key_id,
        successor_id,
        ends_at,
    )


async def usage(connection: Connection, key_id: int, since: date) -> list[Usage]:
    """The latest day first, the busiest route of a day first."""
    rows = await connection.fetch(
        "SELECT day, route, requests, failures, limited, last_at FROM key_usage"
        " WHERE key_id = $1 AND day >= $2 ORDER BY day DESC, requests DESC, route LIMIT 1000",
        key_id,
        since,
    )
    return [Usage(*row) for row in rows]


async def add_usage(connection: Connection, tallies: Sequence[tuple[int, Usage]]) -> None:
    """Adds what was counted, all in one statement. Keys that are gone are passed over."""
    await connection.execute(
        "INSERT INTO key_usage AS u (key_id, day, route, requests, failures, limited, last_at)"
        " SELECT t.* FROM unnest($1::bigint[], $2::date[], $3::text[], $4::bigint[], $5::bigint[],"
        " $6::bigint[], $7::timestamptz[]) AS t (key_id, day, route, requests, failures, limited,"
        " last_at) JOIN consumer_keys k ON k.id = t.key_id"
        " ON CONFLICT (key_id, day, route) DO UPDATE SET requests = u.requests + excluded.requests,"
        " failures = u.failures + excluded.failures, limited = u.limited + excluded.limited,"
        " last_at = greatest(u.last_at, excluded.last_at)",
        [key_id for key_id, _ in tallies],
        [each.day for _, each in tallies],
        [each.route for _, each in tallies],
        [each.requests for _, each in tallies],
        [each.failures for _, each in tallies],
        [each.limited for _, each in tallies],
        [each.last_at for _, each in tallies],
    )


async def add_networks(
    connection: Connection, seen: Sequence[tuple[int, str]], now: datetime
) -> list[tuple[int, str]]:
    """Notes where keys were used from; gives what is new to a key that is known elsewhere."""
    rows = await connection.fetch(
        "WITH seen AS (SELECT t.* FROM unnest($1::bigint[], $2::text[]) AS t (key_id, network)"
        " JOIN consumer_keys k ON k.id = t.key_id),"
        " known AS (SELECT DISTINCT key_id FROM key_networks WHERE key_id = ANY ($1)),"
        " added AS (INSERT INTO key_networks AS n (key_id, network, first_at, last_at)"
        " SELECT key_id, network, $3, $3 FROM seen ON CONFLICT (key_id, network)"
        " DO UPDATE SET last_at = $3 RETURNING n.key_id, n.network, n.first_at)"
        " SELECT a.key_id, a.network FROM added a JOIN known k ON k.key_id = a.key_id"
        " WHERE a.first_at = $3",
        [key_id for key_id, _ in seen],
        [network for _, network in seen],
        now,
    )
    return [(row["key_id"], row["network"]) for row in rows]


async def drop_usage(connection: Connection, before: date, moment: datetime) -> None:
    """Deletes the counts of days before that, and networks that were not seen since the moment."""
    await connection.execute("DELETE FROM key_usage WHERE day < $1", before)
    await connection.execute("DELETE FROM key_networks WHERE last_at < $1", moment)


def _key(row: Record, last_used_at: datetime | None = None) -> StoredKey:
    return StoredKey(
        ConsumerKey(
            id=row["id"],
            name=row["name"],
            permission=Permission(row["permission"]),
            dialect=Dialect(row["dialect"]) if row["dialect"] else None,
            kind=KeyKind(row["kind"]),
            owner=row["owner"],
            origins=frozenset(row["origins"]),
            networks=tuple(ip_network(text) for text in row["networks"]),
            expires_at=row["expires_at"],
        ),
        row["secret_hash"],
        row["key_tail"],
        row["created_at"],
        row["revoked_at"],
        row["successor_id"],
        last_used_at,
    )
