"""A tunnel over a narrow hop that says nothing: client, two routers and server in a row, ICMP errors dropped on the way."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Self

from slopn_engine import Engine, Event
from support.enginepair import PORT, End
from support.netns import Namespace, veth
from support.until import until

_SILENT = """
table inet silent {
  chain output {
    type filter hook output priority 0
    icmp type { destination-unreachable, time-exceeded } drop
    icmpv6 type { packet-too-big, destination-unreachable, time-exceeded } drop
  }
}
"""
_FORWARD = {"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1"}
INTERFACE = "wgt0"


class Hop:
    """Up while entered. Client 10.97.1.1, fd97:1::1; server 10.97.3.1, fd97:3::1; the hop between the routers is 10.97.2.0/24.

    Both engines are made, not configured; `connect` does that. `server` may be replaced by another program before.
    """

    def __init__(self, *, over6: bool = False, own_server: bool = True) -> None:
        """`own_server`: the server's engine is ours; else its namespace is empty, and who tests fills it."""
        self.over6 = over6
        self._own_server = own_server
        self._stack = contextlib.ExitStack()
        self.routers: list[Namespace] = []
        self.client: End
        self.server_namespace: Namespace
        self._server: End | None = None

    @property
    def server(self) -> End:
        """The far end; only with `own_server`."""
        assert self._server is not None, "this hop has another server"
        return self._server

    @property
    def address(self) -> str:
        """The server's, outside."""
        return "fd97:3::1" if self.over6 else "10.97.3.1"

    @property
    def overhead(self) -> int:
        """Bytes from a packet in the tunnel to the one outside."""
        return 80 if self.over6 else 60

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            names = [Namespace(role, private=role == "server") for role in ("client", "near", "far", "server")]
            client, near, far, server = (stack.enter_context(name) for name in names)
            self.routers, self.server_namespace = [near, far], server
            veth(client, "ve0", near, "west")
            veth(near, "east", far, "west")
            veth(far, "east", server, "ve0")
            _address(client, "ve0", "10.97.1.1", "fd97:1::1")
            _address(near, "west", "10.97.1.254", "fd97:1::fe")
            _address(near, "east", "10.97.2.1", "fd97:2::1")
            _address(far, "west", "10.97.2.254", "fd97:2::fe")
            _address(far, "east", "10.97.3.254", "fd97:3::fe")
            _address(server, "ve0", "10.97.3.1", "fd97:3::1")
            client.ip("route add default via 10.97.1.254\nroute add default via fd97:1::fe")
            server.ip("route add default via 10.97.3.254\nroute add default via fd97:3::fe")
            near.ip("route add 10.97.3.0/24 via 10.97.2.254\nroute add fd97:3::/64 via fd97:2::fe")
            far.ip("route add 10.97.1.0/24 via 10.97.2.1\nroute add fd97:1::/64 via fd97:2::1")
            for router in self.routers:
                router.sysctl(_FORWARD)
                router.nft(_SILENT)
            self.client = stack.enter_context(_closing(_end(1, client)))
            if self._own_server:
                self._server = stack.enter_context(_closing(_end(0, server)))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def narrow(self, mtu: int) -> None:
        """The hop takes packets up to this length, both ways; longer ones are lost without a word, or cut if they may be."""
        near, far = self.routers
        near.ip(f"link set east mtu {mtu}")
        far.ip(f"link set west mtu {mtu}")

    def connect(self) -> None:
        """Configure both engines and wait for the tunnel."""
        self.server.apply(self.client.as_peer(), port=PORT)
        self.client.apply(self.server.as_peer((self.address, PORT)))
        self.client.wait_ping(self.server.inner4)

    def probe(self, public: bytes, target: str, *, raise_after: float | None = None) -> None:
        """Measure anew."""
        source = self.client.inner6 if ":" in target else self.client.inner4
        self.client.engine.probe_path(public, [], 1500)
        self.client.engine.probe_path(public, [(source, target)], 1500, raise_after=raise_after)

    def found(self) -> list[int | None]:
        """All that was told of the path so far."""
        return [event.mtu for event in self.client.events(Event.PathMtu)]

    def last(self) -> int | None:
        """What was told last."""
        return (self.found() or [None])[-1]

    def follow(self) -> int | None:
        """What the helper does: the TUN's MTU is what the path leaves, at least IPv6's least. Gives what was told last."""
        last = self.last()
        if last is not None:
            self.client.engine.set_mtu(min(max(last - self.overhead, 1280), 1420))
        return last

    def until_found(self, mtu: int, timeout: float = 20.0, *, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Wait for this to be the last word, the TUN's MTU following."""

        def is_it() -> bool:
            meanwhile()
            return self.follow() == mtu

        until(is_it, timeout, f"a path MTU of {mtu} is found")


def _end(number: int, namespace: Namespace) -> End:
    with namespace.entered():
        end = End(number, namespace, Engine(INTERFACE, uapi=False))
    namespace.ip(
        f"addr add {end.inner4}/24 dev {INTERFACE}\n-6 addr add {end.inner6}/64 dev {INTERFACE}\nlink set {INTERFACE} up"
    )
    return end


def _closing(end: End) -> contextlib.AbstractContextManager[End]:
    return contextlib.closing(end)


def _address(namespace: Namespace, device: str, four: str, six: str) -> None:
    namespace.ip(f"addr add {four}/24 dev {device}\n-6 addr add {six}/64 dev {device} nodad")
