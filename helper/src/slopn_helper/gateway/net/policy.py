"""What devices may do on and through a gateway, as data: rules are made of it, and the doctor judges by it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from slopn_wire.profile import IPAddress, IPNetwork


class Protocol(StrEnum):
    """Of a service."""

    TCP = "tcp"
    UDP = "udp"


class Service(Struct, frozen=True):
    """What the gateway itself answers on its addresses inside."""

    protocol: Protocol
    port: int


class Refusal(StrEnum):
    """Why a packet was refused; the name of the counter in the table, and of the metric's label."""

    SPOOFED = "spoofed"
    """It came from a device with a source outside the pools, or with the gateway's own."""
    ISOLATED = "isolated"
    """From one device to another."""
    PRIVATE = "private"
    """To a private range behind the gateway."""
    REFUSED = "refused"
    """To an address that devices are not to reach, by the policy or by anybody's."""
    ELSEWHERE = "elsewhere"
    """By an interface that is no uplink."""
    NAMES = "names"
    """A question to a name server other than those named."""
    HERE = "here"
    """To the gateway itself, to a service that isn't for devices."""
    LOOP = "loop"
    """The tunnel's own packets, sent into the tunnel: that device's routes lead in a circle."""
    UNASKED = "unasked"
    """From outside to a device, or to the gateway's address inside, and no answer to anything."""
    NEIGHBOURS = "neighbours"
    """Neighbour discovery, which belongs to a link and is never passed on."""


class GatewayNetPolicy(Struct, frozen=True, kw_only=True):
    """The whole desired state. The defaults let devices reach the internet, and nothing of the server's own."""

    interfaces: tuple[str, ...]
    """WireGuard's, at least one. They may come and go under the rules."""
    pools: tuple[IPNetwork, ...]
    """Where devices' addresses are from. A family without a pool isn't forwarded."""
    addresses: tuple[IPAddress, ...]
    """The gateway's own inside the tunnel."""
    uplinks: tuple[str, ...]
    """The interfaces by which devices' packets leave, at least one; also the one to the LAN where `private` is on."""
    nat44: bool = True
    """Off: the pool's addresses are routed to this server by somebody who knows of it."""
    nat66: bool = True
    """Off: likewise, the pool is a prefix that is routed to this server."""
    reachable: bool = False
    """Connections may begin outside to devices whose addresses are routed. With NAT there is nothing to reach."""
    isolated: bool = True
    """Devices don't reach each other."""
    private: bool = False
    """Devices reach private ranges: the server's LAN."""
    destinations: tuple[IPNetwork, ...] = ()
    """All that devices reach behind the gateway; empty: everything that isn't refused."""
    refused: tuple[IPNetwork, ...] = ()
    """What devices never reach, whatever else is allowed: a management network with public addresses."""
    dns: tuple[IPAddress, ...] = ()
    """Name servers for devices: of the gateway itself, or of the LAN although `private` is off. Port 53."""
    dns_only: bool = False
    """Ports 53 and 853 of all others are refused, also on the internet."""
    services: tuple[Service, ...] = ()
    """What else devices may ask of the gateway, at its `addresses`."""
    api_inside: bool = False
    """The API on `https_port` may be used through the tunnel, at whichever of the gateway's addresses."""
    wireguard_port: int = 51820
    https_port: int = 443
