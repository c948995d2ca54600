"""Products as the database gives them, variations resolved against their parents."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from checkstand.catalog import store
from checkstand.catalog.model import Backorders, Product, ProductType, StockStatus, TaxStatus
from checkstand.catalog.store import reading

_PARENT: dict[str, Any] = {
    "id": 1, "type": "variable", "name": "Tee", "slug": "tee", "sku": "TEE",
    "tax_status": "shipping", "tax_class": "reduced-rate", "shipping_class": "bulky",
    "weight": Decimal("0.5"), "length": Decimal(30), "sold_individually": True,
    "purchase_note": "Wash cold.", "visibility": "search", "min_quantity": 2, "step_quantity": 2,
    "max_quantity": 8, "low_stock": 4, "cross_sell_ids": [9],
    "images": [{"src": "https://x.example/tee.jpg", "name": "tee", "alt": "A tee"}],
    "attributes": [
        {"slug": "pa_size", "name": "Size", "shared": True, "visible": True,
         "for_variations": True,
         "options": [{"slug": "s", "name": "Small"}, {"slug": "l", "name": "Large"}]},
    ],
}  # fmt: skip
_CHILD: dict[str, Any] = {
    "id": 2, "type": "variation", "name": "Tee - Small", "parent_id": 1, "regular_price": 1999,
    "variation": {"pa_size": "s"},
}  # fmt: skip


async def _insert(database: Any, **columns: Any) -> None:
    jsons = {name for name, value in columns.items() if isinstance(value, dict)} | {
        "images", "attributes",
    }  # fmt: skip
    values = [json.dumps(value) if name in jsons else value for name, value in columns.items()]
    marks = ", ".join(
        f"${place}::text::jsonb" if name in jsons else f"${place}"
        for place, name in enumerate(columns, start=1)
    )
    async with database.transaction() as connection:
        await connection.execute(
            f"INSERT INTO products ({', '.join(columns)}) VALUES ({marks})", *values
        )


async def _family(database: Any, parent: dict[str, Any], child: dict[str, Any]) -> Product:
    await _insert(database, **_PARENT | parent)
    await _insert(database, **_CHILD | child)
    async with database.acquire() as connection:
        return (await store.products(connection, [2]))[2]


async def test_a_variation_takes_from_its_parent_what_it_does_not_say(database: Any) -> None:
    child = await _family(database, {}, {})
    assert child.type is ProductType.VARIATION
    assert (child.parent_id, child.parent_name, child.parent_published) == (1, "Tee", True)
    assert (child.sku, child.slug, child.name) == ("TEE", "tee", "Tee - Small")
    assert (child.tax_status, child.tax_class) == (TaxStatus.SHIPPING_ONLY, "reduced-rate")
    assert (child.shipping_class, child.weight, child.length) == (
        "bulky", Decimal("0.5"), Decimal(30),
    )  # fmt: skip
    assert child.sold_individually
    assert child.purchase_note == "Wash cold."
    assert child.visibility == "search"
    assert (child.min_quantity, child.max_quantity, child.step_quantity) == (2, 8, 2)
    assert child.low_stock == 4
    assert child.images[0].alt == "A tee"
    assert child.cross_sell_ids == (9,)
    assert child.attributes[0].options[1].name == "Large"
    assert child.variation == {"pa_size": "s"}


async def test_a_variation_keeps_what_it_says_itself(database: Any) -> None:
    own = {
        "sku": "TEE-S", "tax_class": "", "shipping_class": "letter", "weight": Decimal("0.4"),
        "purchase_note": "Own.", "min_quantity": 1, "low_stock": 0, "tax_status": "none",
        "images": [{"src": "https://x.example/small.jpg", "name": "small", "alt": ""}],
    }  # fmt: skip
    child = await _family(database, {}, own)
    assert (child.sku, child.tax_class, child.shipping_class) == ("TEE-S", "", "letter")
    assert (child.weight, child.length) == (Decimal("0.4"), Decimal(30))
    assert (child.purchase_note, child.min_quantity, child.low_stock) == ("Own.", 1, 0)
    assert [each.name for each in child.images] == ["small"]
    # WooCommerce: whether a variation is taxed at all is for its parent to say.
    assert child.tax_status is TaxStatus.SHIPPING_ONLY


async def test_stock_is_the_variations_own_when_it_manages_it(database: Any) -> None:
    own = {"manages_stock": True, "backorders": "no", "stock_status": "outofstock"}
    child = await _family(database, {"manages_stock": True, "backorders": "yes"}, own)
    assert (child.manages_stock, child.stock_id) == (True, 2)
    assert (child.backorders, child.stock_status) == (Backorders.NO, StockStatus.OUT_OF_STOCK)


async def test_stock_is_the_parents_when_only_the_parent_manages_it(database: Any) -> None:
    child = await _family(database, {"manages_stock": True, "backorders": "notify"}, {})
    assert (child.manages_stock, child.stock_id) == (True, 1)
    assert child.backorders is Backorders.NOTIFY


async def test_without_managed_stock_the_own_status_counts(database: Any) -> None:
    child = await _family(database, {"stock_status": "outofstock"}, {"stock_status": "onbackorder"})
    assert (child.manages_stock, child.stock_id) == (False, 2)
    assert child.stock_status is StockStatus.ON_BACKORDER


async def test_a_nameless_variation_is_called_by_its_options(database: Any) -> None:
    assert (await _family(database, {}, {"name": ""})).name == "Tee - Small"


async def test_a_product_that_says_nothing_has_the_defaults(database: Any) -> None:
    await _insert(database, id=5, type="simple", name="Cup")
    async with database.acquire() as connection:
        cup = (await store.products(connection, [5]))[5]
    assert cup == Product(id=5, type=ProductType.SIMPLE, name="Cup", slug="", stock_id=5)


async def test_categories_are_the_parents(database: Any) -> None:
    await _insert(database, **_PARENT)
    await _insert(database, **_CHILD)
    async with database.transaction() as connection:
        await connection.execute(
            "INSERT INTO categories (id, name, slug) VALUES (3, 'A', 'a'), (4, 'B', 'b')"
        )
        await connection.execute("INSERT INTO product_categories VALUES (1, 4), (1, 3)")
    async with database.acquire() as connection:
        found = await store.products(connection, [1, 2])
    assert found[1].category_ids == found[2].category_ids == (3, 4)


async def test_unknown_ids_are_left_out_and_nothing_asks_nothing(database: Any) -> None:
    await _insert(database, id=5, type="simple", name="Cup")
    async with database.acquire() as connection:
        assert set(await store.products(connection, [5, 6, 5])) == {5}
        assert await store.products(connection, []) == {}


async def test_look_ups(database: Any) -> None:
    await _insert(database, id=5, type="simple", name="Cup", slug="cup", sku="CUP")
    await _insert(database, id=6, type="simple", name="Draft", published=False)
    await _insert(database, **_PARENT)
    await _insert(database, **_CHILD)
    async with database.acquire() as connection:
        assert await store.product_id_by_sku(connection, "CUP") == 5
        assert await store.product_id_by_sku(connection, "cup") is None
        assert await store.product_id_by_slug(connection, "cup") == 5
        assert await store.list_products(connection, 10) == [(1, "Tee"), (5, "Cup")]
        assert await store.list_products(connection, 1) == [(1, "Tee")]


async def test_products_are_read_by_index(database: Any) -> None:
    """The plan must not read the whole table, whatever the catalogue grows to."""
    async with database.transaction() as connection:
        await connection.execute(
            "INSERT INTO products (id, type, name) SELECT n, 'simple', 'p' || n"
            " FROM generate_series(1, 5000) n"
        )
        await connection.execute("ANALYZE products")
        plan = await connection.fetch("EXPLAIN " + reading._BY_ID.replace("$1", "'{1,2}'"))
    assert not [line[0] for line in plan if "Seq Scan on products" in line[0]]
