"""All SQL that gathers or erases the personal data of one person, across the rooms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from checkstand.storage.database import Connection

KEPT_OF_ADDRESSES = ("country", "state", "postcode")
"""What an order keeps of its addresses: where it was taxed. Nobody is known by it."""
_LIVE = "('open', 'needs_action', 'unknown')"


@dataclass(frozen=True, slots=True)
class Person:
    """Whom it is about. `account_id` is None for a guest, who is known by his e-mail."""

    account_id: int | None
    email: str


async def find(connection: Connection, who: str) -> Person | None:
    """By account number or e-mail: of an account, an order, a cart or a review."""
    row = await connection.fetchrow(
        "SELECT id, email FROM accounts WHERE id::text = $1 OR lower(email) = lower($1)"
        " ORDER BY id LIMIT 1",
        who,
    )
    if row is not None:
        return Person(row["id"], row["email"])
    known = await connection.fetchval(
        "SELECT 1 FROM orders WHERE lower(billing ->> 'email') = lower($1) LIMIT 1", who
    ) or await connection.fetchval(
        "SELECT 1 FROM carts WHERE lower(document #>> '{billing,email}') = lower($1)"
        " UNION ALL SELECT 1 FROM product_reviews WHERE lower(email) = lower($1) LIMIT 1",
        who,
    )
    return Person(None, who) if known and "@" in who else None


async def account(connection: Connection, person: Person) -> dict[str, Any] | None:
    """The account's row, without the password's hash."""
    if person.account_id is None:
        return None
    found: dict[str, Any] = await connection.fetchval(
        "SELECT to_jsonb(a) - 'password_hash' || jsonb_build_object("
        " 'customer', (SELECT to_jsonb(c) FROM customers c WHERE c.account_id = a.id),"
        " 'sessions', (SELECT coalesce(jsonb_agg(jsonb_build_object('created_at', s.created_at,"
        " 'expires_at', s.expires_at, 'ended_at', s.ended_at) ORDER BY s.created_at), '[]')"
        " FROM sessions s WHERE s.account_id = a.id),"
        " 'saved_methods', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'token' ORDER BY t.id), '[]')"
        " FROM payment_tokens t WHERE t.customer_id = a.id)) FROM accounts a WHERE id = $1",
        person.account_id,
    )
    return found


async def order_ids(connection: Connection, person: Person) -> list[int]:
    """Orders of the account, and those with its e-mail that no other account made."""
    rows = await connection.fetch(
        "SELECT id FROM orders WHERE customer_id = $1"
        " OR (customer_id IS NULL AND lower(billing ->> 'email') = lower($2)) ORDER BY id",
        person.account_id,
        person.email,
    )
    return [row["id"] for row in rows]


async def orders(connection: Connection, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Whole orders, with their lines, as stored: amounts in minor units."""
    rows = await connection.fetch(
        "SELECT to_jsonb(o) || jsonb_build_object('lines', ("
        " SELECT coalesce(jsonb_agg(to_jsonb(l) ORDER BY l.position), '[]') FROM order_lines l"
        " WHERE l.order_id = o.id)) FROM orders o WHERE o.id = ANY ($1) ORDER BY o.id",
        list(ids),
    )
    return [row[0] for row in rows]


async def carts(connection: Connection, person: Person) -> list[dict[str, Any]]:
    rows = await connection.fetch(
        "SELECT to_jsonb(c) FROM carts c WHERE customer_id = $1 OR cart_key = $1::text"
        " OR lower(document #>> '{billing,email}') = lower($2) ORDER BY created_at",
        person.account_id,
        person.email,
    )
    return [row[0] for row in rows]


async def reviews(connection: Connection, person: Person) -> list[dict[str, Any]]:
    rows = await connection.fetch(
        "SELECT to_jsonb(r) FROM product_reviews r WHERE account_id = $1"
        " OR lower(email) = lower($2) ORDER BY id",
        person.account_id,
        person.email,
    )
    return [row[0] for row in rows]


async def paying(connection: Connection, ids: Sequence[int]) -> list[int]:
    """Those of the orders whose payment is under way."""
    rows = await connection.fetch(
        f"SELECT DISTINCT order_id FROM payment_attempts WHERE order_id = ANY ($1)"
        f" AND state IN {_LIVE} ORDER BY order_id",
        list(ids),
    )
    return [row["order_id"] for row in rows]


async def erase_orders(connection: Connection, ids: Sequence[int]) -> None:
    """Takes names, addresses, notes and reasons out; amounts, lines and where it was taxed stay."""
    kept = list(KEPT_OF_ADDRESSES)
    await connection.execute("UPDATE refunds SET reason = '' WHERE order_id = ANY ($1)", list(ids))
    await connection.execute(
        "UPDATE orders SET customer_note = '',"
        " billing = (SELECT jsonb_object_agg(key, CASE WHEN key = ANY ($2) THEN value"
        " ELSE to_jsonb(''::text) END) FROM jsonb_each(billing)),"
        " shipping = (SELECT jsonb_object_agg(key, CASE WHEN key = ANY ($2) THEN value"
        " ELSE to_jsonb(''::text) END) FROM jsonb_each(shipping))"
        " WHERE id = ANY ($1) AND billing <> '{}'",
        list(ids),
        kept,
    )


async def erase_carts(connection: Connection, person: Person, ids: Sequence[int]) -> int:
    """Deletes the person's carts and remembered answers about them; says how many carts."""
    keys = await connection.fetch(
        "SELECT cart_key FROM carts WHERE customer_id = $1 OR cart_key = $1::text"
        " OR lower(document #>> '{billing,email}') = lower($2) OR order_id = ANY ($3)"
        " ORDER BY cart_key FOR UPDATE",
        person.account_id,
        person.email,
        list(ids),
    )
    names = [row["cart_key"] for row in keys]
    await connection.execute("DELETE FROM idempotency_keys WHERE cart_key = ANY ($1)", names)
    await connection.execute(
        "DELETE FROM cart_links WHERE maker = ANY ($1) OR maker = $2",
        names,
        str(person.account_id or ""),
    )
    await connection.execute("DELETE FROM carts WHERE cart_key = ANY ($1)", names)
    return len(names)


async def erase_reviews(connection: Connection, person: Person) -> None:
    """Takes the name from what the person wrote about products, so that stars stay what they are;
    text and product stay too."""
    await connection.execute(
        "UPDATE product_reviews SET reviewer = '', account_id = NULL,"
        " email = 'erased-' || id || '@erased.invalid'"
        " WHERE account_id = $1 OR lower(email) = lower($2)",
        person.account_id,
        person.email,
    )


async def erase_coupons(connection: Connection, person: Person, ids: Sequence[int]) -> None:
    """Coupons stay used as often as they were; nobody knows any more by whom. One that was for this
    address is for nobody then: without the address it would be for everybody."""
    await connection.execute(
        "UPDATE coupon_uses SET email_hash = '', customer_id = NULL"
        " WHERE customer_id = $1 OR order_id = ANY ($2) OR email_hash = coupon_email_hash($3)",
        person.account_id,
        list(ids),
        person.email,
    )
    await connection.execute(
        "UPDATE coupons SET emails = array_replace(emails, lower($1), 'nobody@erased.invalid')"
        " WHERE lower($1) = ANY (emails)",
        person.email,
    )


async def erase_account(connection: Connection, account_id: int) -> None:
    """Leaves the account's number only: nobody can sign in with it any more."""
    await connection.execute("DELETE FROM payment_tokens WHERE customer_id = $1", account_id)
    await connection.execute(
        "UPDATE accounts SET username = 'erased-' || id, password_hash = '!',"
        " email = 'erased-' || id || '@erased.invalid', first_name = '', last_name = '',"
        " display_name = '', proven_email = '', generation = generation + 1 WHERE id = $1",
        account_id,
    )
    for table in ("customers", "sessions", "mailed_keys", "letters"):
        await connection.execute(f"DELETE FROM {table} WHERE account_id = $1", account_id)
