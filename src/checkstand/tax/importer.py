"""Import of the tax rate CSV that WooCommerce exports (Settings > Tax), or one written like it.

The whole file is one transaction: nobody is charged by half a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TypeVar

from checkstand.catalog.importers import cells
from checkstand.catalog.importers.batches import BATCH, TransactionSource, batched
from checkstand.catalog.importers.cells import LONGEST_NAME, CellError
from checkstand.catalog.importers.csvfile import CsvFile, Record, UnusableFile, open_csv
from checkstand.catalog.importers.report import BadRow, ImportReport, RowWarning, Tally
from checkstand.kit.money import round_half_up
from checkstand.kit.places import PostcodeRange, is_range
from checkstand.tax import store
from checkstand.tax.model import TaxRate

__all__ = ["BadRow", "ImportReport", "UnusableFile", "import_rates"]

T = TypeVar("T")
Key = tuple[str, str, tuple[str, ...], tuple[str, ...], int, str, str]

_REQUIRED = (frozenset({"Country Code"}), frozenset({"Rate %"}), frozenset({"Tax Name"}))
_MOST_ROWS = 500_000
_NEW = 0
_ANY = "*"


async def import_rates(
    transaction_source: TransactionSource,
    path: Path | str,
    on_progress: Callable[[int, int], None] | None = None,
    *,
    replace_all: bool = False,
    on_bad: Callable[[BadRow], None] | None = None,
) -> ImportReport:
    """Add the rates of the file, and change those that are there already.

    Rates are the same if country, state, postcodes, cities, priority, class and name are.
    `replace_all` also removes the rates that are not in the file, unless a row is bad.
    `on_progress` is told bytes read and bytes in all. UnusableFile, before anything is written,
    when the file is not such a CSV at all.
    """
    tally = Tally(on_bad=on_bad)
    with open_csv(Path(path), _REQUIRED, "a WooCommerce tax rate export (CSV)") as file:
        reading = _Reading(file, tally)
        found = reading.rates(on_progress or (lambda done, of: None))
    async with transaction_source.transaction() as connection:
        await store.lock_for_import(connection)
        await store.ensure_classes(connection, reading.classes)
        kept: set[int] = set()
        for batch in batched(found, lambda: 0):
            added, changed, same = await store.upsert(connection, batch)
            tally.created += len(added)
            tally.updated += len(changed)
            tally.unchanged += len(same)
            kept |= added | changed | same
        if replace_all and not tally.bad_rows:
            tally.removed = await store.remove_others(connection, kept)
    return tally.report()


@dataclass(slots=True)
class _Reading:
    """The reading of a whole file; tax tables are small enough to be held."""

    file: CsvFile
    tally: Tally
    classes: dict[str, str] = field(default_factory=dict)
    _lines: dict[Key, int] = field(default_factory=dict)

    def rates(self, on_progress: Callable[[int, int], None]) -> list[TaxRate]:
        """The rates of the good rows, in the order of the file; bad rows go to the tally."""
        places = {name.casefold(): place for place, name in enumerate(self.file.header)}
        found: list[TaxRate] = []
        for _, record in self.file.records():
            self.tally.rows += 1
            if self.tally.rows > _MOST_ROWS:
                raise UnusableFile(f"{self.file.path} has more than {_MOST_ROWS} rows.")
            if isinstance(record, Record):
                row = _Row(record, places)
                self._add(row, row.rate(position=len(found)), found)
            else:
                self.tally.refuse(BadRow(record.line, "", record.reason))
            if self.tally.rows % BATCH == 0:
                on_progress(self.file.position, self.file.size)
        on_progress(self.file.size, self.file.size)
        return found

    def _add(self, row: _Row, rate: TaxRate, found: list[TaxRate]) -> None:
        key = (rate.country, rate.state, rate.postcodes, rate.cities, rate.priority,
               rate.tax_class, rate.name)  # fmt: skip
        if not row.problems and (line := self._lines.setdefault(key, row.line)) != row.line:
            row.refuse("Tax Name", f"is the same rate as on line {line}; keep one of them")
        if row.problems:
            self.tally.refuse(*row.problems)
            return
        for warning in row.warnings:
            self.tally.warn(warning)
        if rate.tax_class:
            self.classes.setdefault(rate.tax_class, row.said("Tax Class")[:LONGEST_NAME])
        found.append(rate)


class _Row:
    """One record; what is wrong with it collects in `problems`."""

    def __init__(self, record: Record, places: Mapping[str, int]) -> None:
        self.line = record.line
        self.problems: list[BadRow] = []
        self.warnings: list[RowWarning] = []
        self._cells = record.cells
        self._places = places

    def _title(self, *titles: str) -> str:
        """The title that this file has: WooCommerce's own have changed over time."""
        there = (title for title in titles if title.casefold() in self._places)
        return next(there, titles[0])

    def said(self, title: str) -> str:
        """The cell of that column; "" when the file does not have it."""
        place = self._places.get(title.casefold())
        return "" if place is None else self._cells[place]

    def rate(self, position: int) -> TaxRate:
        """The rate, to be thrown away if there are problems."""
        truth = partial(cells.one_of, meanings=cells.TRUTHS, empty=False)
        country = self._read("Country Code", _country, "")
        state = self._read("State Code", _state, "")
        if state and not country:
            self.refuse("State Code", "a state needs its country; fill in the Country Code")
        return TaxRate(
            id=_NEW,
            country=country,
            state=state,
            postcodes=self._read(self._title("ZIP/Postcode", "Postcode / ZIP"), _postcodes, ()),
            cities=self._read("City", _listed, ()),
            rate=self._per_cent(),
            name=self._read("Tax Name", cells.name, ""),
            priority=self._read("Priority", partial(cells.whole, least=1), None) or 1,
            compound=self._read("Compound", truth, False),
            on_shipping=self._read("Shipping", truth, False),
            tax_class=self._read("Tax Class", cells.class_slug, ""),
            position=position,
        )

    def refuse(self, title: str, reason: str) -> None:
        self.problems.append(BadRow(self.line, title, reason))

    def _read(self, title: str, meaning: Callable[[str], T], instead: T) -> T:
        try:
            return meaning(self.said(title))
        except CellError as error:
            self.refuse(title, str(error))
            return instead

    def _per_cent(self) -> Decimal:
        title = "Rate %"
        exact = self._read(title, _number, Decimal(0))
        if exact > 1000:
            self.refuse(title, f"{exact} is more than 1000 per cent")
        kept = Decimal(round_half_up(exact.scaleb(4))).scaleb(-4)
        if kept != exact:
            self.warnings.append(RowWarning(self.line, title, "was rounded to four decimals"))
        return kept


def _number(text: str) -> Decimal:
    number = cells.measure(text.rstrip("% "))
    if number is None:
        raise CellError("there is no rate; write per cent, like 19 or 8.875")
    return number


def _country(text: str) -> str:
    code = "" if text == _ANY else text.upper()
    if code and not (len(code) == 2 and code.isascii() and code.isalpha()):
        raise CellError(f"'{text[:40]}' is not a country code; write two letters, or * for all")
    return code


def _state(text: str) -> str:
    code = "" if text == _ANY else text.upper()
    if len(code) > 50:
        raise CellError(f"'{text[:40]}' is not a state code; write one such as NY, or * for all")
    return code


def _listed(text: str) -> tuple[str, ...]:
    """The parts of `12345; 123456` in upper case and in order; none when one of them is `*`."""
    parts = {" ".join(part.upper().split()) for part in text.split(";")} - {""}
    return () if _ANY in parts else tuple(sorted(parts))


def _postcodes(text: str) -> tuple[str, ...]:
    found = _listed(text)
    for pattern in found:
        span = PostcodeRange.parse(pattern) if is_range(pattern) else None
        backwards = span is not None and not span.covers(span.low)
        if backwards or (is_range(pattern) and span is None) or _ANY in pattern[:-1]:
            raise CellError(
                f"'{pattern[:40]}' is not a postcode; write 12345, 123* or 12000...12999, with a "
                "semicolon between several"
            )
    return found
