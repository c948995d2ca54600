"""The floor: the least that a Python server could do for the same answers.

A bare ASGI app that reads the request, issues the minimal SQL with asyncpg on tables shaped like
ours, and sends the bytes that the shop sent. No routing, no validation, no arithmetic.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import asyncpg
import orjson

from bench.answers import Answer

_READ = "SELECT document FROM floor.carts WHERE cart_key = $1"
_LOCK = f"{_READ} FOR UPDATE"
_SAVE = "UPDATE floor.carts SET version = version + 1, document = $2 WHERE cart_key = $1"
_ATTEMPT = (
    "INSERT INTO floor.payment_attempts (id, order_id, gateway, state, amount, currency,"
    " lease_until, created_at) VALUES ($1, $2, 'bacs', 'open', 1000, 'USD', now(), now())"
)
_MARK = (
    "UPDATE floor.carts SET version = version + 1, order_id = $2, paying_until = now()"
    " WHERE cart_key = $1"
)
_MOVE = "UPDATE floor.orders SET status = 'on-hold', placed_at = now() WHERE id = $1"
_SETTLE = "UPDATE floor.payment_attempts SET state = 'approved', settled_at = now() WHERE id = $1"
_CLOSE = (
    "UPDATE floor.carts SET version = version + 1, document = '{}', paying_until = NULL,"
    " placed_at = now() WHERE cart_key = $1"
)

_GIVEN_BY_TABLE = ("id", "order_id")
_GIVEN_BY_REQUEST = ("order_key", "cart_key")


class Floor:
    """An ASGI app that knows each answer before it is asked."""

    def __init__(self, database_url: str, answers: Sequence[Answer]) -> None:
        self._url = database_url
        self._work = {(each.method, each.route): each.work for each in answers}
        self._messages = {(each.method, each.route): _messages(each) for each in answers}
        self._pool: Any = None
        self._order = _NO_ORDER

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._live(receive, send)
            return
        path, query = scope["path"], scope["query_string"].decode()
        asked = (scope["method"], f"{path}?{query}")
        if asked not in self._work:
            asked = (scope["method"], path)
        key = next(value for name, value in scope["headers"] if name == b"cart-key").decode()
        while (await receive()).get("more_body"):
            pass
        work = self._work[asked]
        async with self._pool.acquire() as connection:
            if work == "read":
                await connection.fetchrow(_READ, key)
            elif work == "write":
                async with connection.transaction():
                    row = await connection.fetchrow(_LOCK, key)
                    await connection.execute(_SAVE, key, row[0])
            else:
                await self._process(connection, key)
        for message in self._messages[asked]:
            await send(message)

    async def _process(self, connection: Any, key: str) -> None:
        """Two transactions, as an order needs them when a payment provider is asked in between."""
        attempt = "att_" + secrets.token_hex(16)
        async with connection.transaction():
            await connection.fetchrow(_LOCK, key)
            order = await connection.fetchval(
                self._order.sql, secrets.token_hex(16), key, *self._order.values
            )
            await connection.execute(_ATTEMPT, attempt, order)
            await connection.execute(_MARK, key, order)
        async with connection.transaction():
            await connection.fetchrow(_LOCK, key)
            await connection.execute(_MOVE, order)
            await connection.execute(_SETTLE, attempt)
            await connection.execute(_CLOSE, key)

    async def _live(self, receive: Any, send: Any) -> None:
        """The lifespan: a pool as small as the shop's, released without a reset trip."""
        await receive()
        self._pool = await asyncpg.create_pool(
            self._url, min_size=2, max_size=10, reset=_nothing, server_settings={"jit": "off"}
        )
        self._order = await _order_insert(self._pool)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._pool.close()
        await send({"type": "lifespan.shutdown.complete"})


async def _nothing(connection: Any) -> None:
    """Instead of a reset query."""


def _messages(answer: Answer) -> tuple[dict[str, Any], dict[str, Any]]:
    headers = [(name.encode(), value.encode()) for name, value in answer.headers]
    return (
        {"type": "http.response.start", "status": 200, "headers": headers},
        {"type": "http.response.body", "body": answer.body.encode()},
    )


class _OrderInsert:
    """One statement that stores an order with its lines: $1 its key, $2 the cart's."""

    def __init__(self, sql: str, values: Sequence[Any]) -> None:
        self.sql = sql
        self.values = values


_NO_ORDER = _OrderInsert("", ())


async def _order_insert(pool: Any) -> _OrderInsert:
    """Made of the order that the capture left, so that it has the shape of a real one."""
    order = await pool.fetchrow("SELECT * FROM orders ORDER BY id LIMIT 1")
    if order is None:
        return _NO_ORDER
    lines = await pool.fetch("SELECT * FROM order_lines WHERE order_id = $1", order["id"])
    own = [name for name in dict(order) if name not in (*_GIVEN_BY_TABLE, *_GIVEN_BY_REQUEST)]
    parts = [name for name in dict(lines[0]) if name not in _GIVEN_BY_TABLE]
    marks = ", ".join(f"${number}" for number in range(3, len(own) + 3))
    sql = f"""
        WITH placed AS (
            INSERT INTO floor.orders (order_key, cart_key, {", ".join(own)})
            VALUES ($1, $2, {marks}) RETURNING id
        ), parts AS (
            INSERT INTO floor.order_lines (order_id, {", ".join(parts)})
            SELECT placed.id, {", ".join(f"l.{name}" for name in parts)} FROM placed,
                jsonb_populate_recordset(NULL::floor.order_lines, ${len(own) + 3}) AS l
        )
        SELECT id FROM placed
    """
    return _OrderInsert(sql, [*(order[name] for name in own), _as_json(lines)])


def _as_json(lines: Sequence[Any]) -> str:
    """The lines as one parameter, jsonb inside as it is stored."""
    rows = [dict(line) for line in lines]
    for row in rows:
        row |= {name: orjson.Fragment(row[name]) for name in ("meta", "downloads")}
    return orjson.dumps(rows).decode()
