"""Which variation a shopper means, and whether the options chosen for it are complete. Pure.

Contract cart.md 3.1 rows 9-12 and 3.2, in the order of that table: nothing matches, a value that
is not allowed, an option not chosen, the parent not for sale.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from checkstand.catalog.model import Attribute, Product
from checkstand.errors import (
    NoVariationFound,
    ParentProductInvalid,
    VariationDataInvalid,
    VariationDataMissing,
)

_PREFIX = "attribute_"


def match(
    parent: Product, variations: Sequence[Product], chosen: Mapping[str, str]
) -> tuple[Product, dict[str, str]]:
    """The first published variation, in the order given, that the chosen options fit.

    `chosen` maps `attribute_pa_size`, `pa_size` or the label `Size` to the term slug of a shared
    attribute or the exact option of an own one; other keys are ignored. An option that a
    variation fixes must be chosen; where it takes any, a choice is demanded too, but only once
    the variation is found. Returns it with the options under `attribute_...` keys, in attribute
    order. NoVariationFound, VariationDataInvalid, VariationDataMissing, ParentProductInvalid.
    """
    options = _by_slug(parent, chosen)
    for variation in variations:
        if variation.published and _fits(parent, variation, options):
            return variation, _completed(parent, variation, options)
    raise NoVariationFound(_nothing_matches(parent, options))


def complete(parent: Product, variation: Product, chosen: Mapping[str, str]) -> dict[str, str]:
    """The options of a variation that was asked for by its own id, under `attribute_...` keys.

    What the variation fixes need not be chosen, and must not be chosen otherwise; what it leaves
    open must be. VariationDataInvalid, VariationDataMissing, ParentProductInvalid.
    """
    return _completed(parent, variation, _by_slug(parent, chosen))


def over(parent: Product, before: Mapping[str, str], chosen: Mapping[str, str]) -> dict[str, str]:
    """What was chosen, and before that where it says nothing, under `attribute_...` keys. `before`
    may be options of another product: those do not count."""
    options = _by_slug(parent, before) | _by_slug(parent, chosen)
    return {_PREFIX + slug: value for slug, value in options.items()}


def _choices(parent: Product) -> Iterable[Attribute]:
    return (attribute for attribute in parent.attributes if attribute.for_variations)


def _by_slug(parent: Product, chosen: Mapping[str, str]) -> dict[str, str]:
    """What was chosen, by attribute slug; the most exact key wins, an empty value is no choice."""
    loose = {key.casefold(): value for key, value in chosen.items()}
    options = {}
    for attribute in _choices(parent):
        names = (_PREFIX + attribute.slug, attribute.slug, attribute.name)
        values = [chosen.get(name) or loose.get(name.casefold()) for name in names]
        if value := next(filter(None, values), None):
            options[attribute.slug] = value
    return options


def _fits(parent: Product, variation: Product, options: Mapping[str, str]) -> bool:
    return all(
        not (fixed := variation.variation.get(attribute.slug, ""))
        or options.get(attribute.slug) == fixed
        for attribute in _choices(parent)
    )


def _completed(parent: Product, variation: Product, options: Mapping[str, str]) -> dict[str, str]:
    stored: dict[str, str] = {}
    open_still: list[str] = []
    for attribute in _choices(parent):
        fixed = variation.variation.get(attribute.slug, "")
        value = options.get(attribute.slug, fixed)
        allowed = [fixed] if fixed else [option.slug for option in attribute.options]
        if value and value not in allowed:
            raise VariationDataInvalid(
                f"What was chosen for {attribute.name} is not offered. "
                f"Allowed values: {', '.join(allowed)}."
            )
        if not value:
            open_still.append(attribute.name)
        stored[_PREFIX + attribute.slug] = value
    if open_still:
        raise VariationDataMissing(f"Please choose: {', '.join(open_still)}.")
    if not parent.published:
        raise ParentProductInvalid
    return stored


def _nothing_matches(parent: Product, options: Mapping[str, str]) -> str:
    """Names what is to choose from; what was sent is not repeated (DESIGN: errors echo nothing)."""
    offered = [
        f"{attribute.name}{'' if attribute.slug in options else ' (not chosen)'}: "
        f"{', '.join(option.slug for option in attribute.options)}."
        for attribute in _choices(parent)
    ]
    return " ".join([NoVariationFound.text, *offered])
