"""A large catalogue as WooCommerce would export it, and how long its import takes.

    python bench/catalog_import.py write FILE [ROWS]     writes the file
    python bench/catalog_import.py measure FILE          imports it twice into the shop's database

The same number of rows always gives the same bytes.
"""

from __future__ import annotations

import asyncio
import csv
import resource
import sys
import time
from pathlib import Path

COLUMNS = [
    "ID", "Type", "SKU", "Name", "Published", "Is featured?", "Visibility in catalog",
    "Short description", "Description", "Date sale price starts", "Date sale price ends",
    "Tax status", "Tax class", "In stock?", "Stock", "Low stock amount", "Backorders allowed?",
    "Sold individually?", "Weight (kg)", "Length (cm)", "Width (cm)", "Height (cm)",
    "Allow customer reviews?", "Purchase note", "Sale price", "Regular price", "Categories", "Tags",
    "Shipping class", "Images", "Parent", "Grouped products", "Upsells", "Cross-sells",
    "External URL", "Button text", "Position",
    "Attribute 1 name", "Attribute 1 value(s)", "Attribute 1 visible", "Attribute 1 global",
    "Attribute 2 name", "Attribute 2 value(s)", "Attribute 2 visible", "Attribute 2 global",
    "Download 1 name", "Download 1 URL",
]  # fmt: skip
_FIRST_ID = 100_000
_BLOCK = 20
_SIZES = ("Small", "Medium", "Large")
_COLOURS = ("Red", "Green", "Blue", "Black")
WORDS = (
    "amber birch cedar dune ember fjord grove heath inlet juniper kelp larch meadow north oak "
    "pebble quarry reed slate tarn"
).split()

Row = dict[str, str]


def write_catalogue(path: Path, rows: int) -> None:
    """Write `rows` products. Of each 20 rows one is variable with 12 variations, one grouped,
    one external, one downloadable and virtual, four simple; the first variable one has ID 100000.
    """
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        for number in range(rows):
            writer.writerow(_row(number))


def _row(number: int) -> Row:
    place, block = number % _BLOCK, number // _BLOCK
    common = _common(number)
    if place == 0:
        return common | _variable()
    if place <= 12:
        return common | _variation(place - 1, parent=number - place)
    if place == 13:
        return common | {"Type": "external", "External URL": "https://elsewhere.example/p",
                         "Button text": "Buy there"}  # fmt: skip
    if place == 14:
        files = {"Download 1 name": "Manual", "Download 1 URL": "https://shop.example/d/manual.pdf"}
        return common | files | {"Type": "simple, downloadable, virtual", "Weight (kg)": ""}
    if place == 15:
        children = ", ".join(f"SKU-{_FIRST_ID + number + each}" for each in (1, 2, 3))
        return common | {"Type": "grouped", "Grouped products": children, "Regular price": ""}
    return common | {
        "Stock": str(block % 90), "Low stock amount": "3",
        "Sale price": f"{number % 90 + 4}.49" if place == 17 else "",
        "Tax class": "reduced-rate" if place == 18 else "",
        "Cross-sells": f"id:{_FIRST_ID + number - 3}",
    }  # fmt: skip


def _common(number: int) -> Row:
    first, second = WORDS[number % 20], WORDS[number * 7 // 20 % 20]
    name = f"{first.title()} {second} {number}"
    return {
        "ID": str(_FIRST_ID + number), "Type": "simple", "SKU": f"SKU-{_FIRST_ID + number}",
        "Name": name, "Published": "1", "Is featured?": "0", "Visibility in catalog": "visible",
        "Short description": f"{name}, made by hand.",
        "Description": f"<p>{' '.join(WORDS)}, {name}.</p>\\n" * 6,
        "Tax status": "taxable", "In stock?": "1", "Backorders allowed?": "0",
        "Sold individually?": "0", "Weight (kg)": f"0.{number % 97 + 1}", "Length (cm)": "12",
        "Width (cm)": "8", "Height (cm)": "3.5", "Allow customer reviews?": "1",
        "Regular price": f"{number % 90 + 5}.99",
        "Categories": f"Home > {second.title()}, Gifts", "Tags": f"{first}, {second}",
        "Images": f"https://shop.example/img/{number}.jpg, https://shop.example/img/{number}-b.jpg",
        "Position": "0",
    }  # fmt: skip


def _variable() -> Row:
    return {
        "Type": "variable", "Regular price": "",
        "Attribute 1 name": "Size", "Attribute 1 value(s)": ", ".join(_SIZES),
        "Attribute 1 visible": "1", "Attribute 1 global": "1",
        "Attribute 2 name": "Colour", "Attribute 2 value(s)": ", ".join(_COLOURS),
        "Attribute 2 visible": "1", "Attribute 2 global": "1",
    }  # fmt: skip


def _variation(place: int, parent: int) -> Row:
    return {
        "Type": "variation", "Parent": f"id:{_FIRST_ID + parent}", "Position": str(place),
        "Tax class": "parent", "Categories": "", "Tags": "", "Stock": str(place * 5),
        "Attribute 1 name": "Size", "Attribute 1 value(s)": _SIZES[place % 3],
        "Attribute 1 global": "1",
        "Attribute 2 name": "Colour", "Attribute 2 value(s)": _COLOURS[place // 3],
        "Attribute 2 global": "1",
    }  # fmt: skip


async def measure(path: Path) -> list[str]:
    """Import the file twice into the database of the shop; one line of figures for each time."""
    from checkstand.catalog.importers.woocommerce import import_products
    from checkstand.cli.session import database_session
    from checkstand.wiring import base_currency

    lines = []
    async with database_session() as session:
        currency = base_currency(session.settings.store)
        for _ in range(2):
            start = time.perf_counter()
            report = await import_products(session.database, path, currency)
            seconds = time.perf_counter() - start
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            lines.append(
                f"{report.rows} rows: {report.created} created, {report.updated} updated, "
                f"{report.unchanged} unchanged, {report.bad_rows} bad; "
                f"{seconds:.1f} s, peak {peak} MB"
            )
    return lines


def main(arguments: list[str]) -> None:
    verb, path = arguments[0], Path(arguments[1])
    if verb == "write":
        write_catalogue(path, int(arguments[2]) if len(arguments) > 2 else 50_000)
    else:
        print("\n".join(asyncio.run(measure(path))))


if __name__ == "__main__":
    main(sys.argv[1:])
