"""create_app(settings): routers, the outermost layer, the shop's life, error handlers."""

from __future__ import annotations

import gc
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.types import Scope

import checkstand
from checkstand.http import admin, describe, hooks, measuring, problems
from checkstand.http.cocart import address, batch
from checkstand.http.cocart.accounts import my_account, saved_methods, signing, subscriptions
from checkstand.http.cocart.preview import checkout, payments
from checkstand.http.cocart.v2 import (
    carriage,
    cart,
    checkout_config,
    coupons,
    extras,
    items,
    links,
    products,
    reviews,
    sessions,
    store,
    taxonomies,
)
from checkstand.http.cocart.v2 import checkout as v2_checkout
from checkstand.http.cocart.v2 import orders as v2_orders
from checkstand.http.edge import Edge
from checkstand.http.peers import Peers
from checkstand.http.transport import Cors, Transport
from checkstand.settings import Settings, load
from checkstand.ui import pages, sandbox
from checkstand.wiring import Shop, open_shop

_LOCAL = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1")
_LOCAL_URL = re.compile(r"https?://(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?(/|$)")
BACK_OFFICE = (sessions.router, *admin.routers)
ROUTERS = (
    checkout.router,
    cart.router,
    items.router,
    coupons.router,
    extras.router,
    links.router,
    v2_checkout.router,
    # Fixed words before products: /products/tags is no product.
    reviews.router,
    taxonomies.router,
    products.router,
    carriage.router,
    store.router,
    checkout_config.router,
    address.router,
    payments.router,
    v2_orders.router,
    batch.router,
    hooks.router,
    my_account.router,
    subscriptions.router,
    saved_methods.router,
    signing.router,
    pages.router,
    sandbox.router,
    *BACK_OFFICE,
)
"""One flat table, the busiest first: routes are tried one after another, and a router inside a
router costs more than the trip to the database."""
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def create_app(settings: Settings, *, alone: bool = False, **open_with: Any) -> FastAPI:
    """The ASGI application of a shop. `open_with` goes to `wiring.open_shop` (clock, gateways).
    `alone`: the process is the shop's own, and may be set up for it.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        def use(shop: Shop) -> None:
            app.state.shop = shop
            app.state.sandbox = shop.payments.gateways.get("sandbox")

        async with open_shop(settings, on_reload=use, **open_with) as shop:
            use(shop)
            if alone:
                # What is here now stays: looking through it again and again would take time.
                gc.collect()
                gc.freeze()
            yield

    app = FastAPI(
        title="Checkstand",
        version=checkstand.__version__,
        lifespan=lifespan,
        openapi_url="/openapi.json",
        docs_url=None,  # its page would load scripts from elsewhere onto a checkout's origin
        redoc_url=None,
        redirect_slashes=False,
        strict_content_type=False,
    )
    problems.install(app)
    describe.install(app)
    for router in ROUTERS:
        app.router.routes.extend(router.routes)
    app.router.routes.extend(measuring.router(settings.server.metrics).routes)
    app.add_middleware(measuring.Measured, tells=settings.server.timing)
    app.add_middleware(Edge, max_body=settings.server.max_body, transport=transport_of(settings))
    return app


def transport_of(settings: Settings) -> Transport:
    """How requests may come. A shop that only this machine reaches lets its pages call it."""
    security = settings.security
    here = _LOCAL.fullmatch(settings.server.host) and (
        not settings.server.base_url or _LOCAL_URL.match(settings.server.base_url)
    )
    return Transport(
        peers=Peers(security.trusted_proxies, security.client_header),
        require_https=security.require_https,
        hsts_seconds=security.hsts_seconds,
        cors=Cors(frozenset(security.cors_origins), local=bool(here)),
        named=_named,
    )


async def _named(scope: Scope, origin: str) -> bool:
    """Whether a publishable key of the shop that is open names this origin."""
    shop: Shop = scope["app"].state.shop
    return await shop.guards.pages.named(origin)


def set_up_logging(settings: Settings) -> None:
    """As the settings say. Libraries that log addresses which they ask are kept quieter."""
    for name in ("alembic", "httpx2", "stripe"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.basicConfig(level=settings.log.level.upper(), format=LOG_FORMAT)


def from_environment() -> FastAPI:
    """For ASGI servers: `uvicorn --factory checkstand.app:from_environment`."""
    settings = load()
    set_up_logging(settings)
    # Query strings carry consumer secrets and cart keys: no access log, whoever starts the server.
    access = logging.getLogger("uvicorn.access")
    access.handlers.clear()
    access.propagate = False
    access.disabled = True
    return create_app(settings, alone=True, reread=load)
