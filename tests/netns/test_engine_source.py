from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.enginepair import Star, sniffing
from support.until import until


@pytest.fixture(scope="module")
def star() -> Iterator[Star]:
    """A server with two connected clients."""
    with Star(2) as made:
        made.connect()
        yield made


def sources(packets: list[bytes]) -> set[str]:
    """Source addresses of IPv4 packets."""
    return {".".join(map(str, packet[12:16])) for packet in packets if packet[:1] == b"\x45"}


@pytest.mark.parametrize(
    ("source", "passes"),
    [("10.98.0.2", True), ("10.98.0.3", False), ("10.98.0.77", False), ("192.0.2.9", False)],
    ids=["its own", "another peer's", "nobody's in the same network", "nobody's"],
)
def test_only_a_peers_own_sources_are_accepted(star: Star, source: str, passes: bool) -> None:
    """What a peer sends from an address that isn't its own by longest prefix is dropped, and counted."""
    client, server = star.clients[0], star.server
    client.namespace.ip(f"addr replace {source}/32 dev lo")
    before = server.loss("rx_foreign_source")
    with sniffing(server.namespace, "wgt0") as packets:
        client.namespace.run(f"ping -c2 -i0.1 -W1 -I {source} {server.inner4}", check=False)
        if passes:
            until(lambda: source in sources(packets), 5, "the packet comes out of the tunnel")
        else:
            until(lambda: server.loss("rx_foreign_source") >= before + 2, 5, "the packets are dropped")
            # What comes later has passed: so the forged packets would have been seen by now.
            assert client.pings(server.inner4, f"-c1 -W2 -I {client.inner4}")
            until(lambda: client.inner4 in sources(packets), 5, "a packet comes out of the tunnel")
            assert source not in sources(packets)
    assert (server.loss("rx_foreign_source") > before) is not passes


def test_ipv6_sources_are_checked_as_well(star: Star) -> None:
    """The same for IPv6."""
    client, server = star.clients[0], star.server
    before = server.loss("rx_foreign_source")
    client.namespace.ip("-6 addr replace fd98::3/128 dev lo")
    assert client.pings(server.inner6, f"-c1 -W1 -I {client.inner6}")
    assert server.loss("rx_foreign_source") == before
    assert not client.pings(server.inner6, "-c2 -i0.1 -W1 -I fd98::3")
    assert server.loss("rx_foreign_source") == before + 2
