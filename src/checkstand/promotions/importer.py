"""Import of coupons from the CSV that WooCommerce's exporters write, or from one written like it.

The whole file is one transaction: nobody orders with half of a campaign.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TypeVar

from checkstand.catalog.importers import cells
from checkstand.catalog.importers.batches import BATCH, TransactionSource
from checkstand.catalog.importers.cells import CellError
from checkstand.catalog.importers.csvfile import CsvFile, Record, UnusableFile, open_csv
from checkstand.catalog.importers.report import BadRow, ImportReport, RowWarning, Tally
from checkstand.kit.money import Currency
from checkstand.promotions import store
from checkstand.promotions.model import LONGEST_CODE, Coupon, CouponKind, clean_code

__all__ = ["UnusableFile", "import_coupons"]

T = TypeVar("T")

_MOST_ROWS = 100_000
_MOST_LISTED = 1000
_LONGEST_TEXT = 500

_TITLES: Mapping[str, tuple[str, ...]] = {
    "code": ("post_title", "code", "coupon_code"),
    "description": ("post_excerpt", "description"),
    "enabled": ("post_status", "status"),
    "kind": ("discount_type",),
    "amount": ("coupon_amount", "amount"),
    "individual_use": ("individual_use",),
    "product_ids": ("product_ids",),
    "excluded_product_ids": ("exclude_product_ids", "excluded_product_ids"),
    "category_ids": ("product_categories",),
    "excluded_category_ids": ("exclude_product_categories", "excluded_product_categories"),
    "excludes_sale_items": ("exclude_sale_items",),
    "minimum": ("minimum_amount",),
    "maximum": ("maximum_amount",),
    "item_limit": ("limit_usage_to_x_items",),
    "usage_limit": ("usage_limit",),
    "customer_limit": ("usage_limit_per_user",),
    "used": ("usage_count",),
    "emails": ("customer_email", "email_restrictions"),
    "free_shipping": ("free_shipping",),
    "expires_at": ("date_expires", "expiry_date"),
}
"""What the columns are called by different exporters, by what they say of a coupon; `used` is how
often it was used."""

_OF_NO_ACCOUNT = frozenset(
    "id post_name post_parent post_date post_date_gmt post_author menu_order permalink "
    "date_created date_created_gmt date_modified date_modified_gmt".split()
)
"""Columns that say nothing about what a coupon gives."""

_KINDS = {kind.value: kind for kind in CouponKind} | {"percent_product": CouponKind.PERCENT}
_STATUSES = {"publish": True, "draft": False, "pending": False, "private": False, "trash": False}
_LIST = re.compile(r"[,;|]")
_EMAIL = re.compile(r"[^\s@,;|]{1,200}@[^\s@,;|]{1,200}|\*")
_UNIX = re.compile(r"\d{9,11}")


async def import_coupons(
    transaction_source: TransactionSource,
    path: Path | str,
    base: Currency,
    zone: tzinfo,
    on_progress: Callable[[int, int], None] | None = None,
    *,
    on_bad: Callable[[BadRow], None] | None = None,
) -> ImportReport:
    """Makes the coupons of the file, and changes the terms of those that are there by their codes.

    Amounts are major units of `base`. `zone` is where a date that ends a coupon begins. Uses are
    taken over for new coupons only: what this shop has counted stands. UnusableFile, before
    anything is written, when the file is not such a CSV at all.
    """
    tally = Tally(on_bad=on_bad)
    required = tuple(frozenset(_TITLES[name]) for name in ("code", "kind", "amount"))
    with open_csv(Path(path), required, "a CSV of WooCommerce coupons") as file:
        async with transaction_source.transaction() as connection:
            await store.lock_for_import(connection)
            reading = _Reading(file, tally, base, zone, await store.category_names(connection))
            found = reading.coupons(on_progress or (lambda done, of: None))
            _warn_of_unknown(found, await store.product_ids(connection, _named(found)), tally)
            known = await store.for_import(connection, [each.coupon.code for each in found])
            new = [each for each in found if each.coupon.code not in known]
            changed = []
            for each in found:
                stored = known.get(each.coupon.code)
                if stored is not None and (terms := reading.over(stored, each)) != stored:
                    changed.append(terms)
            await store.update_all(connection, changed)
            await store.insert_all(connection, [(each.coupon, each.used) for each in new])
    tally.created, tally.updated = len(new), len(changed)
    tally.unchanged = len(found) - len(new) - len(changed)
    return tally.report()


def _named(found: list[_Found]) -> list[int]:
    """The ids of all products that the coupons name."""
    each = (one.coupon for one in found)
    return sorted({pid for coupon in each for pid in _products(coupon)})


def _products(coupon: Coupon) -> frozenset[int]:
    return coupon.product_ids | coupon.excluded_product_ids


def _warn_of_unknown(found: list[_Found], there: set[int], tally: Tally) -> None:
    """Products may come later, or be gone: no reason to refuse, but to say."""
    for each in found:
        if missing := sorted(_products(each.coupon) - there):
            text = ", ".join(map(str, missing[:10]))
            tally.warn(RowWarning(each.line, "product_ids", f"this shop has no product {text}"))


@dataclass(frozen=True, slots=True)
class _Found:
    """A good row: its coupon, and how often it was used elsewhere."""

    line: int
    coupon: Coupon
    used: int


@dataclass(slots=True)
class _Reading:
    """The reading of a whole file. `categories`: slug or name, in lower case -> ids."""

    file: CsvFile
    tally: Tally
    base: Currency
    zone: tzinfo
    categories: Mapping[str, frozenset[int]]
    _lines: dict[str, int] = field(default_factory=dict)

    def coupons(self, on_progress: Callable[[int, int], None]) -> list[_Found]:
        """Those of the good rows, in the order of the file; bad rows go to the tally."""
        places = {name.casefold(): place for place, name in enumerate(self.file.header)}
        known = {title for titles in _TITLES.values() for title in titles} | _OF_NO_ACCOUNT
        strange = [name for name in self.file.header if name and name.casefold() not in known]
        found: list[_Found] = []
        for _, record in self.file.records():
            self.tally.rows += 1
            if self.tally.rows > _MOST_ROWS:
                raise UnusableFile(f"{self.file.path} has more than {_MOST_ROWS} rows.")
            if isinstance(record, Record):
                self._add(_Row(record, places, self), strange, found)
            else:
                self.tally.refuse(BadRow(record.line, "", record.reason))
            if self.tally.rows % BATCH == 0:
                on_progress(self.file.position, self.file.size)
        on_progress(self.file.size, self.file.size)
        return found

    def over(self, stored: Coupon, found: _Found) -> Coupon:
        """The stored coupon with what the file says; columns that it lacks stay as they are."""
        there = {title.casefold() for title in self.file.header}
        given = {
            name: getattr(found.coupon, name)
            for name, titles in _TITLES.items()
            if name != "used" and there.intersection(titles)
        }
        return replace(stored, **given)

    def _add(self, row: _Row, strange: list[str], found: list[_Found]) -> None:
        coupon = row.coupon()
        used = row.read("used", partial(cells.whole, least=0), None) or 0
        if not row.problems and (line := self._lines.setdefault(coupon.code, row.line)) != row.line:
            row.refuse("code", f"is the same code as on line {line}; keep one of them")
        if row.problems:
            self.tally.refuse(*row.problems)
            return
        for name in strange:
            if row.cell(name):
                text = "is not known to this shop and was left out: look whether it limits"
                self.tally.warn(RowWarning(row.line, name, f"{text} the coupon"))
        for warning in row.warnings:
            self.tally.warn(warning)
        found.append(_Found(row.line, coupon, used))


class _Row:
    """One record; what is wrong with it collects in `problems`."""

    def __init__(self, record: Record, places: Mapping[str, int], reading: _Reading) -> None:
        self.line = record.line
        self.problems: list[BadRow] = []
        self.warnings: list[RowWarning] = []
        self._cells = record.cells
        self._places = places
        self._reading = reading

    def cell(self, title: str) -> str:
        """The cell of that column; "" when the file does not have it."""
        place = self._places.get(title.casefold())
        return "" if place is None else self._cells[place]

    def read(self, name: str, meaning: Callable[[str], T], instead: T) -> T:
        try:
            return meaning(self.cell(self._title(name)))
        except CellError as error:
            self.refuse(name, str(error))
            return instead

    def refuse(self, name: str, reason: str) -> None:
        self.problems.append(BadRow(self.line, self._title(name), reason))

    def _title(self, name: str) -> str:
        """The title that this file has for it."""
        there = (title for title in _TITLES[name] if title in self._places)
        return next(there, _TITLES[name][0])

    def coupon(self) -> Coupon:
        """The coupon, to be thrown away if there are problems."""
        truth = partial(cells.one_of, meanings=cells.TRUTHS, empty=False)
        count = partial(_limit, most=cells.LARGEST_INTEGER)
        kind = self.read("kind", _kind, CouponKind.PERCENT)
        shipping = self.read("free_shipping", truth, False)
        coupon = Coupon(
            code=self.read("code", _code, ""),
            kind=kind,
            amount=self._amount(kind, shipping),
            description=self.read("description", cells.prose, "")[:_LONGEST_TEXT],
            free_shipping=shipping,
            minimum=self._bound("minimum"),
            maximum=self._bound("maximum"),
            product_ids=self.read("product_ids", _ids, frozenset()),
            excluded_product_ids=self.read("excluded_product_ids", _ids, frozenset()),
            category_ids=self.read("category_ids", self._categories, frozenset()),
            excluded_category_ids=self.read("excluded_category_ids", self._categories, frozenset()),
            excludes_sale_items=self.read("excludes_sale_items", truth, False),
            item_limit=self.read("item_limit", count, None),
            usage_limit=self.read("usage_limit", count, None),
            customer_limit=self.read("customer_limit", count, None),
            emails=self.read("emails", _emails, ()),
            individual_use=self.read("individual_use", truth, False),
            expires_at=self.read("expires_at", partial(_end, zone=self._reading.zone), None),
            enabled=self.read(
                "enabled", partial(cells.one_of, meanings=_STATUSES, empty=True), False
            ),
        )
        if coupon.item_limit is not None and kind is CouponKind.FIXED_CART:
            self.refuse("item_limit", "an amount off the cart is not for items; leave it empty")
        return coupon

    def _amount(self, kind: CouponKind, free_shipping: bool) -> Decimal:
        if kind is CouponKind.PERCENT:
            amount = self.read("amount", _per_cent, Decimal(0))
        else:
            amount = Decimal(self._money("amount") or 0)
        if not amount and not free_shipping and not self.problems:
            self.refuse("amount", "takes nothing off, and shipping is not free either")
        return amount

    def _bound(self, name: str) -> int | None:
        """0 is how exporters say that there is none."""
        return self._money(name) or None

    def _money(self, name: str) -> int | None:
        nothing: tuple[int | None, bool] = (None, False)
        meaning = partial(cells.price, currency=self._reading.base)
        minor, rounded = self.read(name, meaning, nothing)
        if rounded:
            title, code = self._title(name), self._reading.base.code
            self.warnings.append(RowWarning(self.line, title, f"was rounded to amounts of {code}"))
        return minor

    def _categories(self, text: str) -> frozenset[int]:
        """Of slugs or names. Numbers are those of another shop."""
        found: set[int] = set()
        for name in _listed(text):
            ids = self._reading.categories.get(name.casefold())
            if ids is None:
                hint = " (a number means another one in each shop)" if name.isdecimal() else ""
                raise CellError(
                    f"'{name[:40]}' is no category of this shop; write its slug or its name{hint}"
                )
            found |= ids
        return frozenset(found)


def _code(text: str) -> str:
    code = clean_code(text)
    if not 1 <= len(code) <= LONGEST_CODE:
        raise CellError(f"a code has 1 to {LONGEST_CODE} characters")
    return code


def _kind(text: str) -> CouponKind:
    kind = cells.one_of(text, _KINDS, None)
    if kind is None:
        raise CellError(f"there is no kind; write {', '.join(CouponKind)}")
    return kind


def _per_cent(text: str) -> Decimal:
    number = cells.measure(text.rstrip("% ")) or Decimal(0)
    if number > 100:
        raise CellError(f"{number} is more than 100 per cent")
    return number


def _limit(text: str, most: int) -> int | None:
    """How often; 0 is how exporters say that there is no limit."""
    return cells.whole(text, 0, most) or None


def _listed(text: str) -> list[str]:
    entries = [part.strip() for part in _LIST.split(text)]
    found = list(dict.fromkeys(entry for entry in entries if entry))
    if len(found) > _MOST_LISTED:
        raise CellError(f"lists more than {_MOST_LISTED}")
    return found


def _ids(text: str) -> frozenset[int]:
    return frozenset(cells.whole(each, 1) or 0 for each in _listed(text))


def _emails(text: str) -> tuple[str, ...]:
    found = tuple(email.lower() for email in _listed(text))
    for email in found:
        if not _EMAIL.fullmatch(email) or email.count("*") > 3:
            raise CellError(
                f"'{email[:40]}' is no e-mail address; write name@shop.example or *@shop.example, "
                "with a comma between several"
            )
    return found


def _end(text: str, zone: tzinfo) -> datetime | None:
    """As WooCommerce: a date ends the coupon with its first moment, in the shop's time zone. A
    number is Unix seconds."""
    if _UNIX.fullmatch(text):
        return datetime.fromtimestamp(int(text), UTC)
    moment = cells.moment(text)
    if moment is None or "Z" in text or re.search(r"[+-]\d{2}:?\d{2}$", text):
        return moment
    return moment.replace(tzinfo=zone).astimezone(UTC)
