"""How entries are chained: pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it is stored. `position` and `hash` are None until it is sealed, `personal` is
    None when there was nothing personal or it was erased."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    request_id: str
    detail: Mapping[str, Any]
    personal: Mapping[str, Any] | None
    salt: str | None
    personal_digest: str
    position: int | None = None
    hash: str | None = None

    @property
    def genuine(self) -> bool:
        """Whether the personal part is the one that was written; an erased one is."""
        if self.personal is None:
            return True
        return personal_digest(self.salt or "", self.personal) == self.personal_digest

    def as_json(self) -> dict[str, Any]:
        """For an export."""
        return {
            "position": self.position,
            "id": self.id,
            "at": _time(self.at),
            "actor": self.actor,
            "action": self.action,
            "subject": self.subject,
            "request_id": self.request_id,
            "detail": self.detail,
            "personal": self.personal,
            "salt": self.salt,
            "personal_digest": self.personal_digest,
            "hash": self.hash,
        }


def seal(entry: Entry, position: int, previous: str) -> str:
    """The hash of an entry at its place: SHA-256 over the hash before it and all that the entry
    says, personal parts by their digest."""
    said = [
        previous,
        position,
        entry.id,
        _time(entry.at),
        entry.actor,
        entry.action,
        entry.subject,
        entry.request_id,
        entry.detail,
        entry.personal_digest,
    ]
    return hashlib.sha256(_canonical(said)).hexdigest()


def personal_digest(salt: str, personal: Mapping[str, Any]) -> str:
    """Salted, so that nobody can find an address by trying all of them once the salt is gone."""
    return hashlib.sha256(salt.encode() + b"\n" + _canonical(personal)).hexdigest()


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
