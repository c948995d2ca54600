"""Load-cart links: what lies in a cart, handed to whoever opens the link first (cart.md 11.5).

A link is signed, so that a made-up one is refused without a look at the database; it works for a
while; and once, for opening it deletes its row in the transaction that fills the visitor's cart.
Only the digest of the random name that it carries is stored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from checkstand.access.principal import Caller
from checkstand.access.tokens import Signer
from checkstand.cart import handover, link_store, store
from checkstand.cart.link_store import StoredLink
from checkstand.cart.merging import MergePolicy
from checkstand.cart.model import Cart
from checkstand.cart.service import CartService
from checkstand.cart.view import CartView, Notices, Scene, both
from checkstand.errors import (
    CartEmpty,
    CartLinkInvalid,
    CartLinksOff,
    CartLinkSpent,
    CartLinkTargetRefused,
    CartNotFound,
    ParameterInvalid,
    TokenRefused,
)
from checkstand.kit import crypto, ids
from checkstand.storage.database import Connection
from checkstand.storage.idempotency import Ticket

MOST_LINKS = 10
"""Of one cart that work; one more ends the oldest."""
SHORTEST_LIFE = timedelta(minutes=1)
_PURPOSE = "load-cart"
_LONGEST_TARGET = 500
_TARGET = re.compile(r"(https?://[a-z0-9.\-:\[\]]+)(?:[/?][!-~]*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class MadeLink:
    """`token` is what the link carries; it opens the cart's contents to who has it."""

    token: str
    target: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class CartLinks:
    """The verbs. `signer` is None while the shop has no secret to sign with: CartLinksOff."""

    carts: CartService
    signer: Signer | None
    home: str
    """Where a link leads that names no place: the storefront's cart."""
    origins: frozenset[str]
    """Where else it may lead, beside the origin of `home`: `https://shop.example`."""
    life: timedelta
    """The longest that a link works."""

    async def make(
        self, caller: Caller, target: str = "", life: timedelta | None = None
    ) -> MadeLink:
        """A link to what lies in the caller's cart now; the cart stays as it is.

        CartNotFound, CartEmpty; CartLinkTargetRefused for a place that is none of the shop's;
        ParameterInvalid for a life longer than links have.
        """
        signer = self._signing()
        place = self._checked(target or self.home)
        key = caller.own_cart_key
        await self.carts.adopt(caller)
        name = ids.link_name()
        async with (
            self.carts.queue.turn(key, self.carts.limits.turn_timeout),
            self.carts.database.transaction() as connection,
        ):
            now = self.carts.clock.now()
            cart = (await store.lock(connection, key, now)).cart
            if cart is None:
                raise CartNotFound
            if not cart.lines:
                raise CartEmpty("The cart is empty: there is nothing to hand over.")
            expires_at = (now + self._life(life)).replace(microsecond=0)
            contents = handover.contents_of(cart, priced=self.carts.may_price(caller))
            link = StoredLink(key, contents, place)
            await link_store.insert(
                connection, crypto.sha256(name), link, now, expires_at, MOST_LINKS
            )
        return MadeLink(signer.seal(_PURPOSE, name, expires_at), place, expires_at)

    async def target(self, token: str) -> str:
        """Where the link leads. Looking uses nothing up: mail programs look at links.
        CartLinkInvalid, CartLinkSpent."""
        found = await self._found(self._digest(token))
        if found is None:
            raise CartLinkSpent
        return self._checked(found.target)

    async def load(
        self,
        caller: Caller,
        token: str,
        *,
        keep: bool = True,
        notify: bool = False,
        ticket: Ticket | None = None,
    ) -> CartView:
        """Opens the link: its contents come into the caller's cart, a new one where there is none.

        With `keep` they take the place of what lay there, which can be restored; without, both are
        merged as the shop merges carts. CartLinkInvalid for what was not signed here,
        CartLinkSpent for a link that was opened before or is over; nothing is changed then.
        """
        digest = self._digest(token)
        found = await self._found(digest)
        handed = handover.handed_over(found.contents, self.carts.clock.now()) if found else None
        sold = {line.sold_id for line in handed.lines} if handed else set()
        # Into the cart that it was made of, nothing is added a second time.
        replaces = keep or (found is not None and found.maker == caller.own_cart_key)
        policy = MergePolicy.GUEST if replaces else self.carts.limits.merge

        async def take(connection: Connection, now: datetime) -> None:
            if not await link_store.take(connection, digest, now):
                raise CartLinkSpent

        def change(cart: Cart, scene: Scene) -> tuple[Cart, Notices]:
            if handed is None:
                raise CartLinkSpent
            most = self.carts.limits.max_lines
            filled, said = handover.received(cart, handed, scene, most, policy)
            loaded: Notices = {"success": ["The cart was loaded."]} if notify else {}
            return filled, both(loaded, said)

        return await self.carts.change(
            caller,
            change,
            ticket,
            await self.carts.catalogue.load(list(sold)) if sold else {},
            codes=handed.coupons if handed else (),
            before=take,
        )

    async def _found(self, digest: str) -> StoredLink | None:
        async with self.carts.database.acquire() as connection:
            return await link_store.find(connection, digest, self.carts.clock.now())

    def _signing(self) -> Signer:
        if self.signer is None:
            raise CartLinksOff
        return self.signer

    def _digest(self, token: str) -> str:
        try:
            sealed = self._signing().unseal(_PURPOSE, token)
        except TokenRefused:
            raise CartLinkInvalid from None
        # Whether its time is over, its row knows: who was answered before is answered again then.
        return crypto.sha256(sealed.name)

    def _life(self, wanted: timedelta | None) -> timedelta:
        if wanted is None:
            return self.life
        if not SHORTEST_LIFE <= wanted <= self.life:
            most = int(self.life.total_seconds())
            text = f"is a number of seconds, from 60 to {most}"
            raise ParameterInvalid(f"expires_in {text}.", data={"params": {"expires_in": text}})
        return wanted

    def _checked(self, target: str) -> str:
        """The address, when it is one of the shop's storefronts; else CartLinkTargetRefused. What
        browsers and we might read differently (credentials, backslashes, fragments) is refused."""
        found = _TARGET.fullmatch(target) if len(target) <= _LONGEST_TARGET else None
        if found is None or "\\" in target or "#" in target:
            raise CartLinkTargetRefused
        if found[1] not in self.origins | {origin_of(self.home)}:
            raise CartLinkTargetRefused
        return target


def origin_of(address: str) -> str:
    """Scheme, host and port of a web address; "" for anything else."""
    found = _TARGET.fullmatch(address)
    return found[1] if found else ""
