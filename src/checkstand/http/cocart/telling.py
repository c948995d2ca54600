"""What both namespaces say in the same words of payment methods and orders: each adds what only it
has, and writes amounts and times in its own way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from checkstand.checkout.model import Placement
from checkstand.http.display import currency_format
from checkstand.kit.money import Money
from checkstand.orders.model import Order, OrderLine
from checkstand.payments.gateway import Description
from checkstand.payments.store.tokens import SavedToken
from checkstand.wiring import StoreProfile


def method(each: Description, saved: Iterable[SavedToken], kind: Callable[[str], str]) -> Any:
    """A payment method, and what the customer has saved with it; `kind` writes a token's type."""
    tokenises = "tokenization" in each.supports
    return {
        "id": each.id,
        "title": each.title,
        "description": each.description,
        "supports": list(each.supports),
        "has_fields": each.has_fields,
        "order_button_text": each.order_button_text,
        "method_title": each.method_title,
        "method_description": each.method_description,
        "config": {
            "test_mode": each.test_mode,
            "is_connected": each.is_connected,
            "supports_tokenization": tokenises,
            "supports_refunds": "refunds" in each.supports,
            "supports_subscriptions": "subscriptions" in each.supports,
            "requires_billing_address": each.requires_billing_address,
        },
        "saved_tokens": [saved_token(token, kind) for token in saved if token.gateway == each.id],
        "supports_save_payment": tokenises,
    }


def saved_token(token: SavedToken, kind: Callable[[str], str]) -> dict[str, Any]:
    """What a customer sees of what he saved (contract checkout.md 4.1)."""
    return {
        "id": token.id,
        "token": token.method.label,
        "type": kind(token.method.kind),
        "gateway_id": token.gateway,
        "is_default": token.is_default,
        "expires": token.method.expires,
    }


def processed(placement: Placement, result: Mapping[str, Any]) -> dict[str, Any]:
    """What came of a process; `result` is the payment's."""
    order = placement.order
    return {
        "order_id": order.id,
        "status": order.status.value,
        "order_key": order.order_key,
        "order_number": order.number,
        "payment_result": result,
        "customer_id": order.customer_id or 0,
        "billing_address": order.billing.as_billing(),
        "shipping_address": order.shipping.as_shipping(),
        **_attempt(placement),
    }


def paid(placement: Placement, result: Mapping[str, Any], profile: StoreProfile) -> dict[str, Any]:
    """The answer to paying for an order, with the payment result for who has to do more."""
    order = placement.order
    return {
        "success": placement.done,
        "order_id": order.id,
        "order_status": order.status.value,
        "redirect_url": leads_to(placement, profile),
        "payment_result": result,
        **_attempt(placement),
    }


def _attempt(placement: Placement) -> dict[str, str]:
    return {"attempt_id": placement.attempt_id} if placement.attempt_id else {}


def leads_to(placement: Placement, profile: StoreProfile) -> str:
    """Where the shopper goes next: to the provider, or to the confirmation."""
    order = placement.order
    return placement.redirect_url or profile.order_received(order.id, order.order_key)


def received(
    order: Order,
    profile: StoreProfile,
    amount: Callable[[Money], str],
    moment: Callable[[datetime], str | None],
    line: Callable[[OrderLine], dict[str, Any]],
) -> dict[str, Any]:
    """The confirmation of an order."""
    return {
        "order_id": order.id,
        "order_number": order.number,
        "order_key": order.order_key,
        "status": order.status.value,
        "status_name": order.status.label,
        "date_created": moment(order.created_at),
        "date_paid": moment(order.paid_at) if order.paid_at else None,
        "currency": order.currency.code,
        "total": amount(order.amount("total")),
        "subtotal": amount(order.amount("subtotal")),
        "tax_total": amount(order.amount("total_tax")),
        "shipping_total": amount(order.amount("shipping_total")),
        "discount_total": amount(order.amount("discount_total")),
        "payment_method": order.payment_method,
        "payment_method_title": order.payment_method_title,
        "customer_id": order.customer_id or 0,
        "customer_note": order.customer_note,
        "billing_address": order.billing.as_billing(),
        "shipping_address": order.shipping.as_shipping(),
        "items": [line(each) for each in order.lines],
        "totals": total_rows(order, profile),
        "needs_payment": order.payable,
        "needs_shipping": order.needs_shipping,
        "has_downloads": bool(order.downloads),
    }


def received_line(line: OrderLine, amount: Callable[[Money], str]) -> dict[str, Any]:
    """A line of the confirmation."""
    return {
        "item_id": line.id,
        "product_id": line.product_id,
        "variation_id": line.variation_id,
        "product_name": line.name,
        "product_image": line.image,
        "quantity": line.quantity,
        "subtotal": amount(line.subtotal),
        "total": amount(line.total),
        "meta_data": [{"id": index, **entry} for index, entry in enumerate(line.meta, 1)],
    }


def payable_by(offered: Iterable[Description]) -> list[dict[str, Any]]:
    """What an order can be paid with."""
    return [
        {
            "id": each.id,
            "title": each.title,
            "description": each.description,
            "has_fields": each.has_fields,
        }
        for each in offered
    ]


def total_rows(order: Order, profile: StoreProfile) -> list[dict[str, str]]:
    """What a shopper reads under the items, in order."""
    show = currency_format(order.currency, profile.language).show
    rows = [("subtotal", "Subtotal", show(order.amount("subtotal")))]
    packages = sum(charge.kind == "shipping" for charge in order.charges)
    for charge in order.charges:
        if charge.kind == "discount":
            if charge.amount:
                rows.append(("discount", charge.label, show(charge.amount)))
        elif charge.kind == "shipping":
            name = charge.package["name"] if charge.package and packages > 1 else "Shipping"
            rows.append(("shipping", name, f"{show(charge.amount)} via {charge.label}"))
        elif charge.kind in ("fee", "tax"):
            rows.append((charge.kind, charge.label, show(charge.amount)))
    if order.payment_method_title:
        rows.append(("payment_method", "Payment method", order.payment_method_title))
    rows.append(("total", "Total", show(order.total)))
    return [{"key": key, "label": label, "value": value} for key, label, value in rows]
