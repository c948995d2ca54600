"""The only place where parts are put together: from settings to a shop that can be asked."""

from checkstand.wiring.opening import check_schema, open_shop, pool_options
from checkstand.wiring.rules import base_currency, shop_rules
from checkstand.wiring.shop import Shop, StoreProfile, build

__all__ = [
    "Shop",
    "StoreProfile",
    "base_currency",
    "build",
    "check_schema",
    "open_shop",
    "pool_options",
    "shop_rules",
]
