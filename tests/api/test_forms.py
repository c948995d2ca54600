"""The same requests as forms: whatever JSON says, a form says too."""

from __future__ import annotations

from typing import Any

import pytest

from tests.makers import BILLING, PREVIEW, V2, Storefront

ADDRESS = {f"billing_address[{part}]": text for part, text in BILLING.items()}


async def sent(
    shop: Storefront, method: str, path: str, form: dict[str, str], kind: str, **headers: str
) -> Any:
    params = shop.keys if "/checkout" in path else {}
    head = {**({"Cart-Key": shop.cart_key} if shop.cart_key else {}), **headers}
    if kind == "multipart":
        parts = "".join(
            f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in form.items()
        )
        head["Content-Type"] = "multipart/form-data; boundary=b"
        content: dict[str, Any] = {"content": f"{parts}--b--\r\n".encode()}
    else:
        content = {"data": form}
    response = await shop.http.request(method, path, params=params, headers=head, **content)
    if response.headers.get("Cart-Key"):
        shop.cart_key = response.headers["Cart-Key"]
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
@pytest.mark.parametrize("namespace", [V2, PREVIEW])
async def test_a_purchase(storefront: Storefront, kind: str, namespace: str) -> None:
    shop = storefront
    item = {
        "id": "1",
        "quantity": "2",
        "item_data[engraving][text]": "I & you",
        "return_item": "on",
    }
    added = await sent(shop, "POST", f"{V2}/cart/add-item", item, kind)
    assert added["cart_item_data"] == {"engraving": {"text": "I & you"}}
    many = {"items[0][id]": "1", "items[0][quantity]": "1", "items[1][id]": "TSHIRT-PREMIUM"}
    cart = await sent(shop, "POST", f"{V2}/cart/add-items", many, kind)
    assert cart["item_count"] == 4
    key = added["item_key"]
    cart = await sent(
        shop,
        "POST",
        f"{V2}/cart/update",
        {"namespace": "update-cart", f"quantity[{key}]": "3"},
        kind,
    )
    assert cart["item_count"] == 5
    chosen = {**ADDRESS, "payment_method": "bacs", "currency": "EUR"}
    state = await sent(shop, "PUT", f"{namespace}/checkout", chosen, kind)
    assert state["success"] is True
    assert state["payment_method"] == "bacs"
    again = {"X-HTTP-Method-Override": "PATCH"}
    state = await sent(shop, "POST", f"{namespace}/checkout", {"currency": "USD"}, kind, **again)
    assert state["success"] is True
    order = {
        "payment_data[0][key]": "note",
        "payment_data[0][value]": "thanks",
        "use_different_billing": "yes",
        "create_account": "0",
    }
    placed = await sent(shop, "POST", f"{namespace}/checkout", order, kind)
    assert placed["payment_result"]["payment_status"] == "success"


@pytest.mark.parametrize(
    ("spelling", "means"),
    [("1", True), ("true", True), ("TRUE", True), ("yes", True), ("on", True), ("0", False),
     ("false", False), ("no", False), ("off", False)],
)  # fmt: skip
async def test_booleans_in_every_spelling(
    storefront: Storefront, spelling: str, means: bool
) -> None:
    path = f"{V2}/cart/add-item"
    as_form = await sent(storefront, "POST", path, {"id": "1", "return_item": spelling}, "form")
    as_json = await storefront.call("POST", path, {"id": "1", "return_item": spelling})
    assert ("item_key" in as_form) is means
    assert ("item_key" in as_json.json()) is means


async def test_a_form_is_the_same_whatever_its_boundary(storefront: Storefront) -> None:
    """An Idempotency-Key looks at what was said, not at how it was written."""
    await storefront.add()
    key = {"Idempotency-Key": "0123456789abcdef0"}
    for boundary in ("one", "another"):
        part = 'Content-Disposition: form-data; name="id"\r\n\r\n1\r\n'
        body = f"--{boundary}\r\n{part}--{boundary}--\r\n"
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        response = await storefront.http.post(
            f"{V2}/cart/add-item",
            content=body.encode(),
            headers={"Cart-Key": storefront.cart_key, **key, **kind},
        )
        assert response.json()["item_count"] == 2
    assert response.headers["Idempotency-Replayed"] == "true"


async def test_ship_to_the_billing_address_again(storefront: Storefront) -> None:
    await storefront.add()
    shipping = {"namespace": "update-customer", "shipping_city": "Oslo", "shipping_country": "NO"}
    for no in ("no", "OFF", "0", "false"):
        await sent(storefront, "POST", f"{V2}/cart/update", shipping, "form")
        cart = await sent(
            storefront,
            "POST",
            f"{V2}/cart/update",
            {"namespace": "update-customer", "ship_to_different_address": no},
            "form",
        )
        assert cart["customer"]["shipping_address"]["shipping_city"] == ""
