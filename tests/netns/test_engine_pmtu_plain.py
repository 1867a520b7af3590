"""The path's MTU to a WireGuard server that isn't ours: its host answers pings, and knows nothing of what they are for."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from support.enginepair import PORT, transfer
from support.gateway import Keys
from support.hop import Hop
from support.until import until

_PROGRAM = Path(__file__).resolve().parents[2] / ".cache/bin/wireguard-go"
_INSIDE4, _INSIDE6 = "10.98.0.1", "fd98::1"
_NOBODY = "10.98.0.99"


class Plain:
    """wireguard-go behind the hop; up while entered."""

    def __init__(self, *, over6: bool) -> None:
        self.hop = Hop(over6=over6, own_server=False)
        self.keys = Keys.new()
        self._stack = contextlib.ExitStack()

    @property
    def public(self) -> bytes:
        """Its public key."""
        return base64.b64decode(self.keys.public)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            client = stack.enter_context(self.hop).client
            there, device = self.hop.server_namespace, f"wgp{os.getpid()}{secrets.token_hex(1)}"
            running = there.popen([str(_PROGRAM), "-f", device])
            stack.callback(running.wait, 10)
            stack.callback(running.terminate)
            until(lambda: there.run(["wg", "show", device], check=False).returncode == 0, 20, "wireguard-go runs")
            allowed = f"{client.inner4}/32,{client.inner6}/128"
            there.run(
                f"wg set {device} private-key /dev/stdin listen-port {PORT} peer {client.keys.public} allowed-ips {allowed}",
                input=self.keys.private,
            )
            there.ip(f"""addr add {_INSIDE4}/24 dev {device}
                -6 addr add {_INSIDE6}/64 dev {device} nodad
                link set {device} mtu 1420 up""")
            client.apply((self.public, (self.hop.address, PORT), [f"{_INSIDE4}/24", f"{_INSIDE6}/64"], None, 25))
            client.wait_ping(_INSIDE4)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


@pytest.fixture(params=[False, True], ids=["over IPv4", "over IPv6"])
def plain(request: pytest.FixtureRequest) -> Iterator[Plain]:
    """A tunnel to it that works; nothing is measured yet."""
    with Plain(over6=request.param) as made:
        yield made


def test_hops_are_found_exactly(plain: Plain) -> None:
    """By ICMP echoes of either family; and IPv6 inside passes where its least doesn't fit."""
    for number, mtu in enumerate((1500, 1492, 1420, 1380, 1340, 1300, 1280)):
        plain.hop.narrow(mtu)
        plain.hop.probe(plain.public, _INSIDE6 if number % 2 else _INSIDE4)
        plain.hop.until_found(mtu)
    transfer(plain.hop.client.namespace, plain.hop.server_namespace, _INSIDE6, 1 << 20)


def test_a_shrink_and_a_rise_are_found(plain: Plain) -> None:
    """While something is sent."""
    hop = plain.hop
    hop.probe(plain.public, _INSIDE4, raise_after=1.0)
    hop.until_found(1500)
    for mtu in (1400, 1456):
        hop.narrow(mtu)
        hop.until_found(mtu, meanwhile=lambda: hop.client.pings(_INSIDE4, "-c20 -i0.002 -s1000 -W1"))
    transfer(hop.client.namespace, hop.server_namespace, _INSIDE4, 4 << 20)


def test_who_answers_nothing_is_unknown() -> None:
    """No such host: that is told, and the first of several addresses that does answer is enough."""
    with Plain(over6=False) as plain:
        hop, engine = plain.hop, plain.hop.client.engine
        hop.narrow(1400)
        source = hop.client.inner4
        engine.probe_path(plain.public, [(source, _NOBODY)], 1500)
        until(lambda: hop.found() == [None], 30, "it is told as unknown")
        engine.probe_path(plain.public, [(source, _NOBODY), (source, _INSIDE4)], 1500)
        hop.until_found(1400)
