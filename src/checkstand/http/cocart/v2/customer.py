"""The spellings of `cart/update` in the wild, made one (contract cart.md 7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from checkstand.customers.addresses import BILLING_FIELDS, SHIPPING_FIELDS
from checkstand.errors import ParameterInvalid

_MOST_LINES = 1000


def quantities(given: Mapping[str, Any]) -> dict[str, Any]:
    """Item key -> quantity, from `quantity: {key: 3}`, `items: {key: {quantity: 3}}` or
    `items: [{item_key, quantity}]`; also inside `data`."""
    inner = given.get("data")
    merged = {**inner, **given} if isinstance(inner, dict) else dict(given)
    found = merged.get("quantity", merged.get("items"))
    if found == [] or found is None:
        return {}
    if isinstance(found, dict) and len(found) <= _MOST_LINES:
        return {
            key: value.get("quantity") if isinstance(value, dict) else value
            for key, value in found.items()
        }
    if isinstance(found, list) and len(found) <= _MOST_LINES:
        pairs = {}
        for entry in found:
            if not isinstance(entry, dict) or not isinstance(entry.get("item_key"), str):
                break
            pairs[entry["item_key"]] = entry.get("quantity")
        else:
            return pairs
    raise ParameterInvalid(
        "Send `quantity` as an object of item key and quantity, or `items`.",
        data={"params": {"quantity": "is not an object of item key and quantity"}},
    )


def customer_changes(given: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Billing and shipping parts, from plain, `billing_*`, `s_*` and `shipping_*` keys.

    `ship_to_different_address: false` sends the goods to the billing address again.
    """
    inner = given.get("data")
    merged = {**inner, **given} if isinstance(inner, dict) else given
    billing = _parts(merged, BILLING_FIELDS, ("", "billing_"))
    shipping = _parts(merged, SHIPPING_FIELDS, ("s_", "shipping_"))
    if _says_no(merged.get("ship_to_different_address")) and not shipping:
        shipping = dict.fromkeys(SHIPPING_FIELDS, "")
    return billing, shipping


def _says_no(value: Any) -> bool:
    return str(value).lower() in ("false", "0", "no", "off", "n", "f")


def _parts(
    given: Mapping[str, Any], names: tuple[str, ...], prefixes: tuple[str, ...]
) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in names:
        for prefix in prefixes:
            value = given.get(prefix + name)
            if value is None:
                continue
            if not isinstance(value, str) or len(value) > 500:
                raise ParameterInvalid(
                    f"`{prefix}{name}` must be a text of at most 500 characters.",
                    data={"params": {prefix + name: "is not a text of at most 500 characters"}},
                )
            found[name] = value
    return found
