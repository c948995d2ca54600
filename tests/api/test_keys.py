"""Consumer keys over HTTP: the admin API, where a key may be used, and what is noticed."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from checkstand.access import credentials, keys
from checkstand.access.key_store import Terms
from checkstand.access.principal import Role
from checkstand.storage.database import Database
from tests.api.test_hostile import BOUNDED_BODIES, UNREADABLE_BODIES
from tests.makers import PREVIEW, V2, Storefront, administrator, product, running, shop_settings

ADMIN = "/wp-json/checkstand/v1/admin"
PAGE = "https://shop.example"
Row = dict[str, Any]


def basic(user: str, password: str) -> dict[str, str]:
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


BOSS = basic("admin", "a good password")


@pytest.fixture
async def shop(empty_database: str, database: Database) -> AsyncIterator[Storefront]:
    async with database.acquire() as connection:
        await product(connection, sku="TSHIRT-PREMIUM")
    trusting = {"trusted_proxies": ["127.0.0.1"], "require_https": False}
    async with running(shop_settings(empty_database, security=trusting)) as client:
        await administrator(client.shop, "a good password")
        yield client


async def make(shop: Storefront, **body: Any) -> Row:
    answer = await shop.call("POST", f"{ADMIN}/keys", {"name": "k", **body}, headers=BOSS)
    assert answer.status_code == 200, answer.text
    found: Row = answer.json()
    return found


async def status(shop: Storefront, made: Row, path: str = "checkout", **headers: str) -> int:
    pair = {"consumer_key": made["consumer_key"], "consumer_secret": made["consumer_secret"]}
    if not pair["consumer_secret"]:
        del pair["consumer_secret"]
    target = f"{PREVIEW}/checkout" if path == "checkout" else path
    return (await shop.call("GET", target, keys=pair, headers=headers)).status_code


async def listed(shop: Storefront, key_id: int) -> Row:
    answer = await shop.call("GET", f"{ADMIN}/keys", headers=BOSS)
    return next(row for row in answer.json() if row["id"] == key_id)


async def test_a_key_lives_from_the_making_to_the_end(shop: Storefront) -> None:
    await shop.add()
    made = await make(shop, name="storefront", owner="Web team", dialect="tutorial")
    assert await status(shop, made) == 200
    row = await listed(shop, made["id"])
    assert (row["name"], row["owner"], row["kind"]) == ("storefront", "Web team", "secret")
    assert (row["state"], row["dialect"]) == ("active", "tutorial")
    text = (await shop.call("GET", f"{ADMIN}/keys", headers=BOSS)).text
    assert made["consumer_secret"] not in text
    assert made["consumer_key"] not in text
    ended = await shop.call("DELETE", f"{ADMIN}/keys/{made['id']}", headers=BOSS)
    assert ended.json() == {"revoked": True}
    assert await gone_within(shop, made, 2.0), "the change notice reaches the server at once"
    assert (await listed(shop, made["id"]))["state"] == "revoked"
    again = await shop.call("DELETE", f"{ADMIN}/keys/{made['id']}", headers=BOSS)
    assert (again.status_code, again.json()["code"]) == (404, "cocart_consumer_key_not_found")


async def gone_within(shop: Storefront, made: Row, seconds: float) -> bool:
    for _ in range(int(seconds / 0.05)):
        if await status(shop, made) == 401:
            return True
        await asyncio.sleep(0.05)
    return False


async def test_a_revoked_key_ends_without_a_notice_too(
    empty_database: str, database: Database
) -> None:
    """A server that is deaf forgets what it remembers after five seconds."""
    now = [100.0]
    async with database.transaction() as connection:
        made = await keys.create(connection, Terms("deaf"))
    who = credentials.Credentials(database, lambda: now[0])
    await who.consumer_key(made.consumer_key, made.consumer_secret)
    async with database.transaction() as connection:
        await keys.revoke(connection, made.id, datetime.now(UTC))
    now[0] += 4.9
    await who.consumer_key(made.consumer_key, made.consumer_secret)
    now[0] += 0.2
    with pytest.raises(credentials.KeyNotAccepted):
        await who.consumer_key(made.consumer_key, made.consumer_secret)


async def test_rotation_overlaps(shop: Storefront, empty_database: str) -> None:
    await shop.add()
    old = await make(shop, name="old", networks=["10.0.0.0/8", "127.0.0.1"])
    path = f"{ADMIN}/keys/{old['id']}/rotate"
    new = (await shop.call("POST", path, {"overlap_seconds": 3600}, headers=BOSS)).json()
    ends = datetime.fromisoformat(new["old_key_ends_at"])
    assert timedelta(minutes=59) < ends - datetime.now(UTC) <= timedelta(hours=1)
    assert [await status(shop, key) for key in (old, new)] == [200, 200], "both work"
    row = await listed(shop, old["id"])
    assert (row["state"], row["successor_id"]) == ("rotating", new["id"])
    heir = await listed(shop, new["id"])
    assert (heir["name"], heir["networks"]) == ("old", ["10.0.0.0/8", "127.0.0.1/32"])
    twice = await shop.call("POST", path, {}, headers=BOSS)
    assert twice.status_code == 404, "one successor is enough"
    connection = await asyncpg.connect(empty_database)
    await connection.execute("UPDATE consumer_keys SET expires_at = now() WHERE id = $1", old["id"])
    await connection.close()
    assert await gone_within(shop, old, 2.0)
    assert await status(shop, new) == 200
    assert (await listed(shop, old["id"]))["state"] == "expired"


async def test_a_key_ends_when_its_time_is_over(shop: Storefront) -> None:
    await shop.add()
    soon = (datetime.now(UTC) + timedelta(seconds=1.2)).isoformat()
    made = await make(shop, expires_at=soon)
    assert await status(shop, made) == 200
    await asyncio.sleep(1.3)
    assert await status(shop, made) == 401, "although it is remembered"


async def test_a_key_is_for_its_networks(shop: Storefront) -> None:
    await shop.add()
    made = await make(shop, networks=["198.51.100.0/24"])
    assert await status(shop, made, **{"X-Forwarded-For": "198.51.100.7"}) == 200
    assert await status(shop, made, **{"X-Forwarded-For": "198.51.101.7"}) == 401
    assert await status(shop, made) == 401


async def test_a_publishable_key_is_for_pages(shop: Storefront) -> None:
    await shop.add()
    made = await make(shop, kind="publishable", origins=["https://Shop.example:443/"])
    assert made["consumer_key"].startswith("pk_")
    assert made["consumer_secret"] == ""
    assert (await listed(shop, made["id"]))["origins"] == [PAGE]
    assert await status(shop, made, Origin=PAGE) == 200
    assert await status(shop, made, Referer=f"{PAGE}/cart?x=1") == 200
    for headers in ({}, {"Origin": "https://evil.example"}, {"Origin": f"{PAGE}.evil.example"}):
        assert await status(shop, made, **headers) == 401
    assert await status(shop, made, f"{V2}/cart", Origin=PAGE) == 200
    # Basic without a password, as SDKs send a key without a secret.
    sent = {**basic(made["consumer_key"], ""), "Origin": PAGE}
    assert (await shop.call("GET", f"{PREVIEW}/checkout", keys={}, headers=sent)).status_code == 200
    # The catalogue stays open for a page that sends its key along with everything.
    assert await status(shop, made, f"{V2}/products", Origin=PAGE) == 200
    # Nothing else opens: neither for a page nor for a forged origin.
    for path in (f"{ADMIN}/keys", f"{ADMIN}/alerts", f"{ADMIN}/audit"):
        assert await status(shop, made, path, Origin=PAGE) == 403


async def test_a_publishable_key_needs_an_origin(shop: Storefront) -> None:
    for body in ({"origins": []}, {"origins": ["*"]}, {"origins": ["https://shop.example/path"]}):
        refused = await shop.call(
            "POST", f"{ADMIN}/keys", {"name": "k", "kind": "publishable", **body}, headers=BOSS
        )
        assert refused.status_code == 400
        assert "origins" in refused.json()["data"]["params"]


async def test_a_key_without_its_secret_is_nothing(shop: Storefront) -> None:
    made = await make(shop)
    for secret in ("", "cs_wrong", made["consumer_secret"] + "x"):
        pair = {"consumer_key": made["consumer_key"], "consumer_secret": secret}
        assert (await shop.call("GET", f"{V2}/cart", keys=pair)).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "keys"), ("POST", "keys"), ("POST", "keys/1/rotate"), ("DELETE", "keys/1"),
        ("GET", "keys/1/usage"), ("GET", "alerts"), ("GET", "audit"), ("GET", "shield/decisions"),
    ],
)  # fmt: skip
async def test_only_administrators_administer(shop: Storefront, method: str, path: str) -> None:
    body = {"name": "k"} if method == "POST" and path == "keys" else None
    target = f"{ADMIN}/{path}"
    assert (await shop.call(method, target, body)).status_code == 401
    assert (await shop.call(method, target, body, keys=shop.keys)).status_code == 401
    for role in (Role.CUSTOMER, Role.SHOP_MANAGER):
        async with shop.shop.database.transaction() as connection:
            await credentials.create_account(
                connection, role.value, f"{role.value}@shop.example", "a good password", role
            )
        them = basic(role.value, "a good password")
        refused = await shop.call(method, target, body, headers=them)
        assert (refused.status_code, refused.json()["code"]) == (403, "cocart_forbidden")
    assert (await shop.call("GET", f"{ADMIN}/keys/99/usage", headers=BOSS)).status_code == 404


HOSTILE: dict[str, tuple[Any, ...]] = {
    "name": (None, "", " ", 5, [], "x" * 201, "a\0b"),
    "owner": (5, "x" * 201),
    "permission": ("all", 5, None),
    "dialect": ("french", 5),
    "kind": ("golden", None),
    "origins": ("https://a.example", ["ftp://a.example"], ["https://a.example/x"], [5], ["*"],
        ["https://a.example"] * 51, ["javascript:alert(1)"], ["https://u:p@a.example"]),
    "networks": (["everywhere"], ["10.0.0.0/99"], ["1.2.3.4/24; drop"], [5], ["::/0"] * 51),
    "expires_at": ("soon", "2030-01-01T00:00:00", 10**30, [1]),
    "more": (1,),
}  # fmt: skip


async def test_terms_that_make_no_sense_make_no_key(shop: Storefront, database: Database) -> None:
    async with database.acquire() as connection:
        before = await connection.fetchval("SELECT count(*) FROM consumer_keys")
    for field_, values in HOSTILE.items():
        for value in values:
            body = {"name": "k", field_: value}
            refused = await shop.call("POST", f"{ADMIN}/keys", body, headers=BOSS)
            assert refused.status_code == 400, (field_, value, refused.text)
    for label, content in {**UNREADABLE_BODIES, **BOUNDED_BODIES}.items():
        sent = {**BOSS, "Content-Type": "application/json"}
        refused = await shop.http.post(f"{ADMIN}/keys", content=content, headers=sent)
        assert refused.status_code == 400, label
    for path in ("keys/0", "keys/x", f"keys/{2**63}", "keys/-1"):
        assert (await shop.call("DELETE", f"{ADMIN}/{path}", headers=BOSS)).status_code == 400
    for query in ({"before": "0"}, {"limit": "201"}, {"limit": "x"}, {"before": str(2**63)}):
        for path in ("alerts", "audit", "shield/decisions"):
            answer = await shop.call("GET", f"{ADMIN}/{path}", headers=BOSS, **query)
            assert answer.status_code == 400, (path, query)
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM consumer_keys") == before


# --- use and alerts -------------------------------------------------------------------------------


async def alerts(shop: Storefront) -> list[tuple[str, str]]:
    await shop.shop.guards.flush()
    found = (await shop.call("GET", f"{ADMIN}/alerts", headers=BOSS)).json()
    return [(each["topic"], each["subject"]) for each in found]


async def test_use_is_counted_by_day_and_route_without_a_write(shop: Storefront) -> None:
    await shop.add()
    made = await make(shop)
    assert await status(shop, made) == 200
    shop.statements.clear()
    for _ in range(3):
        assert await status(shop, made) == 200
    writes = [text for text in shop.statements if not text.lstrip().upper().startswith("SELECT")]
    assert writes == [], "counting is not on the way of a request"
    await status(shop, {**made, "consumer_secret": "cs_wrong"})
    await shop.shop.guards.flush()
    path = f"{ADMIN}/keys/{made['id']}/usage"
    (row,) = (await shop.call("GET", path, headers=BOSS)).json()
    assert row["day"] == datetime.now(UTC).date().isoformat()
    assert row["route"] == f"GET {PREVIEW}/checkout"
    assert (row["requests"], row["failures"], row["limited"]) == (4, 1, 0)
    await status(shop, made)
    await shop.shop.guards.flush()
    assert (await shop.call("GET", path, headers=BOSS)).json()[0]["requests"] == 5
    assert (await listed(shop, made["id"]))["last_used_at"] is not None
    shop.statements.clear()
    await status(shop, made)
    assert not [text for text in shop.statements if "WHERE key_hash" in text], (
        "writing the use of a key must not make servers forget keys"
    )


async def test_a_failure_that_is_not_written_is_not_lost(shop: Storefront) -> None:
    made = await make(shop)
    await status(shop, made)
    usage = shop.shop.guards.usage
    usage.database = None  # type: ignore[assignment]
    with pytest.raises(AttributeError):
        await usage.flush()
    usage.database = shop.shop.database
    await usage.flush()
    path = f"{ADMIN}/keys/{made['id']}/usage"
    assert (await shop.call("GET", path, headers=BOSS)).json()[0]["requests"] == 1


async def test_many_failures_of_a_key_are_an_alert(shop: Storefront) -> None:
    made = await make(shop)
    wrong = {**made, "consumer_secret": "cs_wrong"}
    for _ in range(19):
        await status(shop, wrong)
    assert await alerts(shop) == []
    for _ in range(30):
        await status(shop, wrong)
    assert await alerts(shop) == [("key.failures", f"key {made['id']}")], "said once"
    for number in range(20):
        await status(shop, {"consumer_key": f"ck_{number}", "consumer_secret": "cs_x"})
    assert ("key.failures", "unknown keys") in await alerts(shop)


async def test_a_new_network_of_a_secret_key_is_an_alert(shop: Storefront) -> None:
    made = await make(shop)
    page = await make(shop, kind="publishable", origins=[PAGE])
    for address in ("198.51.100.7", "198.51.100.99"):
        await status(shop, made, **{"X-Forwarded-For": address})
        assert await alerts(shop) == [], "the first network is the usual one"
    for address in ("203.0.113.5", "203.0.113.6"):
        await status(shop, made, **{"X-Forwarded-For": address})
        await status(shop, page, Origin=PAGE, **{"X-Forwarded-For": address})
        assert await alerts(shop) == [("key.new_network", f"key {made['id']}")]


async def test_a_burst_of_limits_is_an_alert(empty_database: str) -> None:
    limits = {"enabled": True, "checkout_read": "1/minute"}
    async with running(shop_settings(empty_database, rate_limits=limits)) as shop:
        await administrator(shop.shop, "a good password")
        shop.cart_key = "t_somebody"
        answers = [await shop.call("GET", f"{PREVIEW}/checkout") for _ in range(51)]
        assert answers[-1].status_code == 429
        assert [topic for topic, _ in await alerts(shop)] == ["key.limited"]


async def test_guessing_secrets_is_limited(empty_database: str) -> None:
    limits = {"enabled": True, "sign_in_failures": "3/minute", "other": "100/minute"}
    async with running(shop_settings(empty_database, rate_limits=limits)) as shop:
        pair = {**shop.keys, "consumer_secret": "cs_guess"}
        found = [(await shop.call("GET", f"{V2}/cart", keys=pair)).status_code for _ in range(5)]
        assert found == [401, 401, 401, 429, 429]


async def test_the_database_refuses_a_publishable_key_with_a_secret(empty_database: str) -> None:
    connection = await asyncpg.connect(empty_database)
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(
                "INSERT INTO consumer_keys (name, permission, kind, key_hash, key_tail,"
                " secret_hash) VALUES ('x', 'read', 'publishable', 'h', 't', '')"
            )
    finally:
        await connection.close()
