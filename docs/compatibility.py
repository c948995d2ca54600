"""The table of reference/compatibility.md: the routes of the contract, and which the app has.

    python docs/compatibility.py            writes the table into the page

What is served is asked of the app itself, so the page cannot claim more (tests/docs checks that it
is the one that this makes). What is left out of a served route is said in contract-routes.txt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from checkstand.app import create_app
from checkstand.settings import Settings

HERE = Path(__file__).parent
PAGE = HERE / "reference" / "compatibility.md"
API = "/wp-json/cocart"
BEGIN = "<!-- coverage: made by docs/compatibility.py -->"
END = "<!-- end of coverage -->"
_HEAD = "| Method | Path | State | Note |\n|---|---|---|---|"
_UNLISTED = "Of our own"


@dataclass(frozen=True)
class Promise:
    """A route of the contract. `partly`: the note says what is left out of it."""

    method: str
    path: str
    partly: bool
    note: str

    @property
    def key(self) -> tuple[str, str]:
        return self.method, anonymous(self.path)


def anonymous(path: str) -> str:
    """The path without the names of its parameters."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def promises() -> dict[str, list[Promise]]:
    """The routes of the contract, by section."""
    found: dict[str, list[Promise]] = {}
    section: list[Promise] = []
    for line in (HERE / "contract-routes.txt").read_text().splitlines():
        if line.startswith("## "):
            section = found.setdefault(line[3:], [])
        elif line and not line.startswith("#"):
            route, *rest = (part.strip() for part in line.split(" | ", 2))
            method, path = route.split()
            partly = rest[:1] == ["partly"]
            section.append(Promise(method, path, partly, "".join(rest[partly:])))
    return found


def served() -> dict[tuple[str, str], str]:
    """Method and anonymous path of every route of the API that the app has -> the path as it is."""
    paths = create_app(Settings()).openapi()["paths"]
    return {
        (method.upper(), anonymous(path.removeprefix(API))): path.removeprefix(API)
        for path, methods in paths.items()
        if path.startswith(f"{API}/")
        for method in methods
    }


def table() -> str:
    """The sections with a row for each route, and how many of them are served."""
    ours = served()
    sections = promises()
    left = dict(ours)
    for promise in (each for rows in sections.values() for each in rows):
        left.pop(promise.key, None)
    if left:
        sections[_UNLISTED] = [
            Promise(method, path, False, "Not in CoCart.") for (method, _), path in left.items()
        ]
    return "\n".join(_told(sections, ours))


def _told(sections: dict[str, list[Promise]], ours: dict[tuple[str, str], str]) -> Iterator[str]:
    every = [promise for title, rows in sections.items() if title != _UNLISTED for promise in rows]
    have = [promise for promise in every if promise.key in ours]
    partly = sum(promise.partly for promise in have)
    yield f"{len(have)} of CoCart's {len(every)} routes are served, {partly} of these in part."
    for title, rows in sections.items():
        yield f"\n### {title}\n\n{_HEAD}"
        for promise in rows:
            path = ours.get(promise.key)
            state = "not yet" if path is None else "partly" if promise.partly else "served"
            note = promise.note.replace("|", "\\|")
            yield f"| {promise.method} | `{path or promise.path}` | {state} | {note} |".replace(
                "|  |", "| |"
            )


def page() -> str:
    """The whole page with the table as it is now."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page())
