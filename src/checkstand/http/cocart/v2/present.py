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
from checkstand.cart.view import CartView, cart_hash
from checkstand.catalog.model import Product
from checkstand.checkout.drafting import chosen_options
from checkstand.customers import addresses
from checkstand.customers.addresses import Address
from checkstand.http.answers import empty_as_list
from checkstand.http.display import CurrencyFormat, currency_format
from checkstand.kit.money import Money
from checkstand.pricing.quote import AppliedDiscount, Package, Quote, QuotedRate, TaxTotal

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


def cart(seen: CartView, language: str, *, thumb: bool = True, fields: str = "") -> dict[str, Any]:
    """The cart object; with `fields` (`currency,totals:subtotal-total`) only those members."""
    wanted = _wanted(fields)
    quote = seen.quote
    writing = currency_format(quote.currency, language)
    members: dict[str, Callable[[], Any]] = {
        "cart_hash": lambda: cart_hash(seen),
        "cart_key": lambda: seen.cart.key,
        "currency": writing.as_v2,
        "customer": lambda: customer(seen.cart.billing, seen.cart.ships_to),
        "items": lambda: [item(seen, line, thumb=thumb) for line in seen.cart.lines],
        "item_count": lambda: seen.cart.item_count,
        "items_weight": lambda: _number(quote.weight),
        "coupons": lambda: coupons(quote, writing),
        "needs_payment": lambda: quote.needs_payment,
        "needs_shipping": lambda: quote.needs_shipping,
        "shipping": lambda: shipping(seen, writing),
        "fees": lambda: empty_as_list(
            {fee.id: {"name": fee.name, "fee": str(fee.amount.minor)} for fee in quote.fees}
        ),
        "taxes": lambda: taxes(quote),
        "totals": lambda: totals(quote),
        "removed_items": lambda: [
            removed_item(seen, line, thumb=thumb)
            for line in seen.cart.removed
            if line.sold_id in seen.scene.products
        ],
        "cross_sells": list,
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


def item(seen: CartView, line: CartLine, *, thumb: bool = True) -> dict[str, Any]:
    """One line (contract cart.md 1.3)."""
    product, quoted = seen.product(line), seen.quote.line(line.key)
    least, most, step = verbs.limits(product, seen.scene.available(product))
    return {
        "item_key": line.key,
        "id": line.sold_id,
        "name": product.name,
        "title": product.parent_name or product.name,
        "price": str(quoted.unit_price.minor),
        "regular_price": str(quoted.regular_price.minor),
        "on_sale": product.on_sale(seen.scene.now),
        "quantity": {
            "value": line.quantity,
            "min_purchase": least,
            "max_purchase": most,
            "minimum": least,
            "maximum": most,
            "multiple_of": step,
            "editable": not product.sold_individually,
        },
        "totals": {
            "subtotal": str(quoted.subtotal.minor),
            "subtotal_tax": str(quoted.subtotal_tax.minor),
            "total": str(quoted.total.minor),
            "tax": str(quoted.tax.minor),
        },
        "slug": product.slug,
        "meta": _meta(seen, product, line),
        "backorders": _backorder_text(seen, product, line),
        "cart_item_data": empty_as_list(line.item_data),
        "featured_image": _image(product) if thumb else "",
        "extensions": [],
    }


def removed_item(seen: CartView, line: CartLine, *, thumb: bool = True) -> dict[str, Any]:
    """A line that was taken out: its quantity is a plain number, it has no totals to speak of and
    no `extensions`."""
    product = seen.scene.products[line.sold_id]
    price = product.price(seen.scene.now) or 0
    writing = seen.quote.base.money(price).converted(seen.quote.rate, seen.quote.currency)
    whole = str(writing.times(line.quantity).minor)
    return {
        "item_key": line.key,
        "id": line.sold_id,
        "name": product.name,
        "title": product.parent_name or product.name,
        "price": str(writing.minor),
        "quantity": line.quantity,
        "totals": {"subtotal": whole, "subtotal_tax": "0", "total": whole, "tax": "0"},
        "slug": product.slug,
        "meta": _meta(seen, product, line),
        "backorders": "",
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


def totals(quote: Quote) -> dict[str, str]:
    """The ten figures of contract cart.md 1.4."""
    return {
        "subtotal": str(quote.subtotal.minor),
        "subtotal_tax": str(quote.subtotal_tax.minor),
        "fee_total": str(quote.fee_total.minor),
        "fee_tax": str(quote.fee_tax.minor),
        "discount_total": str(quote.discount_total.minor),
        "discount_tax": str(quote.discount_tax.minor),
        "shipping_total": str(quote.shipping_total.minor),
        "shipping_tax": str(quote.shipping_tax.minor),
        "total": str(quote.total.minor),
        "total_tax": str(quote.total_tax.minor),
    }


def engine_totals(quote: Quote, writing: CurrencyFormat | None) -> dict[str, Any]:
    """The fifteen figures of `GET /cart/totals`, in major units; with `writing` as display text."""

    def shown(amount: Any) -> str:
        return writing.show(amount) if writing else str(amount.decimal())

    contents = _by_code(quote, lambda tax: tax.amount - tax.shipping_amount)
    carriage = _by_code(quote, lambda tax: tax.shipping_amount)
    return {
        "subtotal": shown(quote.subtotal),
        "subtotal_tax": shown(quote.subtotal_tax),
        "shipping_total": shown(quote.shipping_total),
        "shipping_tax": shown(quote.shipping_tax),
        "shipping_taxes": empty_as_list({c: shown(a) for c, a in carriage.items() if a}),
        "discount_total": shown(quote.discount_total),
        "discount_tax": shown(quote.discount_tax),
        "cart_contents_total": shown(quote.contents_total),
        "cart_contents_tax": shown(quote.contents_tax),
        "cart_contents_taxes": empty_as_list({c: shown(a) for c, a in contents.items() if a}),
        "fee_total": shown(quote.fee_total),
        "fee_tax": shown(quote.fee_tax),
        "fee_taxes": [],
        "total": shown(quote.total),
        "total_tax": shown(quote.total_tax),
    }


def coupons(quote: Quote, writing: CurrencyFormat) -> list[dict[str, str]]:
    """The coupons that are applied (contract cart.md 1.5)."""
    return [_coupon(quote, each, writing) for each in quote.discounts]


def _coupon(quote: Quote, each: AppliedDiscount, writing: CurrencyFormat) -> dict[str, str]:
    saving = each.amount + each.tax if quote.prices_include_tax else each.amount
    free = each.free_shipping and not saving
    return {
        "coupon": each.code,
        "label": each.label,
        "discount_type": each.kind.value,
        "saving": f"-{saving.minor}" if saving else "0",
        "saving_html": "Free shipping coupon" if free else f"-{writing.show(saving)}",
    }


def coupons_with_totals(seen: CartView, language: str) -> list[dict[str, Any]]:
    """`GET /cart/coupons`: as in the cart, with what each takes off ex tax (v2-cart.md 10)."""
    writing = currency_format(seen.quote.currency, language)
    return [
        {
            **_coupon(seen.quote, each, writing),
            "totals": {"discount": str(each.amount.minor), "discount_tax": str(each.tax.minor)},
        }
        for each in seen.quote.discounts
    ]


def taxes(quote: Quote) -> Any:
    """Rate code -> {name, price}; nothing when prices are shown with tax (contract cart.md 1.5)."""
    if quote.prices_include_tax:
        return []
    names = {tax.rate.code: tax.rate.label for tax in quote.taxes}
    amounts = _by_code(quote, lambda tax: tax.amount)
    return empty_as_list(
        {code: {"name": names[code], "price": str(amounts[code].minor)} for code in names}
    )


def _by_code(quote: Quote, part: Callable[[TaxTotal], Money]) -> dict[str, Money]:
    """A part of the taxes by rate code. Rates of several classes may share one: they add up."""
    sums: dict[str, Money] = {}
    for tax in quote.taxes:
        sums[tax.rate.code] = sums.get(tax.rate.code, quote.currency.zero) + part(tax)
    return sums


def shipping(seen: CartView, writing: CurrencyFormat) -> Any:
    """Packages and their rates; `[]` when nothing is to be shipped (contract cart.md 1.6)."""
    packages = seen.quote.packages
    if not packages:
        return []
    calculated = seen.quote.has_destination
    shown = {
        "default" if index == 0 else str(index + 1): _package(seen, package, index, writing)
        for index, package in enumerate(packages)
    }
    return {
        "total_packages": len(packages),
        "show_package_details": len(packages) > 1,
        "has_calculated_shipping": calculated,
        "packages": empty_as_list(shown if calculated else {}),
    }


def _package(
    seen: CartView, package: Package, index: int, writing: CurrencyFormat
) -> dict[str, Any]:
    inside = [line for line in seen.cart.lines if line.key in package.line_keys]
    text = ", ".join(f"{seen.product(line).name} × {line.quantity}" for line in inside)
    return {
        "package_name": package.name,
        "rates": empty_as_list({rate.key: _rate(rate, text, writing) for rate in package.rates}),
        "package_details": text if len(seen.quote.packages) > 1 else "",
        "index": index,
        "chosen_method": package.chosen.key if package.chosen else "",
        "formatted_destination": addresses.formatted_destination(seen.cart.destination),
    }


def _rate(rate: QuotedRate, text: str, writing: CurrencyFormat) -> dict[str, Any]:
    tax = str(rate.tax.minor) if rate.tax else ""
    return {
        "key": rate.key,
        "method_id": rate.method_id,
        "instance_id": rate.instance_id,
        "label": rate.label,
        "cost": str(rate.cost.minor),
        "html": f"{rate.label}: {writing.show(rate.cost)}",
        "taxes": tax,
        "tax": tax,
        "chosen_method": rate.chosen,
        "meta_data": {"items": text},
    }


def items_by_key(seen: CartView, *, thumb: bool) -> Mapping[str, Any]:
    """`GET /cart/items`: an object by item key."""
    return {line.key: item(seen, line, thumb=thumb) for line in seen.cart.lines}
