"""The leak generator as a test holds it: everything a program may try to send, in a namespace, until stopped."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from support.frames import WAYS
from support.netns import Namespace
from support.topology import DNS4, DNS6, GATEWAY4, GATEWAY6, GATEWAY_PORT, WEB4, WEB6, Uplink

WEB_PORT = 9000
CLASSES = frozenset(
    {
        "udp", "udp6", "tcp", "tcp6", "icmp", "icmp6",
        "dns/udp", "dns/udp6", "dns/tcp",
        "lan/udp", "lan/udp6", "lan/tcp",
        "multicast/udp", "multicast/udp6",
        "unmarked/udp", "unmarked/udp6", "gateway/udp", "gateway/tcp",
    }
)  # fmt: skip
"""The classes of `support.frames.classify` that a running generator fills on an unprotected host."""


TOLD_APART = CLASSES | {
    "bound/udp", "bound/udp6", "bound/tcp",
    "packet/udp", "packet/udp6", "ethertype/88cc",
    "forwarded/udp", "forwarded/udp6", "forwarded/tcp",
}  # fmt: skip
"""Those of a generator that tells apart how its packets leave, together with one in a container."""


class Generator:
    """Sends every kind of leak from `namespace` while it is entered, at most for `seconds`.

    `rounds_per_second` rounds of about 18 kinds and 13 more an uplink. With `packet`, also by packet sockets, which pass
    an `inet` table by design of the kernel. `way` gives those kinds that may have it a port that says how they left
    (`support.frames.WAYS`): `bound` for sockets bound to a device, `forwarded` for all of a container.
    """

    def __init__(
        self,
        namespace: Namespace,
        uplinks: Iterable[Uplink],
        *,
        rounds_per_second: float = 25.0,
        seconds: float = 60.0,
        packet: bool = False,
        way: str | None = None,
    ) -> None:
        self._namespace = namespace
        self._plan = plan(uplinks, rounds_per_second=rounds_per_second, seconds=seconds, packet=packet)
        port = {name: number for number, name in WAYS.items()}.get(way or "", WEB_PORT)
        self._plan |= {"port": port if way == "forwarded" else WEB_PORT, "bound_port": port}
        self.tried: dict[str, int] = {}
        """Packets tried, by kind; filled by `stop`."""

    def __enter__(self) -> Self:
        self._progress = tempfile.NamedTemporaryFile("r", prefix=f"{self._namespace.name}-", encoding="ascii")
        self._plan["progress"] = self._progress.name
        script = Path(__file__).with_name("generator_process.py")
        argv = [sys.executable, str(script), json.dumps(self._plan)]
        self._process = self._namespace.popen(argv, stdout=subprocess.PIPE, text=True)
        if self._process.stdout is None or self._process.stdout.readline() != "ready\n":
            raise RuntimeError(f"the leak generator ended with {self._process.wait()} before its first round")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether it still sends; a test that counts no leaks must know that somebody tried."""
        return self._process.poll() is None

    def tried_so_far(self) -> int:
        """How many packets it has tried to send until now, of all kinds."""
        self._progress.seek(0)
        return int(self._progress.read() or 0)

    def stop(self) -> dict[str, int]:
        """End it and return how many packets it tried to send, by kind."""
        if not self.tried:
            self._process.terminate()
            out, _ = self._process.communicate(timeout=10)
            self.tried = json.loads(out.splitlines()[-1])
            self._progress.close()
        return self.tried


def plan(
    uplinks: Iterable[Uplink], *, rounds_per_second: float, seconds: float, packet: bool = False
) -> dict[str, object]:
    """What the generator's process is told, but for `progress`: the file that it counts in."""
    return {
        "web4": WEB4, "web6": WEB6, "dns4": DNS4, "dns6": DNS6,
        "gateway4": GATEWAY4, "gateway6": GATEWAY6, "gateway_port": GATEWAY_PORT,
        "rounds_per_second": rounds_per_second, "seconds": seconds, "packet": packet,
        "port": WEB_PORT, "bound_port": WEB_PORT,
        "uplinks": [{"device": link.device, "router4": link.router4, "lan6": f"{link.lan6}1"} for link in uplinks],
    }  # fmt: skip
