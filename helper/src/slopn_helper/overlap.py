"""Whether a profile's addresses get in the way of themselves, or of the networks that this host is on. Pure.

A more specific route wins, and of two alike nobody can say which; so not each overlap is a conflict. Refused is what
would leave a tunnel that looks connected and isn't.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import collapse_addresses, ip_address

from msgspec import Struct

from slopn_wire.profile import Endpoint, IPAddress, IPInterface, IPNetwork, Profile


class OnLink(Struct, frozen=True):
    """A network that this host reaches without a gateway."""

    network: IPNetwork
    device: str
    addresses: tuple[IPAddress, ...] = ()
    """This host's own there, and the gateway's."""


def own_endpoint(addresses: Iterable[IPInterface], address: IPAddress) -> str | None:
    """Why a gateway can't be at `address`: its packets would go into the tunnel that they are to carry. None: it can.

    `addresses` are the tunnel's own.
    """
    for interface in addresses:
        if interface.version == address.version and address in interface.network:
            return (
                f"the gateway's address {address} lies in the tunnel's own network {interface.network}, "
                "so the tunnel would have to go through itself"
            )
    return None


def literal(endpoint: Endpoint) -> IPAddress | None:
    """The address that `endpoint` names, if it is no host name."""
    try:
        return ip_address(endpoint.host.strip("[]"))
    except ValueError:
        return None


MAIN_TABLE = "254"
"""The routing table that every packet asks, the engine's own too: no rule keeps them out of it."""


def through_itself(profile: Profile, gateways: Iterable[IPAddress]) -> str | None:
    """Why the profile's routes would lead the packets to one of its `gateways` into the tunnel. None: they don't."""
    if profile.table != MAIN_TABLE:
        return None
    for address in gateways:
        for network in (network for peer in profile.peers for network in peer.allowed_ips):
            if address in network:
                return (
                    f"AllowedIPs has {network}, and with it the gateway's own address {address}: by Table = main its "
                    "packets would have to go through the tunnel itself; leave the Table line out"
                )
    return None


def with_links(profile: Profile, routed: Iterable[IPNetwork], links: Sequence[OnLink]) -> str | None:
    """Why the tunnel would not work on a host that is on `links`; None: it would.

    `routed` are the networks that go into the tunnel.
    """
    for link in links:
        for interface in profile.addresses:
            if interface.ip in link.addresses:
                return f"the tunnel's address {interface.ip} is in use on {link.device} already"
            if _claims(interface.network, link.network) and interface.network.prefixlen < interface.max_prefixlen:
                return _both(interface.network, link)
        for network in _widest(routed):
            if network == link.network:
                return _both(network, link)
        for server in profile.dns.servers:
            if server.version == link.network.version and server in link.network:
                return (
                    f"the profile's DNS server {server} lies in {link.network}, which {link.device} is connected to "
                    "directly, so questions to it would not go through the tunnel"
                )
    return None


def _claims(tunnel: IPNetwork, link: IPNetwork) -> bool:
    """Whether `link` has routes as specific as those of `tunnel` for some of its addresses."""
    return tunnel.version == link.version and link.subnet_of(tunnel)  # type: ignore[arg-type]


def _both(tunnel: IPNetwork, link: OnLink) -> str:
    return (
        f"the tunnel's network {tunnel} and {link.network}, which {link.device} is connected to directly, are the same "
        "addresses"
        if tunnel == link.network
        else f"the tunnel's network {tunnel} has {link.network} in it, which {link.device} is connected to directly"
    )


def _widest(networks: Iterable[IPNetwork]) -> list[IPNetwork]:
    """Without those that lie within others."""
    listed = list(networks)
    return [
        *collapse_addresses(n for n in listed if n.version == 4),
        *collapse_addresses(n for n in listed if n.version == 6),
    ]
