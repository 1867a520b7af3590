"""The soak itself; see `python -m soak --help`."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from slopn_engine import Event
from support.enginepair import End, Star
from support.until import until

RENEW = 2.0
"""Seconds between new sessions."""
MOVE = 5.0
"""Seconds between the client's moves."""
LOOK = 1.0
_ADDRESSES = ("10.99.1.1", "10.99.1.77")


@dataclass
class Soak:
    """One run: `seconds` long, `loss` of a thousand datagrams lost each way, limits for `stall` (s) and `growth` (KiB)."""

    seconds: float
    loss: int = 1
    stall: float = 15.0
    growth: int = 4096
    tell: Callable[[str], object] = lambda _: None
    """Gets a line a minute."""
    moves: int = 0
    renewals: int = 0
    received: int = 0
    longest: float = 0.0
    """Seconds in which nothing got through, in one direction."""
    memory: list[int] = field(default_factory=list)
    """KiB resident, each second."""

    def run(self) -> list[str]:
        """Give what went wrong, a sentence each."""
        with Star(rekey_after=RENEW) as star:
            star.connect()
            client, server = star.clients[0], star.server
            for end, device in ((client, "ve0"), (server, "ve1")):
                end.namespace.nft(_losing(device, self.loss))
            with _streaming(client, server, 4), contextlib.suppress(TimeoutError):
                self._watch(client, server)
            until(lambda: client.pings(server.inner4), 30, "a ping when it is over")
            return self._complaints()

    def summary(self) -> str:
        """What was done and measured."""
        settled = self._settled()
        return (
            f"{self.seconds:.0f} s: {self.received / 1e9:.1f} GB received, {self.renewals} sessions, {self.moves} moves; "
            f"longest pause {self.longest:.0f} s; memory {settled[0]} KiB, at the end {settled[-1]} KiB"
        )

    def _watch(self, client: End, server: End) -> None:
        began = last_move = time.monotonic()
        progress = {end.number: (began, 0) for end in (client, server)}
        while (now := time.monotonic()) - began < self.seconds:
            if now - last_move >= MOVE:
                last_move = now
                self._move(client)
            for end in (client, server):
                events = end.engine.next_events()
                self.renewals += sum(isinstance(event, Event.Handshake) for event in events)
                rx = end.engine.counters().rx_bytes
                since, before = progress[end.number]
                # More than handshakes and keepalives.
                if rx > before + 100_000:
                    progress[end.number] = (now, rx)
                self.longest = max(self.longest, now - since)
            self.received = sum(rx for _, rx in progress.values())
            self.memory.append(_resident())
            if len(self.memory) % 60 == 0:
                self.tell(f"{now - began:6.0f} s  {self.memory[-1]} KiB  {self.received / 1e9:.1f} GB")
            # Paces the looks; nothing waits for it.
            threading.Event().wait(LOOK)

    def _move(self, client: End) -> None:
        self.moves += 1
        if self.moves % 2:
            client.rebind()
        else:
            was, to = _ADDRESSES if self.moves % 4 else _ADDRESSES[::-1]
            client.namespace.ip(f"addr add {to}/24 dev ve0\naddr del {was}/24 dev ve0")
            # The first of a network takes the others with it.
            client.namespace.ip(f"addr replace {to}/24 dev ve0")

    def _settled(self) -> list[int]:
        """Without the beginning, in which buffers and the allocator's pools fill."""
        return self.memory[len(self.memory) // 4 :] or [0]

    def _complaints(self) -> list[str]:
        found = []
        if self.longest >= self.stall:
            found.append(f"nothing got through for {self.longest:.0f} s")
        settled = self._settled()
        quarter = max(1, len(settled) // 4)
        first, last = sorted(settled[:quarter])[quarter // 2], sorted(settled[-quarter:])[quarter // 2]
        if last > first + self.growth:
            found.append(f"memory has grown from {first} to {last} KiB")
        if self.renewals < self.seconds / RENEW:
            found.append(f"only {self.renewals} sessions in {self.seconds:.0f} s")
        return found


def _losing(device: str, share: int) -> str:
    return f"""table netdev soak {{
        chain lose {{
            type filter hook ingress device "{device}" priority 0; policy accept;
            meta l4proto udp numgen random mod 1000 < {share} drop
        }}
    }}"""


def _resident() -> int:
    line = next(line for line in Path("/proc/self/status").read_text("ascii").splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


@contextlib.contextmanager
def _streaming(client: End, server: End, streams: int) -> Iterator[None]:
    """Streams both ways, begun again when they end, while entered."""
    stop = threading.Event()
    server.namespace.popen(["iperf3", "-s"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    words = ["iperf3", "-c", server.inner4, "--bidir", "-P", str(streams), "-t", "3600"]

    def stream() -> None:
        while not stop.is_set():
            process = client.namespace.popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while process.poll() is None and not stop.wait(0.2):
                pass
            process.kill()
            process.wait()
            stop.wait(0.5)

    thread = threading.Thread(target=stream, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
