"""A coupon: what it gives, on what, and to whom. Its uses are counted, never stored in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any

import orjson

LONGEST_CODE = 100


class CouponKind(StrEnum):
    PERCENT = "percent"
    """So many per cent of each item that it is for."""
    FIXED_CART = "fixed_cart"
    """An amount off the goods as a whole."""
    FIXED_PRODUCT = "fixed_product"
    """An amount off every unit that it is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupon:
    """`amount` is per cent, or minor units of the base currency. `minimum` and `maximum`, minor
    units too, are held against what the goods cost as entered: with tax when prices include it.

    Categories are meant with all that is below them: what the store gives has those in it.
    """

    code: str
    kind: CouponKind
    amount: Decimal = Decimal(0)
    id: int = 0
    """0: not stored yet."""
    description: str = ""
    free_shipping: bool = False
    minimum: int | None = None
    maximum: int | None = None
    product_ids: frozenset[int] = frozenset()
    """Empty: every product. A product stands for its variations too."""
    excluded_product_ids: frozenset[int] = frozenset()
    category_ids: frozenset[int] = frozenset()
    excluded_category_ids: frozenset[int] = frozenset()
    excludes_sale_items: bool = False
    item_limit: int | None = None
    """At most so many units get it, the dearest first; not of `fixed_cart`."""
    usage_limit: int | None = None
    customer_limit: int | None = None
    """Uses of one account, or of one billing e-mail."""
    emails: tuple[str, ...] = ()
    """Who may use it, lower case; `*` stands for anything. Empty: everybody."""
    individual_use: bool = False
    """Not together with another coupon."""
    expires_at: datetime | None = None
    enabled: bool = True

    @property
    def label(self) -> str:
        """What a shopper reads beside what it takes off."""
        return f"Coupon: {self.code}"

    def is_for(self, email: str) -> bool:
        """Whether who has this e-mail may use it."""
        given = email.strip().lower()
        return not self.emails or any(_pattern(each).fullmatch(given) for each in self.emails)


@lru_cache(maxsize=1024)
def _pattern(email: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in re.split(r"\*+", email.lower())))


@dataclass(frozen=True, slots=True)
class CouponState:
    """A coupon with what is known about its uses at a moment: those that are redeemed and those
    that other orders hold; `taken_by_customer` those of whoever has the cart. Both are 0 where
    there is no limit to hold them against."""

    coupon: Coupon
    taken: int = 0
    taken_by_customer: int = 0
    expired: bool = False
    account_email: str = ""
    """Of the account whose cart it is, where the coupon is for certain ones; "" for guests."""


def clean_code(code: str) -> str:
    """Codes are the same in any case, and spaces around them were not meant."""
    return code.strip().lower()


_PLAIN = (
    "id",
    "code",
    "description",
    "free_shipping",
    "minimum",
    "maximum",
    "excludes_sale_items",
    "item_limit",
    "usage_limit",
    "customer_limit",
    "individual_use",
    "enabled",
)
_IDS = ("product_ids", "excluded_product_ids", "category_ids", "excluded_category_ids")


def coupon_of(stored: Mapping[str, Any]) -> Coupon:
    """The coupon of a stored row, as JSON has it: `amount` and times are texts."""
    expires = stored["expires_at"]
    values: dict[str, Any] = {name: stored[name] for name in _PLAIN}
    values |= {name: frozenset(stored[name]) for name in _IDS}
    return Coupon(
        **values,
        kind=CouponKind(stored["kind"]),
        amount=Decimal(stored["amount"]),
        emails=tuple(stored["emails"]),
        expires_at=datetime.fromisoformat(expires) if expires else None,
    )


def states_of(stored: Mapping[str, Mapping[str, Any]], now: datetime) -> dict[str, CouponState]:
    """By code, of what the database says about a cart's coupons (`coupons_for`)."""
    states = {}
    for code, row in stored.items():
        coupon = _known(row["terms"])
        over = coupon.expires_at is not None and coupon.expires_at <= now
        states[code] = CouponState(
            coupon, row["taken"], row["taken_by_customer"], over, row["account_email"] or ""
        )
    return states


@lru_cache(maxsize=1024)
def _known(terms: str) -> Coupon:
    """The same coupon for the same terms: they are read with every cart, and hardly ever change."""
    return coupon_of(orjson.loads(terms))
