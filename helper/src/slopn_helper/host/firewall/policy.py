"""Firewall policy as data. The core computes it, mechanisms translate it, tests enumerate it."""

from __future__ import annotations

from msgspec import Struct

from slopn_wire.profile import Endpoint, IPAddress, IPNetwork


class Open(Struct, frozen=True, tag="open"):
    """No rule of ours is in force."""


class Inside(Struct, frozen=True):
    """Where a preshared key is agreed inside the tunnel (`slopn_helper.psk`), while nothing else may go through it."""

    interface: str
    addresses: tuple[IPAddress, ...]
    """The gateway's own in the tunnel: from UDP port 17768 to that port of these, and back."""


class Blocked(Struct, frozen=True, tag="blocked"):
    """Nothing passes but loopback, DHCP, NDP and what is named here."""

    allow_lan: bool = False
    endpoints: tuple[Endpoint, ...] = ()
    """IP literals: reachable over UDP by packets that carry the helper's mark, by no others."""
    resolvers: tuple[IPAddress, ...] = ()
    """Port 53 of these, for packets that carry the helper's mark alone: the endpoint's name is being resolved."""
    addresses: tuple[IPAddress, ...] = ()
    """The tunnel's own addresses: nothing may reach them but through the tunnel (CVE-2019-14899)."""
    excluded: tuple[IPNetwork, ...] = ()
    """The user wants these beside the tunnel, whatever its state. Never DNS."""
    only: tuple[IPNetwork, ...] = ()
    """Not empty: the user wants these through the tunnel and nothing else, so that nothing else is held back either."""
    portal: tuple[IPAddress, ...] = ()
    """TCP port 80 of these, for packets that carry the helper's mark alone: it looks for a captive portal."""
    apis: tuple[Endpoint, ...] = ()
    """IP literals: reachable over TCP by packets that carry the helper's mark alone: it enrols, or renews an enrolment."""
    inside: Inside | None = None
    """A key that the profile demands is being agreed."""


class Tunnelled(Struct, frozen=True, tag="tunnelled"):
    """As `Blocked`, and everything through `interface`; DNS only to `dns` inside it."""

    allow_lan: bool
    endpoints: tuple[Endpoint, ...]
    interface: str
    addresses: tuple[IPAddress, ...] = ()
    dns: tuple[IPAddress, ...] = ()
    """Empty: the profile names no resolver, and port 53 may go to any address inside the tunnel."""
    excluded: tuple[IPNetwork, ...] = ()
    """As in `Blocked`."""
    only: tuple[IPNetwork, ...] = ()
    """As in `Blocked`. DNS is held back to `dns` only if there is any."""
    resolvers: tuple[IPAddress, ...] = ()
    """As in `Blocked`, of the name of an enrolment API."""
    apis: tuple[Endpoint, ...] = ()
    """As in `Blocked`."""


FirewallPolicy = Open | Blocked | Tunnelled
