"""Who is at it right now: set at the door (a request, a command), read when an entry is written."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """`actor`: `account 3`, `key 7`, `guest`, `operator` (a command) or `system` (by itself).
    `proven`: a challenge of the shield was passed with this request."""

    actor: str = "system"
    address: str = ""
    request_id: str = ""
    proven: bool = False


origin: ContextVar[Origin] = ContextVar("origin", default=Origin())  # noqa: B039 - it is frozen
