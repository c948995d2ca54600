"""Limits over HTTP: whose requests are counted together, as what, and what the answer says."""

from __future__ import annotations

import base64
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from checkstand.access import keys
from checkstand.access.key_store import Terms
from checkstand.access.principal import KeyKind
from checkstand.guarding import Hooks
from checkstand.settings import load
from checkstand.shield.limits import Ask
from checkstand.storage.database import Database
from tests.makers import PREVIEW, V2, Storefront, administrator, product, running, shop_settings

PAGE = {"Origin": "https://shop.example"}
CHECKOUT = f"{PREVIEW}/checkout"


def on(**limits: object) -> dict[str, object]:
    return {"rate_limits": {"enabled": True, "other": "1000/minute", **limits}}


@pytest.fixture
async def shirt(database: Database) -> None:
    async with database.acquire() as connection:
        await product(connection, sku="TSHIRT-PREMIUM")


def test_limits_are_on_by_default_as_the_contract_says() -> None:
    limits = load().rate_limits
    assert limits.enabled
    assert limits.checkout_read == "20/minute"
    assert limits.checkout_process == "5/minute"
    assert limits.payment_methods == "30/minute"
    assert limits.payment_methods_debug == "1/minute"
    assert limits.other == "25/10 seconds"
    assert (limits.token_refresh, limits.token_validate) == ("10/minute", "2/minute")


async def test_an_answer_says_how_the_caller_stands(empty_database: str, shirt: None) -> None:
    async with running(shop_settings(empty_database, **on(other="2/minute"))) as shopper:
        first = await shopper.call("GET", f"{V2}/cart")
        assert first.headers["RateLimit-Limit"] == "2"
        assert first.headers["RateLimit-Remaining"] == "1"
        assert 55 <= int(first.headers["RateLimit-Reset"]) - time.time() <= 61
        assert "Retry-After" not in first.headers
        assert "RateLimit-Retry-After" not in first.headers
        await shopper.call("GET", f"{V2}/cart")
        refused = await shopper.call("GET", f"{V2}/cart")
        assert refused.status_code == 429
        wait = int(refused.headers["Retry-After"])
        assert 55 <= wait <= 60
        assert refused.headers["RateLimit-Retry-After"] == str(wait)
        assert refused.headers["RateLimit-Remaining"] == "0"
        said = refused.json()
        assert said["code"] == "rate_limit_exceeded"
        assert said["data"] == {"status": 429, "retry_after": wait}


@pytest.mark.parametrize("dialect", ["reference", "tutorial"])
async def test_limits_belong_to_the_operation_not_to_the_verb(
    empty_database: str, shirt: None, dialect: str
) -> None:
    chosen = on(checkout_read="2/minute", checkout_process="1/minute", checkout_update="3/minute")
    async with running(shop_settings(empty_database, **chosen)) as shopper:
        await shopper.add()
        said = {"Checkstand-Dialect": dialect}
        process, update = ("POST", "PUT") if dialect == "reference" else ("PUT", "POST")

        async def status(verb: str) -> int:
            body = None if verb == "GET" else {}
            return (await shopper.call(verb, CHECKOUT, body, headers=said)).status_code

        assert [await status("GET") for _ in range(3)] == [200, 200, 429]
        assert [await status(update) for _ in range(2)] == [200, 200]
        assert await status("PATCH") == 200
        assert await status("PATCH") == 429
        assert await status(update) == 429
        assert [await status(process) for _ in range(2)] == [400, 429]


async def test_payment_methods_with_debug_have_a_limit_of_their_own(
    empty_database: str, shirt: None
) -> None:
    async with running(shop_settings(empty_database, **on())) as shopper:
        await shopper.add()
        methods = f"{CHECKOUT}/payment-methods"
        await administrator(shopper.shop, "a good password")
        boss = {"Authorization": "Basic " + base64.b64encode(b"admin:a good password").decode()}
        item = {"id": "1", "quantity": "1"}
        await shopper.call("POST", f"{V2}/cart/add-item", item, headers=boss)

        async def status() -> int:
            return (await shopper.call("GET", methods, debug="true", headers=boss)).status_code

        assert [await status(), await status()] == [200, 429]
        shopper.cart_key = "t_none"
        asked = await shopper.call("GET", methods, debug="true")
        assert asked.headers["RateLimit-Limit"] == "30", "nobody else gets to see it"


async def test_whose_requests_are_counted_together(empty_database: str, shirt: None) -> None:
    """(Key, cart) with a key, the account when signed in, else the address (DECISIONS 23)."""
    async with running(shop_settings(empty_database, **on(other="3/minute"))) as shopper:
        await administrator(shopper.shop, "a good password")
        basic = {"Authorization": "Basic " + base64.b64encode(b"admin:a good password").decode()}

        async def left(cart: str = "", **kw: object) -> int:
            shopper.cart_key = cart
            answer = await shopper.call("GET", f"{V2}/cart", **kw)  # type: ignore[arg-type]
            return int(answer.headers["RateLimit-Remaining"])

        assert await left() == 2
        assert await left("t_one") == 1, "a cart key alone is anybody's: the address counts"
        assert await left("t_one", keys=shopper.keys) == 2
        assert await left("t_two", keys=shopper.keys) == 2
        assert await left("t_one", keys=shopper.tutorial) == 2
        assert await left("t_one", keys=shopper.keys) == 1
        async with shopper.shop.database.transaction() as connection:
            terms = Terms("p", kind=KeyKind.PUBLISHABLE, origins=("https://shop.example",))
            made = await keys.create(connection, terms)
        page = {"keys": {"consumer_key": made.consumer_key}, "headers": PAGE}
        assert [await left("t_three", **page), await left("t_four", **page)] == [2, 1], (
            "everybody has it, and can make cart keys up"
        )
        assert await left(headers=basic) == 2
        assert await left(headers={**basic, "X-Forwarded-For": "9.9.9.9"}) == 1
        assert await left(headers={"X-Forwarded-For": "9.9.9.9"}) == 0, "nobody is believed"


async def test_behind_a_proxy_every_client_has_a_count(empty_database: str) -> None:
    chosen = {**on(other="1/minute"), "security": {"trusted_proxies": ["127.0.0.1"]}}
    async with running(shop_settings(empty_database, **chosen)) as shopper:

        async def status(forwarded: str) -> int:
            sent = {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https"}
            return (await shopper.call("GET", f"{V2}/cart", headers=sent)).status_code

        assert await status("198.51.100.1") == 200
        assert await status("198.51.100.2") == 200
        assert await status("6.6.6.6, 198.51.100.1") == 429, "the client wrote the first"


async def test_a_hook_decides_for_a_caller(empty_database: str) -> None:
    seen: list[Ask] = []

    def hook(ask: Ask) -> Ask | None:
        seen.append(ask)
        return replace(ask, caller=ask.fingerprint)

    limits = shop_settings(empty_database, **on(other="1/minute"))
    async with running(limits, hooks=Hooks([hook])) as shopper:

        async def status(agent: str) -> int:
            sent = {"User-Agent": agent}
            return (await shopper.call("GET", f"{V2}/cart", headers=sent)).status_code

        assert [await status("one"), await status("two"), await status("one")] == [200, 200, 429]
    assert seen[0].operation == "other"
    assert seen[0].caller == "address 127.0.0.1"
    assert seen[0].fingerprint == seen[2].fingerprint != seen[1].fingerprint


async def test_a_hook_of_an_installed_package_is_used(
    empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "friends.py").write_text("def nobody_is_limited(ask):\n    return None\n")
    about = tmp_path / "friends-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: friends\nVersion: 1.0\n")
    hook = "[checkstand.rate_limits]\nfriends = friends:nobody_is_limited\n"
    (about / "entry_points.txt").write_text(hook)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        async with running(shop_settings(empty_database, **on(other="1/minute"))) as shopper:
            for _ in range(3):
                answer = await shopper.call("GET", f"{V2}/cart")
                assert answer.status_code == 200
                assert "RateLimit-Limit" not in answer.headers
    finally:
        sys.modules.pop("friends", None)


async def test_limits_of_settings_that_are_read_again_hold_at_once(empty_database: str) -> None:
    async with running(shop_settings(empty_database, **on(other="1/minute"))) as shopper:

        async def limit() -> str:
            return (await shopper.call("GET", f"{V2}/cart")).headers["RateLimit-Limit"]

        assert await limit() == "1"
        anew = shop_settings(empty_database, shield={"mode": "dry_run"}, **on(other="7/minute"))
        shopper.shop.guards.reload(anew)
        assert await limit() == "7"
        assert shopper.shop.guards.velocity.mode == "dry_run"


class Doorkeeper:
    """Signs in, by Basic."""

    def __init__(self, shopper: Storefront) -> None:
        self.shopper = shopper

    async def status(self, login: str, password: str, address: str = "198.51.100.1") -> int:
        pair = base64.b64encode(f"{login}:{password}".encode()).decode()
        sent = {
            "Authorization": f"Basic {pair}",
            "X-Forwarded-For": address,
            "X-Forwarded-Proto": "https",
        }
        answer = await self.shopper.call("GET", f"{V2}/cart", headers=sent)
        return answer.status_code


async def test_guessing_passwords_is_limited(empty_database: str) -> None:
    chosen = {
        **on(sign_in="3/minute", sign_in_failures="5/minute"),
        "security": {"trusted_proxies": ["127.0.0.1"]},
    }
    async with running(shop_settings(empty_database, **chosen)) as shopper:
        await administrator(shopper.shop, "a good password")
        door = Doorkeeper(shopper)
        assert [await door.status("admin", f"guess {n}") for n in range(4)] == [401, 401, 401, 429]
        assert await door.status("admin", "a good password") == 429, "not even with the right one"
        # The owner, elsewhere, is not shut out by somebody who guesses.
        assert await door.status("Admin", "a good password", "198.51.100.9") == 200
        # Nor does it help to try other names from the same place.
        assert [await door.status(f"u{n}", "x") for n in range(3)] == [401, 401, 429]


async def test_who_signs_in_rightly_is_not_limited(empty_database: str) -> None:
    async with running(shop_settings(empty_database, **on(sign_in="2/minute"))) as shopper:
        await administrator(shopper.shop, "a good password")
        door = Doorkeeper(shopper)
        for _ in range(5):
            shopper.shop.credentials.forget()
            assert await door.status("admin", "a good password") == 200


async def test_signing_in_by_the_login_route_is_limited_too(empty_database: str) -> None:
    chosen = on(sign_in="2/minute", token_refresh="2/minute", token_validate="1/minute")
    async with running(shop_settings(empty_database, **chosen)) as shopper:
        await administrator(shopper.shop, "a good password")

        async def status(path: str, body: object, **headers: str) -> int:
            return (await shopper.call("POST", path, body, headers=headers)).status_code

        async def verified() -> int:
            path = f"{V2}/my-account/verify-email"
            return (await shopper.call("GET", path, key="x" * 43, user_id="1")).status_code

        wrong = {"username": "admin", "password": "a bad password"}
        login = f"{V2}/login"
        assert [await status(login, wrong) for _ in range(3)] == [401, 401, 429]
        stale = {"refresh_token": "x" * 40}
        refresh = "/wp-json/cocart/jwt/refresh-token"
        assert [await status(refresh, stale) for _ in range(3)] == [403, 403, 429]
        validate = "/wp-json/cocart/jwt/validate-token"
        bad = {"Authorization": "Bearer a.b.c"}
        assert [await status(validate, None, **bad) for _ in range(2)] == [401, 429]
        assert [await verified() for _ in range(3)] == [400, 400, 429]
        lost = {"username": "nobody"}
        assert [await status(f"{V2}/lost-password", lost) for _ in range(3)] == [200, 200, 429]
