"""The shop's rules that totals depend on, as values: wiring makes them from the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from checkstand.errors import Problem
from checkstand.kit.money import Currency
from checkstand.kit.places import Place
from checkstand.shipping.model import Zone
from checkstand.shipping.packing import Splitter, together


@dataclass(frozen=True, slots=True)
class ShopRules:
    base: Currency
    currencies: Mapping[str, tuple[Currency, Decimal]] = field(default_factory=dict)
    """Further currencies by code, each with its rate for one of `base`."""
    place: Place = Place()
    """Where the store is."""
    tax_enabled: bool = True
    prices_include_tax: bool = False
    tax_based_on: str = "shipping"
    """`shipping`, `billing` or `store`."""
    tax_unknown_as_store: bool = True
    shipping_tax_class: str = ""
    shipping_enabled: bool = True
    zones: tuple[Zone, ...] = ()
    split: Splitter = together
    """How goods are put into packages."""
    sell_to: frozenset[str] | None = None
    """Countries that may order; None for all."""
    coupons_enabled: bool = True
    weight_unit: str = "kg"
    dimension_unit: str = "cm"

    def currency(self, code: str) -> tuple[Currency, Decimal]:
        """The currency and its rate; the base currency for "" and for one no longer offered."""
        return self.currencies.get(code) or (self.base, Decimal(1))

    def known_currency(self, code: str) -> Currency:
        """The currency of an amount that was stored, also when it is not offered any more."""
        return self.currency(code)[0] if self.offers(code) else Currency.of(code)

    def offers(self, code: str) -> bool:
        return code == self.base.code or code in self.currencies

    def currency_problem(self, code: str) -> Problem | None:
        """What is wrong with choosing this currency, if anything."""
        if self.offers(code):
            return None
        offered = ", ".join([self.base.code, *self.currencies])
        return Problem(
            "cocart_invalid_currency",
            "currency",
            f"This shop does not take that currency; it takes {offered}.",
        )
