"""Building answers. Presenters make plain dicts; nothing is validated on the way out (tests do)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

JSON = "application/json; charset=UTF-8"
PRIVATE: Mapping[str, str] = {
    "Cache-Control": "no-store, private",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
"""Carts, checkouts and orders are nobody else's business, caches included."""


def dump(body: Any) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)


def answer(request: Request, body: Any, headers: Mapping[str, str] = PRIVATE) -> Response:
    """200 with `body` as JSON, cut down to `_fields` when the client asked for that."""
    return Response(dump(cut_down(request, body)), 200, dict(headers), JSON)


def remembered(
    request: Request,
    answers: dict[Any, bytes],
    name: Any,
    make: Callable[[], Any],
    headers: Mapping[str, str],
) -> Response:
    """As `answer`, made once for what is read again and again: `answers` keeps it under `name`."""
    if "_fields" in request.query_params:
        return answer(request, make(), headers)
    body = answers.get(name)
    if body is None:
        body = answers[name] = dump(make())
    return Response(body, 200, dict(headers), JSON)


def cut_down(request: Request, body: Any) -> Any:
    """Only the members that the request's `_fields` names; all of them without."""
    wanted = request.query_params.get("_fields")
    return selected(body, wanted) if wanted else body


def selected(body: Any, wanted: str) -> Any:
    """Only the named members: a comma list of top-level or dotted names (contract README 4)."""
    if isinstance(body, list):
        return [selected(entry, wanted) for entry in body]
    if not isinstance(body, dict):
        return body
    tree: dict[str, list[str]] = {}
    for name in wanted.split(","):
        head, _, rest = name.strip().partition(".")
        if head:
            tree.setdefault(head, []).append(rest)
    return {
        key: value if "" in tree[key] else selected(value, ",".join(tree[key]))
        for key, value in body.items()
        if key in tree
    }


def has_already(request: Request, tag: str) -> bool:
    """Whether the client says that it has what this tag stands for; tags compare weakly (RFC 9110,
    13.1.2)."""
    sent = request.headers.get("if-none-match", "")
    named = [each.strip().removeprefix("W/") for each in sent.split(",")]
    return "*" in named or tag.removeprefix("W/") in named


def empty_as_list(value: Mapping[Any, Any]) -> Any:
    """An associative value as the original serialises it: `[]` when it is empty (README 4)."""
    return value or []
