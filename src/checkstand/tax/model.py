"""A tax rate as the shop keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class TaxRate:
    """`rate` is per cent. Empty country, state, postcodes or cities match everywhere.

    Postcodes are exact (`SW1A 1AA`), with a wildcard (`SW1*`) or a range (`10000...10999`).
    Of the rates that match a place, the first of each priority applies (as in WooCommerce);
    a compound rate is charged on the price plus the taxes of lower priorities.
    """

    id: int
    country: str
    state: str
    postcodes: tuple[str, ...]
    cities: tuple[str, ...]
    rate: Decimal
    name: str
    priority: int
    compound: bool
    on_shipping: bool
    tax_class: str
    position: int

    @property
    def code(self) -> str:
        """How the wire names the rate: `US-NY-SALES TAX-1`. Rates of two classes may share it."""
        parts = [self.country, self.state, self.name.upper() or "TAX", str(self.priority)]
        return "-".join(part for part in parts if part)

    @property
    def label(self) -> str:
        """What the shopper reads."""
        return self.name or "Tax"
