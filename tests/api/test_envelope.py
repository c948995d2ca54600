"""Every error in one envelope, whoever is at fault; nothing about us leaks, nothing is cached, and
no secret reaches a log."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import socket
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from checkstand.storage import migrate
from checkstand.storage.database import Database
from checkstand.storage.embedded import EmbeddedPostgres
from tests.contract.live import live_shop
from tests.makers import (
    BILLING,
    PREVIEW,
    SHIRT,
    V2,
    Storefront,
    administrator,
    execute,
    product,
    running,
    shop_settings,
)

CHECKOUT = f"{PREVIEW}/checkout"
LEAKS = ("Traceback", 'File "', ".py", "asyncpg", "postgres", "SELECT", "INSERT", "carts", "pool")
SECRET = "hunter2-hunter2"


def assert_envelope(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The answer is this refusal, in the envelope, with the headers that all have; its `data`."""
    assert response.status_code == status, response.text
    assert_headers(response)
    body = response.json()
    assert list(body) == ["code", "message", "data"]
    assert body["code"] == code
    assert body["message"]
    assert body["data"]["status"] == status
    assert not [word for word in LEAKS if word in response.text]
    retry = response.headers.get("Retry-After")
    assert retry is None or body["data"]["retry_after"] == int(retry)
    found: dict[str, Any] = body["data"]
    return found


def assert_headers(response: httpx2.Response) -> None:
    assert response.headers.get_list("Content-Type") == ["application/json; charset=UTF-8"]
    assert response.headers.get_list("Cache-Control") == ["no-store, private"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    (request_id,) = response.headers.get_list("X-Request-Id")
    assert len(request_id) == 16
    assert int(request_id, 16) >= 0


@dataclass
class BrokenClock:
    """Right until somebody breaks it."""

    broken: bool = False
    words: str = "SELECT secret FROM carts"

    def now(self) -> datetime:
        if self.broken:
            raise RuntimeError(self.words)
        return datetime.now(UTC)


@pytest.fixture
def clock() -> BrokenClock:
    return BrokenClock()


@pytest.fixture
async def shop_with_clock(empty_database: str, database: Database, clock: BrokenClock) -> Any:
    async with database.acquire() as connection:
        await product(connection)
    async with running(shop_settings(empty_database), clock=clock) as storefront:
        yield storefront


# --- the classes of errors -----------------------------------------------------------------------


async def test_a_parameter_that_is_missing(storefront: Storefront) -> None:
    response = await storefront.call("POST", f"{V2}/cart/add-item", {})
    data = assert_envelope(response, 400, "rest_missing_callback_param")
    assert data["params"] == ["id"]


async def test_a_parameter_that_is_wrong(storefront: Storefront) -> None:
    body = {"id": [1], "quantity": "many"}
    response = await storefront.call("POST", f"{V2}/cart/add-item", body)
    data = assert_envelope(response, 400, "rest_invalid_param")
    assert set(data["params"]) == set(data["details"]) == {"id", "quantity"}
    assert set(data["details"]["id"]) == {"code", "message"}


async def test_a_body_that_is_no_json(storefront: Storefront) -> None:
    response = await storefront.http.post(f"{V2}/cart/add-item", content=b"{")
    assert_envelope(response, 400, "rest_invalid_json")


async def test_no_credentials_and_wrong_ones(storefront: Storefront) -> None:
    response = await storefront.call("GET", CHECKOUT, keys={})
    assert_envelope(response, 401, "cocart_authentication_error")
    keys = {**storefront.keys, "consumer_secret": "cs_wrong"}
    response = await storefront.call("GET", CHECKOUT, keys=keys)
    assert_envelope(response, 401, "cocart_authentication_error")
    response = await storefront.http.get(f"{V2}/cart", auth=("nobody", "wrong"))
    assert_envelope(response, 401, "cocart_authentication_error")


async def test_no_cart_key(storefront: Storefront) -> None:
    response = await storefront.call("GET", CHECKOUT)
    assert_envelope(response, 401, "cocart_rest_authentication_required")


async def test_what_is_forbidden(storefront: Storefront) -> None:
    response = await storefront.call("GET", f"{V2}/cart", headers={"Cart-Key": "1"})
    assert_envelope(response, 403, "cocart_must_authenticate_user")
    response = await storefront.call("GET", f"{V2}/cart", headers={"Authorization": "Bearer x"})
    assert_envelope(response, 403, "cocart_authentication_error")


async def test_what_is_not_there(storefront: Storefront) -> None:
    assert_envelope(await storefront.call("GET", "/nothing"), 404, "rest_no_route")
    response = await storefront.call("GET", CHECKOUT, headers={"Cart-Key": "t_of_nobody"})
    assert_envelope(response, 404, "cocart_cart_not_found")
    response = await storefront.call("GET", f"{PREVIEW}/order-received/1", order_key="x")
    assert_envelope(response, 404, "cocart_order_not_found")


async def test_methods_and_quantities_that_are_not_allowed(storefront: Storefront) -> None:
    response = await storefront.call("DELETE", f"{V2}/cart")
    assert_envelope(response, 405, "rest_method_not_allowed")
    assert response.headers["Allow"] == "GET, POST"
    response = await storefront.add(SHIRT, 0)
    assert_envelope(response, 405, "cocart_quantity_invalid_amount")
    assert "Allow" not in response.headers


async def test_a_total_that_is_not_the_expected_one(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    response = await storefront.process(expected_total="1.00")
    data = assert_envelope(response, 409, "cocart_checkout_totals_changed")
    assert data["total"] == "24.99"


async def test_bodies_that_are_too_large_or_of_another_kind(storefront: Storefront) -> None:
    path = f"{V2}/cart/add-item"
    response = await storefront.http.post(path, content=b" " * 1_048_577)
    assert_envelope(response, 413, "rest_body_too_large")
    response = await storefront.http.post(
        path, content=b"id: 1", headers={"Content-Type": "application/yaml"}
    )
    assert_envelope(response, 415, "rest_unsupported_media_type")


async def test_an_idempotency_key_with_another_body(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    headers = {"Idempotency-Key": "k"}
    path = f"{V2}/cart/add-item"
    assert (await storefront.call("POST", path, {"id": "1"}, headers=headers)).status_code == 200
    response = await storefront.call("POST", path, {"id": "1", "quantity": 2}, headers=headers)
    assert_envelope(response, 422, "cocart_idempotency_mismatch")
    response = await storefront.call("POST", path, {"id": "1"}, headers=headers)
    assert response.headers["Idempotency-Replayed"] == "true"
    assert_headers(response)


async def test_everything_wrong_with_an_address(storefront: Storefront) -> None:
    await storefront.add()
    address = {"country": "US", "postcode": "x", "email": "x"}
    response = await storefront.update(billing_address=address, currency="x")
    data = assert_envelope(response, 400, "cocart_checkout_invalid_address")
    assert data["error_type"] == "validation_error"
    fields = ["billing_address.postcode", "billing_address.email", "currency"]
    assert data["invalid_fields"] == fields
    assert [problem["field"] for problem in data["problems"]] == fields


# --- faults of ours ------------------------------------------------------------------------------


async def test_a_fault_says_nothing_about_us(
    shop_with_clock: Storefront, clock: BrokenClock, caplog: pytest.LogCaptureFixture
) -> None:
    storefront = await shop_with_clock.ready_to_order()
    before = await storefront.state()
    clock.broken = True
    for method, path, body in (
        ("GET", f"{V2}/cart", None),
        ("POST", f"{V2}/cart", None),
        ("POST", f"{V2}/cart/add-item", {"id": "1"}),
        ("GET", CHECKOUT, None),
        ("PUT", CHECKOUT, {"currency": "EUR"}),
        ("POST", CHECKOUT, {}),
    ):
        caplog.clear()
        response = await storefront.call(method, path, body)
        data = assert_envelope(response, 500, "cocart_internal_error")
        assert data == {"status": 500}
        told = [
            record.getMessage()
            for record in caplog.records
            if record.name == "checkstand.http.edge"
        ]
        assert told == [f"request {response.headers['X-Request-Id']} failed"]
    clock.broken = False
    assert await storefront.state() == before


async def test_a_fault_over_a_real_server(
    empty_database: str,
    storefront: Storefront,
    clock: BrokenClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The traceback goes to the log, the connection stays, and the next request is answered."""
    with live_shop(shop_settings(empty_database), clock=clock) as shop:

        def talk() -> None:
            with httpx2.Client(base_url=shop.url) as client:
                assert client.get(f"{V2}/cart").status_code == 200
                clock.broken = True
                response = client.get(f"{V2}/cart", headers={"Cart-Key": "t_x"})
                assert_envelope(response, 500, "cocart_internal_error")
                assert response.headers["X-Request-Id"] in caplog.text
                clock.broken = False
                assert client.get(f"{V2}/cart").status_code == 200

        await asyncio.to_thread(talk)
    assert clock.words in caplog.text


async def test_a_fault_names_no_cart(
    empty_database: str,
    storefront: Storefront,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not even where a cart points to an order that an operator has deleted."""
    await storefront.ready_to_order()
    assert (await storefront.process()).status_code == 200
    await execute(empty_database, "DELETE FROM payment_attempts", "DELETE FROM orders")
    with live_shop(shop_settings(empty_database)) as shop:

        def talk() -> httpx2.Response:
            headers = {"Cart-Key": storefront.cart_key}
            return httpx2.post(
                shop.url + CHECKOUT, json={}, headers=headers, auth=shop.reference, timeout=30
            )

        assert_envelope(await asyncio.to_thread(talk), 500, "cocart_internal_error")
    assert storefront.cart_key not in all_that_was_logged(caplog)


# --- the database is away ------------------------------------------------------------------------


async def requests_that_need_the_database(storefront: Storefront) -> list[httpx2.Response]:
    return [
        await storefront.call("GET", f"{V2}/cart"),
        await storefront.call("GET", f"{V2}/cart/item/x"),
        await storefront.call("POST", f"{V2}/cart"),
        await storefront.call("POST", f"{V2}/cart/update", {"quantity": {"x": 1}}),
        await storefront.call("POST", f"{V2}/cart/clear"),
        await storefront.call("GET", CHECKOUT),
        await storefront.call("PATCH", CHECKOUT, {"currency": "EUR"}),
        await storefront.call("POST", CHECKOUT, {}),
        await storefront.call("GET", f"{CHECKOUT}/payment-methods"),
        await storefront.call("POST", f"{CHECKOUT}/payment-context", {"payment_method": "bacs"}),
        await storefront.call("GET", f"{PREVIEW}/order-received/1", order_key="x"),
        await storefront.http.get(f"{V2}/cart", auth=("admin", SECRET)),
        await storefront.http.get(f"{V2}/cart", auth=("ck_x", "cs_x")),
    ]


def assert_away(responses: list[httpx2.Response]) -> None:
    for response in responses:
        assert_envelope(response, 503, "cocart_service_unavailable")
        assert int(response.headers["Retry-After"]) >= 1


async def test_a_pool_that_is_closed(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    await storefront.shop.database.close()
    assert_away(await requests_that_need_the_database(storefront))


async def test_a_database_server_that_stops_and_comes_back(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "data", durable=False) as server:
        await migrate.upgrade(server.url)
        url = server.url
        connection = await asyncpg.connect(url)
        await product(connection)
        await connection.close()
        async with running(shop_settings(url)) as storefront:
            await storefront.ready_to_order()
            before = await storefront.state()
            server.stop()
            assert_away(await requests_that_need_the_database(storefront))
            server.start()
            assert server.url == url
            assert await storefront.state() == before
            placed = await storefront.process()
            assert placed.status_code == 200, placed.text


async def terminate(url: str, only: str = "true") -> int:
    """Ends the shop's connections, as an operator or a failover would; how many there were."""
    connection = await asyncpg.connect(url)
    try:
        return len(
            await connection.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE"
                f" application_name = 'checkstand' AND pid <> pg_backend_pid() AND {only}"
            )
        )
    finally:
        await connection.close()


async def test_connections_that_end_between_requests(
    storefront: Storefront, empty_database: str
) -> None:
    """Nobody notices."""
    await storefront.ready_to_order()
    for _ in range(3):
        assert await terminate(empty_database) >= 1
        await asyncio.sleep(0.1)
        added = await storefront.add()
        assert added.status_code == 200, added.text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{V2}/cart/add-item", {"id": "1"}),
        ("PUT", CHECKOUT, {"currency": "EUR"}),
        ("POST", CHECKOUT, {}),
    ],
)
async def test_connections_that_end_in_the_middle_of_a_request(
    storefront: Storefront, empty_database: str, method: str, path: str, body: Any
) -> None:
    """503, nothing changed; the same request succeeds when it is sent again."""
    await storefront.ready_to_order()
    before = await storefront.state()
    blocker = await asyncpg.connect(empty_database)
    try:
        lock = blocker.transaction()
        await lock.start()
        await blocker.execute("SELECT 1 FROM carts FOR UPDATE")
        request = asyncio.create_task(storefront.call(method, path, body))
        async with asyncio.timeout(10):
            while not await terminate(empty_database, "wait_event_type = 'Lock'"):
                await asyncio.sleep(0.01)
        assert_away([await request])
        await lock.rollback()
    finally:
        await blocker.close()
    assert await storefront.state() == before
    again = await storefront.call(method, path, body)
    assert again.status_code == 200, again.text


async def test_a_lock_that_does_not_come(empty_database: str, database: Database) -> None:
    """Another server process may be at this cart: 409, and when to ask again."""
    async with database.acquire() as connection:
        await product(connection)
    settings = shop_settings(empty_database, database={"lock_timeout": 0.2})
    async with running(settings) as storefront:
        await storefront.ready_to_order()
        async with database.transaction() as connection:
            await connection.execute("SELECT 1 FROM carts FOR UPDATE")
            for response in (await storefront.add(), await storefront.process()):
                assert_envelope(response, 409, "cocart_checkout_in_progress")
                assert response.headers["Retry-After"]
        assert (await storefront.add()).status_code == 200


async def test_a_pool_that_is_used_up(empty_database: str, database: Database) -> None:
    async with database.acquire() as connection:
        await product(connection)
    sizes = {"pool_min": 1, "pool_max": 1, "acquire_timeout": 0.2}
    async with running(shop_settings(empty_database, database=sizes)) as storefront:
        await storefront.ready_to_order()
        async with storefront.shop.database.acquire():
            assert_away([await storefront.add(), await storefront.call("GET", f"{V2}/cart")])
        assert (await storefront.add()).status_code == 200


# --- what all answers have -----------------------------------------------------------------------


async def test_nothing_is_kept_by_a_cache(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    line = (await storefront.call("GET", f"{V2}/cart")).json()["items"][0]["item_key"]
    responses = [
        await storefront.call("GET", f"{V2}/cart"),
        await storefront.call("POST", f"{V2}/cart", headers={"Cart-Key": ""}),
    ]
    storefront.cart_key = responses[0].headers["Cart-Key"]
    responses += [
        await storefront.add(),
        await storefront.call("POST", f"{V2}/cart/add-items", {"items": [{"id": "1"}]}),
        await storefront.call("GET", f"{V2}/cart/items"),
        await storefront.call("GET", f"{V2}/cart/items/count"),
        await storefront.call("GET", f"{V2}/cart/item/{line}"),
        await storefront.call("POST", f"{V2}/cart/item/{line}", {"quantity": 1}),
        await storefront.call("GET", f"{V2}/cart/totals"),
        await storefront.call("POST", f"{V2}/cart/calculate"),
        await storefront.call("POST", f"{V2}/cart/update", {"quantity": {line: 2}}),
        await storefront.call("GET", CHECKOUT),
        await storefront.call("PATCH", CHECKOUT, {}),
        await storefront.call("PUT", CHECKOUT, {}),
        await storefront.call("GET", f"{CHECKOUT}/payment-methods"),
        await storefront.call("POST", f"{CHECKOUT}/payment-context", {"payment_method": "bacs"}),
        await storefront.call("DELETE", f"{V2}/cart/item/{line}"),
        await storefront.call("PUT", f"{V2}/cart/item/{line}"),
    ]
    placed = await storefront.process()
    order = placed.json()
    responses += [
        placed,
        await storefront.process(),
        await storefront.call(
            "GET", f"{PREVIEW}/order-received/{order['order_id']}", order_key=order["order_key"]
        ),
        await storefront.call("POST", f"{V2}/cart/clear"),
        await storefront.call("DELETE", f"{V2}/cart/items"),
    ]
    for response in responses:
        assert response.status_code == 200, response.text
        assert_headers(response)
    ids = [response.headers["X-Request-Id"] for response in responses]
    assert len(set(ids)) == len(ids)


async def test_a_client_cannot_choose_its_request_id(storefront: Storefront) -> None:
    """It would let one client write into the lines of another's log."""
    headers = {"X-Request-Id": "chosen"}
    response = await storefront.call("GET", f"{V2}/cart", headers=headers)
    assert response.headers.get_list("X-Request-Id") != ["chosen"]
    assert_headers(response)


# --- the log -------------------------------------------------------------------------------------


def all_that_was_logged(caplog: pytest.LogCaptureFixture) -> str:
    """Messages, arguments and tracebacks of every record, but those of this test's own client."""
    lines = []
    for record in caplog.get_records("call"):
        if record.name.startswith(("httpx2", "httpcore2")):
            continue
        lines.append(f"{record.name} {record.getMessage()} {record.args!r} {record.__dict__}")
        if record.exc_info:
            lines += traceback.format_exception(*record.exc_info)
    return "\n".join(lines)


@dataclass
class Secrets:
    """What must never be written down, by what it is."""

    found: dict[str, str] = field(default_factory=dict)

    def basic(self, user: str, password: str) -> dict[str, str]:
        """The header that signs in; both of its spellings are secrets."""
        coded = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.found |= {f"password of {user}": password, f"Basic {user}": coded}
        return {"Authorization": f"Basic {coded}"}

    def in_text(self, text: str) -> list[str]:
        return [name for name, value in self.found.items() if value in text]


@pytest.fixture
def written(caplog: pytest.LogCaptureFixture) -> Iterator[Secrets]:
    """Secrets that a test uses; at its end none of them may be in any record, however detailed."""
    secrets = Secrets()
    with caplog.at_level(logging.DEBUG):
        yield secrets
    text = all_that_was_logged(caplog)
    assert "asyncio" in text or "checkstand" in text or "uvicorn" in text, "nothing was logged"
    assert not secrets.in_text(text)


async def test_no_secret_is_logged(
    empty_database: str, database: Database, clock: BrokenClock, written: Secrets
) -> None:
    """Over a real server that logs all it can, for requests that succeed, are refused, and fail."""
    async with database.acquire() as connection:
        await product(connection)
    settings = shop_settings(empty_database, log={"level": "debug"})
    async with running(settings) as inside:
        await administrator(inside.shop, SECRET)
    with live_shop(settings, clock=clock) as shop:
        key, secret = shop.reference
        written.found |= {"consumer secret": secret}

        def talk() -> None:
            with httpx2.Client(base_url=shop.url, timeout=30) as client:
                _shop_around(client, {"consumer_key": key, "consumer_secret": secret}, written)
                clock.broken = True
                _shop_around(client, {"consumer_key": key, "consumer_secret": secret}, written)
                clock.broken = False
                asyncio.run(terminate(empty_database))
                _shop_around(client, {"consumer_key": key, "consumer_secret": secret}, written)

        await asyncio.to_thread(talk)


def _shop_around(client: httpx2.Client, keys: dict[str, str], written: Secrets) -> None:
    """One purchase, and what may go wrong with it, with secrets wherever one can be sent."""
    added = client.post(f"{V2}/cart/add-item", json={"id": "1"})
    cart_key = added.headers.get("Cart-Key", "t_0123456789abcdef0123456789abcd")
    written.found["cart key"] = cart_key
    header, query = {"Cart-Key": cart_key}, {**keys, "cart_key": cart_key}
    token = "tok_visa_4242424242424242"
    written.found |= {"payment token": token, "new password": "correct-horse-battery"}
    data = {"payment_data": {"token": token}, "customer_password": "correct-horse-battery"}
    client.get(CHECKOUT, params=query)
    client.get(CHECKOUT, params={**query, "consumer_secret": f"{keys['consumer_secret']}x"})
    client.patch(
        CHECKOUT, params=query, json={"billing_address": BILLING, "payment_method": "bacs"}
    )
    client.patch(CHECKOUT, params=query, json=data)
    client.post(CHECKOUT, params=keys, headers=header, json={**data, "create_account": True})
    client.post(
        CHECKOUT, params=keys, headers=header, content=b'{"payment_data":"' + token.encode()
    )
    client.post(CHECKOUT, params=keys, headers={**header, "Idempotency-Key": "\x7f"}, json={})
    placed = client.post(CHECKOUT, params=keys, headers=header, json=data)
    with suppress(KeyError):
        order = placed.json()
        written.found["order key"] = order["order_key"]
        path = f"{PREVIEW}/order-received/{order['order_id']}"
        assert client.get(path, params={"order_key": order["order_key"]}).status_code == 200
        client.get(path, params={"order_key": order["order_key"] + "x"})
    for user, password in (("admin", SECRET), ("admin", SECRET + "x"), ("nobody", SECRET)):
        client.get(f"{V2}/cart", headers=written.basic(user, password))
    pair = (keys["consumer_key"], keys["consumer_secret"])
    client.get(CHECKOUT, headers={**header, **written.basic(*pair)})
    client.get(f"{V2}/cart", headers={"Authorization": f"Bearer {SECRET}"})


async def test_no_secret_is_logged_when_the_database_is_away(
    storefront: Storefront, written: Secrets
) -> None:
    await storefront.ready_to_order()
    written.found |= {
        "cart key": storefront.cart_key,
        "consumer secret": storefront.keys["consumer_secret"],
        "password": SECRET,
    }
    await storefront.shop.database.close()
    assert_away(await requests_that_need_the_database(storefront))
    logging.getLogger("checkstand").debug("the fixture wants to see something")


async def test_no_secret_is_logged_under_another_server_command(empty_database: str) -> None:
    """`uvicorn --factory checkstand.app:from_environment`, which its docstring offers, has an
    access log unless told otherwise; query strings carry secrets and cart keys."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "uvicorn", "--fd", str(listener.fileno())),
            *("--factory", "checkstand.app:from_environment"),
            env={**os.environ, "CHECKSTAND_DATABASE__URL": empty_database},
            pass_fds=[listener.fileno()],
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            params = {"consumer_key": "ck_x", "consumer_secret": SECRET, "cart_key": "t_0123456789"}
            assert (await client.get(CHECKOUT, params=params)).status_code == 401
    finally:
        server.terminate()
        written, _ = await server.communicate()
    assert b"startup complete" in written
    assert SECRET.encode() not in written
    assert b"t_0123456789" not in written
