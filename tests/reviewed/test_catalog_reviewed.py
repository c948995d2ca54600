"""What fresh eyes found in the catalogue of v2: who sees what, what searches find, where links
lead, what is kept and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from checkstand.storage.database import Database
from tests.api.wardrobe import SIZES, furnish
from tests.makers import V2, Storefront, execute, product, running, shop_settings

PRODUCTS = f"{V2}/products"
START = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
async def shop(empty_database: str, database: Database) -> AsyncIterator[Storefront]:
    async with database.acquire() as connection:
        await furnish(connection, START)
    async with running(shop_settings(empty_database)) as client:
        yield client


async def body(shop: Storefront, path: str, **query: Any) -> Any:
    response = await shop.http.get(f"{PRODUCTS}{path}", params=query)
    assert response.status_code == 200, response.text
    return response.json()


async def ids(shop: Storefront, **query: Any) -> list[int]:
    return [each["id"] for each in (await body(shop, "", **query))["products"]]


async def told(shop: Storefront, before: int) -> None:
    """Waits until the server has heard of a change of the catalogue."""
    for _ in range(200):
        if shop.shop.catalogue.generation != before:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the server was not told")


# --- who sees what --------------------------------------------------------------------------------


async def test_drafts_and_hidden_products_are_named_nowhere(
    shop: Storefront, database: Database
) -> None:
    async with database.acquire() as connection:
        await product(
            connection, id=20, name="Mixed", slug="mixed", upsell_ids=[8, 9, 1],
            cross_sell_ids=[8, 9, 6], regular_price=500,
        )  # fmt: skip
        await product(
            connection, id=21, type="grouped", name="Group", slug="group", regular_price=None,
            grouped_ids=[8, 1],
        )  # fmt: skip
    mixed = await body(shop, "/20")
    assert [each["id"] for each in mixed["upsells"]] == [1]
    assert [each["id"] for each in mixed["cross_sells"]] == [6]
    assert (await body(shop, "/21"))["grouped_products"] == [1], "8 is a draft"
    cart = (await shop.add(20)).json()
    assert [each["id"] for each in cart["cross_sells"]] == [6]


async def test_a_variation_that_is_not_published_is_not_told(
    shop: Storefront, empty_database: str
) -> None:
    before = shop.shop.catalogue.generation
    await execute(empty_database, "UPDATE products SET published = false WHERE id = 3")
    await told(shop, before)
    assert [each["id"] for each in (await body(shop, "/2"))["variations"]] == [7]
    assert await ids(shop, return_variations="1", search="HOODIE-S") == []
    assert await ids(shop, include="3") == []
    assert await ids(shop, search="HOODIE-S") == [], "nor does its SKU find its product"


# --- what searches find ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("creme", [30]),
        ("CRÈME Brulee", [30]),
        ("cre\u0300me", [30]),
        ("чай", [31]),
        ("ЧАЙ", [31]),
        ("抹茶", [31]),
        ("full", [31]),
        ("A/B-12.5", [32]),
        ("a/b", [32]),
        ("50%_OFF", [33]),
        ("off", [33]),
        ("wide", []),
        ("strong", []),
        ("inside", [33]),
        ("⑴", [32]),
        ("½", []),
        ("HOODIE-S", [2]),
        ("hoodie-l", [2]),
        ("%", []),
        ("_", []),
        ("'; DROP", []),
        ("& | ! ( ) : * <->", []),
    ],
)
async def test_searches(shop: Storefront, database: Database, words: str, found: list[int]) -> None:
    async with database.acquire() as connection:
        await product(connection, id=30, name="Crème brûlée", slug="x30", sku="X30")
        await product(connection, id=31, name="Чай 抹茶 ｆｕｌｌ", slug="x31", sku="X31")
        await product(connection, id=32, name="Slash", slug="x32", sku="A/B-12.5")
        await product(
            connection, id=33, name="Percent", slug="x33", sku="50%_OFF",
            description='<p class="wide"><strong>Inside</strong>&nbsp;out</p>',
        )  # fmt: skip
    assert await ids(shop, search=words) == found
    assert await ids(shop, search=words, orderby="relevance") == found


async def test_names_with_marks_stand_beside_those_without(
    shop: Storefront, database: Database
) -> None:
    async with database.acquire() as connection:
        for number, name in enumerate(("Zebra", "Ärmel", "arm"), start=30):
            await product(connection, id=number, name=name, slug=f"x{number}", featured=True)
    assert await ids(shop, orderby="title", order="asc", include="30,31,32") == [32, 31, 30]


async def test_what_many_have_in_common_is_told_newest_first(
    shop: Storefront, empty_database: str
) -> None:
    await execute(
        empty_database,
        """
        INSERT INTO products (type, name, slug, regular_price, created_at, tax_status, tax_class,
            shipping_class)
        SELECT 'simple', 'Common thing ' || n, 'common-' || n, 100,
            '2026-01-01Z'::timestamptz + n * interval '1 minute', 'taxable', '', ''
        FROM generate_series(1000, 3500) n
        """,
    )
    query = {"search": "common thing", "orderby": "relevance"}
    for _ in range(2):  # counted first, then known
        found = await body(shop, "", **query, _fields="name,total_products")
        assert found["total_products"] == 2501
        assert [each["name"] for each in found["products"]][:2] == [
            "Common thing 3500", "Common thing 3499",
        ]  # fmt: skip
        query = {**query, "per_page": "9"}
    deep = await body(shop, "", search="common thing", orderby="date", page="250", _fields="name")
    assert deep["products"][0]["name"] == "Common thing 1010"


# --- members, links -------------------------------------------------------------------------------


async def test_members_of_each_product_are_chosen(shop: Storefront) -> None:
    for name in ("_fields", "fields", "fields[]"):
        found = await body(shop, "", include="1", **{name: "id,prices.price"})
        assert found == {
            "products": [{"id": 1, "prices": {"price": "1499"}}],
            "page": 1, "total_pages": 1, "total_products": 1,
        }, name  # fmt: skip
    found = await body(shop, "", include="1", _fields="id,total_pages")
    assert found == {"total_pages": 1, "products": [{"id": 1}]}
    assert await body(shop, "", include="1", _fields="products.id") == {"products": [{"id": 1}]}
    assert await body(shop, "/1", fields="id,name") == {"id": 1, "name": "Premium T-Shirt"}
    listed = await shop.http.get(f"{PRODUCTS}/categories?fields[]=id&fields[]=slug&include=1")
    assert listed.json() == [{"id": 1, "slug": "clothing"}]


async def test_links_lead_on_by_offset_and_back_from_beyond(shop: Storefront) -> None:
    async def links(query: str) -> str:
        return (await shop.http.get(f"{PRODUCTS}?orderby=id&{query}")).headers.get("Link", "")

    address = f"http://shop.test{PRODUCTS}?orderby=id&per_page=2"
    assert await links("per_page=2&offset=2") == (
        f'<{address}&offset=0>; rel="prev", <{address}&offset=4>; rel="next"'
    )
    assert await links("per_page=2&offset=0") == f'<{address}&offset=2>; rel="next"'
    assert await links("per_page=2&offset=5") == f'<{address}&offset=3>; rel="prev"'
    assert await links("per_page=2&offset=99&page=3") == f'<{address}&offset=4>; rel="prev"'
    assert await links("per_page=2&page=9") == f'<{address}&page=3>; rel="prev"'
    assert await links("per_page=2&page=9&search=zzzz") == ""


# --- what is kept ---------------------------------------------------------------------------------


async def test_an_answer_is_kept_for_every_shopper(shop: Storefront) -> None:
    """SDKs send each guest's cart key with every read."""
    await body(shop, "", per_page="2", cart_key="t_one")
    for path in ("", "/1", "/categories", "/reviews"):
        states = [
            (
                await shop.http.get(
                    f"{PRODUCTS}{path}", params={"cart_key": key}, headers={"Cart-Key": key}
                )
            ).headers["CoCart-Cache"]
            for key in ("t_one", "t_two")
        ]
        assert states == ["MISS", "HIT"], path


async def test_a_list_never_shows_old_stock(shop: Storefront, empty_database: str) -> None:
    async def shown(order: str) -> tuple[Any, bool]:
        (shirt,) = (await body(shop, "", include="1", orderby=order))["products"]
        return shirt["stock"]["stock_quantity"], shirt["stock"]["is_in_stock"]

    assert await shown("date") == (14, True)
    await execute(empty_database, "UPDATE stock SET quantity = 3 WHERE product_id = 1")
    assert await shown("id") == (3, True), "another list, of a product that was told before"
    assert await shown("date") == (3, True)
    await execute(empty_database, "UPDATE stock SET quantity = 0 WHERE product_id = 1")
    assert await shown("title") == (0, False)


async def test_a_review_is_shown_once_it_is_approved(shop: Storefront, empty_database: str) -> None:
    async def seen() -> tuple[int, int]:
        found = await body(shop, "/1", show_reviews="true")
        return found["review_count"], len(found["reviews"])

    assert await seen() == (2, 2)
    before = shop.shop.catalogue.generation
    await execute(empty_database, "UPDATE product_reviews SET status = 'approved' WHERE id = 4")
    await told(shop, before)
    assert await seen() == (3, 3)
    before = shop.shop.catalogue.generation
    await execute(empty_database, "DELETE FROM product_reviews WHERE id = 4")
    await told(shop, before)
    assert await seen() == (2, 2)


async def test_a_review_that_waits_disturbs_nobody(shop: Storefront, empty_database: str) -> None:
    await body(shop, "/1")
    before = shop.shop.catalogue.generation
    await execute(
        empty_database,
        "INSERT INTO product_reviews (product_id, reviewer, email, review, rating, verified,"
        " status, created_at) VALUES (1, 'A', 'a@example.com', 'Held.', 5, false, 'hold', now())",
        "UPDATE product_reviews SET review = 'Held!' WHERE status = 'hold'",
    )
    await asyncio.sleep(0.3)
    assert shop.shop.catalogue.generation == before


async def test_options_of_variations_are_told_by_variations(shop: Storefront) -> None:
    """The pages of a list and of a product tell the same product in two ways, both kept."""
    (listed,) = (await body(shop, "", include="2"))["products"]
    (whole,) = (await body(shop, "", include="2", return_variations="1"))["products"]
    assert set(listed["variations"][0]) == {"id", "permalink", "sku", "rest_url"}
    assert "prices" in whole["variations"][0]
    assert (await body(shop, "/2"))["variations"] == whole["variations"]
    assert SIZES["name"] == whole["attributes"]["attribute_pa_size"]["name"]
