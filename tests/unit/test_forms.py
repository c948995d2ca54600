"""Forms as PHP reads them, and their bounds."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkstand.errors import ParameterInvalid, UnsupportedMediaType
from checkstand.http import forms

FORM = forms.URLENCODED


async def form(text: str | bytes, kind: str = FORM) -> Any:
    return await forms.read(kind, text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("id=1&quantity=2", {"id": "1", "quantity": "2"}),
        ("a[b][]=1&a[b][]=2", {"a": {"b": ["1", "2"]}}),
        ("items[0][id]=5&items[0][quantity]=1&items[1][id]=6", {
            "items": [{"id": "5", "quantity": "1"}, {"id": "6"}]
        }),
        ("items[1][id]=6&items[0][id]=5", {"items": [{"id": "5"}, {"id": "6"}]}),
        ("quantity[581]=2&quantity[90]=1", {"quantity": {"581": "2", "90": "1"}}),
        ("quantity[1]=2", {"quantity": {"1": "2"}}),
        ("a[3]=x&a[]=y", {"a": {"3": "x", "4": "y"}}),
        ("a[00]=x", {"a": {"00": "x"}}),
        ("a=1&a=2", {"a": "2"}),
        ("a=1&a[b]=2", {"a": {"b": "2"}}),
        ("a[b]=1&a=2", {"a": "2"}),
        ("a%5Bb%5D=%C3%A9+x", {"a": {"b": "é x"}}),
        ("a[b=1&c]=2&[]=3", {"a[b": "1", "c]": "2", "[]": "3"}),
        ("a=&b", {"a": "", "b": ""}),
        ("payment_data[0][key]=k&payment_data[0][value]=v", {
            "payment_data": [{"key": "k", "value": "v"}]
        }),
        ("a" + "[x]" * 2 + "=1", {"a": {"x": {"x": "1"}}}),
    ],
)  # fmt: skip
async def test_brackets(text: str, means: Any) -> None:
    assert await form(text) == means


@pytest.mark.parametrize(
    "text",
    [
        b"a=%ff",
        b"a=\xff",
        b"a=%ed%a0%80",  # a lone surrogate
        "&".join(f"a{i}=1" for i in range(1_001)).encode(),
        b"a" + b"[x]" * 20 + b"=1",
        b"a" + b"[]" * 100_000 + b"=1",
    ],
)
async def test_bounds(text: bytes) -> None:
    with pytest.raises(ParameterInvalid):
        await form(text)


async def test_what_is_just_within_the_bounds() -> None:
    assert len(await form("&".join(f"a{i}=1" for i in range(1_000)))) == 1_000
    assert await form("a" + "[x]" * forms.MAX_DEPTH + "=1")


def multipart(*parts: bytes, boundary: bytes = b"xYz") -> bytes:
    return (
        b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts) + b"--%s--\r\n" % boundary
    )


def part(name: str, value: bytes, more: bytes = b"") -> bytes:
    return b'Content-Disposition: form-data; name="%s"%s\r\n\r\n%s' % (name.encode(), more, value)


MULTI = "multipart/form-data; boundary=xYz"


async def test_multipart() -> None:
    body = multipart(part("id", b"1"), part("variation[size]", "größe".encode()))
    assert await form(body, MULTI) == {"id": "1", "variation": {"size": "größe"}}


@pytest.mark.parametrize(
    "body",
    [
        multipart(part("id", b"1", b'; filename="x.txt"')),
        multipart(part("id", b"\xff\xfe")),
        multipart(*(part(f"f{i}", b"1") for i in range(1_001))),
        b"no multipart at all",
        b"--xYz\r\nContent-Disposition: form-data\r\n\r\n1\r\n--xYz--\r\n",
    ],
)
async def test_multipart_that_is_refused(body: bytes) -> None:
    with pytest.raises(ParameterInvalid) as caught:
        await form(body, MULTI)
    assert "xYz" not in caught.value.message


async def test_multipart_without_a_boundary() -> None:
    with pytest.raises(ParameterInvalid):
        await form(multipart(part("id", b"1")), "multipart/form-data")


@pytest.mark.parametrize("charset", ["utf-16", "punycode", "unicode_escape", "iso-8859-1", "nope"])
@pytest.mark.parametrize("kind", [FORM, MULTI])
async def test_other_charsets(kind: str, charset: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        await form(b"a=1", f"{kind}; charset={charset}")


async def test_other_types_are_no_forms() -> None:
    for kind in ("text/plain", "multipart/mixed; boundary=x", "", ";"):
        assert await form("a=1", kind) is None


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="[]\0"), min_size=1, max_size=5)
TREES = st.recursive(
    st.text(st.characters(codec="utf-8"), max_size=5),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(
            WORDS.filter(lambda key: not key.isdecimal()), inner, min_size=1, max_size=3
        )
    ),
    max_leaves=8,
)


def flat(name: str, tree: Any) -> list[tuple[str, str]]:
    if isinstance(tree, str):
        return [(name, tree)]
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree)
    return [pair for key, value in inner for pair in flat(f"{name}[{key}]", value)]


@given(st.dictionaries(WORDS, TREES, min_size=1, max_size=3))
async def test_what_is_written_is_read(tree: dict[str, Any]) -> None:
    pairs = [pair for name, value in tree.items() for pair in flat(name, value)]
    assert await form(urlencode(pairs)) == tree
