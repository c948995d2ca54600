"""Random identifiers, from the system's random source, and the digests that CoCart prescribes."""

from __future__ import annotations

import hashlib
import secrets
import string
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

_ALPHANUMERIC = string.ascii_letters + string.digits


def cart_key() -> str:
    """A guest cart key: `t_` and 30 hex characters, 120 random bits (contract cart.md 11.1)."""
    return "t_" + secrets.token_hex(15)


def order_key() -> str:
    """`wc_order_` and 22 letters and digits, 130 random bits."""
    return "wc_order_" + "".join(secrets.choice(_ALPHANUMERIC) for _ in range(22))


def consumer_key() -> str:
    return "ck_" + secrets.token_hex(20)


def consumer_secret() -> str:
    return "cs_" + secrets.token_hex(20)


def publishable_key() -> str:
    """A consumer key without a secret, for pages."""
    return "pk_" + secrets.token_hex(20)


def attempt_id() -> str:
    """The name of one payment attempt; the provider's idempotency key is derived from it."""
    return "att_" + uuid.uuid4().hex


def refund_id() -> str:
    """The name of one refund; the provider's idempotency key is derived from it."""
    return "rf_" + uuid.uuid4().hex


def link_name() -> str:
    """What a load-cart link is known by: 128 random bits."""
    return secrets.token_urlsafe(16)


def context_id() -> str:
    return "ctx_" + uuid.uuid4().hex


def request_id() -> str:
    return secrets.token_hex(8)


def item_key(
    product_id: int, variation_id: int, variation: Mapping[str, str], item_data: Mapping[str, Any]
) -> str:
    """The key of a cart item, as CoCart computes it (contract cart.md 12.2): an MD5 in hex."""
    parts = [str(product_id)]
    if variation_id:
        parts.append(str(variation_id))
    if variation:
        parts.append("".join(f"{key.strip()}{value.strip()}" for key, value in variation.items()))
    if item_data:
        parts.append("".join(f"{k.strip()}{_data_text(v)}" for k, v in item_data.items()))
    return hashlib.md5("_".join(parts).encode(), usedforsecurity=False).hexdigest()


def _data_text(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return urlencode(_bracketed("", value))
    return _scalar_text(value).strip()


def _scalar_text(value: Any) -> str:
    if value is None or value is False:
        return ""
    return "1" if value is True else str(value)


def _bracketed(prefix: str, value: Any) -> list[tuple[str, str]]:
    """PHP's spelling of nested values: a[b][0]=c."""
    if isinstance(value, dict):
        children = [(str(key), child) for key, child in value.items()]
    elif isinstance(value, list):
        children = [(str(index), child) for index, child in enumerate(value)]
    else:
        return [(prefix, _scalar_text(value))]
    pairs: list[tuple[str, str]] = []
    for key, child in children:
        pairs += _bracketed(f"{prefix}[{key}]" if prefix else key, child)
    return pairs
