"""What every request and answer has to do with, whatever it is about: HTTPS, CORS, headers."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Scope

from checkstand.errors import HttpsRequired
from checkstand.http.peers import Peers
from checkstand.http.problems import refusal_response
from checkstand.kit.network import is_local

Header = tuple[bytes, bytes]

ALLOWED_METHODS = "OPTIONS, GET, POST, PUT, PATCH, DELETE"
# Contract README 6.5, and what is ours: the dialect (DECISIONS 5), keys, the answer to a challenge.
ALLOWED_HEADERS = (
    "Authorization, X-Requested-With, Content-Disposition, Content-MD5, Content-Type, Accept, "
    "Cart-Key, CoCart-API-Cart-Key, If-None-Match, User-Agent, Idempotency-Key, "
    "Checkstand-Dialect, Checkstand-Challenge, X-HTTP-Method-Override"
)
EXPOSED_HEADERS = (
    "X-WP-Total, X-WP-TotalPages, Link, CoCart-API-Cart-Key, CoCart-API-Cart-Expiring, "
    "CoCart-API-Cart-Expiration, Cart-Key, Cart-Expiring, Cart-Expiration, Timestamp, "
    "CoCart-Timestamp, CoCart-Version, ETag, CoCart-Cache, RateLimit-Limit, RateLimit-Remaining, "
    "RateLimit-Reset, RateLimit-Retry-After, Retry-After, Idempotency-Replayed, X-Request-Id"
)
_LOCAL_ORIGIN = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?")
_API = "/wp-json/"
_FOR_PAGES = "/wp-json/cocart/"
"""What pages that a key names may read. Administration is not for a shop's pages."""
_ALWAYS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
_PRIVATE: Header = (b"cache-control", b"no-store, private")
_VARY: Header = (b"vary", b"Authorization, Cart-Key, CoCart-API-Cart-Key, Origin")
_VARY_ORIGIN: Header = (b"vary", b"Origin")
_EXPOSED: Header = (b"access-control-expose-headers", EXPOSED_HEADERS.encode())
_CREDENTIALS: Header = (b"access-control-allow-credentials", b"true")
_PREFLIGHT: tuple[Header, ...] = (
    (b"access-control-allow-methods", ALLOWED_METHODS.encode()),
    (b"access-control-allow-headers", ALLOWED_HEADERS.encode()),
    (b"access-control-max-age", b"600"),
)


@dataclass(frozen=True, slots=True)
class Cors:
    """Which pages of other origins may read answers. `*` among the origins allows every page, but
    never with credentials that the browser adds by itself. `local` allows pages of this machine.
    """

    origins: frozenset[str] = frozenset()
    local: bool = False

    @property
    def on(self) -> bool:
        return bool(self.origins) or self.local

    def headers(self, origin: str) -> tuple[Header, ...]:
        """What lets a page of this origin read; nothing for one that may not."""
        if origin in self.origins or (self.local and _LOCAL_ORIGIN.fullmatch(origin)):
            return ((b"access-control-allow-origin", origin.encode("latin-1")), _CREDENTIALS)
        if "*" in self.origins:
            return ((b"access-control-allow-origin", b"*"),)
        return ()


Named = Callable[[Scope, str], Awaitable[bool]]
"""Whether a publishable key of the shop names this origin."""


async def _nobody(scope: Scope, origin: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Transport:
    """`hsts_seconds`: how long browsers are told to come by HTTPS only; 0 tells them nothing."""

    peers: Peers
    require_https: bool = True
    hsts_seconds: int = 0
    cors: Cors = Cors()
    named: Named = _nobody

    async def arrive(self, scope: Scope) -> Response | None:
        """Notes on the request where it comes from. An answer when it ends here: what came over
        the internet without encryption, and what a browser asks before a request."""
        state = scope["state"]
        state["address"], state["secure"] = self.peers.seen(scope)
        state["answer_headers"], state["shared"] = [], ()  # also when the next line fails
        state["shared"] = await self._allowed(scope)
        if self.require_https and not state["secure"] and not is_local(state["address"]):
            return refusal_response(HttpsRequired())
        return _preflight(scope) if state["shared"] else None

    def complete(self, scope: Scope, headers: list[Header]) -> list[Header]:
        """The headers of an answer, with those that every answer has and this one has not."""
        state = scope["state"]
        present = {name.lower() for name, _ in headers}
        done = [*headers, *state["answer_headers"]]
        done += [header for header in _ALWAYS if header[0] not in present]
        if b"cache-control" not in present:
            done.append(_PRIVATE)
            private = True
        else:
            private = any(n == b"cache-control" and b"no-store" in v for n, v in headers)
        if b"vary" not in present:
            done.append(_VARY if private else _VARY_ORIGIN)
        if state["secure"] and self.hsts_seconds:
            done.append((b"strict-transport-security", b"max-age=%d" % self.hsts_seconds))
        if shared := state["shared"]:
            done += (*shared, _EXPOSED)
        return done

    async def _allowed(self, scope: Scope) -> tuple[Header, ...]:
        """What lets the page that asks read the answer; nothing for one that may not."""
        path = scope["path"]
        if not path.startswith(_API):
            return ()
        origin = _header(scope, b"origin")
        if not origin:
            return ((b"access-control-allow-origin", b"*"),) if self.cors.on else ()
        allowed = self.cors.headers(origin)
        if not allowed and path.startswith(_FOR_PAGES) and await self.named(scope, origin):
            return ((b"access-control-allow-origin", origin.encode("latin-1")), _CREDENTIALS)
        return allowed


def _preflight(scope: Scope) -> Response | None:
    """The answer to what a browser asks before a request of a page that may send it."""
    if scope["method"] != "OPTIONS" or not _header(scope, b"origin"):
        return None
    if not _header(scope, b"access-control-request-method"):
        return None
    response = Response(status_code=204)
    response.raw_headers += _PREFLIGHT
    return response


def _header(scope: Scope, wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), "")
