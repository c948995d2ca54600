"""Where the header of a WooCommerce product export puts what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

REQUIRED = (frozenset({"Type"}), frozenset({"Name"}), frozenset({"ID", "SKU"}))

_UNIT = re.compile(r"^(weight|length|width|height)\s*\([^)]*\)$")
_ATTRIBUTE = re.compile(r"^attribute (\d{1,3}) (name|value\(s\)|visible|global|default)$")
_DOWNLOAD = re.compile(r"^download (\d{1,3}) (name|url)$")
_ALIASES = {
    "meta: min_quantity": "minimum quantity",
    "meta: max_quantity": "maximum quantity",
    "meta: step_quantity": "step quantity",
}


@dataclass(frozen=True, slots=True)
class Columns:
    """Positions of cells. `single` is by header in lower case, without unit: `weight`.

    `attributes` and `downloads` have one mapping for each number in the file: `name`, `value(s)`,
    `visible`, `global`, `default`, and `name`, `url`.
    """

    single: Mapping[str, int]
    attributes: tuple[Mapping[str, int], ...]
    downloads: tuple[Mapping[str, int], ...]
    header: tuple[str, ...]

    @classmethod
    def of(cls, header: Sequence[str]) -> Columns:
        """Columns that nobody knows, and `Meta:` columns but three, are left out."""
        single: dict[str, int] = {}
        attributes: dict[int, dict[str, int]] = {}
        downloads: dict[int, dict[str, int]] = {}
        for position, title in enumerate(header):
            name = " ".join(title.lower().split())
            if found := _UNIT.match(name):
                name = found[1]
            if found := _ATTRIBUTE.match(name):
                attributes.setdefault(int(found[1]), {})[found[2]] = position
            elif found := _DOWNLOAD.match(name):
                downloads.setdefault(int(found[1]), {})[found[2]] = position
            else:
                single.setdefault(_ALIASES.get(name, name), position)
        return cls(single, _with("name", attributes), _with("url", downloads), tuple(header))

    def cell(self, cells: Sequence[str], name: str) -> str:
        """The cell of that column; "" when the file does not have it."""
        position = self.single.get(name)
        return "" if position is None else cells[position]

    def title(self, name: str) -> str:
        """The column as the file calls it."""
        position = self.single.get(name)
        return name if position is None else self.header[position]


def _with(part: str, groups: Mapping[int, Mapping[str, int]]) -> tuple[Mapping[str, int], ...]:
    """The groups in the order of their numbers, without those that lack `part`."""
    return tuple(groups[number] for number in sorted(groups) if part in groups[number])
