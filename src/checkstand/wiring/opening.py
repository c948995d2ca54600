"""From settings to a shop that can be asked, and how it is closed again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from checkstand.customers import addresses
from checkstand.errors import ConfigurationError
from checkstand.guarding import Hooks
from checkstand.kit.clock import Clock, SystemClock
from checkstand.mail.post import Carrier, Post
from checkstand.payments.gateway import Gateway
from checkstand.settings import Settings
from checkstand.storage import changes, schema
from checkstand.storage.database import Database, PoolOptions
from checkstand.wiring.accounts import carrier_of
from checkstand.wiring.reload import Reload
from checkstand.wiring.shop import Shop, build


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
    process; None as the settings say. False leaves out everything that a shop does by itself; what
    its guards note is then written by `guards.flush()` and at the end.
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
        reload = Reload(shop, gateways or {}, reread, on_reload, work)
        forget = {"catalog": reload.forget_catalogue, "keys": reload.forget_keys}
        background = [
            asyncio.create_task(
                changes.listen(settings.database.direct_url, forget, {"settings": reload})
            ),
        ]
        if work is not False:
            background.append(asyncio.create_task(shop.guards.run()))
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


async def check_schema(url: str) -> None:
    """ConfigurationError when the database is not at the schema of this version."""
    current, head = await schema.current(url), schema.head()
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
