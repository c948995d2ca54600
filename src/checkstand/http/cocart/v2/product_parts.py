"""The parts that products are told of, each of one product alone."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from html import escape
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from checkstand.catalog.listing import Listed, Review
from checkstand.catalog.model import Attribute, Image, Product, ProductType
from checkstand.http.answers import empty_as_list
from checkstand.wiring import Shop

_NEW_LINE = "\n"
_SIZES = ("thumbnail", "medium", "large", "full")


@lru_cache(maxsize=20_000)
def as_query(options: tuple[tuple[str, str], ...]) -> str:
    """Chosen options as they are in an address."""
    return urlencode(options, safe="[]")


def button(product: Product, *, buyable: bool) -> tuple[str, str]:
    """Label and accessible label."""
    name = product.name
    match product.type:
        case ProductType.VARIABLE if buyable:
            return "Select options", f"Select options for “{name}”"
        case ProductType.GROUPED:
            return "View products", f"View products in the “{name}” group"
        case ProductType.EXTERNAL:
            return product.button_text or "Buy product", f"Buy “{name}”"
        case _ if buyable:
            return "Add to cart", f"Add “{name}” to your cart"
        case _:
            return "Read more", f"Read more about “{name}”"


def conditions_of(product: Product) -> dict[str, bool]:
    return {
        "virtual": product.virtual,
        "downloadable": product.downloadable,
        "manage_stock": product.manages_stock,
        "sold_individually": product.sold_individually,
        "shipping_required": product.needs_shipping,
    }


def images(product: Product) -> list[dict[str, Any]]:
    """4.2. We keep one file of each image: every size leads to it."""
    return [
        {
            "id": zlib.crc32(image.src.encode()),
            "src": sources_of(image),
            "name": image.name,
            "alt": image.alt,
            "position": position,
            "featured": position == 0,
        }
        for position, image in enumerate(product.images)
    ]


def sources_of(image: Image) -> dict[str, str]:
    return dict.fromkeys(_SIZES, image.src)


def default_options(listed: Listed, product: Product) -> Any:
    return empty_as_list(
        {
            f"attribute_{each.slug}": _choice(listed, each, product.default_options[each.slug])
            for each in product.attributes
            if product.default_options.get(each.slug)
        }
    )


def chosen_options(listed: Listed, product: Product) -> Any:
    """What a variation fixes; `option` is `[]` where it takes any."""
    return empty_as_list(
        {
            f"attribute_{each.slug}": _choice(listed, each, product.variation.get(each.slug, ""))
            for each in product.attributes
            if each.for_variations
        }
    )


def _choice(listed: Listed, attribute: Attribute, slug: str) -> dict[str, Any]:
    named = {option.slug: option.name for option in attribute.options if option.slug == slug}
    return {
        "id": listed.attribute_ids.get(attribute.slug, 0),
        "name": attribute.name,
        "option": empty_as_list(named),
    }


def options_of(variation: Product) -> dict[str, str]:
    """attribute_… -> option slug, "" for any."""
    return {
        f"attribute_{each.slug}": variation.variation.get(each.slug, "")
        for each in variation.attributes
        if each.for_variations and variation.type is ProductType.VARIATION
    }


def review(found: Review, shop: Shop, *, own: bool = False) -> dict[str, Any]:
    """Section 7; the e-mail address is shown to its owner only."""
    return {
        "id": found.id,
        "date_created": local_time(found.created_at, shop),
        "date_created_gmt": utc_time(found.created_at),
        "product_id": found.product_id,
        "status": found.status,
        "reviewer": found.reviewer,
        "reviewer_email": found.email if own else "",
        "review": _as_html(found.review),
        "rating": found.rating,
        "verified": found.verified,
    }


def _as_html(text: str) -> str:
    """Storefronts put a review into their page as it comes: nothing in it may be markup."""
    paragraphs = [part.strip() for part in text.split("\n\n") if part.strip()]
    return "".join(f"<p>{escape(part).replace(_NEW_LINE, '<br />')}</p>" for part in paragraphs)


def local_time(moment: datetime | None, shop: Shop) -> str | None:
    """`YYYY-MM-DDTHH:MM:SS` in the store's time zone, without an offset."""
    return None if moment is None else _stamp(moment, shop.profile.timezone)


def utc_time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()[:19]


@lru_cache(maxsize=20_000)
def _stamp(moment: datetime, timezone: str) -> str:
    return moment.astimezone(ZoneInfo(timezone)).isoformat()[:19]


def minor(amount: int | None) -> str:
    return "" if amount is None else str(amount)


def size(value: Decimal | None) -> str | None:
    return None if value is None else number(value)


def number(value: Decimal) -> str:
    """Without trailing zeros and without an exponent: "4.7", "12", "0"."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
