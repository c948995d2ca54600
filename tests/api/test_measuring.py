"""Server-Timing and /metrics: on when asked for, with labels that nobody outside can choose."""

from __future__ import annotations

import re

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from checkstand.storage.database import Database
from tests.fakes import ScriptedGateway
from tests.makers import PREVIEW, V2, Storefront, product, running, shop_settings

METRICS = "/metrics"


def samples(text: str) -> dict[tuple[str, ...], float]:
    """The counts, by metric and labels."""
    return {
        (family.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.endswith("_count")
    }


async def test_what_is_measured(empty_database: str, database: Database) -> None:
    async with database.acquire() as connection:
        await product(connection)
    settings = shop_settings(empty_database)
    async with running(settings, gateways={"card": ScriptedGateway()}) as shop:
        await shop.ready_to_order()
        await shop.call("POST", f"{PREVIEW}/checkout/payment-context", {"payment_method": "card"})
        await shop.process(payment_method="card")
        await shop.call("GET", f"{V2}/address/search", query="alder")
        await shop.call("GET", f"{V2}/address/details", provider="demo_places", address_id="or-1")
        await shop.call("GET", f"{V2}/cart/item/nope")
        for path in ("/nowhere", "/wp-json/cocart/v2/secret-t_key", "/%00"):
            await shop.call("GET", path)
        response = await shop.http.get(METRICS)
        assert response.headers["Content-Type"].startswith("text/plain")
        counts = samples(response.text)
        request, provider = "checkstand_request_seconds", "checkstand_provider_seconds"
        assert counts[request, "add_item", "2xx"] == 1
        assert counts[request, "post_checkout", "2xx"] == 1
        assert counts[request, "read_item", "4xx"] == 1
        assert counts[request, "no_route", "4xx"] == 2
        assert counts[provider, "charge", "approved", "card"] == 1
        assert counts[provider, "context", "made", "card"] == 1
        assert counts[provider, "address_search", "answered", "demo_places"] == 1
        assert counts[provider, "address_details", "answered", "demo_places"] == 1
        for private in (shop.cart_key, "secret", "alder", "or-1", "Okafor", "ck_", "/wp-json"):
            assert private not in response.text


async def test_there_are_no_more_series_than_routes(storefront: Storefront) -> None:
    for index in range(50):
        await storefront.call("GET", f"/wp-json/cocart/v2/x{index}")
        await storefront.call("GET", f"{V2}/cart/item/{index}")
        await storefront.call(f"VERB{index}", f"{V2}/cart")
    counts = samples((await storefront.http.get(METRICS)).text)
    assert len(counts) <= 4


async def test_an_unexpected_fault_is_counted(storefront: Storefront, empty_database: str) -> None:
    from tests.makers import execute

    await execute(empty_database, "ALTER TABLE carts RENAME TO carts_gone")
    try:
        response = await storefront.call("GET", f"{V2}/cart", headers={"Cart-Key": "t_x"})
    finally:
        await execute(empty_database, "ALTER TABLE carts_gone RENAME TO carts")
    assert response.status_code >= 500
    counts = samples((await storefront.http.get(METRICS)).text)
    assert counts["checkstand_request_seconds", "read_cart", "5xx"] == 1


@pytest.mark.parametrize(
    ("setting", "client", "headers", "status"),
    [
        ("local", "127.0.0.1", {}, 200),
        ("local", "::1", {}, 200),
        ("local", "10.0.0.9", {}, 404),
        ("local", "203.0.113.5", {}, 404),
        ("local", "127.0.0.1", {"X-Forwarded-For": "203.0.113.5"}, 404),
        ("local", "127.0.0.1", {"Forwarded": "for=203.0.113.5"}, 404),
        ("local", "unix", {}, 403),  # not known to be local: HTTPS is required
        ("on", "203.0.113.5", {}, 200),
        ("off", "127.0.0.1", {}, 404),
    ],
)
async def test_who_reads_it(
    empty_database: str, setting: str, client: str, headers: dict[str, str], status: int
) -> None:
    async with running(shop_settings(empty_database, server={"metrics": setting})) as shop:
        app = shop.http._transport.app  # type: ignore[attr-defined]
        transport = httpx2.ASGITransport(app=app, client=(client, 1))
        async with httpx2.AsyncClient(transport=transport, base_url="http://shop.test") as http:
            response = await http.get(METRICS, headers=headers)
    assert response.status_code == status
    if status == 404:
        assert response.json()["code"] == "rest_no_route"


@pytest.mark.parametrize("tells", [True, False])
async def test_server_timing(empty_database: str, tells: bool) -> None:
    async with running(shop_settings(empty_database, server={"timing": tells})) as shop:
        for path in (f"{V2}/cart", "/nowhere"):
            said = (await shop.call("GET", path)).headers.get("Server-Timing")
            if not tells:
                assert said is None
            else:
                assert re.fullmatch(r"total;dur=\d+\.\d\d", said or "")
