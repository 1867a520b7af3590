from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.enginepair import PORT, Star, sniffing
from support.until import until

_UDP = 17


@pytest.fixture
def star() -> Iterator[Star]:
    """A server with one client; on the client's wire the server has a second address in each family."""
    with Star() as made:
        made.server.namespace.ip("addr add 10.99.1.200/24 dev ve1\n-6 addr add fd99:1::200/64 dev ve1")
        made.connect()
        yield made


def sources4(packets: list[bytes]) -> set[str]:
    """Where UDP datagrams to the client over IPv4 came from."""
    datagrams = [p for p in packets if p[:1] == b"\x45" and p[9] == _UDP and p[16:20] == bytes((10, 99, 1, 1))]
    return {".".join(map(str, packet[12:16])) for packet in datagrams}


@pytest.mark.parametrize("called", ["10.99.1.200", "10.99.1.254", "fd99:1::200", "fd99:1::fe"])
def test_a_client_is_answered_from_the_address_that_it_calls(star: Star, called: str) -> None:
    """A server with several addresses answers from the one that was called: the client's endpoint stays as configured."""
    client, server = star.clients[0], star.server
    for _ in range(2):
        client.apply(server.as_peer((called, PORT)))
        assert client.pings(server.inner4, "-c3 -i0.2 -W5")
        assert client.engine.counters().peers[0].endpoint == (called, PORT)


def test_it_also_speaks_first_from_there(star: Star) -> None:
    """Data that the server has for the client, with nothing asked, leaves from the address that the client calls."""
    client, server = star.clients[0], star.server
    client.apply(server.as_peer(("10.99.1.200", PORT)))
    client.wait_ping(server.inner4)
    with sniffing(client.namespace, "ve0") as wire:
        assert server.pings(client.inner4, "-c5 -i0.2 -W5")
        until(lambda: sources4(list(wire)), 5, "something of the server on the wire")
        assert sources4(list(wire)) == {"10.99.1.200"}


def test_an_address_that_is_removed_is_let_go(star: Star) -> None:
    """When the server loses the address that was called, it goes on from the one that is left, and the client follows."""
    client, server = star.clients[0], star.server
    client.apply(server.as_peer(("10.99.1.200", PORT)))
    client.wait_ping(server.inner4)
    server.namespace.ip("addr del 10.99.1.200/24 dev ve1")
    assert server.pings(client.inner4, "-c3 -i0.2 -W5")
    assert client.engine.counters().peers[0].endpoint == ("10.99.1.254", PORT)


def test_the_address_of_another_network_is_not_held_to(star: Star) -> None:
    """A client whose route moves to another interface sends from the new one at once, though the old address is still there."""
    client, server = star.clients[0], star.server
    client.wait_ping(server.inner4)
    client.namespace.ip(
        """link add other type veth peer name nowhere
        link set nowhere up
        link set other up
        addr add 10.55.0.1/24 dev other
        neigh add 10.99.1.254 lladdr 02:00:00:00:00:01 dev other
        route add 10.99.1.254/32 dev other src 10.55.0.1"""
    )
    with sniffing(client.namespace, "other") as wire:

        def sources() -> set[bytes]:
            return {p[12:16] for p in list(wire) if p[:1] == b"\x45" and p[9] == _UDP}

        until(lambda: client.pings(server.inner4) or sources(), 10, "something leaves by the new way")
        assert sources() == {bytes((10, 55, 0, 1))}
    client.namespace.ip("route del 10.99.1.254/32")
    client.wait_ping(server.inner4)
