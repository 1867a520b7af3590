from __future__ import annotations

from collections.abc import Iterator

import pytest

from slopn_engine import Event
from support.enginepair import PORT, Star
from support.until import until


@pytest.fixture
def star() -> Iterator[Star]:
    """A server with one connected client."""
    with Star() as made:
        made.connect()
        yield made


def roamed_to(star: Star, address: str) -> bool:
    """Whether the server has said that the client is now at `address`."""
    return any(event.endpoint[0] == address for event in star.server.events(Event.Roamed))


def test_the_server_follows_a_client_to_another_address(star: Star) -> None:
    """A client that gets another address keeps its session; the server answers to where it is now."""
    client, server = star.clients[0], star.server
    assert roamed_to(star, "10.99.1.1")
    assert not roamed_to(star, "10.99.1.77")
    before = client.handshakes(server)
    client.namespace.ip("addr add 10.99.1.77/24 dev ve0\naddr del 10.99.1.1/24 dev ve0")
    client.namespace.ip("addr replace 10.99.1.77/24 dev ve0")
    client.wait_ping(server.inner4)
    until(lambda: roamed_to(star, "10.99.1.77"), 5, "the move is told")
    assert server.engine.counters().peers[0].endpoint == ("10.99.1.77", client.engine.listen_port)
    assert server.pings(client.inner4)
    assert client.handshakes(server) == before


def test_the_server_follows_from_ipv4_to_ipv6(star: Star) -> None:
    """Given the server's IPv6 endpoint, the client goes on in its session over IPv6."""
    client, server = star.clients[0], star.server
    client.apply(server.as_peer(star.address(client, over6=True)), initiate=False)
    assert client.pings(server.inner4)
    until(lambda: roamed_to(star, "fd99:1::1"), 5, "the move is told")
    assert server.pings(client.inner6)


def test_a_client_that_flits_makes_few_events(star: Star) -> None:
    """A client that sends each packet from another address makes no event of each; the last one is told all the same."""
    client, server = star.clients[0], star.server
    client.namespace.ip("addr add 10.99.1.77/24 dev ve0")
    moves = len(server.events(Event.Roamed))
    for _ in range(50):
        client.namespace.ip("route replace 10.99.1.254/32 dev ve0 src 10.99.1.77")
        assert client.pings(server.inner4)
        client.namespace.ip("route replace 10.99.1.254/32 dev ve0 src 10.99.1.1")
        assert client.pings(server.inner4)
    until(lambda: server.events(Event.Roamed)[-1].endpoint[0] == "10.99.1.1", 5, "the last move is told")
    assert moves < len(server.events(Event.Roamed)) < moves + 100


def test_fresh_sockets_keep_the_session_and_are_made_known(star: Star) -> None:
    """After `rebind` the server knows the new port without any traffic of the client's, and no handshake was needed."""
    client, server = star.clients[0], star.server
    before, port = client.handshakes(server), client.engine.listen_port
    client.rebind()
    assert client.engine.listen_port != port
    until(lambda: server.engine.counters().peers[0].endpoint == ("10.99.1.1", client.engine.listen_port), 5, "the port")
    assert server.pings(client.inner4)
    assert client.handshakes(server) == before


def test_a_port_that_was_asked_for_is_kept(star: Star) -> None:
    """The server's `rebind` is on the same port, so that its clients find it."""
    client, server = star.clients[0], star.server
    for _ in range(3):
        server.rebind()
        assert server.engine.listen_port == PORT
    assert client.pings(server.inner4)


def test_a_port_in_use_changes_nothing(star: Star) -> None:
    """A port that somebody else has is refused by a sentence, and the tunnel goes on as before."""
    import slopn_engine

    client, server = star.clients[0], star.server
    peer = client.as_peer(star.address(client))
    with star.server.namespace.entered():
        other = slopn_engine.Engine("wgt9", uapi=False)
        try:
            with pytest.raises(slopn_engine.EngineError, match="in use"):
                other.apply(bytes(range(32)), PORT, None, None, [peer], True)
        finally:
            other.close()
    assert client.pings(server.inner4)
