"""The certificates that gateways trust, loaded once: that is the slow part of making a client."""

from __future__ import annotations

import ssl
from functools import lru_cache

import httpx2


@lru_cache(maxsize=1)
def trusted() -> ssl.SSLContext:
    return httpx2.create_ssl_context()
