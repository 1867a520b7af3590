"""A gateway between its devices, a LAN of its own and an internet, on the real engine.

    client1, 2, 3 ══ WireGuard ══ gateway ── up0 ── internet  203.0.113.9  2001:db8:ffff::9
                                          └─ lan0 ── lan      192.168.50.9

The internet has no way back to the devices' addresses, unless a test gives it one.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import re
import socket
import threading
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Self

from slopn_helper.gateway.net.network import GatewayNet
from slopn_helper.gateway.net.policy import GatewayNetPolicy, Refusal
from slopn_helper.gateway.net.script import TABLE
from slopn_helper.host.journal import Journal
from support.enginepair import PORT, End, Star
from support.netns import Namespace, veth

INTERFACE = "wgt0"
INSIDE4, INSIDE6 = "10.98.0.1", "fd98::1"
OUTSIDE4, OUTSIDE6 = "203.0.113.1", "2001:db8:ffff::1"
"""The gateway's own, inside and outside."""
WEB4, WEB6 = "203.0.113.9", "2001:db8:ffff::9"
LAN4 = "192.168.50.9"
MIRROR = 7007

POLICY = GatewayNetPolicy(
    interfaces=(INTERFACE,),
    pools=(ip_network("10.98.0.0/24"), ip_network("fd98::/64")),
    addresses=(ip_address(INSIDE4), ip_address(INSIDE6)),
    uplinks=("up0",),
    wireguard_port=PORT,
)


class World:
    """All of it, up while entered; nothing forwards yet."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with self._stack:
            self.star = self._stack.enter_context(Star(3, interface=INTERFACE))
            self.internet = self._stack.enter_context(Namespace("internet"))
            self.lan = self._stack.enter_context(Namespace("lan"))
            veth(self.gateway, "up0", self.internet, "i0")
            veth(self.gateway, "lan0", self.lan, "l0")
            self.gateway.ip(
                f"""addr add {OUTSIDE4}/24 dev up0
                addr add 192.168.50.1/24 dev lan0
                -6 addr add {OUTSIDE6}/64 dev up0 nodad"""
            )
            self.internet.ip(f"addr add {WEB4}/24 dev i0\n-6 addr add {WEB6}/64 dev i0 nodad")
            self.lan.ip(f"addr add {LAN4}/24 dev l0\nroute add default via 192.168.50.1")
            self.star.server.apply(*(client.as_peer() for client in self.star.clients), port=PORT)
            for client in self.star.clients:
                everything = self.star.server.as_peer(self.star.address(client), extra=("0.0.0.0/0", "::/0"))
                client.apply(everything)
                client.namespace.ip(
                    f"route add default dev {INTERFACE}\n-6 route add default dev {INTERFACE}\nlink set {INTERFACE} mtu 1420"
                )
            for client in self.star.clients:
                client.wait_ping(INSIDE4)
            # Refusals are looked at one by one, and come faster than a kernel likes to send them.
            self.gateway.sysctl({"net/ipv4/icmp_ratelimit": "0", "net/ipv6/icmp/ratelimit": "0"})
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def gateway(self) -> Namespace:
        """Between them all."""
        return self.star.server.namespace

    @property
    def clients(self) -> list[Namespace]:
        """The devices."""
        return [client.namespace for client in self.star.clients]

    def also_allow(self, client: End, *networks: str) -> None:
        """The engine takes these sources from `client` too, as by a mistake in the registry."""
        peers = [c.as_peer(extra=networks if c is client else ()) for c in self.star.clients]
        self.star.server.apply(*peers, port=PORT)


class HostNet:
    """`GatewayNet` on the gateway; its calls block. Removed and closed at the end.

    With a plain table, unless a test asks for more: tests take rules out of it to see what each is for.
    """

    def __init__(self, gateway: Namespace, directory: Path, *, owned: bool = False) -> None:
        self._gateway = gateway
        self.journal = Journal(directory / "journal")
        self.net = GatewayNet(self.journal, owned=owned)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.apply(None)
        finally:
            self.close()

    def close(self) -> None:
        """As a gateway that ends: all stays as it is."""
        self.net.close()
        # A context of libnftables that goes later, while another one counts its sockets, would confuse it.
        gc.collect()

    def apply(self, policy: GatewayNetPolicy | None) -> None:
        """Raises `GatewayNetError`."""
        with self._gateway.entered():
            asyncio.run(self.net.apply(policy))

    def drift(self) -> str | None:
        """`GatewayNet.drift`."""
        with self._gateway.entered():
            return asyncio.run(self.net.drift())

    def count(self, why: Refusal) -> int:
        """How many packets were refused for this."""
        with self._gateway.entered():
            return asyncio.run(self.net.counts())[why].packets

    def take_out(self, chain: str, words: str) -> None:
        """Delete the rules of `chain` that have these words; there must be some."""
        listed = self._gateway.run(f"nft -a list chain inet {TABLE} {chain}").stdout.splitlines()
        handles = [m[1] for line in listed if words in line and (m := re.search(r"# handle (\d+)$", line))]
        assert handles, f"no rule of {chain} has «{words}»: {listed}"
        for handle in handles:
            self._gateway.run(f"nft delete rule inet {TABLE} {chain} handle {handle}")


@contextlib.contextmanager
def mirror(host: Namespace, port: int = MIRROR, *, address: str = "::") -> Iterator[list[str]]:
    """Answers every datagram with the sender's address, and yields the senders; both families at all addresses."""
    senders: list[str] = []
    ended = threading.Event()
    with host.entered():
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind((address, port))
        sock.settimeout(0.05)

        def answer() -> None:
            while not ended.is_set():
                with contextlib.suppress(TimeoutError, OSError):
                    _, sender = sock.recvfrom(2048)
                    senders.append(str(sender[0]).removeprefix("::ffff:"))
                    sock.sendto(senders[-1].encode(), sender)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        try:
            yield senders
        finally:
            ended.set()
            thread.join(5)


def asks(host: Namespace, to: str, port: int = MIRROR, *, source: str = "", seconds: float = 5.0) -> str | None:
    """The address that a `mirror` at `to` saw; None: no answer within `seconds`, or a refusal."""
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    with host.entered(), socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(seconds)
        try:
            sock.bind((source, 0))
            sock.connect((to, port))
            sock.send(b"who am I?")
            return sock.recv(2048).decode()
        except OSError:
            return None
