"""The gateway's name server, as it is configured, beside devices and strangers."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from slopn_helper.gateway import names
from support.name_server import NameServer
from support.netns import Namespace, veth
from support.unbound import SERVER
from support.until import until

POOLS = [ip_network("100.80.0.0/20"), ip_network("fd00:1::/64")]
INSIDE = ("100.80.0.1", "fd00:1::1")
UPSTREAM = "192.0.2.53"
_FORWARD = f"""
server:
    do-not-query-localhost: no
forward-zone:
    name: "."
    forward-addr: {UPSTREAM}
"""
"""The internet's name servers, in one."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Namespace, Namespace, NameServer]]:
    """Gateway, device and the internet; unbound was started before the addresses were there."""
    path = tmp_path_factory.mktemp("names") / "unbound.conf"
    path.write_text(names.config(POOLS, None) + _FORWARD, encoding="utf-8")
    with Namespace("namesgw") as gateway, Namespace("namesdev") as device:
        gateway.ip("link set lo up")
        process = gateway.popen([SERVER, "-d", "-p", "-c", str(path)])
        until(lambda: "100.80.0.1:53" in gateway.run(["ss", "-Hlnu"]).stdout, 60, "unbound listens")
        veth(gateway, "tun0", device, "dev0")
        gateway.ip(f"""
            addr add {UPSTREAM}/32 dev lo
            addr add {INSIDE[0]}/20 dev tun0
            addr add {INSIDE[1]}/64 dev tun0 nodad
            addr add 203.0.113.1/24 dev tun0
            link set tun0 up
        """)
        device.ip("""
            addr add 100.80.0.9/20 dev dev0
            addr add fd00:1::9/64 dev dev0 nodad
            addr add 203.0.113.9/24 dev dev0
            link set dev0 up
        """)
        with NameServer(gateway, UPSTREAM) as upstream:
            upstream.records = {"www.example.org": ("198.51.100.80",)}
            yield gateway, device, upstream
        process.terminate()
        process.wait(60)


def dig(device: Namespace, *words: str) -> str:
    """What dig(1) says, in short."""
    argv = ["dig", "+short", "+timeout=5", "+tries=3", *words]
    done = device.run(argv, check=False)
    return done.stdout.strip()


def test_a_device_resolves_names(world: tuple[Namespace, Namespace, NameServer]) -> None:
    """At both addresses, by UDP and TCP."""
    _, device, _ = world
    for address in INSIDE:
        assert dig(device, f"@{address}", "www.example.org") == "198.51.100.80"
        assert dig(device, f"@{address}", "+tcp", "www.example.org") == "198.51.100.80"


def test_a_stranger_gets_nothing(world: tuple[Namespace, Namespace, NameServer]) -> None:
    """A source outside the pools is refused, and nobody is asked for it; another address doesn't answer at all."""
    _, device, upstream = world
    before = len(upstream.asked)
    done = device.run(["dig", "-b", "203.0.113.9", f"@{INSIDE[0]}", "+tries=1", "other.example.org"], check=False)
    assert "status: REFUSED" in done.stdout
    assert len(upstream.asked) == before
    assert dig(device, "@203.0.113.1", "+tries=1", "+timeout=2", "www.example.org").startswith(";;")
