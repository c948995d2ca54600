"""The only place where parts are put together: from settings to a shop that can be asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from urllib.parse import quote

from checkstand import guarding
from checkstand.access.credentials import Credentials
from checkstand.access.sessions import Sessions
from checkstand.accounts.my_account import MyAccount
from checkstand.accounts.registration import Registration
from checkstand.cart.carriage import Carriage
from checkstand.cart.coupons import CartCoupons
from checkstand.cart.delivery import CartDelivery
from checkstand.cart.fees import CartFees
from checkstand.cart.merging import MergePolicy
from checkstand.cart.queue import CartQueue
from checkstand.cart.service import CartLimits, CartService
from checkstand.cart.sessions import Sessions as CartSessions
from checkstand.catalog import upkeep
from checkstand.catalog.reviews import Reviews
from checkstand.catalog.service import Catalogue
from checkstand.catalog.showcase import Showcase
from checkstand.checkout.back_office import BackOffice
from checkstand.checkout.charging import Charging
from checkstand.checkout.pay import PayForOrder
from checkstand.checkout.process import Process
from checkstand.checkout.service import Checkout
from checkstand.customers import addresses
from checkstand.customers.addresses import Address
from checkstand.customers.lookup.provider import AddressProvider
from checkstand.customers.lookup.providers import open_providers
from checkstand.customers.lookup.service import AddressLookup
from checkstand.errors import CheckstandError, ConfigurationError
from checkstand.guarding import Guards, Hooks
from checkstand.jobs.worker import Worker
from checkstand.kit.clock import Clock, SystemClock
from checkstand.kit.money import Currency, Money
from checkstand.kit.places import Place
from checkstand.mail.post import Carrier, Post
from checkstand.meters import Meters
from checkstand.orders.history import History
from checkstand.orders.service import Orders
from checkstand.payments.gateway import Gateway, House
from checkstand.payments.service import Payments
from checkstand.pricing.shop import ShopRules
from checkstand.settings import MethodSettings, Settings, StoreSettings, ZoneSettings
from checkstand.shipping.model import FreeFrom, MethodKind, ShippingMethod, Zone
from checkstand.storage import changes, migrate
from checkstand.storage.database import Database, PoolOptions
from checkstand.tax.service import TaxTables
from checkstand.webhooks.inbound import Inbound
from checkstand.wiring.accounts import People, carrier_of, people_of
from checkstand.wiring.gateways import gateways_of, retired, switched_off

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
    etags: bool = False
    """Whether cart reads carry a tag and answer 304."""
    description: str = ""
    product_url: str = "{base_url}/product/{slug}/"
    address: Address = Address()
    """Where the store is, as it writes that itself."""

    def product_page(self, product_id: int, slug: str) -> str:
        """Where a storefront shows a product."""
        named = quote(slug or str(product_id), safe="")
        return self.product_url.format(base_url=self.base_url, id=product_id, slug=named)

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
    showcase: Showcase
    reviews: Reviews
    carriage: Carriage
    addresses: AddressLookup
    carts: CartService
    coupons: CartCoupons
    fees: CartFees
    delivery: CartDelivery
    cart_sessions: CartSessions
    checkout: Checkout
    orders: Orders
    payments: Payments
    guards: Guards
    sessions: Sessions
    registration: Registration
    my_account: MyAccount
    history: History
    post: Post
    forget_people: Callable[[], None]
    """Drops who this process knows: a key or an account has changed."""
    back_office: BackOffice
    webhooks: Inbound
    worker: Worker
    meters: Meters


@asynccontextmanager
async def open_shop(
    settings: Settings,
    *,
    clock: Clock | None = None,
    gateways: Mapping[str, Gateway] | None = None,
    on_query: Callable[[str], None] | None = None,
    carrier: Carrier | None = None,
    hooks: Hooks = Hooks(),
    reread: Callable[[], Settings] | None = None,
    on_reload: Callable[[Shop], None] | None = None,
    work: bool | None = None,
) -> AsyncIterator[Shop]:
    """Connects, checks the schema and builds; closes everything at the end of the block.

    `clock`, `gateways`, `hooks` (added to those of the settings) and the mail's `carrier` (instead
    of the settings') come in here for tests. `reread` gives the settings anew when a reload
    is announced, `on_reload` gets the shop built of them. `work`: whether the worker runs in this
    process; None as the settings say.
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
        post = Post(carrier or carrier_of(settings))
        shop = build(settings, database, clock or SystemClock(), gateways or {}, hooks, post=post)
        await shop.credentials.passwords.warm_up()
        reload = _Reload(shop, gateways or {}, reread, on_reload, work)
        forget = {"catalog": reload.forget_catalogue, "keys": reload.forget_keys}
        background = [
            asyncio.create_task(
                changes.listen(settings.database.direct_url, forget, {"settings": reload})
            ),
            asyncio.create_task(shop.guards.run()),
        ]
        await shop.guards.note_settings(settings)
        reload.set_to_work(settings)
        try:
            yield shop
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await reload.stop()
            await shop.guards.close()
            await post.close()
    finally:
        await database.close()


class _Reload:
    """Builds the shop anew from settings that are read again; requests under way keep theirs. What
    only a restart can change (server, database) stays as it was."""

    def __init__(
        self,
        shop: Shop,
        gateways: Mapping[str, Gateway],
        reread: Callable[[], Settings] | None,
        on_reload: Callable[[Shop], None] | None,
        work: bool | None,
    ) -> None:
        self.shop = shop
        self._work = work
        self._working: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._gateways, self._reread, self._on_reload = gateways, reread, on_reload

    def set_to_work(self, settings: Settings) -> None:
        """The worker runs in this process, or does not, as the settings say."""
        wanted = settings.worker.in_process if self._work is None else self._work
        if wanted and self._working is None:
            self._working = asyncio.create_task(self._at_work())
        elif not wanted and self._working is not None:
            self._working.cancel()
            self._working = None

    async def _at_work(self) -> None:
        shop = self.shop
        await asyncio.gather(shop.worker.run(), upkeep.run(shop.database, shop.carts.clock))

    async def stop(self) -> None:
        if self._working is not None:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)
        for task in self._closing:
            task.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        await self.shop.payments.close()
        await self.shop.addresses.close()

    def forget_catalogue(self) -> None:
        self.shop.catalogue.forget()

    def forget_keys(self) -> None:
        self.shop.forget_people()

    def __call__(self) -> None:
        if self._reread is None or self._on_reload is None:
            _log.warning("a reload was announced, and this server does not know its settings file")
            return
        old = self.shop
        try:
            settings = self._reread()
            new = build(settings, old.database, old.carts.clock, self._gateways, before=old)
        except CheckstandError as error:
            _log.error("the settings are as before, the new ones are wrong: %s", error)
            return
        old.worker.charging, old.worker.back_office = new.worker.charging, new.worker.back_office
        self.shop = replace(new, worker=old.worker)
        self._on_reload(self.shop)
        old.guards.reload(settings)
        closing = asyncio.create_task(_closed_later(old))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        self.set_to_work(settings)
        logging.getLogger().setLevel(settings.log.level.upper())
        _log.warning("the settings were read again")


async def _closed_later(old: Shop) -> None:
    """Once no request can be at the gateways of a shop any more that another took the place of."""
    try:
        await asyncio.sleep(old.payments.longest + 5)
    finally:
        await old.payments.close()
        await old.addresses.close()


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
    before: Shop | None = None,
    *,
    post: Post | None = None,
) -> Shop:
    """The parts of a shop, put together. `before`: the shop that it takes the place of, whose post
    it keeps; `post`: instead of the settings'."""
    post = post or (before.post if before else Post(carrier_of(settings)))
    rules, profile = shop_rules(settings), _profile(settings)
    house = House(clock, profile.base_url)
    guards = before.guards if before else guarding.guards(settings, database, clock, hooks)
    meters = before.meters if before else Meters()
    payments = Payments(
        {**gateways_of(settings, house, database), **more_gateways},
        guard=guards.velocity,
        retired=retired(),
        switched_off=switched_off(settings),
        measure=meters.asked,
    )
    charging = Charging(
        database=database,
        payments=payments,
        clock=clock,
        hold_for=timedelta(minutes=settings.checkout.hold_minutes),
        action_for=timedelta(minutes=settings.payments.action_minutes),
    )
    carts = _carts(settings, database, clock, rules, charging, before)
    people = people_of(
        settings,
        profile.base_url,
        database,
        clock,
        rules.sell_to,
        post,
        before.credentials if before else Credentials(database, clock=clock),
    )
    back_office = BackOffice(charging)
    webhooks = Inbound(database, payments, clock)
    if before is not None:
        webhooks = replace(webhooks, arrived=before.webhooks.arrived)
    return Shop(
        profile=profile,
        rules=rules,
        database=database,
        credentials=people.credentials,
        catalogue=carts.catalogue,
        showcase=Showcase(database, carts.catalogue, clock),
        reviews=_reviews(settings, carts),
        carriage=Carriage(carts, _home(settings)),
        addresses=AddressLookup(_address_providers(settings), settings.address_lookup.timeout),
        carts=carts,
        coupons=CartCoupons(carts),
        fees=CartFees(carts),
        delivery=CartDelivery(carts),
        cart_sessions=CartSessions(carts),
        checkout=_checkout(settings, carts, charging, profile, people),
        orders=Orders(database),
        payments=payments,
        guards=guards,
        back_office=back_office,
        webhooks=webhooks,
        worker=Worker(charging, back_office, webhooks.arrived),
        meters=meters,
        sessions=people.sessions,
        registration=people.registration,
        my_account=people.my_account,
        history=people.history,
        post=post,
        forget_people=people.forget,
    )


def _carts(
    settings: Settings,
    database: Database,
    clock: Clock,
    rules: ShopRules,
    charging: Charging,
    before: Shop | None,
) -> CartService:
    return CartService(
        database=database,
        catalogue=before.catalogue if before else Catalogue(database),
        taxes=TaxTables(),
        shop=rules,
        clock=clock,
        queue=before.carts.queue if before else CartQueue(),
        limits=CartLimits(
            guest_life=timedelta(hours=settings.cart.guest_hours),
            customer_life=timedelta(hours=settings.cart.customer_hours),
            max_lines=settings.cart.max_items,
            turn_timeout=settings.checkout.wait_seconds,
            merge=MergePolicy(settings.cart.merge),
        ),
        call_off=charging.call_off_cart,
        trusted_keys=settings.cart.trusted_keys,
    )


def _checkout(
    settings: Settings,
    carts: CartService,
    charging: Charging,
    profile: StoreProfile,
    people: People,
) -> Checkout:
    chosen = settings.checkout
    return Checkout(
        carts=carts,
        payments=charging.payments,
        process_=Process(
            carts=carts,
            payments=charging.payments,
            charging=charging,
            wait_seconds=chosen.wait_seconds,
            strict_phone=chosen.strict_phone,
            return_url=profile.order_received,
        ),
        pay_=PayForOrder(
            charging=charging,
            payments=charging.payments,
            queue=carts.queue,
            wait_seconds=chosen.wait_seconds,
            return_url=profile.order_received,
        ),
        context_life=timedelta(minutes=settings.payments.context_minutes),
        keys_required=chosen.access == "keys",
        guest_checkout=chosen.guest_checkout,
        strict_phone=chosen.strict_phone,
        enrolling=people.enrolling,
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
        etags=settings.cart.etags,
        description=store.description,
        product_url=store.product_url,
        address=_home(settings),
    )


def _home(settings: Settings) -> Address:
    """Where the store is, as it writes that itself."""
    return Address(**settings.store.address.model_dump())


def _reviews(settings: Settings, carts: CartService) -> Reviews:
    chosen = settings.reviews
    return Reviews(
        database=carts.database,
        catalogue=carts.catalogue,
        clock=carts.clock,
        enabled=chosen.enabled,
        moderated=chosen.moderated,
        buyers_only=chosen.buyers_only,
    )


def _address_providers(settings: Settings) -> tuple[AddressProvider, ...]:
    chosen = settings.address_lookup
    google = {"key": chosen.google_key, "url": chosen.google_url, "timeout": str(chosen.timeout)}
    own = {"places": {"file": chosen.places_file}, "google": google}
    return open_providers(chosen.providers, {**chosen.options, **own})


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
        taxable=method.taxable,
    )
