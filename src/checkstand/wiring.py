"""The only place where parts are put together: from settings to a shop that can be asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from checkstand import guarding
from checkstand.access.credentials import Credentials
from checkstand.cart.queue import CartQueue
from checkstand.cart.service import CartLimits, CartService
from checkstand.cart.sessions import Sessions
from checkstand.catalog.service import Catalogue
from checkstand.checkout.process import Process
from checkstand.checkout.service import Checkout
from checkstand.customers import addresses
from checkstand.errors import ConfigurationError
from checkstand.guarding import Guards, Hooks
from checkstand.jobs import housekeeping
from checkstand.kit.clock import Clock, SystemClock
from checkstand.kit.money import Currency, Money
from checkstand.kit.places import Place
from checkstand.orders.service import Orders
from checkstand.payments.gateway import Gateway
from checkstand.payments.gateways import offline
from checkstand.payments.service import NOTHING_DUE, Payments
from checkstand.pricing.shop import ShopRules
from checkstand.settings import MethodSettings, Settings, StoreSettings, ZoneSettings
from checkstand.shipping.model import MethodKind, ShippingMethod, Zone
from checkstand.storage import changes, migrate
from checkstand.storage.database import Database, PoolOptions
from checkstand.tax.service import TaxTables

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoreProfile:
    """What presenters say about the store."""

    name: str
    language: str
    timezone: str
    base_url: str
    order_received_url: str
    dialect: str

    def order_received(self, order_id: int, order_key: str) -> str:
        """Where a shopper reads the confirmation of an order."""
        return self.order_received_url.format(
            base_url=self.base_url, order_id=order_id, order_key=order_key
        )


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop that is open: everything that the presenters ask."""

    profile: StoreProfile
    rules: ShopRules
    database: Database
    credentials: Credentials
    catalogue: Catalogue
    carts: CartService
    cart_sessions: Sessions
    checkout: Checkout
    orders: Orders
    payments: Payments
    guards: Guards


@asynccontextmanager
async def open_shop(
    settings: Settings,
    *,
    clock: Clock | None = None,
    gateways: Mapping[str, Gateway] | None = None,
    on_query: Callable[[str], None] | None = None,
    hooks: Hooks = Hooks(),
) -> AsyncIterator[Shop]:
    """Connects, checks the schema and builds; closes everything at the end of the block.

    `clock`, `gateways` and `hooks` (added to those of the settings and of installed packages)
    come in here for tests.
    """
    url = settings.database.url
    if not url:
        raise ConfigurationError(
            "database.url is not set: give the address of a PostgreSQL database in checkstand.toml "
            "or as CHECKSTAND_DATABASE__URL, or run `checkstand demo`, which brings its own"
        )
    await check_schema(settings.database.direct_url)
    database = await Database.open(url, pool_options(settings), on_query)
    addresses.warm_up()
    try:
        shop = build(settings, database, clock or SystemClock(), gateways or {}, hooks)
        forget = {"catalog": shop.catalogue.forget, "keys": shop.credentials.forget}
        background = [
            asyncio.create_task(changes.listen(settings.database.direct_url, forget)),
            asyncio.create_task(
                housekeeping.run(database, shop.carts.clock, shop.checkout.process_)
            ),
            asyncio.create_task(shop.guards.run()),
        ]
        await guarding.note_settings(settings, database)
        try:
            yield shop
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await shop.guards.close()
    finally:
        await database.close()


async def check_schema(url: str) -> None:
    """ConfigurationError when the database is not at the schema of this version."""
    current, head = await migrate.current(url), migrate.head()
    if current != head:
        raise ConfigurationError(
            f"the database is at schema {current or 'none'} and this version needs {head}; "
            "run `checkstand db upgrade`"
        )


def pool_options(settings: Settings) -> PoolOptions:
    database = settings.database
    return PoolOptions(
        min_size=database.pool_min,
        max_size=database.pool_max,
        acquire_timeout=database.acquire_timeout,
        connect_timeout=database.connect_timeout,
        statement_timeout=database.statement_timeout,
        lock_timeout=database.lock_timeout,
        prepared_statements=database.prepared_statements,
    )


def build(
    settings: Settings,
    database: Database,
    clock: Clock,
    more_gateways: Mapping[str, Gateway],
    hooks: Hooks = Hooks(),
) -> Shop:
    """The parts of a shop, put together."""
    rules = shop_rules(settings)
    guards = guarding.guards(settings, database, clock, hooks)
    payments = Payments({**gateways_of(settings), **more_gateways}, guards.velocity)
    catalogue = Catalogue(database)
    checkout = settings.checkout
    carts = CartService(
        database=database,
        catalogue=catalogue,
        taxes=TaxTables(),
        shop=rules,
        clock=clock,
        queue=CartQueue(),
        limits=CartLimits(
            guest_life=timedelta(hours=settings.cart.guest_hours),
            customer_life=timedelta(hours=settings.cart.customer_hours),
            max_lines=settings.cart.max_items,
            turn_timeout=checkout.wait_seconds,
        ),
    )
    process = Process(
        carts=carts,
        payments=payments,
        hold_for=timedelta(minutes=checkout.hold_minutes),
        wait_seconds=checkout.wait_seconds,
        strict_phone=checkout.strict_phone,
    )
    return Shop(
        profile=_profile(settings),
        rules=rules,
        database=database,
        credentials=Credentials(database, clock=clock),
        catalogue=catalogue,
        carts=carts,
        cart_sessions=Sessions(carts),
        checkout=Checkout(
            carts=carts,
            payments=payments,
            process_=process,
            keys_required=checkout.access == "keys",
            guest_checkout=checkout.guest_checkout,
            strict_phone=checkout.strict_phone,
        ),
        orders=Orders(database),
        payments=payments,
        guards=guards,
    )


def _profile(settings: Settings) -> StoreProfile:
    server, store = settings.server, settings.store
    return StoreProfile(
        name=store.name,
        language=store.language,
        timezone=store.timezone,
        base_url=server.base_url.rstrip("/") or f"http://{server.host}:{server.port}",
        order_received_url=store.order_received_url,
        dialect=settings.checkout.dialect,
    )


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
        sell_to=frozenset(store.sell_to) or None,
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
        taxable=method.taxable,
    )


def gateways_of(settings: Settings) -> dict[str, Gateway]:
    """The gateways that the settings switch on, in the order in which shoppers see them."""
    chosen = settings.gateways
    gateways: dict[str, Gateway] = {NOTHING_DUE: offline.nothing_due()}
    if chosen.bacs.enabled:
        gateways["bacs"] = offline.bank_transfer(chosen.bacs.title, chosen.bacs.description)
    if chosen.cheque.enabled:
        gateways["cheque"] = offline.cheque(chosen.cheque.title, chosen.cheque.description)
    if chosen.cod.enabled:
        gateways["cod"] = offline.cash_on_delivery(
            chosen.cod.title, chosen.cod.description, chosen.cod.shipping_methods
        )
    return gateways
