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


# --- what else says what a body says --------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["PUT", "patch", " put "])
async def test_method_in_the_query(storefront: Storefront, spelling: str) -> None:
    """Ignored, it would order the cart that was to be updated."""
    await storefront.ready_to_order()
    changed = await storefront.call("POST", f"{V2}/checkout", {"currency": "EUR"}, _method=spelling)
    assert changed.json()["message"] == "Checkout data updated."
    assert (await storefront.call("GET", f"{V2}/cart")).json()["item_count"] == 1


async def test_method_in_the_query_is_for_posts_only(storefront: Storefront) -> None:
    await storefront.add()
    [item] = (await storefront.call("GET", f"{V2}/cart", _method="DELETE")).json()["items"]
    path = f"{V2}/cart/item/{item['item_key']}"
    assert (await storefront.call("GET", path, _method="DELETE")).json()["id"] == 1
    header = {"X-HTTP-Method-Override": "GET"}
    read = await storefront.call("POST", path, headers=header, _method="DELETE")
    assert read.json()["id"] == 1, "the header wins"
    unknown = await storefront.call("POST", f"{V2}/checkout", {}, _method="BREW")
    assert (unknown.status_code, unknown.json()["code"]) == (405, "rest_method_not_allowed")
    assert (await storefront.call("POST", path, _method="DELETE")).json()["items"] == []


async def test_parameters_in_the_query(storefront: Storefront) -> None:
    """The platform merges query, form and JSON; the body wins (contract README 3)."""
    shop = storefront
    added = await shop.call("POST", f"{V2}/cart/add-item", id="1", quantity="2")
    assert added.json()["item_count"] == 2
    nested = {"id": "1", "item_data[engraving][]": "I", "return_item": "yes"}
    item = (await shop.call("POST", f"{V2}/cart/add-item", {"quantity": 3}, **nested)).json()
    assert (item["quantity"]["value"], item["cart_item_data"]) == (3, {"engraving": ["I"]})
    both = await shop.call(
        "POST", f"{V2}/cart/item/{item['item_key']}", {"quantity": 4}, quantity="9"
    )
    assert both.json()["item_count"] == 6
    address = {f"billing_address[{part}]": text for part, text in BILLING.items()}
    state = await shop.call("PUT", f"{V2}/checkout", payment_method="bacs", **address)
    assert state.json()["payment_method"] == "bacs"
    assert state.json()["customer"]["billing_address"]["city"] == "Dunmore"
    spelled = {f"quantity[{item['item_key']}]": "1"}
    updated = await shop.call("POST", f"{V2}/cart/update", namespace="update-cart", **spelled)
    assert updated.json()["item_count"] == 3


async def test_no_secrets_from_the_query(storefront: Storefront) -> None:
    """Addresses end up in logs."""
    await storefront.ready_to_order()
    placed = await storefront.call(
        "POST", f"{V2}/checkout", {"create_account": True}, customer_password="Quarry-Row-8"
    )
    assert placed.json()["code"] == "cocart_account_creation_failed"
    made = await storefront.http.post(
        f"{V2}/register", params={"email": "a@example.com", "requested_password": "Quarry-Row-8"}
    )
    assert made.json()["code"] == "registration-error-missing-password"


@pytest.mark.parametrize("kind", ["", "application/json", "application/x-www-form-urlencoded"])
async def test_without_a_body_what_is_missing_is_named(storefront: Storefront, kind: str) -> None:
    for path, names in [
        (f"{V2}/cart/add-item", ["id"]),
        (f"{V2}/order-received/1/pay", ["payment_method"]),
        (f"{PREVIEW}/checkout/payment-context", ["payment_method"]),
        ("/wp-json/cocart/batch", ["requests"]),
    ]:
        response = await storefront.http.post(path, headers={"Content-Type": kind} if kind else {})
        body = response.json()
        assert (response.status_code, body["code"]) == (400, "rest_missing_callback_param")
        assert body["data"]["params"] == names, path


async def test_an_empty_field_stands_for_an_empty_object(storefront: Storefront) -> None:
    item = {"id": "1", "variation": "", "item_data": ""}
    await sent(storefront, "POST", f"{V2}/cart/add-item", item, "form")
    for namespace in (V2, PREVIEW):
        empty = {"billing_address": "", "payment_method": "bacs", "payment_data": ""}
        await sent(storefront, "PUT", f"{namespace}/checkout", empty, "form")
        for nothing in (None, "", [], {}):
            body = {"payment_data": nothing, "payment_method_data": nothing}
            body |= {"billing_address": nothing, "shipping_address": nothing}
            done = await storefront.call("PUT", f"{namespace}/checkout", body)
            assert done.status_code == 200, done.text
        much = {"payment_data": {str(index): "" for index in range(101)}}
        refused = await storefront.call("POST", f"{namespace}/checkout", much)
        assert refused.json()["code"] == "rest_invalid_param"
