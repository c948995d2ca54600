"""A CSV file read as a stream, as often as needed, with the line that each record starts on."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from checkstand.errors import CheckstandError

_LONGEST_CELL = 8 * 1024 * 1024
_LONGEST_LINE = 16 * 1024 * 1024
_DELIMITERS = ",;\t"
_FORMULA_STARTS = "=+-@\t\r"


class UnusableFile(CheckstandError):
    """The file as a whole cannot be imported; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record; `cells` has as many as the header. `line` counts from 1, the header's line."""

    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Malformed:
    """A record that is not usable whatever its columns mean."""

    line: int
    reason: str


class CsvFile:
    """Made by `open_csv`. `header` is as in the file, without surrounding blanks."""

    def __init__(self, file: BinaryIO, path: Path, header: list[str], delimiter: str) -> None:
        self.path = path
        self.header = header
        self._file = file
        self._delimiter = delimiter
        self._stamp = _stamp(file)
        self.size = self._stamp[0]
        """In bytes."""

    @property
    def position(self) -> int:
        """Bytes read so far in the current pass."""
        return self._file.tell()

    def records(
        self, wanted: Callable[[int], bool] | None = None
    ) -> Iterator[tuple[int, Record | Malformed]]:
        """Everything after the header, numbered from 0; blank lines are passed over.

        `wanted` says of a number whether that record is needed; others cost next to nothing.
        UnusableFile when the bytes are not UTF-8 or the file has changed since it was opened.
        """
        if _stamp(self._file) != self._stamp:
            raise UnusableFile(f"{self.path} was changed while it was being read; import it again.")
        self._file.seek(0)
        reader = csv.reader(
            _text_lines(self._file, self.path), delimiter=self._delimiter, strict=True
        )
        next(reader)
        number = -1
        while True:
            line = reader.line_num + 1
            problem = ""
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                cells, problem = [], _explained(error)
            if not problem and not any(cells):
                continue
            number += 1
            if wanted is None or wanted(number):
                yield number, Malformed(line, problem) if problem else self._record(line, cells)

    def _record(self, line: int, cells: list[str]) -> Record | Malformed:
        columns = len(self.header)
        if len(cells) != columns:
            if len(cells) < columns or any(cells[columns:]):
                return Malformed(
                    line,
                    f"has {len(cells)} cells where the header has {columns}; look for a comma or "
                    "a quote that is not inside quotes, or a file that was cut off",
                )
            cells = cells[:columns]
        text = "".join(cells)
        if "\0" in text:
            return Malformed(line, "contains a NUL byte; remove it")
        if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            return Malformed(line, "contains half of a surrogate pair, which is no character")
        stripped = [cell.strip() for cell in cells]
        return Record(line, [unescaped(cell) if cell[:1] == "'" else cell for cell in stripped])


@contextmanager
def open_csv(path: Path, required: Sequence[frozenset[str]], kind: str) -> Iterator[CsvFile]:
    """Open a CSV file (UTF-8, with or without BOM; comma, semicolon or tab).

    Of each set in `required` the header must have one name; `kind` says what was expected.
    UnusableFile in every case in which nothing of the file can be used.
    """
    csv.field_size_limit(_LONGEST_CELL)
    try:
        file = path.open("rb")
    except OSError as error:
        raise UnusableFile(f"{path} cannot be read: {error.strerror}.") from None
    with file:
        if not file.seekable():
            raise UnusableFile(f"{path} is not a regular file; save it to disk first.")
        header, delimiter = _header(file, path, required, kind)
        yield CsvFile(file, path, header, delimiter)


def unescaped(cell: str) -> str:
    """Without the quote that WooCommerce puts before what a spreadsheet takes for a formula."""
    if cell.startswith("'") and cell[1:2] in _FORMULA_STARTS and len(cell) > 1:
        return cell[1:]
    return cell


def _stamp(file: BinaryIO) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


def _text_lines(file: BinaryIO, path: Path) -> Iterator[str]:
    number = 0
    while line := file.readline(_LONGEST_LINE):
        number += 1
        if len(line) == _LONGEST_LINE:
            raise UnusableFile(f"Line {number} of {path} is over 16 MB long; this is no CSV file.")
        try:
            # Lone surrogates get through here, so that they spoil their row and not the file.
            text = line.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise UnusableFile(
                f"{path} is not UTF-8 text (line {number}). Expected a CSV file; in a spreadsheet, "
                "save as `CSV UTF-8`."
            ) from None
        yield text.removeprefix("\ufeff") if number == 1 else text


def _header(
    file: BinaryIO, path: Path, required: Sequence[frozenset[str]], kind: str
) -> tuple[list[str], str]:
    line = next(_text_lines(file, path), "").strip("\r\n")
    if not line.strip():
        raise UnusableFile(f"{path} is empty. Expected {_wanted(required, kind)}.")
    for delimiter in _DELIMITERS:
        try:
            cells = next(csv.reader([line], delimiter=delimiter, strict=True))
        except csv.Error:
            continue
        header = [unescaped(cell.strip()) for cell in cells]
        names = {name.casefold() for name in header}
        if all({name.casefold() for name in any_of} & names for any_of in required):
            return header, delimiter
    raise UnusableFile(
        f"The first line of {path} is not the expected header. Expected {_wanted(required, kind)}; "
        f"found: {line[:120]!r}"
    )


def _wanted(required: Sequence[frozenset[str]], kind: str) -> str:
    columns = ", ".join(" or ".join(f"`{name}`" for name in sorted(names)) for names in required)
    return f"{kind} with at least the columns {columns} (English names)"


def _explained(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end of data" in text or "field larger" in text:
        return (
            "opens a quote that is never closed, so that what follows was read as one cell; "
            "close the quote"
        )
    return f"is not well-formed CSV ({text})"
