"""The section of the settings about shipping: zones, methods, packages."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from checkstand.settings.sections import Amount, CountryCode, Section, StateCode


class MethodSettings(Section):
    id: int = Field(ge=1, description="Number of the method, unique in the shop: `flat_rate:1`.")
    kind: Literal["flat_rate", "free_shipping", "local_pickup"] = Field(
        description="What kind of method this is."
    )
    title: str = Field("", description="What the shopper reads; empty: the kind's usual name.")
    cost: Amount = Field(
        Decimal(0), description="Cost of an order, in major units of the base currency."
    )
    cost_per_item: Amount = Field(Decimal(0), description="Added for each item.")
    cost_per_class: dict[str, Amount] = Field(
        {}, description="Added once for each shipping class in the order."
    )
    minimum: Amount | None = Field(
        None, description="free_shipping: smallest subtotal that it is offered from."
    )
    requires: Literal["either", "minimum", "coupon", "both"] = Field(
        "either", description="free_shipping: what it is given for."
    )
    only_classes: tuple[str, ...] = Field(
        (),
        description="Offered only to packages with nothing but goods of these shipping classes "
        "(an empty one is that of goods without); none: to all.",
    )
    taxable: bool = Field(True, description="Whether tax is charged on the cost.")


class ZoneSettings(Section):
    name: str = Field(description="The zone's name.")
    countries: tuple[CountryCode, ...] = Field(
        (), description="Countries of the zone; none of countries and states: everywhere."
    )
    states: tuple[StateCode, ...] = Field((), description="States of the zone, as US:CA.")
    postcodes: tuple[str, ...] = Field(
        (), description="Narrows the zone: 90210, 902* or 90000...90999."
    )
    methods: tuple[MethodSettings, ...] = Field((), description="What is offered there, in order.")


class ShippingSettings(Section):
    enabled: bool = Field(True, description="Whether the shop ships at all.")
    zones: tuple[ZoneSettings, ...] = Field(
        (), description="Tried in order; the first that covers the address is used."
    )
    split: str = Field(
        "none",
        max_length=100,
        description="How goods are put into packages: `none` (all in one), `shipping_class` (one "
        "for each), or the name of an entry point.",
    )
    split_options: dict[str, str] = Field({}, description="What that entry point is given.")

    @model_validator(mode="after")
    def _unique(self) -> ShippingSettings:
        seen: set[int] = set()
        for zone in self.zones:
            for method in zone.methods:
                if method.id in seen:
                    raise ValueError(
                        f"the method id {method.id} is used twice; give each method its own"
                    )
                seen.add(method.id)
        return self
