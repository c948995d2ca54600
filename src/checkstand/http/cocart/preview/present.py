"""The checkout and orders as the preview namespace says them: decimal strings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from checkstand.cart.packages import chosen_flat, flat_rates, key_of
from checkstand.cart.view import CartView, cart_hash
from checkstand.checkout.drafting import TOTALS, flat_totals
from checkstand.checkout.model import PaymentStatus, Placement
from checkstand.checkout.service import ReadyToPay, Standing
from checkstand.http.answers import empty_as_list
from checkstand.http.display import CurrencyFormat, currency_format, display_date
from checkstand.kit.money import Currency, Money
from checkstand.orders.model import Order
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
    by_gateway: dict[str, list[dict[str, Any]]] = {}
    for token in saved:
        by_gateway.setdefault(token.gateway, []).append(
            {
                "id": token.id,
                "token": token.method.label,
                "type": token.method.kind,
                "gateway_id": token.gateway,
                "is_default": token.is_default,
                "expires": token.method.expires,
            }
        )
    return {each.id: _method(each, by_gateway.get(each.id, [])) for each in offered}


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


def _method(each: Description, saved: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": each.id,
        "title": each.title,
        "description": each.description,
        "enabled": True,
        "icon": "",
        "supports": list(each.supports),
        "has_fields": each.has_fields,
        "order_button_text": each.order_button_text,
        "method_title": each.method_title,
        "method_description": each.method_description,
        "saved_tokens": saved,
        "supports_save_payment": "tokenization" in each.supports,
        "config": {
            "test_mode": each.test_mode,
            "is_connected": each.is_connected,
            "supports_tokenization": "tokenization" in each.supports,
            "supports_refunds": "refunds" in each.supports,
            "supports_subscriptions": "subscriptions" in each.supports,
            "requires_billing_address": each.requires_billing_address,
        },
    }


def processed(placement: Placement, profile: StoreProfile) -> dict[str, Any]:
    """The answer to a process (contract checkout.md 3.1)."""
    order = placement.order
    body: dict[str, Any] = {
        "order_id": order.id,
        "status": order.status.value,
        "order_key": order.order_key,
        "order_number": order.number,
        "payment_result": _payment_result(placement, profile),
        "customer_id": order.customer_id or 0,
        "billing_address": order.billing.as_billing(),
        "shipping_address": order.shipping.as_shipping(),
        "cart_key": None if placement.done else order.cart_key,
    }
    if placement.attempt_id:
        body["attempt_id"] = placement.attempt_id
    return body


def _payment_result(placement: Placement, profile: StoreProfile) -> dict[str, Any]:
    order = placement.order
    result: dict[str, Any] = {
        "payment_status": placement.status.value,
        "redirect_url": placement.redirect_url or profile.order_received(order.id, order.order_key),
        "message": placement.message,
    }
    if placement.action_type:
        result["action_type"] = placement.action_type
        result["action_data"] = dict(placement.action_data)
    return result


def paid(placement: Placement, profile: StoreProfile) -> dict[str, Any]:
    """The answer to paying for an order (contract checkout.md 7), with the payment result for who
    has to do something more."""
    order = placement.order
    result = _payment_result(placement, profile)
    body: dict[str, Any] = {
        "success": placement.done,
        "order_id": order.id,
        "order_status": order.status.value,
        "redirect_url": result["redirect_url"],
        "payment_result": result,
    }
    if placement.attempt_id:
        body["attempt_id"] = placement.attempt_id
    return body


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
        "redirect_url": placement.redirect_url or profile.order_received(order.id, order.order_key),
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
    amounts = decimals(dict(order.totals), order.currency)
    return {
        "order_id": order.id,
        "order_number": order.number,
        "order_key": order.order_key,
        "status": order.status.value,
        "status_name": order.status.label,
        "date_created": display_date(order.created_at, profile.timezone, profile.language),
        "date_paid": display_date(order.paid_at, profile.timezone, profile.language),
        "currency": order.currency.code,
        "total": amounts["total"],
        "subtotal": amounts["subtotal"],
        "tax_total": amounts["total_tax"],
        "shipping_total": amounts["shipping_total"],
        "discount_total": amounts["discount_total"],
        "payment_method": order.payment_method,
        "payment_method_title": order.payment_method_title,
        "customer_id": order.customer_id or 0,
        "customer_note": order.customer_note,
        "billing_address": order.billing.as_billing(),
        "shipping_address": order.shipping.as_shipping(),
        "items": [_order_item(line) for line in order.lines],
        "totals": total_rows(order, profile),
        "needs_payment": order.payable,
        "needs_shipping": order.needs_shipping,
        "has_downloads": bool(order.downloads),
        "download_url": None,
        "available_payment_methods": [
            {
                "id": each.id,
                "title": each.title,
                "description": each.description,
                "has_fields": each.has_fields,
            }
            for each in (payable_by if order.payable else ())
        ],
    }


def _order_item(line: Any) -> dict[str, Any]:
    return {
        "item_id": line.id,
        "product_id": line.product_id,
        "variation_id": line.variation_id,
        "product_name": line.name,
        "product_title": line.title,
        "product_type": line.product_type,
        "product_image": line.image,
        "sku": line.sku,
        "quantity": line.quantity,
        "subtotal": line.subtotal.decimal(),
        "total": line.total.decimal(),
        "purchase_note": line.purchase_note,
        "refunded_qty": str(line.refunded),
        "meta": ", ".join(f"{m['display_key']}: {m['display_value']}" for m in line.meta),
        "link": "",
        "meta_data": [{"id": index, **entry} for index, entry in enumerate(line.meta, 1)],
    }


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
