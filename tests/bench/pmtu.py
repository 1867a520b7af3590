"""How soon the path's MTU is found, and found again when the path gets narrower under a TCP transfer: `python -m bench.pmtu`.

Two routers stand between our engines; what is longer than the hop is dropped there without a word.
"""

from __future__ import annotations

import socket
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from support.enginepair import End
from support.hop import Hop

ROUNDS = 3
FOUND = (1500, 1492, 1420, 1380, 1340)
SHRUNK = (1480, 1460, 1440, 1420, 1400, 1380)
PATIENCE = 10.0


@dataclass
class Flow:
    """A TCP connection that never stops by itself."""

    ended: bool = False
    last: float = field(default_factory=time.monotonic)
    gap: float = 0.0

    def begin(self, source: End, target: End, address: str) -> None:
        """Connect, and send about 100 MB/s."""
        with target.namespace.entered():
            listener = socket.create_server((address, 0))
        with source.namespace.entered():
            sender = socket.socket()
        with listener:
            sender.connect(listener.getsockname())
            receiver, _ = listener.accept()
        for one in (sender, receiver):
            one.settimeout(15)
        threading.Thread(target=self._send, args=(sender,), daemon=True).start()
        threading.Thread(target=self._receive, args=(receiver,), daemon=True).start()

    def _send(self, sender: socket.socket) -> None:
        with sender:
            while not self.ended:
                sender.sendall(bytes(65536))
                time.sleep(0.0005)

    def _receive(self, receiver: socket.socket) -> None:
        with receiver:
            while receiver.recv(1 << 20):
                now = time.monotonic()
                self.gap = max(self.gap, now - self.last)
                self.last = now


def find(hop: Hop, mtu: int) -> float:
    """Seconds until this hop is found by a fresh search."""
    hop.narrow(mtu)
    known, begin = len(hop.found()), time.monotonic()
    hop.probe(hop.server.public, hop.server.inner4)
    return _wait(lambda: len(hop.found()) > known and hop.follow() == mtu, begin)


def shrink(hop: Hop, mtu: int, source: End, target: End, address: str) -> tuple[float, float]:
    """Seconds until the narrower hop is found, and the longest time without a byte at the connection's end."""
    flow = Flow()
    flow.begin(source, target, address)
    time.sleep(1.2)
    flow.gap = 0.0
    hop.narrow(mtu)
    took = _wait(lambda: hop.follow() == mtu, time.monotonic())
    time.sleep(2.5)
    flow.ended = True
    flow.gap = max(flow.gap, time.monotonic() - flow.last)
    return took, flow.gap


def main() -> None:
    """Both families outside; median and greatest."""
    for over6 in (False, True):
        with Hop(over6=over6) as hop:
            hop.connect()
            family = "IPv6" if over6 else "IPv4"
            _say(f"{family}, found", [find(hop, mtu) for mtu in FOUND * ROUNDS])
            client, server = hop.client, hop.server
            for name, ends in {"up": (client, server, server.inner4), "down": (server, client, client.inner4)}.items():
                find(hop, 1500)
                results = [shrink(hop, mtu, *ends) for mtu in SHRUNK]
                _say(f"{family}, {name}, found after a shrink", [took for took, _ in results])
                _say(f"{family}, {name}, longest gap of the connection", [gap for _, gap in results])


def _wait(is_there: Callable[[], bool], begin: float) -> float:
    while not is_there():
        if time.monotonic() - begin > PATIENCE:
            raise SystemExit("the path's MTU isn't found")
        time.sleep(0.002)
    return time.monotonic() - begin


def _say(what: str, seconds: list[float]) -> None:
    text = f"median {statistics.median(seconds):.2f} s, at most {max(seconds):.2f} s, {len(seconds)} times"
    print(f"{what}: {text}", flush=True)


if __name__ == "__main__":
    main()
