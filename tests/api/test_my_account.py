"""My account (contract accounts.md 4, v2-accounts.md 5-9, 13), and accounts made at checkout."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from checkstand.payments.model import Approved, Declined, Funds
from checkstand.storage.database import Database
from tests.fakes import Letterbox, MovableClock, ScriptedGateway, never
from tests.makers import (
    BILLING,
    PASSWORD,
    PREVIEW,
    V2,
    Storefront,
    basic,
    product,
    running,
    shop_settings,
    shopper,
    sql_count,
)

ME, MINE = f"{V2}/my-account", f"{PREVIEW}/my-account"
CHECKOUT = f"{PREVIEW}/checkout"


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
async def storefront(
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


# --- the account ------------------------------------------------------------------------------


async def test_a_new_account(storefront: Storefront) -> None:
    ines = await shopper(storefront)
    seen = (await ines.call("GET", ME)).json()
    user = seen["user"]
    assert user.pop("date_registered").endswith("Z")
    empty = dict.fromkeys(BILLING, "") | {"company": "", "address_2": ""}
    shipping = {key: "" for key in empty if key not in ("phone", "email")}
    assert user == {
        "id": ines.id,
        "email": "ines@example.com",
        "first_name": "",
        "last_name": "",
        "display_name": "ines",
        "addresses": {"billing": empty, "shipping": shipping},
        "orders_count": 0,
        "total_spent": "$0.00",
        "is_paying_customer": False,
        "avatar_url": "",
    }
    assert seen["recent_order"] == {"order_id": None, "order_date": None, "order_data": ""}
    assert seen["meta"] == {"is_customer_outside_base": False, "is_vat_exempt": False}
    old = (await ines.call("GET", MINE)).json()
    assert not old["user"]["date_registered"].endswith("Z")
    assert old["recent_order"]["order_data"] is None


async def test_what_was_ordered(storefront: Storefront) -> None:
    ines = await shopper(storefront)
    first = await ines.order(payment_method="card")
    second = await ines.order(payment_method="bacs", currency="EUR")
    third = await ines.order(payment_method="card", currency="EUR")
    seen = (await ines.call("GET", ME)).json()
    assert seen["user"]["orders_count"] == 3
    assert seen["user"]["is_paying_customer"] is True
    # Paid: 19.99 + 5.00 and tax, once in dollars and once in euros, told in dollars.
    orders = (await ines.call("GET", f"{ME}/orders")).json()["orders"]
    totals = {each["order_id"]: each["order_total"] for each in orders}
    dollars = float(totals[first["order_id"]].removeprefix("$"))
    euros = float(totals[third["order_id"]].removeprefix("€"))
    assert seen["user"]["total_spent"] == f"${dollars + round(euros / 0.85, 2):.2f}"
    assert seen["recent_order"]["order_id"] == third["order_id"]
    assert seen["recent_order"]["order_data"].endswith(f"/my-account/orders/{third['order_id']}")
    assert [each["order_id"] for each in orders] == [
        each["order_id"] for each in (third, second, first)
    ]


async def test_pages_of_orders(storefront: Storefront) -> None:
    ines = await shopper(storefront)
    for path, status in ((f"{ME}/orders", 404), (f"{MINE}/orders", 404)):
        none = await ines.call("GET", path)
        assert (none.status_code, none.json()["code"]) == (status, "cocart_account_no_orders")
    ids = [(await ines.order())["order_id"] for _ in range(3)]
    page = (await ines.call("GET", f"{ME}/orders", per_page=2)).json()
    assert [each["order_id"] for each in page["orders"]] == [ids[2], ids[1]]
    assert page["pagination"] == {
        "next": f"http://shop.test{ME}/orders?page=2&per_page=2",
    }
    entry = page["orders"][0]
    assert entry["order_status"] == "On hold"
    assert entry["item_count"] == 1
    assert entry["order_actions"]["view"]["label"] == entry["order_actions"]["view"]["name"]
    last = (await ines.call("GET", f"{MINE}/orders", per_page=2, page=2)).json()
    assert [each["order_id"] for each in last["orders"]] == [ids[0]]
    assert last["pagination"] == {
        "previous": f"http://shop.test{MINE}/orders?page=1&per_page=2",
        "next": None,
    }
    ascending = (await ines.call("GET", f"{ME}/orders", order="asc")).json()
    assert [each["order_id"] for each in ascending["orders"]] == ids
    assert ascending["pagination"] == []
    for bounds in ({"page": 0, "per_page": 0}, {"page": -5, "per_page": 999}):
        assert (await ines.call("GET", f"{ME}/orders", **bounds)).status_code == 200
    assert (await ines.call("GET", f"{ME}/orders", order="sideways")).status_code == 400
    beyond = (await ines.call("GET", f"{ME}/orders", page=50)).json()
    assert beyond["orders"] == []


async def test_one_order(storefront: Storefront) -> None:
    ines = await shopper(storefront)
    placed = await ines.order(customer_note="Ring twice.")
    order = (await ines.call("GET", f"{ME}/orders/{placed['order_id']}")).json()
    assert order["order_key"] == placed["order_key"]
    assert order["order_note"] == "Ring twice."
    assert order["billing_address"] == (
        "Ines Okafor, 8 Quarry Row, Dunmore, CA 90011, United States (US)"
    )
    assert order["items"][0]["quantity"] == "1"
    assert order["items"][0]["subtotal"] == "$19.99"
    rows = list(order["totals"])
    assert (rows[0], rows[-1]) == ("subtotal", "total")
    assert order["order_actions"] == []  # on hold: nothing to cancel (v2-accounts 9.2)
    assert order["ship_to_billing"] is True
    assert order["downloads"] == []


async def test_an_order_for_who_knows_its_email(storefront: Storefront) -> None:
    guest = await storefront.ready_to_order()
    order_id = (await guest.process()).json()["order_id"]
    path = f"{ME}/orders/{order_id}"
    ask = storefront.another()
    none = await ask.call("GET", path)
    assert (none.status_code, none.json()["code"]) == (403, "cocart_access_my_orders_denied")
    for email in ("x@example.com", "%", "ines@example.co"):
        wrong = await ask.call("GET", path, email=email)
        missing = await ask.call("GET", f"{ME}/orders/999999", email=email)
        assert wrong.status_code == missing.status_code == 404
        assert wrong.content == missing.content
    right = await ask.call("GET", path, email="INES@example.com")
    assert right.json()["order_id"] == order_id
    assert right.json()["order_actions"] == []
    for odd in ("0", "-1", str(2**63), str(2**80)):
        answer = await ask.call("GET", f"{ME}/orders/{odd}", email="ines@example.com")
        assert answer.status_code == 404


async def test_downloads(storefront: Storefront, database: Database) -> None:
    async with database.acquire() as connection:
        song = await product(
            connection, id=7, name="Song", virtual=True, downloadable=True, regular_price=100
        )
        await connection.execute(
            "UPDATE products SET downloads = $2 WHERE id = $1",
            song,
            [{"name": "MP3", "url": "https://shop.example/song.mp3"}],
        )
    ines = await shopper(storefront)
    assert (await ines.call("GET", f"{ME}/downloads")).json() == "There is nothing to download yet."
    assert (await ines.call("GET", f"{MINE}/downloads")).json() == []
    waiting = await ines.order(song, payment_method="bacs")
    assert (await ines.call("GET", f"{MINE}/downloads")).json() == []  # not paid
    nothing = await ines.call("GET", f"{MINE}/orders/{waiting['order_id']}/downloads")
    assert nothing.status_code == 404
    paid = await ines.order(song, payment_method="card")
    expected = [
        {
            "product_name": "Song",
            "download_name": "MP3",
            "file": "https://shop.example/song.mp3",
            "downloads_remaining": "∞",
            "download_expires": "Never",
        }
    ]
    assert (await ines.call("GET", f"{ME}/downloads")).json() == expected
    one = await ines.call("GET", f"{MINE}/orders/{paid['order_id']}/downloads")
    assert one.json() == expected
    whole = await ines.call("GET", f"{ME}/orders/{paid['order_id']}")
    assert whole.json()["downloads"] == expected


# --- cancelling -------------------------------------------------------------------------------


async def test_an_unpaid_order_can_be_called_off(
    storefront: Storefront, card: ScriptedGateway
) -> None:
    ines = await shopper(storefront)
    card.script.append(Declined("No."))
    await ines.call("POST", f"{V2}/cart/add-item", {"id": "1"})
    body = {"billing_address": BILLING, "payment_method": "card"}
    declined = (await ines.call("POST", CHECKOUT, body)).json()
    order_id = declined["data"]["order_id"]
    path = f"{ME}/orders/{order_id}"
    assert (
        (await ines.call("GET", path))
        .json()["order_actions"]["cancel"]["url"]
        .endswith(f"/orders/{order_id}/cancel")
    )
    done = await ines.call("POST", f"{path}/cancel")
    assert done.json() == {"success": True, "order_id": order_id, "order_status": "Cancelled"}
    again = await ines.call("POST", f"{path}/cancel")
    assert (again.status_code, again.json()["code"]) == (400, "cocart_order_cannot_be_cancelled")
    # The cart is open still, and orders anew.
    placed = (await ines.call("POST", CHECKOUT, body)).json()
    assert placed["order_id"] != order_id
    settled = await ines.call("POST", f"{ME}/orders/{placed['order_id']}/cancel")
    assert settled.status_code == 400


async def test_not_while_it_is_being_paid(
    storefront: Storefront, card: ScriptedGateway, database: Database
) -> None:
    ines = await shopper(storefront)
    card.script.append(never)
    await ines.call("POST", f"{V2}/cart/add-item", {"id": "1"})
    body = {"billing_address": BILLING, "payment_method": "card"}
    pending = (await ines.call("POST", CHECKOUT, body)).json()
    assert pending["payment_result"]["payment_status"] == "pending"
    answer = await ines.call("POST", f"{ME}/orders/{pending['order_id']}/cancel")
    assert answer.json()["code"] == "cocart_order_cannot_be_cancelled"
    async with database.acquire() as connection:
        held = await connection.fetchval("SELECT sum(quantity) FROM stock_holds")
    assert held == 1


# --- changing it ------------------------------------------------------------------------------


def account(**changes: Any) -> dict[str, Any]:
    return {
        "account_first_name": "Ines",
        "account_last_name": "Okafor",
        "account_display_name": "Ines O.",
        "account_email": "ines@example.com",
        **changes,
    }


async def test_names(storefront: Storefront) -> None:
    ines = await shopper(storefront)
    done = await ines.call("POST", ME, account())
    assert done.json()["success"] is True
    assert done.json()["email_verification_pending"] is False
    assert done.json()["message"]
    user = (await ines.call("GET", ME)).json()["user"]
    assert (user["first_name"], user["last_name"], user["display_name"]) == (
        "Ines", "Okafor", "Ines O.",
    )  # fmt: skip
    billing = user["addresses"]["billing"]
    assert (billing["first_name"], billing["email"]) == ("Ines", "ines@example.com")


async def test_changes_that_are_refused(storefront: Storefront) -> None:
    ines = await shopper(storefront)
    await shopper(storefront, "other@example.com")
    new = {"password_1": "Another-Row-9", "password_2": "Another-Row-9"}
    table = [
        ({}, 400, "cocart_account_missing_required_field"),
        (account(account_last_name=" "), 400, "cocart_account_missing_required_field"),
        (account(account_email="ines"), 400, "cocart_account_provide_valid_email"),
        (account(account_email="OTHER@example.com"), 403,
         "cocart_account_email_already_registered"),
        (account(account_display_name="a@b.example"), 403,
         "cocart_cannot_set_email_as_display_name"),
        (account(password_current=PASSWORD), 400, "cocart_account_fill_all_password_fields"),
        (account(**new), 400, "cocart_account_enter_current_password"),
        (account(password_current=PASSWORD, password_1="x"), 400,
         "cocart_account_reenter_password"),
        (account(password_current=PASSWORD, password_1="x", password_2="y"), 400,
         "cocart_account_new_passwords_do_not_match"),
        (account(password_current="no", **new), 400, "cocart_account_incorrect_current_password"),
        (account(password_current=PASSWORD, password_1="ines", password_2="ines"), 400,
         "cocart_account_weak_password"),
    ]  # fmt: skip
    for body, status, code in table:
        answer = await ines.call("POST", ME, body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), body
    first = (await ines.call("POST", ME, {})).json()["data"]["id"]
    assert first == "account_first_name"
    user = (await ines.call("GET", ME)).json()["user"]
    assert (user["first_name"], user["email"]) == ("", "ines@example.com")


async def test_a_new_password_signs_everybody_out(storefront: Storefront) -> None:
    ines = await shopper(storefront)
    new = {"password_1": "Another-Row-9", "password_2": "Another-Row-9"}
    wrong = await ines.call("POST", f"{ME}/change-password", {**new, "password_current": "x"})
    assert wrong.json()["code"] == "cocart_account_incorrect_current_password"
    none = await ines.call("POST", f"{ME}/change-password", {})
    assert none.json()["code"] == "cocart_account_fill_all_password_fields"
    body = {**new, "password_current": PASSWORD}
    assert (await ines.call("POST", f"{ME}/change-password", body)).status_code == 200
    assert (await ines.call("GET", ME)).status_code == 403
    for password, status in ((PASSWORD, 401), ("Another-Row-9", 200)):
        answer = await storefront.http.get(ME, headers=basic("ines", password))
        assert answer.status_code == status


async def test_a_new_email_counts_once_it_is_confirmed(
    storefront: Storefront, letters: Letterbox, clock: MovableClock
) -> None:
    ines = await shopper(storefront)
    done = await ines.call("POST", ME, account(account_email="new@example.com"))
    assert done.json()["email_verification_pending"] is True
    assert "about to change" in (await letters.next("ines@example.com")).subject
    link = (await letters.next("new@example.com")).text
    key = link.partition("?key=")[2].partition("&")[0]
    assert (await ines.call("GET", ME)).json()["user"]["email"] == "ines@example.com"
    url = f"{ME}/verify-email"
    for wrong_key, user in ((key, ines.id + 1), ("x", ines.id)):
        answer = await storefront.http.get(url, params={"key": wrong_key, "user_id": user})
        assert (answer.status_code, answer.json()["code"]) == (
            400, "cocart_invalid_or_expired_key",
        )  # fmt: skip
    right = await storefront.http.get(url, params={"key": key, "user_id": ines.id})
    assert right.json() == {"success": True, "email": "new@example.com"}
    assert (await ines.call("GET", ME)).status_code == 403  # contract accounts.md 8.5
    seen = await storefront.http.get(ME, headers=basic("new@example.com", PASSWORD))
    assert seen.json()["user"]["email"] == "new@example.com"
    assert seen.json()["user"]["addresses"]["billing"]["email"] == "new@example.com"
    again = await storefront.http.get(url, params={"key": key, "user_id": ines.id})
    assert again.status_code == 400
    # A link is void after its time.
    signed = {"headers": basic("ines", PASSWORD)}
    await storefront.http.post(ME, json=account(account_email="third@example.com"), **signed)
    key = (await letters.next("third@example.com")).text.partition("?key=")[2].partition("&")[0]
    clock.moved = timedelta(hours=25)
    late = await storefront.http.get(url, params={"key": key, "user_id": ines.id})
    assert late.status_code == 400


async def test_an_account_made_while_ordering_without_a_password(
    empty_database: str, database: Database, letters: Letterbox, card: ScriptedGateway
) -> None:
    """Where the shop makes passwords, a link to choose one is mailed, once (v2-checkout 3.1)."""
    async with database.acquire() as connection:
        await product(connection)
    card.script = [Declined("No.")]
    settings = shop_settings(empty_database, accounts={"generate_password": True})
    async with running(settings, carrier=letters, gateways={"card": card}) as shop:
        said = (await shop.http.get(f"{V2}/checkout/config")).json()["account"]
        assert said["registration_generate_password"] is True
        await shop.ready_to_order()
        body = {"create_account": True, "billing_address": BILLING, "payment_method": "card"}
        first = (await shop.call("POST", f"{V2}/checkout", body)).json()
        assert first["payment_result"]["payment_status"] == "failed"
        link = (await letters.next(BILLING["email"])).text
        placed = (await shop.call("POST", f"{V2}/checkout", body)).json()
        assert placed["customer_id"] == first["customer_id"] > 0
        again = (await shop.call("POST", f"{V2}/checkout", body)).json()
        assert again["order_id"] == placed["order_id"]
        key = link.partition("?key=")[2].split()[0]
        chosen = {"key": key, "password": PASSWORD}
        assert (await shop.http.post(f"{V2}/reset-password", json=chosen)).status_code == 200
        seen = await shop.http.get(ME, headers=basic(BILLING["email"], PASSWORD))
        assert seen.json()["user"]["id"] == placed["customer_id"]
        changed = await letters.next(BILLING["email"])
        assert "your account" not in changed.subject, "the welcome was mailed once"
        assert letters.letters == []
    settings = shop_settings(empty_database, accounts={"generate_password": False})
    async with running(settings, carrier=letters) as shop:
        said = (await shop.http.get(f"{V2}/checkout/config")).json()["account"]
        assert said["registration_generate_password"] is False


async def test_email_and_password_at_once(storefront: Storefront, letters: Letterbox) -> None:
    ines = await shopper(storefront)
    body = account(
        account_email="new@example.com",
        password_current=PASSWORD,
        password_1="Another-Row-9",
        password_2="Another-Row-9",
    )
    assert (await ines.call("POST", ME, body)).status_code == 200
    key = (await letters.next("new@example.com")).text.partition("?key=")[2].partition("&")[0]
    right = await storefront.http.get(f"{ME}/verify-email", params={"key": key, "user_id": ines.id})
    assert right.status_code == 200, right.text


async def test_a_new_email_at_once_without_confirming(empty_database: str) -> None:
    settings = shop_settings(
        empty_database, accounts={"verify_email": False}, mail={"backend": "none"}
    )
    async with running(settings) as client:
        ines = await shopper(client)
        done = await ines.call("POST", ME, account(account_email="new@example.com"))
        assert done.json()["email_verification_pending"] is False
        seen = await client.http.get(ME, headers=basic("ines", PASSWORD))
        assert seen.json()["user"]["email"] == "new@example.com"
    settings = shop_settings(empty_database, mail={"backend": "none"})
    async with running(settings) as client:
        refused = await client.http.post(
            ME, json=account(account_email="x@example.com"), headers=basic("ines", PASSWORD)
        )
        assert refused.json()["code"] == "cocart_mail_not_offered"


async def test_addresses(storefront: Storefront) -> None:
    ines = await shopper(storefront)
    none = await ines.call("PATCH", f"{ME}/address", {})
    assert none.json()["code"] == "cocart_no_address_data"
    bad = await ines.call(
        "PATCH",
        f"{ME}/address",
        {
            "billing_address": {"country": "XX"},
            "shipping_address": {"country": "US", "state": "QQ"},
        },
    )
    assert bad.json()["code"] == "cocart_invalid_address_fields"
    assert [each["field"] for each in bad.json()["data"]["problems"]] == [
        "billing_address.country",
        "shipping_address.state",
    ]
    done = await ines.call("PATCH", f"{ME}/address", {"billing_address": BILLING})
    assert done.json()["addresses"]["billing"] == {**BILLING, "company": "", "address_2": ""}
    assert set(done.json()["addresses"]["shipping"].values()) == {""}
    part = await ines.call("PATCH", f"{ME}/address", {"billing_address": {"city": "Fresno"}})
    assert part.json()["addresses"]["billing"]["city"] == "Fresno"
    assert part.json()["addresses"]["billing"]["postcode"] == "90011"


async def test_not_signed_in(storefront: Storefront) -> None:
    for base in (ME, MINE):
        for method, path, code in (
            ("GET", "", "cocart_access_my_account_denied"),
            ("POST", "", "cocart_access_my_account_denied"),
            ("POST", "/change-password", "cocart_access_my_account_denied"),
            ("PATCH", "/address", "cocart_access_my_account_denied"),
            ("GET", "/downloads", "cocart_access_my_account_denied"),
            ("GET", "/orders", "cocart_access_my_orders_denied"),
            ("GET", "/orders/1001", "cocart_access_my_orders_denied"),
            ("POST", "/orders/1001/cancel", "cocart_access_my_orders_denied"),
        ):
            answer = await storefront.call(method, base + path, keys=storefront.keys)
            assert (answer.status_code, answer.json()["code"]) == (403, code), path


# --- at checkout ------------------------------------------------------------------------------


async def test_who_comes_back_finds_everything_filled_in(storefront: Storefront) -> None:
    ines = await shopper(storefront)
    await ines.order()
    await ines.call("POST", f"{V2}/cart/add-item", {"id": "1"})
    state = (await ines.call("GET", CHECKOUT)).json()
    assert state["billing_address"]["address_1"] == "8 Quarry Row"
    assert state["payment_method"] == "bacs"
    # Also with a new cart, from another shop front, after the old one has expired.
    await execute_on(storefront, "DELETE FROM carts")
    await ines.call("POST", f"{V2}/cart/add-item", {"id": "1"})
    state = (await ines.call("GET", CHECKOUT)).json()
    assert state["billing_address"]["email"] == "ines@example.com"
    assert state["payment_method"] == "bacs"
    # Goods go on following the billing address.
    moved = await ines.call("PUT", CHECKOUT, {"billing_address": {"city": "Fresno"}})
    assert moved.json()["shipping_address"]["city"] == "Fresno"
    placed = await ines.call("POST", CHECKOUT, {})
    assert placed.status_code == 200, placed.text
    # Guests do not: their key is all there is.
    guest = await storefront.ready_to_order()
    await guest.process()
    await guest.add()
    assert (await guest.state())["billing_address"]["address_1"] == ""


async def execute_on(storefront: Storefront, statement: str) -> None:
    async with storefront.shop.database.acquire() as connection:
        await connection.execute(statement)


async def enrolling(storefront: Storefront, **changes: Any) -> Any:
    guest = await storefront.another().ready_to_order()
    return guest, await guest.process(
        create_account=True, **{"customer_password": PASSWORD, **changes}
    )


async def test_an_account_while_ordering(storefront: Storefront) -> None:
    guest, placed = await enrolling(storefront)
    assert placed.status_code == 200, placed.text
    account_id = placed.json()["customer_id"]
    assert account_id > 0
    seen = await storefront.http.get(ME, headers=basic("ines@example.com", PASSWORD))
    user = seen.json()["user"]
    assert user["id"] == account_id
    assert (user["first_name"], user["display_name"]) == ("Ines", "Ines Okafor")
    assert user["addresses"]["billing"]["address_1"] == "8 Quarry Row"
    assert seen.json()["recent_order"]["order_id"] == placed.json()["order_id"]
    # Sent again, it is the same answer, and no second account.
    again = await guest.process(create_account=True, customer_password=PASSWORD)
    assert again.json()["order_id"] == placed.json()["order_id"]


async def test_accounts_that_are_not_made(storefront: Storefront) -> None:
    for changes, said in (
        ({"customer_password": ""}, "customer_password"),
        ({"customer_password": "password"}, "everybody tries"),
    ):
        _, answer = await enrolling(storefront, **changes)
        assert answer.json()["code"] == "cocart_account_creation_failed"
        assert said in answer.json()["message"]
    await shopper(storefront)
    guest, taken = await enrolling(storefront)
    assert taken.json()["code"] == "cocart_account_creation_failed"
    assert "sign in" in taken.json()["message"]
    # Nothing was ordered, and without an account it goes through.
    assert (await guest.process()).status_code == 200


async def test_an_account_survives_a_decline(
    storefront: Storefront, card: ScriptedGateway, database: Database
) -> None:
    card.script += [Declined("No."), Approved(Funds.CAPTURED, "ref")]
    guest, declined = await enrolling(storefront, payment_method="card")
    assert declined.json()["code"] == "cocart_payment_failed"
    again = await guest.process(
        create_account=True, customer_password=PASSWORD, payment_method="card"
    )
    assert again.status_code == 200, again.text
    async with database.acquire() as connection:
        accounts = await connection.fetch("SELECT id FROM accounts")
    assert [row["id"] for row in accounts] == [again.json()["customer_id"]]


async def test_a_shop_for_customers_only(empty_database: str, database: Database) -> None:
    async with database.acquire() as connection:
        await product(connection)
    settings = shop_settings(empty_database, checkout={"guest_checkout": False})
    async with running(settings) as client:
        guest = await client.another().ready_to_order()
        refused = await guest.process()
        assert (refused.status_code, refused.json()["code"]) == (
            401, "cocart_guest_checkout_disabled",
        )  # fmt: skip
        enrolled = await guest.process(create_account=True, customer_password=PASSWORD)
        assert enrolled.json()["customer_id"] > 0
        signed_in = await shopper(client, "other@example.com")
        assert (await signed_in.order())["customer_id"] == signed_in.id
    closed = shop_settings(
        empty_database,
        checkout={"guest_checkout": False},
        accounts={"registration": False},
    )
    async with running(closed) as client:
        guest = await client.another().ready_to_order()
        refused = await guest.process(create_account=True, customer_password=PASSWORD)
        assert refused.json()["code"] == "cocart_account_creation_failed"


async def test_statements_of_a_customers_purchase(storefront: Storefront) -> None:
    ines = await shopper(storefront)
    await ines.order()
    await ines.call("POST", f"{V2}/cart/add-item", {"id": "1"})
    storefront.statements.clear()
    placed = await ines.call("POST", CHECKOUT, {})
    assert placed.status_code == 200
    assert sql_count(storefront.statements) <= 14, "\n".join(storefront.statements)
