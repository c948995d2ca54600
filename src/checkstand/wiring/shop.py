"""A shop, put together from its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import quote

from checkstand import guarding
from checkstand.access.credentials import Credentials
from checkstand.access.sessions import Sessions
from checkstand.accounts.earlier_orders import EarlierOrders
from checkstand.accounts.my_account import MyAccount
from checkstand.accounts.registration import Registration
from checkstand.cart.carriage import Carriage
from checkstand.cart.coupons import CartCoupons
from checkstand.cart.delivery import CartDelivery
from checkstand.cart.fees import CartFees
from checkstand.cart.items import CartItems
from checkstand.cart.links import CartLinks, origin_of
from checkstand.cart.merging import MergePolicy
from checkstand.cart.queue import CartQueue
from checkstand.cart.service import CartLimits, CartService
from checkstand.cart.sessions import Sessions as CartSessions
from checkstand.catalog.reviews import Reviews
from checkstand.catalog.service import Catalogue
from checkstand.catalog.showcase import Showcase
from checkstand.checkout.back_office import BackOffice
from checkstand.checkout.charging import Charging
from checkstand.checkout.pay import PayForOrder
from checkstand.checkout.process import Process
from checkstand.checkout.service import Checkout
from checkstand.customers.addresses import Address
from checkstand.customers.lookup.provider import AddressProvider
from checkstand.customers.lookup.providers import open_providers
from checkstand.customers.lookup.service import AddressLookup
from checkstand.errors import ConfigurationError
from checkstand.guarding import Guards, Hooks
from checkstand.jobs.worker import Worker
from checkstand.kit.clock import Clock
from checkstand.mail.post import Post
from checkstand.meters import Meters
from checkstand.orders.history import History
from checkstand.orders.service import Orders
from checkstand.payments.gateway import Gateway, House
from checkstand.payments.saved import SavedMethods
from checkstand.payments.service import Payments
from checkstand.pricing.shop import ShopRules
from checkstand.settings import Settings
from checkstand.storage.database import Database
from checkstand.tax.service import TaxTables
from checkstand.webhooks.inbound import Inbound
from checkstand.wiring.accounts import People, carrier_of, people_of, signer_of
from checkstand.wiring.gateways import gateways_of, retired, switched_off
from checkstand.wiring.rules import shop_rules


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
    items: CartItems
    coupons: CartCoupons
    fees: CartFees
    delivery: CartDelivery
    cart_sessions: CartSessions
    links: CartLinks
    checkout: Checkout
    orders: Orders
    payments: Payments
    guards: Guards
    sessions: Sessions
    registration: Registration
    my_account: MyAccount
    earlier_orders: EarlierOrders
    history: History
    post: Post
    forget_people: Callable[[], None]
    """Drops who this process knows: a key or an account has changed."""
    saved_methods: SavedMethods
    back_office: BackOffice
    webhooks: Inbound
    worker: Worker
    meters: Meters


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
    guards = before.guards if before else guarding.guards(settings, database, clock, hooks)
    meters = before.meters if before else Meters()
    gateways = {**gateways_of(settings, House(clock, profile.base_url), database), **more_gateways}
    charging = _charging(settings, database, clock, gateways, guards, meters)
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

    def forget_people() -> None:
        people.forget()
        guards.pages.forget()

    back_office = BackOffice(charging)
    webhooks = Inbound(database, charging.payments, clock)
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
        addresses=AddressLookup(
            _address_providers(settings), settings.address_lookup.timeout, meters.asked
        ),
        carts=carts,
        items=CartItems(carts),
        coupons=CartCoupons(carts),
        fees=CartFees(carts),
        delivery=CartDelivery(carts),
        cart_sessions=CartSessions(carts),
        links=_links(settings, carts, profile),
        checkout=_checkout(settings, carts, charging, profile, people),
        orders=Orders(database),
        payments=charging.payments,
        guards=guards,
        saved_methods=SavedMethods(database),
        back_office=back_office,
        webhooks=webhooks,
        worker=Worker(charging, back_office, people.letters, webhooks.arrived),
        meters=meters,
        sessions=people.sessions,
        registration=people.registration,
        my_account=people.my_account,
        earlier_orders=people.earlier_orders,
        history=people.history,
        post=post,
        forget_people=forget_people,
    )


def _charging(
    settings: Settings,
    database: Database,
    clock: Clock,
    gateways: Mapping[str, Gateway],
    guards: Guards,
    meters: Meters,
) -> Charging:
    return Charging(
        database=database,
        payments=Payments(
            gateways,
            guard=guards.velocity,
            retired=retired(),
            switched_off=switched_off(settings),
            measure=meters.asked,
        ),
        clock=clock,
        hold_for=timedelta(minutes=settings.checkout.hold_minutes),
        action_for=timedelta(minutes=settings.payments.action_minutes),
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


def _links(settings: Settings, carts: CartService, profile: StoreProfile) -> CartLinks:
    home = settings.store.cart_url.format(base_url=profile.base_url)
    if not origin_of(home):
        raise ConfigurationError(
            f"store.cart_url comes to '{home}', which is no address that a link can lead to; write "
            "https://shop.example/cart/, the host in small letters"
        )
    return CartLinks(
        carts=carts,
        signer=signer_of(settings, profile.base_url),
        home=home,
        # Any page may call the API where it says `*`; a link must not lead anywhere.
        origins=frozenset(settings.security.cors_origins) - {"*"},
        life=timedelta(hours=settings.cart.link_hours),
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
