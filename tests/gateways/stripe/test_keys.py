"""Keys of the wrong kind or mode are found before a shop starts."""

from __future__ import annotations

import logging

import pytest

from checkstand.kit.clock import SystemClock
from checkstand.payments.gateway import House
from checkstand.payments.gateways.stripe import gateway
from checkstand.payments.gateways.stripe.keys import Keys, complaints

HOUSE = House(SystemClock(), "https://shop.example")


@pytest.mark.parametrize("prefix", ["sk", "rk"])
@pytest.mark.parametrize("mode", ["test", "live"])
def test_good_keys(prefix: str, mode: str) -> None:
    assert complaints(Keys(f"{prefix}_{mode}_1", f"pk_{mode}_1", "whsec_1"), "") == []
    assert complaints(Keys(f"{prefix}_{mode}_1", f"pk_{mode}_1"), "") == []


@pytest.mark.parametrize(
    ("keys", "api_base", "said"),
    [
        (Keys("sk_test_1", "pk_live_1"), "", ["different modes"]),
        (Keys("rk_live_1", "pk_test_1"), "", ["different modes"]),
        (Keys("pk_test_1", "pk_test_1"), "", ["cannot charge"]),
        (Keys("sk_test_1", "sk_test_1"), "", ["every browser"]),
        (Keys("sk_test_1", "rk_test_1"), "", ["every browser"]),
        (Keys("", ""), "", ["secret_key is not set", "publishable_key is not set"]),
        (Keys("whsec_1", "acct_1"), "", ["must start with sk_test_", "must start with pk_test_"]),
        (Keys("sk_test_1", "pk_test_1", "sk_test_1"), "", ["whsec_"]),
        (Keys("sk_live_1", "pk_live_1"), "http://127.0.0.1:1", ["another address"]),
        (Keys("sk_test_1", "pk_test_1"), "127.0.0.1:1", ["http"]),
    ],
)
def test_each_mistake_has_its_complaint(keys: Keys, api_base: str, said: list[str]) -> None:
    found = complaints(keys, api_base)
    assert len(found) == len(said), found
    for part, complaint in zip(said, found, strict=True):
        assert part in complaint
        assert "_1" not in complaint, "a key was repeated"


async def test_what_storefronts_are_told() -> None:
    made = gateway(secret_key="sk_live_9f3c", publishable_key="pk_live_7a", house=HOUSE, timeout=30)
    told = made.description
    assert (told.id, told.test_mode, told.is_connected) == ("stripe", False, True)
    assert told.supports == ("products", "refunds", "tokenization")
    assert told.storefront == {"publishable_key": "pk_live_7a"}
    assert "9f3c" not in repr(made)
    await made.close()


async def test_a_secret_in_the_wrong_place_is_never_handed_out() -> None:
    made = gateway(secret_key="pk_test_1", publishable_key="sk_test_9f3c", house=HOUSE, timeout=30)
    assert made.complaints()
    assert made.description.storefront == {}
    await made.close()


async def test_the_sdk_keeps_its_mouth_shut() -> None:
    """It would log bodies at debug, and write a telemetry file."""
    import stripe

    made = gateway(secret_key="sk_test_1", publishable_key="pk_test_1", house=HOUSE, timeout=30)
    assert stripe.enable_telemetry is False
    assert not logging.getLogger("stripe").isEnabledFor(logging.INFO)
    await made.close()
