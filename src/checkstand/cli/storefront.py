"""Does a storefront use what this shop's gateways need? For the doctor."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from checkstand.payments.gateway import Gateway

_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")
_SECRET = re.compile(r"(sk|rk|whsec)_\w+|EAAA[\w-]+|sq0csp-[\w-]+")
_SECRET_NAMES = ("SECRET", "TRANSACTION_KEY", "SIGNATURE", "PRIVATE", "ACCESS_TOKEN", "PASSWORD")
_NAMES = {"authorizenet": ("AUTHORIZENET", "AUTHORIZE_NET", "AUTHNET"), "stripe": ("STRIPE",)}
_ABOUT_KEYS = ("KEY", "CLIENT", "APP", "LOCATION", "LOGIN", "ENV", "MODE")


def variables(file: Path) -> dict[str, str]:
    """What an `.env` file of a storefront sets."""
    found = {}
    for line in file.read_text(errors="replace").splitlines():
        match = _LINE.fullmatch(line)
        if match and not line.lstrip().startswith("#"):
            found[match[1]] = match[2].strip("'\"")
    return found


def differences(given: Mapping[str, str], gateways: Mapping[str, Gateway]) -> Iterator[str]:
    """What is wrong with a storefront's variables, each with the fix; no secret is repeated."""
    for name, value in given.items():
        if value and (_SECRET.fullmatch(value) or any(w in name.upper() for w in _SECRET_NAMES)):
            yield f"{name} is a secret: a storefront must never have it. Remove it, and renew it."
            continue
        for gateway_id, gateway in gateways.items():
            if value and _is_about(name, gateway_id) and _unlike(value, gateway):
                right = ", ".join(
                    f"{key} {text}" for key, text in gateway.description.storefront.items() if text
                )
                yield f"{name} is another value; the shop's {gateway_id} goes with {right}."


def _is_about(name: str, gateway_id: str) -> bool:
    upper = name.upper()
    names = _NAMES.get(gateway_id, (gateway_id.upper(),))
    about = any(each in upper for each in names) and bool(gateway_id)
    return about and any(word in upper for word in _ABOUT_KEYS)


def _unlike(value: str, gateway: Gateway) -> bool:
    known = {text.lower() for text in gateway.description.storefront.values()}
    return bool(known) and value.lower() not in known
