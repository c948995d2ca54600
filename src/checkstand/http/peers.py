"""Where a request comes from: the peer of the connection, or what proxies that we trust say."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from ipaddress import ip_network
from typing import Literal

from starlette.types import Scope

from checkstand.kit.network import Network, is_local, parsed, within

ClientHeader = Literal["x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip"]

UNIX = "unix"
"""What to trust when the proxy connects by a socket file: there is no address then."""
_FORWARDING = frozenset((b"x-forwarded-for", b"forwarded", b"x-real-ip", b"cf-connecting-ip"))
_LONGEST = 2000
"""Characters of the header that are looked at, from its near end."""
_log = logging.getLogger(__name__)


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
        self._warned = False
        self.trusts = lru_cache(10_000)(self._trusts)

    def seen(self, scope: Scope) -> tuple[str, bool]:
        """The client's address ("" for a socket file) and whether the connection is encrypted."""
        client = scope.get("client")
        peer = str(client[0]) if client else ""
        secure = scope.get("scheme") == "https"
        if not self._any or not self.trusts(peer):
            if not self._warned and is_local(peer):
                self._warn(peer, scope["headers"])
            return peer, secure
        address, proto = self._told(scope["headers"])
        return address or peer, secure or proto == "https"

    def _trusts(self, address: str) -> bool:
        if not address:
            return self._unix
        return within(address, self._networks)

    def _warn(self, peer: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Says once that a neighbour speaks for others and is not believed."""
        if any(name in _FORWARDING for name, _ in headers):
            self._warned = True
            _log.warning(
                "%s sends forwarding headers and is not in security.trusted_proxies: if it is the "
                "shop's proxy, all its clients count as one; see `checkstand doctor`",
                peer or "a socket file",
            )

    def _told(self, headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str]:
        """Address and scheme as a trusted proxy told them; "" for what it did not tell."""
        said: list[str] = []
        schemes: list[str] = []
        for name, value in headers:
            if name == self._header:
                said.append(value.decode("latin-1"))
            elif name == b"x-forwarded-proto":
                schemes += value[-_LONGEST:].decode("latin-1").lower().split(",")
        text = ",".join(said)
        if self._header == b"forwarded":
            return self._nearest(map(_for_and_proto, _from_the_right(text, ",")))
        # The last of several, which the nearest proxy wrote.
        scheme = schemes[-1].strip() if schemes else ""
        if self._header == b"x-forwarded-for":
            entries = _from_the_right(text, ",")
            return self._nearest((entry, "") for entry in entries)[0], scheme
        found = parsed(text.strip())
        return (str(found) if found else ""), scheme

    def _nearest(self, hops: Iterable[tuple[str, str]]) -> tuple[str, str]:
        """The first hop, from the near end, that is not ours; the last of ours without one."""
        last = ("", "")
        for entry, scheme in hops:
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


def _from_the_right(text: str, separator: str) -> Iterator[str]:
    """The parts of a list, the last one first; separators in quotes are none. Read from this end,
    what a client wrote (a quote that never closes) cannot change what a proxy put behind it. Of a
    text that is too long, the part that is cut is left out."""
    seen = text[-_LONGEST:]
    end, quoted = len(seen), False
    for at in range(len(seen) - 1, -1, -1):
        if seen[at] == '"':
            quoted = not quoted
        elif seen[at] == separator and not quoted:
            yield seen[at + 1 : end]
            end = at
    if len(text) <= _LONGEST:
        yield seen[:end]


def _for_and_proto(element: str) -> tuple[str, str]:
    """`for` and `proto` of an element of a Forwarded header (RFC 7239); "" for what it does not
    say, or says twice."""
    pairs: dict[str, str] = {}
    for part in _from_the_right(element, ";"):
        name, _, value = part.partition("=")
        name = name.strip().lower()
        pairs[name] = "" if name in pairs else value.strip().strip('"')
    return pairs.get("for", ""), pairs.get("proto", "").lower()
