"""Slugs: what names look like in URLs and on the wire, as close to WordPress as matters.

Letters outside ASCII stay (WordPress would percent-encode them); accents on Latin letters go.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache

_LETTERS = str.maketrans(
    {
        "ß": "ss",
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ł": "l",
        "\u00d7": "x",
    }
)
_DASHES = re.compile(r"[\s./\u2010-\u2015-]+")
_DROPPED = re.compile(r"[^\w-]+")
_LONGEST = 150


@lru_cache(maxsize=4096)
def slugify(text: str) -> str:
    """`text` in lower case, words joined by dashes; "" when nothing of it can be kept.

    "Größe S / M" -> "grosse-s-m", "C++" -> "c", "抹茶 Set" -> "抹茶-set". At most 150 characters.
    """
    plain = "".join(map(_plain, text.lower().translate(_LETTERS))).lower()
    dashed = _DROPPED.sub("", _DASHES.sub("-", plain))
    return re.sub(r"-{2,}", "-", dashed).strip("-_")[:_LONGEST].rstrip("-_")


def slug_of(name: str) -> str:
    """A slug that is never empty: for a name of signs only, one made from its digest."""
    return slugify(name) or hashlib.sha256(name.encode()).hexdigest()[:12]


def _plain(letter: str) -> str:
    """The ASCII letters that `letter` is made of, or itself when it is of another script."""
    if letter.isascii():
        return letter
    decomposed = unicodedata.normalize("NFKD", letter)
    if not decomposed[0].isascii():
        return letter
    return "".join(part for part in decomposed if part.isascii())
