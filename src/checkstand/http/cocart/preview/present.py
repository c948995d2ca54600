"""The checkout and orders as the preview namespace says them: decimal strings."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from checkstand.cart.packages import chosen_flat, flat_rates, key_of
from checkstand.cart.view import CartView, cart_hash
from checkstand.checkout.drafting import TOTALS, flat_totals
from checkstand.checkout.model import PaymentStatus, Placement
from checkstand.checkout.service import ReadyToPay, Standing
from checkstand.http.answers import empty_as_list
from checkstand.http.cocart import telling
from checkstand.http.display import CurrencyFormat, currency_format, display_date
from checkstand.kit.money import Currency, Money
from checkstand.orders.model import Order, OrderLine
from checkstand.payments.gateway import WEBHOOK_PATH, Description
from checkstand.payments.store.tokens import SavedToken
from checkstand.pricing.quote import Package, QuotedRate
from checkstand.wiring import StoreProfile


def state(seen: CartView, offered: Iterable[Description], profile: StoreProfile) -> dict[str, Any]:
    """The checkout state, with the extra members that official clients read (contract checkout.md
    1.1, 1.2)."""
    cart, quote = seen.cart, seen.quote
    writing = currency_format(quote.currency, profile.language)
    billing = cart.billing.as_billing()
    shipping = cart.ships_to.as_shipping()
    customer_id = cart.customer_id or 0
    totals = decimals(flat_totals(quote), quote.currency)
    lines, summary = _lines(seen, writing)
    return {
        "cart_key": cart.key,
        "cart_hash": cart_hash(seen),
        "currency": {
            "code": quote.currency.code,
            "symbol": writing.symbol,
            "base_currency": quote.base.code,
            "exchange_rate": float(quote.rate),
        },
        "customer_id": customer_id,
        "billing_address": billing,
        "shipping_address": shipping,
        "cart_contents": lines,
        "cart_totals": totals,
        "shipping_methods": {key: _rate(rate) for key, rate in flat_rates(quote).items()},
        "needs_payment": quote.needs_payment,
        "needs_shipping": quote.needs_shipping,
        "payment_method": cart.payment_method,
        "shipping_method": chosen_flat(quote),
        "shipping_packages": {
            key_of(index): _package(package, index) for index, package in enumerate(quote.packages)
        },
        "payment_methods": methods(offered),
        "customer_data": {
            "customer_id": customer_id,
            "billing_address": billing,
            "shipping_address": shipping,
        },
        "cart": summary,
        "totals": {
            name: totals[name]
            for name in (
                "subtotal",
                "discount_total",
                "shipping_total",
                "fee_total",
                "total_tax",
                "total",
            )
        },
        "coupons": [
            {
                "coupon": each.code,
                "label": each.label,
                "discount_type": each.kind.value,
                "saving": (-each.amount).decimal(),
                "discount_tax": (-each.tax).decimal(),
            }
            for each in quote.discounts
        ],
        "id": cart.key,
        "notices": empty_as_list(seen.notices),
    }


def _lines(seen: CartView, writing: CurrencyFormat) -> tuple[dict[str, Any], dict[str, Any]]:
    """The lines by item key, as the reference names them and as the JS package's summary does."""
    lines: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    for line, quoted in zip(seen.cart.lines, seen.quote.lines, strict=True):
        product = seen.product(line)
        price = writing.show(quoted.unit_price)
        lines[line.key] = {
            "key": line.key,
            "product_id": line.product_id,
            "variation_id": line.variation_id,
            "quantity": line.quantity,
            "product_name": product.name,
            "product_title": product.parent_name or product.name,
            "product_price": price,
            "line_subtotal": quoted.subtotal.decimal(),
            "line_total": quoted.total.decimal(),
        }
        summary[line.key] = {
            "item_key": line.key,
            "name": product.name,
            "quantity": line.quantity,
            "price": quoted.unit_price.decimal(),
            "totals": {"subtotal": quoted.subtotal.decimal()},
        }
    return lines, summary


def _package(package: Package, index: int) -> dict[str, Any]:
    return {
        "package_name": package.name,
        "index": index,
        "items": dict(package.contents),
        "rates": {rate.key: _rate(rate) for rate in package.rates},
        "chosen_method": package.chosen.key if package.chosen else "",
    }


def _rate(rate: QuotedRate) -> dict[str, str]:
    return {
        "id": rate.key,
        "label": rate.label,
        "cost": rate.cost.decimal(),
        "method_id": rate.method_id,
        "instance_id": str(rate.instance_id),
    }


def decimals(flat: dict[str, int], currency: Currency) -> dict[str, str]:
    """The twelve figures as decimal strings."""
    return {name: Money(flat[name], currency).decimal() for name in TOTALS}


def methods(offered: Iterable[Description], saved: Iterable[SavedToken] = ()) -> dict[str, Any]:
    """Payment methods by id (contract checkout.md 4.1), with what the customer has saved."""
    kept = list(saved)
    return {
        each.id: {**telling.method(each, kept, str), "enabled": True, "icon": ""}
        for each in offered
    }


def with_debug(
    listed: dict[str, Any], offered: Iterable[Description], profile: StoreProfile
) -> dict[str, Any]:
    """What an administrator sees with `?debug=true` (contract checkout.md 4.2): public values only,
    which a storefront must use."""
    return {
        "payment_methods": listed,
        "debug_info": {
            "payment_context": {
                each.id: {
                    **each.storefront,
                    "webhook_endpoint": f"{profile.base_url}{WEBHOOK_PATH}/{each.id}",
                    "gateway_mode": "test" if each.test_mode else "live",
                }
                for each in offered
                if not each.offline
            },
            "note": "For setting up a storefront; not for production.",
        },
    }


def processed(placement: Placement, profile: StoreProfile) -> dict[str, Any]:
    """The answer to a process (contract checkout.md 3.1)."""
    kept = None if placement.done else placement.order.cart_key
    result = _payment_result(placement, profile)
    return {**telling.processed(placement, result), "cart_key": kept}


def _payment_result(placement: Placement, profile: StoreProfile) -> dict[str, Any]:
    result: dict[str, Any] = {
        "payment_status": placement.status.value,
        "redirect_url": telling.leads_to(placement, profile),
        "message": placement.message,
    }
    if placement.action_type:
        result["action_type"] = placement.action_type
        result["action_data"] = dict(placement.action_data)
    return result


def paid(placement: Placement, profile: StoreProfile) -> dict[str, Any]:
    """The answer to paying for an order (contract checkout.md 7)."""
    return telling.paid(placement, _payment_result(placement, profile), profile)


def attempt(standing: Standing, profile: StoreProfile) -> dict[str, Any]:
    """How a payment attempt stands."""
    placement, order = standing.placement, standing.placement.order
    waiting = placement.status is PaymentStatus.NEEDS_ACTION
    return {
        "attempt_id": standing.attempt.id,
        "state": standing.attempt.state.value,
        "order_id": order.id,
        "order_key": order.order_key,
        "order_status": order.status.value,
        "payment_status": placement.status.value,
        "message": placement.message,
        "redirect_url": telling.leads_to(placement, profile),
        "next_action": {
            "redirect_url": placement.redirect_url,
            "action_type": placement.action_type,
            "action_data": dict(placement.action_data),
        }
        if waiting
        else None,
        "poll_after": standing.poll_after,
    }


def context(ready: ReadyToPay) -> dict[str, Any]:
    """What a storefront needs to collect a payment (contract checkout.md 5)."""
    quote = ready.seen.quote
    body = {
        **ready.fields,
        "gateway_id": ready.method.id,
        "title": ready.method.title,
        "cart_total": quote.total.decimal(),
        "currency": quote.currency.code,
    }
    if ready.prepared is not None:
        body["context_id"] = ready.prepared.id
        body["expires_at"] = ready.prepared.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return body


def received(
    order: Order, payable_by: Iterable[Description], profile: StoreProfile
) -> dict[str, Any]:
    """The confirmation of an order (contract checkout.md 6)."""

    def date(moment: datetime) -> str | None:
        return display_date(moment, profile.timezone, profile.language)

    return {
        **telling.received(order, profile, Money.decimal, date, _order_item),
        "download_url": None,
        "available_payment_methods": telling.payable_by(payable_by if order.payable else ()),
    }


def _order_item(line: OrderLine) -> dict[str, Any]:
    return {
        **telling.received_line(line, Money.decimal),
        "product_title": line.title,
        "product_type": line.product_type,
        "sku": line.sku,
        "purchase_note": line.purchase_note,
        "refunded_qty": str(line.refunded),
        "meta": ", ".join(f"{m['display_key']}: {m['display_value']}" for m in line.meta),
        "link": "",
    }
