"""A remembered view is given again only if nothing that it was made of has changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from checkstand.cart.memory import SeenCarts
from checkstand.cart.model import Cart, CartLine
from checkstand.cart.view import Scene
from checkstand.catalog.model import Product, ProductType
from checkstand.kit.money import Currency
from checkstand.pricing.shop import ShopRules
from checkstand.tax.rates import TaxTable

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SHOP = ShopRules(Currency.of("USD"))
MUG = Product(
    id=1,
    type=ProductType.SIMPLE,
    name="Mug",
    slug="mug",
    regular_price=900,
    sale_price=500,
    sale_to=NOW + timedelta(hours=1),
    stock_id=1,
    manages_stock=True,
)
CART = Cart("t_1", NOW, version=3, lines=(CartLine("k", 1, 0, 2),))
SCENE = Scene(NOW, {1: MUG}, {1: 5}, TaxTable.of(()))


def test_an_unchanged_cart_is_remembered() -> None:
    seen = SeenCarts()
    first = seen.view(CART, SCENE, SHOP)
    again = replace(SCENE, now=NOW + timedelta(minutes=1), products={1: MUG}, stock={1: 5})
    assert seen.view(replace(CART), again, SHOP) is first


@pytest.mark.parametrize(
    ("cart", "scene"),
    [
        (replace(CART, version=4), SCENE),
        (replace(CART, lines=(CartLine("k", 1, 0, 3),)), SCENE),
        (replace(CART, currency="EUR"), SCENE),
        (CART, replace(SCENE, now=NOW + timedelta(hours=2))),
        (CART, replace(SCENE, products={1: replace(MUG, name="Cup")})),
        (CART, replace(SCENE, stock={1: 1})),
        (CART, replace(SCENE, table=TaxTable.of(()))),
    ],
    ids=["version", "same version", "currency", "end of a sale", "product", "stock", "taxes"],
)
def test_any_change_is_seen(cart: Cart, scene: Scene) -> None:
    seen = SeenCarts()
    first = seen.view(CART, SCENE, SHOP)
    assert seen.view(cart, scene, SHOP) is not first


def test_it_is_bounded() -> None:
    seen = SeenCarts()
    for number in range(2000):
        seen.view(replace(CART, key=str(number)), SCENE, SHOP)
    assert len(seen._seen) == 256
