"""A bad path between two ends: a UDP relay that loses, repeats and reorders, where the kernel has no netem."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from support.netns import Namespace


@dataclass
class Path:
    """What happens to datagrams, as shares of 1, and what has happened so far."""

    lose: float = 0.0
    repeat: float = 0.0
    reorder: float = 0.0
    """Kept back until the next few have gone."""
    lost: int = 0
    repeated: int = 0
    reordered: int = 0


@contextlib.contextmanager
def relayed(namespace: Namespace, port: int, target: tuple[str, int], path: Path) -> Iterator[None]:
    """Relay `port` of `namespace` to `target`, and the answers back to whoever spoke last, while entered."""
    with namespace.entered():
        front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    front.bind(("0.0.0.0", port))
    back.connect(target)
    for side in (front, back):
        side.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    stop, chance = threading.Event(), random.Random(1)

    def run() -> None:
        client: tuple[str, int] | None = None
        kept: list[tuple[bool, bytes]] = []

        def send(*, up: bool, datagram: bytes) -> None:
            with contextlib.suppress(OSError):
                if up:
                    back.send(datagram)
                elif client is not None:
                    front.sendto(datagram, client)

        while not stop.is_set():
            ready, _, _ = select.select([front, back], [], [], 0.05)
            if not ready:
                for way, datagram in kept:
                    send(up=way, datagram=datagram)
                kept.clear()
            for side in ready:
                try:
                    datagram, source = side.recvfrom(1 << 16)
                except OSError:
                    continue
                up = side is front
                client = source if up else client
                if chance.random() < path.lose:
                    path.lost += 1
                    continue
                if chance.random() < path.reorder:
                    path.reordered += 1
                    kept.append((up, datagram))
                    continue
                send(up=up, datagram=datagram)
                if chance.random() < path.repeat:
                    path.repeated += 1
                    send(up=up, datagram=datagram)
                if len(kept) > 3:
                    way, late = kept.pop(0)
                    send(up=way, datagram=late)

    thread = threading.Thread(target=run, daemon=True)
    with front, back:
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(5)
