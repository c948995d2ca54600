"""Attributes of products and the options of their variations, put together from rows. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from checkstand.catalog.importers.report import RowWarning
from checkstand.catalog.importers.rows import ProductRow, RowAttribute
from checkstand.catalog.model import Attribute, Option
from checkstand.catalog.slugs import slug_of

Terms = Mapping[tuple[str, str], tuple[str, str]]
"""Slug of a shared attribute and name of a term as given -> slug and name of the term."""


def shared_slug(name: str) -> str:
    """The slug of a shared attribute: `Size` and `pa_size` are `pa_size`."""
    slug = slug_of(name)
    return slug if slug.startswith("pa_") else f"pa_{slug}"


def own_attributes(
    row: ProductRow, names: Mapping[str, str], terms: Terms, varied: Collection[str]
) -> tuple[tuple[Attribute, ...], dict[str, str]]:
    """The attributes of a product that is no variation, and its default options.

    `names` are the shop's names of shared attributes by slug; `varied` the slugs of attribute
    names that its variations use.
    """
    attributes: list[Attribute] = []
    defaults: dict[str, str] = {}
    for given in row.attributes or ():
        attribute = _attribute(given, names, terms, slug_of(given.name) in varied)
        attributes.append(attribute)
        for option in attribute.options:
            if given.default and option.name.casefold() == given.default.casefold():
                defaults.setdefault(attribute.slug, option.slug)
    return tuple(attributes), defaults


def _attribute(
    given: RowAttribute, names: Mapping[str, str], terms: Terms, for_variations: bool
) -> Attribute:
    if given.shared:
        slug = shared_slug(given.name)
        name = names[slug]
        options = [Option(*terms[slug, value]) for value in given.values]
    else:
        slug, name = slug_of(given.name), given.name
        options = [Option(value, value) for value in given.values]
    return Attribute(
        slug=slug,
        name=name,
        options=tuple(dict.fromkeys(options)),
        shared=bool(given.shared),
        visible=given.visible,
        for_variations=for_variations,
    )


def with_flags_of(
    attributes: Sequence[Attribute], before: Sequence[Attribute]
) -> tuple[Attribute, ...]:
    """`attributes` chosen by variations wherever they were so `before`."""
    flagged = {attribute.slug for attribute in before if attribute.for_variations}
    return tuple(
        replace(attribute, for_variations=attribute.slug in flagged) for attribute in attributes
    )


def with_flags_for(
    attributes: Sequence[Attribute], varied: Collection[str]
) -> tuple[Attribute, ...]:
    """`attributes`, those that variations in the file use flagged as well."""
    return tuple(
        replace(attribute, for_variations=True) if called(attribute) & set(varied) else attribute
        for attribute in attributes
    )


def said(
    row: ProductRow, parent: Sequence[Attribute]
) -> tuple[list[tuple[Attribute, str]], list[RowWarning]]:
    """What the row of a variation says about each attribute that is chosen: "" for any option.

    Warnings for what it says about attributes that the parent does not have.
    """
    given = {slug_of(each.name): "".join(each.values) for each in row.attributes or ()}
    pairs: list[tuple[Attribute, str]] = []
    for attribute in parent:
        values = [given.pop(name) for name in called(attribute) & set(given)]
        if attribute.for_variations:
            pairs.append((attribute, "".join(values[:1])))
    names = {slug_of(each.name): each.name for each in row.attributes or ()}
    strangers = [
        RowWarning(row.line, names[slug], "is not an attribute of the parent; it was left out")
        for slug, value in given.items()
        if value
    ]
    return pairs, strangers


def fixed(
    row: ProductRow, pairs: Sequence[tuple[Attribute, str]], terms: Terms
) -> tuple[dict[str, str], list[RowWarning]]:
    """What a variation fixes, by attribute slug: a term slug, an own option, or "" for any.

    An option that the parent does not have is kept, with a warning: nobody can choose it there.
    """
    options: dict[str, str] = {}
    warnings: list[RowWarning] = []
    for attribute, value in pairs:
        slug = terms[attribute.slug, value][0] if attribute.shared and value else value
        options[attribute.slug] = slug
        if slug and slug not in {option.slug for option in attribute.options}:
            reason = f"'{value[:40]}' is not among the options of the parent; add it there too"
            warnings.append(RowWarning(row.line, attribute.name, reason))
    return options, warnings


def called(attribute: Attribute) -> set[str]:
    """The slugs under which rows may speak of it."""
    return {attribute.slug, attribute.slug.removeprefix("pa_"), slug_of(attribute.name)}
