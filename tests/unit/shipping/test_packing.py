from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pytest

from checkstand.shipping.packing import (
    MOST_PACKAGES,
    Box,
    Goods,
    SplitBroken,
    by_shipping_class,
    packed,
    together,
)


@dataclass(frozen=True)
class Item:
    key: str
    quantity: int = 1
    shipping_class: str = ""
    product_id: int = 1
    parent_id: int = 0
    category_ids: tuple[int, ...] = ()
    weight: Decimal = Decimal(0)


LAMP, SOFA, DESK = Item("lamp", 2), Item("sofa", 1, "bulky"), Item("desk", 3, "bulky")


def test_nothing_is_split_unless_the_shop_says_so() -> None:
    assert packed(together, [LAMP, SOFA]) == (Box("default", {"lamp": 2, "sofa": 1}),)


def test_a_package_for_each_shipping_class() -> None:
    boxes = packed(by_shipping_class, [SOFA, LAMP, DESK])
    assert boxes == (Box("class:", {"lamp": 2}), Box("class:bulky", {"sofa": 1, "desk": 3}))


def test_goods_find_their_package_under_the_same_id() -> None:
    alone = packed(by_shipping_class, [LAMP])
    assert packed(by_shipping_class, [SOFA, LAMP])[0].id == alone[0].id


@pytest.mark.parametrize(
    "boxes",
    [
        [],
        [("a", {"lamp": 2})],
        [("a", {"lamp": 1, "sofa": 1})],
        [("a", {"lamp": 3, "sofa": 1})],
        [("a", {"lamp": 2}), ("b", {"lamp": 2, "sofa": 1})],
        [("a", {"lamp": 2, "sofa": 1, "ghost": 1})],
        [("a", {"lamp": 2, "sofa": 1}), ("b", {})],
        [("a", {"lamp": 2}), ("a", {"sofa": 1})],
        [("", {"lamp": 2, "sofa": 1})],
        [("i" * 101, {"lamp": 2, "sofa": 1})],
        [("a", {"lamp": 2, "sofa": True})],
        [("a", {"lamp": 2.0, "sofa": 1})],
        [("a", {"lamp": 3, "sofa": 1}), ("b", {"lamp": -1})],
        [("a", {"lamp": 2, "sofa": 1}), ("b", {"lamp": 0})],
    ],
)
def test_a_splitter_that_loses_or_doubles_goods_prices_nothing(
    boxes: list[tuple[str, dict[str, int]]],
) -> None:
    def broken(goods: Sequence[Goods], /) -> list[Box]:
        return [Box(name, contents) for name, contents in boxes]

    with pytest.raises(SplitBroken):
        packed(broken, [LAMP, SOFA])


def test_a_splitter_may_divide_a_line() -> None:
    boxes = [Box("a", {"lamp": 1}), Box("b", {"lamp": 1, "sofa": 1}, "Second")]
    assert packed(lambda goods, /: boxes, [LAMP, SOFA]) == tuple(boxes)


def test_quantities_do_not_make_packages_without_end() -> None:
    def each_alone(goods: Sequence[Goods], /) -> list[Box]:
        (line,) = goods
        contents: Mapping[str, int] = {line.key: 1}
        return [Box(f"{number}", contents) for number in range(line.quantity)]

    assert len(packed(each_alone, [Item("lamp", MOST_PACKAGES)])) == MOST_PACKAGES
    with pytest.raises(SplitBroken):
        packed(each_alone, [Item("lamp", MOST_PACKAGES + 1)])
