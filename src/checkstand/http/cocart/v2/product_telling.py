"""Products as JSON, each told once for as long as it and its stock are the same."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import orjson

from checkstand.catalog.showcase import Display
from checkstand.http.answers import dump
from checkstand.http.cocart.v2.product_present import Presenter
from checkstand.http.display import currency_format
from checkstand.wiring import Shop


def products(
    shop: Shop, displays: Iterable[Display], *, whole_variations: bool
) -> list[orjson.Fragment]:
    """Products; their variations as on a product's own page, or by name only."""
    currency = _currency(shop)

    def tell(display: Display) -> bytes:
        shown = Presenter(shop, display, currency)
        return dump(shown.product(whole_variations=whole_variations))

    how = ("product", whole_variations)
    return [orjson.Fragment(each.told(how, partial(tell, each))) for each in displays]


def variations(shop: Shop, displays: Iterable[Display]) -> list[orjson.Fragment]:
    """Variations in their own right."""
    currency = _currency(shop)

    def tell(display: Display) -> bytes:
        return dump(Presenter(shop, display, currency).variation())

    return [orjson.Fragment(each.told("variation", partial(tell, each))) for each in displays]


def _currency(shop: Shop) -> dict[str, str | int]:
    return currency_format(shop.rules.base, shop.profile.language).as_v2()
