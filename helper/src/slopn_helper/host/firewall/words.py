"""Words of nft(8) for what policies name: networks, addresses, interfaces. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, collapse_addresses, ip_address
from typing import TypeVar

from slopn_wire.profile import Endpoint, IPAddress, IPNetwork

_T = TypeVar("_T")

Rule = tuple[str, ...]
"""Statements in nft(8)'s words; the verdict is the last."""

_MAPPED = IPv6Network("::ffff:0:0/96")


def one_of(members: Iterable[str]) -> str:
    """An anonymous set, or the only member."""
    listed = list(members)
    return listed[0] if len(listed) == 1 else f"{{ {', '.join(listed)} }}"


def family_of(address: IPAddress) -> str:
    """How rules call the address's family."""
    return "ip" if isinstance(address, IPv4Address) else "ip6"


def unique(items: Iterable[_T]) -> tuple[_T, ...]:
    """Each once, in order."""
    return tuple(dict.fromkeys(items))


def endpoint(of: Endpoint) -> tuple[IPAddress, int]:
    """Address and port. Raises `ValueError` for a name, and for a port that can't be."""
    if not 0 < of.port < 1 << 16:
        raise ValueError(f"{of}: a port is 1 to 65535")
    return plain(ip_address(of.host)), of.port


def plain(address: IPAddress) -> IPAddress:
    """As packets carry it: without a zone, and IPv4 where IPv6 only wraps it."""
    if not isinstance(address, IPv6Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))


def networks(of: Iterable[IPNetwork]) -> dict[str, str]:
    """The networks as one set a family, without those that lie in another; a family without any isn't there."""
    sets = zip(("ip", "ip6"), collapsed(of), strict=True)
    return {family: one_of(map(str, members)) for family, members in sets if members}


def collapsed(of: Iterable[IPNetwork]) -> tuple[tuple[IPv4Network, ...], tuple[IPv6Network, ...]]:
    """The networks of each family as packets carry them, without those that lie in another."""
    four: list[IPv4Network] = []
    six: list[IPv6Network] = []
    for network in of:
        if isinstance(network, IPv4Network):
            four.append(network)
        elif network.subnet_of(_MAPPED):
            four.append(IPv4Network((int(network.network_address) & 0xFFFF_FFFF, network.prefixlen - 96)))
        else:
            six.append(network)
    return tuple(collapse_addresses(four)), tuple(collapse_addresses(six))


def interface(name: str) -> str:
    """Only what may stand in quotes: nft(8) knows no escapes, and `*` at the end would match a whole family.

    Raises `ValueError` for what is no name of a tunnel's interface.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.=+-]{1,15}", name) or name == "lo":
        raise ValueError(f"{name!r} can't be the name of a tunnel's interface")
    return name
