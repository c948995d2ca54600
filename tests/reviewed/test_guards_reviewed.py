"""Keys, limits, the shield, transport, audit log and privacy, after a review with fresh eyes."""

from __future__ import annotations

import asyncio
import base64
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checkstand import audit
from checkstand.access import keys
from checkstand.access.key_store import Terms
from checkstand.access.principal import KeyKind
from checkstand.access.usage import KeyUsage
from checkstand.audit import service
from checkstand.errors import ParameterInvalid
from checkstand.guarding import Hooks
from checkstand.http.peers import Peers
from checkstand.payments.model import Declined
from checkstand.privacy import service as privacy
from checkstand.shield.limits import Ask
from checkstand.storage.database import Database
from tests.api.test_keys import ADMIN, BOSS, PAGE
from tests.api.test_shield import Time, refused, standing
from tests.makers import (
    BILLING,
    PASSWORD,
    PREVIEW,
    V2,
    Storefront,
    administrator,
    basic,
    execute,
    product,
    running,
    shop_settings,
    shopper,
)

BATCH = "/wp-json/cocart/batch"


@pytest.fixture
async def shirt(database: Database) -> None:
    async with database.acquire() as connection:
        await product(connection, sku="TSHIRT-PREMIUM")


def limited(**limits: object) -> dict[str, Any]:
    return {"rate_limits": {"enabled": True, "other": "1000/minute", **limits}}


async def page_key(shop: Storefront, *origins: str) -> dict[str, str]:
    async with shop.shop.database.transaction() as connection:
        terms = Terms("pages", kind=KeyKind.PUBLISHABLE, origins=origins or (PAGE,))
        made = await keys.create(connection, terms)
    return {"consumer_key": made.consumer_key}


# --- where a client comes from


@pytest.mark.parametrize(
    "junk", ["a" * 2000, '"' + '\\"' * 1000, " " * 2000 + "x", 'for="' * 400, ";" * 2000]
)
def test_a_header_that_makes_no_sense_costs_no_time(junk: str) -> None:
    """32 lines, as many as fit a request: the first parser took 40 s for them."""
    peers = Peers(["10.0.0.0/8"], "forwarded")
    raw = [(b"forwarded", junk.encode())] * 32 + [(b"forwarded", b"for=198.51.100.4")]
    begun = time.perf_counter()
    seen = peers.seen({"type": "http", "client": ("10.0.0.1", 1), "scheme": "http", "headers": raw})
    assert time.perf_counter() - begun < 0.05
    assert seen[0] == "198.51.100.4"


# --- limits


async def test_a_full_batch_fits_the_default_limits(empty_database: str, shirt: None) -> None:
    """25 parts are what a batch may have (contract README 9), and 25 requests the default."""
    settings = shop_settings(empty_database, rate_limits={"enabled": True})
    async with running(settings) as shop:
        parts = [{"method": "GET", "path": "/cocart/v2/cart"}] * 25
        answer = await shop.call("POST", BATCH, {"requests": parts})
        assert answer.status_code == 200, answer.text
        assert answer.headers["RateLimit-Remaining"] == "0"
        assert (await shop.call("GET", f"{V2}/cart")).status_code == 429
        again = await shop.call("POST", BATCH, {"requests": parts})
        assert {part["status"] for part in again.json()["responses"]} == {429}
        assert int(again.headers["Retry-After"]) >= 1


async def test_a_batch_is_no_way_around_a_limit(empty_database: str, shirt: None) -> None:
    chosen = limited(checkout_process="2/minute", payment_methods="2/minute")
    async with running(shop_settings(empty_database, **chosen)) as shop:
        await shop.add()
        pay = {"method": "POST", "path": "/cocart/v2/checkout", "body": {}}
        methods = {"method": "GET", "path": "/cocart/v2/checkout/payment-methods"}
        sent = {"requests": [pay, methods] * 4}
        answer = await shop.call("POST", BATCH, sent, keys=shop.keys)
        statuses = [part["status"] for part in answer.json()["responses"]]
        assert [status == 429 for status in statuses] == [False] * 4 + [True] * 4, statuses


async def test_a_hook_that_widens_a_limit_does_not_lift_it(empty_database: str) -> None:
    """The look before a password is checked goes by the hook, as the counting does."""

    def hook(ask: Ask) -> Ask | None:
        if ask.operation == "sign_in_failures":
            return replace(ask, caller=f"mine {ask.caller}", limit="3/minute")
        return ask

    chosen = limited(sign_in_failures="2/minute", sign_in="100/minute")
    async with running(shop_settings(empty_database, **chosen), hooks=Hooks([hook])) as shop:
        found = [
            (await shop.call("GET", f"{V2}/cart", headers=basic(f"u{n}", "x"))).status_code
            for n in range(5)
        ]
        assert found == [401, 401, 401, 429, 429]


async def test_a_hook_does_not_keep_good_sign_ins_from_being_forgiven(empty_database: str) -> None:
    def hook(ask: Ask) -> Ask | None:
        return replace(ask, caller=f"mine {ask.caller}")

    chosen = limited(sign_in="2/minute")
    async with running(shop_settings(empty_database, **chosen), hooks=Hooks([hook])) as shop:
        await administrator(shop.shop, "a good password")
        for _ in range(4):
            shop.shop.credentials.forget()
            answer = await shop.call("GET", f"{V2}/cart", headers=BOSS)
            assert answer.status_code == 200


async def test_a_page_that_loads_many_things_at_once_signs_in(empty_database: str) -> None:
    """An SDK with Basic credentials sends them every time, and a page asks for much."""
    chosen = limited(sign_in="3/minute")
    async with running(shop_settings(empty_database, **chosen)) as shop:
        await administrator(shop.shop, "a good password")
        answers = await asyncio.gather(
            *(shop.another().call("GET", f"{V2}/cart", headers=BOSS) for _ in range(12))
        )
        assert [answer.status_code for answer in answers] == [200] * 12
        wrong = await asyncio.gather(
            *(
                shop.another().call("GET", f"{V2}/cart", headers=basic("admin", f"no {n}"))
                for n in range(8)
            )
        )
        assert sorted(answer.status_code for answer in wrong) == [401] * 3 + [429] * 5


async def test_a_good_key_is_not_shut_out_by_somebodys_guesses(empty_database: str) -> None:
    """A storefront that calls from a server has one address for all: who guesses passwords through
    it must not close its checkout."""
    chosen = limited(sign_in="100/minute", sign_in_failures="3/minute")
    async with running(shop_settings(empty_database, **chosen)) as shop:
        for number in range(5):
            await shop.call("GET", f"{V2}/cart", headers=basic(f"u{number}", "x"))
        guess = {**shop.keys, "consumer_secret": "cs_guess"}
        found = [(await shop.call("GET", f"{V2}/cart", keys=guess)).status_code for _ in range(5)]
        assert found[-1] == 429
        shop.shop.credentials.forget()
        assert (await shop.call("GET", f"{V2}/cart", keys=shop.keys)).status_code == 200


# --- keys


async def test_pages_may_confirm_orders_and_send_batches(empty_database: str, shirt: None) -> None:
    """A publishable key opens carts and checkouts: in both versions, and in a batch."""
    async with running(shop_settings(empty_database)) as shop:
        key = await page_key(shop)
        said = {"Origin": PAGE}
        await shop.ready_to_order()
        placed = (await shop.process()).json()
        order = {"order_key": placed["order_key"], "keys": key, "headers": said}
        for version in (V2, PREVIEW):
            path = f"{version}/order-received/{placed['order_id']}"
            assert (await shop.call("GET", path, **order)).status_code == 200, version
        person = {"email": "mara@example.com", "requested_password": PASSWORD}
        joined = await shop.call("POST", f"{V2}/register", person, keys=key, headers=said)
        assert joined.status_code == 200, joined.text
        add = {"method": "POST", "path": "/cocart/v2/cart/add-item", "body": {"id": "1"}}
        admin = {"method": "GET", "path": "/cocart/v2/sessions"}
        batch = await shop.call("POST", BATCH, {"requests": [add]}, keys=key, headers=said)
        assert batch.status_code == 200, batch.text
        mixed = await shop.call("POST", BATCH, {"requests": [add, admin]}, keys=key, headers=said)
        assert [part["status"] for part in mixed.json()["responses"]] == [200, 403]


async def test_a_key_that_has_ended_already_is_not_made(database: Database) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    async with database.transaction() as connection:
        with pytest.raises(ParameterInvalid):
            await keys.create(connection, Terms("late", expires_at=yesterday))


async def test_a_network_in_use_is_not_forgotten(database: Database) -> None:
    """Networks not seen for 90 days are swept; those that a long-lived server sees are not."""
    clock = Time()
    alerts: list[str] = []

    def note(topic: str, subject: str, detail: dict[str, object]) -> None:
        alerts.append(f"{topic} {subject}")

    usage = KeyUsage(database, clock, note)
    async with database.transaction() as connection:
        made = await keys.create(connection, Terms("server"))
    for address in ("198.51.100.1", "203.0.113.1"):
        usage.used(made.id, "GET /", address, publishable=False)
        await usage.flush()
    alerts.clear()
    for _ in range(4):
        clock.at += timedelta(days=40)
        for address in ("198.51.100.1", "203.0.113.1"):
            usage.used(made.id, "GET /", address, publishable=False)
        await usage.flush()
        await usage.sweep()
    again = KeyUsage(database, clock, note)
    for address in ("198.51.100.1", "203.0.113.1"):
        again.used(made.id, "GET /", address, publishable=False)
        await again.flush()
    assert alerts == []


async def test_pages_of_a_publishable_key_may_read_the_answers(
    empty_database: str, shirt: None
) -> None:
    """The key names its pages: nobody has to name them again in the settings."""
    async with running(shop_settings(empty_database)) as shop:
        page = "https://pages.example"
        said = {"Origin": page}
        asked = {**said, "Access-Control-Request-Method": "POST"}
        before = await shop.call("GET", f"{V2}/cart", headers=said)
        assert "Access-Control-Allow-Origin" not in before.headers
        await page_key(shop, page)
        shop.shop.forget_people()  # as the change notice does
        preflight = await shop.call("OPTIONS", f"{V2}/cart/add-item", headers=asked)
        assert preflight.status_code == 204
        assert preflight.headers["Access-Control-Allow-Origin"] == page
        answer = await shop.call("GET", f"{V2}/cart", headers=said)
        assert answer.headers["Access-Control-Allow-Origin"] == page
        assert "origin" in answer.headers["Vary"].lower()
        refused = await shop.call("GET", f"{PREVIEW}/checkout", keys={}, headers=said)
        assert refused.status_code == 401
        assert refused.headers["Access-Control-Allow-Origin"] == page
        # Administration is not for a shop's pages.
        assert (
            "Access-Control-Allow-Origin"
            not in (await shop.call("GET", f"{ADMIN}/keys", headers=said)).headers
        )
        async with shop.shop.database.transaction() as connection:
            await connection.execute("UPDATE consumer_keys SET revoked_at = now()")
        shop.shop.forget_people()
        gone = await shop.call("GET", f"{V2}/cart", headers=said)
        assert "Access-Control-Allow-Origin" not in gone.headers


# --- the shield


@pytest.mark.parametrize("dimension", ["address", "email"])
async def test_a_volley_does_not_get_past_a_budget(
    empty_database: str, shirt: None, dimension: str
) -> None:
    """Carts can be made in peace and paid for in one moment, all together."""
    async with standing(empty_database, **{dimension: "3/hour"}) as stand:
        mails = ["ines@example.com" if dimension == "email" else f"u{n}@example.com"
                 for n in range(20)]  # fmt: skip
        carts = [await stand.cart(mail) for mail in mails]
        gate = asyncio.Event()

        async def slowly() -> Declined:
            await gate.wait()
            return Declined("No.")

        stand.card.timeout = 30
        stand.card.script[:] = [slowly] * 20

        async def attempt(shopper: Storefront, number: int) -> bool:
            place = "198.51.100.1" if dimension == "address" else f"198.51.{number}.1"
            answer = refused(await shopper.process(headers={"X-Forwarded-For": place}))
            answered.append(answer)
            return answer

        answered: list[bool] = []
        tries = [asyncio.create_task(attempt(c, n)) for n, c in enumerate(carts)]
        while len(answered) + len(stand.card.asked) < len(carts):
            await asyncio.sleep(0.02)
        gate.set()
        stopped = await asyncio.gather(*tries)
        assert stopped.count(False) == 3 == len(stand.card.asked)


# --- the audit log


async def entries(database: Database, count: int) -> None:
    async with database.transaction() as connection:
        for number in range(count):
            by = audit.Origin("account 1", "198.51.100.7", "r1")
            await audit.record(connection, "test", f"thing {number}", {"n": number}, by=by)


async def test_a_log_that_grows_meanwhile_holds(database: Database) -> None:
    """A shop goes on while its log is verified."""
    await entries(database, 2600)
    await service.seal_all(database)
    done = asyncio.Event()

    async def busy() -> None:
        while not done.is_set():
            await entries(database, 3)
            await service.seal_all(database)

    working = asyncio.create_task(busy())
    try:
        for _ in range(10):
            assert (await service.verify(database)).fault == ""
    finally:
        done.set()
        await working


async def aged(url: str) -> None:
    await execute(
        url,
        "ALTER TABLE audit_log DISABLE TRIGGER audit_log_keep",
        "UPDATE audit_log SET at = at - interval '3 days'",
        "ALTER TABLE audit_log ENABLE TRIGGER audit_log_keep",
    )


async def test_servers_that_shorten_it_at_once_leave_a_log_that_holds(
    database: Database, empty_database: str
) -> None:
    await entries(database, 2600)
    await aged(empty_database)
    await service.seal_all(database)
    await entries(database, 3)
    await service.seal_all(database)
    before = datetime.now(UTC) - timedelta(days=1)
    gone = await asyncio.gather(*(service.shorten(database, before) for _ in range(4)))
    assert sum(gone) == 2600, "everything was taken out once"
    assert (await service.verify(database)).fault == ""


async def test_a_log_that_is_shortened_meanwhile_holds(
    database: Database, empty_database: str
) -> None:
    await entries(database, 3000)
    await aged(empty_database)
    await service.seal_all(database)
    await entries(database, 700)
    await service.seal_all(database)
    shortening = asyncio.create_task(
        service.shorten(database, datetime.now(UTC) - timedelta(days=1))
    )
    while not shortening.done():
        assert (await service.verify(database)).fault == ""
    assert await shortening == 3000


async def test_a_log_that_was_emptied_does_not_hold(
    database: Database, empty_database: str
) -> None:
    await entries(database, 3)
    assert (await service.verify(database)).fault == ""
    await execute(empty_database, "TRUNCATE audit_log")
    assert (await service.verify(database)).fault == "the chain goes to entry 3, the log ends at 0"


# --- personal data


async def everything(database: Database) -> str:
    """Every row of every table, as text."""
    async with database.acquire() as connection:
        tables = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
        found = []
        for row in tables:
            rows = await connection.fetch(f"SELECT t::text FROM {row[0]} t")
            found += [f"{row[0]}: {each[0]}" for each in rows]
    return "\n".join(found)


async def test_nothing_is_left_of_a_person(
    empty_database: str, database: Database, shirt: None
) -> None:
    """Whatever table it is in: the whole database is searched."""
    mail, place = "mara.voss@example.com", "203.0.113.77"
    trusting = {"trusted_proxies": ["127.0.0.1"], "require_https": False}
    async with running(shop_settings(empty_database, security=trusting)) as shop:
        said = {"X-Forwarded-For": place}
        shop.http.headers.update(said)
        them = await shopper(shop, mail)
        await shop.call("GET", f"{V2}/cart", headers=basic(mail, "a wrong password"))
        about = {
            **BILLING, "email": mail, "first_name": "Maralena", "last_name": "Vossberg",
            "address_1": "77 Hidden Lane", "phone": "+13105559977",
        }  # fmt: skip
        await them.order(billing_address=about, customer_note="Vossberg rings twice")
        card = {"payment_method": "sandbox", "payment_data": {"token": "tok_declined"}}
        await them.call("POST", f"{V2}/cart/add-item", {"id": "1"})
        await them.call("POST", f"{PREVIEW}/checkout", {"billing_address": about, **card})
        guest = shop.another()
        await guest.add()
        await guest.update(billing_address=about)
        await shop.shop.guards.flush()
        before = await everything(database)
        assert "Vossberg" in before
        audit.origin.set(audit.Origin("operator"))
        await privacy.erase(database, mail)
        after = await everything(database)
    words = ("mara.voss", "Maralena", "Vossberg", "Hidden Lane", "3105559977", place)
    left = [line for line in after.splitlines() if any(w.lower() in line.lower() for w in words)]
    assert left == []
    assert (await service.verify(database)).fault == ""


# --- secrets


async def test_secrets_are_in_no_row_no_answer_and_no_log(
    empty_database: str, database: Database, shirt: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    said: list[str] = []
    async with running(shop_settings(empty_database)) as shop:
        await administrator(shop.shop, "a-very-secret-Passw0rd")
        boss = basic("admin", "a-very-secret-Passw0rd")
        made = (await shop.call("POST", f"{ADMIN}/keys", {"name": "k"}, headers=boss)).json()
        rotated = await shop.call("POST", f"{ADMIN}/keys/{made['id']}/rotate", {}, headers=boss)
        heir = rotated.json()
        page = await page_key(shop)
        them = await shopper(shop)
        secrets = [
            made["consumer_secret"], made["consumer_key"], heir["consumer_secret"],
            heir["consumer_key"], page["consumer_key"], "a-very-secret-Passw0rd", PASSWORD,
            them.token, them.refresh, shop.keys["consumer_secret"], shop.keys["consumer_key"],
        ]  # fmt: skip
        for key in (made, heir):
            pair = {name: key[name] for name in ("consumer_key", "consumer_secret")}
            for wrong in (pair, {**pair, "consumer_secret": pair["consumer_secret"] + "x"}):
                for path in (f"{PREVIEW}/checkout", f"{V2}/nothing", f"{ADMIN}/keys"):
                    said.append((await shop.call("GET", path, keys=wrong)).text)
                    said.append((await shop.call("POST", path, {"x": wrong}, keys=wrong)).text)
        said.append((await shop.call("GET", f"{ADMIN}/keys", headers=boss)).text)
        said.append((await shop.call("GET", f"{ADMIN}/audit", headers=boss)).text)
        said.append((await shop.call("POST", f"{V2}/cart", headers=basic("admin", PASSWORD))).text)
        await shop.shop.guards.flush()
    rows = await everything(database)
    # The log of the client that asks is not ours.
    ours = [record for record in caplog.records if record.name.partition(".")[0] != "httpx2"]
    logged = "\n".join(f"{record.getMessage()} {record.exc_text}" for record in ours)
    for secret in secrets:
        assert secret not in rows
        assert secret not in "".join(said)
        assert secret not in logged
    assert base64.b64encode(b"admin:a-very-secret-Passw0rd").decode() not in logged
