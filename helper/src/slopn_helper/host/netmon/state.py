"""From the kernel's tables to one `NetworkState`: which way leads out, and what is it like? Pure."""

from __future__ import annotations

from collections.abc import Iterable

from slopn_helper.host.rtnl import LinkRow, RouteRow
from slopn_wire.profile import IPAddress, IPInterface

UNICAST = 1


def best_default(routes: Iterable[RouteRow], links: Iterable[LinkRow], own_interface: str) -> RouteRow | None:
    """The default route that packets take if ours doesn't count: lowest metric, through a device that has a carrier."""
    usable = {link.number for link in links if link.usable and link.name not in {own_interface, "lo"}}
    ways = [
        route
        for route in routes
        if route.destination.prefixlen == 0 and route.kind == UNICAST and not route.dead and route.device in usable
    ]
    return min(ways, key=lambda route: (route.metric, route.device), default=None)


def without_link_local(addresses: Iterable[IPInterface]) -> tuple[IPAddress, ...]:
    """The addresses that others can see, in an order that doesn't depend on when they were added."""
    seen = {address.ip for address in addresses if not address.ip.is_link_local}
    return tuple(sorted(seen, key=lambda ip: (ip.version, int(ip))))


ONE_SLEEP = 10.0
"""Seconds within which the clocks and a daemon tell of the same wake-up."""


class WakeUps:
    """Notices that the machine slept: the clock that counts sleep (CLOCK_BOOTTIME) runs ahead of the one that doesn't.

    A daemon may say so sooner, or where the clocks don't part.
    """

    def __init__(self, boottime: float, monotonic: float) -> None:
        self._ahead = boottime - monotonic
        self.last: float | None = None
        """Unix time of the last wake-up that was noticed."""

    def look(self, boottime: float, monotonic: float, wall: float) -> bool:
        """Whether the machine has slept for at least a second since the last look."""
        slept = boottime - monotonic - self._ahead
        self._ahead += slept
        if slept < 1.0:
            return False
        self.last = wall
        return True

    def told(self, boottime: float, monotonic: float, wall: float) -> bool:
        """A daemon says that the machine is awake again: whether that is news."""
        known = self.last is not None and 0 <= wall - self.last < ONE_SLEEP
        if not self.look(boottime, monotonic, wall) and known:
            return False
        self.last = wall
        return True
