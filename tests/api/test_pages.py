"""The confirmation page: text is escaped where it is shown, and only the key opens it."""

from __future__ import annotations

from tests.makers import BILLING, Storefront, execute


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
