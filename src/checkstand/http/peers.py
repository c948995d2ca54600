"""Where a request comes from: the peer of the connection, or what proxies that we trust say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import ip_network
from typing import Literal

from starlette.types import Scope

from checkstand.kit.network import Network, parsed, within

ClientHeader = Literal["x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip"]

UNIX = "unix"
"""What to trust when the proxy connects by a socket file: there is no address then."""
_ELEMENT = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_PAIR = re.compile(r'\s*([\w-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;\s]*)\s*(?:;|$)')
_LONGEST = 2000


class Peers:
    """Says the address of the client and whether it came by HTTPS. One header names the client,
    the one that the proxies set: any other may have been sent by the client and passed on. From
    the lists, the nearest address counts that is not a trusted proxy itself."""

    def __init__(self, trusted: Iterable[str], header: ClientHeader) -> None:
        names = list(trusted)
        self._unix = UNIX in names
        self._networks: Sequence[Network] = [ip_network(name) for name in names if name != UNIX]
        self._any = bool(names)
        self._header = header.encode()
        self.trusts = lru_cache(10_000)(self._trusts)

    def seen(self, scope: Scope) -> tuple[str, bool]:
        """The client's address ("" for a socket file) and whether the connection is encrypted."""
        client = scope.get("client")
        peer = str(client[0]) if client else ""
        secure = scope.get("scheme") == "https"
        if not self._any or not self.trusts(peer):
            return peer, secure
        address, proto = self._told(scope["headers"])
        return address or peer, secure or proto == "https"

    def _trusts(self, address: str) -> bool:
        if not address:
            return self._unix
        return within(address, self._networks)

    def _told(self, headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str]:
        """Address and scheme as a trusted proxy told them; "" for what it did not tell."""
        said: list[str] = []
        schemes: list[str] = []
        for name, value in headers:
            if name == self._header:
                said.append(value.decode("latin-1")[-_LONGEST:])
            elif name == b"x-forwarded-proto":
                schemes += value.decode("latin-1").lower().split(",")
        text = ",".join(said)
        if self._header == b"forwarded":
            return self._nearest(_elements(text))
        # The last of several, which the nearest proxy wrote.
        scheme = schemes[-1].strip() if schemes else ""
        if self._header == b"x-forwarded-for":
            return self._nearest([(entry, "") for entry in text.split(",")])[0], scheme
        found = parsed(text.strip())
        return (str(found) if found else ""), scheme

    def _nearest(self, hops: Sequence[tuple[str, str]]) -> tuple[str, str]:
        last = ("", "")
        for entry, scheme in reversed(hops):
            found = parsed(_without_port(entry.strip()))
            if found is None:
                break  # what comes before it, nobody that we trust has vouched for
            last = (str(found), scheme)
            if not self.trusts(last[0]):
                break
        return last


def _without_port(entry: str) -> str:
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry


def _elements(text: str) -> list[tuple[str, str]]:
    """`for` and `proto` of every element of a Forwarded header (RFC 7239)."""
    found = []
    for element in _ELEMENT.findall(text):
        pairs = {name.lower(): value.strip('"') for name, value in _PAIR.findall(element)}
        found.append((pairs.get("for", ""), pairs.get("proto", "").lower()))
    return found
