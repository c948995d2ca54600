"""Which product each row of a file is: the memory that a survey leaves for the writing."""

from __future__ import annotations

from array import array
from collections.abc import Collection
from dataclasses import dataclass, field

from checkstand.catalog.importers.rows import ProductRow
from checkstand.catalog.model import ProductType

_KINDS = tuple(ProductType)
_UNNAMED = -1


@dataclass(frozen=True, slots=True)
class Target:
    """Who a reference means: our id (0: its row is not imported), its type, its line (0: shop)."""

    id: int
    type: ProductType
    line: int


@dataclass(slots=True)
class Plan:
    """Rows are counted from 0, bad ones included."""

    ids: array[int] = field(default_factory=lambda: array("q"))
    """Our id of each row; 0 for rows that are not imported."""
    parents: dict[int, int] = field(default_factory=dict)
    """Our id of the parent, by row, of variations."""
    varied: dict[int, set[str]] = field(default_factory=dict)
    """By our id of the parent: slugs of the attribute names that its variations in the file use."""
    _lines: array[int] = field(default_factory=lambda: array("q"))
    _kinds: bytearray = field(default_factory=bytearray)
    _by_sku: dict[str, int] = field(default_factory=dict)
    _by_file_id: dict[int, int] = field(default_factory=dict)
    _by_id: dict[int, int] = field(default_factory=dict)

    def skip(self, line: int) -> None:
        """A row of which nothing can be used."""
        self._append(line, ProductType.SIMPLE, 0)

    def add(self, row: ProductRow, id: int) -> int:
        """The number of the row; `id` is our id, 0 if it is not imported."""
        number = self._append(row.line, row.type, id)
        if row.sku and self._line_of(self._by_sku.get(row.sku)) is None:
            self._by_sku[row.sku] = number
        if row.file_id and self._line_of(self._by_file_id.get(row.file_id)) is None:
            self._by_file_id[row.file_id] = number
        if id > 0:
            self._by_id[id] = number
        return number

    def add_unnamed(self, row: ProductRow) -> int:
        """A new product that gets its id later, by `name_unnamed`."""
        return self.add(row, _UNNAMED)

    def unnamed(self) -> list[int]:
        return [number for number, id in enumerate(self.ids) if id == _UNNAMED]

    def name_unnamed(self, numbers: Collection[int], ids: Collection[int]) -> None:
        for number, id in zip(numbers, ids, strict=True):
            self.ids[number] = id

    def drop(self, number: int) -> None:
        """The row turned out not to be importable."""
        self.ids[number] = 0

    def largest_id(self) -> int:
        return max(self.ids, default=0)

    def line_with_sku(self, sku: str) -> int | None:
        """The line of the good row that has this SKU."""
        return self._line_of(self._by_sku.get(sku))

    def line_with_file_id(self, file_id: int) -> int | None:
        return self._line_of(self._by_file_id.get(file_id))

    def line_with_id(self, id: int) -> int | None:
        return self._line_of(self._by_id.get(id))

    def find(self, reference: str) -> Target | None:
        """Whom a SKU or `id:44` means among the rows of the file."""
        number = self._by_sku.get(reference)
        file_id = id_in(reference)
        if file_id is not None:
            number = self._by_file_id.get(file_id, number)
        if number is None:
            return None
        return Target(self.ids[number], _KINDS[self._kinds[number]], self._lines[number])

    def _append(self, line: int, kind: ProductType, id: int) -> int:
        self.ids.append(id)
        self._lines.append(line)
        self._kinds.append(_KINDS.index(kind))
        return len(self.ids) - 1

    def _line_of(self, number: int | None) -> int | None:
        return None if number is None or self.ids[number] == 0 else self._lines[number]


def id_in(reference: str) -> int | None:
    """The 44 of `id:44`; None for a SKU."""
    digits = reference[3:].strip()
    if reference[:3].lower() != "id:" or not (digits.isascii() and digits.isdigit()):
        return None
    return int(digits[:16])
