"""A small shop with one product of every kind, for tests of the catalogue.

1 Premium T-Shirt (simple, counted, on sale, reviewed), 2 Hoodie (variable: 3 small, 7 large),
4 Wardrobe set (grouped: 1, 6), 5 Poster (external), 6 Gift card (virtual), 8 draft (not published),
9 Secret mug (hidden), 10 Beanie (sold out).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.makers import product

SIZES = {
    "slug": "pa_size",
    "name": "Size",
    "shared": True,
    "visible": True,
    "for_variations": True,
    "options": [{"slug": "small", "name": "Small"}, {"slug": "large", "name": "Large"}],
}
IMAGES = [{"src": "https://shop.example/img/a.jpg", "name": "a", "alt": "A"}]


async def furnish(connection: Any, start: datetime) -> None:
    """All of it; products were made an hour apart, from `start` on, in the order of their ids."""
    # Connections of the pool take jsonb as values.
    made = {id: start + timedelta(hours=id) for id in range(1, 11)}
    await product(
        connection, id=1, sku="TSHIRT", slug="premium-t-shirt", sale_price=1499,
        sale_to=start + timedelta(days=3650), stock=14, images=IMAGES, weight=0.2, length=30,
        upsell_ids=[2], cross_sell_ids=[6], description="<p>Heavy cotton.</p>", low_stock=3,
        global_unique_id="4006381333931", created_at=made[1], featured=True,
    )  # fmt: skip
    await product(
        connection, id=2, type="variable", name="Hoodie", slug="hoodie", regular_price=None,
        attributes=[SIZES], default_options={"pa_size": "small"}, created_at=made[2],
    )  # fmt: skip
    await product(
        connection, id=3, type="variation", parent_id=2, name="", sku="HOODIE-S",
        regular_price=3900, variation={"pa_size": "small"}, stock=5, images=IMAGES,
        created_at=made[3], position=1,
    )  # fmt: skip
    await product(
        connection, id=4, type="grouped", name="Wardrobe set", slug="set", regular_price=None,
        grouped_ids=[1, 6], created_at=made[4],
    )  # fmt: skip
    await product(
        connection, id=5, type="external", name="Poster", slug="poster", regular_price=900,
        external_url="https://elsewhere.example/p", button_text="Buy there", created_at=made[5],
    )  # fmt: skip
    await product(
        connection, id=6, name="Gift card", slug="gift-card", regular_price=0, virtual=True,
        created_at=made[6],
    )  # fmt: skip
    await product(
        connection, id=7, type="variation", parent_id=2, name="", sku="HOODIE-L",
        regular_price=4500, variation={"pa_size": "large"}, created_at=made[7], position=2,
    )  # fmt: skip
    await product(
        connection, id=8, name="Draft", slug="draft", sku="DRAFT", published=False,
        created_at=made[8],
    )  # fmt: skip
    await product(
        connection, id=9, name="Secret mug", slug="secret", visibility="hidden", created_at=made[9]
    )
    await product(
        connection, id=10, name="Beanie", slug="beanie", stock=0, created_at=made[10],
        attributes=[{**SIZES, "for_variations": False, "options": [SIZES["options"][1]]}],
    )  # fmt: skip
    await connection.execute(
        """
        INSERT INTO categories (name, slug, parent_id, image) VALUES
            ('Clothing', 'clothing', NULL, '{"src": "https://shop.example/c.jpg"}'),
            ('Tops', 'tops', 1, NULL), ('Empty', 'empty', NULL, NULL);
        INSERT INTO tags (name, slug) VALUES ('Cotton', 'cotton'), ('Warm', 'warm');
        INSERT INTO brands (name, slug) VALUES ('Fern & Flint', 'fern-flint');
        INSERT INTO attributes (slug, name) VALUES ('pa_size', 'Size');
        INSERT INTO attribute_terms (attribute_id, slug, name, position)
            VALUES (1, 'small', 'Small', 0), (1, 'large', 'Large', 1);
        INSERT INTO product_categories VALUES (1, 2), (2, 2), (10, 1), (8, 1), (9, 1);
        INSERT INTO product_tags VALUES (1, 1), (2, 1), (2, 2);
        INSERT INTO product_brands VALUES (1, 1);
        """
    )
    await connection.execute(
        """
        INSERT INTO product_reviews
            (product_id, reviewer, email, review, rating, verified, status, created_at)
        VALUES (1, 'Ines', 'ines@example.com', 'Good cotton.', 5, true, 'approved', $1),
            (1, 'Bo', 'bo@example.com', 'Shrank.', 2, false, 'approved', $1),
            (1, 'Spam', 'spam@example.com', 'Buy this.', 5, false, 'spam', $1),
            (1, 'Waits', 'waits@example.com', 'Not seen yet.', 1, false, 'hold', $1),
            (8, 'Ed', 'ed@example.com', 'Of a draft.', 4, false, 'approved', $1)
        """,
        start,
    )
