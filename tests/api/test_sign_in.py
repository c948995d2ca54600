"""Registering, signing in and out, tokens (contract accounts.md 1-3, 8; v2-accounts.md 2-4, 14)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from checkstand.access.principal import Role
from checkstand.storage.database import Database
from tests.fakes import Letterbox, MovableClock
from tests.makers import (
    PASSWORD,
    PREVIEW,
    V2,
    Storefront,
    administrator,
    basic,
    bearer,
    execute,
    fewest,
    product,
    running,
    shop_settings,
    shopper,
)

JWT = "/wp-json/cocart/jwt"
LOGIN, ME = f"{V2}/login", f"{V2}/my-account"


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def letters() -> Letterbox:
    return Letterbox()


@pytest.fixture
async def storefront(
    empty_database: str, database: Database, clock: MovableClock, letters: Letterbox
) -> AsyncIterator[Storefront]:
    async with database.acquire() as connection:
        await product(connection, sku="TSHIRT-PREMIUM", slug="premium-t-shirt")
    async with running(shop_settings(empty_database), clock=clock, carrier=letters) as client:
        yield client


def claims(token: str) -> Any:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


# --- registering ------------------------------------------------------------------------------


async def test_register(storefront: Storefront) -> None:
    for namespace, email in ((V2, "a@shop.example"), (PREVIEW, "b@shop.example")):
        body = {"email": email, "requested_password": PASSWORD}
        made = await storefront.http.post(f"{namespace}/register", json=body)
        assert made.status_code == 200, made.text
        answer = made.json()
        assert set(answer) == {"user_id", "username", "message"}
        assert answer["username"] == email[0]


async def test_registrations_that_are_refused(storefront: Storefront) -> None:
    await shopper(storefront)
    table: list[tuple[dict[str, Any], int, str]] = [
        ({"requested_password": PASSWORD}, 400, "rest_missing_callback_param"),
        ({"email": "ines", "requested_password": PASSWORD}, 404,
         "cocart_registration_invalid_email"),
        ({"email": "INES@example.com", "requested_password": PASSWORD}, 405,
         "cocart_registration_error_email_exists"),
        ({"email": "x@shop.example", "requested_username": "Ines", "requested_password": PASSWORD},
         405, "cocart_registration_error_username_exists"),
        ({"email": "x@shop.example", "requested_username": "Root", "requested_password": PASSWORD},
         400, "cocart_registration_error_reserved_username"),
        ({"email": "x@shop.example"}, 404, "registration-error-missing-password"),
        ({"email": "x@shop.example", "requested_password": "password1"}, 400,
         "cocart_registration_error_weak_password"),
        # Names that could be another way to sign in to somebody else's account.
        *(
            ({"email": "x@shop.example", "requested_username": name,
              "requested_password": PASSWORD}, 404, "cocart_registration_error_invalid_username")
            for name in ("ines@example.com", "13105550142", "ck_abc", "a b", "x" * 61, "<i>")
        ),
    ]  # fmt: skip
    for body, status, code in table:
        answer = await storefront.http.post(f"{V2}/register", json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), body
    weak = await storefront.http.post(
        f"{V2}/register", json={"email": "x@shop.example", "requested_password": "short"}
    )
    assert "at least 8 characters" in weak.json()["message"]
    assert "mixture" in weak.json()["message"]


async def test_registration_can_be_closed(empty_database: str) -> None:
    settings = shop_settings(empty_database, accounts={"registration": False})
    async with running(settings) as client:
        body = {"email": "x@shop.example", "requested_password": PASSWORD}
        answer = await client.http.post(f"{V2}/register", json=body)
        assert answer.json()["code"] == "cocart_registration_error_failed_creation"


async def test_two_at_once_register_one_account(storefront: Storefront) -> None:
    body = {"email": "x@shop.example", "requested_password": PASSWORD}
    answers = await asyncio.gather(
        *(storefront.http.post(f"{V2}/register", json=body) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 405, 405, 405]


async def test_a_password_may_be_chosen_by_a_mailed_link(
    empty_database: str, letters: Letterbox
) -> None:
    settings = shop_settings(empty_database, accounts={"generate_password": True})
    async with running(settings, carrier=letters) as client:
        made = await client.http.post(f"{V2}/register", json={"email": "x@shop.example"})
        assert made.status_code == 200
        key = (await letters.next("x@shop.example")).text.partition("?key=")[2].split()[0]
        reset = await client.http.post(
            f"{V2}/reset-password", json={"key": key, "password": PASSWORD}
        )
        assert reset.status_code == 200, reset.text
        login = await client.http.post(
            LOGIN, json={"username": "x@shop.example", "password": PASSWORD}
        )
        assert login.status_code == 200


# --- signing in -------------------------------------------------------------------------------


async def test_login_by_name_email_or_phone(storefront: Storefront) -> None:
    ines = await shopper(storefront)
    address = {"billing_address": {"phone": "+1 (310) 555-0142", "country": "US"}}
    assert (await ines.call("PATCH", f"{ME}/address", address)).status_code == 200
    for name in ("ines", "INES", "ines@example.com", "Ines@Example.com", "+13105550142",
                 "1 310 555 0142"):  # fmt: skip
        by_body = await storefront.http.post(LOGIN, json={"username": name, "password": PASSWORD})
        by_header = await storefront.http.post(LOGIN, headers=basic(name, PASSWORD))
        by_query = await storefront.http.post(
            LOGIN, params={"username": name, "password": PASSWORD}
        )
        for answer in (by_body, by_header, by_query):
            assert answer.status_code == 200, (name, answer.text)
            assert answer.json()["user_id"] == str(ines.id)
        # And on every other route.
        seen = await storefront.http.get(ME, headers=basic(name, PASSWORD))
        assert seen.json()["user"]["id"] == ines.id
    by_query = await storefront.http.get(ME, params={"username": "ines", "password": PASSWORD})
    assert by_query.status_code == 200


async def test_what_a_login_answers(storefront: Storefront) -> None:
    ines = await shopper(storefront)
    answer = (
        await storefront.http.post(LOGIN, json={"username": "ines", "password": PASSWORD})
    ).json()
    extras = answer.pop("extras")
    assert answer.pop("dev_note")
    assert answer == {
        "user_id": str(ines.id),
        "first_name": "",
        "last_name": "",
        "display_name": "ines",
        "role": "Customer",
        "avatar_urls": [],
        "email": "ines@example.com",
    }
    assert set(extras) == {"jwt_token", "jwt_refresh"}
    assert len(extras["jwt_refresh"]) == 128
    said = claims(extras["jwt_token"])
    assert said["iss"] == "http://shop.test"
    assert said["exp"] - said["iat"] == 10 * 24 * 3600
    user = said["data"]["user"]
    assert (user["id"], user["username"]) == (ines.id, "ines")
    assert user["pat"].startswith("pat_")
    assert len(user["pat"]) == 28


async def test_logins_that_are_refused(storefront: Storefront) -> None:
    await shopper(storefront)
    table: list[tuple[Any, dict[str, str], int, str]] = [
        (None, {}, 401, "cocart_rest_not_authorized"),
        ({}, {}, 401, "cocart_rest_not_authorized"),
        ({"username": "ines"}, {}, 401, "cocart_authentication_error"),
        ({"username": "ines", "password": ""}, {}, 401, "cocart_authentication_error"),
        ({"username": "ines", "password": "wrong"}, {}, 401, "cocart_authentication_error"),
        ({"username": "nobody", "password": PASSWORD}, {}, 401, "cocart_authentication_error"),
        ({"username": "\ud7ff", "password": PASSWORD}, {}, 401, "cocart_authentication_error"),
        (None, basic("ines", "wrong"), 401, "cocart_authentication_error"),
        (None, bearer("a.b.c"), 403, "cocart_authentication_error"),
        (
            None,
            basic(*storefront.keys.values()),
            401,
            "cocart_rest_not_authorized",
        ),
    ]
    for body, headers, status, code in table:
        answer = await storefront.http.post(LOGIN, json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code), (body, headers)
    # A stale token beside other credentials does not matter (contract accounts.md 8.3).
    body = {"username": "ines", "password": PASSWORD}
    assert (
        await storefront.http.post(LOGIN, json=body, headers=bearer("a.b.c"))
    ).status_code == 200


async def test_known_and_unknown_names_cost_the_same(storefront: Storefront) -> None:
    """The same number of statements and of password checks, so that the time says nothing."""
    await shopper(storefront)
    costs = []
    for name in ("ines", "nobody", "ines@example.com", "nobody@example.com", "13105550142"):
        body = {"username": name, "password": "wrong"}
        storefront.statements.clear()
        answer = await storefront.http.post(LOGIN, json=body)
        assert answer.status_code == 401
        # What was noted before is written in the background, meanwhile or not.
        asked = tuple(text for text in storefront.statements if "accounts" in text)
        costs.append((asked, answer.json()["message"]))
    assert len(set(costs)) == 1
    assert len(costs[0][0]) == 1


async def test_a_shared_phone_is_nobodys(storefront: Storefront) -> None:
    address = {"billing_address": {"phone": "+13105550142"}}
    for email in ("a@shop.example", "b@shop.example"):
        somebody = await shopper(storefront, email)
        await somebody.call("PATCH", f"{ME}/address", address)
    body = {"username": "+13105550142", "password": PASSWORD}
    assert (await storefront.http.post(LOGIN, json=body)).status_code == 401


async def test_without_a_secret_there_are_no_tokens(empty_database: str) -> None:
    async with running(shop_settings(empty_database, jwt={"secret": ""})) as client:
        body = {"email": "x@shop.example", "requested_password": PASSWORD}
        await client.http.post(f"{V2}/register", json=body)
        login = await client.http.post(LOGIN, json={"username": "x", "password": PASSWORD})
        assert login.json()["extras"] == []
        for route in ("refresh-token", "validate-token"):
            answer = await client.http.post(f"{JWT}/{route}", json={"refresh_token": "x"})
            assert answer.status_code == 403
            assert answer.json()["code"] == "cocart_jwt_auth_bad_config"


# --- tokens -----------------------------------------------------------------------------------


async def test_a_token_signs_in_and_logout_ends_it(storefront: Storefront) -> None:
    ines = await shopper(storefront)
    assert (await ines.call("GET", ME)).json()["user"]["id"] == ines.id
    valid = await ines.call("POST", f"{JWT}/validate-token")
    assert valid.json() == {"message": "Token is valid."}
    out = await ines.call("POST", f"{V2}/logout")
    assert (out.status_code, out.json()) == (200, True)
    for method, path in (("GET", ME), ("GET", f"{V2}/cart"), ("POST", f"{V2}/logout")):
        again = await ines.call(method, path)
        assert (again.status_code, again.json()["code"]) == (403, "cocart_authentication_error")
    refreshed = await storefront.http.post(
        f"{JWT}/refresh-token", json={"refresh_token": ines.refresh}
    )
    assert refreshed.status_code == 403
    # Nobody signed in: fine too.
    assert (await storefront.http.post(f"{V2}/logout")).json() is True


async def test_login_with_a_token_answers_with_it(storefront: Storefront) -> None:
    ines = await shopper(storefront)
    again = await storefront.http.post(LOGIN, headers=ines.signed)
    assert again.json()["extras"] == {"jwt_token": ines.token}


async def test_validate(storefront: Storefront) -> None:
    none = await storefront.http.post(f"{JWT}/validate-token")
    assert (none.status_code, none.json()["code"]) == (401, "rest_forbidden")
    bad = await storefront.http.post(f"{JWT}/validate-token", headers=bearer("a.b.c"))
    assert (bad.status_code, bad.json()["code"]) == (401, "cocart_authentication_error")


async def test_refreshing_replaces_both(storefront: Storefront) -> None:
    ines = await shopper(storefront)
    # Clients send the token that has expired beside it (contract accounts.md 8.3).
    answer = await storefront.http.post(
        f"{JWT}/refresh-token", json={"refresh_token": ines.refresh}, headers=bearer("a.b.c")
    )
    assert answer.status_code == 200, answer.text
    pair = answer.json()
    assert set(pair) == {"token", "refresh_token"}
    assert (await ines.call("GET", ME)).status_code == 403
    assert (await storefront.http.get(ME, headers=bearer(pair["token"]))).status_code == 200


async def test_a_refresh_token_that_is_used_twice_ends_everything(
    storefront: Storefront, clock: MovableClock
) -> None:
    """Somebody copied it: neither the thief nor the owner stays signed in by that sign-in."""
    ines = await shopper(storefront)
    other = await storefront.http.post(LOGIN, headers=basic("ines", PASSWORD))
    elsewhere = bearer(other.json()["extras"]["jwt_token"])
    url = f"{JWT}/refresh-token"
    stolen = (await storefront.http.post(url, json={"refresh_token": ines.refresh})).json()
    assert (await storefront.http.get(ME, headers=bearer(stolen["token"]))).status_code == 200
    clock.moved = timedelta(seconds=11)
    reused = await storefront.http.post(url, json={"refresh_token": ines.refresh})
    assert (reused.status_code, reused.json()["code"]) == (403, "cocart_authentication_error")
    assert (await storefront.http.get(ME, headers=bearer(stolen["token"]))).status_code == 403
    chained = await storefront.http.post(url, json={"refresh_token": stolen["refresh_token"]})
    assert chained.status_code == 403
    # Another sign-in of the same account is not concerned.
    assert (await storefront.http.get(ME, headers=elsewhere)).status_code == 200


async def test_refreshing_at_the_same_time_gives_one_pair(storefront: Storefront) -> None:
    ines = await shopper(storefront)
    url, body = f"{JWT}/refresh-token", {"refresh_token": ines.refresh}
    answers = await asyncio.gather(*(storefront.http.post(url, json=body) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 403, 403, 403, 403]
    # A client that asked several times at once is no thief: the one pair works.
    (good,) = (answer.json() for answer in answers if answer.status_code == 200)
    assert (await storefront.http.get(ME, headers=bearer(good["token"]))).status_code == 200
    again = await storefront.http.post(url, json={"refresh_token": good["refresh_token"]})
    assert again.status_code == 200


async def test_refresh_tokens_that_are_refused(storefront: Storefront, clock: MovableClock) -> None:
    ines = await shopper(storefront)
    url = f"{JWT}/refresh-token"
    for body, code in (
        (None, "cocart_jwt_auth_missing_refresh_token"),
        ({}, "cocart_jwt_auth_missing_refresh_token"),
        ({"refresh_token": ""}, "cocart_jwt_auth_missing_refresh_token"),
        ({"refresh_token": "0" * 128}, "cocart_authentication_error"),
        ({"refresh_token": ines.token}, "cocart_authentication_error"),
    ):
        answer = await storefront.http.post(url, json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, code), body
    clock.moved = timedelta(days=30, seconds=1)
    late = await storefront.http.post(url, json={"refresh_token": ines.refresh})
    assert late.status_code == 403


async def test_tokens_expire(storefront: Storefront, clock: MovableClock) -> None:
    ines = await shopper(storefront)
    clock.moved = timedelta(days=9, hours=23)
    assert (await ines.call("GET", ME)).status_code == 200
    clock.moved = timedelta(days=10, seconds=11)  # also while it is remembered
    assert (await ines.call("GET", ME)).status_code == 403
    # The refresh token lives longer.
    answer = await storefront.http.post(
        f"{JWT}/refresh-token", json={"refresh_token": ines.refresh}
    )
    assert answer.status_code == 200


async def test_the_sixth_token_ends_the_first(storefront: Storefront, clock: MovableClock) -> None:
    ines = await shopper(storefront)
    tokens = [ines.token]
    for count in range(1, 6):
        clock.moved = timedelta(seconds=count)
        login = await storefront.http.post(LOGIN, headers=basic("ines", PASSWORD))
        tokens.append(login.json()["extras"]["jwt_token"])
    states = [
        (await storefront.http.get(ME, headers=bearer(token))).status_code for token in tokens
    ]
    assert states == [403, 200, 200, 200, 200, 200]


async def test_tokens_are_bound(empty_database: str) -> None:
    async with running(shop_settings(empty_database)) as client:
        ines = await shopper(client)
        other = await ines.call("GET", ME, headers={"User-Agent": "curl/8"})
        assert (other.status_code, other.json()["code"]) == (403, "cocart_authentication_error")
        # Only if one is sent.
        none = await ines.call("GET", ME, headers={"User-Agent": ""})
        assert none.status_code == 200
    async with running(shop_settings(empty_database, jwt={"bind_device": False})) as client:
        relaxed = await client.http.post(LOGIN, headers=basic("ines", PASSWORD))
        token = relaxed.json()["extras"]["jwt_token"]
        seen = await client.http.get(ME, headers={**bearer(token), "User-Agent": "curl/8"})
        assert seen.status_code == 200


async def test_tokens_are_bound_to_the_address(empty_database: str) -> None:
    from checkstand.access.principal import Account
    from checkstand.access.tokens import Origin
    from checkstand.errors import TokenRefused

    async with running(shop_settings(empty_database)) as client:
        ines = await shopper(client)
        account = Account(ines.id, "ines", Role.CUSTOMER)
        pair = await client.shop.sessions.begin(account, Origin("192.0.2.1", "a"))
        await client.shop.sessions.verify(pair.token, Origin("192.0.2.1", "a"))
        for _ in range(2):  # remembered or not
            with pytest.raises(TokenRefused):
                await client.shop.sessions.verify(pair.token, Origin("192.0.2.2", "a"))


async def test_a_token_costs_no_statement(storefront: Storefront) -> None:
    ines = await shopper(storefront)
    await ines.call("POST", f"{V2}/cart/add-item", {"id": "1"})
    for method, path in (("GET", f"{V2}/cart"), ("GET", f"{PREVIEW}/checkout")):
        assert (await ines.call(method, path)).status_code == 200
        ask = lambda method=method, path=path: ines.call(method, path)  # noqa: E731
        assert await fewest(storefront, ask) == 1


async def test_another_server_hears_of_a_new_role(
    storefront: Storefront, empty_database: str
) -> None:
    """An operator changes the role in the database: the notice ends the account's tokens."""
    ines = await shopper(storefront)
    assert (await ines.call("GET", ME)).status_code == 200
    await execute(
        empty_database,
        "UPDATE accounts SET role = 'shop_manager', generation = generation + 1",
    )
    for _ in range(200):
        if (await ines.call("GET", ME)).status_code == 403:
            break
        await asyncio.sleep(0.01)
    else:
        pytest.fail("the token still works")


async def test_secrets_are_stored_as_hashes(storefront: Storefront, database: Database) -> None:
    ines = await shopper(storefront)
    async with database.acquire() as connection:
        tables = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
        everything = ""
        for (table,) in tables:
            rows = await connection.fetch(f"SELECT t::text FROM {table} t")
            everything += "\n".join(row[0] for row in rows)
    assert ines.refresh not in everything
    assert hashlib.sha256(ines.refresh.encode()).hexdigest() in everything
    assert PASSWORD not in everything
    assert ines.token not in everything
    assert "$argon2id$" in everything


# --- lost passwords ---------------------------------------------------------------------------


async def ask_for_key(storefront: Storefront, letters: Letterbox, name: str = "ines") -> str:
    asked = await storefront.http.post(f"{V2}/lost-password", json={"username": name})
    assert asked.status_code == 200
    letter = await letters.next("ines@example.com")
    assert "/my-account/reset-password/?key=" in letter.text
    return letter.text.partition("?key=")[2].split()[0]


async def test_a_lost_password(storefront: Storefront, letters: Letterbox) -> None:
    ines = await shopper(storefront)
    key = await ask_for_key(storefront, letters)
    new = "Another-Row-9"
    weak = await storefront.http.post(
        f"{V2}/reset-password", json={"key": key, "password": "password"}
    )
    assert weak.json()["code"] == "cocart_account_weak_password"
    body = {"key": key, "password": new}
    assert (await storefront.http.post(f"{V2}/reset-password", json=body)).status_code == 200
    # Everybody is signed out, and told so.
    assert (await ines.call("GET", ME)).status_code == 403
    refreshed = await storefront.http.post(
        f"{JWT}/refresh-token", json={"refresh_token": ines.refresh}
    )
    assert refreshed.status_code == 403
    assert "was changed" in (await letters.next("ines@example.com")).text
    old = await storefront.http.post(LOGIN, headers=basic("ines", PASSWORD))
    assert old.status_code == 401
    assert (await storefront.http.post(LOGIN, headers=basic("ines", new))).status_code == 200
    # The link works once.
    again = await storefront.http.post(f"{V2}/reset-password", json=body)
    assert (again.status_code, again.json()["code"]) == (400, "cocart_invalid_or_expired_key")


async def test_links_end(storefront: Storefront, letters: Letterbox, clock: MovableClock) -> None:
    ines = await shopper(storefront)
    first = await ask_for_key(storefront, letters)
    clock.moved = timedelta(minutes=2)
    second = await ask_for_key(storefront, letters, "INES@example.com")
    clock.moved = timedelta(minutes=4)
    third = await ask_for_key(storefront, letters)
    url = f"{V2}/reset-password"
    for key in (first, second, "x", "0" * 43):  # newer ones make older ones void
        answer = await storefront.http.post(url, json={"key": key, "password": "Another-Row-9"})
        assert answer.json()["code"] == "cocart_invalid_or_expired_key"
    clock.moved = timedelta(days=1, minutes=5)
    late = await storefront.http.post(url, json={"key": third, "password": "Another-Row-9"})
    assert late.json()["code"] == "cocart_invalid_or_expired_key"
    # A password that was changed otherwise makes them void too.
    fourth = await ask_for_key(storefront, letters)
    change = {
        "password_current": PASSWORD,
        "password_1": "Third-Row-10",
        "password_2": "Third-Row-10",
    }
    assert (await ines.call("POST", f"{ME}/change-password", change)).status_code == 200
    void = await storefront.http.post(url, json={"key": fourth, "password": "Another-Row-9"})
    assert void.json()["code"] == "cocart_invalid_or_expired_key"


async def test_nobody_learns_who_has_an_account(storefront: Storefront, letters: Letterbox) -> None:
    await shopper(storefront)
    answers = []
    for name in ("ines", "nobody", "nobody@shop.example"):
        answer = await storefront.http.post(f"{V2}/lost-password", json={"username": name})
        answers.append((answer.status_code, answer.content))
    assert len(set(answers)) == 1
    await letters.next("ines@example.com")
    await asyncio.sleep(0.1)
    assert letters.letters == []
    # At most one letter a minute.
    await storefront.http.post(f"{V2}/lost-password", json={"username": "ines"})
    await asyncio.sleep(0.1)
    assert letters.letters == []


async def test_a_shop_without_mail_says_so(empty_database: str) -> None:
    async with running(shop_settings(empty_database, mail={"backend": "none"})) as client:
        answer = await client.http.post(f"{V2}/lost-password", json={"username": "x"})
        assert (answer.status_code, answer.json()["code"]) == (400, "cocart_mail_not_offered")


# --- roles ------------------------------------------------------------------------------------


async def test_capabilities(storefront: Storefront) -> None:
    from checkstand.access.principal import Account, Caller, Capability
    from checkstand.errors import AdministratorOnly

    allowed = {
        role: {
            capability.value for capability in Capability if Account(1, "x", role).may(capability)
        }
        for role in Role
    }
    assert allowed == {
        Role.CUSTOMER: set(),
        Role.SHOP_MANAGER: {"manage_store"},
        Role.ADMINISTRATOR: {"manage_store", "manage_options"},
    }
    for caller in (Caller(), Caller(account=Account(1, "x", Role.CUSTOMER))):
        with pytest.raises(AdministratorOnly):
            caller.must_manage()
    await administrator(storefront.shop, "correct horse")
    login = await storefront.http.post(LOGIN, headers=basic("admin", "correct horse"))
    assert login.json()["role"] == "Administrator"
