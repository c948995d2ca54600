"""Accounts and their orders as the API says them: display text, never minor units."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from checkstand.access.account_store import StoredAccount
from checkstand.access.sessions import Pair
from checkstand.accounts.my_account import Profile
from checkstand.customers.addresses import Address, country_name, normalised
from checkstand.customers.store import Customer
from checkstand.http.answers import empty_as_list
from checkstand.http.cocart.telling import total_rows
from checkstand.http.display import currency_format, display_date, display_day
from checkstand.kit.money import Currency, Money, total
from checkstand.orders.history import Page, paid_downloads
from checkstand.orders.history_store import Entry, Spent
from checkstand.orders.model import UNPAID, Order, OrderLine, OrderStatus
from checkstand.pricing.shop import ShopRules
from checkstand.wiring import StoreProfile

_DEV_NOTE = (
    "Send the token as `Authorization: Bearer`, and refresh it before it expires. A guest's cart "
    "is taken over by the first request that carries both the token and the cart key."
)


@dataclass(frozen=True, slots=True)
class Voice:
    """How one namespace says it; `base` is the address of its my-account."""

    profile: StoreProfile
    preview: bool

    @property
    def base(self) -> str:
        namespace = "preview" if self.preview else "v2"
        return f"{self.profile.base_url}/wp-json/cocart/{namespace}/my-account"

    def order_url(self, order_id: int) -> str:
        return f"{self.base}/orders/{order_id}"

    def pay_url(self, order_id: int) -> str:
        namespace = self.base.removesuffix("/my-account")
        return f"{namespace}/order-received/{order_id}/pay"

    def product_url(self, product_id: int) -> str:
        return f"{self.profile.base_url}/wp-json/cocart/v2/products/{product_id}"

    def date(self, moment: datetime) -> str:
        return display_date(moment, self.profile.timezone, self.profile.language) or ""

    def money(self, amount: Money) -> str:
        return currency_format(amount.currency, self.profile.language).show(amount)


def login(stored: StoredAccount, pair: Pair | None, token: str) -> dict[str, Any]:
    """The answer to a login: with a new pair, or with the token that it came with."""
    extras: dict[str, str] = {}
    if pair is not None:
        extras = {"jwt_token": pair.token, "jwt_refresh": pair.refresh}
    elif token:
        extras = {"jwt_token": token}
    return {
        "user_id": str(stored.account.id),
        "first_name": stored.first_name,
        "last_name": stored.last_name,
        "display_name": stored.display_name or stored.account.username,
        "role": stored.account.role.label,
        "avatar_urls": [],
        "email": stored.email,
        "extras": empty_as_list(extras),
        "dev_note": _DEV_NOTE if extras else "Keep signing requests with Basic credentials.",
    }


def account(found: Profile, rules: ShopRules, voice: Voice) -> dict[str, Any]:
    stored, record = found.stored, found.record
    registered = stored.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return {
        "user": {
            "id": stored.account.id,
            "date_registered": registered if voice.preview else f"{registered}Z",
            "email": stored.email,
            "first_name": stored.first_name,
            "last_name": stored.last_name,
            "display_name": stored.display_name or stored.account.username,
            "addresses": addresses(found.customer),
            "orders_count": record.count,
            "total_spent": voice.money(_in_base(record.spent, rules.base)),
            "is_paying_customer": bool(record.spent),
            "avatar_url": "",
        },
        "recent_order": _recent(record.latest, voice),
        "meta": {
            "is_customer_outside_base": _outside(found.customer, rules),
            "is_vat_exempt": False,
        },
        "extensions": {"email_verification": {"verified": stored.proven}},
    }


def _recent(latest: tuple[int, datetime] | None, voice: Voice) -> dict[str, Any]:
    if latest is None:
        return {
            "order_id": None,
            "order_date": None,
            "order_data": None if voice.preview else "",
        }
    order_id, at = latest
    profile = voice.profile
    local = at.astimezone(ZoneInfo(profile.timezone)).strftime("%Y-%m-%dT%H:%M:%S")
    day = display_day(at, profile.timezone, profile.language)
    return {
        "order_id": order_id,
        "order_date": local if voice.preview else day,
        "order_data": voice.order_url(order_id),
    }


def _in_base(spent: Iterable[Spent], base: Currency) -> Money:
    """What was paid, in the shop's own currency, at the rates of the time."""
    return total((each.total.converted(1 / each.rate, base) for each in spent), base)


def _outside(customer: Customer, rules: ShopRules) -> bool:
    country = (customer.shipping if customer.shipping.country else customer.billing).country
    return bool(country) and country != rules.place.country


def addresses(customer: Customer) -> dict[str, Any]:
    return {
        "billing": customer.billing.as_billing(),
        "shipping": customer.shipping.as_shipping(),
    }


def orders(page: Page, ascending: bool, voice: Voice) -> dict[str, Any]:
    def url(number: int) -> str:
        order = "&order=ASC" if ascending else ""
        return f"{voice.base}/orders?page={number}&per_page={page.size}{order}"

    pagination: dict[str, str | None] = {
        "previous": url(page.number - 1) if page.number > 1 else None,
        "next": url(page.number + 1) if page.has_next else None,
    }
    if not voice.preview:
        pagination = {key: value for key, value in pagination.items() if value}
    return {
        "orders": [_entry(each, voice) for each in page.entries],
        "pagination": empty_as_list(pagination),
    }


def _entry(entry: Entry, voice: Voice) -> dict[str, Any]:
    return {
        "order_id": entry.id,
        "order_status": entry.status.label,
        "order_date": voice.date(entry.created_at),
        "item_count": entry.item_count,
        "order_total": voice.money(entry.total),
        "order_actions": {
            "view": _action(voice.order_url(entry.id), "View"),
            **_open_actions(entry.id, entry.status, voice, payable=entry.payable),
        },
    }


def _open_actions(
    order_id: int, status: OrderStatus, voice: Voice, *, payable: bool
) -> dict[str, dict[str, str]]:
    """What an owner can do about an order that is not paid."""
    actions = {}
    if payable:
        actions["pay"] = _action(voice.pay_url(order_id), "Pay")
    if status in UNPAID:
        actions["cancel"] = _action(f"{voice.order_url(order_id)}/cancel", "Cancel")
    return actions


def _action(url: str, label: str) -> dict[str, str]:
    """Under both names that the sources have for its text."""
    return {"url": url, "name": label, "label": label}


def order(
    found: Order, voice: Voice, *, owned: bool, sold_still: Collection[int]
) -> dict[str, Any]:
    """One order; only its owner is offered to pay it and to call it off. `sold_still`: products
    that an item can lead to."""
    actions = {"view": _action(voice.order_url(found.id), "View")} if voice.preview else {}
    if owned:
        actions |= _open_actions(found.id, found.status, voice, payable=found.payable)
    return {
        "order_id": found.id,
        "order_key": found.order_key,
        "order_number": found.number,
        "order_parent": 0,
        "order_date": voice.date(found.created_at),
        "order_status": found.status.label,
        "order_currency": found.currency.code,
        "billing_address": one_line(found.billing),
        "shipping_address": one_line(found.shipping),
        "phone": found.billing.phone,
        "email": found.billing.email,
        "ship_to_billing": found.needs_shipping,
        "items": [_item(line, voice, found, sold_still) for line in found.lines],
        "totals": _totals(found, voice),
        "order_note": found.customer_note,
        "order_notes": [],
        "downloads": downloads(paid_downloads(found)),
        "order_actions": empty_as_list(actions),
    }


def _totals(found: Order, voice: Voice) -> dict[str, dict[str, str]]:
    """The rows by their keys; a second row of one kind gets a number."""
    rows: dict[str, dict[str, str]] = {}
    for row in total_rows(found, voice.profile):
        key, number = row["key"], 2
        while key in rows:
            key, number = f"{row['key']}_{number}", number + 1
        rows[key] = {"label": row["label"], "value": row["value"]}
    return rows


def _item(
    line: OrderLine, voice: Voice, found: Order, sold_still: Collection[int]
) -> dict[str, Any]:
    settled = found.status.value in ("completed", "processing")
    return {
        "item_id": line.id,
        "product_id": line.product_id,
        "variation_id": line.variation_id,
        "product_image": line.image,
        "product_name": line.name,
        "product_title": line.title,
        "product_type": line.product_type,
        "sku": line.sku,
        "quantity": str(line.quantity),
        "subtotal": voice.money(line.subtotal),
        "purchase_note": line.purchase_note if settled else "",
        "refunded_qty": str(line.refunded),
        "meta": empty_as_list({str(i): dict(entry) for i, entry in enumerate(line.meta, 1)}),
        "link": voice.product_url(line.product_id) if line.product_id in sold_still else "",
    }


def downloads(found: Iterable[tuple[str, Mapping[str, Any]]]) -> list[dict[str, str]]:
    """Files; this shop sets neither a number nor a time limit."""
    return [
        {
            "product_name": product,
            "download_name": str(file.get("name", "")),
            "file": str(file.get("url", "")),
            "downloads_remaining": "∞",
            "download_expires": "Never",
        }
        for product, file in found
    ]


def one_line(address: Address) -> str:
    """All of an address on one line, parts joined with commas."""
    place = normalised(address)
    name = f"{place.first_name} {place.last_name}".strip()
    region = f"{place.state} {place.postcode}".strip()
    country = f"{country_name(place.country)} ({place.country})" if place.country else ""
    parts = (name, place.company, place.address_1, place.address_2, place.city, region, country)
    return ", ".join(part for part in parts if part)
