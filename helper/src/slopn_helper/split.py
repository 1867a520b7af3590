"""Which traffic the user wants through the tunnel, and which beside it: networks computed from settings and profile. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_network

from slopn_wire.profile import DnsConfig, IPAddress, IPNetwork, Profile

WIDEST_EXCLUSION = {4: 3, 6: 3}
"""Shortest prefix that may be left out: whoever excludes half of the internet wants no tunnel."""


def through(allowed: Iterable[IPNetwork], include: Iterable[IPNetwork]) -> tuple[IPNetwork, ...]:
    """What goes through the tunnel: what its peers take, and of that only `include` if there is any."""
    wanted = tuple(include)
    if not wanted:
        return tuple(dict.fromkeys(allowed))
    narrow = (_common(one, other) for one in allowed for other in wanted)
    return tuple(dict.fromkeys(network for network in narrow if network is not None))


def problem(exclude: Iterable[IPNetwork], include: Iterable[IPNetwork]) -> str | None:
    """Why these settings can't hold, in a sentence; None: they can."""
    kept, left = tuple(include), tuple(exclude)
    for network in left:
        if network.prefixlen < WIDEST_EXCLUSION[network.version]:
            return f"{network} is too much to leave out of the tunnel: with it, hardly anything would go through."
        if network.is_loopback:
            return f"{network} never leaves this computer: it needs no exception."
        whole = next((each for each in kept if _common(each, network) == each), None)
        if whole is not None:
            return f"{whole} is both included and, within {network}, excluded; say which you mean."
    for network in kept:
        if network.is_loopback:
            return f"{network} never leaves this computer: no tunnel can take it."
        if network.prefixlen == 0:
            return f"{network} is everything: leave `include` empty instead."
    return None


def covers(networks: Iterable[IPNetwork], address: IPAddress) -> bool:
    """Whether `address` is in one of `networks`."""
    return any(address in network for network in networks)


def dns(profile: Profile, include: Sequence[IPNetwork]) -> DnsConfig:
    """The profile's, but not where its resolvers wouldn't be reached through the tunnel."""
    reached = not include or all(covers(include, server) for server in profile.dns.servers)
    return profile.dns if reached else DnsConfig()


def kept(
    servers: Iterable[IPAddress], through: Iterable[IPNetwork], exclude: Iterable[IPNetwork]
) -> tuple[IPNetwork, ...]:
    """Those of the tunnel's resolvers that lie in excluded networks, as networks of one address each.

    They go through the tunnel all the same: beside it nobody may be asked for names.
    """
    taken, left = tuple(through), tuple(exclude)
    return tuple(dict.fromkeys(ip_network(s) for s in servers if covers(taken, s) and covers(left, s)))


def _common(one: IPNetwork, other: IPNetwork) -> IPNetwork | None:
    """Two networks are disjoint, or one is in the other."""
    if one.version != other.version or not one.overlaps(other):
        return None
    return one if one.prefixlen >= other.prefixlen else other
