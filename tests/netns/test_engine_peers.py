from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator

import pytest

from slopn_engine import EngineError
from support.enginepair import PORT, Star, transfer
from support.until import until


@pytest.fixture(scope="module")
def star() -> Iterator[Star]:
    """A server with three connected clients."""
    with Star(3) as made:
        made.connect()
        yield made


def test_every_peer_is_reached_in_both_families(star: Star) -> None:
    """The server reaches each client by its own addresses, IPv4 and IPv6."""
    for client in star.clients:
        assert star.server.pings(client.inner4)
        assert star.server.pings(client.inner6)
        assert client.pings(star.server.inner6)


def test_bulk_data_arrives_whole(star: Star) -> None:
    """20 MB by TCP arrive as they were sent, both ways and in both families."""
    client, server = star.clients[0], star.server
    transfer(client.namespace, server.namespace, server.inner4, 20 << 20)
    transfer(server.namespace, client.namespace, client.inner6, 20 << 20)


def test_counters_are_those_of_the_far_end(star: Star) -> None:
    """What one side has sent is what the other has received, and both know when they last agreed on keys.

    From one moment at rest to the next: of two handshakes that cross, one counts as sent and never as received.
    """
    client, server = star.clients[1], star.server

    def counted() -> tuple[int, int, int, int]:
        ours = client.engine.counters().peers[0]
        theirs = next(p for p in server.engine.counters().peers if p.public_key == client.public)
        assert ours.last_handshake_ns
        assert theirs.last_handshake_ns
        return ours.tx_bytes, theirs.rx_bytes, ours.rx_bytes, theirs.tx_bytes

    def agree() -> bool:
        before = counted()
        assert client.pings(server.inner4, "-c5 -i0.05 -W1")
        sent, received, back, answered = (now - then for now, then in zip(counted(), before, strict=True))
        return sent == received >= 5 * 84 and back == answered >= 5 * 84

    assert client.pings(server.inner4, "-c1 -W5")
    until(agree, 30, "both ends count the same bytes")


def test_applying_the_same_again_keeps_sessions(star: Star) -> None:
    """A configuration that changes nothing causes no handshake and loses no packet."""
    client, server = star.clients[0], star.server
    before = client.handshakes(server)
    client.apply(server.as_peer(star.address(client)), initiate=False)
    assert client.pings(server.inner4, "-c3 -i0.05 -W1")
    assert client.handshakes(server) == before


def test_initiate_proves_that_the_peer_lives(star: Star) -> None:
    """With `initiate`, also a peer with a session is asked for a handshake, and answers."""
    client, server = star.clients[2], star.server
    before = client.handshakes(server)

    def asked() -> bool:
        client.apply(server.as_peer(star.address(client)))
        return client.handshakes(server) > before

    until(asked, 5, "another handshake")
    last = client.engine.next_events() or client.seen
    assert last


def test_a_prefix_moves_to_the_peer_that_is_given_it(star: Star) -> None:
    """A prefix in two peers belongs to the later one: traffic goes there, and is accepted from there only."""
    first, second, third = star.clients
    server = star.server
    extra = "10.97.0.0/24"
    for client in (first, second):
        client.namespace.ip("addr replace 10.97.0.1/32 dev lo")
    for owner, others in ((first, (second, third)), (second, (first, third))):
        server.apply(*(p.as_peer() for p in others), owner.as_peer(extra=(extra,)), port=PORT, initiate=False)
        server.namespace.ip("route replace 10.97.0.0/24 dev wgt0")
        loss = server.loss("rx_foreign_source")
        assert server.pings("10.97.0.1")
        assert owner.pings(server.inner4, "-c1 -W1 -I 10.97.0.1")
        assert server.loss("rx_foreign_source") == loss
        other = others[0]
        assert not other.pings(server.inner4, "-c1 -W1 -I 10.97.0.1")
        assert server.loss("rx_foreign_source") == loss + 1


def test_a_removed_peer_is_out_and_the_others_stay(star: Star) -> None:
    """Removing a peer ends its session at once; the others keep theirs. Added again it comes back."""
    first, second, third = star.clients
    server = star.server
    before = server.handshakes(second)
    server.apply(second.as_peer(), third.as_peer(), port=PORT, initiate=False)
    assert not first.pings(server.inner4)
    assert second.pings(server.inner4)
    assert server.handshakes(second) == before
    server.apply(first.as_peer(), second.as_peer(), third.as_peer(), port=PORT, initiate=False)
    first.reconnect(server, star.address(first))


def test_a_preshared_key_must_be_the_same(star: Star) -> None:
    """With a preshared key on one side only no handshake succeeds; with the same on both sides it does."""
    client, server = star.clients[1], star.server
    psk = secrets.token_bytes(32)
    others = [c.as_peer() for c in star.clients if c is not client]
    before = client.handshakes(server)
    client.apply(server.as_peer(star.address(client), psk=psk))
    sent = client.engine.counters().peers[0].tx_bytes
    until(lambda: server.loss("rx_invalid") or client.engine.counters().peers[0].tx_bytes > sent, 5, "it was tried")
    server.apply(*others, client.as_peer(psk=psk), port=PORT, initiate=False)

    def agreed() -> bool:
        client.apply(server.as_peer(star.address(client), psk=psk))
        return client.handshakes(server) > before

    until(agreed, 10, "a handshake with the preshared key")
    assert client.pings(server.inner4)


def test_another_private_key_makes_another_peer(star: Star) -> None:
    """After a change of the private key the old session is gone, and the server knows the client no more."""
    client, server = star.clients[2], star.server
    assert client.pings(server.inner4)
    with client.namespace.entered():
        client.engine.apply(secrets.token_bytes(32), None, None, None, [server.as_peer(star.address(client))], True)
    assert not client.pings(server.inner4)
    client.apply(server.as_peer(star.address(client)))
    client.wait_ping(server.inner4)
    assert base64.b64decode(client.keys.private) not in repr(client.engine).encode()


def test_one_peer_is_changed_and_nobody_else_notices(star: Star) -> None:
    """A peer goes at once and comes back, another one keeps its session and is asked for nothing."""
    client, other, server = star.clients[0], star.clients[1], star.server
    client.reconnect(server, star.address(client))
    other.reconnect(server, star.address(other))
    before = other.handshakes(server)
    server.engine.change_peers([client.public], [])
    assert not client.pings(server.inner4, "-c1 -W1")
    assert client.public not in {peer.public_key for peer in server.engine.counters().peers}
    server.engine.change_peers([], [client.as_peer()])
    client.reconnect(server, star.address(client))
    assert other.pings(server.inner4)
    assert other.handshakes(server) == before


def test_no_peer_is_changed_before_there_is_a_configuration() -> None:
    """Without a private key there is nothing to add peers to."""
    with Star(1) as made, pytest.raises(EngineError, match="no configuration"):
        made.server.engine.change_peers([], [made.clients[0].as_peer()])
