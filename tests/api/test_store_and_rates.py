"""The store, the checkout form's configuration, and what shipping a product would cost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from checkstand.http.cocart.v2.store import gmt_offset
from checkstand.storage.database import Database
from tests.api.wardrobe import furnish
from tests.makers import V2, Storefront, execute, running, shop_settings

DENIED = "cocart_calculate_product_shipping"
START = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
async def shop(empty_database: str, database: Database) -> AsyncIterator[Storefront]:
    async with database.acquire() as connection:
        await furnish(connection, START)
    async with running(shop_settings(empty_database)) as client:
        yield client


# --- the store ------------------------------------------------------------------------------------


async def test_store(shop: Storefront) -> None:
    response = await shop.http.get(f"{V2}/store")
    body = response.json()
    assert response.headers["Cache-Control"] == "no-store, private"
    assert (body["title"], body["store_name"]) == ("Checkstand demo shop",) * 2
    assert body["home_url"] == "http://shop.test"
    assert body["timezone_string"] == "America/Los_Angeles"
    assert body["store_address"]["postcode"] == "94111"
    paths = (await shop.http.get("/openapi.json")).json()["paths"]
    assert set(body["routes"]) == {
        path.removeprefix(V2) for path in paths if path.startswith(f"{V2}/")
    }
    assert all(body["routes"].values())


@pytest.mark.parametrize(
    ("zone", "month", "expected"),
    [
        ("America/Los_Angeles", 1, "-8"),
        ("America/Los_Angeles", 7, "-7"),
        ("Asia/Kolkata", 1, "5.5"),
        ("UTC", 1, "0"),
    ],
)
def test_gmt_offset(zone: str, month: int, expected: str) -> None:
    assert gmt_offset(datetime(2026, month, 1, tzinfo=UTC), zone) == expected


# --- the checkout form ----------------------------------------------------------------------------


async def test_checkout_config(shop: Storefront) -> None:
    response = await shop.http.get(f"{V2}/checkout/config")
    config = response.json()
    assert response.status_code == 200, "neither a cart nor a key"
    countries = config["countries"]
    assert len(countries["allowed_countries"]) > 240
    assert countries["allowed_countries"]["DE"] == "Germany"
    assert countries["states"]["US"]["CA"] == "California"
    assert countries["states"]["DE"] == {}
    assert set(countries["states"]) == set(countries["allowed_countries"])
    assert countries["default_country"] == "US"
    assert len(countries["eu_countries"]) == 27
    assert set(config["validation"]["postcode"]["patterns"]) == set(
        "GB US CA FR DE IT ES NL AU NZ BR JP IN CN".split()
    )
    locale = config["locale_settings"]
    assert locale["DE"]["state"]["required"] is False
    assert locale["DE"]["postcode"]["priority"] < locale["DE"]["city"]["priority"]
    assert locale["US"]["state"]["required"] is True
    assert locale["CA"]["state"]["label"] == "Province"
    assert locale["HK"]["postcode"]["hidden"] is True
    billing = config["fields"]["billing"]
    assert billing["billing_state"]["required"] is True, "as the store's own country wants it"
    assert "shipping_email" not in config["fields"]["shipping"]
    assert config["store"]["currency_position"] == "left"
    assert config["store"]["tax_display_cart"] == "excl"
    assert config["account"]["guest_checkout_enabled"] is True


async def test_what_the_form_demands_is_what_an_order_needs(shop: Storefront) -> None:
    """The same facts: a form that is filled in as it demands is accepted."""
    from checkstand.customers.addresses import Address, missing

    locale = (await shop.http.get(f"{V2}/checkout/config")).json()["locale_settings"]
    for country, changes in locale.items():
        lacking = missing(Address(country=country), "billing_address", needs_email=True)
        needed = {problem.field.rpartition(".")[2] for problem in lacking}
        demanded = {part for part, wish in changes.items() if wish.get("required")}
        assert demanded == needed - {"first_name", "last_name", "email"}, country


async def test_checkout_config_of_another_shop(empty_database: str) -> None:
    store: dict[str, Any] = {
        "sell_to": ["DE", "AT"],
        "currency": "EUR",
        "currencies": {},
        "language": "de_DE",
        "address": {"country": "DE", "city": "Berlin", "postcode": "10115"},
    }
    settings = shop_settings(
        empty_database,
        store=store,
        tax={"prices_include_tax": True},
        checkout={"guest_checkout": False},
        shipping={"enabled": False},
    )
    async with running(settings) as shop:
        config = (await shop.http.get(f"{V2}/checkout/config")).json()
        assert set(config["countries"]["allowed_countries"]) == {"DE", "AT"}
        assert config["countries"]["shipping_countries"] == {}
        assert config["countries"]["default_country"] == "DE"
        assert config["store"]["currency_position"] == "right_space"
        assert config["store"]["price_decimal_sep"] == ","
        assert config["store"]["tax_display_cart"] == "incl"
        assert config["account"]["must_create_account"] is True
        assert config["shipping"]["enabled"] is False
        assert config["fields"]["billing"]["billing_state"]["required"] is False


# --- shipping rates of a product ------------------------------------------------------------------


async def test_rates_go_to_the_store_s_place(shop: Storefront) -> None:
    body = (await shop.http.get(f"{V2}/products/1/shipping-rates")).json()
    (package,) = body["packages"].values()
    assert list(body["packages"]) == ["1"]
    assert "San Francisco" in package["formatted_destination"]
    costs = {key: rate["cost"] for key, rate in package["rates"].items()}
    assert costs == {"flat_rate:1": "500", "local_pickup:3": "0", "flat_rate:4": "1050"}
    assert package["rates"]["flat_rate:1"]["html"] == "Flat rate: $5.00"
    assert package["rates"]["flat_rate:1"]["meta_data"] == {"items": "Premium T-Shirt × 1"}
    many = (await shop.http.get(f"{V2}/products/1/shipping-rates?quantity=10")).json()
    rates = many["packages"]["1"]["rates"]
    assert rates["flat_rate:4"]["cost"] == "2400"
    assert rates["free_shipping:2"]["cost"] == "0", "a hundred dollars and more"
    assert many["item_key"] == body["item_key"], "the key of the line, whatever its quantity"
    added = (await shop.add(1)).json()
    assert added["items"][0]["item_key"] == body["item_key"]


async def test_rates_of_a_variation_and_of_what_is_not_shipped(shop: Storefront) -> None:
    by_options = await shop.http.get(
        f"{V2}/products/2/shipping-rates", params={"variation[attribute_pa_size]": "small"}
    )
    assert (by_options.json()["id"], by_options.json()["parent_id"]) == (3, 2)
    by_sku = await shop.http.get(f"{V2}/products/HOODIE-S/shipping-rates")
    assert by_sku.json()["item_key"] == by_options.json()["item_key"]
    virtual = await shop.http.get(f"{V2}/products/6/shipping-rates")
    assert virtual.json()["packages"] == []


async def test_nothing_is_kept(shop: Storefront, empty_database: str) -> None:
    shop.statements.clear()
    await shop.http.get(f"{V2}/products/1/shipping-rates")
    written = [s for s in shop.statements if s.split()[0].upper() in ("INSERT", "UPDATE", "DELETE")]
    assert written == []


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("5", {}, 403, f"{DENIED}_external_types_denied"),
        ("4", {}, 403, f"{DENIED}_grouped_types_denied"),
        ("1", {"cart_key": "t_abc"}, 403, f"{DENIED}_rates_cart_access_denied"),
        ("999", {}, 404, "cocart_unknown_product_id"),
        ("NOSKU", {}, 404, "cocart_unknown_product_id"),
        ("8", {}, 404, "cocart_invalid_product"),
        ("2", {}, 404, "cocart_variation_invalid_id"),
        ("2", {"variation[attribute_pa_size]": "huge"}, 404, "cocart_variation_invalid_id"),
        ("1", {"quantity": "0"}, 400, "cocart_invalid_parameter"),
        ("1", {"quantity": "1.5"}, 400, "cocart_invalid_parameter"),
        ("1", {"item_data[x]": "y" * 201}, 400, "cocart_invalid_parameter"),
    ],
)  # fmt: skip
async def test_refused_rates(
    shop: Storefront, path: str, query: dict[str, str], status: int, code: str
) -> None:
    response = await shop.http.get(f"{V2}/products/{path}/shipping-rates", params=query)
    assert (response.status_code, response.json()["code"]) == (status, code)


async def test_tax_on_rates(shop: Storefront, empty_database: str) -> None:
    await execute(
        empty_database,
        "INSERT INTO tax_rates (country, state, rate, name) VALUES ('US', 'CA', 10, 'CA tax')",
    )
    body = (await shop.http.get(f"{V2}/products/1/shipping-rates")).json()
    assert body["packages"]["1"]["rates"]["flat_rate:1"]["taxes"] == "50"
    assert body["packages"]["1"]["rates"]["local_pickup:3"]["taxes"] == ""
