"""Load-cart links: who makes them, what they bring, and that they bring it once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx2
import jwt
import pytest

from checkstand.errors import ConfigurationError
from checkstand.jobs.sweep import sweep
from checkstand.payments.model import NeedsAction
from checkstand.storage.database import Database
from tests.fakes import MovableClock, ScriptedGateway
from tests.makers import (
    BILLING,
    JWT_SECRET,
    PREVIEW,
    V2,
    Storefront,
    administrator,
    basic,
    bearer,
    coupon,
    product,
    running,
    shop_settings,
    shopper,
    sql_count,
)

CART, LINK, LOAD = f"{V2}/cart", f"{V2}/cart/link", f"{V2}/cart/load"
STORE = "https://store.example"
SHIRT, MUG, HAT = 1, 2, 3
PERSONAL = [BILLING[part] for part in ("first_name", "last_name", "address_1", "phone", "email")]


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
async def maker(
    empty_database: str, database: Database, clock: MovableClock
) -> AsyncIterator[Storefront]:
    """A guest with two shirts, an engraved mug, a coupon and an address."""
    async with database.acquire() as connection:
        await product(connection, name="Shirt", slug="shirt")
        await product(connection, name="Mug", slug="mug", regular_price=1000)
        await product(connection, name="Hat", slug="hat", regular_price=500)
        await coupon(connection, "ten")
    settings = shop_settings(empty_database, security={"cors_origins": [STORE, "*"]})
    async with running(settings, clock=clock) as storefront:
        await storefront.add(SHIRT, 2)
        await storefront.add(MUG, 1, item_data={"engraving": "For Ada"})
        await storefront.call("POST", f"{CART}/apply-coupon", {"code": "ten"})
        await storefront.update(billing_address=BILLING, payment_method="bacs")
        yield storefront


async def link(shopper: Storefront, **wishes: Any) -> dict[str, Any]:
    made = await shopper.call("POST", LINK, wishes)
    assert made.status_code == 200, made.text
    found: dict[str, Any] = made.json()
    return found


async def load(visitor: Storefront, token: str, **wishes: Any) -> httpx2.Response:
    return await visitor.call("POST", LOAD, {"token": token, **wishes})


def lines(cart: Any, part: str = "items") -> dict[int, int]:
    return {
        item["id"]: item["quantity"]["value"] if part == "items" else item["quantity"]
        for item in cart[part]
    }


# --- making one ----------------------------------------------------------------------------------


async def test_a_link_leads_to_the_shops_cart(maker: Storefront) -> None:
    made = await link(maker)
    address = urlsplit(made["url"])
    assert f"{address.scheme}://{address.netloc}{address.path}" == "http://shop.test/"
    assert parse_qs(address.query) == {"cocart-load-cart": [made["token"]]}
    assert made["target"] == "http://shop.test/cart/"
    assert made["expires_at"].endswith("Z")
    wishing = await link(maker, keep_cart=False, notify=True)
    query = parse_qs(urlsplit(wishing["url"]).query)
    assert (query["keep-cart"], query["notify"]) == (["false"], ["true"])


async def test_making_one_changes_nothing_of_the_cart(maker: Storefront) -> None:
    before = (await maker.call("GET", CART)).json()
    await link(maker)
    after = (await maker.call("GET", CART)).json()
    assert after == before


async def test_only_who_has_a_cart_with_something_in_it_makes_one(maker: Storefront) -> None:
    stranger = maker.another()
    nobody = await stranger.call("POST", LINK)
    assert (nobody.status_code, nobody.json()["code"]) == (404, "cocart_cart_not_found")
    stranger.cart_key = "t_" + "0" * 30
    guessed = await stranger.call("POST", LINK)
    assert (guessed.status_code, guessed.json()["code"]) == (404, "cocart_cart_not_found")
    empty = maker.another()
    await empty.call("POST", CART)
    nothing = await empty.call("POST", LINK)
    assert (nothing.status_code, nothing.json()["code"]) == (404, "cocart_cart_empty")


async def test_nobody_makes_one_of_a_customers_cart_but_the_customer(maker: Storefront) -> None:
    ines = await shopper(maker)
    await ines.call("POST", f"{CART}/add-item", {"id": str(HAT)})
    other = maker.another()
    other.cart_key = str(ines.id)
    refused = await other.call("POST", LINK)
    assert (refused.status_code, refused.json()["code"]) == (403, "cocart_must_authenticate_user")
    made = await ines.call("POST", LINK)
    assert made.status_code == 200
    loaded = await load(maker.another(), made.json()["token"])
    assert lines(loaded.json()) == {HAT: 1}
    assert lines((await ines.call("GET", CART)).json()) == {HAT: 1}, "the customer keeps it"


async def test_neither_the_link_nor_an_address_is_stored(
    maker: Storefront, database: Database
) -> None:
    made = await link(maker)
    name = jwt.decode(made["token"], options={"verify_signature": False})["jti"]
    async with database.acquire() as connection:
        stored = await connection.fetchval("SELECT l::text FROM cart_links l")
    assert made["token"] not in stored
    assert name not in stored
    for text in (*PERSONAL, "bacs"):
        assert text not in stored


@pytest.mark.parametrize(
    "target",
    [f"{STORE}/basket?from=mail", STORE, f"{STORE}/", "http://shop.test/cart/?x=1"],
)
async def test_where_a_link_may_lead(maker: Storefront, target: str) -> None:
    made = await link(maker, target=target)
    followed = await maker.http.get(made["url"], follow_redirects=False)
    assert followed.status_code == 303
    there, _, carried = followed.headers["Location"].partition("#")
    assert there == target
    assert dict(parse_qsl(carried)) == {"cocart-load-cart": made["token"]}


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "https://store.example.evil.example/",
        "https://store.example@evil.example/",
        "https://store.example:8443/",
        "https://xstore.example",
        "http://store.example/",
        "https://STORE.example/",
        "//evil.example/",
        "/cart",
        "https:/store.example",
        "https:\\\\store.example\\",
        "https://store.example\\@evil.example/",
        "https://store.example/#x",
        "https://store.example/ x",
        "https://store.example/\u0009",
        "https://store.example/\u202e",
        f"{STORE}.",
        f"{STORE}.:443/",
        "javascript:alert(1)//https://store.example/",
        "data:text/html,https://store.example/",
    ],
)
async def test_where_a_link_never_leads(maker: Storefront, target: str) -> None:
    refused = await maker.call("POST", LINK, {"target": target})
    assert (refused.status_code, refused.json()["code"]) == (
        400,
        "cocart_cart_link_target_not_allowed",
    )
    assert "Location" not in refused.headers


async def test_a_place_is_named_in_500_characters(maker: Storefront) -> None:
    there = f"{STORE}/"
    assert (await link(maker, target=there + "x" * (500 - len(there))))["target"]
    longer = await maker.call("POST", LINK, {"target": there + "x" * (501 - len(there))})
    assert longer.status_code == 400


@pytest.mark.parametrize(
    ("seconds", "status"),
    [(59, 400), (60, 200), (86_400, 200), (86_401, 400), (-1, 400), (10**15, 400), ("x", 400)],
)
async def test_a_link_lives_as_long_as_it_may(maker: Storefront, seconds: Any, status: int) -> None:
    made = await maker.call("POST", LINK, {"expires_in": seconds})
    assert made.status_code == status, made.text


async def test_one_more_link_ends_the_oldest(maker: Storefront, clock: MovableClock) -> None:
    made = []
    for _ in range(11):
        made.append((await link(maker))["token"])
        clock.moved += timedelta(seconds=1)
    assert (await load(maker.another(), made[0])).status_code == 410
    for token in made[1:]:
        assert (await load(maker.another(), token)).status_code == 200


async def test_a_shop_without_a_secret_makes_none(empty_database: str, database: Database) -> None:
    async with database.acquire() as connection:
        await product(connection)
    async with running(shop_settings(empty_database, jwt={"secret": ""})) as shop:
        await shop.add()
        for path, body in ((LINK, {}), (LOAD, {"token": "x"})):
            refused = await shop.call("POST", path, body)
            assert (refused.status_code, refused.json()["code"]) == (
                404,
                "cocart_cart_links_disabled",
            )


# --- following one -------------------------------------------------------------------------------


async def test_following_uses_nothing_up(maker: Storefront) -> None:
    made = await link(maker, keep_cart=False, notify=True)
    for _ in range(3):
        followed = await maker.http.get(made["url"], follow_redirects=False)
        assert followed.status_code == 303
        assert followed.headers["Referrer-Policy"] == "no-referrer"
        assert followed.headers["Cache-Control"] == "no-store, private"
        carried = dict(parse_qsl(urlsplit(followed.headers["Location"]).fragment))
        assert carried == {
            "cocart-load-cart": made["token"],
            "keep-cart": "false",
            "notify": "true",
        }
        assert not urlsplit(followed.headers["Location"]).query
    assert (await load(maker.another(), made["token"])).status_code == 200
    over = await maker.http.get(made["url"], follow_redirects=False)
    assert over.status_code == 410
    assert "Location" not in over.headers
    assert made["token"] not in over.text


async def test_an_address_in_the_link_leads_nowhere_else(maker: Storefront) -> None:
    made = await link(maker)
    followed = await maker.http.get(
        "/",
        params={
            "cocart-load-cart": made["token"],
            "target": "https://evil.example",
            "redirect": "https://evil.example",
        },
        follow_redirects=False,
    )
    assert followed.headers["Location"].startswith("http://shop.test/cart/#")
    assert "evil" not in followed.headers["Location"]


async def test_a_place_that_is_none_of_the_shops_any_more(
    empty_database: str, maker: Storefront
) -> None:
    made = await link(maker, target=f"{STORE}/")
    async with running(shop_settings(empty_database)) as later:
        followed = await later.http.get(made["url"], follow_redirects=False)
        assert (followed.status_code, "Location" in followed.headers) == (400, False)


async def test_without_a_link_there_is_no_page(maker: Storefront) -> None:
    assert (await maker.http.get("/")).status_code == 404
    assert (await maker.http.get("/?cocart-load-cart=x")).status_code == 404


# --- opening one ---------------------------------------------------------------------------------


async def test_it_brings_what_lay_in_the_cart_and_no_address(maker: Storefront) -> None:
    made = await link(maker)
    visitor = maker.another()
    loaded = await load(visitor, made["token"], notify=True)
    assert loaded.status_code == 200, loaded.text
    cart = loaded.json()
    assert lines(cart) == {SHIRT: 2, MUG: 1}
    assert cart["items"][1]["cart_item_data"] == {"engraving": "For Ada"}
    assert [each["coupon"] for each in cart["coupons"]] == ["ten"]
    assert cart["notices"]["success"] == ["The cart was loaded."]
    assert cart["cart_key"] == visitor.cart_key != maker.cart_key
    assert visitor.cart_key.startswith("t_")
    state = await visitor.state()
    for text in PERSONAL:
        assert text not in loaded.text
        assert text not in str(state)
    assert state["payment_method"] == ""
    assert maker.cart_key not in loaded.text
    assert lines((await maker.call("GET", CART)).json()) == {SHIRT: 2, MUG: 1}


async def test_it_brings_what_lay_there_when_it_was_made(maker: Storefront) -> None:
    made = await link(maker)
    await maker.add(HAT)
    await maker.call("POST", f"{CART}/clear")
    assert lines((await load(maker.another(), made["token"])).json()) == {SHIRT: 2, MUG: 1}


async def test_what_is_not_sold_any_more_is_left_out_and_said(
    maker: Storefront, database: Database
) -> None:
    made = await link(maker)
    async with database.acquire() as connection:
        await connection.execute("UPDATE products SET published = false WHERE id = $1", MUG)
    maker.shop.catalogue.forget()
    loaded = (await load(maker.another(), made["token"])).json()
    assert lines(loaded) == {SHIRT: 2}
    assert loaded["notices"]["error"]


async def test_the_visitors_address_stays(maker: Storefront) -> None:
    made = await link(maker)
    visitor = maker.another()
    await visitor.add(HAT)
    await visitor.update(billing_address={**BILLING, "first_name": "Vic"}, payment_method="cod")
    await load(visitor, made["token"])
    state = await visitor.state()
    assert (state["billing_address"]["first_name"], state["payment_method"]) == ("Vic", "cod")


async def test_kept_it_takes_the_place_of_what_the_visitor_had(maker: Storefront) -> None:
    made = await link(maker)
    visitor = maker.another()
    await visitor.add(HAT, 3)
    await visitor.add(SHIRT, 1)
    cart = (await load(visitor, made["token"])).json()
    assert lines(cart) == {SHIRT: 2, MUG: 1}
    assert lines(cart, "removed_items") == {HAT: 3}
    key = cart["removed_items"][0]["item_key"]
    back = await visitor.call("PUT", f"{CART}/item/{key}")
    assert lines(back.json())[HAT] == 3


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("sum", {SHIRT: 3, MUG: 1, HAT: 3}),
        ("max", {SHIRT: 2, MUG: 1, HAT: 3}),
        ("guest", {SHIRT: 2, MUG: 1}),
        ("customer", {SHIRT: 1, HAT: 3}),
    ],
)
async def test_merged_as_the_shop_merges_carts(
    empty_database: str, maker: Storefront, policy: str, expected: dict[int, int]
) -> None:
    made = await link(maker)
    async with running(shop_settings(empty_database, cart={"merge": policy})) as shop:
        await shop.add(SHIRT, 1)
        await shop.add(HAT, 3)
        cart = (await load(shop, made["token"], keep_cart=False)).json()
        assert lines(cart) == expected


async def test_somebody_signed_in_has_it_in_the_accounts_cart(maker: Storefront) -> None:
    made = await link(maker)
    ines = await shopper(maker)
    loaded = await ines.call("POST", LOAD, {"token": made["token"]})
    assert loaded.json()["cart_key"] == str(ines.id)
    assert lines((await ines.call("GET", CART)).json()) == {SHIRT: 2, MUG: 1}


async def test_into_the_cart_it_was_made_of_nothing_comes_twice(maker: Storefront) -> None:
    made = await link(maker)
    loaded = await load(maker, made["token"], keep_cart=False)
    assert lines(loaded.json()) == {SHIRT: 2, MUG: 1}


async def test_a_loaded_cart_can_be_ordered(maker: Storefront) -> None:
    visitor = maker.another()
    await load(visitor, (await link(maker))["token"])
    await visitor.update(billing_address=BILLING, payment_method="bacs")
    assert (await visitor.process()).status_code == 200


# --- prices --------------------------------------------------------------------------------------


async def test_a_shopper_hands_no_special_price_on(empty_database: str, maker: Storefront) -> None:
    """Else one price for one piece would be a price for as many as there are links."""
    trusted = shop_settings(empty_database, cart={"trusted_keys": True})
    async with running(trusted) as shop:
        keyed = shop.keys
        made = await shop.call(
            "POST", f"{CART}/add-item", {"id": str(MUG), "price": "1.00"}, keys=keyed
        )
        assert made.json()["items"][0]["price"] == "100"
        await shop.add(MUG, 2)
        fee = {"name": "Thanks", "amount": "-0.50"}
        assert (await shop.call("POST", f"{CART}/add-fee", fee, keys=keyed)).status_code == 200
        plain = (await shop.call("POST", LINK)).json()["token"]
        special = (await shop.call("POST", LINK, keys=keyed)).json()["token"]
        usual = (await load(shop.another(), plain)).json()
        assert lines(usual) == {MUG: 3}
        assert [item["price"] for item in usual["items"]] == ["1000"]
        assert not usual["fees"]
        offered = shop.another()
        priced = (await load(offered, special)).json()
        assert sorted(item["price"] for item in priced["items"]) == ["100", "1000"]
        assert priced["fees"]
        again = (await offered.call("POST", LINK)).json()["token"]
        passed_on = (await load(shop.another(), again)).json()
        assert {item["price"] for item in passed_on["items"]} == {"1000"}
        assert not passed_on["fees"]


async def test_a_manager_hands_prices_over(maker: Storefront) -> None:
    await administrator(maker.shop, "correct horse battery")
    signed = basic("admin", "correct horse battery")
    await maker.call("POST", f"{CART}/add-item", {"id": "2", "price": "5.00"}, headers=signed)
    made = await maker.call("POST", LINK, headers=signed)
    priced = (await load(maker.another(), made.json()["token"])).json()
    assert "500" in [item["price"] for item in priced["items"]]


# --- once, for a while, and only what was signed here --------------------------------------------


async def test_a_link_opens_once(maker: Storefront) -> None:
    made = await link(maker)
    first, second = maker.another(), maker.another()
    assert (await load(first, made["token"])).status_code == 200
    for visitor in (second, first, maker):
        replayed = await load(visitor, made["token"])
        assert (replayed.status_code, replayed.json()["code"]) == (410, "cocart_cart_link_spent")
    assert second.cart_key == ""


async def test_of_many_at_once_one_has_it(maker: Storefront, database: Database) -> None:
    made = await link(maker)
    visitors = [maker.another() for _ in range(20)]
    for visitor in visitors[:10]:
        await visitor.call("POST", CART)
    answers = await asyncio.gather(*(load(visitor, made["token"]) for visitor in visitors))
    assert sorted(answer.status_code for answer in answers) == [200] + [410] * 19
    async with database.acquire() as connection:
        filled = await connection.fetchval(
            "SELECT count(*) FROM carts WHERE jsonb_array_length(document->'lines') > 0"
        )
        assert filled == 2, "the maker's and one visitor's"


async def test_of_many_at_once_on_one_cart_one_has_it(maker: Storefront) -> None:
    made = await link(maker)
    visitor = maker.another()
    await visitor.add(HAT)
    answers = await asyncio.gather(
        *(load(visitor, made["token"], keep_cart=False) for _ in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [410] * 7
    assert lines((await visitor.call("GET", CART)).json()) == {SHIRT: 2, MUG: 1, HAT: 1}


async def test_the_same_request_again_is_answered_again(
    maker: Storefront, clock: MovableClock
) -> None:
    made = await link(maker, expires_in=60)
    visitor = maker.another()
    once = {"Idempotency-Key": "a-key-that-is-long-enough"}
    body = {"token": made["token"]}
    first = await visitor.http.post(LOAD, json=body, headers=once)
    again = await visitor.http.post(LOAD, json=body, headers=once)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    clock.moved += timedelta(hours=2)
    later = await visitor.http.post(LOAD, json=body, headers=once)
    assert later.json() == first.json(), "also when the link itself would be over"
    other = await visitor.http.post(
        LOAD, json=body, headers={"Idempotency-Key": "another-key-that-is-long-enough"}
    )
    assert other.status_code == 410


async def test_a_link_ends(maker: Storefront, clock: MovableClock, database: Database) -> None:
    short, usual = await link(maker, expires_in=60), await link(maker)
    clock.moved += timedelta(seconds=61)
    over = await load(maker.another(), short["token"])
    assert (over.status_code, over.json()["code"]) == (410, "cocart_cart_link_spent")
    assert (await maker.http.get(short["url"], follow_redirects=False)).status_code == 410
    await sweep(maker.shop.database, clock)
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM cart_links") == 1
    assert (await load(maker.another(), usual["token"])).status_code == 200


async def test_what_was_not_signed_here_is_no_link(maker: Storefront) -> None:
    made = await link(maker)
    head, body, signature = made["token"].split(".")
    claims = jwt.decode(made["token"], options={"verify_signature": False})
    kid = jwt.get_unverified_header(made["token"])["kid"]

    def forged(secret: str = JWT_SECRET, **changes: Any) -> str:
        return jwt.encode({**claims, **changes}, secret, "HS256", headers={"kid": kid})

    ines = await shopper(maker)
    guesses = [
        "",
        "x",
        "é",
        "." * 3,
        "x" * 8192,
        maker.cart_key,
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-2]}AA",
        forged("another secret, which is as long as it has to be"),
        forged(aud="something-else"),
        forged(iss="https://evil.example"),
        jwt.encode({**claims}, "", "none", headers={"kid": kid}),
        ines.token,
    ]
    for guess in guesses:
        refused = await load(maker.another(), guess)
        assert (refused.status_code, refused.json()["code"]) == (404, "cocart_cart_link_invalid")
        assert (await maker.http.get("/", params={"cocart-load-cart": guess})).status_code == 404
    # Signed, and of no link: as if it had been opened. Nobody but the shop can sign it.
    assert (await load(maker.another(), forged(jti="guessed"))).status_code == 410
    assert (await load(maker.another(), made["token"])).status_code == 200


async def test_a_link_signs_nobody_in(maker: Storefront) -> None:
    made = await link(maker)
    refused = await maker.http.get(CART, headers=bearer(made["token"]))
    assert refused.status_code == 403


async def test_a_secret_that_is_exchanged_keeps_links(
    empty_database: str, maker: Storefront
) -> None:
    made = await link(maker)
    newer = {
        "secret": "another secret of the tests, long enough too",
        "also_accepted": [{"algorithm": "HS256", "secret": JWT_SECRET}],
    }
    async with running(shop_settings(empty_database, jwt=newer)) as shop:
        assert (await load(shop, made["token"])).status_code == 200


# --- carts that cannot change --------------------------------------------------------------------


async def test_while_a_payment_is_open_the_link_is_not_used_up(
    maker: Storefront, database: Database
) -> None:
    made = await link(maker)
    visitor = maker.another()
    await visitor.add(HAT)
    async with database.acquire() as connection:
        await connection.execute(
            "UPDATE carts SET paying_until = now() + interval '1 minute' WHERE cart_key = $1",
            visitor.cart_key,
        )
    refused = await load(visitor, made["token"])
    assert (refused.status_code, refused.json()["code"]) == (409, "cocart_checkout_payment_pending")
    assert (await load(maker.another(), made["token"])).status_code == 200


async def test_a_payment_that_waits_for_the_shopper_is_called_off(
    empty_database: str, maker: Storefront
) -> None:
    made = await link(maker)
    gateway = ScriptedGateway()
    gateway.script = [NeedsAction("https://bank.example/3ds", "confirm", {}, "pi_1")]
    async with running(shop_settings(empty_database), gateways={"card": gateway}) as shop:
        await shop.add(HAT)
        await shop.update(billing_address=BILLING, payment_method="card")
        waiting = (await shop.process()).json()["payment_result"]["payment_status"]
        assert waiting == "requires_action"
        loaded = await load(shop, made["token"])
        assert loaded.status_code == 200, loaded.text
        assert lines(loaded.json()) == {SHIRT: 2, MUG: 1}


# --- around it -----------------------------------------------------------------------------------


async def test_in_a_batch_the_link_is_told(maker: Storefront) -> None:
    body = {"requests": [{"path": "/cocart/v2/cart/link"}]}
    batched = await maker.call("POST", "/wp-json/cocart/batch", body)
    assert batched.status_code == 207
    token = batched.json()["responses"][0]["body"]["token"]
    assert (await load(maker.another(), token)).status_code == 200


async def test_links_are_limited_by_themselves(empty_database: str, maker: Storefront) -> None:
    limits = {"enabled": True, "cart_link": "3/minute"}
    async with running(shop_settings(empty_database, rate_limits=limits)) as shop:
        statuses = [(await load(shop, "guess")).status_code for _ in range(4)]
        assert statuses == [404, 404, 404, 429]
        assert (await shop.http.get("/?cocart-load-cart=guess")).status_code == 429
        assert (await shop.call("GET", CART)).status_code == 200


async def test_links_go_with_the_session(maker: Storefront, database: Database) -> None:
    await link(maker)
    gone = await maker.call("DELETE", f"{V2}/session/{maker.cart_key}", keys=maker.keys)
    assert gone.status_code == 200, gone.text
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM cart_links") == 0


async def test_what_a_link_costs(maker: Storefront) -> None:
    for _ in range(2):  # the first lets asyncpg ask about types
        maker.statements.clear()
        made = await link(maker)
    assert sql_count(maker.statements) == 2, "\n".join(maker.statements)
    for _ in range(2):
        visitor = maker.another()
        await visitor.call("POST", CART)
        made = await link(maker)
        maker.statements.clear()
        assert (await load(visitor, made["token"])).status_code == 200
    assert sql_count(maker.statements) == 4, "\n".join(maker.statements)


@pytest.mark.parametrize("address", ["/cart/", "ftp://shop.example/", "https://Shop.example/"])
async def test_a_home_that_no_link_can_lead_to(empty_database: str, address: str) -> None:
    with pytest.raises(ConfigurationError, match=r"store\.cart_url"):
        async with running(shop_settings(empty_database, store={"cart_url": address})):
            pass


async def test_the_preview_of_a_loaded_cart_has_no_maker_in_it(maker: Storefront) -> None:
    visitor = maker.another()
    await load(visitor, (await link(maker))["token"])
    for path in (f"{PREVIEW}/checkout", f"{V2}/checkout", CART):
        said = await visitor.call("GET", path)
        assert said.status_code == 200
        for text in (*PERSONAL, maker.cart_key):
            assert text not in said.text
