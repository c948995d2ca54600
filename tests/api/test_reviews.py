"""Writing reviews: who may, what becomes of them, and what they do to a product's rating."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from checkstand.storage.database import Database
from tests.api.wardrobe import furnish
from tests.makers import BILLING, V2, Storefront, administrator, execute, running, shop_settings

REVIEWS = f"{V2}/products/reviews"
START = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
async def furnished(empty_database: str, database: Database) -> str:
    async with database.acquire() as connection:
        await furnish(connection, START)
    return empty_database


@pytest.fixture
async def shop(furnished: str) -> AsyncIterator[Storefront]:
    async with running(shop_settings(furnished)) as client:
        yield client


def said(**changes: Any) -> dict[str, Any]:
    return {
        "product_id": 1,
        "review": "Wears well.",
        "reviewer": "Mara",
        "reviewer_email": "mara@example.com",
        "rating": 4,
        **changes,
    }


async def test_a_review_waits_until_it_is_approved(shop: Storefront, furnished: str) -> None:
    written = await shop.call("POST", REVIEWS, said())
    assert written.status_code == 201, written.text
    body = written.json()
    assert (body["status"], body["verified"], body["rating"]) == ("hold", False, 4)
    assert body["reviewer_email"] == "mara@example.com", "its author sees it"
    assert written.headers["Location"] == f"http://shop.test{REVIEWS}/{body['id']}"
    assert (await shop.http.get(f"{REVIEWS}/{body['id']}")).status_code == 404
    before = (await shop.http.get(f"{V2}/products/1?_skip_cache=1")).json()
    assert (before["average_rating"], before["review_count"]) == ("3.5", 2)
    await execute(furnished, f"UPDATE product_reviews SET status='approved' WHERE id={body['id']}")
    shown = await shop.http.get(f"{REVIEWS}/{body['id']}")
    assert shown.json()["reviewer_email"] == "", "strangers do not"
    after = (await shop.http.get(f"{V2}/products/1?_skip_cache=1&show_reviews=1")).json()
    assert (after["average_rating"], after["review_count"]) == ("3.67", 3)
    assert after["reviews"][0]["reviewer"] == "Mara"
    assert all(each["reviewer_email"] == "" for each in after["reviews"])


async def test_who_has_bought_is_verified(shop: Storefront, furnished: str) -> None:
    ready = await shop.ready_to_order(1)
    placed = await ready.process(billing_address=BILLING, payment_method="bacs")
    assert placed.status_code == 200, placed.text
    early = await shop.call("POST", REVIEWS, said(reviewer_email="ines@example.com"))
    assert early.json()["verified"] is False, "nobody has paid that order yet"
    await execute(
        furnished,
        "UPDATE orders SET status = 'processing'",
        "UPDATE product_reviews SET created_at = created_at - interval '1 minute'",
    )
    again = said(reviewer_email="INES@example.com", review="Still wears well.")
    assert (await shop.call("POST", REVIEWS, again)).json()["verified"] is True
    other = said(reviewer_email="INES@example.com", product_id=6, review="Never had it.")
    await execute(furnished, "UPDATE product_reviews SET created_at = '2026-01-01Z'")
    assert (await shop.call("POST", REVIEWS, other)).json()["verified"] is False


async def test_buyers_only_and_not_moderated(furnished: str) -> None:
    chosen = {"buyers_only": True, "moderated": False}
    async with running(shop_settings(furnished, reviews=chosen)) as shop:
        refused = await shop.call("POST", REVIEWS, said())
        assert (refused.status_code, refused.json()["code"]) == (403, "cocart_cannot_create")
        ready = await shop.ready_to_order(1)
        await ready.process(billing_address=BILLING, payment_method="bacs")
        await execute(furnished, "UPDATE orders SET status = 'completed'")
        bought = said(reviewer_email=BILLING["email"])
        written = await shop.call("POST", REVIEWS, bought)
        assert (written.json()["status"], written.json()["verified"]) == ("approved", True)
        assert (await shop.http.get(f"{REVIEWS}/{written.json()['id']}")).status_code == 200


async def test_no_reviews_at_all(furnished: str) -> None:
    async with running(shop_settings(furnished, reviews={"enabled": False})) as shop:
        assert (await shop.call("POST", REVIEWS, said())).json()["code"] == "cocart_cannot_create"


async def test_refused_reviews(shop: Storefront, furnished: str) -> None:
    await execute(furnished, "UPDATE products SET reviews_allowed = false WHERE id = 5")
    table: list[tuple[dict[str, Any], int, str]] = [
        (said(product_id=999), 404, "cocart_product_invalid_id"),
        (said(product_id=8), 404, "cocart_product_invalid_id"),
        (said(product_id=3), 404, "cocart_product_invalid_id"),
        (said(product_id=5), 403, "cocart_cannot_create"),
        (said(review="  "), 400, "cocart_review_content_invalid"),
        (said(review="x" * 10_001), 400, "rest_invalid_param"),
        (said(rating=6), 400, "rest_invalid_param"),
        (said(reviewer_email="nobody"), 400, "rest_invalid_param"),
        (said(reviewer=" "), 400, "rest_invalid_param"),
        (said(review="a\x00b"), 400, "rest_invalid_param"),
        ({"product_id": 1}, 400, "rest_missing_callback_param"),
    ]
    for body, status, code in table:
        response = await shop.call("POST", REVIEWS, body)
        assert (response.status_code, response.json()["code"]) == (status, code), body


async def test_the_same_words_twice_and_too_soon(shop: Storefront, furnished: str) -> None:
    answers = await asyncio.gather(*(shop.call("POST", REVIEWS, said()) for _ in range(4)))
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409]
    assert {each.json()["code"] for each in answers if each.status_code == 409} == {
        "cocart_comment_duplicate"
    }
    soon = await shop.call("POST", REVIEWS, said(review="Something else."))
    assert (soon.status_code, soon.json()["code"]) == (400, "cocart_comment_flood")
    kept = (await shop.http.get(REVIEWS, params={"search": "Something else"})).json()
    assert kept == []


async def test_markup_stays_text(furnished: str) -> None:
    async with running(shop_settings(furnished, reviews={"moderated": False})) as shop:
        text = "<script>alert(1)</script> & more\nsecond line\n\nnext"
        written = await shop.call("POST", REVIEWS, said(review=text))
        assert written.json()["review"] == (
            "<p>&lt;script&gt;alert(1)&lt;/script&gt; &amp; more<br />second line</p><p>next</p>"
        )


async def test_ones_own(shop: Storefront) -> None:
    await administrator(shop.shop, "a long password")
    mark = base64.b64encode(b"admin:a long password").decode()
    signed = {"Authorization": f"Basic {mark}"}
    await shop.call("POST", REVIEWS, said(), headers=signed)
    mine = await shop.call("GET", f"{REVIEWS}/mine", headers=signed)
    assert [(each["status"], each["reviewer_email"]) for each in mine.json()] == [
        ("hold", "mara@example.com")
    ]
    assert mine.headers["Cache-Control"] == "no-store, private"
    assert mine.headers["X-WP-Total"] == "1"
    assert (await shop.call("GET", f"{REVIEWS}/mine")).status_code == 401


async def test_filters(shop: Storefront) -> None:
    async def found(**query: str) -> list[str]:
        response = await shop.http.get(REVIEWS, params=query)
        assert response.status_code == 200, response.text
        return [each["reviewer"] for each in response.json()]

    assert await found() == ["Bo", "Ines"]
    assert await found(order="asc") == ["Ines", "Bo"]
    assert await found(orderby="id") == ["Bo", "Ines"]
    assert await found(orderby="include", include="1,2") == ["Ines", "Bo"]
    assert await found(search="SHRANK") == ["Bo"]
    assert await found(product="1") == ["Bo", "Ines"]
    assert await found(product="2") == []
    assert await found(exclude="2") == ["Ines"]
    assert await found(after="2026-06-01T00:00:00") == []
    assert await found(per_page="1", page="2") == ["Ines"]
