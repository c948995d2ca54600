"""Answers of the catalogue: kept while they are true, with an ETag, and 304 for who has them.

Contract v2-products-store-sessions.md 2. An answer is kept for five seconds at most and dropped
with the first change of the catalogue; the stock that it shows is looked at every time.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

import checkstand
from checkstand.catalog.cache import KeptAnswer
from checkstand.http.answers import JSON, dump, has_already, selected
from checkstand.http.cocart.v2.parameters import invalid
from checkstand.http.inputs import TRUTHS
from checkstand.wiring import Shop

# May be stored by anybody, and must be asked for again each time.
_HEADERS = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
_ABOUT_THE_CALLER = ("cart_key", "consumer_key", "consumer_secret", "username", "password")


@dataclass(frozen=True, slots=True)
class Made:
    """A body, what else its answer carries, and the stock that it shows. `entries` is the member
    that a list is wrapped in, when it is."""

    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    stock: Mapping[int, int] = field(default_factory=dict)
    entries: str = ""


class Pages(NamedTuple):
    """`offset` counts entries, instead of pages."""

    page: int
    per_page: int
    total: int
    offset: int | None = None

    @property
    def pages(self) -> int:
        return -(-self.total // self.per_page)


async def respond(
    request: Request, shop: Shop, key: object, make: Callable[[], Awaitable[Made]]
) -> Response:
    """The answer that `key` and the address name, from the shelf or made anew; 304 when the client
    has it. A `key` of None is an answer that is never the same twice."""
    skip = skips_cache(request)
    shelf, showcase = shop.showcase.answers, shop.showcase
    wanted = _members_wanted(request)
    # Links repeat what was asked, but not who asked: SDKs send each shopper's cart key along.
    whole_key = (request.url.path, key, wanted, tuple(_asked(request)))
    kept = None if skip or key is None else shelf.get(whole_key, showcase.generation)
    state = "HIT"
    if kept is None or not await showcase.stock_is(kept.stock):
        state = "SKIP" if skip else "MISS"
        generation, since = showcase.generation, showcase.seconds()
        made = await make()
        body = dump(made.body)
        if wanted:
            body = dump(_cut_down(orjson.loads(body), wanted, made.entries))
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
    if not skip and has_already(request, headers["ETag"]):
        return Response(None, 304, headers)
    return Response(kept.body, 200, headers, JSON)


def _members_wanted(request: Request) -> str:
    """Which members the client wants: `_fields`, or as older clients say `fields`, each also as a
    list; "" for all (contract sdk-expectations.md 1.3)."""
    query = request.query_params
    for name in ("_fields", "_fields[]", "fields", "fields[]"):
        if name in query:
            return ",".join(query.getlist(name))
    return ""


def _cut_down(body: Any, wanted: str, entries: str) -> Any:
    """Only the members that are wanted. Of a list that is wrapped, names that the wrapper does not
    have are meant for each entry (contract products-and-store.md 1.2)."""
    if not entries:
        return selected(body, wanted)
    names = [name.strip() for name in wanted.split(",")]
    own = [name for name in names if name.partition(".")[0] in body]
    inner = [name for name in names if name and name.partition(".")[0] not in body]
    if not inner:
        return selected(body, ",".join(own))
    cut = selected(body[entries], ",".join(inner))
    return {**(selected(body, ",".join(own)) if own else body), entries: cut}


def skips_cache(request: Request) -> bool:
    said = request.query_params.get("_skip_cache", "false").lower()
    if said not in TRUTHS:
        raise invalid({"_skip_cache": "is `true` or `false`"})
    return TRUTHS[said]


def page_headers(request: Request, shop: Shop, pages: Pages) -> dict[str, str]:
    """X-WP-Total, X-WP-TotalPages, and where the pages before and after are; for who counts entries
    with `offset`, the entries before and after."""
    headers = {"X-WP-Total": str(pages.total), "X-WP-TotalPages": str(pages.pages)}
    links = [
        f'<{_address(request, shop, name, value)}>; rel="{relation}"'
        for relation, name, value in _neighbours(pages)
    ]
    return {**headers, "Link": ", ".join(links)} if links else headers


def _neighbours(pages: Pages) -> Iterator[tuple[str, str, int]]:
    """Relation, parameter and value."""
    if pages.offset is not None:
        if pages.offset > 0 and pages.total:
            before = min(pages.offset, pages.total) - pages.per_page
            yield "prev", "offset", max(before, 0)
        if pages.offset + pages.per_page < pages.total:
            yield "next", "offset", pages.offset + pages.per_page
        return
    if pages.page > 1 and pages.pages:
        yield "prev", "page", min(pages.page - 1, pages.pages)
    if pages.page < pages.pages:
        yield "next", "page", pages.page + 1


def _address(request: Request, shop: Shop, name: str, value: int) -> str:
    moved = [pair for pair in _asked(request) if pair[0] not in (name, "page")]
    query = urlencode([*moved, (name, str(value))], quote_via=quote, safe="[],")
    return f"{shop.profile.base_url}{request.url.path}?{query}"


def _asked(request: Request) -> list[tuple[str, str]]:
    """The query without what it says of the caller."""
    pairs = request.query_params.multi_items()
    return [pair for pair in pairs if pair[0] not in _ABOUT_THE_CALLER]
