"""Files that are not what they should be, and records that are not."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkstand.catalog.importers.csvfile import (
    Malformed,
    Record,
    UnusableFile,
    open_csv,
    unescaped,
)

NEEDED = (frozenset({"Name"}), frozenset({"ID", "SKU"}))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "products.csv"


def records(path: Path) -> list[Record | Malformed]:
    with open_csv(path, NEEDED, "a product file") as file:
        return [record for _, record in file.records()]


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(UnusableFile) as error:
        records(path)
    return str(error.value)


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_reads_what_spreadsheets_write(path: Path, ends: str, mark: str, delimiter: str) -> None:
    lines = [["ID", "Name"], ["1", "Größe"], ["", ""], ["2", "two"]]
    text = mark + ends.join(delimiter.join(line) for line in lines)
    found = records(written(path, text))
    assert found == [Record(2, ["1", "Größe"]), Record(4, ["2", "two"])]


def test_a_record_has_the_line_that_it_starts_on(path: Path) -> None:
    found = records(written(path, 'ID,Name\n1,"one\n\nand more"\n\n2,two\n'))
    assert [record.line for record in found] == [2, 6]


@pytest.mark.parametrize("content", ["", "\n1,2\n", "\ufeff"])
def test_an_empty_file_is_called_empty(path: Path, content: str) -> None:
    assert "is empty" in refusal(written(path, content))


@pytest.mark.parametrize(
    "content", ["Naam,Nummer\n1,2\n", "just a line", "%PDF-1.4\n", "{\n", '"open\n', "Name\nCup\n"]
)
def test_a_wrong_header_is_told_with_what_was_expected(path: Path, content: str) -> None:
    reason = refusal(written(path, content))
    assert "a product file with at least the columns `Name`, `ID` or `SKU`" in reason


@pytest.mark.parametrize("content", [b"ID,Name\n1,Gr\xf6\xdfe\n", b"\xff\xfeI\x00D\x00"])
def test_other_encodings_are_told(path: Path, content: bytes) -> None:
    assert "is not UTF-8" in refusal(written(path, content))


def test_a_missing_file_is_told(path: Path) -> None:
    assert "cannot be read" in refusal(path)


def test_a_file_that_changes_while_it_is_read_is_told(path: Path) -> None:
    with open_csv(written(path, "ID,Name\n1,one\n"), NEEDED, "a product file") as file:
        assert len(list(file.records())) == 1
        written(path, "ID,Name\n1,one\n2,two\n")
        with pytest.raises(UnusableFile, match="changed"):
            list(file.records())


def _good_around(path: Path, line: bytes) -> Malformed:
    """What becomes of `line` between two good ones, which stay good."""
    before, bad, after = records(written(path, b"ID,Name\n1,one\n" + line + b"\n3,three\n"))
    assert isinstance(before, Record)
    assert isinstance(after, Record)
    assert isinstance(bad, Malformed)
    assert bad.line == 3
    return bad


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"2,t\x00wo", "NUL"),
        (b"2,\xed\xa0\x80", "surrogate"),
        (b"2,two,too,many", "4 cells where the header has 2"),
        (b"2", "1 cells where the header has 2"),
        (b'2,"two"x', "not well-formed"),
    ],
)
def test_a_malformed_record_does_not_spoil_its_neighbours(
    path: Path, line: bytes, reason: str
) -> None:
    assert reason in _good_around(path, line).reason


def test_a_quote_that_is_never_closed_is_told_where_it_opens(path: Path) -> None:
    good, bad = records(written(path, 'ID,Name\n1,one\n2,"two\n3,three\n'))
    assert isinstance(good, Record)
    assert isinstance(bad, Malformed)
    assert (bad.line, "never closed" in bad.reason) == (3, True)


def test_empty_cells_too_many_are_let_pass(path: Path) -> None:
    assert records(written(path, "ID,Name\n1,one,,\n")) == [Record(2, ["1", "one"])]


def test_position_grows_to_the_size_of_the_file(path: Path) -> None:
    content = "ID,Name\n" + "1,one\n" * 10
    with open_csv(written(path, content), NEEDED, "a product file") as file:
        positions = [file.position for _ in file.records()]
    assert positions == sorted(positions)
    assert positions[-1] == len(content)


def _escaped(text: str) -> str:
    """As WooCommerce writes a cell."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


cell = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=20).map(str.strip)


@given(st.lists(st.tuples(cell, cell), max_size=5))
def test_cells_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["ID", "Name"])
    for row in rows:
        writer.writerow([_escaped(each) for each in row])
    path = written(tmp_path_factory.mktemp("csv") / "file.csv", text.getvalue())
    expected = [[unescaped(_escaped(each)) for each in row] for row in rows if any(row)]
    found = records(path)
    assert [each.cells for each in found if isinstance(each, Record)] == expected
    assert not [each for each in found if isinstance(each, Malformed)]


def test_only_wanted_records_are_given_and_all_are_counted(path: Path) -> None:
    written(path, 'ID,Name\n1,one\n\n2,"two"x\n3,three\n4,four\n')
    with open_csv(path, NEEDED, "a product file") as file:
        found = [(number, record.line) for number, record in file.records(lambda n: n != 2)]
    assert found == [(0, 2), (1, 4), (3, 6)]


def test_header_names_are_found_in_any_case(path: Path) -> None:
    with open_csv(written(path, "sku,NAME\n"), NEEDED, "a product file") as file:
        assert file.header == ["sku", "NAME"]
