from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from support.enginepair import PORT, End, Star
from support.forged import forged, initiation, raw
from support.until import until

_SOURCES = 100_000
"""Forged addresses, each of which is used once."""


def resident() -> int:
    """KiB of this process, and so of its engines."""
    line = next(line for line in Path("/proc/self/status").read_text("ascii").splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


@contextlib.contextmanager
def flooding(client: End, server: End, to: str) -> Iterator[threading.Event]:
    """Send initiations from ever new addresses while entered; gives what is set when all have been sent once."""
    payload, first = initiation(server.public), int.from_bytes(socket.inet_aton("11.0.0.1"))
    stop, done = threading.Event(), threading.Event()

    def send(wire: socket.socket) -> None:
        for batch in itertools.count():
            for n in range(400 * batch, 400 * (batch + 1)):
                wire.sendto(forged(payload, first + n, 1024 + n % 50_000, to), (to, 0))
            if 400 * batch > _SOURCES:
                done.set()
            if stop.wait(0.02):
                return

    with raw(client) as wire:
        thread = threading.Thread(target=send, args=(wire,), daemon=True)
        thread.start()
        try:
            yield done
        finally:
            stop.set()
            thread.join(10)


def test_a_flood_from_addresses_without_number_takes_no_memory_and_keeps_nobody_out() -> None:
    """A hundred thousand sources: each is asked for a cookie and forgotten; an honest client gets in meanwhile."""
    with Star() as star:
        client, server = star.clients[0], star.server
        server.apply(client.as_peer(), port=PORT)
        server.namespace.ip(f"route add default via {client.outer4}")
        to, port = star.address(client)
        with flooding(client, server, to) as done:
            until(lambda: server.loss("cookies_sent") > 1000, 30, "it is under load")
            before = resident()
            client.reconnect(server, (to, port))
            until(done.is_set, 60, "all addresses have been used")
            until(lambda: server.loss("cookies_sent") > _SOURCES // 2, 30, "most were asked for a cookie")
            # A hundred bytes of each would be ten MiB.
            assert resident() - before < 8 << 10
        client.wait_ping(server.inner4)


def test_a_forger_makes_no_address_slow() -> None:
    """Port 0 can't be answered: forged messages from there don't end segmentation to the peer at that address."""
    with Star() as star:
        star.connect()
        client, server = star.clients[0], star.server
        to, _ = star.address(client)
        here = int.from_bytes(socket.inet_aton(client.outer4))
        payload = initiation(server.public)
        with raw(client) as wire:
            for port in [0] * 30 + [4000] * 30:
                wire.sendto(forged(payload, here, port, to), (to, 0))
            until(lambda: server.loss("cookies_sent") > 0, 10, "they have come, the last ones at least")
        assert server.loss("gso_refused") == 0
        assert "won't segment" not in server.logs()
