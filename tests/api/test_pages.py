"""The confirmation page: text is escaped where it is shown, and only the key opens it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from checkstand.access import account_store
from checkstand.accounts import mailed_keys
from tests.makers import BILLING, V2, Storefront, basic, execute, shopper


async def test_a_new_password_by_the_page(storefront: Storefront) -> None:
    ines = await shopper(storefront)
    url = "/my-account/reset-password/"
    async with storefront.shop.database.transaction() as connection:
        stored = await account_store.by_id(connection, ines.id)
        assert stored is not None
        now = datetime.now(UTC)
        key = await mailed_keys.make(
            connection, stored, "password", stored.email, now, timedelta(hours=1)
        )
    for _ in range(2):  # a look uses nothing up
        form = await storefront.http.get(url, params={"key": key})
        assert f'value="{key}"' in form.text
    assert form.headers["Referrer-Policy"] == "no-referrer"
    hostile = await storefront.http.get(url, params={"key": '"><script>'})
    assert "<script>" not in hostile.text
    new = "Another-Row-9"

    async def send(**fields: str) -> tuple[int, str]:
        answer = await storefront.http.post(url, data=fields)
        return answer.status_code, answer.text

    assert "not the same" in (await send(key=key, password=new, again="other"))[1]
    assert "at least 8" in (await send(key=key, password="short", again="short"))[1]
    status, text = await send(key=key, password=new, again=new)
    assert (status, "is set" in text) == (200, True)
    status, text = await send(key=key, password=new, again=new)
    assert (status, "not valid any more" in text) == (400, True)
    assert (await send())[0] == 400
    login = await storefront.http.post(f"{V2}/login", headers=basic("ines", new))
    assert login.status_code == 200


async def test_confirmation_escapes_what_people_typed(
    storefront: Storefront, empty_database: str
) -> None:
    await execute(empty_database, "UPDATE products SET name = 'Shirt <script>alert(1)</script>'")
    await storefront.add()
    placed = await storefront.process(
        billing_address={**BILLING, "first_name": "<b>Ines</b>"},
        payment_method="bacs",
        customer_note="<img src=x onerror=alert(1)>",
    )
    page = await storefront.http.get(placed.json()["payment_result"]["redirect_url"])
    assert page.status_code == 200
    assert "<script>" not in page.text
    assert "<img" not in page.text
    assert "&lt;b&gt;Ines&lt;/b&gt;" in page.text
    assert "$24.99" in page.text
    assert page.headers["Cache-Control"] == "no-store, private"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    wrong = await storefront.http.get(
        f"/checkout/order-received/{placed.json()['order_id']}/", params={"key": "wc_order_no"}
    )
    assert wrong.status_code == 403
    assert "Ines" not in wrong.text
    gone = await storefront.http.get("/checkout/order-received/999999/", params={"key": "x"})
    assert gone.status_code == 404
