"""Addresses, routes and policy rules of the tunnel: one interface, one module a platform."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from slopn_wire.profile import IPAddress, IPInterface, IPNetwork


class RouteError(Exception):
    """A route, rule, address or sysctl was refused; what and why are in the message."""


class RouteConfig(Struct, frozen=True):
    """The whole desired state of the tunnel's interface and routes."""

    interface: str
    addresses: tuple[IPInterface, ...]
    routes: tuple[IPNetwork, ...]
    """Networks that go into the tunnel: the peers' allowed IPs. Empty: none are set."""
    mtu: int
    fwmark: int
    """Packets with this mark stay outside the tunnel: the engine's own."""
    table: int | None = None
    """None: policy routing through the helper's own table. A number: plain routes in that table, no rules."""
    endpoints: tuple[IPAddress, ...] = ()
    """Where the engine's own packets go. A route that covers one is kept from those packets, as a default route is."""
    excluded: tuple[IPNetwork, ...] = ()
    """Networks that stay outside the tunnel, though `routes` may cover them."""


class Router(Protocol):
    """Sets addresses, routes and rules. Writes go through the journal."""

    async def apply(self, config: RouteConfig | None) -> None:
        """Make `config` the host's state; None removes all of ours. Idempotent. Raises `RouteError`.

        Fails closed: the table's `unreachable` default is there before the rule that leads to the table, and goes last.
        """

    async def on_link(self) -> tuple[tuple[IPNetwork, str], ...]:
        """The networks that this host reaches without a gateway, and by which device; not the tunnel's. Raises `RouteError`."""
        ...

    async def drift(self) -> str | None:
        """None when the host's routes and rules are those last applied; else a short description of the difference."""
