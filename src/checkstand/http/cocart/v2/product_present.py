"""Products as CoCart v2 says them (contract v2-products-store-sessions.md 4).

Amounts are minor units of the base currency in strings, `""` where there is none. Attributes are
objects by `attribute_<slug>` ("shape A"), `[]` when empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from checkstand.cart import verbs
from checkstand.catalog.listing import Listed, Term
from checkstand.catalog.model import Product, ProductType
from checkstand.catalog.showcase import Display
from checkstand.http.answers import empty_as_list
from checkstand.http.cocart.v2.product_parts import (
    as_query,
    button,
    chosen_options,
    conditions_of,
    default_options,
    images,
    local_time,
    minor,
    number,
    options_of,
    review,
    size,
    sources_of,
    utc_time,
)
from checkstand.wiring import Shop

API = "/wp-json/cocart/v2"
_SOLD = (ProductType.SIMPLE, ProductType.VARIATION)


@dataclass(frozen=True, slots=True)
class Presenter:
    """Tells one display of one shop."""

    shop: Shop
    display: Display
    currency: Mapping[str, str | int]

    # --- whole products -----------------------------------------------------------------------

    def product(self, *, whole_variations: bool) -> dict[str, Any]:
        """A product. Its variations are told as on a product's own page, or by name only."""
        listed, product = self.display.exhibit.listed, self.display.exhibit.product
        members = self._members(product)
        stock = self._stock(product, members)
        tell = self._embedded if whole_variations else self._named
        external = product.type is ProductType.EXTERNAL
        return {
            "id": product.id,
            "parent_id": product.parent_id,
            "name": product.name,
            "type": product.type.value,
            "slug": product.slug,
            "permalink": self.permalink(product),
            "sku": product.sku,
            "global_unique_id": listed.global_unique_id,
            "description": product.description,
            "short_description": product.short_description,
            "dates": self._dates(listed),
            "featured": product.featured,
            "prices": self.prices(product, members),
            "hidden_conditions": {
                **conditions_of(product),
                "reviews_allowed": product.reviews_allowed,
            },
            "average_rating": number(listed.rating),
            "review_count": listed.review_count,
            "rating_count": listed.rating_count,
            "rated_out_of": "5",
            "images": images(product),
            "categories": self._terms(listed.categories, "categories"),
            "tags": self._terms(listed.tags, "tags"),
            "brands": self._terms(listed.brands, "brands"),
            "attributes": self._attributes(listed, product),
            "default_attributes": default_options(listed, product),
            "variations": [tell(each) for each in self.display.variations()],
            "grouped_products": [each.id for each in self.display.linked(product.grouped_ids)],
            "stock": stock,
            "weight": {"value": size(product.weight), "unit": self.shop.rules.weight_unit},
            "dimensions": self._dimensions(product),
            "reviews": [review(each, self.shop) for each in listed.reviews],
            "related": self._connected(listed.related_ids),
            "upsells": self._connected(product.upsell_ids),
            "cross_sells": self._connected(product.cross_sell_ids),
            "total_sales": listed.sales,
            "external_url": product.external_url if external else "",
            "button_text": product.button_text if external else "",
            "add_to_cart": {
                **self._add_to_cart(product, members, in_stock=stock["is_in_stock"]),
                "has_options": product.type in (ProductType.VARIABLE, ProductType.GROUPED),
            },
            "meta_data": [],
        }

    def variation(self) -> dict[str, Any]:
        """A variation in its own right: a product without what its parent says (4.7)."""
        listed, product = self.display.exhibit.listed, self.display.exhibit.product
        stock = self._stock(product, [product])
        return {
            "id": product.id,
            "parent_id": product.parent_id,
            "name": product.name,
            "slug": product.slug,
            "permalink": self.permalink(product),
            "sku": product.sku,
            "global_unique_id": listed.global_unique_id,
            "description": product.description,
            "dates": self._dates(listed),
            "featured": product.featured,
            "prices": self.prices(product, [product]),
            "hidden_conditions": conditions_of(product),
            "images": images(product),
            "categories": self._terms(listed.categories, "categories"),
            "tags": self._terms(listed.tags, "tags"),
            "brands": self._terms(listed.brands, "brands"),
            "attributes": chosen_options(listed, product),
            "stock": stock,
            "weight": {"value": size(product.weight), "unit": self.shop.rules.weight_unit},
            "dimensions": self._dimensions(product),
            "total_sales": listed.sales,
            "add_to_cart": self._add_to_cart(product, [product], in_stock=stock["is_in_stock"]),
            "meta_data": [],
        }

    def _members(self, product: Product) -> list[Product]:
        """What the product is sold as."""
        if product.type is ProductType.VARIABLE:
            return self.display.variations()
        if product.type is ProductType.GROUPED:
            return self.display.linked(product.grouped_ids)
        return [product]

    # --- parts --------------------------------------------------------------------------------

    def prices(self, product: Product, members: Iterable[Product]) -> dict[str, Any]:
        """4.1; of a product with variations the lowest of them, with their range."""
        now = self.display.now
        sold = [(price, each) for each in members if (price := each.price(now)) is not None]
        low = min((price for price, _ in sold), default=None)
        regular = min(
            (e.regular_price for _, e in sold if e.regular_price is not None), default=low
        )
        on_sale = any(each.on_sale(now) for _, each in sold)
        is_range = product.type is ProductType.VARIABLE and sold
        return {
            "price": minor(low),
            "regular_price": minor(regular),
            "sale_price": minor(low) if on_sale else "",
            "price_range": {
                "min": minor(low),
                "max": minor(max(price for price, _ in sold)),
            }
            if is_range
            else None,
            "on_sale": on_sale,
            "date_on_sale": {
                "from": self._local(product.sale_from),
                "from_gmt": utc_time(product.sale_from),
                "to": self._local(product.sale_to),
                "to_gmt": utc_time(product.sale_to),
            },
            "currency": self.currency,
        }

    def _stock(self, product: Product, members: Iterable[Product]) -> dict[str, Any]:
        """Of a product that keeps no count itself, it is in stock as long as one member is."""
        counted = [product] if product.manages_stock else list(members)
        states = {self._state(each) for each in counted}
        state = next((s for s in ("instock", "onbackorder") if s in states), "outofstock")
        return {
            "is_in_stock": state != "outofstock",
            "stock_quantity": self.display.available(product),
            "stock_status": state,
            "backorders": product.backorders.value,
            "backorders_allowed": product.allows_backorders,
            "backordered": state == "onbackorder",
            "low_stock_amount": product.low_stock,
        }

    def _state(self, product: Product) -> str:
        available = self.display.available(product)
        if available is None:
            return product.stock_status.value
        if available > 0:
            return "instock"
        return "onbackorder" if product.allows_backorders else "outofstock"

    def _add_to_cart(
        self, product: Product, members: Iterable[Product], *, in_stock: bool
    ) -> dict[str, Any]:
        sold = product.type in (*_SOLD, ProductType.VARIABLE)
        purchasable = sold and any(e.price(self.display.now) is not None for e in members)
        text, description = button(product, buyable=purchasable and in_stock)
        direct = product.type in _SOLD
        return {
            "text": text,
            "description": description,
            "is_purchasable": purchasable,
            "purchase_quantity": self._quantities(product) if direct else {},
            "rest_url": self._adding_url(product) if direct and purchasable else "",
        }

    def _quantities(self, product: Product) -> dict[str, int]:
        least, most, step = verbs.limits(product, self.display.available(product))
        return {
            "minimum": least,
            "maximum": most,
            "multiple_of": step,
            "min_purchase": least,
            "max_purchase": most,
        }

    def _embedded(self, variation: Product) -> dict[str, Any]:
        """A variation on the page of its product (4.4, reduced form)."""
        prices = self.prices(variation, [variation])
        del prices["price_range"]
        stock = self._stock(variation, [variation])
        adding = self._add_to_cart(variation, [variation], in_stock=stock["is_in_stock"])
        kept = ("is_purchasable", "purchase_quantity", "rest_url")
        return {
            "id": variation.id,
            "sku": variation.sku,
            "description": variation.description,
            "attributes": options_of(variation),
            "featured_image": sources_of(variation.images[0]) if variation.images else [],
            "prices": prices,
            "stock": stock,
            "add_to_cart": {name: adding[name] for name in kept},
        }

    def _named(self, variation: Product) -> dict[str, Any]:
        return {
            "id": variation.id,
            "permalink": self.permalink(variation),
            "sku": variation.sku,
            "rest_url": self.url(f"products/{variation.parent_id}/variations/{variation.id}"),
        }

    def _connected(self, ids: Iterable[int]) -> list[dict[str, Any]]:
        """4.5."""
        shown = []
        for product in self.display.promoted(ids):
            text, description = button(
                product, buyable=product.type in (*_SOLD, ProductType.VARIABLE)
            )
            price = self.display.exhibit.prices.get(product.id)
            if product.type in (*_SOLD, ProductType.EXTERNAL):
                price = product.price(self.display.now)
            shown.append(
                {
                    "id": product.id,
                    "name": product.name,
                    "permalink": self.permalink(product),
                    "price": minor(price),
                    "add_to_cart": {
                        "text": text,
                        "description": description,
                        "rest_url": self._adding_url(product) if product.type in _SOLD else "",
                    },
                    "rest_url": self.url(f"products/{product.id}"),
                }
            )
        return shown

    def _attributes(self, listed: Listed, product: Product) -> Any:
        """4.3, shape A."""
        if product.type is ProductType.VARIATION:
            return chosen_options(listed, product)
        return empty_as_list(
            {
                f"attribute_{each.slug}": {
                    "id": listed.attribute_ids.get(each.slug, 0),
                    "name": each.name,
                    "position": position,
                    "is_attribute_visible": each.visible,
                    "used_for_variation": each.for_variations,
                    "options": {option.slug: option.name for option in each.options},
                }
                for position, each in enumerate(product.attributes)
            }
        )

    def _terms(self, terms: Iterable[Term], kind: str) -> list[dict[str, Any]]:
        return [
            {
                "id": term.id,
                "name": term.name,
                "slug": term.slug,
                "rest_url": self.url(f"products/{kind}/{term.id}"),
            }
            for term in terms
        ]

    def _dates(self, listed: Listed) -> dict[str, Any]:
        return {
            "created": self._local(listed.created_at),
            "created_gmt": utc_time(listed.created_at),
            "modified": self._local(listed.modified_at),
            "modified_gmt": utc_time(listed.modified_at),
        }

    def _dimensions(self, product: Product) -> dict[str, Any]:
        return {
            "length": size(product.length),
            "width": size(product.width),
            "height": size(product.height),
            "unit": self.shop.rules.dimension_unit,
        }

    def _local(self, moment: datetime | None) -> str | None:
        return local_time(moment, self.shop)

    # --- addresses ----------------------------------------------------------------------------

    def url(self, path: str) -> str:
        return f"{self.shop.profile.base_url}{API}/{path}"

    def permalink(self, product: Product) -> str:
        """Where a storefront shows the product; a variation with its options chosen."""
        page = self.shop.profile.product_page(product.parent_id or product.id, product.slug)
        if product.type is not ProductType.VARIATION:
            return page
        chosen = as_query(tuple(options_of(product).items()))
        return f"{page}{'&' if '?' in page else '?'}{chosen}" if chosen else page

    def _adding_url(self, product: Product) -> str:
        """A hint: the route itself takes POST."""
        hint = self.url(f"cart/add-item?id={product.id}&quantity={product.min_quantity}")
        if product.type is not ProductType.VARIATION:
            return hint
        options = tuple((f"variation[{k}]", v) for k, v in options_of(product).items())
        return f"{hint}&{as_query(options)}" if options else hint
