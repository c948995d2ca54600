"""`?explain=1` on cart and checkout: who may, what it says, and that nobody else pays for it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from checkstand.access import keys as key_room
from checkstand.access.key_store import Terms
from checkstand.access.principal import Permission
from checkstand.http.cocart.v2.schemas import CartOut
from checkstand.http.explained_schemas import TraceOut
from checkstand.pricing import explaining
from checkstand.promotions.model import CouponKind
from checkstand.storage.database import Database
from tests.api.test_v2_checkout import TOTALS
from tests.makers import (
    BILLING,
    PREVIEW,
    V2,
    Storefront,
    coupon,
    product,
    running,
    shop_settings,
)

PATHS = (f"{V2}/cart", f"{V2}/checkout", f"{PREVIEW}/checkout")


@pytest.mark.parametrize("path", PATHS)
async def test_every_total_is_explained(empty_database: str, database: Database, path: str) -> None:
    async with database.acquire() as connection:
        await product(connection)
        await connection.execute(
            "INSERT INTO tax_rates (country, state, rate, name, priority, tax_class) VALUES "
            "('US', 'CA', 8.875, 'State', 1, ''), ('US', '', 1.5, 'Federal', 2, '')"
        )
    settings = shop_settings(
        empty_database,
        tax={"enabled": True},
        store={"currencies": {"EUR": {"rate": "0.85"}}},
    )
    async with running(settings) as shop:
        await shop.add(quantity=3)
        await shop.update(billing_address=BILLING, payment_method="bacs", currency="EUR")
        plain = (await shop.call("GET", path)).json()
        body = (await shop.call("GET", path, keys=shop.keys, explain="1")).json()
        said = body.pop("explanation")
        assert body == plain
        assert set(said) == set(TOTALS)
        for trace in said.values():
            TraceOut.model_validate(trace)
        totals = (await shop.call("GET", f"{V2}/checkout")).json()["cart_totals"]
        for name, amount in totals.items():
            assert said[name]["amount"] == amount
            assert sum(int(part["amount"]) for part in said[name]["parts"]) == int(amount)
        [line] = said["subtotal"]["parts"]
        assert line["steps"] == [
            {"rule": "price", "result": "1999"},
            {
                "rule": "exchange",
                "rate": "0.85",
                "exact": "1699.15",
                "rounding": "half up",
                "result": "1699",
            },
            {"rule": "quantity", "rate": "3", "result": "5097"},
        ]
        state, federal = said["cart_contents_tax"]["parts"]
        assert state["steps"][:2] == federal["steps"][:2]
        assert state["steps"][1] == {
            "rule": "tax on top",
            "rate": "10.375%",
            "exact": "528.81375",
            "rounding": "half up",
            "result": "529",
        }
        assert state["steps"][2]["rounding"] == "largest remainder"
        assert int(state["amount"]) + int(federal["amount"]) == 529


@pytest.mark.parametrize("path", PATHS)
async def test_who_may(storefront: Storefront, path: str) -> None:
    shop = storefront
    await shop.ready_to_order()
    response = await shop.call("GET", path, keys={}, explain="1")
    assert (response.status_code, response.json()["code"]) == (401, "cocart_authentication_error")
    for permission, status in [(Permission.READ, 200), (Permission.WRITE, 403)]:
        async with shop.shop.database.transaction() as connection:
            made = await key_room.create(connection, Terms("x", permission))
        keys = {"consumer_key": made.consumer_key, "consumer_secret": made.consumer_secret}
        response = await shop.call("GET", path, keys=keys, explain="1")
        assert response.status_code == status
        assert ("explanation" in response.json()) is (status == 200)


@pytest.mark.parametrize("path", PATHS)
async def test_nobody_else_pays_for_it(
    storefront: Storefront, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    from checkstand.http import explaining as over_http

    await storefront.ready_to_order()

    def never(*_: object) -> object:
        raise AssertionError("nobody asked")

    monkeypatch.setattr(over_http, "explain", never)
    assert explaining.explain is not never
    wrong = await storefront.call("GET", path, explain="perhaps")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "rest_invalid_param")
    for no in ("0", "false", "no"):
        response = await storefront.call("GET", path, explain=no)
        assert response.status_code == 200
        assert "explanation" not in response.json()
    assert (await storefront.call("GET", path)).status_code == 200


async def test_an_empty_cart_has_nothing_to_explain(storefront: Storefront) -> None:
    response = await storefront.call("GET", f"{V2}/cart", keys=storefront.keys, explain="yes")
    assert {trace["amount"] for trace in response.json()["explanation"].values()} == {"0"}


async def test_explaining_costs_no_statement(storefront: Storefront) -> None:
    await storefront.ready_to_order()
    await storefront.call("GET", f"{V2}/checkout")
    storefront.statements.clear()
    await storefront.call("GET", f"{V2}/checkout", explain="1")
    assert len(storefront.statements) == 1


async def test_coupons_are_explained(empty_database: str, database: Database) -> None:
    async with database.acquire() as connection:
        await product(connection)
        mug = await product(connection, name="Mug", slug="mug", regular_price=1250)
        await coupon(connection, "third", amount=Decimal("33.3333"))
        await coupon(connection, "five", kind=CouponKind.FIXED_CART, amount=Decimal(500))
        await connection.execute(
            "INSERT INTO tax_rates (country, rate, name, priority, tax_class) VALUES "
            "('', 20, 'VAT', 1, '')"
        )
    taxed = {"enabled": True, "prices_include_tax": True}
    async with running(shop_settings(empty_database, tax=taxed)) as shop:
        await shop.add(quantity=3)
        await shop.add(mug)
        for code in ("third", "five"):
            await shop.call("POST", f"{V2}/cart/apply-coupon", {"coupon": code})
        body = (await shop.call("GET", f"{V2}/cart", keys=shop.keys, explain="1")).json()
        said = body["explanation"]
        CartOut.model_validate(body)
        for name, amount in body["totals"].items():
            assert said[name]["amount"] == amount
            assert sum(int(part["amount"]) for part in said[name]["parts"]) == int(amount)
            assert all(part["steps"] for part in said[name]["parts"])
        [first, *_] = [p for p in said["discount_total"]["parts"] if p["name"] == "Premium T-Shirt"]
        assert (first["of"], first["code"], first["label"]) == ("coupon", "third", "Coupon: third")
        assert first["line"] == body["items"][0]["item_key"]
        assert first["steps"] == [
            {"rule": "price of all that it is for", "result": "7247"},
            {
                "rule": "per cent",
                "rate": "33.3333%",
                "exact": "2415.664251",
                "rounding": "half up",
                "result": "2416",
            },
            {
                "rule": "share",
                "rate": "5997 of 7247",
                "rounding": "largest remainder",
                "result": "1999",
            },
            {"rule": "line without tax, before less after coupons", "result": "2010"},
            {
                "rule": "share of the coupon",
                "rate": "1999 of 2413",
                "rounding": "largest remainder",
                "result": "1665",
            },
        ]
        five = [p for p in said["discount_total"]["parts"] if p["code"] == "five"]
        assert [p["steps"][0] for p in five] == [
            {"rule": "amount of the coupon", "result": "500"}
        ] * 2
        after = said["cart_contents_total"]["parts"][0]["steps"]
        assert [step["rule"] for step in after] == [
            "price",
            "quantity",
            "coupon",
            "coupon",
            "take out tax",
        ]
