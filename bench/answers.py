"""What the shop really answers, captured for the floor to repeat byte for byte."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from bench.paths import Measured, Work
from bench.rehearsal import rehearsing
from bench.stage import Stage

_BY_UVICORN = (b"date", b"server")


@dataclass(frozen=True, slots=True)
class Answer:
    """One captured answer, and what the floor does in the database before it sends it."""

    method: str
    route: str
    work: Work
    headers: tuple[tuple[str, str], ...]
    body: str

    @classmethod
    def of(cls, saved: dict[str, Any]) -> Self:
        """From what `as_json` gave."""
        headers = tuple((name, value) for name, value in saved["headers"])
        return cls(**{**saved, "headers": headers})

    def as_json(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "route": self.route,
            "work": self.work,
            "headers": self.headers,
            "body": self.body,
        }


def capture(stage: Stage, paths: Sequence[Measured]) -> list[Answer]:
    """One answer for each path; leaves an order in the database for the floor to copy."""
    return asyncio.run(_capture(stage, paths))


async def _capture(stage: Stage, paths: Sequence[Measured]) -> list[Answer]:
    answers = []
    async with rehearsing(stage.settings) as shop:
        for path in paths:
            label = f"capture {path.name}"
            (cart,) = await stage.make_carts("shop", 1, label, path.promoted)
            keys = stage.keys if path.with_key else {}
            body = path.bodies[0] if path.bodies else None
            said = await shop.ask(path.method, path.route, keys, cart, body)
            headers = tuple(
                (name.decode(), value.decode())
                for name, value in said.headers.raw
                if name.lower() not in _BY_UVICORN
            )
            answers.append(Answer(path.method, path.route, path.work, headers, said.text))
    return answers
