"""What network the host is on, and when that changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from msgspec import Struct

from slopn_wire.profile import IPAddress


class NetworkState(Struct, frozen=True):
    """The host's way to the internet. Compared by value: equal states are not a change."""

    interface: str | None
    """The interface of the best default route that is not ours. None: offline."""
    gateway4: IPAddress | None = None
    gateway6: IPAddress | None = None
    addresses: tuple[IPAddress, ...] = ()
    """Of `interface`, without link-local ones: a new lease on the same network is a change too."""
    gateway_mac: str | None = None
    """Kept once it was heard, for as long as the gateway stays."""
    ssid: str | None = None
    """The Wi-Fi network's name, fit to be shown; None: no Wi-Fi, or nobody can say."""
    mtu: int = 1500
    metered: bool = False
    """Traffic costs money, as somebody says or guesses; nobody who says so is a no."""
    resumed_at: float | None = None
    """Unix time of the last wake-up from sleep."""

    @property
    def ways_out(self) -> tuple[IPAddress, ...]:
        """The network's gateways, one of each IP version at most."""
        return tuple(gateway for gateway in (self.gateway4, self.gateway6) if gateway is not None)

    @property
    def reachable(self) -> frozenset[int]:
        """The IP versions that this host has a way out for."""
        return frozenset(gateway.version for gateway in self.ways_out)


class NetworkMonitor(Protocol):
    """Watches the host's network. Our own interface is never reported."""

    def current(self) -> NetworkState:
        """The state as last seen."""

    def changes(self) -> AsyncIterator[NetworkState]:
        """The state after each change: at once for the first of a burst, debounced for the rest; never the same twice
        in a row. The first item is the state at the start. Ends only when its task is cancelled.
        """

    def links(self) -> AsyncIterator[None]:
        """An item at the start and as soon as any link has come, gone or changed, our own too; never debounced.

        What is waiting when the last item has been dealt with is one item. Ends only when its task is cancelled.
        """
