"""The settings that totals depend on, as values."""

from __future__ import annotations

from decimal import Decimal

from checkstand.customers import addresses
from checkstand.kit.money import Currency, Money
from checkstand.kit.places import Place
from checkstand.pricing.shop import ShopRules
from checkstand.settings import MethodSettings, Settings, StoreSettings, ZoneSettings
from checkstand.shipping.model import FreeFrom, MethodKind, ShippingMethod, Zone
from checkstand.wiring.splitting import splitter_of


def base_currency(store: StoreSettings) -> Currency:
    """The currency that prices are kept in, with the store's decimals."""
    return _currency(store.currency, store.decimals)


def shop_rules(settings: Settings) -> ShopRules:
    """The settings that totals depend on, as values."""
    store, tax = settings.store, settings.tax
    base = base_currency(store)
    home = store.address
    return ShopRules(
        base=base,
        currencies={
            code: (_currency(code, further.decimals), Decimal(further.rate))
            for code, further in store.currencies.items()
        },
        place=Place(
            country=home.country,
            state=addresses.state_code(home.country, home.state) or home.state.upper(),
            postcode=home.postcode.upper(),
            city=home.city.upper(),
        ),
        tax_enabled=tax.enabled,
        prices_include_tax=tax.prices_include_tax,
        tax_based_on=tax.based_on,
        tax_unknown_as_store=tax.default_location == "store",
        shipping_tax_class=tax.shipping_class,
        shipping_enabled=settings.shipping.enabled,
        zones=tuple(_zone(zone, base) for zone in settings.shipping.zones),
        split=splitter_of(settings),
        sell_to=frozenset(store.sell_to) or None,
        coupons_enabled=settings.coupons.enabled,
        weight_unit=store.weight_unit,
        dimension_unit=store.dimension_unit,
    )


def _currency(code: str, decimals: int | None) -> Currency:
    iso = Currency.of(code)
    return iso if decimals is None else Currency(code, decimals)


def _zone(zone: ZoneSettings, base: Currency) -> Zone:
    return Zone(
        name=zone.name,
        methods=tuple(_method(method, base) for method in zone.methods),
        countries=frozenset(zone.countries),
        states=frozenset(zone.states),
        postcodes=zone.postcodes,
    )


_TITLES = {
    MethodKind.FLAT_RATE: "Flat rate",
    MethodKind.FREE_SHIPPING: "Free shipping",
    MethodKind.LOCAL_PICKUP: "Local pickup",
}


def _method(method: MethodSettings, base: Currency) -> ShippingMethod:
    kind = MethodKind(method.kind)
    return ShippingMethod(
        kind=kind,
        instance_id=method.id,
        title=method.title or _TITLES[kind],
        per_order=Money.of(method.cost, base),
        per_item=Money.of(method.cost_per_item, base),
        per_class={slug: Money.of(cost, base) for slug, cost in method.cost_per_class.items()},
        minimum=Money.of(method.minimum, base) if method.minimum is not None else None,
        requires=FreeFrom(method.requires),
        only_classes=frozenset(method.only_classes),
        taxable=method.taxable,
    )
