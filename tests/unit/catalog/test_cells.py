"""What the cells of an export mean."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkstand.catalog.importers import cells
from checkstand.catalog.importers.cells import CellError
from checkstand.catalog.importers.csvfile import unescaped
from checkstand.catalog.slugs import slug_of, slugify
from checkstand.kit.money import Currency

USD, JPY, KWD = Currency.of("USD"), Currency.of("JPY"), Currency.of("KWD")


@pytest.mark.parametrize(
    ("text", "currency", "minor", "rounded"),
    [
        ("19.99", USD, 1999, False),
        ("20", USD, 2000, False),
        (".5", USD, 50, False),
        ("18.", USD, 1800, False),
        ("0", USD, 0, False),
        ("", USD, None, False),
        ("11.050", USD, 1105, False),
        ("11.055", USD, 1106, True),
        ("11.0549", USD, 1105, True),
        ("11.05", JPY, 11, True),
        ("1.2345", KWD, 1235, True),
    ],
)
def test_prices(text: str, currency: Currency, minor: int | None, rounded: bool) -> None:
    assert cells.price(text, currency) == (minor, rounded)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("-1", "negative"),
        ("12,50", r"write 12\.50"),
        ("1,234.50", "decimal point only"),
        ("$5", "decimal point only"),
        ("1e5", "decimal point only"),
        ("NaN", "decimal point only"),
        ("Infinity", "decimal point only"),
        ("٣", "decimal point only"),
        ("9" * 26, "decimal point only"),
        ("99999999999999", "more than"),
    ],
)
def test_what_is_no_price_is_refused_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(CellError, match=hint):
        cells.price(text, USD)


def test_a_decimal_comma_is_read_when_it_is_allowed() -> None:
    assert cells.price("12,50", USD, decimal_comma=True) == (1250, False)
    assert cells.price("12.50", USD, decimal_comma=True) == (1250, False)
    assert cells.measure("0,25", decimal_comma=True) == Decimal("0.25")


@pytest.mark.parametrize(("text", "number"), [("5", 5), ("5.0000", 5), ("-2", -2), ("", None)])
def test_whole_numbers(text: str, number: int | None) -> None:
    assert cells.whole(text, -10, 10) == number


@pytest.mark.parametrize("text", ["2.5", "11", "-11", "many", "1" * 30, "²"])
def test_what_is_no_whole_number_in_range_is_refused(text: str) -> None:
    with pytest.raises(CellError, match="whole number from -10 to 10"):
        cells.whole(text, -10, 10)


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("2024-03-01", datetime(2024, 3, 1, tzinfo=UTC)),
        ("2024-03-01 0:00:00", datetime(2024, 3, 1, tzinfo=UTC)),
        ("2024-3-1 9:30", datetime(2024, 3, 1, 9, 30, tzinfo=UTC)),
        ("2024-03-01T09:30:15+02:00", datetime(2024, 3, 1, 7, 30, 15, tzinfo=UTC)),
        ("2024-03-01T09:30:15Z", datetime(2024, 3, 1, 9, 30, 15, tzinfo=UTC)),
        ("", None),
    ],
)
def test_moments(text: str, starts: datetime | None) -> None:
    assert cells.moment(text) == starts


def test_a_sale_that_ends_on_a_date_lasts_that_whole_day() -> None:
    assert cells.end_moment("2024-12-31") == datetime(2025, 1, 1, tzinfo=UTC)
    assert cells.end_moment("2024-12-31 23:59:59") == datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["31.12.2024", "2024-02-30", "tomorrow", "2024-01-01 25:00", "9999-12-31T23:00-23:00",
             "0000-01-01"],
)  # fmt: skip
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(CellError, match="is not a date"):
        cells.moment(text)


def test_a_sale_may_last_until_the_end_of_time() -> None:
    assert cells.end_moment("9999-12-31") == datetime(9999, 12, 31, tzinfo=UTC)


def test_categories_are_paths() -> None:
    text = r"Clothing > Hoodies, Gifts\, Games, Clothing > Hoodies, , Fish &amp; Chips"
    assert cells.category_paths(text) == (
        ("Clothing", "Hoodies"), ("Gifts, Games",), ("Fish & Chips",),
    )  # fmt: skip


def test_descriptions_have_their_line_breaks_back() -> None:
    assert cells.prose(r"<p>one</p>\n<p>C:\\new</p>") == "<p>one</p>\n<p>C:\\new</p>"


@pytest.mark.parametrize("text", ["javascript:alert(1)", "data:text/html,x", "ftp://host/file"])
def test_addresses_that_run_or_hide_something_are_refused(text: str) -> None:
    with pytest.raises(CellError):
        cells.file_address(text)
    with pytest.raises(CellError):
        cells.web_address(text)


@pytest.mark.parametrize("text", ["https://shop.example/a.zip", "uploads/a.zip", "/a b.zip", ""])
def test_file_addresses(text: str) -> None:
    assert cells.file_address(text) == text


@pytest.mark.parametrize(
    ("cell", "meaning"),
    [("'=1+1", "=1+1"), ("'+49", "+49"), ("'-1", "-1"), ("'@x", "@x"), ("'quoted'", "'quoted'"),
     ("'", "'"), ("=1", "=1")],
)  # fmt: skip
def test_the_guard_against_formulas_is_taken_off(cell: str, meaning: str) -> None:
    assert unescaped(cell) == meaning


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Größe S / M", "grosse-s-m"),
        ("V-Neck  T-Shirt", "v-neck-t-shirt"),
        ("C++", "c"),
        ("L(arge)", "large"),
        ("Don’t", "dont"),
        ("Crème Brûlée", "creme-brulee"),
        ("抹茶 30 g", "抹茶-30-g"),
        ("ガム", "ガム"),
        ("½ l", "12-l"),
        ("pa_size", "pa_size"),
        ("★", ""),
    ],
)
def test_slugs(name: str, slug: str) -> None:
    assert slugify(name) == slug


@given(st.text(min_size=1))
def test_a_slug_is_never_empty_and_stays_itself(name: str) -> None:
    slug = slug_of(name)
    assert slug
    assert slug_of(slug) == slug
    assert len(slug) <= 150


values = st.text(st.characters(codec="utf-8", exclude_characters="\\"), min_size=1).map(
    lambda text: " ".join(text.split())
)


@given(st.lists(values.filter(bool), max_size=5))
def test_lists_come_back_as_they_were_joined(texts: list[str]) -> None:
    joined = ", ".join(text.replace(",", "\\,") for text in texts)
    assert cells.listed(joined) == tuple(texts)


@given(st.text())
def test_any_text_is_understood_or_refused_and_nothing_else(text: str) -> None:
    for meaning in (
        cells.measure, cells.moment, cells.end_moment, cells.names, cells.category_paths,
        cells.prose, cells.web_address, cells.file_address, cells.class_slug,
        lambda each: cells.price(each, KWD), lambda each: cells.whole(each, 0),
    ):  # fmt: skip
        with suppress(CellError):
            meaning(text)
