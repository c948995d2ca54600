"""Form bodies as the original reads them: PHP's brackets make lists and objects.

`a[b][]=1` is {"a": {"b": ["1"]}}, `items[0][id]=5` is {"items": [{"id": "5"}]}. Keys that count
from 0 without a gap make a list, others an object. A name that is sent again wins over the earlier
one. All values are text: the schemas take numbers and booleans as text.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser

from checkstand.errors import ParameterInvalid, UnsupportedMediaType

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
MAX_FIELDS = 1_000
"""As many as PHP reads by default."""
MAX_DEPTH = 19
"""Brackets of one name: with the form around them, as deep as JSON may be nested."""

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])+)")
_INDEX = re.compile(r"0|[1-9][0-9]{0,5}", re.ASCII)
_UTF8 = ("utf-8", "utf8", "us-ascii")

Value = str | list["Value"] | dict[str, "Value"]


async def read(content_type: str, body: bytes) -> dict[str, Value] | None:
    """The form as nested values; None when the type is no form's. ParameterInvalid for what is not
    UTF-8, too many, too deep or a file; UnsupportedMediaType for another charset."""
    kind, options = parse_options_header(content_type)
    if kind not in (URLENCODED.encode(), MULTIPART.encode()):
        return None
    charset = options.get(b"charset", b"utf-8").decode("latin-1").lower()
    if charset not in _UTF8:
        raise UnsupportedMediaType("Send forms in UTF-8.")
    try:
        text = body.decode()
        if kind == URLENCODED.encode():
            pairs = _urlencoded(text)
        else:
            pairs = await _multipart(content_type, body)
    except UnicodeDecodeError:
        raise ParameterInvalid("The form is not in UTF-8.") from None
    return nested(pairs)


def _urlencoded(text: str) -> list[tuple[str, str]]:
    if text.count("&") >= MAX_FIELDS:
        raise _too_many()
    return parse_qsl(text, keep_blank_values=True, errors="strict")


async def _multipart(content_type: str, body: bytes) -> list[tuple[str, str]]:
    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    headers = Headers({"content-type": content_type})
    parser = MultiPartParser(
        headers, whole(), max_files=0, max_fields=MAX_FIELDS, max_part_size=len(body)
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise _refused(error.message) from None
    return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]


def _refused(reason: str) -> ParameterInvalid:
    """In words of ours: the parser's may repeat what was sent."""
    if "files" in reason:
        return ParameterInvalid("Files are not taken here.")
    if "fields" in reason:
        return _too_many()
    return ParameterInvalid("The multipart body cannot be read.")


def _too_many() -> ParameterInvalid:
    return ParameterInvalid(f"A form has at most {MAX_FIELDS} fields.")


class _Node:
    """An array of PHP's: what `[]` is called next follows the largest index so far."""

    __slots__ = ("members", "next")

    def __init__(self) -> None:
        self.members: dict[str, str | _Node] = {}
        self.next = 0

    def named(self, key: str) -> str:
        """The key itself, or the next index for an empty one."""
        if not key:
            key = str(self.next)
        if _INDEX.fullmatch(key):
            self.next = max(self.next, int(key) + 1)
        return key

    def value(self) -> list[Value] | dict[str, Value]:
        """A list where the keys count from 0, else an object."""
        shown: dict[str, Value] = {
            key: each if isinstance(each, str) else each.value()
            for key, each in self.members.items()
        }
        indexes = [str(index) for index in range(len(shown))]
        if shown and shown.keys() == set(indexes):
            return [shown[index] for index in indexes]
        return shown


def nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Value]:
    """The pairs as the objects and lists that their names spell."""
    root = _Node()
    for name, value in pairs:
        spelled = _NAME.fullmatch(name)
        if spelled is None:  # brackets that are not closed are a part of the name
            root.members[name] = value
            continue
        keys = [spelled[1], *spelled[2][1:-1].split("][")]
        if len(keys) > MAX_DEPTH + 1:
            raise ParameterInvalid(f"A form is nested at most {MAX_DEPTH} levels deep.")
        node = root
        for sent in keys[:-1]:
            key = node.named(sent)
            inner = node.members.get(key)
            if not isinstance(inner, _Node):
                inner = node.members[key] = _Node()
            node = inner
        node.members[node.named(keys[-1])] = value
    return {
        key: each if isinstance(each, str) else each.value() for key, each in root.members.items()
    }


def spelled(members: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The pairs whose names spell these objects and lists: the other way round."""
    return [pair for name, value in members.items() for pair in _pairs(name, value)]


def _pairs(name: str, value: Any) -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            for key, inner in value.items():
                yield from _pairs(f"{name}[{key}]", inner)
        case list():
            for index, inner in enumerate(value):
                yield from _pairs(f"{name}[{index}]", inner)
        case bool():
            yield name, "true" if value else "false"
        case None:
            return
        case _:
            yield name, str(value)
