"""Imports of product files into a real database."""

from __future__ import annotations

import asyncio
import csv
import importlib.util
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from checkstand.catalog import store
from checkstand.catalog.importers.batches import BATCH, batched
from checkstand.catalog.importers.report import ImportReport
from checkstand.catalog.importers.woocommerce import UnusableFile, import_products
from checkstand.catalog.model import Backorders, Product, ProductType, StockStatus
from checkstand.kit.money import Currency
from checkstand.ui import demo

USD = Currency.of("USD")
SAMPLE = Path("/work/shared/data/woocommerce_sample_products.csv")


class Shop:
    """A database that files are imported into."""

    def __init__(self, database: Any, folder: Path) -> None:
        self.database = database
        self._folder = folder

    async def take(self, *rows: dict[str, str], **options: Any) -> ImportReport:
        """Import rows; each has the columns of the first and the defaults below."""
        rows = tuple({"Type": "simple", "Name": "Cup", **row} for row in rows)
        header = list(dict.fromkeys(column for row in rows for column in row))
        path = self._folder / "file.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, header, restval="")
            writer.writeheader()
            writer.writerows(rows)
        return await self.take_file(path, **options)

    async def take_file(self, path: Path, currency: Currency = USD, **options: Any) -> ImportReport:
        return await import_products(self.database, path, currency, **options)

    async def product(self, id: int) -> Product:
        async with self.database.acquire() as connection:
            return (await store.products(connection, [id]))[id]

    async def by_sku(self, sku: str) -> Product:
        async with self.database.acquire() as connection:
            id = await store.product_id_by_sku(connection, sku)
        assert id is not None
        return await self.product(id)

    async def value(self, query: str, *arguments: Any) -> Any:
        async with self.database.acquire() as connection:
            return await connection.fetchval(query, *arguments)

    async def do(self, statement: str) -> None:
        async with self.database.transaction() as connection:
            await connection.execute(statement)


@pytest.fixture
def shop(database: Any, tmp_path: Path) -> Shop:
    return Shop(database, tmp_path)


def counts(report: ImportReport) -> tuple[int, int, int, int]:
    """Created, updated, unchanged, bad."""
    assert report.rows == report.created + report.updated + report.unchanged + report.bad_rows
    return report.created, report.updated, report.unchanged, report.bad_rows


def the_reason(report: ImportReport, line: int, field: str) -> str:
    """Why the one bad row is bad."""
    (bad,) = report.bad
    assert (bad.line, bad.field) == (line, field)
    return bad.reason


# --- whole files ----------------------------------------------------------------------------------


@pytest.mark.skipif(not SAMPLE.exists(), reason="the sample of WooCommerce is not at hand")
async def test_the_sample_of_woocommerce_comes_in_whole(shop: Shop) -> None:
    report = await shop.take_file(SAMPLE)
    assert counts(report) == (25, 0, 0, 0)
    assert report.warnings == ()
    blue = await shop.by_sku("woo-hoodie-blue-logo")
    assert (blue.id, blue.parent_id, blue.parent_name) == (90, 45, "Hoodie")
    assert blue.variation == {"pa_color": "blue", "logo": "Yes"}
    tee = await shop.product(76)
    assert tee.variation == {"pa_color": "red", "pa_size": ""}
    assert tee.regular_price == 2000
    assert (await shop.product(44)).attributes[1].options[1].slug == "medium"
    assert (await shop.product(87)).grouped_ids == (46, 47, 48)
    assert await shop.value("SELECT nextval(pg_get_serial_sequence('products', 'id'))") > 90
    assert counts(await shop.take_file(SAMPLE)) == (0, 0, 25, 0)


async def test_the_demo_shop_comes_in_whole_and_twice_is_once(shop: Shop) -> None:
    report = await shop.take_file(demo.PRODUCTS)
    assert report.warnings == ()
    assert report.created >= 60
    assert report.bad_rows == 0
    assert counts(await shop.take_file(demo.PRODUCTS)) == (0, 0, report.created, 0)
    async with shop.database.acquire() as connection:
        (first, *rest) = await store.list_products(connection, 100)
    assert len(rest) >= 40
    assert first[1] == "Premium T-Shirt"
    shirt = await shop.product(first[0])
    assert (shirt.type, shirt.regular_price, shirt.needs_shipping) == (
        ProductType.SIMPLE, 1999, True,
    )  # fmt: skip
    assert (shirt.manages_stock, shirt.sale_price, shirt.max_quantity) == (False, None, None)
    apron = await shop.by_sku("APRON-LINEN-SAN")
    assert apron.variation == {"pa_color": "sand", "straps": ""}
    assert (await shop.by_sku("JACKET-RAIN-XL")).stock_id == 104


async def test_a_thousand_rows_and_more_come_in_batches(shop: Shop, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location(
        "catalog_import", Path(__file__).parents[3] / "bench" / "catalog_import.py"
    )
    assert spec is not None
    assert spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    path = tmp_path / "large.csv"
    bench.write_catalogue(path, 2 * BATCH + 500)
    told: list[tuple[int, int]] = []
    report = await shop.take_file(path, on_progress=lambda done, of: told.append((done, of)))
    assert counts(report) == (2500, 0, 0, 0)
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1] == 3 * path.stat().st_size
    assert counts(await shop.take_file(path)) == (0, 0, 2500, 0)


async def test_a_file_that_is_no_catalogue_changes_nothing(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("Country Code,Rate %\nDE,19\n")
    with pytest.raises(UnusableFile, match="`Type`, `Name`, `ID` or `SKU`"):
        await shop.take_file(path)


# --- who is who -----------------------------------------------------------------------------------


async def test_ids_are_kept_and_new_ones_come_after_all_of_them(shop: Shop) -> None:
    report = await shop.take({"ID": "", "SKU": "NEW"}, {"ID": "700", "SKU": ""})
    assert counts(report) == (2, 0, 0, 0)
    assert (await shop.by_sku("NEW")).id > 700
    assert (await shop.product(700)).sku == ""


async def test_a_row_is_found_again_by_id_else_by_sku(shop: Shop) -> None:
    await shop.take({"ID": "5", "SKU": "A"}, {"SKU": "B"})
    report = await shop.take({"ID": "5", "SKU": "A2", "Name": "Mug"}, {"SKU": "B", "Name": "Jug"})
    assert counts(report) == (0, 2, 0, 0)
    assert (await shop.product(5)).sku == "A2"
    assert (await shop.by_sku("B")).name == "Jug"
    report = await shop.take({"ID": "99", "SKU": "B", "Name": "Jug"})
    assert counts(report) == (0, 0, 1, 0)
    assert "matched by its SKU" in report.warnings[0].reason


async def test_a_row_without_id_and_sku_is_refused(shop: Shop) -> None:
    report = await shop.take({"ID": "", "SKU": ""}, {"ID": "2", "SKU": ""})
    assert "neither an ID nor a SKU" in the_reason(report, 2, "ID")
    assert counts(report) == (1, 0, 0, 1)


@pytest.mark.parametrize(
    ("rows", "field", "reason"),
    [
        ([{"ID": "1", "SKU": "A"}, {"ID": "1", "SKU": "B"}], "ID", "is on line 2 too"),
        ([{"ID": "1", "SKU": "A"}, {"ID": "2", "SKU": "A"}], "SKU", "is on line 2 too"),
        ([{"ID": "3", "SKU": ""}, {"ID": "7", "SKU": "HELD"}], "SKU", "product 50"),
        ([{"ID": "50", "SKU": "HELD"}, {"ID": "51", "SKU": "HELD2"}], "ID", "of type external"),
        ([{"ID": "50", "SKU": "X"}, {"ID": "8", "SKU": "HELD"}], "SKU", "same product as line 2"),
    ],
)
async def test_no_two_rows_are_one_product(
    shop: Shop, rows: list[dict[str, str]], field: str, reason: str
) -> None:
    await shop.do(
        "INSERT INTO products (id, type, name, sku) VALUES (50, 'simple', 'Held', 'HELD'),"
        " (51, 'external', 'Elsewhere', NULL), (7, 'simple', 'Seven', NULL)"
    )
    report = await shop.take(*rows)
    assert reason in the_reason(report, 3, field)
    assert report.created + report.updated + report.unchanged == 1


async def test_products_of_other_rows_stay_when_a_bad_row_names_them(shop: Shop) -> None:
    report = await shop.take({"ID": "1", "SKU": "A", "Regular price": "x"}, {"ID": "1", "SKU": "A"})
    assert the_reason(report, 2, "Regular price")
    assert counts(report) == (1, 0, 0, 1)


# --- families -------------------------------------------------------------------------------------

TEE = {
    "ID": "10", "SKU": "TEE", "Type": "variable", "Name": "Tee", "Parent": "",
    "Attribute 1 name": "Size", "Attribute 1 value(s)": "Small, Large", "Attribute 1 global": "1",
    "Attribute 1 default": "large",
    "Attribute 2 name": "Print", "Attribute 2 value(s)": r"Sun, Sea\, waves",
    "Attribute 2 global": "0",
}  # fmt: skip
LARGE = {
    "ID": "11", "SKU": "TEE-L", "Type": "variation", "Name": "Tee - Large", "Parent": "TEE",
    "Attribute 1 name": "Size", "Attribute 1 value(s)": "Large",
    "Attribute 2 name": "Print", "Attribute 2 value(s)": r"Sea\, waves",
    "Regular price": "20",
}  # fmt: skip


async def test_children_may_come_before_their_parents(shop: Shop) -> None:
    by_id = LARGE | {"ID": "12", "SKU": "", "Parent": "id:10", "Attribute 1 value(s)": ""}
    report = await shop.take(LARGE, by_id, TEE)
    assert counts(report) == (3, 0, 0, 0)
    assert report.warnings == ()
    large = await shop.product(11)
    assert (large.parent_id, large.regular_price) == (10, 2000)
    assert large.variation == {"pa_size": "large", "print": "Sea, waves"}
    assert (await shop.product(12)).variation == {"pa_size": "", "print": "Sea, waves"}
    tee = await shop.product(10)
    assert [each.for_variations for each in tee.attributes] == [True, True]
    assert tee.default_options == {"pa_size": "large"}


async def test_attributes_that_no_variation_uses_are_not_chosen(shop: Shop) -> None:
    plain = LARGE | {"Attribute 2 name": "", "Attribute 2 value(s)": ""}
    await shop.take(TEE, plain)
    tee = await shop.product(10)
    assert [each.for_variations for each in tee.attributes] == [True, False]
    assert (await shop.product(11)).variation == {"pa_size": "large"}


async def test_a_parent_imported_alone_keeps_its_choices(shop: Shop) -> None:
    await shop.take(TEE, LARGE)
    report = await shop.take(TEE)
    assert counts(report) == (0, 0, 1, 0)
    assert all(each.for_variations for each in (await shop.product(10)).attributes)


async def test_variations_imported_alone_are_added_to_the_parent_of_the_shop(shop: Shop) -> None:
    await shop.take(TEE)
    assert not any(each.for_variations for each in (await shop.product(10)).attributes)
    assert counts(await shop.take(LARGE)) == (1, 0, 0, 0)
    assert all(each.for_variations for each in (await shop.product(10)).attributes)
    assert (await shop.product(11)).variation["pa_size"] == "large"


@pytest.mark.parametrize(
    ("parent", "reason"),
    [
        ("", "needs its parent"),
        ("NOBODY", "neither in the file nor in the shop"),
        ("id:77", "neither in the file nor in the shop"),
        ("CUP", "is of type simple"),
        ("BROKEN", "line 4, which could not be imported"),
        ("OTHER", "belongs to product 10"),
    ],
)
async def test_a_variation_needs_a_fitting_parent(shop: Shop, parent: str, reason: str) -> None:
    await shop.take(TEE, LARGE)
    report = await shop.take(
        TEE,
        {"ID": "20", "SKU": "CUP"},
        {"ID": "21", "SKU": "BROKEN", "Type": "variable", "Regular price": "-1"},
        TEE | {"ID": "22", "SKU": "OTHER"},
        LARGE | {"Parent": parent},
    )
    bad = [each for each in report.bad if each.line == 6]
    assert [each.field for each in bad] == ["Parent"]
    assert reason in bad[0].reason
    assert (await shop.product(11)).parent_id == 10


async def test_an_option_that_the_parent_lacks_is_warned_of(shop: Shop) -> None:
    odd = LARGE | {"Attribute 1 value(s)": "Huge", "Attribute 3 name": "Fit",
                   "Attribute 3 value(s)": "Slim"}  # fmt: skip
    report = await shop.take(TEE, odd)
    assert counts(report) == (2, 0, 0, 0)
    assert {each.field for each in report.warnings} == {"Size", "Fit"}
    assert (await shop.product(11)).variation["pa_size"] == "huge"


async def test_a_parent_whose_row_is_bad_is_still_the_parent_that_the_shop_has(shop: Shop) -> None:
    await shop.take(TEE, LARGE)
    report = await shop.take(TEE | {"Regular price": "x"}, LARGE | {"Regular price": "21"})
    assert counts(report) == (0, 1, 0, 1)
    assert (await shop.product(11)).regular_price == 2100


async def test_an_attribute_may_have_no_values(shop: Shop) -> None:
    report = await shop.take({
        "ID": "1", "Attribute 1 name": "Size", "Attribute 1 value(s)": "",
        "Attribute 1 global": "1", "Attribute 2 name": "Care", "Attribute 2 value(s)": "",
    })  # fmt: skip
    assert counts(report) == (1, 0, 0, 0)
    assert [each.options for each in (await shop.product(1)).attributes] == [(), ()]


async def test_an_attribute_renamed_in_the_shop_is_found_by_slug_and_by_name(shop: Shop) -> None:
    await shop.take(TEE, LARGE)
    await shop.do("""
        UPDATE attributes SET name = 'Width' WHERE slug = 'pa_size';
        UPDATE products SET attributes = jsonb_set(attributes, '{0,name}', '"Width"') WHERE id = 10
    """)
    for name in ("Width", "Size", "pa_size"):
        report = await shop.take(LARGE | {"Attribute 1 name": name})
        assert report.warnings == ()
        assert (await shop.product(11)).variation["pa_size"] == "large"


async def test_terms_that_differ_in_case_are_one_and_those_with_one_slug_are_two(
    shop: Shop,
) -> None:
    values = {"Attribute 1 name": "Grade", "Attribute 1 global": "1"}
    report = await shop.take(
        {"ID": "1", **values, "Attribute 1 value(s)": "C, C++"},
        {"ID": "2", **values, "Attribute 1 value(s)": "c, ++C"},
    )
    assert report.warnings == ()
    options = [(await shop.product(id)).attributes[0].options for id in (1, 2)]
    assert [[each.slug for each in some] for some in options] == [["c", "c-2"], ["c", "c-3"]]


# --- cells ----------------------------------------------------------------------------------------


async def test_every_column_arrives(shop: Shop) -> None:
    await shop.take({
        "ID": "1", "Type": "simple, downloadable, virtual", "SKU": "'+A", "Name": "Fish &amp; Co",
        "Published": "0", "Is featured?": "1", "Visibility in catalog": "search",
        "Short description": r"a\nb", "Description": "<p>x</p>",
        "Date sale price starts": "2020-01-01", "Date sale price ends": "2020-01-02",
        "Tax status": "shipping", "Tax class": "Reduced Rate", "In stock?": "backorder",
        "Stock": "-3", "Low stock amount": "2", "Backorders allowed?": "notify",
        "Sold individually?": "1", "Weight (lbs)": ".5", "Length (in)": "1", "Width (in)": "2",
        "Height (in)": "3", "Allow customer reviews?": "0", "Purchase note": "Thanks",
        "Sale price": "4.50", "Regular price": "5", "Categories": "A > B, C", "Tags": "x, y",
        "Shipping class": "Bulky Items", "Images": "https://x.example/i/cup.jpg, /j.png",
        "External URL": "https://x.example/", "Button text": "Go", "Position": "7",
        "Download 1 name": "", "Download 1 URL": "https://x.example/f.zip", "Download 1 ID": "q",
        "Meta: min_quantity": "2", "Maximum quantity": "6", "Step quantity": "2",
        "Meta: other": "ignored", "Nonsense": "ignored",
    })  # fmt: skip
    cup = await shop.product(1)
    assert (cup.sku, cup.name, cup.slug) == ("+A", "Fish & Co", "fish-co")
    assert (cup.published, cup.featured, cup.visibility) == (False, True, "search")
    assert (cup.short_description, cup.description) == ("a\nb", "<p>x</p>")
    assert (cup.regular_price, cup.sale_price) == (500, 450)
    assert cup.sale_from is not None
    assert cup.sale_to is not None
    assert (cup.sale_to - cup.sale_from).days == 2
    assert (cup.tax_status, cup.tax_class, cup.shipping_class) == (
        "shipping", "reduced-rate", "bulky-items",
    )  # fmt: skip
    assert (cup.stock_status, cup.backorders) == (StockStatus.ON_BACKORDER, Backorders.NOTIFY)
    assert (cup.manages_stock, cup.low_stock, cup.sold_individually) == (True, 2, True)
    assert await shop.value("SELECT quantity FROM stock WHERE product_id = 1") == -3
    assert [str(each) for each in (cup.weight, cup.length, cup.width, cup.height)] == [
        "0.5", "1", "2", "3",
    ]  # fmt: skip
    assert (cup.virtual, cup.downloadable, cup.reviews_allowed) == (True, True, False)
    assert (cup.purchase_note, cup.button_text, cup.position) == ("Thanks", "Go", 7)
    assert [(each.src, each.name) for each in cup.images] == [
        ("https://x.example/i/cup.jpg", "cup"), ("/j.png", "j"),
    ]  # fmt: skip
    assert [(each.name, each.url) for each in cup.downloads] == [("f", "https://x.example/f.zip")]
    assert (cup.min_quantity, cup.max_quantity, cup.step_quantity) == (2, 6, 2)
    assert len(cup.category_ids) == 2
    assert await shop.value("SELECT count(*) FROM categories") == 3
    assert await shop.value("SELECT count(*) FROM product_tags") == 2


@pytest.mark.parametrize(
    ("field", "text", "reason"),
    [
        ("Regular price", "12,50", "--decimal-comma"),
        ("Regular price", "-1", "negative"),
        ("Sale price", "cheap", "decimal point only"),
        ("Type", "subscription", "not a type"),
        ("Name", "", "no name"),
        ("ID", "0", "whole number"),
        ("ID", "99999999999999999999", "whole number"),
        ("SKU", "x" * 101, "longer than 100"),
        ("SKU", "id:44", "taken for the ID"),
        ("Stock", "2.5", "whole number"),
        ("Published", "perhaps", "not one of"),
        ("Tax status", "maybe", "not one of"),
        ("Weight (kg)", "-1", "negative"),
        ("Minimum quantity", "0", "whole number"),
        ("External URL", "javascript:alert(1)", "web address"),
        ("Images", "javascript:alert(1)", "file address"),
        ("Date sale price ends", "soon", "not a date"),
        ("Categories", "x" * 201, "longer than 200"),
    ],
)
async def test_a_bad_cell_spoils_its_row_only(
    shop: Shop, field: str, text: str, reason: str
) -> None:
    good = {"ID": "1", "SKU": "A", field: ""}
    if field in ("Type", "Name", "ID"):
        del good[field]
    report = await shop.take({"SKU": "B", **good, "ID": "1"}, {"ID": "2", "SKU": "C", field: text})
    assert reason in the_reason(report, 3, field)
    assert counts(report) == (1, 0, 0, 1)


async def test_all_that_is_wrong_with_a_row_is_said_at_once(shop: Shop) -> None:
    heard: list[int] = []
    report = await shop.take(
        {"ID": "1", "Regular price": "x", "Stock": "y", "Maximum quantity": "0"},
        on_bad=lambda bad: heard.append(bad.line),
    )
    assert {each.field for each in report.bad} == {"Regular price", "Stock", "Maximum quantity"}
    assert report.bad_rows == 1
    assert heard == [2, 2, 2]


async def test_of_very_many_bad_rows_a_thousand_are_kept_and_all_are_counted(shop: Shop) -> None:
    report = await shop.take(*({"SKU": f"S{n}", "Regular price": "x"} for n in range(1200)))
    assert (report.bad_rows, len(report.bad)) == (1200, 1000)


async def test_prices_are_rounded_to_the_currency_with_a_warning(shop: Shop) -> None:
    report = await shop.take({"ID": "1", "Regular price": "11.5"}, currency=Currency.of("JPY"))
    assert report.warnings[0].field == "Regular price"
    assert (await shop.product(1)).regular_price == 12


async def test_decimal_commas_can_be_allowed(shop: Shop) -> None:
    await shop.take({"ID": "1", "Regular price": "12,50"}, decimal_comma=True)
    assert (await shop.product(1)).regular_price == 1250


# --- a second time --------------------------------------------------------------------------------


async def test_columns_that_a_file_lacks_stay_as_they_are(shop: Shop) -> None:
    await shop.take({
        "ID": "1", "SKU": "A", "Regular price": "5", "Stock": "4", "Categories": "A", "Tags": "x",
        "Attribute 1 name": "Size", "Attribute 1 value(s)": "L", "Upsells": "A",
        "Images": "https://x.example/a.jpg", "Published": "0",
    })  # fmt: skip
    before = await shop.product(1)
    report = await shop.take({"ID": "1", "Regular price": "6"})
    assert counts(report) == (0, 1, 0, 0)
    after = await shop.product(1)
    assert after.regular_price == 600
    assert after.sku == before.sku
    assert after.images == before.images
    assert after.attributes == before.attributes
    assert after.category_ids == before.category_ids
    assert (after.manages_stock, after.published, after.upsell_ids) == (True, False, (1,))


@pytest.mark.parametrize(
    "change",
    [
        {"Regular price": "6"}, {"Stock": "9"}, {"Categories": "A, B"}, {"Categories": ""},
        {"Tags": "z"}, {"Attribute 1 value(s)": "M"}, {"Published": "0"}, {"Cross-sells": "id:1"},
    ],
)  # fmt: skip
async def test_what_changes_is_an_update_and_nothing_else_is(
    shop: Shop, change: dict[str, str]
) -> None:
    row = {
        "ID": "1", "SKU": "A", "Regular price": "5", "Stock": "4", "Categories": "A",
        "Tags": "x", "Attribute 1 name": "Size", "Attribute 1 value(s)": "L",
        "Published": "1", "Cross-sells": "",
    }  # fmt: skip
    other = {**row, "ID": "2", "SKU": "B"}
    await shop.take(row, other)
    assert counts(await shop.take(row | change, other)) == (0, 1, 1, 0)
    assert counts(await shop.take(row | change, other)) == (0, 0, 2, 0)


async def test_the_slug_of_a_product_stays_when_its_name_changes(shop: Shop) -> None:
    await shop.take(
        {"ID": "1", "Name": "Cup"}, {"ID": "2", "Name": "Cup"}, {"ID": "3", "Name": "★"}
    )
    assert [(await shop.product(id)).slug for id in (1, 2)] == ["cup", "cup-2"]
    assert (await shop.product(3)).slug
    await shop.take({"ID": "1", "Name": "Mug"})
    assert (await shop.product(1)).slug == "cup"


async def test_a_new_quantity_leaves_the_holds_of_orders(shop: Shop) -> None:
    row = {"ID": "1", "Stock": "4"}
    await shop.take(row)
    await shop.do(
        "INSERT INTO stock_holds (order_id, product_id, quantity, expires_at)"
        " VALUES (1001, 1, 3, now() + interval '1 hour')"
    )
    await shop.take(row | {"Stock": "10"})
    await shop.take(row | {"Stock": ""})
    assert not (await shop.product(1)).manages_stock
    assert await shop.value("SELECT quantity FROM stock_holds") == 3


async def test_links_reach_forward_backward_and_into_the_shop(shop: Shop) -> None:
    await shop.take({"ID": "90", "SKU": "OLD"})
    report = await shop.take(
        {"ID": "1", "SKU": "A", "Upsells": "B, id:90, OLD, GONE, A"},
        {"ID": "2", "SKU": "B", "Cross-sells": "id:1, id:3"},
        {"ID": "3", "SKU": "C", "Regular price": "x"},
    )
    assert (await shop.product(1)).upsell_ids == (2, 90, 1)
    assert (await shop.product(2)).cross_sell_ids == (1,)
    assert {(each.line, each.field) for each in report.warnings} == {
        (2, "Upsells"), (3, "Cross-sells"),
    }  # fmt: skip


async def test_links_to_a_bad_row_stay_when_the_shop_has_the_product(shop: Shop) -> None:
    linking = {"ID": "1", "SKU": "A", "Upsells": "B"}
    linked = {"ID": "2", "SKU": "B", "Regular price": "5"}
    await shop.take(linking, linked)
    report = await shop.take(linking, linked | {"Regular price": "x"})
    assert counts(report) == (0, 0, 1, 1)
    assert (await shop.product(1)).upsell_ids == (2,)


async def test_two_imports_at_once_come_to_the_same(shop: Shop, tmp_path: Path) -> None:
    one, other = await asyncio.gather(shop.take_file(demo.PRODUCTS), shop.take_file(demo.PRODUCTS))
    assert one.bad_rows == other.bad_rows == 0
    assert one.created + other.created == one.rows


def test_batches_are_cut_by_rows_and_by_bytes() -> None:
    assert [len(each) for each in batched(range(2500), lambda: 0)] == [1000, 1000, 500]
    read = iter(range(0, 2**40, 5 * 2**20))
    assert [len(each) for each in batched(range(5), lambda: next(read))] == [2, 2, 1]
    assert list(batched([], lambda: 0)) == []


async def test_a_change_is_announced(shop: Shop, empty_database: str) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    listening = await asyncpg.connect(empty_database)
    await listening.add_listener("checkstand_changes", lambda *said: heard.put_nowait(said[-1]))
    await shop.take({"ID": "1"})
    assert await asyncio.wait_for(heard.get(), timeout=10) == "catalog"
    await listening.close()
