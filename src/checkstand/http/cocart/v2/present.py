"""A CartView as CoCart v2 says it (contract cart.md 1). Amounts are minor units in strings.

Where the contract's sources conflict, its "Safe choice": items are a list, item totals are four
minor-unit strings, both spellings of the quantity limits are there, empty maps are `[]`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from checkstand.cart import verbs
from checkstand.cart.model import CartLine
from checkstand.cart.packages import key_of
from checkstand.cart.view import CartView, cart_hash
from checkstand.catalog.model import Product
from checkstand.checkout.drafting import chosen_options
from checkstand.customers import addresses
from checkstand.customers.addresses import Address
from checkstand.http.answers import empty_as_list
from checkstand.http.cocart.v2 import figures
from checkstand.http.cocart.v2.figures import Say, minor
from checkstand.http.display import CurrencyFormat, currency_format
from checkstand.kit.money import Money
from checkstand.pricing.quote import Package, QuotedRate

CART_FIELDS = (
    "cart_hash",
    "cart_key",
    "currency",
    "customer",
    "items",
    "item_count",
    "items_weight",
    "coupons",
    "needs_payment",
    "needs_shipping",
    "shipping",
    "fees",
    "taxes",
    "totals",
    "removed_items",
    "cross_sells",
    "notices",
    "extensions",
)
"""The members of a cart, in the contract's order."""


_DIGITAL = "currency,customer,items,coupons,needs_payment,taxes,totals,notices"
_SHIPPED = f"{_DIGITAL},items_weight,needs_shipping,shipping"
PRESETS = {
    "digital": _DIGITAL,
    "digital_fees": f"{_DIGITAL},fees",
    "shipping": _SHIPPED,
    "shipping_fees": f"{_SHIPPED},fees",
    "removed_items": "currency,removed_items,notices",
    "cross_sells": "currency,cross_sells,notices",
}
"""`config[fields]`: a choice of members by its name (contract cart.md 1.9)."""


def cart(
    seen: CartView,
    language: str,
    *,
    thumb: bool = True,
    fields: str = "",
    formatted: bool = False,
) -> dict[str, Any]:
    """The cart object; with `fields` (`currency,totals:subtotal-total`) only those members, with
    `formatted` amounts as people read them."""
    wanted = _wanted(fields)
    quote = seen.quote
    writing = currency_format(quote.currency, language)
    say = writing.show if formatted else minor
    members: dict[str, Callable[[], Any]] = {
        "cart_hash": lambda: cart_hash(seen),
        "cart_key": lambda: seen.cart.key,
        "currency": writing.as_v2,
        "customer": lambda: customer(seen.cart.billing, seen.cart.ships_to),
        "items": lambda: [item(seen, line, thumb=thumb, say=say) for line in seen.cart.lines],
        "item_count": lambda: seen.cart.item_count,
        "items_weight": lambda: _number(quote.weight),
        "coupons": lambda: figures.coupons(quote, writing, say),
        "needs_payment": lambda: quote.needs_payment,
        "needs_shipping": lambda: quote.needs_shipping,
        "shipping": lambda: shipping(seen, writing, say),
        "fees": lambda: figures.fees(quote, say),
        "taxes": lambda: figures.taxes(quote, say),
        "totals": lambda: figures.totals(quote, say),
        "removed_items": lambda: [
            removed_item(seen, line, thumb=thumb, say=say)
            for line in seen.cart.removed
            if line.sold_id in seen.scene.products
        ],
        "cross_sells": lambda: cross_sells(seen, say),
        "notices": lambda: empty_as_list(seen.notices),
        "extensions": list,
    }
    if not wanted:
        return {name: make() for name, make in members.items()}
    return {
        name: _children(make(), wanted[name]) for name, make in members.items() if name in wanted
    }


def _wanted(fields: str) -> dict[str, list[str]]:
    """`totals:subtotal-total` -> {"totals": ["subtotal", "total"]} (contract cart.md 1.9)."""
    wanted: dict[str, list[str]] = {}
    for part in fields.split(","):
        name, _, children = part.strip().partition(":")
        if name:
            wanted[name] = [child for child in children.split("-") if child]
    return wanted


def _children(value: Any, names: list[str]) -> Any:
    if not names or not isinstance(value, dict):
        return value
    return {name: child for name, child in value.items() if name in names}


def customer(billing: Address, shipping_address: Address) -> dict[str, Any]:
    """Addresses with prefixed keys (contract cart.md 1.2)."""
    return {
        "billing_address": {f"billing_{k}": v for k, v in billing.as_billing().items()},
        "shipping_address": {f"shipping_{k}": v for k, v in shipping_address.as_shipping().items()},
    }


def item(seen: CartView, line: CartLine, *, thumb: bool = True, say: Say = minor) -> dict[str, Any]:
    """One line (contract cart.md 1.3)."""
    product, quoted = seen.product(line), seen.quote.line(line.key)
    least, most, step = verbs.limits(product, seen.scene.available(product))
    return {
        "item_key": line.key,
        "id": line.sold_id,
        "name": product.name,
        "title": product.parent_name or product.name,
        "price": say(quoted.unit_price),
        "regular_price": say(quoted.regular_price),
        "on_sale": line.price is None and product.on_sale(seen.scene.now),
        "quantity": {
            "value": line.quantity,
            "min_purchase": least,
            "max_purchase": most,
            "minimum": least,
            "maximum": most,
            "multiple_of": step,
            "editable": not product.sold_individually and line.price is None,
        },
        "totals": {
            "subtotal": say(quoted.subtotal),
            "subtotal_tax": say(quoted.subtotal_tax),
            "total": say(quoted.total),
            "tax": say(quoted.tax),
        },
        "slug": product.slug,
        "meta": _meta(seen, product, line),
        "backorders": _backorder_text(seen, product, line),
        "cart_item_data": empty_as_list(line.item_data),
        "featured_image": _image(product) if thumb else "",
        "extensions": [],
    }


def removed_item(
    seen: CartView, line: CartLine, *, thumb: bool = True, say: Say = minor
) -> dict[str, Any]:
    """A line that was taken out: its quantity is a plain number, it has no totals to speak of and
    no `extensions`."""
    product = seen.scene.products[line.sold_id]
    price = line.price if line.price is not None else product.price(seen.scene.now) or 0
    unit, whole = _shown(seen, price), say(_shown(seen, price).times(line.quantity))
    nothing = say(seen.quote.currency.zero)
    return {
        "item_key": line.key,
        "id": line.sold_id,
        "name": product.name,
        "title": product.parent_name or product.name,
        "price": say(unit),
        "quantity": line.quantity,
        "totals": {"subtotal": whole, "subtotal_tax": nothing, "total": whole, "tax": nothing},
        "slug": product.slug,
        "meta": _meta(seen, product, line),
        "backorders": "",
        "cart_item_data": empty_as_list(line.item_data),
        "featured_image": _image(product) if thumb else "",
    }


def _shown(seen: CartView, base_minor: int) -> Money:
    """An amount of the base currency in the one that is shown."""
    return seen.quote.base.money(base_minor).converted(seen.quote.rate, seen.quote.currency)


def cross_sells(seen: CartView, say: Say = minor) -> list[dict[str, Any]]:
    """What goes with the items, under the names of all sources (contract cart.md 1.7)."""
    return [_cross_sell(seen, product, say) for product in seen.suggested]


def _cross_sell(seen: CartView, product: Product, say: Say) -> dict[str, Any]:
    now = seen.scene.now
    price = _shown(seen, product.price(now) or 0)
    regular = product.regular_price
    on_sale = product.on_sale(now)
    name, image = product.name, _image(product)
    return {
        "id": product.id,
        "name": name,
        "title": product.parent_name or name,
        "product_name": name,
        "product_title": product.parent_name or name,
        "slug": product.slug,
        "price": say(price),
        "regular_price": say(_shown(seen, regular)) if regular is not None else say(price),
        "sale_price": say(price) if on_sale else "",
        "image": image,
        "product_image": image,
        "featured_image": image,
        "average_rating": f"Rated {product.rating:.2f} out of 5" if product.rating else "",
        "on_sale": on_sale,
        "type": product.type.value,
    }


def mini(
    seen: CartView, language: str, *, thumb: bool, fields: str, formatted: bool
) -> dict[str, Any]:
    """The least that a cart icon needs (contract cart.md 9, v2-cart.md 12); `fields` as of the
    cart."""
    wanted = _wanted(fields)
    quote = seen.quote
    writing = currency_format(quote.currency, language)
    say = writing.show if formatted else minor
    members = {
        "cart_hash": cart_hash(seen) if seen.cart.lines else None,
        "cart_key": seen.cart.key,
        "currency": writing.as_v2(),
        "item_count": seen.cart.item_count,
        "items": [_mini_item(seen, line, thumb, say) for line in seen.cart.lines],
        "subtotal": say(quote.subtotal),
        "totals": {"subtotal": say(quote.subtotal), "total": say(quote.total)},
        "notices": empty_as_list(seen.notices),
    }
    if not wanted:
        return members
    return {name: _children(members[name], wanted[name]) for name in members if name in wanted}


def _mini_item(seen: CartView, line: CartLine, thumb: bool, say: Say) -> dict[str, Any]:
    product = seen.product(line)
    chosen = {o["display_key"]: o["display_value"] for o in chosen_options(product, line)}
    return {
        "item_key": line.key,
        "id": line.sold_id,
        "name": product.name,
        "price": say(seen.quote.line(line.key).unit_price),
        "quantity": line.quantity,
        "variation": empty_as_list(chosen),
        "cart_item_data": empty_as_list(line.item_data),
        "featured_image": _image(product) if thumb else "",
    }


def _meta(seen: CartView, product: Product, line: CartLine) -> dict[str, Any]:
    sizes = {"length": product.length, "width": product.width, "height": product.height}
    known = any(size is not None for size in sizes.values())
    weight = product.weight * line.quantity if product.weight is not None else None
    chosen = {o["display_key"]: o["display_value"] for o in chosen_options(product, line)}
    return {
        "product_type": product.type.value,
        "sku": product.sku,
        "dimensions": {
            **{name: _number(size) if size is not None else "" for name, size in sizes.items()},
            "unit": seen.shop.dimension_unit,
        }
        if known
        else [],
        "weight": _number(weight) if weight is not None else "0.0",
        "variation": empty_as_list(chosen),
    }


def _backorder_text(seen: CartView, product: Product, line: CartLine) -> str:
    available = seen.scene.available(product)
    if product.backorders.value != "notify" or available is None or available >= line.quantity:
        return ""
    return "Available on backorder"


def _image(product: Product) -> str:
    return product.images[0].src if product.images else ""


def _number(value: Decimal) -> str:
    """A decimal without trailing zeros and without an exponent: "0.4", "12", "0"."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def shipping(seen: CartView, writing: CurrencyFormat, say: Say = minor) -> Any:
    """Packages and their rates; `[]` when nothing is to be shipped (contract cart.md 1.6)."""
    packages = seen.quote.packages
    if not packages:
        return []
    calculated = seen.quote.has_destination
    shown = {
        key_of(index): _package(seen, package, index, writing, say)
        for index, package in enumerate(packages)
    }
    return {
        "total_packages": len(packages),
        "show_package_details": len(packages) > 1,
        "has_calculated_shipping": calculated,
        "packages": empty_as_list(shown if calculated else {}),
    }


def _package(
    seen: CartView, package: Package, index: int, writing: CurrencyFormat, say: Say
) -> dict[str, Any]:
    inside = [line for line in seen.cart.lines if line.key in package.contents]
    text = ", ".join(f"{seen.product(line).name} × {package.contents[line.key]}" for line in inside)
    return {
        "package_name": package.name,
        "rates": empty_as_list(
            {rate.key: _rate(rate, text, writing, say) for rate in package.rates}
        ),
        "package_details": text if len(seen.quote.packages) > 1 else "",
        "index": index,
        "chosen_method": package.chosen.key if package.chosen else "",
        "formatted_destination": addresses.formatted_destination(seen.cart.destination),
    }


def _rate(rate: QuotedRate, text: str, writing: CurrencyFormat, say: Say) -> dict[str, Any]:
    tax = say(rate.tax) if rate.tax else ""
    return {
        "key": rate.key,
        "method_id": rate.method_id,
        "instance_id": rate.instance_id,
        "label": rate.label,
        "cost": say(rate.cost),
        "html": f"{rate.label}: {writing.show(rate.cost)}",
        "taxes": tax,
        "tax": tax,
        "chosen_method": rate.chosen,
        "meta_data": {"items": text},
    }


def items_by_key(seen: CartView, *, thumb: bool, say: Say = minor) -> Mapping[str, Any]:
    """`GET /cart/items`: an object by item key."""
    return {line.key: item(seen, line, thumb=thumb, say=say) for line in seen.cart.lines}
