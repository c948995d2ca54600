"""The audit log: what is in it, that it cannot be changed unseen, and what an erasure leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import orjson
import pytest
from click.testing import CliRunner

from checkstand import audit
from checkstand.audit import service, store
from checkstand.audit.chain import Entry, seal
from checkstand.cli import main
from checkstand.privacy import service as privacy
from checkstand.storage.database import Database
from tests.api.test_keys import ADMIN, BOSS, make
from tests.makers import BILLING, V2, Storefront, administrator, execute, product, running
from tests.makers import shop_settings as settings


@pytest.fixture
async def shop(empty_database: str, database: Database) -> AsyncIterator[Storefront]:
    async with database.acquire() as connection:
        await product(connection, sku="TSHIRT-PREMIUM")
    async with running(settings(empty_database)) as client:
        await administrator(client.shop, "a good password")
        yield client


async def log(database: Database) -> list[Entry]:
    async with database.acquire() as connection:
        return (await store.newest(connection, 2**62, 200, "", ""))[::-1]


async def some(database: Database, count: int) -> None:
    for number in range(count):
        async with database.transaction() as connection:
            by = audit.Origin("account 1", "198.51.100.7", "r1")
            await audit.record(connection, "test", f"thing {number}", {"n": number}, by=by)


async def test_what_happens_is_in_the_log(shop: Storefront, database: Database) -> None:
    await shop.ready_to_order()
    ordered = await shop.process()
    assert ordered.status_code == 200, ordered.text
    made = await make(shop, name="storefront")
    await shop.call("DELETE", f"{ADMIN}/keys/{made['id']}", headers=BOSS)
    await shop.call("GET", f"{V2}/cart", headers={"Authorization": "Basic YWRtaW46bm8="})
    await shop.call("GET", f"{ADMIN}/audit", headers=BOSS)
    await shop.shop.guards.flush()
    entries = await log(database)
    found = {entry.action: entry for entry in entries}
    assert set(found) >= {
        "account.put",
        "settings.loaded", "order.moved", "account.signed_in", "account.sign_in_failed",
        "key.created", "key.revoked", "audit.read",
    }  # fmt: skip
    moved = found["order.moved"]
    assert moved.subject == f"order {ordered.json()['order_id']}"
    assert moved.detail == {"from": "pending", "to": "on-hold"}
    assert moved.actor.startswith("key ")
    assert moved.personal == {"address": "127.0.0.1"}
    assert moved.request_id == ordered.headers["X-Request-Id"]
    revoked = found["key.revoked"]
    assert (revoked.actor, revoked.subject) == ("account 1", f"key {made['id']}")
    text = orjson.dumps([entry.as_json() for entry in entries]).decode()
    for secret in (made["consumer_secret"], made["consumer_key"], "a good password", "Okafor"):
        assert secret not in text


async def test_signing_in_again_and_again_is_one_entry(
    shop: Storefront, database: Database
) -> None:
    for _ in range(3):
        shop.shop.credentials.forget()
        await shop.call("GET", f"{V2}/cart", headers=BOSS)
    await shop.shop.guards.flush()
    assert [entry.action for entry in await log(database)].count("account.signed_in") == 1


async def test_the_same_settings_are_one_entry(empty_database: str, database: Database) -> None:
    for name in ("One", "One", "Two"):
        async with running(settings(empty_database, store={"name": name})):
            pass
    actions = [entry.action for entry in await log(database)]
    assert actions.count("settings.loaded") == 2


async def test_the_chain_holds_and_goes_on(database: Database) -> None:
    await some(database, 3)
    first = await service.verify(database)
    assert (first.entries, first.fault) == (3, "")
    await some(database, 2)
    second = await service.verify(database, first.head)
    assert (second.entries, second.fault) == (5, "")
    assert second.head != first.head
    assert (await service.verify(database, "0" * 64)).fault == (
        "no entry has the head that was expected"
    )


async def test_entries_of_many_at_once_are_one_chain(database: Database) -> None:
    async def writer() -> None:
        await some(database, 20)
        await service.seal_all(database)

    await asyncio.gather(*(writer() for _ in range(6)))
    found = await service.verify(database)
    assert (found.entries, found.fault) == (120, "")


TAMPERING = [
    "UPDATE audit_log SET actor = 'somebody else' WHERE position = 2",
    "UPDATE audit_log SET at = at + interval '1 hour' WHERE position = 2",
    "UPDATE audit_log SET detail = '{}' WHERE position = 2",
    'UPDATE audit_log SET personal = \'{"address": "10.0.0.1"}\' WHERE position = 2',
    "UPDATE audit_log SET hash = 'x' WHERE position = 2",
    "DELETE FROM audit_log WHERE position = 2",
    "DELETE FROM audit_log WHERE position = 4",
]


@pytest.mark.parametrize("statement", TAMPERING)
async def test_nobody_changes_an_entry(
    database: Database, empty_database: str, statement: str
) -> None:
    await some(database, 4)
    assert not (await service.verify(database)).fault
    with pytest.raises(asyncpg.RaiseError, match="append-only"):
        await execute(empty_database, statement)
    # Whoever takes the guard away is found out by the chain.
    await execute(
        empty_database,
        "ALTER TABLE audit_log DISABLE TRIGGER audit_log_keep",
        statement,
        "ALTER TABLE audit_log ENABLE TRIGGER audit_log_keep",
    )
    assert (await service.verify(database)).fault


async def test_an_entry_cannot_be_slipped_in(database: Database, empty_database: str) -> None:
    await some(database, 3)
    head = (await service.verify(database)).head
    rewritten = (await log(database))[-1]
    forged = seal(rewritten, 4, head)
    await execute(
        empty_database,
        "INSERT INTO audit_log (at, actor, action, subject, request_id, detail, personal_digest,"
        f" position, hash) VALUES (now(), 'x', 'x', '', '', '{{}}', '', 4, '{forged}')",
    )
    assert (await service.verify(database)).fault


async def test_old_entries_go_and_the_rest_still_holds(
    database: Database, empty_database: str
) -> None:
    await some(database, 6)
    head = (await service.verify(database)).head
    await execute(
        empty_database,
        "ALTER TABLE audit_log DISABLE TRIGGER audit_log_keep",
        "UPDATE audit_log SET at = at - interval '1 day' WHERE position <= 4",
        "ALTER TABLE audit_log ENABLE TRIGGER audit_log_keep",
    )
    moment = datetime.now(UTC) - timedelta(hours=1)
    assert await service.shorten(database, moment) == 4
    found = await service.verify(database, head)
    assert (found.entries, found.fault) == (3, ""), "two of before, and that it was shortened"
    assert await service.shorten(database, moment) == 0


async def test_what_cannot_be_written_is_written_later(shop: Storefront) -> None:
    journal = shop.shop.guards.journal
    await journal.flush()
    real, journal.database = journal.database, None  # type: ignore[assignment]
    journal.note("test.late", "thing")
    journal.alert("test.alert", "thing", {})
    with pytest.raises(AttributeError):
        await journal.flush()
    journal.database = real
    await journal.flush()
    await journal.flush()
    assert [entry.action for entry in await log(real)].count("test.late") == 1
    async with real.acquire() as connection:
        assert [each.topic for each in await store.alerts(connection, 99, 9)] == ["test.alert"]


# --- privacy --------------------------------------------------------------------------------------


async def order_row(database: Database, order_id: int) -> dict[str, Any]:
    async with database.acquire() as connection:
        row = await connection.fetchrow("SELECT * FROM orders WHERE id = $1", order_id)
    assert row is not None
    return dict(row)


async def test_a_person_is_forgotten_and_the_books_stay(
    shop: Storefront, database: Database
) -> None:
    await shop.ready_to_order()
    ordered = (await shop.process(customer_note="Ring twice, Ines")).json()
    other = await shop.another().ready_to_order()
    await other.update(billing_address={**BILLING, "email": "other@example.com"})
    kept = (await other.process()).json()
    before = await order_row(database, ordered["order_id"])
    await service.verify(database)

    found = await privacy.export(database, "INES@example.com")
    assert [order["id"] for order in found["orders"]] == [ordered["order_id"]]
    assert found["orders"][0]["lines"]
    assert found["audit"]
    assert "Quarry Row" in str(found["orders"])

    gone = await privacy.erase(database, "ines@example.com")
    assert (gone.orders, gone.account) == (1, False)
    assert gone.audit_entries >= 1
    after = await order_row(database, ordered["order_id"])
    for name in ("total", "totals", "currency", "status", "created_at", "payment_method"):
        assert after[name] == before[name]
    assert after["billing"]["country"] == "US"
    for word in ("Ines", "Okafor", "Quarry", "ines@example.com", "3105550142", "Ring twice"):
        assert word not in str(after)
    assert "ines@example.com" not in str(await leftovers(database))
    verdict = await service.verify(database)
    assert verdict.fault == ""
    assert verdict.erased >= 1
    assert (await order_row(database, kept["order_id"]))["billing"]["first_name"] == "Ines"
    with pytest.raises(privacy.NobodyKnown):
        await privacy.export(database, "ines@example.com")


async def test_reviews_and_coupons_forget_who_it_was(shop: Storefront, database: Database) -> None:
    review = {"review": "Wears well.", "reviewer": "Mara Voss", "rating": 4, "product_id": 1}
    sent = {**review, "reviewer_email": "Mara@example.com"}
    written = await shop.call("POST", f"{V2}/products/reviews", sent)
    assert written.status_code == 201, written.text
    async with database.acquire() as connection:
        await connection.execute(
            "INSERT INTO coupons (code, kind, amount, emails)"
            " VALUES ('for-mara', 'percent', 10, '{mara@example.com}')"
        )
        await connection.execute(
            "INSERT INTO coupon_uses (order_id, coupon_id, email_hash, expires_at, redeemed_at)"
            " SELECT 99, id, coupon_email_hash('mara@example.com'), now(), now() FROM coupons"
        )
    exported = await privacy.export(database, "mara@example.com")
    assert exported["reviews"][0]["reviewer"] == "Mara Voss"
    await privacy.erase(database, "mara@example.com")
    async with database.acquire() as connection:
        kept = await connection.fetchrow("SELECT * FROM product_reviews")
        use = await connection.fetchrow("SELECT * FROM coupon_uses")
        coupon = await connection.fetchrow("SELECT * FROM coupons")
    assert kept is not None
    assert use is not None
    assert coupon is not None
    assert (kept["review"], kept["rating"]) == ("Wears well.", 4)
    assert "mara" not in f"{kept}{coupon['emails']}".lower()
    assert (use["email_hash"], use["redeemed_at"] is None) == ("", False)
    assert coupon["emails"], "without an address it would be for everybody"
    with pytest.raises(privacy.NobodyKnown):
        await privacy.export(database, "mara@example.com")


async def leftovers(database: Database) -> list[Any]:
    async with database.acquire() as connection:
        return [
            *await connection.fetch("SELECT document FROM carts"),
            *await connection.fetch("SELECT response FROM idempotency_keys"),
        ]


async def test_an_account_is_forgotten(shop: Storefront, database: Database) -> None:
    await shop.call("POST", f"{V2}/cart/add-item", {"id": "1", "quantity": "1"}, headers=BOSS)
    await shop.shop.guards.flush()
    assert (await privacy.export(database, "1"))["account"]["username"] == "admin"
    assert "password_hash" not in (await privacy.export(database, "1"))["account"]
    audit.origin.set(audit.Origin("operator"))
    gone = await privacy.erase(database, "admin@shop.example")
    assert (gone.carts, gone.account) == (1, True)
    shop.shop.credentials.forget()
    assert (await shop.call("GET", f"{V2}/cart", headers=BOSS)).status_code == 401
    entries = [e for e in await log(database) if "account 1" in (e.actor, e.subject)]
    assert entries
    assert all(entry.personal is None for entry in entries)
    assert (await service.verify(database)).fault == ""


async def test_nobody_is_erased_while_paying(shop: Storefront, database: Database) -> None:
    await shop.ready_to_order()
    ordered = (await shop.process()).json()
    async with database.acquire() as connection:
        await connection.execute(
            "UPDATE payment_attempts SET state = 'unknown' WHERE order_id = $1",
            ordered["order_id"],
        )
    with pytest.raises(privacy.PaymentUnderWay):
        await privacy.erase(database, BILLING["email"])
    assert (await order_row(database, ordered["order_id"]))["billing"]["first_name"] == "Ines"


def test_the_commands(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, empty_sync: None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHECKSTAND_DATABASE__URL", postgres_url)

    def run(*words: str) -> Any:
        return CliRunner().invoke(main, list(words))

    assert run("keys", "create", "--name", "storefront").exit_code == 0
    verified = run("audit", "verify")
    assert verified.exit_code == 0, verified.output
    assert "The audit log holds: 1 entries." in verified.output
    head = verified.output.split()[-1]
    assert run("keys", "create", "--name", "another").exit_code == 0
    assert run("audit", "verify", "--expect", head).exit_code == 0
    out = tmp_path / "log.jsonl"
    assert run("audit", "export", "--output", str(out)).exit_code == 0
    first, second = (orjson.loads(line) for line in out.read_text().splitlines())
    assert (first["actor"], first["action"], first["hash"]) == ("operator", "key.created", head)
    assert out.stat().st_mode & 0o777 == 0o600
    assert second["position"] == 2
    nobody = run("privacy", "erase", "--yes", "nobody@example.com")
    assert nobody.exit_code == 1
    assert nobody.output.count("\n") == 1
    asyncio.run(
        execute(
            postgres_url,
            "ALTER TABLE audit_log DISABLE TRIGGER audit_log_keep",
            "UPDATE audit_log SET actor = 'nobody' WHERE position = 1",
            "ALTER TABLE audit_log ENABLE TRIGGER audit_log_keep",
        )
    )
    broken = run("audit", "verify")
    assert broken.exit_code == 1
    assert "entry 1 was changed" in broken.output


@pytest.fixture
def empty_sync(postgres_url: str) -> None:
    asyncio.run(execute(postgres_url, "TRUNCATE consumer_keys, audit_log, audit_chain CASCADE"))
