"""The order that a cart is about to become: everything copied, nothing referred to."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from checkstand.cart.model import CartLine
from checkstand.cart.view import CartView
from checkstand.catalog.model import Product
from checkstand.kit import ids
from checkstand.orders.model import Charge, Order, OrderLine, OrderStatus
from checkstand.payments.service import NOTHING_DUE
from checkstand.pricing.quote import Package, Quote
from checkstand.stock.model import Want

TOTALS = (
    "subtotal",
    "subtotal_tax",
    "shipping_total",
    "shipping_tax",
    "discount_total",
    "discount_tax",
    "cart_contents_total",
    "cart_contents_tax",
    "fee_total",
    "fee_tax",
    "total",
    "total_tax",
)
"""The flat figures of the contract, in its order."""


def flat_totals(quote: Quote) -> dict[str, int]:
    """The contract's flat figures in minor units."""
    return {
        "subtotal": quote.subtotal.minor,
        "subtotal_tax": quote.subtotal_tax.minor,
        "shipping_total": quote.shipping_total.minor,
        "shipping_tax": quote.shipping_tax.minor,
        "discount_total": quote.discount_total.minor,
        "discount_tax": quote.discount_tax.minor,
        "cart_contents_total": quote.contents_total.minor,
        "cart_contents_tax": quote.contents_tax.minor,
        "fee_total": quote.fee_total.minor,
        "fee_tax": quote.fee_tax.minor,
        "total": quote.total.minor,
        "total_tax": quote.total_tax.minor,
    }


def draft(seen: CartView, *, fingerprint: str, method_title: str, note: str) -> Order:
    """A pending order of what was seen. It has no id yet."""
    cart, quote = seen.cart, seen.quote
    return Order(
        order_key=ids.order_key(),
        status=OrderStatus.PENDING,
        cart_key=cart.key,
        fingerprint=fingerprint,
        customer_id=cart.customer_id,
        currency=quote.currency,
        base_currency=quote.base.code,
        exchange_rate=Decimal(quote.rate),
        prices_include_tax=quote.prices_include_tax,
        totals=flat_totals(quote),
        needs_payment=quote.needs_payment,
        needs_shipping=quote.needs_shipping,
        needs_processing=any(_needs_processing(seen.product(line)) for line in cart.lines),
        billing=cart.billing,
        shipping=cart.ships_to,
        payment_method=cart.payment_method if quote.needs_payment else NOTHING_DUE,
        payment_method_title=method_title if quote.needs_payment else "",
        customer_note=note,
        created_at=seen.scene.now,
        lines=tuple(_line(seen, line) for line in cart.lines),
        charges=_charges(quote),
        coupon_ids=tuple(sorted(each.coupon_id for each in quote.discounts)),
    )


def wants(seen: CartView) -> list[Want]:
    """What the order takes from stock: one want for each stock row."""
    wanted: dict[int, Want] = {}
    for line in seen.cart.lines:
        product = seen.product(line)
        if not product.manages_stock:
            continue
        before = wanted.get(product.stock_id)
        quantity = line.quantity + (before.quantity if before else 0)
        wanted[product.stock_id] = Want(product.stock_id, quantity, product.allows_backorders)
    return list(wanted.values())


def _needs_processing(product: Product) -> bool:
    return not (product.virtual and product.downloadable)


def _line(seen: CartView, line: CartLine) -> OrderLine:
    product, quoted = seen.product(line), seen.quote.line(line.key)
    return OrderLine(
        item_key=line.key,
        product_id=line.product_id,
        variation_id=line.variation_id,
        name=product.name,
        title=product.parent_name or product.name,
        product_type=product.type.value,
        sku=product.sku,
        image=product.images[0].src if product.images else "",
        purchase_note=product.purchase_note,
        quantity=line.quantity,
        unit_price=quoted.unit_price,
        subtotal=quoted.subtotal,
        subtotal_tax=quoted.subtotal_tax,
        total=quoted.total,
        tax=quoted.tax,
        meta=tuple(chosen_options(product, line)),
        downloads=tuple({"name": file.name, "url": file.url} for file in product.downloads),
    )


def chosen_options(product: Product, line: CartLine) -> list[dict[str, str]]:
    """The options of a variation for display: key, label and chosen text."""
    shown = []
    for attribute in product.attributes:
        chosen = line.variation.get(f"attribute_{attribute.slug}")
        if chosen is None:
            continue
        text = next((o.name for o in attribute.options if o.slug == chosen), chosen)
        shown.append({"key": attribute.slug, "display_key": attribute.name, "display_value": text})
    return shown


def _contents(package: Package) -> dict[str, Any]:
    """What travels by a charge, as an order keeps it."""
    return {"id": package.id, "name": package.name, "items": dict(package.contents)}


def _charges(quote: Quote) -> tuple[Charge, ...]:
    shipping = [
        Charge("shipping", rate.key, rate.label, rate.cost, rate.tax, _contents(package))
        for package in quote.packages
        if (rate := package.chosen) is not None
    ]
    fees = [Charge("fee", fee.id, fee.name, fee.amount, fee.tax) for fee in quote.fees]
    taxes = [
        Charge("tax", tax.rate.code, tax.rate.name, tax.amount, quote.currency.zero)
        for tax in quote.taxes
    ]
    discounts = [
        Charge("discount", each.code, each.label, -each.amount, -each.tax)
        for each in quote.discounts
    ]
    return (*discounts, *shipping, *fees, *taxes)
