"""Digests of secrets and comparison in constant time."""

from __future__ import annotations

import hashlib
import hmac


def sha256(text: str) -> str:
    """Hex SHA-256: how random secrets (consumer keys and secrets) are stored."""
    return hashlib.sha256(text.encode()).hexdigest()


def same(left: str, right: str) -> bool:
    """Whether two texts are equal, in time that does not depend on where they differ."""
    return hmac.compare_digest(left.encode(), right.encode())
