from __future__ import annotations

from support.enginepair import PORT, Star, transfer
from support.relay import Path, relayed
from support.until import until

_RELAY = 40000


def test_what_comes_twice_is_taken_once() -> None:
    """With each datagram delivered twice, no ping is answered twice, and the copies are counted as refused."""
    path = Path()
    with Star() as star:
        client, server = star.clients[0], star.server
        server.apply(client.as_peer(), port=PORT)
        with relayed(server.namespace, _RELAY, ("127.0.0.1", PORT), path):
            client.apply(server.as_peer(("10.99.1.254", _RELAY)))
            client.wait_ping(server.inner4)
            path.repeat = 1.0
            before = server.loss("rx_invalid")
            done = client.namespace.run(f"ping -c60 -i0.02 -W2 {server.inner4}", timeout=60)
            assert " 60 received, 0% packet loss" in done.stdout
            assert "DUP!" not in done.stdout
            until(lambda: server.loss("rx_invalid") >= before + 60, 5, "the copies are counted")


def test_a_stream_survives_loss_repetition_and_another_order() -> None:
    """Streams both ways arrive whole over a path that does all of it, with sessions renewed meanwhile."""
    path = Path(lose=0.01, repeat=0.05, reorder=0.05)
    with Star(rekey_after=1.0) as star:
        client, server = star.clients[0], star.server
        server.apply(client.as_peer(), port=PORT)
        with relayed(server.namespace, _RELAY, ("127.0.0.1", PORT), path):
            client.reconnect(server, ("10.99.1.254", _RELAY))
            transfer(client.namespace, server.namespace, server.inner4, 2 << 20, 120)
            transfer(server.namespace, client.namespace, client.inner4, 2 << 20, 120)
            assert min(path.lost, path.repeated, path.reordered) > 10
