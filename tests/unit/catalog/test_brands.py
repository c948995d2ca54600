"""Brands and GTINs out of a WooCommerce export."""

from __future__ import annotations

from pathlib import Path

from checkstand.catalog.importers.woocommerce import import_products
from checkstand.kit.money import Currency
from checkstand.storage.database import Database

HEAD = 'ID,Type,SKU,Name,"GTIN, UPC, EAN, or ISBN",Brands,Regular price\n'


async def test_brands_and_gtins(database: Database, tmp_path: Path) -> None:
    async def bring_in(rows: str) -> dict[str, tuple[str, list[str]]]:
        file = tmp_path / "products.csv"
        file.write_text(HEAD + rows)
        await import_products(database, file, Currency.of("USD"), None)
        async with database.acquire() as connection:
            found = await connection.fetch(
                "SELECT p.sku, p.global_unique_id, l.brand_ids, ARRAY(SELECT b.name"
                " FROM product_brands x JOIN brands b ON b.id = x.brand_id"
                " WHERE x.product_id = p.id ORDER BY b.name) AS brands"
                " FROM products p JOIN product_listing l ON l.product_id = p.id"
            )
        assert all(len(row["brand_ids"]) == len(row["brands"]) for row in found)
        return {row["sku"]: (row["global_unique_id"], row["brands"]) for row in found}

    made = await bring_in('1,simple,A,Cup,4006381333931,"Fern, Flint",5\n2,simple,B,Mug,,Fern,6\n')
    assert made == {"A": ("4006381333931", ["Fern", "Flint"]), "B": ("", ["Fern"])}
    changed = await bring_in("1,simple,A,Cup,,Flint,5\n")
    assert changed == {"A": ("", ["Flint"]), "B": ("", ["Fern"])}
