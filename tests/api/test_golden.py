"""The golden examples of contract checkout.md 1.4 and 1.5: both dialects, three currencies."""

from __future__ import annotations

import pytest

from tests.makers import BILLING, PREVIEW, Storefront

ZEROS = ("subtotal_tax", "shipping_tax", "discount_total", "discount_tax", "cart_contents_tax")


async def golden_cart(storefront: Storefront) -> None:
    added = await storefront.add(1, 2)
    assert added.status_code == 200, added.text
    updated = await storefront.update(
        billing_address=BILLING, shipping_method="flat_rate:1", payment_method="bacs"
    )
    assert updated.status_code == 200, updated.text
    assert updated.json()["success"] is True


@pytest.mark.parametrize(
    ("currency", "symbol", "rate", "price", "line", "shipping", "total", "zero"),
    [
        ("USD", "$", 1.0, "$19.99", "39.98", "5.00", "44.98", "0.00"),
        ("EUR", "€", 0.85, "€16.99", "33.98", "4.25", "38.23", "0.00"),
        ("JPY", "¥", 150.0, "¥2,999", "5998", "750", "6748", "0"),
    ],
)
async def test_state(
    storefront: Storefront,
    currency: str,
    symbol: str,
    rate: float,
    price: str,
    line: str,
    shipping: str,
    total: str,
    zero: str,
) -> None:
    await golden_cart(storefront)
    before = await storefront.state()
    response = await storefront.update(currency=currency)
    assert response.status_code == 200
    state = await storefront.state()
    assert state["currency"] == {
        "code": currency,
        "symbol": symbol,
        "base_currency": "USD",
        "exchange_rate": rate,
    }
    (item,) = state["cart_contents"].values()
    assert item["product_price"] == price
    assert item["line_subtotal"] == item["line_total"] == line
    assert state["shipping_methods"]["flat_rate:1"]["cost"] == shipping
    totals = state["cart_totals"]
    assert totals["subtotal"] == totals["cart_contents_total"] == line
    assert totals["shipping_total"] == shipping
    assert totals["total"] == total
    assert all(totals[name] == zero for name in ZEROS)
    assert state["cart_hash"] == before["cart_hash"]
    assert list(state["cart_contents"]) == list(before["cart_contents"])


@pytest.mark.parametrize(("dialect", "verb"), [("reference", "POST"), ("tutorial", "PUT")])
@pytest.mark.parametrize(
    ("currency", "total"), [("USD", "44.98"), ("EUR", "38.23"), ("JPY", "6748")]
)
async def test_order(
    storefront: Storefront, dialect: str, verb: str, currency: str, total: str
) -> None:
    await golden_cart(storefront)
    await storefront.update(currency=currency)
    cart_key = storefront.cart_key
    keys = storefront.keys if dialect == "reference" else storefront.tutorial
    response = await storefront.call(
        verb,
        f"{PREVIEW}/checkout",
        {"billing_address": BILLING, "payment_method": "bacs"},
        keys=keys,
    )
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["status"] == "on-hold"
    assert body["payment_result"]["payment_status"] == "success"
    assert body["cart_key"] is None
    assert body["customer_id"] == 0
    received = await storefront.call(
        "GET", f"{PREVIEW}/order-received/{body['order_id']}", order_key=body["order_key"]
    )
    assert received.status_code == 200, received.text
    assert received.json()["total"] == total
    assert received.json()["currency"] == currency
    assert storefront.cart_key == cart_key
