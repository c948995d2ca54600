"""What must be nowhere: passwords, tokens, keys and fast digests of passwords are looked for in the
log, in every refusal, and in all of the database."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

import httpx2
import pytest

from checkstand.storage.database import Database
from tests.fakes import Letterbox
from tests.makers import (
    JWT_SECRET,
    PASSWORD,
    V2,
    Storefront,
    administrator,
    basic,
    bearer,
    product,
    running,
    shop_settings,
    shopper,
)

ME, JWT = f"{V2}/my-account", "/wp-json/cocart/jwt"
ADMIN = "/wp-json/checkstand/v1/admin"
NEW, WRONG, ADMINS = "Another-Row-9", "Typed-Wrongly-10", "Admin-Row-88"
CARD = "tok_success_but_secret_4242"


class Overheard(httpx2.AsyncBaseTransport):
    """Keeps what was answered to whom was refused."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner
        self.refusals: list[str] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        await response.aread()
        if response.status_code >= 400:
            self.refusals.append(f"{response.headers} {response.text}")
        return response


async def a_busy_day(shop: Storefront, letters: Letterbox) -> list[str]:
    """Everything that has to do with secrets, done rightly and wrongly; the secrets of it."""
    http = shop.http
    await administrator(shop.shop, ADMINS)
    ines = await shopper(shop)
    secrets = [PASSWORD, NEW, WRONG, ADMINS, JWT_SECRET, CARD, ines.token, ines.refresh]
    secrets += list(shop.keys.values())
    for login in ({"username": "ines", "password": WRONG}, {"username": WRONG, "password": WRONG}):
        assert (await http.post(f"{V2}/login", json=login)).status_code == 401
        assert (await http.get(f"{V2}/cart", params=login)).status_code == 401
    assert (await http.get(ME, headers=basic("ines", WRONG))).status_code == 401
    forged = ines.token[:-6] + "AAAAAA"
    assert (await http.get(ME, headers=bearer(forged))).status_code == 403
    wrong_key = {**shop.keys, "consumer_secret": "cs_" + "7" * 40}
    assert (await http.get(f"{V2}/cart", params=wrong_key)).status_code == 401
    secrets += [forged, wrong_key["consumer_secret"]]
    body: dict[str, Any] = {"password_current": WRONG, "password_1": NEW, "password_2": NEW}
    assert (await ines.call("POST", f"{ME}/change-password", body)).status_code == 400
    pair = await http.post(f"{JWT}/refresh-token", json={"refresh_token": ines.refresh})
    secrets += list(pair.json().values())
    again = await http.post(f"{JWT}/refresh-token", json={"refresh_token": ines.refresh})
    assert again.status_code == 403
    await http.post(f"{V2}/lost-password", json={"username": "ines"})
    key = (await letters.next("ines@example.com")).text.partition("?key=")[2].split()[0]
    for password, status in (("ines", 400), (NEW, 200), (NEW, 400)):
        answer = await http.post(f"{V2}/reset-password", json={"key": key, "password": password})
        assert answer.status_code == status
    made = await http.post(f"{ADMIN}/keys", json={"name": "server"}, headers=basic("admin", ADMINS))
    assert made.status_code == 200, made.text
    secrets += [key, made.json()["consumer_key"], made.json()["consumer_secret"]]
    # Orders that make an account: declined and paid, with an Idempotency-Key and without.
    guest = await shop.another().ready_to_order()
    order = {
        "payment_method": "sandbox",
        "payment_data": {"token": CARD},
        "create_account": True,
        "customer_password": WRONG,
        "billing_address": {"email": "gus@example.com"},
    }
    refused = await guest.process({"Idempotency-Key": "0123456789abcdef-1"}, **order)
    assert refused.status_code == 400
    order["payment_data"] = {"token": "tok_success"}
    placed = await guest.process({"Idempotency-Key": "0123456789abcdef-2"}, **order)
    assert placed.status_code == 200, placed.text
    wrong_verb = await guest.update(customer_password=WRONG)
    assert wrong_verb.json()["code"] == "cocart_checkout_wrong_verb"
    too_long = await http.post(f"{V2}/register", json={"email": 5, "requested_password": [WRONG]})
    assert too_long.status_code == 400
    return secrets


async def stored(database: Database) -> str:
    async with database.acquire() as connection:
        tables = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
        rows = [
            row[0]
            for (table,) in tables
            for row in await connection.fetch(f"SELECT t::text FROM {table} t")
        ]
    return "\n".join(rows)


async def test_secrets_are_nowhere(
    empty_database: str, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with database.acquire() as connection:
        await product(connection)
    letters = Letterbox()
    async with running(shop_settings(empty_database), carrier=letters) as shop:
        overheard = Overheard(shop.http._transport)
        shop.http._transport = overheard
        secrets = await a_busy_day(shop, letters)
        await shop.shop.guards.journal.flush()
    # The client of this test, in the same process, writes down what it asks.
    ours = [record for record in caplog.records if not record.name.startswith("http")]
    log = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in ours)
    rows = await stored(database)
    assert len(overheard.refusals) >= 14
    assert "gus@example.com" in rows  # it is the right database
    for secret in secrets:
        assert secret not in log, f"in the log: {secret}"
        assert secret not in rows, f"in the database: {secret}"
        told = [text for text in overheard.refusals if secret in text]
        assert told == [], f"told in a refusal: {secret}"
    digest = hashlib.sha256(WRONG.lower().encode()).hexdigest()
    assert digest[:32] not in rows  # typed as a name, which happens
    # Passwords can be guessed: not even a digest that takes no time may be there.
    for password in (PASSWORD, NEW, WRONG, ADMINS):
        for name in ("md5", "sha1", "sha256", "sha512"):
            digest = hashlib.new(name, password.encode()).hexdigest()
            assert digest not in rows, f"{name} of {password}"
            assert digest not in log, f"{name} of {password}"
