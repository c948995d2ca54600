"""What a hostile review of accounts, tokens and sessions found: what somebody would suffer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import argon2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from checkstand.access import account_store
from checkstand.access.passwords import Passwords, weaknesses
from checkstand.access.tokens import load_key
from checkstand.errors import ConfigurationError
from checkstand.payments.model import Approved, Declined, Funds, SavedMethod
from checkstand.storage.database import Database
from tests.fakes import Letterbox, MovableClock, ScriptedGateway
from tests.makers import (
    BILLING,
    PASSWORD,
    PREVIEW,
    V2,
    Storefront,
    administrator,
    basic,
    product,
    running,
    shop_settings,
    shopper,
)

ME, MINE = f"{V2}/my-account", f"{PREVIEW}/my-account"
LOGIN, CHECKOUT = f"{V2}/login", f"{PREVIEW}/checkout"
JWT = "/wp-json/cocart/jwt"
ADMIN = "/wp-json/checkstand/v1/admin"


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def letters() -> Letterbox:
    return Letterbox()


@pytest.fixture
def card() -> ScriptedGateway:
    return ScriptedGateway()


@pytest.fixture
async def shop(
    empty_database: str,
    database: Database,
    clock: MovableClock,
    letters: Letterbox,
    card: ScriptedGateway,
) -> AsyncIterator[Storefront]:
    async with database.acquire() as connection:
        await product(connection, sku="TSHIRT-PREMIUM", slug="premium-t-shirt", stock=10)
    settings = shop_settings(empty_database)
    async with running(settings, clock=clock, carrier=letters, gateways={"card": card}) as client:
        yield client


def enrolment(**more: Any) -> dict[str, Any]:
    return {"create_account": True, "customer_password": PASSWORD, **more}


# --- passwords --------------------------------------------------------------------------------


async def test_no_fast_digest_of_a_password_is_stored(shop: Storefront, database: Database) -> None:
    """A SHA-256 over the request, kept beside the order that holds the rest of the request, would
    let a thief of the database guess the password millions of times a second."""
    guest = await shop.ready_to_order()
    key = {"Idempotency-Key": "order-of-ines-0001"}
    bodies = [enrolment(), enrolment(customer_password="Another-Row-9")]
    placed = await guest.process(key, **bodies[0])
    assert placed.status_code == 200, placed.text
    # The password is no part of what makes it the same request: a typing error is no other order.
    again = await guest.process(key, **bodies[1])
    assert again.json() == placed.json()
    async with database.acquire() as connection:
        kept = await connection.fetchval("SELECT fingerprint FROM idempotency_keys")
    assert kept
    # And anything else is.
    other = await guest.process(key, **enrolment(customer_note="Ring twice."))
    assert other.json()["code"] == "cocart_idempotency_mismatch"


def test_a_pem_is_no_secret_for_hs256() -> None:
    """It was accepted at start, and then every login was a fault."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    for text in (pem, f"  \n{pem}"):
        with pytest.raises(ConfigurationError, match=r"RS256.*algorithm"):
            load_key("HS256", text, signing=True)


def test_what_a_password_lacks_is_said_truthfully() -> None:
    """Who does what the message says has a password that is accepted."""
    (said,) = weaknesses("lowercase", least=8)
    assert "two more" in said
    (said,) = weaknesses("lowercase7", least=8)
    assert "one more" in said
    assert weaknesses("lowercase7-", least=8) == []


async def test_old_hashes_are_renewed(database: Database) -> None:
    """With other parameters than today's, an account would be told from nobody by the time that an
    answer takes, and stay weaker for ever."""
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1)
    async with database.transaction() as connection:
        person = account_store.Person("old@shop.example")
        hashed = weak.hash(PASSWORD)
        added = await account_store.add(
            connection, "old", person, hashed, account_store.Role.CUSTOMER
        )
    passwords = Passwords()
    assert passwords.outdated(hashed)
    assert not passwords.outdated(await passwords.hash(PASSWORD))
    assert not passwords.outdated("!")  # an erased account's
    assert added is not None


async def test_signing_in_renews_an_old_hash(shop: Storefront, database: Database) -> None:
    ines = await shopper(shop)
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1)
    async with database.transaction() as connection:
        await connection.execute("UPDATE accounts SET password_hash = $1", weak.hash(PASSWORD))
    shop.shop.forget_people()
    login = {"username": "ines", "password": PASSWORD}
    assert (await shop.http.post(LOGIN, json=login)).status_code == 200
    async with database.acquire() as connection:
        renewed = await connection.fetchval("SELECT password_hash FROM accounts")
    assert "m=65536" in renewed
    # Nobody was signed out by it, and the password is the same.
    assert (await ines.call("GET", ME)).status_code == 200
    shop.shop.forget_people()
    assert (await shop.http.post(LOGIN, json=login)).status_code == 200


async def test_a_new_accounts_password_is_not_its_email(shop: Storefront) -> None:
    guest = await shop.ready_to_order()  # the address came before
    refused = await guest.process(**enrolment(customer_password="INES@example.com"))
    assert refused.json()["code"] == "cocart_account_creation_failed"
    assert "e-mail" in refused.json()["message"]


async def test_the_current_password_cannot_be_guessed(empty_database: str) -> None:
    """A stolen token must not be enough to find the password that keeps its thief out."""
    settings = shop_settings(empty_database, rate_limits={"enabled": True})
    async with running(settings) as shop:
        ines = await shopper(shop)
        wrong = {
            "password_current": "guess",
            "password_1": "Other-Row-10",
            "password_2": "Other-Row-10",
        }
        person = {f"account_{part}": "x" for part in ("first_name", "last_name", "display_name")}
        person["account_email"] = "ines@example.com"
        answers = []
        for turn in range(14):
            path, body = (
                (ME, {**person, **wrong}) if turn % 2 else (f"{MINE}/change-password", wrong)
            )
            answers.append((await ines.call("POST", path, body)).status_code)
        assert answers[:10] == [400] * 10
        assert 429 in answers
        # Other changes are not held up by it.
        assert (await ines.call("POST", ME, person)).status_code == 200


async def test_guesses_of_the_current_password_are_in_the_log(
    shop: Storefront, database: Database
) -> None:
    ines = await shopper(shop)
    wrong = {
        "password_current": "guess",
        "password_1": "Other-Row-10",
        "password_2": "Other-Row-10",
    }
    assert (await ines.call("POST", f"{ME}/change-password", wrong)).status_code == 400
    await shop.shop.guards.journal.flush()
    async with database.acquire() as connection:
        found = await connection.fetchval(
            "SELECT count(*) FROM audit_log WHERE action = 'account.password_refused'"
            f" AND subject = 'account {ines.id}'"
        )
    assert found == 1


# --- signing in -------------------------------------------------------------------------------


async def test_empty_fields_beside_credentials_are_none(shop: Storefront) -> None:
    await shopper(shop)
    empty = {"username": "", "password": ""}
    for more in ({"json": empty}, {"params": empty}):
        answer = await shop.http.post(LOGIN, headers=basic("ines", PASSWORD), **more)
        assert answer.status_code == 200, answer.text
    assert (await shop.http.post(LOGIN, json=empty)).json()["code"] == "cocart_rest_not_authorized"
    half = await shop.http.post(LOGIN, json={"username": "ines", "password": ""})
    assert half.status_code == 401


async def test_a_phone_number_is_typed_as_one(shop: Storefront) -> None:
    """Else each spelling would be counted by itself, and guessing knew no limit."""
    ines = await shopper(shop)
    await ines.call("PATCH", f"{ME}/address", {"billing_address": {"phone": "+1 310 555 0142"}})
    for name, status in (
        ("+1 (310) 555-0142", 200),
        ("1.310.555.0142", 200),
        ("a13105550142", 401),
        ("1310555x0142", 401),
        ("1;3105550142", 401),
    ):
        answer = await shop.http.post(LOGIN, json={"username": name, "password": PASSWORD})
        assert answer.status_code == status, name


async def test_a_wrong_consumer_key_is_refused_everywhere(shop: Storefront) -> None:
    """A key that is sent must be valid, also where none is needed (DECISIONS 1)."""
    ines = await shopper(shop)
    wrong = {**shop.keys, "consumer_secret": "cs_wrong"}
    for path, body in (
        (LOGIN, {"username": "ines", "password": PASSWORD}),
        (f"{V2}/lost-password", {"username": "ines"}),
        (f"{V2}/reset-password", {"key": "x", "password": PASSWORD}),
        (f"{JWT}/refresh-token", {"refresh_token": ines.refresh}),
        (f"{JWT}/validate-token", None),
    ):
        answer = await shop.http.post(path, json=body, params=wrong, headers=ines.signed)
        assert (answer.status_code, answer.json()["code"]) == (
            401, "cocart_authentication_error",
        ), path  # fmt: skip
    verify = await shop.http.get(f"{ME}/verify-email", params={**wrong, "key": "x", "user_id": 1})
    assert verify.status_code == 401
    right = await shop.http.post(
        LOGIN, json={"username": "ines", "password": PASSWORD}, params=shop.keys
    )
    assert right.status_code == 200


async def test_a_reused_refresh_token_is_in_the_log(
    shop: Storefront, database: Database, clock: MovableClock
) -> None:
    ines = await shopper(shop)
    url, body = f"{JWT}/refresh-token", {"refresh_token": ines.refresh}
    await shop.http.post(url, json=body)
    clock.moved = timedelta(seconds=11)
    assert (await shop.http.post(url, json=body)).status_code == 403
    async with database.acquire() as connection:
        (row,) = await connection.fetch(
            "SELECT subject, detail FROM audit_log WHERE action = 'token.reused'"
        )
    assert row["subject"] == f"account {ines.id}"


# --- e-mail addresses -------------------------------------------------------------------------


async def test_two_accounts_cannot_take_one_address_at_once(database: Database) -> None:
    """Both saw it free: the second waited for the first, and then was a fault of ours."""
    ids = []
    async with database.transaction() as connection:
        for name in ("a", "b"):
            person = account_store.Person(f"{name}@shop.example")
            ids.append(
                await account_store.add(connection, name, person, "!", account_store.Role.CUSTOMER)
            )

    ready = asyncio.Event()

    async def first() -> bool:
        async with database.transaction() as connection:
            done = await account_store.set_email(connection, ids[0], "New@shop.example")
            ready.set()
            await asyncio.sleep(0.3)
        return done

    async def second() -> bool:
        await ready.wait()
        async with database.transaction() as connection:
            done = await account_store.set_email(connection, ids[1], "new@shop.example")
            # The transaction is of use still.
            assert await connection.fetchval("SELECT 1") == 1
        return done

    assert await asyncio.gather(first(), second()) == [True, False]


async def test_only_what_changed_goes_to_the_billing_address(shop: Storefront) -> None:
    ines = await shopper(shop)
    person = {
        "account_first_name": "Ines",
        "account_last_name": "Okafor",
        "account_display_name": "Ines",
        "account_email": "ines@example.com",
    }
    await ines.call("POST", ME, person)
    billing = {"first_name": "Accounts", "last_name": "Payable", "email": "bills@corp.example"}
    await ines.call("PATCH", f"{ME}/address", {"billing_address": billing})
    assert (
        await ines.call("POST", ME, {**person, "account_display_name": "I."})
    ).status_code == 200
    user = (await ines.call("GET", ME)).json()["user"]
    assert {part: user["addresses"]["billing"][part] for part in billing} == billing
    await ines.call("POST", ME, {**person, "account_last_name": "Obi"})
    user = (await ines.call("GET", ME)).json()["user"]
    seen = user["addresses"]["billing"]
    assert (seen["first_name"], seen["last_name"], seen["email"]) == (
        "Accounts", "Obi", "bills@corp.example",
    )  # fmt: skip


async def test_guessing_the_email_of_an_order_is_limited(empty_database: str) -> None:
    settings = shop_settings(
        empty_database,
        rate_limits={"enabled": True, "sign_in_failures": "5/minute", "other": "1000/minute"},
    )
    async with running(settings) as shop:
        path = f"{ME}/orders/1001"
        guesses = [
            (await shop.http.get(path, params={"email": f"{n}@x.example"})).status_code
            for n in range(7)
        ]
        assert guesses == [404] * 5 + [429] * 2


# --- accounts made at checkout ----------------------------------------------------------------


async def test_the_order_of_a_new_account_stays_its_own(
    shop: Storefront, card: ScriptedGateway
) -> None:
    """Declined, then paid by a client that does not ask for the account a second time."""
    card.script += [Declined("No."), Approved(Funds.CAPTURED, "ref")]
    guest = await shop.ready_to_order()
    declined = await guest.process(payment_method="card", **enrolment())
    assert declined.json()["code"] == "cocart_payment_failed"
    paid = await guest.process(payment_method="card")
    assert paid.status_code == 200, paid.text
    seen = await shop.http.get(ME, headers=basic("ines@example.com", PASSWORD))
    assert paid.json()["customer_id"] == seen.json()["user"]["id"]
    assert seen.json()["recent_order"]["order_id"] == paid.json()["order_id"]


async def test_but_not_that_of_another_address(shop: Storefront, card: ScriptedGateway) -> None:
    card.script += [Declined("No."), Approved(Funds.CAPTURED, "ref")]
    guest = await shop.ready_to_order()
    await guest.process(payment_method="card", **enrolment())
    other = {**BILLING, "email": "tom@example.com"}
    paid = await guest.process(payment_method="card", billing_address=other)
    assert paid.json()["customer_id"] == 0


@pytest.mark.parametrize("path", [CHECKOUT, f"{V2}/checkout"])
async def test_the_shop_makes_the_password(
    empty_database: str, database: Database, letters: Letterbox, path: str
) -> None:
    """`create_account` without a password, where the shop mails a link to choose it."""
    async with database.acquire() as connection:
        await product(connection)
    settings = shop_settings(empty_database, accounts={"generate_password": True})
    async with running(settings, carrier=letters) as shop:
        guest = await shop.ready_to_order()
        placed = await guest.call("POST", path, {"create_account": True})
        assert placed.status_code == 200, placed.text
        assert placed.json()["customer_id"] > 0
        letter = await letters.next("ines@example.com")
        key = letter.text.partition("?key=")[2].split()[0]
        body = {"key": key, "password": PASSWORD}
        assert (await shop.http.post(f"{V2}/reset-password", json=body)).status_code == 200
        login = {"username": "ines@example.com", "password": PASSWORD}
        assert (await shop.http.post(LOGIN, json=login)).status_code == 200
        # Sent again: the same order, and no second letter.
        assert (await guest.call("POST", path, {"create_account": True})).status_code == 200
        await asyncio.sleep(0.1)
        assert [each.subject for each in letters.letters if "was changed" not in each.subject] == []


async def test_the_checkout_says_what_accounts_are_made_of(empty_database: str) -> None:
    settings = shop_settings(
        empty_database,
        accounts={"generate_username": False, "generate_password": True, "registration": False},
    )
    for chosen, expected in (
        (settings, (False, False, True)),
        (shop_settings(empty_database), (True, True, False)),
    ):
        async with running(chosen) as shop:
            said = (await shop.http.get(f"{V2}/checkout/config")).json()["account"]
        assert expected == (
            said["allow_registration"],
            said["registration_generate_username"],
            said["registration_generate_password"],
        )


# --- what an owner sees of his orders ----------------------------------------------------------


async def test_refunded_items_are_said(
    shop: Storefront, card: ScriptedGateway, database: Database
) -> None:
    ines = await shopper(shop)
    await ines.call("POST", f"{V2}/cart/add-item", {"id": "1", "quantity": "3"})
    body = {"billing_address": BILLING, "payment_method": "card"}
    order_id = (await ines.call("POST", CHECKOUT, body)).json()["order_id"]
    path = f"{ME}/orders/{order_id}"
    line = (await ines.call("GET", path)).json()["items"][0]
    assert line["refunded_qty"] == "0"
    await administrator(shop.shop, "Admin-Row-88")
    refund = await shop.http.post(
        f"{ADMIN}/orders/{order_id}/refunds",
        json={"lines": [{"item_id": line["item_id"], "quantity": 2}]},
        headers=basic("admin", "Admin-Row-88"),
    )
    assert refund.status_code in (200, 201, 202), refund.text
    assert (await ines.call("GET", path)).json()["items"][0]["refunded_qty"] == "2"
    (entry,) = (await ines.call("GET", f"{ME}/orders")).json()["orders"]
    assert entry["item_count"] == 1


async def test_an_item_leads_to_its_product(shop: Storefront, database: Database) -> None:
    ines = await shopper(shop)
    order_id = (await ines.order())["order_id"]
    for base in (ME, MINE):
        (line,) = (await ines.call("GET", f"{base}/orders/{order_id}")).json()["items"]
        assert line["link"] == f"http://shop.test{V2}/products/1"
    async with database.transaction() as connection:
        await connection.execute(
            "UPDATE products SET status = 'trash' WHERE id = 1"
        ) if False else (await connection.execute("DELETE FROM products WHERE id = 1"))
    shop.shop.catalogue.forget()
    (line,) = (await ines.call("GET", f"{ME}/orders/{order_id}")).json()["items"]
    assert line["link"] == ""


async def test_an_order_that_waits_for_payment_says_where_to_pay(
    shop: Storefront, card: ScriptedGateway
) -> None:
    ines = await shopper(shop)
    card.script += [Declined("No."), Approved(Funds.CAPTURED, "ref")]
    await ines.call("POST", f"{V2}/cart/add-item", {"id": "1"})
    body = {"billing_address": BILLING, "payment_method": "card"}
    order_id = (await ines.call("POST", CHECKOUT, body)).json()["data"]["order_id"]
    order = (await ines.call("GET", f"{ME}/orders/{order_id}")).json()
    assert sorted(order["order_actions"]) == ["cancel", "pay"]
    pay = order["order_actions"]["pay"]["url"]
    assert pay == f"http://shop.test{V2}/order-received/{order_id}/pay"
    (entry,) = (await ines.call("GET", f"{ME}/orders")).json()["orders"]
    assert sorted(entry["order_actions"]) == ["cancel", "pay", "view"]
    older = (await ines.call("GET", f"{MINE}/orders/{order_id}")).json()
    assert sorted(older["order_actions"]) == ["cancel", "pay", "view"]
    # The action does what it says.
    path = pay.removeprefix("http://shop.test")
    paid = await ines.call(
        "POST", path, {"order_key": order["order_key"], "payment_method": "card"}
    )
    assert paid.status_code == 200, paid.text
    assert (await ines.call("GET", f"{ME}/orders/{order_id}")).json()["order_actions"] == []


async def test_reviews_of_my_own(shop: Storefront) -> None:
    ines = await shopper(shop)
    for base in (ME, MINE):
        nobody = await shop.http.get(f"{base}/reviews")
        assert (nobody.status_code, nobody.json()["code"]) == (
            403, "cocart_access_my_account_denied",
        )  # fmt: skip
    body = {"product_id": 1, "reviewer": "Ines", "reviewer_email": "ines@example.com",
            "review": "Soft.", "rating": 5}  # fmt: skip
    written = await ines.call("POST", f"{V2}/products/reviews", body)
    assert written.status_code == 201, written.text
    other = await shopper(shop, "tom@example.com")
    for base in (ME, MINE):
        mine = await ines.call("GET", f"{base}/reviews")
        assert [each["review"] for each in mine.json()] == [
            "<p>Soft.</p>"
        ]  # held for approval, and shown
        assert mine.headers["X-WP-Total"] == "1"
        assert (await other.call("GET", f"{base}/reviews")).json() == []


SUBSCRIPTIONS = [
    ("GET", "", 404, "cocart_account_no_subscriptions"),
    ("GET", "/7", 404, "cocart_subscription_does_not_exist"),
    *(
        ("POST", f"/7/{action}", 404, "cocart_subscription_does_not_exist")
        for action in ("suspend", "cancel", "reactivate", "resubscribe")
    ),
    ("DELETE", "/7/resubscribe", 404, "cocart_subscription_does_not_exist"),
    ("POST", "/7/auto-renew", 404, "cocart_subscription_does_not_exist"),
    ("POST", "/7/payment-method", 404, "cocart_subscription_does_not_exist"),
]


async def test_a_shop_without_subscriptions_says_so(shop: Storefront) -> None:
    """What a store without a subscription extension answers (v2-accounts 10, 11)."""
    ines = await shopper(shop)
    older = [("POST", f"/7/{word}", 404, "cocart_subscription_does_not_exist")
             for word in ("on-hold", "renew-enable", "renew-disable")]  # fmt: skip
    for base, table in ((ME, SUBSCRIPTIONS), (MINE, [*SUBSCRIPTIONS, *older])):
        for method, path, status, code in table:
            answer = await ines.call(method, f"{base}/subscriptions{path}", None)
            assert (answer.status_code, answer.json()["code"]) == (status, code), path
            nobody = await shop.http.request(method, f"{base}/subscriptions{path}")
            assert (nobody.status_code, nobody.json()["code"]) == (
                403, "cocart_access_my_account_denied",
            ), path  # fmt: skip
    guest = await shop.http.get(f"{ME}/subscriptions/7", params={"email": "ines@example.com"})
    assert guest.status_code == 404


SAVED = "/wp-json/checkstand/v1/my-account/payment-methods"


async def test_a_saved_card_can_be_forgotten(
    shop: Storefront, card: ScriptedGateway, database: Database
) -> None:
    ines, tom = await shopper(shop), await shopper(shop, "tom@example.com")
    saved = [SavedMethod(f"pm_{n}", f"Visa ending in {n}", "cc", "04/2031") for n in (1111, 2222)]
    for each in saved:
        card.script.append(Approved(Funds.CAPTURED, f"ref {each.token}", each))
        await ines.order(payment_method="card")
    listed = (await ines.call("GET", SAVED)).json()
    assert [(each["token"], each["is_default"]) for each in listed] == [
        ("Visa ending in 1111", True),
        ("Visa ending in 2222", False),
    ]
    assert (await tom.call("GET", SAVED)).json() == []
    path = f"{SAVED}/{listed[0]['id']}"
    assert (await shop.http.delete(path)).status_code == 403
    for who, odd in ((tom, path), (ines, f"{SAVED}/0"), (ines, f"{SAVED}/{2**70}")):
        refused = await who.call("DELETE", odd)
        assert (refused.status_code, refused.json()["code"]) == (
            404, "cocart_saved_method_not_found",
        )  # fmt: skip
    assert (await ines.call("DELETE", path)).json() == {"deleted": True}
    assert (await ines.call("DELETE", path)).status_code == 404
    (left,) = (await ines.call("GET", SAVED)).json()
    assert (left["token"], left["is_default"]) == ("Visa ending in 2222", True)
    await ines.call("POST", f"{V2}/cart/add-item", {"id": "1"})
    gone = {"payment_method": "card", "payment_data": {"token_id": listed[0]["id"]}}
    refused = await ines.call("POST", CHECKOUT, gone)
    assert refused.json()["code"] == "cocart_payment_token_unknown"


# --- orders of before the account ---------------------------------------------------------------


async def link_key(letters: Letterbox, to: str = "ines@example.com") -> str:
    return (await letters.next(to)).text.partition("key=")[2].partition("&")[0].split()[0]


async def test_orders_of_a_guest_become_those_of_who_proves_the_address(
    shop: Storefront, letters: Letterbox
) -> None:
    guest = await shop.ready_to_order()
    order_id = (await guest.process()).json()["order_id"]
    ines = await shopper(shop)
    assert (await ines.call("GET", f"{ME}/orders")).status_code == 404
    assert (await ines.call("GET", ME)).json()["extensions"] == {
        "email_verification": {"verified": False}
    }
    path = f"{ME}/verify-order-email"
    sent = await ines.call("POST", path)
    assert (sent.status_code, sent.json()) == (200, {"success": True, "status": "sent"})
    throttled = await ines.call("POST", f"{MINE}/verify-order-email")
    assert throttled.json() == {"success": True, "status": "throttled"}
    key = await link_key(letters)
    query: dict[str, Any] = {"key": key, "user_id": ines.id}
    # Only for who is signed in as that account; the key is not used up by others.
    tom = await shopper(shop, "tom@example.com")
    assert (await shop.http.get(path, params=query)).status_code == 403
    assert (await tom.call("GET", path, **query)).status_code == 403
    foreign = await tom.call("GET", path, key=key, user_id=tom.id)
    assert (foreign.status_code, foreign.json()["code"]) == (400, "cocart_invalid_or_expired_key")
    done = await ines.call("GET", path, **query)
    assert (done.status_code, done.json()) == (
        200, {"success": True, "email": "ines@example.com"},
    )  # fmt: skip
    listed = (await ines.call("GET", f"{ME}/orders")).json()["orders"]
    assert [each["order_id"] for each in listed] == [order_id]
    assert (await ines.call("GET", ME)).json()["extensions"] == {
        "email_verification": {"verified": True}
    }
    again = await ines.call("GET", path, **query)
    assert again.json()["code"] == "cocart_invalid_or_expired_key"
    proven = await ines.call("POST", path)
    assert (proven.status_code, proven.json()["code"]) == (400, "cocart_email_already_verified")
    # Signed in as before: nothing of the account changed.
    assert (await tom.call("GET", f"{ME}/orders")).status_code == 404


async def test_nobody_takes_the_orders_of_an_account(shop: Storefront, letters: Letterbox) -> None:
    """An order that belongs to an account stays there, whatever address it is billed to."""
    tom = await shopper(shop, "tom@example.com")
    placed = await tom.order()  # billed to ines@example.com
    ines = await shopper(shop)
    await ines.call("POST", f"{ME}/verify-order-email")
    await ines.call("GET", f"{ME}/verify-order-email", key=await link_key(letters), user_id=ines.id)
    assert (await ines.call("GET", f"{ME}/orders")).status_code == 404
    (entry,) = (await tom.call("GET", f"{ME}/orders")).json()["orders"]
    assert entry["order_id"] == placed["order_id"]


async def test_another_address_has_to_be_proven_anew(
    empty_database: str, letters: Letterbox, clock: MovableClock
) -> None:
    settings = shop_settings(empty_database, accounts={"verify_email": False})
    async with running(settings, carrier=letters, clock=clock) as shop:
        ines = await shopper(shop)
        await ines.call("POST", f"{ME}/verify-order-email")
        key = await link_key(letters)
        person = {f"account_{part}": "x" for part in ("first_name", "last_name", "display_name")}
        await ines.call("POST", ME, {**person, "account_email": "other@example.com"})
        signed = basic("ines", PASSWORD)
        stale = await shop.http.get(
            f"{ME}/verify-order-email", params={"key": key, "user_id": ines.id}, headers=signed
        )
        assert stale.json()["code"] == "cocart_invalid_or_expired_key"
        seen = await shop.http.get(ME, headers=signed)
        assert seen.json()["extensions"]["email_verification"] == {"verified": False}
        clock.moved = timedelta(seconds=61)
        sent = await shop.http.post(f"{ME}/verify-order-email", headers=signed)
        assert sent.json()["status"] == "sent"
        assert await link_key(letters, "other@example.com")


async def test_a_confirmed_new_address_is_proven(shop: Storefront, letters: Letterbox) -> None:
    guest = await shop.ready_to_order()
    bills = {**BILLING, "email": "other@example.com"}
    order_id = (await guest.process(billing_address=bills)).json()["order_id"]
    ines = await shopper(shop)
    person = {f"account_{part}": "x" for part in ("first_name", "last_name", "display_name")}
    await ines.call("POST", ME, {**person, "account_email": "other@example.com"})
    key = await link_key(letters, "other@example.com")
    done = await shop.http.get(f"{ME}/verify-email", params={"key": key, "user_id": ines.id})
    assert done.status_code == 200
    signed = basic("ines", PASSWORD)
    seen = (await shop.http.get(ME, headers=signed)).json()
    assert seen["extensions"]["email_verification"] == {"verified": True}
    assert seen["recent_order"]["order_id"] == order_id
