"""The internet's servers as a test holds them: started in a namespace, asked for what they have seen."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from support.internet_server import FILE_SIZE, TCP_SINK, UDP_ECHO, UDP_SINK
from support.netns import Namespace
from support.until import until

__all__ = ["FILE_SIZE", "TCP_SINK", "UDP_ECHO", "UDP_SINK", "Internet", "Seen"]


@dataclass(frozen=True)
class Seen:
    """What the servers have seen since they started."""

    sha256: str
    """Of the large file, hexadecimal."""
    size: int
    counts: dict[str, dict[str, int]]
    """By what (`http`, `http_file_bytes`, `udp`, `udp_echo`, `tcp`, `dns`, `dns_tcp`), then by the sender's address."""
    dns: tuple[tuple[str, str, str], ...]
    """Each query: sender's address, name, type."""

    def count(self, what: str, sender: str) -> int:
        """How many of `what` came from `sender`."""
        return self.counts.get(what, {}).get(sender, 0)


class Internet:
    """HTTP on port 80 (`/file` is 50 MB), DNS on `dns_addresses`, TCP and UDP sinks and a UDP echo, in `namespace`."""

    def __init__(self, namespace: Namespace, control: Path, dns_addresses: Iterable[str]) -> None:
        self._namespace = namespace
        self._control = control
        self._dns = tuple(dns_addresses)

    def __enter__(self) -> Self:
        script = Path(__file__).with_name("internet_server.py")
        self._process = self._namespace.popen([sys.executable, str(script), str(self._control), *self._dns])
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def wait_ready(self) -> None:
        """Return once every server answers; raises if the process has died."""

        def ready() -> bool:
            if (status := self._process.poll()) is not None:
                raise RuntimeError(f"the internet's servers ended with {status}")
            return self._control.exists()

        until(ready, 20.0, "the internet's servers are up")

    def seen(self) -> Seen:
        """The counters as of now."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self._control))
            text = b"".join(iter(lambda: sock.recv(1 << 16), b""))
        raw = json.loads(text)
        return Seen(raw["sha256"], raw["size"], raw["counts"], tuple((a, b, c) for a, b, c in raw["dns"]))
