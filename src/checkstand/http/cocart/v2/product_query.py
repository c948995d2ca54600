"""What a client may ask of a list of products (contract v2-products-store-sessions.md 3)."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from starlette.requests import Request

from checkstand.catalog.listing import (
    AttributeFilter,
    Match,
    OrderBy,
    ProductQuery,
    TermFilter,
    Visibility,
)
from checkstand.catalog.model import ProductType, StockStatus
from checkstand.http.cocart.v2.parameters import MOST, Parameter, invalid, read
from checkstand.wiring import Shop

PAGE = Parameter("page", "integer", "Which page.", 1, most=1_000_000)
PER_PAGE = Parameter("per_page", "integer", "Entries of a page.", 10, most=100)
SKIP_CACHE = Parameter("_skip_cache", "boolean", "Make the answer anew.")
_MATCHES = tuple(Match)
_TYPES = tuple(ProductType)
_ATTRIBUTE = re.compile(r"attributes\[(\d{1,3})\]\[(\w{1,20})\](?:\[\d{0,3}\])?")
_ATTRIBUTE_PARTS = ("attribute", "slug", "term_id", "operator")
_MOST_ATTRIBUTES = 20


def _terms(name: str, what: str) -> tuple[Parameter, Parameter]:
    return (
        Parameter(name, "strings", f"IDs or slugs of {what}."),
        Parameter(f"{name}_operator", "choice", "How they must match.", "in", choices=_MATCHES),
    )


PARAMETERS = (
    PAGE,
    PER_PAGE,
    Parameter("offset", "integer", "How many to skip, instead of `page`.", least=0),
    Parameter("context", "choice", "Both say the same.", "view", choices=("view", "embed")),
    Parameter("search", "string", "Words of name, SKU or description; beginnings will do."),
    Parameter("slug", "string", "Exactly this slug."),
    Parameter("sku", "strings", "Exactly these SKUs."),
    Parameter("global_unique_id", "string", "GTIN, UPC, EAN or ISBN."),
    *_terms("category", "categories; what lies in them counts"),
    *_terms("tag", "tags"),
    *_terms("brand", "brands"),
    Parameter("type", "strings", "These types only.", choices=_TYPES),
    Parameter("include_types", "strings", "These types only.", choices=_TYPES),
    Parameter("exclude_types", "strings", "None of these types.", choices=_TYPES),
    Parameter("featured", "boolean", "Featured or not."),
    Parameter("on_sale", "boolean", "On sale or not."),
    Parameter("virtual", "boolean", "Virtual or not."),
    Parameter("hide_free", "boolean", "Without what costs nothing.", False),
    Parameter("min_price", "number", "Least price in major units."),
    Parameter("max_price", "number", "Largest price in major units."),
    Parameter("stock_status", "choice", "By stock.", choices=tuple(StockStatus)),
    Parameter(
        "catalog_visibility", "choice", "Where it is shown.", "visible", choices=tuple(Visibility)
    ),
    Parameter("rating", "integers", "Rounded average ratings.", most=5),
    Parameter("after", "moment", "Made after; without an offset, in the store's time."),
    Parameter("before", "moment", "Made before."),
    Parameter("include", "integers", "These products only."),
    Parameter("exclude", "integers", "None of these."),
    Parameter("parent", "integers", "Variations of these."),
    Parameter("parent_exclude", "integers", "No variations of these."),
    Parameter(
        "attribute_relation", "choice", "`in`: one of them will do.", "and", choices=("in", "and")
    ),
    Parameter("show_reviews", "boolean", "Fill `reviews`.", False),
    Parameter("return_variations", "boolean", "Variations too.", False),
    Parameter("orderby", "choice", "By what to sort.", "date", choices=tuple(OrderBy)),
    Parameter("order", "choice", "Direction.", "DESC", choices=("ASC", "DESC", "asc", "desc")),
)


def product_query(request: Request, shop: Shop) -> ProductQuery:
    """The query of a request, or QueryInvalid with all that is wrong."""
    said = read(request, PARAMETERS, shop.profile.timezone)
    types = {ProductType(each) for each in (*said["type"], *said["include_types"])}
    return ProductQuery(
        page=said["page"],
        per_page=said["per_page"],
        offset=said["offset"],
        search=said["search"] or "",
        slug=said["slug"] or "",
        skus=said["sku"],
        global_unique_id=said["global_unique_id"] or "",
        after=said["after"],
        before=said["before"],
        include=said["include"],
        exclude=said["exclude"],
        parents=said["parent"],
        parents_excluded=said["parent_exclude"],
        types=tuple(sorted(types)),
        types_excluded=tuple(ProductType(each) for each in said["exclude_types"]),
        featured=said["featured"],
        on_sale=said["on_sale"],
        virtual=said["virtual"],
        hide_free=said["hide_free"],
        stock_status=StockStatus(said["stock_status"]) if said["stock_status"] else None,
        min_price=_minor(said["min_price"], shop),
        max_price=_minor(said["max_price"], shop),
        categories=_filter(said, "category"),
        tags=_filter(said, "tag"),
        brands=_filter(said, "brand"),
        attributes=attribute_filters(request),
        any_attribute=said["attribute_relation"] == "in",
        visibility=Visibility(said["catalog_visibility"]),
        ratings=said["rating"],
        with_variations=said["return_variations"],
        with_reviews=said["show_reviews"],
        order_by=OrderBy(said["orderby"]),
        descending=said["order"].upper() == "DESC",
    )


def _filter(said: dict[str, Any], name: str) -> TermFilter | None:
    terms = said[name]
    if any(term.isdecimal() and (len(term) > 18 or not term.isascii()) for term in terms):
        raise invalid({name: "is not an ID or a slug"})
    return TermFilter(terms, Match(said[f"{name}_operator"])) if terms else None


def _minor(amount: Decimal | None, shop: Shop) -> int | None:
    if amount is None:
        return None
    return int(amount.scaleb(shop.rules.base.exponent).to_integral_value(ROUND_HALF_UP))


def attribute_filters(request: Request) -> tuple[AttributeFilter, ...]:
    """`attributes[0][attribute]=pa_size&attributes[0][slug]=large`, each part also as a list."""
    groups: dict[int, dict[str, list[str]]] = {}
    wrong: dict[str, str] = {}
    for key, value in request.query_params.multi_items():
        found = _ATTRIBUTE.fullmatch(key)
        if found is None:
            if key == "attributes" or key.startswith("attributes["):
                wrong["attributes"] = "is written as attributes[0][attribute]=…"
            continue
        number, part = int(found[1]), found[2]
        if part not in _ATTRIBUTE_PARTS:
            wrong["attributes"] = f"has only {', '.join(_ATTRIBUTE_PARTS)}"
        entries = [entry.strip() for entry in value.split(",") if entry.strip()]
        groups.setdefault(number, {}).setdefault(part, []).extend(entries)
    if len(groups) > _MOST_ATTRIBUTES:
        wrong["attributes"] = f"has more than {_MOST_ATTRIBUTES} entries"
    filters = []
    for number in sorted(groups):
        try:
            filters.append(_attribute(groups[number]))
        except ValueError as error:
            wrong[f"attributes[{number}]"] = str(error)
    if wrong:
        raise invalid(wrong)
    return tuple(filters)


def _attribute(parts: dict[str, list[str]]) -> AttributeFilter:
    names = parts.get("attribute", [])
    slugs, ids = parts.get("slug", []), parts.get("term_id", [])
    if len(names) != 1 or len(names[0]) > 200 or "\0" in names[0]:
        raise ValueError("needs one attribute, such as pa_size")
    if not slugs and not ids:
        raise ValueError("needs a slug or a term_id")
    if len(slugs) + len(ids) > MOST or any(len(each) > 200 or "\0" in each for each in slugs):
        raise ValueError("has too much in it")
    if not all(each.isascii() and each.isdecimal() and len(each) < 19 for each in ids):
        raise ValueError("has a term_id that is not a whole number")
    operator = parts.get("operator", ["in"])[-1].lower().replace(" ", "_")
    if operator not in _MATCHES:
        raise ValueError(f"has an operator that is none of {', '.join(_MATCHES)}")
    return AttributeFilter(names[0], tuple(slugs), tuple(map(int, ids)), Match(operator))
