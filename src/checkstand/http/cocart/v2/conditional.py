"""Answers of the catalogue: kept while they are true, with an ETag, and 304 for who has them.

Contract v2-products-store-sessions.md 2. An answer is kept for five seconds at most and dropped
with the first change of the catalogue; the stock that it shows is looked at every time.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

import checkstand
from checkstand.catalog.cache import KeptAnswer
from checkstand.http.answers import JSON, cut_down, dump
from checkstand.http.cocart.v2.parameters import invalid
from checkstand.http.inputs import TRUTHS
from checkstand.wiring import Shop

# May be stored by anybody, and must be asked for again each time.
_HEADERS = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
_NOT_IN_LINKS = ("page", "cart_key", "consumer_key", "consumer_secret", "username", "password")


@dataclass(frozen=True, slots=True)
class Made:
    """A body, what else its answer carries, and the stock that it shows."""

    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    stock: Mapping[int, int] = field(default_factory=dict)


class Pages(NamedTuple):
    page: int
    per_page: int
    total: int

    @property
    def pages(self) -> int:
        return -(-self.total // self.per_page)


async def respond(
    request: Request, shop: Shop, key: object, make: Callable[[], Awaitable[Made]]
) -> Response:
    """The answer that `key` names, from the shelf or made anew; 304 when the client has it.
    A `key` of None is an answer that is never the same twice."""
    skip = skips_cache(request)
    shelf, showcase = shop.showcase.answers, shop.showcase
    whole_key = (request.url.path, key, request.query_params.get("_fields"))
    kept = None if skip or key is None else shelf.get(whole_key, showcase.generation)
    state = "HIT"
    if kept is None or not await showcase.stock_is(kept.stock):
        state = "SKIP" if skip else "MISS"
        generation, since = showcase.generation, showcase.seconds()
        made = await make()
        body = dump(cut_down(request, made.body))
        tag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        headers = {**made.headers, "ETag": f'W/"{tag}"'}
        kept = KeptAnswer(
            body, tuple(headers.items()), tuple(made.stock.items()), generation, since
        )
        if not skip and key is not None:
            shelf.put(whole_key, kept)
    now = str(int(time.time()))
    stamps = {"Timestamp": now, "CoCart-Timestamp": now, "CoCart-Version": checkstand.__version__}
    headers = {**_HEADERS, **dict(kept.headers), **stamps, "CoCart-Cache": state}
    if not skip and _known(request, headers["ETag"]):
        return Response(None, 304, headers)
    return Response(kept.body, 200, headers, JSON)


def skips_cache(request: Request) -> bool:
    said = request.query_params.get("_skip_cache", "false").lower()
    if said not in TRUTHS:
        raise invalid({"_skip_cache": "is `true` or `false`"})
    return TRUTHS[said]


def _known(request: Request, tag: str) -> bool:
    """Whether the client says that it has this; tags compare weakly (RFC 9110, 13.1.2)."""
    sent = request.headers.get("if-none-match", "")
    named = [each.strip().removeprefix("W/") for each in sent.split(",")]
    return "*" in named or tag.removeprefix("W/") in named


def page_headers(request: Request, shop: Shop, pages: Pages) -> dict[str, str]:
    """X-WP-Total, X-WP-TotalPages, and where the pages before and after are."""
    headers = {"X-WP-Total": str(pages.total), "X-WP-TotalPages": str(pages.pages)}
    asked = [pair for pair in request.query_params.multi_items() if pair[0] not in _NOT_IN_LINKS]
    links = []
    for relation, other in (("prev", pages.page - 1), ("next", pages.page + 1)):
        if 1 <= other <= pages.pages:
            query = urlencode([*asked, ("page", str(other))], quote_via=quote, safe="[],")
            target = f"{shop.profile.base_url}{request.url.path}?{query}"
            links.append(f'<{target}>; rel="{relation}"')
    return {**headers, "Link": ", ".join(links)} if links else headers
