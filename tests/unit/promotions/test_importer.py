"""Imports of coupon files into a real database."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from checkstand.catalog.importers.report import ImportReport
from checkstand.kit.money import Currency
from checkstand.promotions import store
from checkstand.promotions.importer import UnusableFile, import_coupons
from checkstand.promotions.model import Coupon, CouponKind
from tests.makers import SHIRT, product

SPRING = {"post_title": "Spring", "discount_type": "percent", "coupon_amount": "12.5"}


class Office:
    """A database that coupon files are imported into."""

    def __init__(self, database: Any, folder: Path) -> None:
        self.database = database
        self._folder = folder

    async def take(self, *rows: dict[str, str], **options: Any) -> ImportReport:
        header = list(dict.fromkeys(column for row in rows for column in row))
        path = self._folder / "coupons.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, header, restval="")
            writer.writeheader()
            writer.writerows(rows)
        zone = ZoneInfo("America/New_York")
        return await import_coupons(self.database, path, Currency.of("USD"), zone, **options)

    async def coupons(self) -> dict[str, store.StoredCoupon]:
        async with self.database.acquire() as connection:
            found = await store.all_coupons(connection, datetime.now(UTC))
        return {each.coupon.code: each for each in found}


@pytest.fixture
async def office(database: Any, tmp_path: Path) -> Office:
    async with database.transaction() as connection:
        await product(connection)
        await connection.execute(
            "INSERT INTO categories (id, name, slug) VALUES (7, 'Hot Drinks', 'drinks-hot')"
        )
    return Office(database, tmp_path)


def counts(report: ImportReport) -> tuple[int, int, int, int]:
    """Created, updated, unchanged, bad."""
    assert report.rows == report.created + report.updated + report.unchanged + report.bad_rows
    return report.created, report.updated, report.unchanged, report.bad_rows


async def test_every_column_is_read(office: Office) -> None:
    row = {
        **SPRING,
        "ID": "44",
        "post_excerpt": "The sale",
        "post_status": "publish",
        "free_shipping": "yes",
        "individual_use": "yes",
        "product_ids": f"{SHIRT}",
        "exclude_product_ids": "",
        "product_categories": "hot drinks",
        "exclude_product_categories": "drinks-hot",
        "exclude_sale_items": "yes",
        "minimum_amount": "10",
        "maximum_amount": "99.5",
        "limit_usage_to_x_items": "3",
        "usage_limit": "100",
        "usage_limit_per_user": "0",
        "usage_count": "41",
        "customer_email": "*@Shop.example, ines@example.com",
        "date_expires": "2199-01-31",
    }
    report = await office.take(row)
    assert (counts(report), report.warnings) == ((1, 0, 0, 0), ())
    stored = (await office.coupons())["spring"]
    assert stored.used == 41
    assert stored.coupon == Coupon(
        id=stored.coupon.id,
        code="spring",
        kind=CouponKind.PERCENT,
        amount=Decimal("12.5"),
        description="The sale",
        free_shipping=True,
        minimum=1000,
        maximum=9950,
        product_ids=frozenset({SHIRT}),
        category_ids=frozenset({7}),
        excluded_category_ids=frozenset({7}),
        excludes_sale_items=True,
        item_limit=3,
        usage_limit=100,
        emails=("*@shop.example", "ines@example.com"),
        individual_use=True,
        # The first moment of that day in New York, as WooCommerce ends them.
        expires_at=datetime(2199, 1, 31, 5, tzinfo=UTC),
    )
    assert counts(await office.take(row)) == (0, 0, 1, 0)


async def test_a_coupon_is_changed_by_its_code_and_keeps_its_uses(office: Office) -> None:
    await office.take({**SPRING, "usage_limit": "9", "usage_count": "4", "post_status": "publish"})
    changed = {**SPRING, "post_title": "SPRING", "coupon_amount": "20", "usage_count": "0"}
    assert counts(await office.take(changed)) == (0, 1, 0, 0)
    stored = (await office.coupons())["spring"]
    assert (stored.coupon.amount, stored.used) == (Decimal(20), 4)
    assert stored.coupon.usage_limit == 9, "a column that the file lacks says nothing"
    assert counts(await office.take({**SPRING, "post_status": "draft"})) == (0, 1, 0, 0)
    assert not (await office.coupons())["spring"].coupon.enabled


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        ("post_title", "", "1 to 100 characters"),
        ("discount_type", "smart_coupon", "not one of"),
        ("discount_type", "", "there is no kind"),
        ("coupon_amount", "101", "more than 100 per cent"),
        ("coupon_amount", "ten", "not a number"),
        ("coupon_amount", "", "takes nothing off"),
        ("minimum_amount", "12,50", "decimal comma"),
        ("usage_limit", "many", "whole number"),
        ("usage_limit", "-1", "whole number"),
        ("product_ids", "1, TSHIRT", "whole number"),
        ("product_categories", "15", "a number means another one in each shop"),
        ("product_categories", "Shoes", "no category of this shop"),
        ("customer_email", "a:1:{i:0;s:3:x}", "no e-mail address"),
        ("date_expires", "soon", "not a date"),
        ("free_shipping", "perhaps", "not one of"),
        ("post_status", "sold", "not one of"),
    ],
)
async def test_bad_rows_are_told_by_line_and_field_and_left_out(
    office: Office, column: str, text: str, reason: str
) -> None:
    bad = {**SPRING, "post_title": "bad", column: text}
    report = await office.take(SPRING, bad, {**SPRING, "post_title": "last"})
    [told] = report.bad
    assert (told.line, told.field) == (3, column)
    assert reason in told.reason
    assert counts(report) == (2, 0, 0, 1)
    assert set(await office.coupons()) == {"spring", "last"}


async def test_a_code_twice_and_an_item_limit_off_the_cart(office: Office) -> None:
    cart = {**SPRING, "post_title": "x", "discount_type": "fixed_cart"}
    report = await office.take(
        SPRING, {**SPRING, "post_title": " SPRING"}, {**cart, "limit_usage_to_x_items": "2"}
    )
    assert [(each.line, each.field) for each in report.bad] == [
        (3, "post_title"),
        (4, "limit_usage_to_x_items"),
    ]


async def test_what_may_limit_a_coupon_and_is_not_known_is_said(office: Office) -> None:
    row = {**SPRING, "product_ids": f"{SHIRT}|999", "_wt_sc_user_roles": "administrator"}
    report = await office.take(row, {**SPRING, "post_title": "plain", "coupon_amount": "5"})
    assert counts(report) == (2, 0, 0, 0)
    assert [(each.line, each.field) for each in report.warnings] == [
        (2, "_wt_sc_user_roles"),
        (2, "product_ids"),
    ]


async def test_an_amount_with_too_many_decimals_is_rounded_and_said(office: Office) -> None:
    report = await office.take({**SPRING, "discount_type": "fixed_cart", "coupon_amount": "5.005"})
    assert [each.field for each in report.warnings] == ["coupon_amount"]
    assert (await office.coupons())["spring"].coupon.amount == 501


async def test_a_file_that_is_something_else_changes_nothing(office: Office) -> None:
    with pytest.raises(UnusableFile, match="WooCommerce coupons"):
        await office.take({"Type": "simple", "Name": "Shirt", "ID": "1"})
    assert await office.coupons() == {}


async def test_nothing_is_written_when_it_breaks_off(office: Office) -> None:
    await office.take(SPRING)
    async with office.database.transaction() as connection:
        await connection.execute(
            "ALTER TABLE coupons ADD CONSTRAINT full_up CHECK (code <> 'new') NOT VALID"
        )
    with pytest.raises(Exception, match="full_up"):
        await office.take({**SPRING, "coupon_amount": "99"}, {**SPRING, "post_title": "new"})
    stored = await office.coupons()
    assert set(stored) == {"spring"}
    assert stored["spring"].coupon.amount == Decimal("12.5")
