"""Applying checkout data to a cart: all of it or none, with every problem at once (DECISIONS 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from checkstand.cart import coupons, packages
from checkstand.cart.model import Cart
from checkstand.cart.view import CartView, Scene, view
from checkstand.checkout.model import ProcessCommand, UpdateCommand
from checkstand.customers import addresses
from checkstand.customers.addresses import Address
from checkstand.errors import (
    CheckoutInvalid,
    CouponsNotEnabled,
    PaymentMethodNotOffered,
    PaymentMethodUnknown,
    Problem,
    RateNotOffered,
    Refusal,
)
from checkstand.payments.service import Payments
from checkstand.pricing.shop import ShopRules
from checkstand.promotions.model import clean_code


def apply(
    cart: Cart,
    command: UpdateCommand,
    shop: ShopRules,
    payments: Payments,
    *,
    strict_phone: bool,
) -> tuple[Cart, list[Problem]]:
    """The cart with the command's parts in it, and what is wrong with them. A part that is not
    given is not judged, so a fault that was there before never blocks an update of another.
    Shipping methods are not among them: which there are depends on all the rest."""
    problems: list[Problem] = []
    billing, shipping = cart.billing, cart.shipping
    if command.billing is not None:
        billing = addresses.normalised(billing.merged(command.billing))
        problems += addresses.malformed(
            billing, "billing_address", allowed_countries=shop.sell_to, strict_phone=strict_phone
        )
    if command.shipping is not None:
        shipping = addresses.normalised(shipping.merged(command.shipping))
        problems += addresses.malformed(
            shipping, "shipping_address", allowed_countries=shop.sell_to, strict_phone=strict_phone
        )
    cart = replace(cart, billing=billing, shipping=shipping)
    if command.currency is not None:
        problem = shop.currency_problem(command.currency) if command.currency else None
        problems += [problem] if problem else []
        cart = cart if problem else replace(cart, currency=command.currency)
    if command.payment_method is not None:
        problem = method_problem(command.payment_method, payments)
        problems += [problem] if problem else []
        cart = cart if problem else replace(cart, payment_method=command.payment_method)
    return cart, problems


def method_problem(method: str, payments: Payments) -> Problem | None:
    """What is wrong with choosing this gateway; nothing is wrong with choosing none."""
    if not method:
        return None
    try:
        payments.gateway(method)
    except PaymentMethodUnknown as refusal:
        return Problem(refusal.code, "payment_method", refusal.message, type(refusal))
    return None


def with_rates(cart: Cart, command: UpdateCommand, seen: CartView) -> tuple[Cart, list[Problem]]:
    """The cart with the shipping methods that this very request chose. One that is not offered is
    refused; where nothing is to be shipped there is nothing to choose."""
    wanted = command.shipping_method
    if wanted is None:
        return cart, []
    if wanted == "":
        return replace(cart, chosen_rates={}), []
    if not seen.quote.needs_shipping:
        return cart, []
    if not seen.quote.has_destination:
        text = "Give the address first: which shipping methods there are depends on it."
    elif not any(package.rates for package in seen.quote.packages):
        text = "We do not ship to that address."
    else:
        try:
            return packages.choose(cart, seen.quote, wanted), []
        except RateNotOffered as refusal:
            text = refusal.message
    return cart, [Problem("cocart_invalid_shipping_method", "shipping_method", text)]


def goes_by(command: UpdateCommand, cart: Cart, scene: Scene, shop: ShopRules) -> bool:
    """Whether the cart goes by the shipping methods of the command already."""
    seen = view(cart, scene, shop)
    chosen, refused = with_rates(cart, command, seen)
    if refused or chosen == cart:
        return not refused
    again = view(chosen, scene, shop).quote
    return [each.chosen for each in again.packages] == [each.chosen for each in seen.quote.packages]


def updated(
    cart: Cart,
    command: UpdateCommand,
    scene: Scene,
    shop: ShopRules,
    payments: Payments,
    *,
    strict_phone: bool,
) -> tuple[Cart, CartView]:
    """The cart after the command and what it comes to; CheckoutInvalid with every problem. A
    shipping method chosen earlier that no longer fits is still in it (see `view.settled`)."""
    changed, problems = apply(cart, command, shop, payments, strict_phone=strict_phone)
    changed, refused = coupon_changed(changed, command, scene, shop)
    problems += refused
    seen = view(changed, scene, shop)
    chosen, refused = with_rates(changed, command, seen)
    problems += refused
    if problems:
        raise CheckoutInvalid(problems)
    if chosen.chosen_rates != changed.chosen_rates:
        changed, seen = chosen, view(chosen, scene, shop)
    return changed, seen


def coupon_changed(
    cart: Cart, command: UpdateCommand, scene: Scene, shop: ShopRules
) -> tuple[Cart, list[Problem]]:
    """The cart with the coupon that the command applies, or without the one that it takes off."""
    try:
        if command.remove_coupon:
            cart, _ = coupons.remove(cart, clean_code(command.remove_coupon))
        if command.apply_coupon:
            if not shop.coupons_enabled:
                raise CouponsNotEnabled
            cart, _ = coupons.apply(cart, clean_code(command.apply_coupon), scene, shop)
    except Refusal as refusal:
        return cart, [Problem(refusal.code, "coupon_code", refusal.message)]
    return cart, []


def for_process(command: ProcessCommand) -> UpdateCommand:
    """The update part of a process, with one address used for both when that was asked for
    (contract checkout.md 3: `use_different_billing`)."""
    update = command.update
    if command.use_different_billing:
        return update
    if update.shipping is not None:
        billing = {**(update.billing or {}), **_given(update.shipping)}
        return replace(update, billing=billing)
    return replace(update, shipping=_cleared())


def _given(parts: Mapping[str, str]) -> dict[str, str]:
    """Parts that say something: e-mail and phone are only taken over when they are there."""
    return {k: v for k, v in parts.items() if v or k not in ("email", "phone")}


def _cleared() -> dict[str, str]:
    return Address().as_shipping()


def required(seen: CartView, payments: Payments) -> list[Problem]:
    """What an order still needs: what the country requires, a way to ship, a way to pay."""
    cart = seen.cart
    problems = addresses.missing(cart.billing, "billing_address", needs_email=True)
    if seen.quote.needs_shipping and not cart.shipping.is_empty:
        problems += addresses.missing(cart.shipping, "shipping_address", needs_email=False)
    if seen.quote.needs_shipping:
        problems += _shipping_required(seen)
    if seen.quote.needs_payment:
        problems += _payment_required(seen, payments)
    return problems


def _shipping_required(seen: CartView) -> list[Problem]:
    """One problem for each package that has no way to go."""
    if not seen.quote.has_destination:
        return []  # the missing country is said already
    several = len(seen.quote.packages) > 1
    problems = []
    for package in seen.quote.packages:
        if package.chosen is not None:
            continue
        offered = ", ".join(rate.key for rate in package.rates)
        code = "cocart_shipping_method_required"
        if not offered:
            text = "We do not ship to that address."
        elif package.rejected_choice:
            code = "cocart_invalid_shipping_method"
            text = f"The chosen method is not offered to that address; there are: {offered}."
        else:
            text = f"Choose a shipping method: {offered}."
        if several:
            text = f"{package.name}: {text}"
        problems.append(Problem(code, "shipping_method", text))
    return problems


def _payment_required(seen: CartView, payments: Payments) -> list[Problem]:
    offered = [description.id for description in payments.offered(seen.quote.chosen_rates)]
    method = seen.cart.payment_method
    if method in offered:
        return []
    names = ", ".join(offered) or "none at the moment"
    if not method:
        text = f"Choose a payment method; there are: {names}."
        return [Problem("cocart_payment_method_required", "payment_method", text)]
    text = f"This payment method is not offered with this shipping method; there are: {names}."
    cause = PaymentMethodNotOffered if method in payments.gateways else PaymentMethodUnknown
    return [Problem(cause.code, "payment_method", text, cause)]
