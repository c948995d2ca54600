"""Letters wait in the database until they are carried: through crashes and silent mail servers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from checkstand.accounts.correspondence import Correspondence
from checkstand.mail.post import Letter, NotDelivered
from checkstand.storage.database import Database
from tests.fakes import MovableClock
from tests.makers import PASSWORD, V2, Storefront, running, shop_settings, shopper

ME = f"{V2}/my-account"


@dataclass
class Moody:
    """A mail server that refuses as often as it is told, and may be silent for ever."""

    refusals: list[NotDelivered] = field(default_factory=list)
    carried: list[Letter] = field(default_factory=list)
    tried: list[Letter] = field(default_factory=list)
    silent: bool = False

    async def carry(self, letter: Letter) -> None:
        self.tried.append(letter)
        if self.silent:
            await asyncio.Event().wait()
        if self.refusals:
            raise self.refusals.pop(0)
        self.carried.append(letter)


def away(times: int, *, lasting: bool = False) -> list[NotDelivered]:
    return [NotDelivered("reply 451", lasting=lasting) for _ in range(times)]


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def server() -> Moody:
    return Moody()


@pytest.fixture
async def shop(
    empty_database: str, clock: MovableClock, server: Moody
) -> AsyncIterator[Storefront]:
    settings = shop_settings(empty_database)
    async with running(settings, clock=clock, carrier=server) as client:
        yield client


def letters_of(shop: Storefront) -> Correspondence:
    return shop.shop.registration.letters


async def waiting(database: Database) -> list[Any]:
    async with database.acquire() as connection:
        return list(await connection.fetch("SELECT * FROM letters ORDER BY id"))


async def until(done: Any) -> None:
    for _ in range(300):
        if done():
            return
        await asyncio.sleep(0.01)
    pytest.fail("nothing came of it")


async def lost_password(shop: Storefront, server: Moody) -> None:
    before = len(server.tried)
    body = {"username": "ines"}
    assert (await shop.http.post(f"{V2}/lost-password", json=body)).status_code == 200
    await until(lambda: len(server.tried) > before)


def key_in(letter: Letter) -> str:
    return letter.text.partition("?key=")[2].split()[0]


async def reset(shop: Storefront, key: str) -> int:
    body = {"key": key, "password": "Another-Row-9"}
    return (await shop.http.post(f"{V2}/reset-password", json=body)).status_code


async def test_a_mail_server_that_is_away_loses_nothing(
    shop: Storefront,
    server: Moody,
    clock: MovableClock,
    database: Database,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await shopper(shop)
    server.refusals = away(6)
    await lost_password(shop, server)
    for wait, tries in ((1, 2), (5, 3), (30, 4), (120, 5), (600, 6)):
        clock.moved += timedelta(seconds=wait - 0.5)
        assert await letters_of(shop).deliver() == 0  # not yet
        clock.moved += timedelta(seconds=0.6)
        assert await letters_of(shop).deliver() == 1
        assert len(server.tried) == tries
    (row,) = await waiting(database)
    assert row["tries"] == 6
    clock.moved += timedelta(minutes=31)
    assert await letters_of(shop).deliver() == 1
    assert await waiting(database) == []
    (arrived,) = server.carried
    # Each try had a key of its own, and only that of the letter that arrived is good.
    assert len({key_in(letter) for letter in server.tried}) == 7
    assert await reset(shop, key_in(server.tried[0])) == 400
    assert await reset(shop, key_in(arrived)) == 200
    for said in (caplog.text, *(record.getMessage() for record in caplog.records)):
        assert "ines@" not in said
        assert key_in(arrived) not in said


async def test_nothing_secret_waits(shop: Storefront, server: Moody, database: Database) -> None:
    await shopper(shop)
    server.refusals = away(1)
    await lost_password(shop, server)
    async with database.acquire() as connection:
        tables = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
        for (table,) in tables:
            for (row,) in await connection.fetch(f"SELECT t::text FROM {table} t"):
                assert key_in(server.tried[0]) not in row


async def test_a_killed_server_loses_no_letter(
    shop: Storefront, server: Moody, clock: MovableClock
) -> None:
    """It had the letter in its hands; another one takes it over when the lease is over."""
    await shopper(shop)
    server.silent = True
    await lost_password(shop, server)
    server.silent = False
    assert await letters_of(shop).deliver() == 0  # nobody else is at it meanwhile
    clock.moved = timedelta(minutes=10, seconds=1)
    assert await letters_of(shop).deliver() == 1
    assert await reset(shop, key_in(server.carried[0])) == 200


async def test_a_letter_that_nobody_takes_is_given_up(
    shop: Storefront,
    server: Moody,
    clock: MovableClock,
    database: Database,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await shopper(shop)
    server.refusals = away(1, lasting=True)
    await lost_password(shop, server)
    await until(lambda: "was not delivered: reply 451" in caplog.text)
    assert await waiting(database) == []
    clock.moved = timedelta(minutes=2)
    server.refusals = away(100)
    await lost_password(shop, server)
    for _ in range(30):
        clock.moved += timedelta(hours=1, seconds=1)
        await letters_of(shop).deliver()
    assert await waiting(database) == []
    assert server.carried == []
    assert [r.levelno for r in caplog.records].count(logging.ERROR) == 2


async def test_only_the_newest_key_goes_out(
    shop: Storefront, server: Moody, clock: MovableClock, database: Database
) -> None:
    await shopper(shop)
    server.refusals = away(1)
    await lost_password(shop, server)
    clock.moved = timedelta(seconds=61)
    await lost_password(shop, server)
    await until(lambda: server.carried)
    assert await letters_of(shop).deliver() == 0
    assert await waiting(database) == []
    assert await reset(shop, key_in(server.carried[0])) == 200


async def test_a_letter_for_an_account_that_has_changed_is_not_sent(
    shop: Storefront, server: Moody, clock: MovableClock
) -> None:
    """Whoever set a new password meanwhile needs no link that sets another one."""
    ines = await shopper(shop)
    server.refusals = away(1)
    await lost_password(shop, server)
    body = {
        "password_current": PASSWORD,
        "password_1": "Other-Row-10",
        "password_2": "Other-Row-10",
    }
    assert (await ines.call("POST", f"{ME}/change-password", body)).status_code == 200
    await until(lambda: server.carried)
    clock.moved = timedelta(minutes=1)
    await letters_of(shop).deliver()
    assert [letter.subject.partition(": ")[2] for letter in server.carried] == [
        "your password was changed"
    ]


async def test_what_did_not_happen_is_not_written_about(
    shop: Storefront, server: Moody, database: Database
) -> None:
    """The letter is written in the transaction of what it is about."""
    ines, _ = await shopper(shop), await shopper(shop, "tom@example.com")
    body = {f"account_{part}": "x" for part in ("first_name", "last_name", "display_name")}
    taken = await ines.call("POST", ME, {**body, "account_email": "tom@example.com"})
    assert taken.status_code == 403
    assert await waiting(database) == []
    assert server.tried == []


async def test_the_worker_carries_what_waits(
    shop: Storefront, server: Moody, clock: MovableClock
) -> None:
    await shopper(shop)
    server.refusals = away(1)
    await lost_password(shop, server)
    clock.moved = timedelta(seconds=2)
    await shop.shop.worker.turn()
    assert len(server.carried) == 1


async def test_two_servers_carry_a_letter_once(
    shop: Storefront, empty_database: str, clock: MovableClock, server: Moody
) -> None:
    await shopper(shop)
    server.refusals = away(1)
    await lost_password(shop, server)
    clock.moved = timedelta(seconds=2)
    settings = shop_settings(empty_database)
    async with running(settings, clock=clock, carrier=server) as other:
        await asyncio.gather(
            *(letters_of(each).deliver() for each in (shop, other) for _ in range(4))
        )
    assert len(server.carried) == 1
