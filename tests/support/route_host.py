"""A host with one uplink and a TUN device, and the ways that its packets take."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from ipaddress import ip_interface, ip_network

from slopn_helper.host.routes import RouteConfig
from slopn_helper.host.routes.linux import LinuxRouter
from support.netns import Namespace, veth

TUN = "slopn0"
MARK = 51820
FULL = RouteConfig(
    TUN,
    (ip_interface("10.9.0.2/24"), ip_interface("fd09::2/64")),
    (ip_network("0.0.0.0/0"), ip_network("::/0")),
    1380,
    MARK,
)
SPLIT = RouteConfig(TUN, FULL.addresses, (ip_network("172.16.0.0/12"), ip_network("fd77::/48")), 1420, MARK)
FAR4, FAR6 = "198.51.100.1", "2001:db8:ffff::1"


def make_tun(namespace: Namespace) -> None:
    """A TUN device that lives without a process; the engine's would die with it."""
    namespace.ip(f"tuntap add dev {TUN} mode tun")


def apply(client: Namespace, router: LinuxRouter, config: RouteConfig | None) -> None:
    """Apply within the namespace."""
    with client.entered():
        asyncio.run(router.apply(config))


def drift(client: Namespace, router: LinuxRouter) -> str | None:
    """The drift within the namespace."""
    with client.entered():
        return asyncio.run(router.drift())


def way(client: Namespace, address: str, mark: int = 0) -> str:
    """The device that a packet would take, or the error's name."""
    done = client.run(f"ip -j route get {address} mark {mark}", check=False)
    if done.returncode:
        return done.stderr.strip().removeprefix("RTNETLINK answers: ")
    return str(json.loads(done.stdout)[0]["dev"])


@contextlib.contextmanager
def uplinked() -> Iterator[Namespace]:
    """A host with one uplink to a router, both families, and a TUN device."""
    with Namespace("client") as host, Namespace("router") as router:
        veth(host, "eth0", router, "r0")
        router.ip("addr add 10.1.0.1/24 dev r0\naddr add fd01::1/64 dev r0 nodad")
        host.ip("""
            addr add 10.1.0.2/24 dev eth0
            addr add fd01::2/64 dev eth0 nodad
            route add default via 10.1.0.1 metric 100
            route add default via fd01::1 metric 100
        """)
        make_tun(host)
        yield host
