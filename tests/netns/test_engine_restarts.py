from __future__ import annotations

import threading

from support.enginepair import PORT, Star, transfer
from support.until import until


def test_a_client_finds_back_to_a_server_that_was_started_anew() -> None:
    """A server that crashed knows no session: data asks for another one by itself, within the protocol's silence."""
    with Star() as star:
        star.connect()
        client, server = star.clients[0], star.server
        assert client.pings(server.inner4)
        star.restart(server)
        server.apply(client.as_peer(), port=PORT)
        client.wait_ping(server.inner4, 45)
        assert server.handshakes(client)


def test_a_server_takes_a_client_that_was_started_anew() -> None:
    """A client that crashed gets in at once, though its old session still works for the server."""
    with Star() as star:
        star.connect()
        client, server = star.clients[0], star.server
        for _ in range(3):
            star.restart(client)
            client.apply(server.as_peer(star.address(client)))
            client.wait_ping(server.inner4)
            assert server.pings(client.inner4)


def test_a_stream_survives_moves_of_its_client() -> None:
    """While a stream runs, its client takes fresh sockets, another port each time, again and again: it arrives whole."""
    with Star() as star:
        star.connect()
        client, server = star.clients[0], star.server
        ended = threading.Event()
        ports = set()

        def move() -> None:
            while not ended.wait(0.1):
                client.rebind()
                ports.add(client.engine.listen_port)

        thread = threading.Thread(target=move, daemon=True)
        thread.start()
        try:
            until(lambda: _streamed(star) and len(ports) >= 10, 120, "ten moves under load")
        finally:
            ended.set()
            thread.join(5)
        assert client.handshakes(server) < 10
        client.wait_ping(server.inner4)


def _streamed(star: Star) -> bool:
    client, server = star.clients[0], star.server
    transfer(client.namespace, server.namespace, server.inner4, 8 << 20, 120)
    transfer(server.namespace, client.namespace, client.inner6, 8 << 20, 120)
    return True
