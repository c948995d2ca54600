"""What a cart comes to: its document read against the catalogue, the stock and the shop's rules.

Every answer about a cart or its checkout is made of a CartView, in whatever dialect.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from checkstand.cart.model import Cart, CartFee, CartLine, Shown
from checkstand.catalog.model import Product, ProductType, StockStatus, TaxStatus
from checkstand.customers import addresses
from checkstand.customers.addresses import Address
from checkstand.errors import CartTooLarge
from checkstand.kit.money import Money
from checkstand.kit.places import Place
from checkstand.pricing import calculator
from checkstand.pricing.quote import Facts, FeeFacts, LineFacts, Package, Quote, TaxRules
from checkstand.pricing.shop import ShopRules
from checkstand.promotions.model import CouponState
from checkstand.tax.rates import TaxTable

LARGEST_TOTAL = 2**53 - 1
"""Minor units that JavaScript and every provider still count exactly."""

MOST_SUGGESTED = 3
_MOST_LOOKED_AT = 20

Notices = dict[str, list[str]]
"""`success`, `error`, `notice` or `info` -> texts, in the answer to the call that caused them."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The facts around a cart at one moment."""

    now: datetime
    products: Mapping[int, Product]
    stock: Mapping[int, int]
    """Stock row -> units that this cart can have."""
    table: TaxTable
    coupons: Mapping[str, CouponState] = field(default_factory=dict)
    """Code -> terms and uses, of the cart's coupons and of those asked for."""
    suggested: Mapping[int, Product] = field(default_factory=dict)
    """Products that go with those in the cart."""

    def available(self, product: Product) -> int | None:
        """Units that this cart can have of a product; None when it does not keep count."""
        return self.stock.get(product.stock_id, 0) if product.manages_stock else None


@dataclass(frozen=True, slots=True)
class CartView:
    cart: Cart
    quote: Quote
    scene: Scene
    shop: ShopRules
    notices: Notices = field(default_factory=dict)
    touched: tuple[str, ...] = ()
    """Keys of the lines that the call which is answered added or changed."""
    answers: dict[Any, bytes] = field(default_factory=dict, compare=False, repr=False)
    """What presenters made of it, for when it is read again unchanged."""

    def product(self, line: CartLine) -> Product:
        return self.scene.products[line.sold_id]

    @property
    def suggested(self) -> list[Product]:
        """At most three products that go with the lines and are not among them, in the order of
        lines and catalogue: the same as long as the cart is."""
        inside = {line.product_id for line in self.cart.lines} | {
            line.sold_id for line in self.cart.lines
        }
        found = (
            self.scene.suggested.get(product_id)
            for product_id in suggestions(self.cart, self.scene.products)
            if product_id not in inside
        )
        shown = [p for p in found if p is not None and suggestable(p, self.scene.now)]
        return shown[:MOST_SUGGESTED]


def view(cart: Cart, scene: Scene, shop: ShopRules, notices: Notices | None = None) -> CartView:
    """The cart as it stands. Lines whose product is gone are left out, and coupons that do not hold
    any more, with a notice."""
    said: Notices = {kind: list(texts) for kind, texts in (notices or {}).items()}
    kept = tuple(
        line for line in cart.lines if for_sale(scene.products.get(line.sold_id), scene.now)
    )
    if len(kept) < len(cart.lines):
        cart = replace(cart, lines=kept)
        said.setdefault("error", []).append(
            "Something in your cart is not sold any more and was taken out."
        )
    for line in cart.lines:
        warning = _stock_warning(scene.products[line.sold_id], cart, scene)
        if warning:
            said.setdefault("error", []).append(warning)
    quote = calculator.quote(facts(cart, scene, shop))
    if quote.rejected:
        gone = {each.code for each in quote.rejected}
        cart = replace(cart, coupons=tuple(code for code in cart.coupons if code not in gone))
        said.setdefault("error", []).extend(each.message for each in quote.rejected)
    return CartView(cart, quote, scene, shop, said)


def settled(cart: Cart, scene: Scene, shop: ShopRules, notices: Notices | None = None) -> CartView:
    """As `view`, with chosen shipping rates taken back that are not offered any more, which is said
    for each package. What is stored and shown after a write is always this. CartTooLarge for a
    total beyond what every client, provider and database counts exactly."""
    seen = view(cart, scene, shop, notices)
    if seen.quote.total.minor > LARGEST_TOTAL:
        raise CartTooLarge("This cart costs more than can be charged; order less of it at a time.")
    packages = seen.quote.packages
    rejected = [package for package in packages if package.rejected_choice]
    there = {package.id for package in packages}
    # With its last goods a package goes, and the choice that was made for it.
    stale = bool(packages) and not there.issuperset(cart.chosen_rates)
    if not (rejected or stale) or not seen.quote.has_destination:
        return seen
    gone = {package.id for package in rejected}
    kept = {key: rate for key, rate in cart.chosen_rates.items() if key in there - gone}
    said = dict(notices or {})
    if rejected:
        texts = [_not_offered(package, len(packages)) for package in rejected]
        said["notice"] = [*said.get("notice", ()), *texts]
    return view(replace(cart, chosen_rates=kept), scene, shop, said)


def _not_offered(package: Package, packages: int) -> str:
    text = "The shipping method that was chosen is not offered any more"
    if packages > 1:
        text = f"{package.name}: {text[0].lower()}{text[1:]}"
    return f"{text}; {'another one is set' if package.rates else 'there is no other'}."


def both(first: Notices, then: Notices) -> Notices:
    """What there is to say, in this order."""
    return {kind: [*first.get(kind, ()), *then.get(kind, ())] for kind in {**first, **then}}


def touched(before: Cart, after: Cart) -> tuple[str, ...]:
    """Keys of the lines that are new or changed."""
    return tuple(line.key for line in after.lines if before.line(line.key) != line)


def shown(seen: CartView) -> Shown:
    """What the shopper sees in this view, to be held against what is charged later."""
    quote = seen.quote
    parts = [f"{line.key}:{line.quantity}:{line.unit_price.minor}" for line in quote.lines]
    parts += [f"{row.kind}:{row.code}:{row.amount.minor}" for row in quote.totals]
    parts += [
        f"coupon:{each.code}:{each.amount.minor}:{each.tax.minor}" for each in quote.discounts
    ]
    digest = hashlib.md5("\n".join(parts).encode(), usedforsecurity=False).hexdigest()
    return Shown(quote.currency.code, quote.total.minor, digest)


def for_sale(product: Product | None, now: datetime) -> bool:
    """Whether a line of this product may be in a cart at all."""
    return (
        product is not None
        and product.published
        and product.parent_published
        and product.type in (ProductType.SIMPLE, ProductType.VARIATION)
        and product.price(now) is not None
    )


def suggestions(
    cart: Cart, products: Mapping[int, Product], added: Mapping[int, Product] | None = None
) -> list[int]:
    """What the catalogue says goes with the cart's lines, and with what is about to be added; each
    once and at most twenty, for some may not be for sale."""
    inside = (products.get(line.sold_id) for line in cart.lines)
    found: dict[int, None] = {}
    for product in (*inside, *(added or {}).values()):
        if product is not None and product.cross_sell_ids:
            found |= dict.fromkeys(product.cross_sell_ids)
    return list(found)[:_MOST_LOOKED_AT]


def suggestable(product: Product, now: datetime) -> bool:
    """Whether a product can be shown beside a cart: also one that has to be chosen from first."""
    sold = product.type is ProductType.VARIABLE or product.price(now) is not None
    seen = product.published and product.parent_published and product.promoted
    return seen and not product.sold_out and sold


def facts(cart: Cart, scene: Scene, shop: ShopRules) -> Facts:
    """Everything that the cart's total depends on."""
    currency, rate = shop.currency(cart.currency)
    return Facts(
        base=shop.base,
        currency=currency,
        rate=rate,
        lines=tuple(
            _line_facts(line, scene.products[line.sold_id], scene, shop) for line in cart.lines
        ),
        tax=TaxRules(
            enabled=shop.tax_enabled,
            prices_include_tax=shop.prices_include_tax,
            table=scene.table,
            base=shop.place,
            shipping_class=shop.shipping_tax_class,
        ),
        tax_place=_tax_place(cart, shop),
        destination=_place(cart.destination),
        zones=shop.zones,
        shipping_enabled=shop.shipping_enabled,
        split=shop.split,
        chosen_rates=cart.chosen_rates,
        # Without goods there is nothing to judge them by: they wait.
        coupons=cart.coupons if shop.coupons_enabled and cart.lines else (),
        coupon_states=scene.coupons,
        fees=tuple(_fee_facts(fee, shop) for fee in cart.fees) if cart.lines else (),
        email=cart.billing.email,
    )


def _line_facts(line: CartLine, product: Product, scene: Scene, shop: ShopRules) -> LineFacts:
    price = line.price if line.price is not None else product.price(scene.now)
    assert price is not None, "a line that is not for sale never gets here"
    regular = product.regular_price if product.regular_price is not None else price
    return LineFacts(
        key=line.key,
        product_id=line.sold_id,
        quantity=line.quantity,
        unit_price=Money(price, shop.base),
        regular_price=Money(regular, shop.base),
        taxable=product.tax_status is TaxStatus.TAXABLE,
        tax_class=product.tax_class,
        needs_shipping=product.needs_shipping,
        shipping_class=product.shipping_class,
        weight=product.weight or Decimal(0),
        parent_id=product.parent_id,
        category_ids=product.category_ids,
        on_sale=line.price is None and product.on_sale(scene.now),
    )


def _fee_facts(fee: CartFee, shop: ShopRules) -> FeeFacts:
    return FeeFacts(fee.id, fee.name, Money(fee.minor, shop.base), fee.taxable, fee.tax_class)


def _tax_place(cart: Cart, shop: ShopRules) -> Place:
    if shop.tax_based_on == "store":
        return shop.place
    place = _place(cart.billing if shop.tax_based_on == "billing" else cart.destination)
    return shop.place if not place.known and shop.tax_unknown_as_store else place


def _place(address: Address) -> Place:
    return Place(
        country=address.country,
        # What shoppers write as 13 or JP13 is one state to rates and zones.
        state=addresses.state_code(address.country, address.state) or address.state.upper(),
        postcode=address.postcode.upper(),
        city=address.city.upper(),
    )


def _stock_warning(product: Product, cart: Cart, scene: Scene) -> str:
    if product.allows_backorders:
        return ""
    available = scene.available(product)
    if available is None:
        gone = product.stock_status is StockStatus.OUT_OF_STOCK
        return f"“{product.name}” has sold out." if gone else ""
    if available <= 0:
        return f"“{product.name}” has sold out."
    if stock_wanted(cart, scene)[product.stock_id] > available:
        return f"There are only {available} of “{product.name}” left."
    return ""


EMPTY_HASH = "No items in cart so no hash"
"""The literal text of the contract for a cart without lines (cart.md 1.1)."""


def cart_hash(seen: CartView) -> str:
    """32 hex characters that change with lines, quantities or total, and not with the display
    currency: the total enters it in the base currency (contract cart.md 12.1)."""
    if not seen.cart.lines:
        return EMPTY_HASH
    lines = [f"{line.key}:{line.quantity}" for line in seen.cart.lines]
    text = "\n".join([*lines, str(_total_in_base(seen).minor)])
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _total_in_base(seen: CartView) -> Money:
    if seen.quote.currency == seen.shop.base:
        return seen.quote.total
    return calculator.quote(facts(replace(seen.cart, currency=""), seen.scene, seen.shop)).total


def stock_wanted(cart: Cart, scene: Scene) -> dict[int, int]:
    """Stock row -> units that the cart asks of it; variations may share their parent's row."""
    wanted: dict[int, int] = {}
    for line in cart.lines:
        product = scene.products[line.sold_id]
        if product.manages_stock:
            wanted[product.stock_id] = wanted.get(product.stock_id, 0) + line.quantity
    return wanted


def stock_ids(cart: Cart, products: Mapping[int, Product]) -> list[int]:
    """The stock rows that the cart's lines count against, also those that may be restored."""
    found = (products.get(line.sold_id) for line in (*cart.lines, *cart.removed))
    return sorted({product.stock_id for product in found if product and product.manages_stock})
