"""Carts of all shoppers, for store managers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from checkstand.access import credentials, keys
from checkstand.access.key_store import Terms
from checkstand.access.principal import KeyKind, Permission, Role
from checkstand.audit import store as audit
from checkstand.storage.database import Database
from tests.api.test_keys import BOSS, basic
from tests.makers import BILLING, V2, Storefront, administrator, product, running, shop_settings

SESSIONS = f"{V2}/sessions"


@pytest.fixture
async def shop(empty_database: str, database: Database) -> AsyncIterator[Storefront]:
    async with database.acquire() as connection:
        await product(connection, sku="TSHIRT-PREMIUM", slug="premium-t-shirt")
    async with running(shop_settings(empty_database)) as client:
        await administrator(client.shop, "a good password")
        yield client


async def get(shop: Storefront, path: str, **query: Any) -> Any:
    return await shop.call("GET", path, keys=shop.keys, **query)


async def test_the_list_has_pages(shop: Storefront) -> None:
    assert (await get(shop, SESSIONS)).json() == []
    shoppers = [shop.another() for _ in range(5)]
    for shopper in shoppers:
        await shopper.add()
    gone = await shop.another().ready_to_order()
    await gone.process()
    first = await get(shop, SESSIONS, per_page=2)
    assert first.headers["X-WP-Total"] == "5", "what became an order is none"
    assert first.headers["X-WP-TotalPages"] == "3"
    assert 'rel="next"' in first.headers["Link"]
    assert 'rel="prev"' not in first.headers["Link"]
    last = await get(shop, SESSIONS, per_page=2, page=3)
    assert 'rel="prev"' in last.headers["Link"]
    assert 'rel="next"' not in last.headers["Link"]
    pages = [await get(shop, SESSIONS, per_page=2, page=number) for number in (1, 2, 3)]
    found = [row["session_key"] for answer in pages for row in answer.json()]
    assert found == [shopper.cart_key for shopper in reversed(shoppers)]
    assert (await get(shop, SESSIONS, page=0)).status_code == 400
    assert (await get(shop, SESSIONS, per_page=101)).status_code == 400


@pytest.mark.parametrize("word", ["session", "sessions"])
async def test_one_session(shop: Storefront, word: str) -> None:
    shopper = await shop.another().ready_to_order(quantity=2)
    answer = await get(shop, f"{V2}/{word}/{shopper.cart_key}")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert set(found) == {"session_key", "cart", "customer", "session_expiry"}
    assert found["session_key"] == shopper.cart_key
    assert found["customer"]["billing_email"] == BILLING["email"]
    assert found["customer"]["shipping_city"] == BILLING["city"]
    ((key, line),) = found["cart"].items()
    assert line["key"] == key
    assert (line["product_id"], line["variation_id"], line["quantity"]) == (1, 0, 2)
    assert line["line_total"] == 39.98
    assert len(found["session_expiry"]) == 19
    items = (await get(shop, f"{V2}/{word}/{shopper.cart_key}/items")).json()
    assert items[0]["item_key"] == key
    assert items[0]["totals"]["total"] == "3998"
    assert not {"regular_price", "on_sale", "extensions"} & set(items[0])


async def test_a_session_can_be_deleted(shop: Storefront) -> None:
    shopper = shop.another()
    await shopper.add()
    path = f"{SESSIONS}/{shopper.cart_key}"
    deleted = await shop.call("DELETE", path, keys=shop.keys)
    assert (deleted.status_code, deleted.json()) == (200, {"deleted": True})
    assert (await get(shop, path)).json()["code"] == "cocart_session_not_found"
    assert (await shop.call("DELETE", path, keys=shop.keys)).status_code == 404
    assert (await shopper.call("GET", f"{V2}/cart")).json()["items"] == []


async def test_a_customers_session_is_named_by_his_number(shop: Storefront) -> None:
    item = {"id": "1", "quantity": "1"}
    await shop.call("POST", f"{V2}/cart/add-item", item, headers=BOSS)
    assert (await get(shop, f"{SESSIONS}/1")).json()["session_key"] == "1"
    assert (await shop.call("DELETE", f"{V2}/session/1", headers=BOSS)).status_code == 200
    answer = await shop.call("POST", f"{V2}/cart/add-item", item, headers=BOSS)
    assert answer.json()["item_count"] == 1, "a new one begins"


async def test_a_session_that_is_being_paid_stays(shop: Storefront, database: Database) -> None:
    shopper = await shop.another().ready_to_order()
    async with database.acquire() as connection:
        await connection.execute("UPDATE carts SET paying_until = now() + interval '1 minute'")
    refused = await shop.call("DELETE", f"{SESSIONS}/{shopper.cart_key}", keys=shop.keys)
    assert (refused.status_code, refused.json()["code"]) == (409, "cocart_checkout_payment_pending")


async def test_names_that_are_none(shop: Storefront) -> None:
    for name in ("T_UPPER", "a b", "x" * 43, "%00"):
        answer = await get(shop, f"{SESSIONS}/{name}")
        assert answer.status_code in (400, 404)
    assert (await get(shop, f"{SESSIONS}/T_UPPER")).json()["code"] == "cocart_invalid_session_id"


async def key_pair(shop: Storefront, terms: Terms) -> dict[str, str]:
    async with shop.shop.database.transaction() as connection:
        made = await keys.create(connection, terms)
    return {"consumer_key": made.consumer_key, "consumer_secret": made.consumer_secret}


async def test_who_may_see_sessions(shop: Storefront) -> None:
    shopper = shop.another()
    await shopper.add()
    path = f"{SESSIONS}/{shopper.cart_key}"
    anonymous = await shopper.call("GET", path)
    assert (anonymous.status_code, anonymous.json()["code"]) == (401, "cocart_unauthorized")
    reading = await key_pair(shop, Terms("r", Permission.READ))
    writing = await key_pair(shop, Terms("w", Permission.WRITE))
    page = await key_pair(
        shop, Terms("p", kind=KeyKind.PUBLISHABLE, origins=("https://shop.example",))
    )
    for pair, get_, delete in ((reading, 200, 403), (writing, 403, 404)):
        assert (await shop.call("GET", path, keys=pair)).status_code == get_
        assert (await shop.call("DELETE", f"{SESSIONS}/t_none", keys=pair)).status_code == delete
    headers = {"Origin": "https://shop.example"}
    assert (await shop.call("GET", path, keys=page, headers=headers)).status_code == 403
    for role, expected in ((Role.CUSTOMER, 403), (Role.SHOP_MANAGER, 200)):
        async with shop.shop.database.transaction() as connection:
            await credentials.create_account(
                connection, role.value, f"{role.value}@shop.example", "a good password", role
            )
        them = basic(role.value, "a good password")
        for path_ in (SESSIONS, path, f"{path}/items"):
            assert (await shop.call("GET", path_, headers=them)).status_code == expected


async def test_that_somebody_looked_is_in_the_log(shop: Storefront, database: Database) -> None:
    shopper = shop.another()
    await shopper.add()
    await get(shop, SESSIONS)
    await get(shop, f"{SESSIONS}/{shopper.cart_key}")
    await shop.call("DELETE", f"{SESSIONS}/{shopper.cart_key}", keys=shop.keys)
    async with database.acquire() as connection:
        entries = await audit.newest(connection, 2**62, 3, "", "")
    actions = [entry.action for entry in entries]
    assert actions == ["session.deleted", "session.read", "sessions.read"]
    assert all(entry.actor.startswith("key ") for entry in entries)
    assert shopper.cart_key not in str(entries), "the key opens the cart"
