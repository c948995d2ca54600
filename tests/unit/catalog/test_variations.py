"""Matching of chosen options, contract cart.md 3.1 rows 9-12 and 3.2."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkstand.catalog.model import Attribute, Option, Product, ProductType
from checkstand.catalog.variations import complete, match
from checkstand.errors import (
    NoVariationFound,
    ParentProductInvalid,
    VariationDataInvalid,
    VariationDataMissing,
)

SIZE = Attribute(
    slug="pa_size",
    name="Size",
    options=(Option("small", "Small"), Option("large", "Large")),
    shared=True,
    for_variations=True,
)
LOGO = Attribute(
    slug="logo",
    name="Logo",
    options=(Option("Yes", "Yes"), Option("No", "No")),
    for_variations=True,
)
FABRIC = Attribute(slug="pa_fabric", name="Fabric", options=(Option("wool", "Wool"),), shared=True)


def hoodie(*attributes: Attribute, published: bool = True) -> Product:
    """A variable product with these attributes."""
    return Product(
        id=1,
        type=ProductType.VARIABLE,
        name="Hoodie",
        slug="hoodie",
        attributes=attributes or (SIZE, LOGO, FABRIC),
        published=published,
    )


def variation(id: int, options: Mapping[str, str], published: bool = True) -> Product:
    return Product(
        id=id,
        type=ProductType.VARIATION,
        parent_id=1,
        name="Hoodie",
        slug="hoodie",
        variation=options,
        published=published,
    )


LARGE_PLAIN = variation(11, {"pa_size": "large", "logo": "No"})
SMALL_ANY = variation(12, {"pa_size": "small", "logo": ""})
ALL = [LARGE_PLAIN, SMALL_ANY]


@pytest.mark.parametrize("key", ["attribute_pa_size", "pa_size", "Size", "size", "SIZE"])
@pytest.mark.parametrize("logo", ["attribute_logo", "logo", "Logo", "LOGO"])
def test_options_are_understood_under_every_name_of_their_attribute(key: str, logo: str) -> None:
    found, stored = match(hoodie(), ALL, {key: "large", logo: "No"})
    assert found is LARGE_PLAIN
    assert stored == {"attribute_pa_size": "large", "attribute_logo": "No"}


def test_stored_options_come_in_attribute_order_whatever_the_order_sent() -> None:
    _, stored = match(hoodie(), ALL, {"logo": "Yes", "pa_size": "small"})
    assert list(stored) == ["attribute_pa_size", "attribute_logo"]


def test_the_first_of_several_that_fit_is_taken() -> None:
    anything = variation(9, {"pa_size": "", "logo": ""})
    assert match(hoodie(), [anything, *ALL], {"Size": "large", "Logo": "No"})[0] is anything


def test_an_exact_key_wins_over_one_in_other_letters() -> None:
    chosen = {"PA_SIZE": "small", "pa_size": "large", "logo": "No"}
    assert match(hoodie(), ALL, chosen)[0] is LARGE_PLAIN


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"Size": "large"},
        {"Size": "Large", "Logo": "No"},  # the name is not the slug
        {"Size": "large", "Logo": "no"},  # own options are exact
        {"Size": "large", "Logo": "Yes"},  # nobody made that one
        {"Colour": "large", "Logo": "No"},
        {"Size": "", "Logo": "No"},
    ],
)
def test_nothing_matches(chosen: dict[str, str]) -> None:
    with pytest.raises(NoVariationFound, match=r"Size.*: small, large"):
        match(hoodie(), ALL, chosen)


def test_unpublished_variations_match_nothing() -> None:
    hidden = variation(11, dict(LARGE_PLAIN.variation), published=False)
    with pytest.raises(NoVariationFound):
        match(hoodie(), [hidden], {"Size": "large", "Logo": "No"})


def test_an_open_option_must_be_one_of_the_parent() -> None:
    with pytest.raises(VariationDataInvalid, match=r"Logo.*Allowed values: Yes, No"):
        match(hoodie(), ALL, {"Size": "small", "Logo": "Maybe"})


def test_an_open_option_must_be_chosen() -> None:
    with pytest.raises(VariationDataMissing, match="Logo") as refusal:
        match(hoodie(), ALL, {"Size": "small"})
    assert "Size" not in refusal.value.message


def test_what_was_sent_is_not_repeated() -> None:
    with pytest.raises(NoVariationFound) as refusal:
        match(hoodie(), ALL, {"Size": "<script>"})
    assert "<script>" not in refusal.value.message


def test_parent_not_for_sale_comes_last() -> None:
    parent = hoodie(published=False)
    with pytest.raises(NoVariationFound):
        match(parent, ALL, {})
    with pytest.raises(ParentProductInvalid):
        match(parent, ALL, {"Size": "large", "Logo": "No"})


def test_a_variation_asked_for_by_id_fills_in_what_it_fixes() -> None:
    expected = {"attribute_pa_size": "large", "attribute_logo": "No"}
    assert complete(hoodie(), LARGE_PLAIN, {}) == expected
    assert complete(hoodie(), LARGE_PLAIN, {"Size": "large"}) == expected


def test_a_variation_asked_for_by_id_demands_what_it_leaves_open() -> None:
    with pytest.raises(VariationDataMissing, match="Logo"):
        complete(hoodie(), SMALL_ANY, {})
    assert complete(hoodie(), SMALL_ANY, {"Logo": "Yes"})["attribute_logo"] == "Yes"


def test_a_choice_that_contradicts_the_variation_is_refused() -> None:
    with pytest.raises(VariationDataInvalid, match="Allowed values: large"):
        complete(hoodie(), LARGE_PLAIN, {"Size": "small"})


def test_a_variation_of_a_parent_not_for_sale_is_refused() -> None:
    with pytest.raises(ParentProductInvalid):
        complete(hoodie(published=False), LARGE_PLAIN, {})


def test_an_attribute_that_the_variation_never_heard_of_is_open() -> None:
    older = variation(13, {"pa_size": "large"})
    with pytest.raises(VariationDataMissing, match="Logo"):
        complete(hoodie(), older, {})


options = st.fixed_dictionaries(
    {"pa_size": st.sampled_from(["small", "large", ""]), "logo": st.sampled_from(["Yes", "No", ""])}
)


@given(st.lists(options, max_size=6), options)
def test_whatever_matches_agrees_with_what_was_chosen(
    offered: list[dict[str, str]], chosen: dict[str, str]
) -> None:
    variations = [variation(number, each) for number, each in enumerate(offered, start=2)]
    try:
        found, stored = match(hoodie(SIZE, LOGO), variations, chosen)
    except (NoVariationFound, VariationDataMissing):
        fits = [
            each
            for each in offered
            if all(each[slug] in ("", chosen[slug]) for slug in chosen) and all(chosen.values())
        ]
        assert fits == []
        return
    for slug, value in found.variation.items():
        assert stored[f"attribute_{slug}"] == (value or chosen[slug])
        assert value in ("", chosen[slug])
    assert complete(hoodie(SIZE, LOGO), found, chosen) == stored
