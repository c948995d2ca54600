"""Counting a request before it is carried out, and the headers that say how the caller stands."""

from __future__ import annotations

import hashlib

from starlette.requests import Request

from checkstand.access.principal import Account, Caller
from checkstand.errors import AuthenticationFailed
from checkstand.http.peers import household
from checkstand.shield.counting import Standing
from checkstand.shield.limits import Operation, RateLimits
from checkstand.wiring import Shop

_TOLD_APART_BY = ("user-agent", "accept-language", "accept-encoding")


def address_of(request: Request) -> str:
    """The client's address, as the transport found it."""
    return str(request.state.address)


async def admit(request: Request, shop: Shop, caller: Caller, operation: Operation) -> None:
    """Counts the request for its caller; RateLimited when there were too many."""
    if shop.limits is None:
        return
    who = counted_for(caller, address_of(request))
    reading = request.method == "GET" and operation is not Operation.CHECKOUT_PROCESS
    await _count(request, shop.limits, operation, who, reading=reading)


def counted_for(caller: Caller, address: str) -> str:
    """Whose requests are counted together (DECISIONS 23): the cart's that a key speaks for, the
    account's, else the address's. A key without a cart counts by address too: otherwise shoppers
    without a cart would share one count."""
    account = f"account {caller.account.id}" if caller.account is not None else ""
    if caller.key is None:
        return account or f"address {household(address)}"
    cart = account or (f"cart {caller.cart_key}" if caller.cart_key else "")
    return f"key {caller.key.id} {cart or f'address {household(address)}'}"


async def sign_in(request: Request, shop: Shop, login: str, password: str) -> Account:
    """The account of a password. Attempts are limited before the costly check: those as one
    account from one address, until one succeeds; and those that fail from one address."""
    limits = shop.limits
    known = shop.credentials.recalled(login, password)
    if known is not None:
        return known
    if limits is None:
        return await shop.credentials.account(login, password)
    place = household(address_of(request))
    attempt = f"{hashlib.sha256(login.lower().encode()).hexdigest()[:32]} {place}"
    await _count(request, limits, Operation.SIGN_IN, attempt, reading=False)
    failures = await limits.look(Operation.SIGN_IN_FAILURES, place)
    if not failures.allowed:
        _tell(request, limits, failures)
    try:
        account = await shop.credentials.account(login, password)
    except AuthenticationFailed:
        await limits.count(
            Operation.SIGN_IN_FAILURES, place, lambda: fingerprint(request), reading=False
        )
        raise
    await limits.forgive(Operation.SIGN_IN, attempt)
    return account


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
