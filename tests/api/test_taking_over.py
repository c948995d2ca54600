"""A guest's cart becomes the customer's on the first signed-in request (DECISIONS 20)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from checkstand.storage.database import Database
from tests.makers import (
    BILLING,
    PREVIEW,
    V2,
    Shopper,
    Storefront,
    fewest,
    product,
    running,
    shop_settings,
    shopper,
)

CART, CHECKOUT = f"{V2}/cart", f"{PREVIEW}/checkout"


@pytest.fixture
async def ines(storefront: Storefront, database: Database) -> Shopper:
    async with database.acquire() as connection:
        await product(connection, name="Mug", regular_price=500)
    return await shopper(storefront)


async def carts(storefront: Storefront) -> dict[str, Any]:
    async with storefront.shop.database.acquire() as connection:
        return {
            row["cart_key"]: [(line["product_id"], line["quantity"]) for line in row["lines"]]
            for row in await connection.fetch("SELECT cart_key, document->'lines' lines FROM carts")
        }


def carrying(guest: Storefront) -> dict[str, str]:
    return {"Cart-Key": guest.cart_key}


FIRST: list[tuple[str, str, Any, int]] = [
    ("GET", CART, None, 200),
    ("GET", f"{CART}/items/count", None, 200),
    ("GET", f"{CART}/totals", None, 200),
    ("GET", CHECKOUT, None, 200),
    ("GET", f"{CHECKOUT}/payment-methods", None, 200),
    ("POST", f"{CHECKOUT}/payment-context", {"payment_method": "bacs"}, 200),
    ("PUT", CHECKOUT, {"billing_address": BILLING}, 200),
    ("PATCH", CHECKOUT, {"payment_method": "bacs"}, 200),
    ("POST", f"{CART}/calculate", {}, 200),
    ("POST", f"{CART}/update", {"namespace": "update-customer", "city": "Fresno"}, 200),
    # A refused one carries its cart over all the same: it will not be refused for that.
    ("POST", f"{CART}/add-item", {"id": "999"}, 400),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), FIRST, ids=lambda v: str(v)[-30:])
async def test_by_any_verb(
    storefront: Storefront, ines: Shopper, method: str, path: str, body: Any, status: int
) -> None:
    guest = storefront.another()
    await guest.add(1, 2)
    answer = await ines.call(method, path, body, headers=carrying(guest))
    assert answer.status_code == status, answer.text
    if status == 200:
        assert await carts(storefront) == {str(ines.id): [(1, 2)]}
        # The same again changes nothing.
        await ines.call(method, path, body, headers=carrying(guest))
        assert await carts(storefront) == {str(ines.id): [(1, 2)]}


async def test_the_key_may_come_in_the_query(storefront: Storefront, ines: Shopper) -> None:
    guest = storefront.another()
    await guest.add(1, 2)
    answer = await ines.call("GET", CART, cart_key=guest.cart_key)
    assert answer.json()["cart_key"] == str(ines.id)
    assert answer.headers["Cart-Key"] == str(ines.id)
    assert answer.json()["items"][0]["quantity"]["value"] == 2


async def test_both_have_something(storefront: Storefront, ines: Shopper) -> None:
    await ines.call("POST", f"{CART}/add-item", {"id": "1", "quantity": "1"})
    guest = storefront.another()
    await guest.add(1, 2)
    await guest.add(2, 1)
    answer = await ines.call("GET", CART, headers=carrying(guest))
    assert answer.status_code == 200
    assert await carts(storefront) == {str(ines.id): [(1, 3), (2, 1)]}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("sum", [(1, 3), (2, 1)]),
        ("max", [(1, 2), (2, 1)]),
        ("guest", [(1, 2), (2, 1)]),
        ("customer", [(1, 1)]),
    ],
)
async def test_the_policy_is_a_setting(
    empty_database: str, database: Database, policy: str, expected: list[tuple[int, int]]
) -> None:
    async with database.acquire() as connection:
        await product(connection)
        await product(connection, name="Mug")
    settings = shop_settings(empty_database, cart={"merge": policy})
    async with running(settings) as client:
        ines = await shopper(client)
        await ines.call("POST", f"{CART}/add-item", {"id": "1", "quantity": "1"})
        guest = client.another()
        await guest.add(1, 2)
        await guest.add(2, 1)
        await ines.call("GET", CART, headers=carrying(guest))
        assert await carts(client) == {str(ines.id): expected}


async def test_many_first_requests_at_once(storefront: Storefront, ines: Shopper) -> None:
    """Replay-safe: eight requests that all carry the guest's key add its items once."""
    await ines.call("POST", f"{CART}/add-item", {"id": "1", "quantity": "1"})
    guest = storefront.another()
    await guest.add(1, 2)
    answers = await asyncio.gather(
        *(ines.call("GET", CART, headers=carrying(guest)) for _ in range(4)),
        *(ines.call("POST", f"{CART}/calculate", {}, headers=carrying(guest)) for _ in range(4)),
    )
    assert {answer.status_code for answer in answers} == {200}
    assert await carts(storefront) == {str(ines.id): [(1, 3)]}


async def test_two_customers_want_the_same_cart(storefront: Storefront, ines: Shopper) -> None:
    tom = await shopper(storefront, "tom@example.com")
    guest = storefront.another()
    await guest.add(1, 2)
    await asyncio.gather(
        *(each.call("GET", CART, headers=carrying(guest)) for each in (ines, tom) * 3)
    )
    (only,) = (lines for lines in (await carts(storefront)).values())
    assert only == [(1, 2)]


async def test_a_guests_key_is_dead_afterwards(storefront: Storefront, ines: Shopper) -> None:
    guest = storefront.another()
    await guest.add(1, 2)
    key = guest.cart_key
    await ines.call("GET", CART, headers=carrying(guest))
    seen = await storefront.another().call("GET", CART, headers={"Cart-Key": key})
    assert seen.json()["items"] == []
    state = await storefront.another().call("GET", CHECKOUT, headers={"Cart-Key": key})
    assert state.json()["code"] == "cocart_cart_not_found"


async def test_processing_first_charges_what_was_shown(
    storefront: Storefront, ines: Shopper
) -> None:
    """The guest saw one total; with what the customer had before it is another: 409 first."""
    guest = await storefront.another().ready_to_order(1, 1)
    body = {"billing_address": BILLING, "payment_method": "bacs"}
    placed = await ines.call("POST", CHECKOUT, body, headers=carrying(guest))
    assert placed.status_code == 200, placed.text  # nothing else was in the account's cart
    assert placed.json()["customer_id"] == ines.id
    await ines.call("POST", f"{CART}/add-item", {"id": "2"})
    another = await storefront.another().ready_to_order(1, 1)
    moved = await ines.call("POST", CHECKOUT, body, headers=carrying(another))
    assert (moved.status_code, moved.json()["code"]) == (409, "cocart_checkout_totals_changed")
    again = await ines.call("POST", CHECKOUT, body, headers=carrying(another))
    assert again.status_code == 200
    # And a replay gives the same order.
    replayed = await ines.call("POST", CHECKOUT, body, headers=carrying(another))
    assert replayed.json()["order_id"] == again.json()["order_id"]


async def test_a_cart_that_became_an_order_stays(storefront: Storefront, ines: Shopper) -> None:
    guest = await storefront.another().ready_to_order()
    placed = await guest.process()
    seen = await ines.call("GET", CART, headers=carrying(guest))
    assert seen.json()["items"] == []
    assert (await guest.process()).json()["order_id"] == placed.json()["order_id"]


async def test_an_address_that_the_guest_typed(storefront: Storefront, ines: Shopper) -> None:
    guest = await storefront.another().ready_to_order()
    state = (await ines.call("GET", CHECKOUT, headers=carrying(guest))).json()
    assert state["billing_address"]["address_1"] == "8 Quarry Row"
    assert state["payment_method"] == "bacs"


async def test_what_does_not_fit_is_said_once(
    storefront: Storefront, ines: Shopper, database: Database
) -> None:
    async with database.acquire() as connection:
        await product(connection, id=9, name="Lamp", stock=3)
    await ines.call("POST", f"{CART}/add-item", {"id": "9", "quantity": "2"})
    guest = storefront.another()
    await guest.add(9, 2)
    first = await ines.call("GET", CART, headers=carrying(guest))
    assert "Lamp" in first.json()["notices"]["info"][0]
    assert first.json()["items"][0]["quantity"]["value"] == 2
    again = await ines.call("GET", CART, headers=carrying(guest))
    assert "info" not in again.json()["notices"]


async def test_a_stale_key_costs_nothing(storefront: Storefront, ines: Shopper) -> None:
    """Clients go on sending the guest's key for a while."""
    guest = storefront.another()
    await guest.add(1, 2)
    await ines.call("GET", CART, headers=carrying(guest))
    await ines.call("GET", CART)
    for key in (guest.cart_key, "t_never_was"):
        headers = {"Cart-Key": key}
        await ines.call("GET", CART, headers=headers)
        ask = lambda headers=headers: ines.call("GET", CART, headers=headers)  # noqa: E731
        assert await fewest(storefront, ask) == 1


async def test_guests_and_customers_read_in_one_statement(
    storefront: Storefront, ines: Shopper
) -> None:
    guest = await storefront.another().ready_to_order()
    for path in (CART, CHECKOUT):
        assert await fewest(storefront, lambda path=path: guest.call("GET", path)) == 1


async def test_more_than_can_be_charged(
    storefront: Storefront, ines: Shopper, database: Database
) -> None:
    """The carts stay apart, and both can be read."""
    async with database.acquire() as connection:
        await product(connection, id=9, name="Yacht", regular_price=10**10)
    body = {"id": "9", "quantity": "500000"}
    assert (await ines.call("POST", f"{CART}/add-item", body)).status_code == 200
    guest = storefront.another()
    assert (await guest.add(9, 450_000)).status_code == 200
    seen = await ines.call("GET", CART, headers=carrying(guest))
    assert seen.status_code == 200
    assert "more than can be charged" in seen.json()["notices"]["info"][0]
    assert len(await carts(storefront)) == 2


async def test_two_servers_take_over_once(
    storefront: Storefront, ines: Shopper, empty_database: str
) -> None:
    """No queue in one process, but the rows in the database keep them apart."""
    async with running(shop_settings(empty_database)) as second:
        for round_ in range(1, 4):
            guest = storefront.another()
            await guest.add(1, 2)
            headers = {**ines.signed, **carrying(guest)}
            answers = await asyncio.gather(
                *(
                    server.http.request(method, path, headers=headers)
                    for method, path in (
                        ("GET", CART),
                        ("GET", CHECKOUT),
                        ("POST", f"{CART}/calculate"),
                    )
                    for server in (storefront, second)
                )
            )
            assert {answer.status_code for answer in answers} == {200}, [a.text for a in answers]
            assert await carts(storefront) == {str(ines.id): [(1, 2 * round_)]}
