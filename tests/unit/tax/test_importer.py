"""Imports of tax rate files into a real database."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from checkstand.catalog.importers.report import ImportReport
from checkstand.tax import store
from checkstand.tax.importer import UnusableFile, import_rates
from checkstand.tax.model import TaxRate
from checkstand.ui import demo

SAMPLE = Path("/work/shared/data/woocommerce_sample_tax_rates.csv")
GERMANY = {"Country Code": "DE", "Rate %": "19.0000", "Tax Name": "MwSt"}


class Office:
    """A database that tax files are imported into."""

    def __init__(self, database: Any, folder: Path) -> None:
        self.database = database
        self._folder = folder

    async def take(self, *rows: dict[str, str], **options: Any) -> ImportReport:
        header = list(dict.fromkeys(column for row in rows for column in row))
        path = self._folder / "rates.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, header, restval="")
            writer.writeheader()
            writer.writerows(rows)
        return await import_rates(self.database, path, **options)

    async def rates(self) -> tuple[TaxRate, ...]:
        async with self.database.acquire() as connection:
            return await store.rates(connection)


@pytest.fixture
def office(database: Any, tmp_path: Path) -> Office:
    return Office(database, tmp_path)


def counts(report: ImportReport) -> tuple[int, int, int, int]:
    """Created, updated, unchanged, bad."""
    assert report.rows == report.created + report.updated + report.unchanged + report.bad_rows
    return report.created, report.updated, report.unchanged, report.bad_rows


@pytest.mark.skipif(not SAMPLE.exists(), reason="the sample of WooCommerce is not at hand")
async def test_the_sample_of_woocommerce_comes_in_whole(office: Office) -> None:
    assert counts(await import_rates(office.database, SAMPLE)) == (5, 0, 0, 0)
    standard = next(rate for rate in await office.rates() if rate.tax_class == "")
    assert (standard.country, standard.rate, standard.postcodes, standard.cities) == (
        "GB", Decimal(20), (), (),
    )  # fmt: skip
    alabama = next(rate for rate in await office.rates() if rate.state)
    assert (alabama.state, alabama.postcodes, alabama.priority) == ("AL", ("12345", "123456"), 2)
    assert counts(await import_rates(office.database, SAMPLE)) == (0, 0, 5, 0)


async def test_the_rates_of_the_demo_shop_come_in_whole(office: Office) -> None:
    report = await import_rates(office.database, demo.TAX_RATES)
    assert report.bad_rows == report.warning_count == 0
    assert not [rate for rate in await office.rates() if (rate.country, rate.state) == ("US", "CA")]
    assert not [rate for rate in await office.rates() if (rate.country, rate.state) == ("US", "")]


async def test_every_column_arrives(office: Office) -> None:
    await office.take({
        "Country Code": "us", "State Code": "ny", "ZIP/Postcode": "11201; 10001...10292;;112*",
        "City": "New  York; brooklyn", "Rate %": "4.875%", "Tax Name": "City &amp; County",
        "Priority": "2", "Compound": "1", "Shipping": "0", "Tax Class": "Books And Maps",
    })  # fmt: skip
    (rate,) = await office.rates()
    assert rate == TaxRate(
        id=rate.id, country="US", state="NY", postcodes=("10001...10292", "112*", "11201"),
        cities=("BROOKLYN", "NEW YORK"), rate=Decimal("4.8750"), name="City & County", priority=2,
        compound=True, on_shipping=False, tax_class="books-and-maps", position=0,
    )  # fmt: skip
    async with office.database.acquire() as connection:
        name = await connection.fetchval(
            "SELECT name FROM tax_classes WHERE slug = 'books-and-maps'"
        )
    assert name == "Books And Maps"


async def test_a_second_file_changes_the_rates_that_it_names(office: Office) -> None:
    france = GERMANY | {"Country Code": "FR"}
    await office.take(GERMANY, france)
    assert counts(await office.take(GERMANY | {"Rate %": "20"})) == (0, 1, 0, 0)
    assert [rate.rate for rate in await office.rates()] == [20, 19]


async def test_the_other_header_of_postcodes(office: Office) -> None:
    await office.take(GERMANY | {"Postcode / ZIP": "10115"})
    assert [rate.postcodes for rate in await office.rates()] == [("10115",)]


async def test_the_order_of_postcodes_and_cities_does_not_matter(office: Office) -> None:
    await office.take(GERMANY | {"ZIP/Postcode": "2;1", "City": "Ulm;Aalen"})
    report = await office.take(GERMANY | {"ZIP/Postcode": "1; 2", "City": "AALEN; ULM"})
    assert counts(report) == (0, 0, 1, 0)


async def test_rates_not_in_the_file_are_removed_on_demand(office: Office) -> None:
    france = GERMANY | {"Country Code": "FR"}
    await office.take(GERMANY, france)
    bad = await office.take(GERMANY, france | {"Rate %": "x"}, replace_all=True)
    assert (bad.removed, len(await office.rates())) == (0, 2)
    report = await office.take(GERMANY, replace_all=True)
    assert (report.removed, len(await office.rates())) == (1, 1)


@pytest.mark.parametrize(
    ("field", "text", "reason"),
    [
        ("Rate %", "", "no rate"),
        ("Rate %", "12,5", "decimal comma"),
        ("Rate %", "-1", "negative"),
        ("Rate %", "1001", "more than 1000"),
        ("Rate %", "NaN", "decimal point"),
        ("Country Code", "Germany", "two letters"),
        ("Country Code", "D1", "two letters"),
        ("State Code", "x" * 51, "state code"),
        ("Priority", "0", "whole number"),
        ("Compound", "maybe", "not one of"),
        ("ZIP/Postcode", "1*2", "is not a postcode"),
        ("ZIP/Postcode", "20...10", "is not a postcode"),
        ("ZIP/Postcode", "10...", "is not a postcode"),
        ("Tax Name", "x" * 201, "longer than"),
    ],
)
async def test_a_bad_cell_spoils_its_row_only(
    office: Office, field: str, text: str, reason: str
) -> None:
    report = await office.take(GERMANY, GERMANY | {"Country Code": "FR"} | {field: text})
    assert counts(report) == (1, 0, 0, 1)
    (bad,) = report.bad
    assert (bad.line, bad.field) == (3, field)
    assert reason in bad.reason


async def test_a_state_needs_its_country(office: Office) -> None:
    report = await office.take(GERMANY | {"Country Code": "*", "State Code": "BY"})
    assert report.bad[0].field == "State Code"


async def test_the_same_rate_twice_in_a_file_is_told(office: Office) -> None:
    report = await office.take(GERMANY, GERMANY | {"Rate %": "20"})
    assert counts(report) == (1, 0, 0, 1)
    assert "as on line 2" in report.bad[0].reason


async def test_more_than_four_decimals_are_rounded_with_a_warning(office: Office) -> None:
    report = await office.take(GERMANY | {"Rate %": "6.12345"})
    assert report.warning_count == 1
    assert (await office.rates())[0].rate == Decimal("6.1235")


async def test_a_file_that_is_no_tax_table_changes_nothing(office: Office) -> None:
    with pytest.raises(UnusableFile, match="`Country Code`, `Rate %`, `Tax Name`"):
        await office.take({"ID": "1", "Name": "Cup"})


async def test_many_rates_come_in(office: Office) -> None:
    rows = [GERMANY | {"ZIP/Postcode": f"{number:05}"} for number in range(2500)]
    assert counts(await office.take(*rows)) == (2500, 0, 0, 0)
    assert counts(await office.take(*rows)) == (0, 0, 2500, 0)
