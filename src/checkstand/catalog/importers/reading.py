"""How one record of a WooCommerce product export is understood. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

from checkstand.catalog.importers import cells
from checkstand.catalog.importers.cells import CellError
from checkstand.catalog.importers.columns import Columns
from checkstand.catalog.importers.csvfile import Record
from checkstand.catalog.importers.fields import LINKS, PLAIN, STOCKED, TAX_STATUSES
from checkstand.catalog.importers.plan import id_in
from checkstand.catalog.importers.report import BadRow, RowWarning
from checkstand.catalog.importers.rows import ProductRow, RowAttribute
from checkstand.catalog.model import ProductType
from checkstand.catalog.slugs import slug_of
from checkstand.kit.money import Currency

T = TypeVar("T")

LARGEST_ID = 2**52
"""Half of what JavaScript can count exactly; new products get ids above the largest."""
LONGEST_SKU = 100


class RowReader:
    """Reads the records of one file, whose columns and currency it knows."""

    def __init__(self, columns: Columns, currency: Currency, decimal_comma: bool) -> None:
        self.columns = columns
        self.currency = currency
        self.decimal_comma = decimal_comma
        # Most cells are empty: what that means is found out once, not once for each row.
        self.plain = [
            (columns.single[header], columns.title(header), column, meaning, meaning(""))
            for header, (column, meaning) in PLAIN.items()
            if header in columns.single
        ]

    def read(self, record: Record) -> ProductRow:
        """Every cell understood; what could not be is in `problems`, all of it at once."""
        return _Reading(self, record).row()


def _types(text: str) -> list[str]:
    return [each.lower() for each in cells.listed(text)]


class _Reading:
    """The reading of one record."""

    def __init__(self, reader: RowReader, record: Record) -> None:
        self._columns = reader.columns
        self._plain = reader.plain
        self._currency = reader.currency
        self._decimal_comma = reader.decimal_comma
        self._record = record
        self._problems: list[BadRow] = []
        self._warnings: list[RowWarning] = []

    def row(self) -> ProductRow:
        kind = self._type()
        file_id, sku = self._keys()
        values = self._values(kind)
        return ProductRow(
            line=self._record.line,
            file_id=file_id,
            sku=sku,
            type=kind,
            name=self._name(kind),
            parent=self._parent(kind),
            values=values,
            links=self._links(),
            stock=self._stock(values, kind),
            categories=self._optional("categories", cells.category_paths),
            tags=self._optional("tags", cells.names),
            brands=self._optional("brands", cells.names),
            attributes=tuple(self._attributes(kind)) if self._columns.attributes else None,
            problems=self._problems,
            warnings=self._warnings,
        )

    # --- cells --------------------------------------------------------------------------------

    def _said(self, header: str, meaning: Callable[[str], T], instead: T) -> T:
        """What the cell means; `instead` once its problem was noted."""
        return self._understood(
            self._columns.cell(self._record.cells, header),
            self._columns.title(header),
            meaning,
            instead,
        )

    def _understood(self, text: str, title: str, meaning: Callable[[str], T], instead: T) -> T:
        try:
            return meaning(text)
        except CellError as error:
            self._problems.append(BadRow(self._record.line, title, str(error)))
            return instead

    def _optional(self, header: str, meaning: Callable[[str], T]) -> T | None:
        if header not in self._columns.single:
            return None
        return self._said(header, meaning, None)

    def _put(
        self, values: dict[str, Any], header: str, column: str, meaning: Callable[[str], Any]
    ) -> None:
        if header in self._columns.single:
            values[column] = self._said(header, meaning, None)

    def _refuse(self, header: str, reason: str) -> None:
        title = self._columns.title(header)
        self._problems.append(BadRow(self._record.line, title, reason))

    # --- groups of columns --------------------------------------------------------------------

    def _values(self, kind: ProductType) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for place, title, column, meaning, unsaid in self._plain:
            text = self._record.cells[place]
            values[column] = self._understood(text, title, meaning, None) if text else unsaid
        self._prices(values)
        self._measures(values)
        self._classes(values, kind)
        self._files(values)
        self._limits(values)
        return values

    def _keys(self) -> tuple[int | None, str]:
        problems = len(self._problems)
        sku = self._said("sku", self._sku, "")
        file_id = self._said("id", lambda text: cells.whole(text, 1, LARGEST_ID), None)
        if file_id is None and not sku and len(self._problems) == problems:
            self._refuse(
                "id",
                "there is neither an ID nor a SKU, so that a second import could not find the "
                "product again; give the row one of them",
            )
        return file_id, sku

    def _type(self) -> ProductType:
        words = _types(self._columns.cell(self._record.cells, "type"))
        kinds = [word for word in words if word not in ("virtual", "downloadable")]
        try:
            (kind,) = kinds or ["simple"]
            return ProductType(kind)
        except ValueError:
            self._refuse(
                "type",
                f"'{', '.join(kinds)[:40]}' is not a type of product that this shop has; "
                f"use one of {', '.join(ProductType)}",
            )
            return ProductType.SIMPLE

    def _sku(self, text: str) -> str:
        if len(text) > LONGEST_SKU:
            raise CellError(f"the SKU is longer than {LONGEST_SKU} characters; shorten it")
        if id_in(text) is not None:
            raise CellError("a SKU like id:44 would be taken for the ID of a product; change it")
        return text

    def _name(self, kind: ProductType) -> str:
        name = self._said("name", cells.name, "-")
        if not name and kind is not ProductType.VARIATION:
            self._refuse("name", "the product has no name; give it one")
        return name

    def _parent(self, kind: ProductType) -> str:
        if kind is not ProductType.VARIATION:
            return ""
        parent = self._columns.cell(self._record.cells, "parent")
        if not parent:
            self._refuse("parent", "a variation needs its parent here: its SKU, or id:44")
        return parent

    def _prices(self, values: dict[str, Any]) -> None:
        for header, column in (("regular price", "regular_price"), ("sale price", "sale_price")):
            if header in self._columns.single:
                unknown: tuple[int | None, bool] = (None, False)
                values[column], rounded = self._said(header, self._price, unknown)
                if rounded:
                    self._warn(header, f"was rounded to what {self._currency.code} carries")

    def _price(self, text: str) -> tuple[int | None, bool]:
        return cells.price(text, self._currency, self._decimal_comma)

    def _measures(self, values: dict[str, Any]) -> None:
        for each in ("weight", "length", "width", "height"):
            if each in self._columns.single:
                number = self._said(
                    each, partial(cells.measure, decimal_comma=self._decimal_comma), None
                )
                values[each] = None if number is None else str(number)

    def _classes(self, values: dict[str, Any], kind: ProductType) -> None:
        """WooCommerce: the tax status of a variation is its parent's, whatever its row says."""
        self._put(
            values,
            "tax status",
            "tax_status",
            lambda text: cells.one_of(text, TAX_STATUSES, "taxable"),
        )
        self._put(values, "tax class", "tax_class", cells.class_slug)
        self._put(values, "shipping class", "shipping_class", cells.class_slug)
        if kind is ProductType.VARIATION:
            inherited = {
                "tax_status": values.get("tax_status"),
                "tax_class": "parent",
                "shipping_class": "",
            }
            for column, as_parent in inherited.items():
                if column in values and values[column] == as_parent:
                    values[column] = None

    def _files(self, values: dict[str, Any]) -> None:
        words = _types(self._columns.cell(self._record.cells, "type"))
        values["virtual"] = "virtual" in words
        values["downloadable"] = "downloadable" in words
        if "images" in self._columns.single:
            addresses = cells.listed(self._columns.cell(self._record.cells, "images"))
            title = self._columns.title("images")
            values["images"] = [
                {"src": src, "name": _file_name(src), "alt": ""}
                for src in addresses
                if self._understood(src, title, cells.file_address, "")
            ]
        if self._columns.downloads:
            values["downloads"] = list(self._downloads())

    def _downloads(self) -> Iterator[dict[str, str]]:
        for group in self._columns.downloads:
            if not self._record.cells[group["url"]]:
                continue
            title = self._columns.header[group["url"]]
            url = self._understood(self._record.cells[group["url"]], title, cells.file_address, "")
            name = self._record.cells[group["name"]] if "name" in group else ""
            yield {"name": name or _file_name(url), "url": url}

    def _stock(self, values: dict[str, Any], kind: ProductType) -> int | None:
        if "stock" not in self._columns.single:
            return None
        text = self._columns.cell(self._record.cells, "stock")
        if kind not in STOCKED or (kind is ProductType.VARIATION and text.lower() == "parent"):
            text = ""
        quantity = self._understood(
            text,
            self._columns.title("stock"),
            lambda cell: cells.whole(cell, -cells.LARGEST_INTEGER),
            None,
        )
        values["manages_stock"] = quantity is not None
        return quantity

    def _limits(self, values: Mapping[str, Any]) -> None:
        least, most = values.get("min_quantity") or 1, values.get("max_quantity")
        if most is not None and most < least:
            self._refuse("maximum quantity", f"{most} is less than the minimum of {least}")

    def _links(self) -> dict[str, tuple[str, ...]]:
        return {
            column: cells.listed(self._columns.cell(self._record.cells, header))
            for header, column in LINKS.items()
            if header in self._columns.single
        }

    def _attributes(self, kind: ProductType) -> Iterator[RowAttribute]:
        seen: set[str] = set()
        for group in self._columns.attributes:
            texts = {part: self._record.cells[place] for part, place in group.items()}
            title = self._columns.header[group["name"]]
            name = self._understood(texts["name"], title, cells.name, "")
            if not name:
                continue
            if slug_of(name) in seen:
                self._problems.append(
                    BadRow(
                        self._record.line,
                        title,
                        f"the attribute '{name}' is there twice; put all values into one",
                    )
                )
            seen.add(slug_of(name))
            yield self._attribute(name, texts, title, single=kind is ProductType.VARIATION)

    def _attribute(
        self, name: str, texts: Mapping[str, str], title: str, single: bool
    ) -> RowAttribute:
        meaning = cells.names if not single else lambda text: (cells.name(_unlisted(text)),)
        truth = partial(cells.one_of, meanings=cells.TRUTHS)
        shared = None
        if texts.get("global"):
            shared = self._understood(texts["global"], title, partial(truth, empty=False), False)
        return RowAttribute(
            name=name,
            values=self._understood(texts.get("value(s)", ""), title, meaning, ()),
            visible=self._understood(
                texts.get("visible", ""), title, partial(truth, empty=True), True
            ),
            shared=shared,
            default=self._understood(texts.get("default", ""), title, cells.name, ""),
        )

    def _warn(self, header: str, reason: str) -> None:
        title = self._columns.title(header)
        self._warnings.append(RowWarning(self._record.line, title, reason))


def _unlisted(text: str) -> str:
    return text.replace("\\,", ",")


def _file_name(address: str) -> str:
    """`https://shop.example/img/cup-2.jpg?v=1` -> `cup-2`."""
    last = address.partition("?")[0].rpartition("/")[2]
    return last.rpartition(".")[0] or last
