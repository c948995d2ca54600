"""Who the client is, when proxies stand in between and clients lie."""

from __future__ import annotations

import pytest

from checkstand.http.peers import Peers
from checkstand.kit.network import household, is_local

PROXY, CLIENT, LIAR = "10.0.0.7", "198.51.100.4", "203.0.113.66"


def seen(peers: Peers, peer: str | None, scheme: str = "http", **headers: str) -> tuple[str, bool]:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    client = (peer, 1) if peer else None
    return peers.seen({"type": "http", "client": client, "scheme": scheme, "headers": raw})


FORWARDED = Peers(["10.0.0.0/8", "2001:db8:1::/48"], "forwarded")
LISTED = Peers(["10.0.0.0/8"], "x-forwarded-for")


@pytest.mark.parametrize(
    "header", ["x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip"]
)
def test_nobody_is_believed_who_is_not_trusted(header: str) -> None:
    said = {
        "x_forwarded_for": CLIENT,
        "forwarded": f"for={CLIENT};proto=https",
        "x_real_ip": CLIENT,
        "cf_connecting_ip": CLIENT,
        "x_forwarded_proto": "https",
    }
    for trusted in ([], ["10.0.0.0/8"]):
        assert seen(Peers(trusted, header), LIAR, **said) == (LIAR, False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "address"),
    [
        (CLIENT, CLIENT),
        (f"{LIAR}, {CLIENT}", CLIENT),  # what the client wrote comes first
        (f"{LIAR}, {CLIENT}, 10.0.0.1", CLIENT),  # two proxies of ours
        (f"{CLIENT}:5112", CLIENT),
        ("[2001:db8::5]:443", "2001:db8::5"),
        ("2001:db8::5", "2001:db8::5"),
        (f"::ffff:{CLIENT}", CLIENT),
        (f"{CLIENT}, unknown", PROXY),  # whoever is hidden, we do not guess
        (f"{CLIENT}, unknown, 10.0.0.1", "10.0.0.1"),
        ("", PROXY),
        ("nonsense", PROXY),
        ("10.0.0.1, 10.0.0.2", "10.0.0.1"),
        (f"{LIAR}, ::ffff:10.0.0.1", LIAR),  # ours, written as IPv6
        (f"{LIAR}, {CLIENT},", PROXY),
        ("9" * 5000 + f", {CLIENT}", CLIENT),
        ("10.0.0.1, " * 1000 + "10.0.0.2", "10.0.0.1"),
        (f'"{LIAR}", {CLIENT}', CLIENT),
        (f"{LIAR}%eth0, {CLIENT}%eth0", PROXY),
    ],
)
def test_the_list_is_read_from_its_near_end(said: str, address: str) -> None:
    assert seen(LISTED, PROXY, x_forwarded_for=said)[0] == address


def test_several_header_lines_are_one_list() -> None:
    raw = [(b"x-forwarded-for", LIAR.encode()), (b"x-forwarded-for", CLIENT.encode())]
    scope = {"type": "http", "client": (PROXY, 1), "scheme": "http", "headers": raw}
    assert LISTED.seen(scope)[0] == CLIENT


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (f"for={CLIENT};proto=https", (CLIENT, True)),
        (f"For={LIAR};proto=https, for={CLIENT};proto=http", (CLIENT, False)),
        ('for="[2001:db8::9]:4711";proto=https;by=10.0.0.1', ("2001:db8::9", True)),
        (f'for={CLIENT};proto=https, for="[2001:db8:1::3]"', (CLIENT, True)),
        (f'for={LIAR};x="a,b", for={CLIENT}', (CLIENT, False)),
        (f"for=_hidden, for={CLIENT}", (CLIENT, False)),
        ("for=unknown", (PROXY, False)),
        # What a client wrote to swallow what the proxy puts behind it.
        (f'for={LIAR};a=", for="[2001:db8::9]";proto=http', ("2001:db8::9", False)),
        (f'for={LIAR};proto=https;a="\\, for={CLIENT}', (CLIENT, False)),
        (f'for={LIAR};a=", for="[2001:db8::9]:1", for=10.0.0.1', ("2001:db8::9", False)),
        (f"for={LIAR};for={CLIENT}", (PROXY, False)),
        (f"{LIAR};proto=https", (PROXY, False)),
        ("proto=https", (PROXY, False)),
    ],
)
def test_forwarded(said: str, expected: tuple[str, bool]) -> None:
    assert seen(FORWARDED, PROXY, forwarded=said) == expected


@pytest.mark.parametrize("header", ["x-real-ip", "cf-connecting-ip"])
def test_only_the_header_that_was_chosen_counts(header: str) -> None:
    """A proxy that sets one of them passes the others on as the client wrote them."""
    peers = Peers(["10.0.0.0/8"], header)  # type: ignore[arg-type]
    name = header.replace("-", "_")
    said = dict.fromkeys(("x_real_ip", "cf_connecting_ip", "x_forwarded_for", "forwarded"), LIAR)
    assert seen(peers, PROXY, **{**said, name: CLIENT})[0] == CLIENT


def test_the_scheme_is_what_the_nearest_proxy_says() -> None:
    assert seen(LISTED, PROXY, x_forwarded_proto="https")[1]
    assert not seen(LISTED, PROXY, x_forwarded_proto="https, http")[1]
    assert seen(LISTED, LIAR, scheme="https")[1]


def test_a_socket_file_is_trusted_by_name_only() -> None:
    assert seen(LISTED, None, x_forwarded_for=CLIENT)[0] == ""
    assert seen(Peers(["unix"], "x-forwarded-for"), None, x_forwarded_for=CLIENT)[0] == CLIENT


def test_a_proxy_that_is_not_trusted_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    peers = Peers([], "x-forwarded-for")
    for peer in ("2a00:1450::1", "8.8.8.8"):
        assert seen(peers, peer, x_forwarded_for=CLIENT)[0] == peer
    assert seen(peers, PROXY)[0] == PROXY
    assert not caplog.records, "anybody on the internet may send such headers"
    for _ in range(3):
        assert seen(peers, PROXY, x_forwarded_for=CLIENT)[0] == PROXY
    (said,) = caplog.records
    assert "10.0.0.7 sends forwarding headers" in said.getMessage()


def test_local_and_households() -> None:
    for address in ("127.0.0.1", "::1", "10.1.2.3", "192.168.0.9", "fe80::1", "fd00::1", ""):
        assert is_local(address)
    for address in ("8.8.8.8", "2a00:1450::1", "nonsense"):
        assert not is_local(address)
    assert household("2a00:1450:1:2:3::4") == household("2a00:1450:1:2:ffff::9")
    assert household("2a00:1450:1:2::1") != household("2a00:1450:1:3::1")
    assert household("8.8.8.8") != household("8.8.8.9")
