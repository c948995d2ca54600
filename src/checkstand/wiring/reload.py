"""A shop whose settings are read again while it is open."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from checkstand.catalog import upkeep
from checkstand.errors import CheckstandError
from checkstand.payments.gateway import Gateway
from checkstand.settings import Settings
from checkstand.wiring.shop import Shop, build

_log = logging.getLogger(__name__)


class Reload:
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
        old.worker.letters = new.worker.letters
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
