"""The caller of a use case, as far as it is known. Services authorise against this, so that no
presenter (batch, another dialect) can get around it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from checkstand.errors import (
    AdministratorOnly,
    AuthenticationFailed,
    KeyNotAccepted,
    MustSignIn,
    NotForYou,
    PermissionTooSmall,
    SignInFirst,
)
from checkstand.kit.network import Network, within


class Permission(StrEnum):
    READ = "read"
    WRITE = "write"
    READ_WRITE = "read_write"

    def covers(self, writing: bool) -> bool:
        return self is Permission.READ_WRITE or (self is Permission.WRITE) == writing


class Dialect(StrEnum):
    """Which verb of the preview checkout processes (contract README 10)."""

    REFERENCE = "reference"
    TUTORIAL = "tutorial"


class Capability(StrEnum):
    """What not everybody may do; the names are those of the platform where it has one."""

    MANAGE_STORE = "manage_store"
    """Orders, carts and products of others."""
    MANAGE_OPTIONS = "manage_options"
    """Settings and diagnoses, such as the debug block of payment methods."""


class Role(StrEnum):
    CUSTOMER = "customer"
    SHOP_MANAGER = "shop_manager"
    ADMINISTRATOR = "administrator"

    @property
    def label(self) -> str:
        return {"customer": "Customer", "shop_manager": "Shop manager"}.get(self, "Administrator")

    @property
    def capabilities(self) -> frozenset[Capability]:
        return _CAPABILITIES[self]


_CAPABILITIES = {
    Role.CUSTOMER: frozenset[Capability](),
    Role.SHOP_MANAGER: frozenset({Capability.MANAGE_STORE}),
    Role.ADMINISTRATOR: frozenset(Capability),
}


class KeyKind(StrEnum):
    """A publishable key has no secret: it may stand in a page, and opens carts and checkouts only,
    from the pages that it is pinned to."""

    SECRET = "secret"  # noqa: S105 - the name of a kind
    PUBLISHABLE = "publishable"


@dataclass(frozen=True, slots=True)
class ConsumerKey:
    """A key that a storefront presents. It never becomes the shopper (DECISIONS 3). Without
    `origins` any client may use it, without `networks` from anywhere."""

    id: int
    name: str
    permission: Permission
    dialect: Dialect | None
    kind: KeyKind = KeyKind.SECRET
    owner: str = ""
    origins: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    expires_at: datetime | None = None

    @property
    def publishable(self) -> bool:
        return self.kind is KeyKind.PUBLISHABLE

    def check(self, place: Place, now: datetime) -> None:
        """KeyNotAccepted with the reason when the key may not be used there or then."""
        if self.expires_at is not None and self.expires_at <= now:
            raise self._refused("This consumer key has expired.", "expired")
        if self.origins and place.origin not in self.origins:
            raise self._refused("This consumer key may not be used from this page.", "origin")
        if self.networks and not within(place.address, self.networks):
            raise self._refused("This consumer key may not be used from this network.", "network")

    def _refused(self, text: str, reason: str) -> KeyNotAccepted:
        return KeyNotAccepted(text, reason=reason, key_id=self.id)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key is used from: the client's address and the origin of the page, "" for none."""

    address: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who signed in."""

    id: int
    username: str
    role: Role
    generation: int = 1
    """Moves with password, e-mail and role: what was handed out before is dead."""

    def may(self, capability: Capability) -> bool:
        return capability in self.role.capabilities


@dataclass(frozen=True, slots=True)
class Caller:
    """`cart_key` is what was sent, "" for none; `session` names the token that was, likewise."""

    cart_key: str = ""
    key: ConsumerKey | None = None
    account: Account | None = None
    session: str = ""
    operator: bool = False
    """The command line, on the server itself. Nothing that comes over the network is."""

    @property
    def own_cart_key(self) -> str:
        """The key of the cart that this caller acts on: an account's is its id (contract cart.md
        11.1). Who names another account's cart is refused with MustSignIn."""
        own = str(self.account.id) if self.account is not None else ""
        if self.cart_key.isdecimal() and self.cart_key != own:
            raise MustSignIn
        return own or self.cart_key

    @property
    def manages(self) -> bool:
        """Whether it is somebody who runs the shop, or the command line."""
        return self.operator or (
            self.account is not None and self.account.role is not Role.CUSTOMER
        )

    @property
    def guest_key(self) -> str:
        """The key of the guest cart that somebody who signed in still carries; "" for none."""
        return "" if self.account is None or self.cart_key.isdecimal() else self.cart_key

    @property
    def customer_id(self) -> int | None:
        return self.account.id if self.account is not None else None

    def scope(self, *, has_cart: bool) -> str:
        """Whose Idempotency-Key it is: the account's, or the cart's and the consumer key's that
        speaks for it. "" for a caller without a cart: nothing tells it from a stranger."""
        if self.account is not None:
            return f"account {self.account.id}"
        if not has_cart:
            return ""
        spoken_for = f"key {self.key.id}, " if self.key is not None else ""
        return f"{spoken_for}cart {self.cart_key}"

    def must_administer(self) -> None:
        """For administrators who signed in. A consumer key is never one, whoever owns it."""
        if self.account is None:
            raise SignInFirst("Sign in as an administrator; consumer keys do not open this route.")
        if self.account.role is not Role.ADMINISTRATOR:
            raise NotForYou

    def must_manage_store(self, *, writing: bool) -> None:
        """For shop managers, administrators and secret consumer keys (contract README 7)."""
        if self.account is not None:
            if self.account.role is Role.CUSTOMER:
                raise NotForYou
        elif self.key is None:
            raise SignInFirst("Send a consumer key, or sign in.")
        elif self.key.publishable or not self.key.permission.covers(writing):
            raise NotForYou("This consumer key may not do that.")

    def must_manage(self) -> int | None:
        """The account id of the shop manager or administrator who is calling, None for the command
        line; AdministratorOnly for others. A consumer key never is one (DECISIONS 3)."""
        if self.operator:
            return None
        if self.account is None or not self.account.may(Capability.MANAGE_STORE):
            raise AdministratorOnly
        return self.account.id

    def must_hold_key(self) -> None:
        """A consumer key that may read, for what storefronts see and shoppers need not."""
        if self.key is None:
            raise AuthenticationFailed(
                "This needs a consumer key: send consumer_key and consumer_secret, or Basic "
                "credentials made of them."
            )
        if not self.key.permission.covers(False):
            raise PermissionTooSmall

    def must_reach_checkout(self, *, writing: bool, keys_required: bool) -> None:
        """Consumer keys are needed for checkout unless somebody signed in (DECISIONS 1, 2)."""
        if self.key is not None:
            if not self.key.permission.covers(writing):
                raise PermissionTooSmall
        elif keys_required and self.account is None:
            raise AuthenticationFailed(
                "This route needs a consumer key: send consumer_key and consumer_secret, "
                "or Basic credentials made of them."
            )
