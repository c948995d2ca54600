"""How the goods of a cart are split into packages, which are rated and chosen for one by one.

The shop says which way by `shipping.split`. Packages of other authors bring further ways: an entry
point of the group below names a factory that is given the shop's options and gives a Splitter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from checkstand.errors import CheckstandError

ENTRY_POINTS = "checkstand.package_splitters"
MOST_PACKAGES = 100
"""Of one cart, unless it has more lines: quantities are the shopper's, and may be enormous."""
_LONGEST_ID = 100


class SplitBroken(CheckstandError):
    """A program error of a splitter: goods would be lost, doubled, or shipped in nameless boxes.
    Nothing is priced then, for every price would be wrong."""


class Goods(Protocol):
    """A line that has to be shipped, as a splitter sees it."""

    @property
    def key(self) -> str: ...
    @property
    def product_id(self) -> int: ...
    @property
    def parent_id(self) -> int:
        """The product that this is a variation of; 0 for none."""

    @property
    def quantity(self) -> int: ...
    @property
    def shipping_class(self) -> str:
        """ "" for goods without one."""

    @property
    def category_ids(self) -> tuple[int, ...]: ...
    @property
    def weight(self) -> Decimal:
        """Of one unit, in the store's unit; 0 when unknown."""


@dataclass(frozen=True, slots=True)
class Box:
    """Goods that travel together: units by line key. The shopper's choice of a rate hangs on `id`,
    so the same goods must find their box under the same id, whatever is added beside them."""

    id: str
    contents: Mapping[str, int]
    name: str = ""
    """For shoppers; "" for CoCart's: Shipping, Shipping #2."""


class Splitter(Protocol):
    """Splits goods into boxes, in the order in which shoppers see them. Pure and quick: it is asked
    for every quote. Every unit of every line is in one box, and no box is empty."""

    def __call__(self, goods: Sequence[Goods], /) -> Sequence[Box]: ...


class SplitterFactory(Protocol):
    """What an entry point names. `options` is `shipping.split_options`; ConfigurationError when
    they are wrong."""

    def __call__(self, options: Mapping[str, str], /) -> Splitter: ...


ONE = "default"
"""The id of the only package, where goods are not split."""


def together(goods: Sequence[Goods], /) -> tuple[Box, ...]:
    """Everything in one package."""
    return (Box(ONE, {each.key: each.quantity for each in goods}),)


def by_shipping_class(goods: Sequence[Goods], /) -> tuple[Box, ...]:
    """A package for each shipping class: goods without one first, then by the classes' names. The
    order of the lines plays no part."""
    classes: dict[str, dict[str, int]] = {}
    for each in goods:
        classes.setdefault(each.shipping_class, {})[each.key] = each.quantity
    return tuple(Box(f"class:{name}", contents) for name, contents in sorted(classes.items()))


BUILT_IN: Mapping[str, Splitter] = {"none": together, "shipping_class": by_shipping_class}


def packed(split: Splitter, goods: Sequence[Goods]) -> tuple[Box, ...]:
    """The boxes of a splitter; SplitBroken unless they hold just these goods."""
    boxes = tuple(split(goods))
    if len(boxes) > max(MOST_PACKAGES, len(goods)):
        raise SplitBroken(f"the goods were split into {len(boxes)} packages")
    left = {each.key: each.quantity for each in goods}
    for box in boxes:
        if not box.contents or not 0 < len(box.id) <= _LONGEST_ID:
            raise SplitBroken(f"the package {box.id[:_LONGEST_ID]!r} is empty, or has no fit id")
        for key, units in box.contents.items():
            if type(units) is not int or not 0 < units <= left.get(key, 0):
                raise SplitBroken(f"the package {box.id!r} has units that are not in the cart")
            left[key] -= units
    if any(left.values()):
        raise SplitBroken("units of the cart are in no package")
    if len({box.id for box in boxes}) < len(boxes):
        raise SplitBroken("several packages have one id")
    return boxes
