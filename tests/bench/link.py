"""Two namespaces joined by a veth pair, and one engine's tunnel between them."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from bench.engines import Engine
from support.netns import Namespace, veth
from support.until import until

INTERFACE = "wgb"
GSO = "gso"
"""Large messages cross the veth pair whole, as they do through a card that segments."""
NO_GSO = "no-gso"
"""Our own kernel cuts them before (`tx-udp-segmentation off`)."""
NETEM = "netem"
"""20 ms there and back, and 0.1 % lost each way."""
LINES = (GSO, NO_GSO, NETEM)
MTU = 1420
OUTSIDE = ("192.0.2.1", "192.0.2.2")
INSIDE = ("198.51.100.1", "198.51.100.2")
INSIDE6 = ("fd51::1", "fd51::2")
_PORT = 51820
_DEADLINE = 20.0


@dataclass(frozen=True)
class Ends:
    """Two namespaces that reach each other outside of any tunnel. The first is the client of each test."""

    client: Namespace
    server: Namespace


@dataclass(frozen=True)
class Tunnel:
    """A tunnel that has carried a ping; `pids` are the engines', client first (none without a tunnel)."""

    address: str
    pids: tuple[int, ...]


@contextlib.contextmanager
def ends(line: str = GSO) -> Iterator[Ends]:
    """The two namespaces, each with a /run of its own so that the UAPI sockets don't meet.

    Raises `LookupError` where this kernel has no such line.
    """
    with Namespace("bench-c", private=True) as client, Namespace("bench-s", private=True) as server:
        veth(client, "wan0", server, "wan0")
        for namespace, address in zip((client, server), OUTSIDE, strict=True):
            namespace.ip(f"addr add {address}/24 dev wan0")
            _make(line, namespace)
        yield Ends(client, server)


@contextlib.contextmanager
def tunnel(ends: Ends, engine: Engine | None) -> Iterator[Tunnel]:
    """`engine` on both ends, `None` for the bare link. Ends when the block ends."""
    if engine is None:
        yield Tunnel(OUTSIDE[1], ())
        return
    keys = (_key_pair(), _key_pair())
    processes = []
    try:
        for at, namespace in enumerate((ends.client, ends.server)):
            processes.append(_start(namespace, engine))
            far = 1 - at
            namespace.run(
                ["wg", "setconf", INTERFACE, "/dev/stdin"],
                input=f"[Interface]\nPrivateKey = {keys[at][0]}\nListenPort = {_PORT}\n[Peer]\nPublicKey = {keys[far][1]}\n"
                f"Endpoint = {OUTSIDE[far]}:{_PORT}\nAllowedIPs = 0.0.0.0/0, ::/0\n",
            )
            namespace.ip(f"""
                addr add {INSIDE[at]}/24 dev {INTERFACE}
                addr add {INSIDE6[at]}/64 dev {INTERFACE} nodad
                link set {INTERFACE} mtu {MTU} up
            """)
        until(
            lambda: ends.client.run(["ping", "-c1", "-W1", INSIDE[1]], check=False).returncode == 0,
            _DEADLINE,
            f"{engine.name} carries a ping",
        )
        yield Tunnel(INSIDE[1], tuple(process.pid for process in processes))
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            process.wait()


def _make(line: str, namespace: Namespace) -> None:
    if line == NO_GSO:
        namespace.run(["ethtool", "-K", "wan0", "tx-udp-segmentation", "off"])
    if line == NETEM:
        done = namespace.run(
            ["tc", "qdisc", "add", "dev", "wan0", "root", "netem", "delay", "10ms", "loss", "0.1%", "limit", "100000"],
            check=False,
        )
        if done.returncode:
            raise LookupError(f"{line} is left out: {done.stderr.strip()}")


def _start(namespace: Namespace, engine: Engine) -> subprocess.Popen[bytes]:
    process = namespace.popen(
        [str(engine.program), *engine.arguments, INTERFACE], env=engine.env, stdout=subprocess.DEVNULL
    )

    def answers() -> bool:
        if (status := process.poll()) is not None:
            raise RuntimeError(f"{engine.name} ended with {status}")
        return namespace.run(["wg", "show", INTERFACE], check=False).returncode == 0

    until(answers, _DEADLINE, f"{engine.name} answers on its socket")
    return process


def _key_pair() -> tuple[str, str]:
    private = subprocess.run(["wg", "genkey"], check=True, capture_output=True, text=True).stdout.strip()
    public = subprocess.run(["wg", "pubkey"], input=private, check=True, capture_output=True, text=True).stdout.strip()
    return private, public
