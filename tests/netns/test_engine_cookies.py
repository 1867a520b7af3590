from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

from slopn_engine import Event
from support.enginepair import PORT, End, Star, sniffing
from support.forged import initiation
from support.until import until

_COOKIE_REPLY = 3
_UDP = slice(28, None)


@contextlib.contextmanager
def flooding(client: End, server_key: bytes, address: str) -> Iterator[socket.socket]:
    """Keep sending initiations, a hundred every 50 ms, from the client's own address; gives their socket."""
    with client.namespace.entered():
        flood = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stop = threading.Event()

    def send() -> None:
        while not stop.wait(0.05):
            for _ in range(100):
                flood.sendto(initiation(server_key), (address, PORT))

    thread = threading.Thread(target=send, daemon=True)
    with flood:
        thread.start()
        try:
            yield flood
        finally:
            stop.set()
            thread.join(5)


def test_a_few_initiations_cost_no_cookie() -> None:
    """Under no load a handshake succeeds at once and nobody is asked for a cookie."""
    with Star() as star:
        star.connect()
        assert star.server.loss("cookies_sent") == 0


def test_under_load_a_handshake_needs_the_cookie_and_succeeds() -> None:
    """A flood is answered by cookie replies; an honest peer at the same address returns its cookie and gets in."""
    with Star() as star:
        client, server = star.clients[0], star.server
        server.apply(client.as_peer(), port=PORT)
        address, _ = star.address(client)
        with (
            flooding(client, server.public, address) as flood,
            sniffing(client.namespace, "ve0") as wire,
        ):
            flood.settimeout(10)
            reply = flood.recv(1500)
            assert (reply[0], len(reply)) == (_COOKIE_REPLY, 64)
            until(lambda: server.loss("cookies_sent") > 100, 10, "many cookie replies")

            def proven() -> bool:
                """An initiation with a MAC2, which takes the cookie, has left."""
                client.apply(server.as_peer((address, PORT)))
                datagrams = [packet[_UDP] for packet in list(wire) if packet[:1] == b"\x45" and packet[9] == 17]
                return any(d[:1] == b"\x01" and len(d) == 148 and any(d[132:]) for d in datagrams)

            until(proven, 20, "an initiation with a valid MAC2")
            before = client.handshakes(server)
            until(
                lambda: client.handshakes(server) > before or (proven() and client.handshakes(server)),
                20,
                "a handshake",
            )
            assert client.pings(server.inner4, "-c3 -i0.2 -W2")
            assert server.handshakes(client)
        assert server.loss("cookies_sent") > 100


def test_a_flood_is_told_and_only_its_own_words_blame_an_address() -> None:
    """Initiations that take no notice of the cookie are told as a flood whose address may be forged."""
    with Star() as star:
        client, server = star.clients[0], star.server
        server.apply(client.as_peer(), port=PORT)
        address, _ = star.address(client)
        with flooding(client, server.public, address) as flood:
            until(lambda: server.events(Event.Flooded), 15, "the flood is told")
            port = flood.getsockname()[1]
        told = server.events(Event.Flooded)
        assert {(event.endpoint, event.proven) for event in told} == {((client.outer4, port), False)}
        assert all(event.handshakes > 50 for event in told)
