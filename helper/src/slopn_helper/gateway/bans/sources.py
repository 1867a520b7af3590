"""What is counted and banned as one: an IPv4 address, or the /64 of an IPv6 address. Pure.

A host has a whole /64 to choose its addresses from: to count or ban one of them alone would stop nobody.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from slopn_wire.profile import IPAddress, IPNetwork

_V6_LENGTH = 64


def source_of(address: IPAddress) -> IPNetwork:
    """What to count `address` as. An IPv4 address written as IPv6 (`::ffff:192.0.2.1`) is the IPv4 address."""
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        if mapped is None:
            return IPv6Network((int(address) >> _V6_LENGTH << _V6_LENGTH, _V6_LENGTH))
        address = mapped
    return IPv4Network(address)


def parse(text: str) -> IPNetwork:
    """A person's `203.0.113.7`, `2001:db8::7` or `2001:db8::/64`. Raises `ValueError` with a sentence."""
    if "/" not in text:
        try:
            return source_of(ip_address(text))
        except ValueError:
            raise ValueError(f"{text!r} is no IP address") from None
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(f"{text!r} is no address of a network") from None
    if network.prefixlen != (32 if network.version == 4 else _V6_LENGTH):
        raise ValueError(f"{text} is no single IPv4 address and no /64: other networks are for your own firewall")
    return network


def shown(source: IPNetwork) -> str:
    """`203.0.113.7`, `2001:db8::/64`: also how the log's lines name it."""
    if source.prefixlen == source.max_prefixlen:
        return str(source.network_address)
    return str(source)
