"""HTTPS, CORS and the headers that every answer carries."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from checkstand.app import create_app, transport_of
from checkstand.settings import Settings
from tests.makers import PREVIEW, V2, Storefront, running, shop_settings

PAGE = "https://shop.example"
CART = f"{V2}/cart"
# What the official clients send and read (sdk-expectations 1, README 6).
SENT = {
    "authorization", "content-type", "cart-key", "cocart-api-cart-key", "if-none-match",
    "user-agent", "idempotency-key", "checkstand-dialect",
}  # fmt: skip
READ = {
    "cart-key", "cocart-api-cart-key", "cart-expiring", "cart-expiration", "timestamp",
    "cocart-version", "cocart-api-cart-expiring", "cocart-api-cart-expiration", "x-wp-total",
    "x-wp-totalpages", "link", "etag", "cocart-cache", "retry-after", "ratelimit-limit",
    "ratelimit-remaining", "ratelimit-reset", "ratelimit-retry-after",
}  # fmt: skip


def names(value: str) -> set[str]:
    return {name.strip().lower() for name in value.split(",")}


def preflight(origin: str = PAGE) -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "cart-key,content-type",
    }


def shared(url: str, *origins: str) -> Settings:
    return shop_settings(url, security={"cors_origins": list(origins)})


async def test_a_browser_may_send_and_read_what_clients_need(empty_database: str) -> None:
    async with running(shared(empty_database, PAGE)) as shopper:
        for path in (CART, f"{CART}/add-item", f"{PREVIEW}/checkout"):
            asked = await shopper.call("OPTIONS", path, headers=preflight())
            assert asked.status_code == 204
            assert asked.content == b""
            assert asked.headers["Access-Control-Allow-Origin"] == PAGE
            assert asked.headers["Access-Control-Allow-Credentials"] == "true"
            assert asked.headers["Access-Control-Max-Age"] == "600"
            assert names(asked.headers["Access-Control-Allow-Headers"]) >= SENT
            methods = names(asked.headers["Access-Control-Allow-Methods"])
            assert methods == {"options", "get", "post", "put", "patch", "delete"}
        answer = await shopper.call("GET", CART, headers={"Origin": PAGE})
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert names(answer.headers["Access-Control-Expose-Headers"]) >= READ
        assert "origin" in names(answer.headers["Vary"])
        refused = await shopper.call("GET", f"{PREVIEW}/nothing", headers={"Origin": PAGE})
        assert refused.status_code == 404
        assert refused.headers["Access-Control-Allow-Origin"] == PAGE, "errors are read as well"


async def test_pages_of_other_origins_may_not_read(empty_database: str) -> None:
    async with running(shared(empty_database, PAGE)) as shopper:
        for origin in ("https://evil.example", "https://shop.example.evil.example", "null"):
            answer = await shopper.call("GET", CART, headers={"Origin": origin})
            assert answer.status_code == 200
            assert "Access-Control-Allow-Origin" not in answer.headers
            asked = await shopper.call("OPTIONS", CART, headers=preflight(origin))
            assert "Access-Control-Allow-Origin" not in asked.headers
            assert asked.status_code == 405
        plain = await shopper.call("GET", CART)
        assert plain.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in plain.headers


async def test_a_star_allows_all_without_the_browsers_own_credentials(empty_database: str) -> None:
    async with running(shared(empty_database, "*")) as shopper:
        answer = await shopper.call("GET", CART, headers={"Origin": "https://any.example"})
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_cors_is_off_unless_an_origin_is_named(storefront: Storefront) -> None:
    answer = await storefront.call("GET", CART, headers={"Origin": PAGE})
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    ("host", "base_url", "local"),
    [
        ("127.0.0.1", "", True),
        ("localhost", "http://localhost:8000", True),
        ("127.0.0.1", "https://api.shop.example", False),
        ("127.0.0.1", "http://localhost.evil.example", False),
        ("0.0.0.0", "", False),
    ],
)
def test_a_shop_of_this_machine_lets_pages_of_this_machine_in(
    host: str, base_url: str, local: bool
) -> None:
    cors = transport_of(Settings(server={"host": host, "base_url": base_url})).cors  # type: ignore[arg-type]
    for origin in ("http://localhost:3000", "http://127.0.0.1:5173", "http://[::1]:80"):
        assert bool(cors.headers(origin)) == local
    for origin in (PAGE, "http://localhost.evil.example", "http://127.0.0.1.evil.example"):
        assert not cors.headers(origin)


async def test_every_answer_has_the_safe_headers(storefront: Storefront) -> None:
    await storefront.add()
    for path in (
        CART, f"{CART}/nothing", f"{PREVIEW}/checkout", f"{PREVIEW}/order-received/1",
        "/nothing", "/openapi.json", "/checkout/order-received/1/",
    ):  # fmt: skip
        answer = await storefront.call("GET", path)
        assert answer.headers["Cache-Control"] == "no-store, private", path
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert names(answer.headers["Vary"]) >= {"authorization", "cart-key", "origin"}
        assert len(answer.headers.get_list("X-Content-Type-Options")) == 1
        assert "Strict-Transport-Security" not in answer.headers, "nobody came by HTTPS"


async def from_address(
    settings: Settings, address: str, scheme: str = "http", **headers: str
) -> Any:
    """What somebody is answered who connects from this address."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app=app, client=(address, 5000))
        async with httpx2.AsyncClient(
            transport=transport, base_url=f"{scheme}://shop.test"
        ) as client:
            return await client.get(CART, headers=headers)


async def test_plain_http_is_for_this_machine_and_private_networks(empty_database: str) -> None:
    settings = shop_settings(empty_database)
    for local in ("127.0.0.1", "10.2.3.4", "::1"):
        assert (await from_address(settings, local)).status_code == 200
    refused = await from_address(settings, "8.8.8.8")
    assert refused.status_code == 403
    assert refused.json()["code"] == "cocart_https_required"
    assert refused.headers["X-Request-Id"]
    secure = await from_address(settings, "8.8.8.8", "https")
    assert secure.status_code == 200
    assert secure.headers["Strict-Transport-Security"] == "max-age=31536000"
    lie = await from_address(settings, "8.8.8.8", X_Forwarded_Proto="https")
    assert lie.status_code == 403


async def test_a_trusted_proxy_says_how_the_client_came(empty_database: str) -> None:
    settings = shop_settings(empty_database, security={"trusted_proxies": ["10.0.0.0/8"]})
    said = {"X-Forwarded-For": "8.8.8.8", "X-Forwarded-Proto": "https"}
    assert (await from_address(settings, "10.0.0.1", **said)).status_code == 200
    said["X-Forwarded-Proto"] = "http"
    assert (await from_address(settings, "10.0.0.1", **said)).status_code == 403


async def test_https_can_be_left_to_others(empty_database: str) -> None:
    chosen = {"require_https": False, "hsts_seconds": 0}
    settings = shop_settings(empty_database, security=chosen)
    assert (await from_address(settings, "8.8.8.8")).status_code == 200
    secure = await from_address(settings, "8.8.8.8", "https")
    assert "Strict-Transport-Security" not in secure.headers
