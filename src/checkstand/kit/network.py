"""Internet addresses and networks, as text."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


def parsed(text: str) -> Address | None:
    """The address, an IPv4 one that is written as IPv6 as what it is; None when it is none."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def within(address: str, networks: Iterable[Network]) -> bool:
    found = parsed(address)
    return found is not None and any(found in network for network in networks)


@lru_cache(10_000)
def is_local(address: str) -> bool:
    """Whether the address is this machine or a private network; a socket file ("") is."""
    found = parsed(address) if address else None
    return not address or (found is not None and not found.is_global)


@lru_cache(10_000)
def household(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 that one IPv6 line has."""
    found = parsed(address)
    if isinstance(found, IPv6Address):
        return str(ip_network((found, 64), strict=False))
    return str(found) if found else address


@lru_cache(10_000)
def neighbourhood(address: str) -> str:
    """The network that counts as one place: a /24 of IPv4, a /48 of IPv6; "" without an address."""
    found = parsed(address)
    if found is None:
        return ""
    return str(ip_network((found, 24 if found.version == 4 else 48), strict=False))
