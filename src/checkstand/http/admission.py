"""Counting a request before it is carried out, and the headers that say how the caller stands."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from urllib.parse import urlsplit

from starlette.requests import Request

from checkstand import audit
from checkstand.access.principal import Account, Caller, ConsumerKey, Place
from checkstand.access.usage import UNKNOWN
from checkstand.errors import (
    AuthenticationFailed,
    KeyNotAccepted,
    PasswordRefused,
    PermissionTooSmall,
    RateLimited,
)
from checkstand.http.inside import UNCOUNTED
from checkstand.kit.network import household
from checkstand.shield.counting import Standing
from checkstand.shield.limits import Operation, RateLimits
from checkstand.wiring import Shop

_SHOPPERS = (
    "address/", "cart", "checkout", "logout", "my-account", "order-received/", "products",
    "register", "store",
)  # fmt: skip
_FOR_PAGES = (
    *(f"/wp-json/cocart/{version}/{route}" for version in ("v2", "preview") for route in _SHOPPERS),
    "/wp-json/cocart/batch",
    "/wp-json/batch/v1",
)
"""Where a publishable key may be sent along (ADR 0024). Of a batch, each part is looked at."""
_OF_KEYS = "keys "
"""Failures of keys are counted apart from those of passwords."""
_LONGEST_PROOF = 4096
_TOLD_APART_BY = ("user-agent", "accept-language", "accept-encoding")


def address_of(request: Request) -> str:
    """The client's address, as the transport found it."""
    return str(request.state.address)


def welcome(request: Request, shop: Shop, caller: Caller) -> None:
    """Notes who is calling, for the audit log and the use of keys. PermissionTooSmall for a
    publishable key on a route that is not for pages."""
    key, account = caller.key, caller.account
    if account is not None:
        actor = f"account {account.id}"
    else:
        actor = f"key {key.id}" if key is not None else "guest"
    address = address_of(request)
    audit.origin.set(audit.Origin(actor, address, request.state.request_id))
    if key is None:
        return
    if key.publishable and not request.scope["path"].startswith(_FOR_PAGES):
        shop.guards.usage.failed(key.id, route_of(request))
        raise PermissionTooSmall("A publishable key is for what shoppers do.")
    shop.guards.usage.used(key.id, route_of(request), address, publishable=key.publishable)


async def known_key(request: Request, shop: Shop, key: str, secret: str) -> ConsumerKey:
    """The consumer key of the pair, when it may be used from here. Failures are limited by the
    address, counted and noted. A right pair is never refused for the wrong ones of others: a
    storefront that calls from a server has one address for everybody."""
    place = Place(address_of(request), _origin_of(request))
    guards = shop.guards
    try:
        return await shop.credentials.consumer_key(key, secret, place)
    except KeyNotAccepted as refused:
        guards.usage.failed(refused.key_id, route_of(request))
        detail = {"reason": refused.reason}
        await failed(request, shop, _OF_KEYS)
        guards.journal.note("key.refused", f"key {refused.key_id}", detail, by=_stranger(request))
        raise
    except AuthenticationFailed:
        guards.usage.failed(UNKNOWN, "")
        await failed(request, shop, _OF_KEYS)
        guards.journal.note("key.unknown", "", by=_stranger(request))
        raise


async def admit(request: Request, shop: Shop, caller: Caller, operation: Operation) -> None:
    """Counts the request for its caller; RateLimited when there were too many."""
    limits = shop.guards.limits
    if limits is not None and not request.scope.get(UNCOUNTED):
        who = counted_for(caller, address_of(request))
        reading = request.method == "GET" and operation is not Operation.CHECKOUT_PROCESS
        try:
            await _count(request, limits, operation, who, reading=reading)
        except RateLimited:
            if caller.key is not None:
                shop.guards.usage.was_limited(caller.key.id, route_of(request))
            raise
    proof = request.headers.get("checkstand-challenge")
    if proof and operation is Operation.CHECKOUT_PROCESS:
        proven = await shop.guards.velocity.proven(proof[:_LONGEST_PROOF], address_of(request))
        audit.origin.set(replace(audit.origin.get(), proven=proven))


def counted_for(caller: Caller, address: str) -> str:
    """Whose requests are counted together (DECISIONS 23): the cart's that a key speaks for, the
    account's, else the address's. A key without a cart counts by address too: otherwise shoppers
    without a cart would share one count. So does a publishable key: everybody has it, and could
    name another cart each time."""
    account = f"account {caller.account.id}" if caller.account is not None else ""
    if caller.key is None:
        return account or f"address {household(address)}"
    named = caller.cart_key and not caller.key.publishable
    cart = account or (f"cart {caller.cart_key}" if named else "")
    return f"key {caller.key.id} {cart or f'address {household(address)}'}"


async def sign_in(request: Request, shop: Shop, login: str, password: str) -> Account:
    """The account of a password. Attempts are limited before the costly check: those as one
    account from one address, until one succeeds; and those that fail from one address. Each is
    noted; of sign-ins that every request repeats, the first in a quarter of an hour."""
    credentials = shop.credentials
    known = credentials.recalled(login, password)
    if known is not None:
        return known
    # A page that sends many requests at once signs in once, for all of them.
    async with credentials.turn(login, password):
        known = credentials.recalled(login, password)
        return known or await _sign_in(request, shop, login, password)


async def _sign_in(request: Request, shop: Shop, login: str, password: str) -> Account:
    limits, journal = shop.guards.limits, shop.guards.journal
    named = hashlib.sha256(login.lower().encode()).hexdigest()[:32]
    attempt = f"{named} {household(address_of(request))}"
    if limits is not None:
        await _count(request, limits, Operation.SIGN_IN, attempt, reading=False)
        await look(request, shop)
    by = _stranger(request)
    try:
        account = await shop.credentials.account(login, password)
    except PasswordRefused as refused:
        # What was typed as a name may be a password: it is not kept, nor anything made of it.
        whose = f"account {refused.account_id}" if refused.account_id else ""
        journal.note("account.sign_in_failed", whose, by=by)
        await failed(request, shop)
        raise
    if limits is not None:
        await limits.forgive(Operation.SIGN_IN, attempt, lambda: fingerprint(request))
    if shop.guards.first_sign_in(account.id, by.address):
        journal.note("account.signed_in", f"account {account.id}", by=by)
    return account


async def knock(request: Request, shop: Shop, verb: str) -> None:
    """Counts what nobody signs in for and what costs as much: registering, setting a password.
    RateLimited when there was too much of it from this address."""
    if shop.guards.limits is not None:
        who = f"{verb} {household(address_of(request))}"
        await _count(request, shop.guards.limits, Operation.SIGN_IN, who, reading=False)


def stranger(request: Request) -> None:
    """Notes where a request comes from that nobody is known for."""
    audit.origin.set(_stranger(request))


def route_of(request: Request) -> str:
    """The method and the path as routes are written: `GET /wp-json/…/item/{item_key}`."""
    route = request.scope.get("route")
    return f"{request.method} {getattr(route, 'path', '')}"


def _stranger(request: Request) -> audit.Origin:
    return audit.Origin("guest", address_of(request), request.state.request_id)


def _origin_of(request: Request) -> str:
    """The origin of the page. Browsers leave it out when a page reads from its own origin; then the
    referrer says it."""
    said = request.headers.get("origin")
    if said:
        return said
    parts = urlsplit(request.headers.get("referer", ""))
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


async def look(request: Request, shop: Shop) -> None:
    """RateLimited when too many guesses from this address were wrong: passwords, e-mails."""
    limits = shop.guards.limits
    if limits is not None:
        place = household(address_of(request))
        standing = await limits.look(
            Operation.SIGN_IN_FAILURES, place, lambda: fingerprint(request)
        )
        if standing is not None and not standing.allowed:
            _tell(request, limits, standing)


async def failed(request: Request, shop: Shop, of: str = "") -> None:
    """Counts a wrong guess for the address that it came from; RateLimited when it was one too
    many."""
    limits = shop.guards.limits
    if limits is not None:
        place = f"{of}{household(address_of(request))}"
        standing = await limits.count(
            Operation.SIGN_IN_FAILURES, place, lambda: fingerprint(request), reading=False
        )
        if standing is not None and not standing.allowed:
            _tell(request, limits, standing)


async def _count(
    request: Request, limits: RateLimits, operation: Operation, who: str, *, reading: bool
) -> None:
    standing = await limits.count(operation, who, lambda: fingerprint(request), reading=reading)
    if standing is not None:
        _tell(request, limits, standing)


def _tell(request: Request, limits: RateLimits, standing: Standing) -> None:
    """Writes the headers of the answer; RateLimited when there were too many."""
    refusal = None if standing.allowed else limits.refusal(standing)
    request.state.answer_headers[:] = _headers(
        standing, refusal.retry_after if refusal is not None else None
    )
    if refusal is not None:
        raise refusal


def fingerprint(request: Request) -> str:
    """Tells clients behind one address apart: a digest of it and of what they say of themselves."""
    said = "\n".join(request.headers.get(name, "") for name in _TOLD_APART_BY)
    return hashlib.sha256(f"{address_of(request)}\n{said}".encode()).hexdigest()[:32]


def _headers(standing: Standing, wait: int | None) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"ratelimit-limit", b"%d" % standing.limit),
        (b"ratelimit-remaining", b"%d" % standing.remaining),
        (b"ratelimit-reset", b"%d" % -(-standing.reset // 1)),
    ]
    if wait is not None:
        headers.append((b"ratelimit-retry-after", b"%d" % wait))
    return headers
