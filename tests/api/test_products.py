"""The catalogue over v2: who sees what, filters, orders, pages, prices, and what it may cost."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.requests import Request

from checkstand.catalog.store import listing
from checkstand.catalog.upkeep import keep_listing_true
from checkstand.http.cocart.v2.product_query import product_query
from checkstand.storage.database import Database
from tests.api.wardrobe import furnish
from tests.makers import (
    BILLING,
    V2,
    Storefront,
    execute,
    fewest,
    product,
    running,
    shop_settings,
    sql_count,
)

PRODUCTS = f"{V2}/products"
START = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
async def wardrobe(empty_database: str, database: Database) -> AsyncIterator[Storefront]:
    async with database.acquire() as connection:
        await furnish(connection, START)
    async with running(shop_settings(empty_database)) as client:
        yield client


async def ids(shop: Storefront, **query: Any) -> list[int]:
    response = await shop.http.get(PRODUCTS, params=query)
    assert response.status_code == 200, response.text
    return [each["id"] for each in response.json()["products"]]


# --- who sees what --------------------------------------------------------------------------------


async def test_a_stranger_sees_published_products_only(wardrobe: Storefront) -> None:
    assert await ids(wardrobe) == [10, 6, 5, 4, 2, 1]
    assert await ids(wardrobe, catalog_visibility="any") == [10, 9, 6, 5, 4, 2, 1]
    assert await ids(wardrobe, catalog_visibility="hidden") == [9]
    for reference in ("8", "DRAFT", "draft", "999", "nothing"):
        response = await wardrobe.http.get(f"{PRODUCTS}/{reference}")
        assert (response.status_code, response.json()["code"]) == (
            404,
            "cocart_product_not_found",
        )
    for query in ({"include": "8"}, {"sku": "DRAFT"}, {"slug": "draft"}, {"search": "draft"}):
        assert await ids(wardrobe, catalog_visibility="any", **query) == []
    reviews = (await wardrobe.http.get(f"{PRODUCTS}/reviews")).json()
    assert sorted(each["reviewer"] for each in reviews) == ["Bo", "Ines"]


async def test_a_variation_of_a_draft_is_not_seen(wardrobe: Storefront) -> None:
    async with wardrobe.shop.database.transaction() as connection:
        await connection.execute("UPDATE products SET published = false WHERE id = 2")
    for reference in ("3", "HOODIE-S", "hoodie"):
        assert (await wardrobe.http.get(f"{PRODUCTS}/{reference}")).status_code == 404
    assert 3 not in await ids(wardrobe, return_variations="true", catalog_visibility="any")


async def test_one_by_id_sku_and_slug(wardrobe: Storefront) -> None:
    for reference, id in [
        ("1", 1), ("TSHIRT", 1), ("premium-t-shirt", 1), ("hoodie", 2), ("HOODIE-S", 3), ("3", 3),
        ("9", 9),
    ]:  # fmt: skip
        assert (await wardrobe.http.get(f"{PRODUCTS}/{reference}")).json()["id"] == id
    # A number is an ID first, and a SKU only where no product has that ID.
    async with wardrobe.shop.database.transaction() as connection:
        await connection.execute("UPDATE products SET sku = '1' WHERE id = 5")
        await connection.execute("UPDATE products SET sku = '777' WHERE id = 6")
    assert (await wardrobe.http.get(f"{PRODUCTS}/1")).json()["id"] == 1
    assert (await wardrobe.http.get(f"{PRODUCTS}/777")).json()["id"] == 6
    for reference in ("0", "9" * 30):
        response = await wardrobe.http.get(f"{PRODUCTS}/{reference}")
        assert (response.status_code, response.json()["code"]) == (
            400,
            "cocart_invalid_product_id",
        )


async def test_variations(wardrobe: Storefront) -> None:
    response = await wardrobe.http.get(f"{PRODUCTS}/2/variations")
    assert [each["id"] for each in response.json()] == [3, 7]
    assert response.headers["X-WP-Total"] == "2"
    small = response.json()[0]
    assert small["parent_id"] == 2
    assert small["attributes"] == {
        "attribute_pa_size": {"id": 1, "name": "Size", "option": {"small": "Small"}}
    }
    assert small["permalink"] == "http://shop.test/product/hoodie/?attribute_pa_size=small"
    assert "variation[attribute_pa_size]=small" in small["add_to_cart"]["rest_url"]
    only = await wardrobe.http.get(f"{PRODUCTS}/2/variations?sku=HOODIE-L")
    assert [each["id"] for each in only.json()] == [7]
    for path, status, code in [
        ("1/variations", 404, "cocart_product_not_found"),
        ("99/variations", 404, "cocart_product_not_found"),
        ("2/variations/1", 404, "cocart_variation_not_found"),
        ("2/variations/99", 404, "cocart_variation_not_found"),
        ("2/variations/x", 400, "cocart_invalid_id"),
        ("2/variations/0", 400, "cocart_invalid_id"),
        ("2/variations?per_page=0", 400, "cocart_invalid_parameter"),
    ]:
        found = await wardrobe.http.get(f"{PRODUCTS}/{path}")
        assert (found.status_code, found.json()["code"]) == (status, code), path


# --- filters and orders ---------------------------------------------------------------------------

FILTERS: list[tuple[dict[str, Any], set[int]]] = [
    ({"search": "shirt"}, {1}),
    ({"search": "cott"}, {1}),
    ({"search": "TSHIRT"}, {1}),
    ({"search": "hoodie small"}, set()),
    ({"search": "%"}, set()),
    ({"search": "!!! & | :*"}, set()),
    ({"slug": "hoodie"}, {2}),
    ({"sku": "TSHIRT,HOODIE-S"}, {1, 3}),
    ({"global_unique_id": "4006381333931"}, {1}),
    ({"type": "simple"}, {1, 6, 10}),
    ({"type": "variation"}, {3, 7}),
    ({"include_types": "grouped,external"}, {4, 5}),
    ({"exclude_types": "simple"}, {2, 4, 5}),
    ({"featured": "true"}, {1}),
    ({"featured": "0"}, {2, 4, 5, 6, 10}),
    ({"on_sale": "1"}, {1, 4}),
    ({"virtual": "true"}, {6}),
    ({"hide_free": "true"}, {1, 2, 4, 5, 10}),
    ({"min_price": "14.99", "max_price": "15"}, {1, 4}),
    ({"min_price": "45"}, {2}),
    ({"max_price": "9"}, {4, 5, 6}),
    ({"stock_status": "outofstock"}, {10}),
    ({"stock_status": "instock"}, {1, 2, 4, 5, 6}),
    ({"rating": "4"}, {1}),
    ({"rating": "1,2"}, set()),
    ({"after": "2026-05-01T20:30:00Z"}, {10}),
    ({"before": "2026-05-01T14:30:00+00:00"}, {1, 2}),
    # Without an offset it is the store's own time: Los Angeles is seven hours behind.
    ({"after": "2026-05-01T13:30:00"}, {10}),
    ({"include": "1,2"}, {1, 2}),
    ({"include[]": ["1", "2"]}, {1, 2}),
    ({"include[0]": "1"}, {1}),
    ({"exclude": "1,2,4"}, {5, 6, 10}),
    ({"parent": "2"}, {3, 7}),
    ({"return_variations": "true"}, {1, 2, 3, 4, 5, 6, 7, 10}),
    ({"return_variations": "true", "parent_exclude": "2"}, {1, 2, 4, 5, 6, 10}),
    ({"category": "clothing"}, {1, 2, 10}),
    ({"category": "2"}, {1, 2}),
    ({"category": "tops,clothing", "category_operator": "and"}, {1, 2}),
    ({"category": "tops", "category_operator": "not_in"}, {4, 5, 6, 10}),
    ({"category": "tops", "category_operator": "not in"}, {4, 5, 6, 10}),
    ({"category": "tops,nowhere", "category_operator": "and"}, set()),
    ({"category": "nowhere"}, set()),
    ({"tag": "cotton,warm", "tag_operator": "and"}, {2}),
    ({"tag": "cotton,warm"}, {1, 2}),
    ({"brand": "fern-flint"}, {1}),
    ({"attributes[0][attribute]": "pa_size", "attributes[0][slug]": "small"}, {2}),
    ({"attributes[0][attribute]": "pa_size", "attributes[0][slug][]": ["large"]}, {2, 10}),
    ({"attributes[0][attribute]": "pa_size", "attributes[0][term_id]": "2"}, {2, 10}),
    (
        {
            "attributes[0][attribute]": "pa_size",
            "attributes[0][slug]": "small,large",
            "attributes[0][operator]": "and",
        },
        {2},
    ),
    (
        {
            "attributes[0][attribute]": "pa_size",
            "attributes[0][slug]": "small",
            "attributes[0][operator]": "not_in",
        },
        {1, 4, 5, 6, 10},
    ),
    (
        {
            "attributes[0][attribute]": "pa_size",
            "attributes[0][slug]": "small",
            "attributes[1][attribute]": "pa_size",
            "attributes[1][slug]": "large",
        },
        {2},
    ),
    (
        {
            "attributes[0][attribute]": "pa_size",
            "attributes[0][slug]": "small",
            "attributes[1][attribute]": "pa_size",
            "attributes[1][slug]": "large",
            "attribute_relation": "in",
        },
        {2, 10},
    ),
    (
        {
            "attributes[0][attribute]": "pa_size",
            "attributes[0][slug]": "large",
            "type": "variation",
        },
        {7},
    ),
]


async def test_every_filter(wardrobe: Storefront) -> None:
    for query, expected in FILTERS:
        response = await wardrobe.http.get(PRODUCTS, params={**query, "per_page": 100})
        assert response.status_code == 200, (query, response.text)
        body = response.json()
        assert {each["id"] for each in body["products"]} == expected, query
        assert body["total_products"] == len(expected), query


ORDERS: list[tuple[dict[str, str], list[int]]] = [
    ({}, [10, 6, 5, 4, 2, 1]),
    ({"order": "asc"}, [1, 2, 4, 5, 6, 10]),
    ({"orderby": "id"}, [10, 6, 5, 4, 2, 1]),
    ({"orderby": "title", "order": "ASC"}, [10, 6, 2, 5, 1, 4]),
    ({"orderby": "name", "order": "asc"}, [10, 6, 2, 5, 1, 4]),
    ({"orderby": "alphabetical"}, [10, 6, 2, 5, 1, 4]),
    ({"orderby": "reverse_alpha"}, [4, 1, 5, 2, 6, 10]),
    ({"orderby": "slug", "order": "asc"}, [10, 6, 2, 5, 1, 4]),
    ({"orderby": "price", "order": "asc"}, [4, 6, 5, 1, 10, 2]),
    ({"orderby": "price_asc"}, [4, 6, 5, 1, 10, 2]),
    ({"orderby": "price_desc"}, [2, 10, 1, 5, 6, 4]),
    ({"orderby": "rating"}, [1, 10, 6, 5, 4, 2]),
    ({"orderby": "review_count"}, [1, 10, 6, 5, 4, 2]),
    ({"orderby": "on_sale_first"}, [4, 1, 10, 6, 5, 2]),
    ({"orderby": "featured_first"}, [1, 10, 6, 5, 4, 2]),
    ({"orderby": "by_stock"}, [6, 5, 4, 2, 1, 10]),
    ({"orderby": "menu_order", "order": "asc"}, [10, 6, 2, 5, 1, 4]),
    ({"orderby": "include", "include": "5,1,10"}, [5, 1, 10]),
    ({"orderby": "relevance", "search": "shirt"}, [1]),
    ({"orderby": "popularity"}, [10, 6, 5, 4, 2, 1]),
    ({"orderby": "sales"}, [10, 6, 5, 4, 2, 1]),
]


async def test_every_order(wardrobe: Storefront) -> None:
    for query, expected in ORDERS:
        assert await ids(wardrobe, **query) == expected, query
    assert sorted(await ids(wardrobe, orderby="rand")) == [1, 2, 4, 5, 6, 10]
    known = {query.get("orderby", "date") for query, _ in ORDERS} | {"rand"}
    parameters = (await wardrobe.http.get("/openapi.json")).json()["paths"][PRODUCTS]["get"][
        "parameters"
    ]
    (orders,) = [each["schema"]["enum"] for each in parameters if each["name"] == "orderby"]
    assert set(orders) == known, "an order that nobody tried"
    filtered = {key.partition("[")[0] for query, _ in FILTERS for key in query}
    plain = {"page", "per_page", "offset", "context", "orderby", "order", "show_reviews"}
    named = {each["name"] for each in parameters} - {"_skip_cache", "cart_key"}
    assert named - plain - filtered == {"catalog_visibility", "brand_operator"}


BAD: list[tuple[str, list[str]]] = [
    ("page=0", ["page"]),
    ("page=x&per_page=101", ["page", "per_page"]),
    ("page=1000001", ["page"]),
    ("offset=-1", ["offset"]),
    ("orderby=nothing&order=up", ["orderby", "order"]),
    ("rating=6", ["rating"]),
    ("include=1,x", ["include"]),
    (f"include={','.join(map(str, range(1, 103)))}", ["include"]),
    (f"search={'x' * 201}", ["search"]),
    ("search=%00", ["search"]),
    ("min_price=abc&max_price=-1", ["min_price", "max_price"]),
    ("min_price=1e9", ["min_price"]),
    ("after=yesterday", ["after"]),
    ("after=0001-01-01T00:00:00%2B14:00", ["after"]),
    ("featured=maybe", ["featured"]),
    ("stock_status=lots", ["stock_status"]),
    ("type=book", ["type"]),
    ("category_operator=near", ["category_operator"]),
    ("category=99999999999999999999", ["category"]),
    ("attributes=x", ["attributes"]),
    ("attributes[0][colour]=x", ["attributes", "attributes[0]"]),
    ("attributes[0][attribute]=pa_size", ["attributes[0]"]),
    ("attributes[0][slug]=large", ["attributes[0]"]),
    ("attributes[0][attribute]=a&attributes[0][term_id]=x", ["attributes[0]"]),
    (
        "attributes[0][attribute]=a&attributes[0][slug]=b&attributes[0][operator]=c",
        ["attributes[0]"],
    ),
    ("_skip_cache=perhaps", ["_skip_cache"]),
]


@pytest.mark.parametrize(("query", "names"), BAD)
async def test_what_is_wrong_is_named(wardrobe: Storefront, query: str, names: list[str]) -> None:
    response = await wardrobe.http.get(f"{PRODUCTS}?{query}")
    assert (response.status_code, response.json()["code"]) == (400, "cocart_invalid_parameter")
    assert list(response.json()["data"]["params"]) == names
    assert all(response.json()["data"]["params"].values())


# --- pages ----------------------------------------------------------------------------------------


async def test_pages(wardrobe: Storefront) -> None:
    first = await wardrobe.http.get(f"{PRODUCTS}?per_page=2&orderby=id&order=asc")
    assert first.json() | {"products": None} == {
        "products": None, "page": 1, "total_pages": 3, "total_products": 6,
    }  # fmt: skip
    assert (first.headers["X-WP-Total"], first.headers["X-WP-TotalPages"]) == ("6", "3")
    assert first.headers["Link"] == (
        f'<http://shop.test{PRODUCTS}?per_page=2&orderby=id&order=asc&page=2>; rel="next"'
    )
    second = await wardrobe.http.get(f"{PRODUCTS}?per_page=2&orderby=id&order=asc&page=2")
    assert [each["id"] for each in second.json()["products"]] == [4, 5]
    assert 'page=1>; rel="prev"' in second.headers["Link"]
    assert 'page=3>; rel="next"' in second.headers["Link"]
    last = await wardrobe.http.get(f"{PRODUCTS}?per_page=2&page=3")
    assert "next" not in last.headers["Link"]
    beyond = await wardrobe.http.get(f"{PRODUCTS}?per_page=2&page=9")
    assert (beyond.status_code, beyond.json()["products"]) == (200, [])
    assert beyond.headers["X-WP-Total"] == "6"
    none = await wardrobe.http.get(f"{PRODUCTS}?search=zzzz")
    assert (none.headers["X-WP-Total"], none.headers["X-WP-TotalPages"]) == ("0", "0")
    assert "Link" not in none.headers
    assert await ids(wardrobe, offset=4, orderby="id", order="asc") == [6, 10]


async def test_links_carry_no_credentials(wardrobe: Storefront) -> None:
    response = await wardrobe.http.get(
        PRODUCTS, params={"per_page": 2, "cart_key": "t_abc", **wardrobe.keys}
    )
    assert response.status_code == 200
    assert "next" in response.headers["Link"]
    for secret in ("t_abc", *wardrobe.keys.values()):
        assert secret not in response.headers["Link"]


async def test_fields(wardrobe: Storefront) -> None:
    response = await wardrobe.http.get(f"{PRODUCTS}/1?_fields=id,prices.price")
    assert response.json() == {"id": 1, "prices": {"price": "1499"}}
    response = await wardrobe.http.get(f"{PRODUCTS}?_fields=products.id,page&include=1")
    assert response.json() == {"products": [{"id": 1}], "page": 1}


# --- prices and stock -----------------------------------------------------------------------------


async def test_prices(wardrobe: Storefront) -> None:
    shirt = (await wardrobe.http.get(f"{PRODUCTS}/1")).json()
    prices = shirt["prices"]
    assert (prices["price"], prices["regular_price"], prices["sale_price"]) == (
        "1499",
        "1999",
        "1499",
    )
    assert prices["price_range"] is None
    assert prices["currency"]["currency_minor_unit"] == 2
    hoodie = (await wardrobe.http.get(f"{PRODUCTS}/2")).json()
    assert hoodie["prices"]["price_range"] == {"min": "3900", "max": "4500"}
    assert (hoodie["prices"]["price"], hoodie["prices"]["sale_price"]) == ("3900", "")
    assert [each["prices"]["price"] for each in hoodie["variations"]] == ["3900", "4500"]
    assert shirt["upsells"][0]["price"] == "3900"
    free = (await wardrobe.http.get(f"{PRODUCTS}/6")).json()
    assert free["prices"]["price"] == "0"


async def test_yen_have_no_minor_unit(empty_database: str, database: Database) -> None:
    async with database.acquire() as connection:
        await product(connection, regular_price=2400, slug="tea")
        await product(connection, regular_price=900, slug="cup")
    settings = shop_settings(empty_database, store={"currency": "JPY", "currencies": {}})
    async with running(settings) as shop:
        prices = (await shop.http.get(f"{PRODUCTS}/tea")).json()["prices"]
        assert (prices["price"], prices["currency"]["currency_minor_unit"]) == ("2400", 0)
        assert await ids(shop, min_price="1000") == [1]


async def test_a_sale_ends_for_lists_too(
    wardrobe: Storefront, empty_database: str, database: Database
) -> None:
    assert await ids(wardrobe, on_sale="true", type="simple") == [1]
    past = datetime.now(UTC) + timedelta(milliseconds=300)
    async with database.acquire() as connection:
        await connection.execute("UPDATE products SET sale_to = $1 WHERE id = 1", past)
    await asyncio.sleep(0.4)
    await keep_listing_true(database, wardrobe.shop.carts.clock)
    assert await ids(wardrobe, on_sale="true", type="simple", _skip_cache="1") == []
    assert await ids(wardrobe, min_price="19.99", max_price="19.99", type="simple") == [10, 1]
    async with database.acquire() as connection:
        left = await connection.fetchval(
            "SELECT changes_at FROM product_listing WHERE product_id=1"
        )
    assert left is None


async def test_stock_is_never_old(wardrobe: Storefront, empty_database: str) -> None:
    async def shown() -> tuple[str, Any, str]:
        response = await wardrobe.http.get(f"{PRODUCTS}/1")
        stock = response.json()["stock"]
        return response.headers["CoCart-Cache"], stock["stock_quantity"], stock["stock_status"]

    for _ in range(50):  # until the server has heard of everything that was made before
        if await shown() == ("HIT", 14, "instock"):
            break
        await asyncio.sleep(0.02)
    assert await shown() == ("HIT", 14, "instock")
    await execute(empty_database, "UPDATE stock SET quantity = 3 WHERE product_id = 1")
    assert await shown() == ("MISS", 3, "instock")
    await execute(empty_database, "UPDATE stock SET quantity = 0 WHERE product_id = 1")
    assert await shown() == ("MISS", 0, "outofstock")
    assert 1 in await ids(wardrobe, stock_status="outofstock")
    # What an order holds cannot be had; lists go by what lies on the shelf.
    await execute(
        empty_database,
        "UPDATE stock SET quantity = 2 WHERE product_id = 1",
        "INSERT INTO stock_holds VALUES (1, 1, 2, now() + interval '1 hour')",
    )
    assert await shown() == ("HIT", 0, "outofstock"), "two, and both are held: as before"
    assert 1 in await ids(wardrobe, stock_status="instock", _skip_cache="true")


async def test_a_product_with_variations_is_in_stock_while_one_is(
    wardrobe: Storefront, empty_database: str
) -> None:
    async def state() -> str:
        hoodie = (await wardrobe.http.get(f"{PRODUCTS}/2")).json()
        listed = await ids(wardrobe, stock_status=hoodie["stock"]["stock_status"], _skip_cache="1")
        assert 2 in listed, "the list says the same"
        return str(hoodie["stock"]["stock_status"])

    assert await state() == "instock"
    await execute(
        empty_database,
        "UPDATE products SET stock_status = 'outofstock' WHERE id = 7",
        "UPDATE stock SET quantity = 0 WHERE product_id = 3",
    )
    await forgotten(wardrobe)
    assert await state() == "outofstock"
    await execute(empty_database, "UPDATE products SET backorders = 'notify' WHERE id = 3")
    await forgotten(wardrobe)
    assert await state() == "onbackorder"


async def forgotten(shop: Storefront) -> None:
    """Waits until the server was told of a change of the catalogue."""
    before = shop.shop.catalogue.generation
    for _ in range(100):
        if shop.shop.catalogue.generation != before:
            return
        await asyncio.sleep(0.02)


async def test_changes_are_seen_at_once(wardrobe: Storefront, empty_database: str) -> None:
    assert (await wardrobe.http.get(f"{PRODUCTS}/5")).json()["name"] == "Poster"
    await execute(empty_database, "UPDATE products SET name = 'Print' WHERE id = 5")
    await forgotten(wardrobe)
    assert (await wardrobe.http.get(f"{PRODUCTS}/5")).json()["name"] == "Print"
    assert await ids(wardrobe, search="print") == [5]
    # Moving a category takes along what lies in it.
    await execute(empty_database, "UPDATE categories SET parent_id = NULL WHERE slug = 'tops'")
    await forgotten(wardrobe)
    assert await ids(wardrobe, category="clothing") == [10]
    await execute(empty_database, "DELETE FROM products WHERE id = 3")
    await forgotten(wardrobe)
    hoodie = (await wardrobe.http.get(f"{PRODUCTS}/2")).json()
    assert [each["id"] for each in hoodie["variations"]] == [7]
    assert await ids(wardrobe, max_price="40", type="variable") == []


async def test_what_was_sold_is_counted_once(
    wardrobe: Storefront, empty_database: str, database: Database
) -> None:
    order = await wardrobe.ready_to_order(1, 3)
    placed = await order.process(billing_address=BILLING, payment_method="bacs")
    assert placed.status_code == 200, placed.text
    clock = wardrobe.shop.carts.clock
    await keep_listing_true(database, clock)
    assert (await wardrobe.http.get(f"{PRODUCTS}/1?_skip_cache=1")).json()["total_sales"] == 0
    await execute(
        empty_database, "UPDATE orders SET placed_at = placed_at - interval '5 minutes'",
        "DELETE FROM sales_tally",
    )  # fmt: skip
    for _ in range(3):
        await keep_listing_true(database, clock)
    assert (await wardrobe.http.get(f"{PRODUCTS}/1?_skip_cache=1")).json()["total_sales"] == 3
    assert (await ids(wardrobe, orderby="popularity"))[0] == 1


# --- caches ---------------------------------------------------------------------------------------


async def test_etags(wardrobe: Storefront) -> None:
    first = await wardrobe.http.get(PRODUCTS)
    tag = first.headers["ETag"]
    assert tag.startswith('W/"')
    assert len(tag) == 36
    assert first.headers["Cache-Control"] == "no-cache"
    for sent in (tag, f'"other", {tag}', tag.removeprefix("W/"), "*"):
        again = await wardrobe.http.get(PRODUCTS, headers={"If-None-Match": sent})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == tag
    other = await wardrobe.http.get(PRODUCTS, headers={"If-None-Match": 'W/"0"'})
    assert other.status_code == 200
    fresh = await wardrobe.http.get(
        PRODUCTS, headers={"If-None-Match": tag}, params={"_skip_cache": "true"}
    )
    assert (fresh.status_code, fresh.headers["CoCart-Cache"]) == (200, "SKIP")
    filtered = await wardrobe.http.get(f"{PRODUCTS}?_fields=page")
    assert filtered.headers["ETag"] != tag


async def test_random_order_is_never_kept(wardrobe: Storefront) -> None:
    states = {
        (await wardrobe.http.get(f"{PRODUCTS}?orderby=rand")).headers["CoCart-Cache"]
        for _ in range(3)
    }
    assert states == {"MISS"}


# --- terms ----------------------------------------------------------------------------------------


async def test_terms(wardrobe: Storefront) -> None:
    async def slugs(path: str) -> list[str]:
        response = await wardrobe.http.get(f"{PRODUCTS}/{path}")
        assert response.status_code == 200, response.text
        assert response.headers["X-WP-Total"] == str(len(response.json()))
        return [each["slug"] for each in response.json()]

    assert await slugs("categories") == ["clothing", "empty", "tops"]
    assert await slugs("categories?hide_empty=true") == ["clothing", "tops"]
    assert await slugs("categories?parent=0") == ["clothing", "empty"]
    assert await slugs("categories?parent=1") == ["tops"]
    assert await slugs("categories?orderby=count&order=desc") == ["clothing", "tops", "empty"]
    assert await slugs("categories?include=3,1&orderby=include") == ["empty", "clothing"]
    assert await slugs("categories?exclude=1") == ["empty", "tops"]
    assert await slugs("categories?search=OP") == ["tops"]
    assert await slugs("categories?slug=tops,empty") == ["empty", "tops"]
    assert await slugs("categories?product=10") == ["clothing"]
    assert await slugs("tags?product=1") == ["cotton"]
    assert await slugs("tags?orderby=name&order=desc") == ["warm", "cotton"]
    assert await slugs("attributes/pa_size/terms") == ["small", "large"]
    assert await slugs("attributes/size/terms?product=10") == ["large"]
    paged = await wardrobe.http.get(f"{PRODUCTS}/tags?per_page=1&page=2")
    assert [each["slug"] for each in paged.json()] == ["warm"]
    assert (paged.headers["X-WP-Total"], paged.headers["X-WP-TotalPages"]) == ("2", "2")
    clothing = (await wardrobe.http.get(f"{PRODUCTS}/categories/1")).json()
    assert clothing["count"] == 3, "with what lies in it, without drafts and hidden ones"
    large = (await wardrobe.http.get(f"{PRODUCTS}/attributes/1/terms/large")).json()
    assert large["count"] == 2


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("attributes/99", 404, "cocart_attribute_not_found"),
        ("attributes/0", 400, "cocart_invalid_attribute_id"),
        ("attributes/colour", 404, "cocart_attribute_not_found"),
        ("attributes/colour/terms", 404, "cocart_attribute_not_found"),
        ("attributes/1/terms/99", 404, "cocart_term_not_found"),
        ("attributes/colour/terms/red", 404, "cocart_term_not_found"),
        ("attributes/1/terms?per_page=x", 400, "cocart_invalid_parameter"),
        ("categories/99", 404, "cocart_category_not_found"),
        ("categories/tops", 400, "cocart_invalid_category_id"),
        ("tags/99", 404, "cocart_tag_not_found"),
        ("tags/-1", 400, "cocart_invalid_tag_id"),
        ("brands/99", 404, "cocart_brand_not_found"),
        ("brands/x", 400, "cocart_invalid_brand_id"),
        ("categories?orderby=nothing", 400, "cocart_invalid_parameter"),
        ("reviews/99", 404, "cocart_review_not_found"),
        ("reviews/3", 404, "cocart_review_not_found"),
        ("reviews/5", 404, "cocart_review_not_found"),
        ("reviews/0", 400, "cocart_invalid_review_id"),
        ("reviews/x", 400, "cocart_invalid_review_id"),
        ("reviews/mine", 401, "cocart_unauthorized"),
    ],
)
async def test_refusals(wardrobe: Storefront, path: str, status: int, code: str) -> None:
    response = await wardrobe.http.get(f"{PRODUCTS}/{path}")
    assert (response.status_code, response.json()["code"]) == (status, code)


# --- what nobody sends by mistake -----------------------------------------------------------------


async def test_hostile_paths_and_queries(wardrobe: Storefront) -> None:
    strange = (
        "%00",
        "%0A",
        "%ED%A0%80",
        "%F0%9F%92%A9",
        "..%2F..",
        "'--",
        "%25",
        "9" * 190,
        "x" * 201,
    )
    for text in strange:
        for path in (
            "{}", "{}/variations", "2/variations/{}", "{}/shipping-rates", "attributes/{}",
            "attributes/{}/terms", "attributes/1/terms/{}", "categories/{}", "tags/{}", "brands/{}",
            "reviews/{}",
        ):  # fmt: skip
            response = await wardrobe.http.get(f"{PRODUCTS}/{path.format(text)}")
            assert response.status_code in (400, 404), (path, text, response.text)
            assert response.json()["data"]["status"] == response.status_code
    for name in ("search", "slug", "sku", "category", "tag", "brand", "global_unique_id"):
        for text in (*strange[2:7], "\u00e9\u0301", "a' OR 1=1", "a:*&!b", "\\", "ﬁ ١٢٣ _ ʼn"):
            response = await wardrobe.http.get(PRODUCTS, params={name: text})
            assert response.status_code == 200, (name, text, response.text)
            assert response.json()["products"] == []
    for method in ("POST", "PUT", "DELETE", "HEAD"):
        assert (await wardrobe.http.request(method, PRODUCTS)).status_code == 405


# --- what it may cost -----------------------------------------------------------------------------


async def test_a_page_of_fifty_thousand_takes_four_statements_at_most(
    empty_database: str, database: Database
) -> None:
    async with database.acquire() as connection:
        await connection.execute(MANY, timeout=120)
    async with running(shop_settings(empty_database)) as shop:
        queries = (
            "", "category=c7&min_price=20&max_price=80&orderby=price&order=asc", "search=mug",
            "tag=t3&stock_status=instock&orderby=popularity", "on_sale=true&featured=false",
            "attributes[0][attribute]=pa_size&attributes[0][slug]=large", "page=900&orderby=title",
            "type=variable&show_reviews=true", "return_variations=true&orderby=by_stock",
        )  # fmt: skip
        for query, how in itertools.product(queries, ("nothing kept", "anew", "kept")):
            asked = f"{PRODUCTS}?{query}" + ("&_skip_cache=true" if how == "anew" else "")

            async def ask(asked: str = asked, how: str = how) -> None:
                if how == "nothing kept":
                    shop.shop.catalogue.forget()
                response = await shop.http.get(asked)
                assert response.status_code == 200, response.text
                assert len(response.json()["products"]) == 10, asked

            await ask()  # the driver asks for the types once a connection
            limit = {"nothing kept": 4, "anew": 3, "kept": 1}[how]
            assert await fewest(shop, ask) <= limit, (query, how, shop.statements)
        await shop.http.get(PRODUCTS)  # the answer is kept for a few seconds only
        shop.statements.clear()
        again = await shop.http.get(PRODUCTS)
        assert again.headers["CoCart-Cache"] == "HIT"
        assert sql_count(shop.statements) == 1, "the stock, which is never old"
        assert int((await shop.http.get(PRODUCTS)).headers["X-WP-Total"]) == 40_000
        await no_table_is_read_through(shop, database)


async def no_table_is_read_through(shop: Storefront, database: Database) -> None:
    """What is asked for is found by an index; where most is wanted, counting may read it all. Not
    so of searches: of texts as short as these all are read as fast."""
    read_through = []
    async with database.acquire() as connection:
        for query in (query for query, _ in (*FILTERS, *ORDERS) if "search" not in query):
            sent = urlencode(query, doseq=True)
            scope = {"type": "http", "query_string": sent.encode(), "headers": []}
            meant = product_query(Request(scope), shop.shop)
            _, total = await listing.found(connection, meant)
            for known in (None, total):
                examined = Examined(connection)
                await listing.found(examined, meant, known)
                tables = set(re.findall(r"Seq Scan on (product\w+)", examined.plan))
                if tables and (known is not None or total < 10_000):
                    read_through.append((query, total, known, tables))
    assert read_through == []


@dataclass
class Examined:
    """A connection that tells how it would carry out a statement."""

    connection: Any
    plan: str = ""

    async def fetch(self, statement: str, *values: Any) -> list[Any]:
        rows = await self.connection.fetch(f"EXPLAIN {statement}", *values)
        self.plan = "\n".join(row[0] for row in rows)
        return []

    async def fetchrow(self, statement: str, *values: Any) -> dict[str, Any]:
        await self.fetch(statement, *values)
        return {"ids": [], "total": 0}


MANY = """
INSERT INTO categories (name, slug) SELECT 'C' || n, 'c' || n FROM generate_series(0, 19) n;
INSERT INTO tags (name, slug) SELECT 'T' || n, 't' || n FROM generate_series(0, 9) n;
INSERT INTO products (id, parent_id, type, name, slug, regular_price, sale_price, manages_stock,
    tax_status, tax_class, shipping_class, attributes, variation, created_at)
SELECT n, CASE WHEN n % 5 = 4 THEN n - n % 5 END,
    CASE WHEN n % 5 = 4 THEN 'variation' WHEN n % 5 = 0 THEN 'variable' ELSE 'simple' END,
    'Mug ' || n, CASE WHEN n % 5 <> 4 THEN 'mug-' || n END,
    CASE WHEN n % 5 <> 0 THEN 500 + n % 9000 END, CASE WHEN n % 5 = 1 THEN 400 END, n % 5 IN (1, 4),
    CASE WHEN n % 5 <> 4 THEN 'taxable' END, CASE WHEN n % 5 <> 4 THEN '' END,
    CASE WHEN n % 5 <> 4 THEN '' END,
    CASE WHEN n % 5 = 0 THEN '[{"slug": "pa_size", "name": "Size", "shared": true, "visible": true,
        "for_variations": true, "options": [{"slug": "large", "name": "Large"}]}]'::jsonb
        ELSE '[]' END,
    CASE WHEN n % 5 = 4 THEN '{"pa_size": "large"}'::jsonb ELSE '{}' END,
    timestamptz '2026-01-01 00:00Z' + n * interval '1 minute'
FROM generate_series(5, 50004) n;
INSERT INTO stock SELECT id, id % 7 FROM products WHERE manages_stock;
INSERT INTO product_categories SELECT id, id % 20 + 1 FROM products WHERE parent_id IS NULL;
INSERT INTO product_tags SELECT id, id % 10 + 1 FROM products WHERE parent_id IS NULL;
ANALYZE;
"""
