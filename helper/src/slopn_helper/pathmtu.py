"""What the way to the gateways carries, as the engine finds it, and what follows for the tunnel: docs/network.md."""

from __future__ import annotations

import logging
from base64 import b64decode
from collections.abc import Collection, Iterable, Iterator
from ipaddress import ip_network

from msgspec import Struct

from slopn_helper.engine import EngineError, Measuring, PathFound
from slopn_wire.profile import IPAddress, IPNetwork, Profile

OVERHEAD4, OVERHEAD6 = 60, 80
"""Bytes that WireGuard, UDP and IP add to a packet, by the IP version outside. wg-quick(8) reckons with the second."""
LEAST = 1280
"""No link that has IPv6 may have less (RFC 8200 5); and the size to go by where nothing can be found."""
LEAST4 = 576
ASKED = 4
"""Addresses in the tunnel that are asked, one after the other."""
_PADDED = 16

_log = logging.getLogger(__name__)


class Known(Struct, frozen=True):
    """What is known of the ways that are in use."""

    path: int | None
    """The largest packet outside; None: nobody at the far end answers."""
    room: int
    """The largest packet inside that is one outside."""


class PathMtu:
    """Has the ways to a tunnel's gateways measured. Belongs to one event loop."""

    def __init__(self, engine: Measuring) -> None:
        self._engine = engine
        self._link = 1500
        self._profile: Profile | None = None
        self._gateways: tuple[bytes, ...] = ()
        self._found: dict[bytes, PathFound] = {}

    async def aim(self, profile: Profile, gateways: Iterable[bytes]) -> None:
        """Measure the ways to these gateways. The same again changes nothing."""
        self._profile, self._gateways = profile, tuple(gateways)
        for gateway in self._gateways:
            pairs = targets(profile, _allowed(profile, gateway))
            if not pairs:
                self._found[gateway] = PathFound(gateway, None)
            try:
                await self._engine.probe_path(gateway, [(str(a), str(b)) for a, b in pairs], self._link)
            except EngineError as error:
                # The tunnel works without.
                _log.warning("the path's MTU can't be looked for: %s", error)

    async def linked(self, mtu: int) -> None:
        """The host's own link carries this much from now on: nothing larger is looked for."""
        if mtu != self._link and mtu > 0:
            self._link = mtu
            if self._profile is not None:
                await self.aim(self._profile, self._gateways)

    def forget(self) -> None:
        """There is no tunnel any more."""
        self._profile, self._gateways = None, ()
        self._found.clear()

    def found(self, event: PathFound) -> None:
        """The engine has found something."""
        self._found[event.public_key] = event

    def known(self, gateways: Collection[bytes]) -> Known | None:
        """Of these gateways together; None: nothing yet."""
        found = [self._found[gateway] for gateway in gateways if gateway in self._found]
        if not found:
            return None
        paths = [one.mtu for one in found if one.mtu is not None]
        return Known(min(paths) if len(paths) == len(found) else None, min(map(_room, found)))


def tunnel_mtu(profile: Profile, link: int, known: Known | None) -> int:
    """The MTU of the tunnel's device, where the host's link has `link`. Pure.

    As wg-quick(8) has it, 80 bytes below the link's, where the path carries that or isn't known yet. Never less than IPv6
    needs where IPv6 is inside; what is longer than the path is then cut outside.
    """
    usual = max(link - OVERHEAD6, LEAST)
    if profile.mtu is not None:
        return profile.mtu
    if known is None or (known.room >= usual and (known.path == link or known.room >= _padded(usual))):
        return usual
    # The far end's WireGuard pads to 16 bytes up to its own MTU, not ours: a size that needs no padding comes back whole.
    return max(min(usual, known.room // _PADDED * _PADDED), LEAST if _has_ipv6(profile) else LEAST4)


def is_narrow(profile: Profile, known: Known | None) -> bool:
    """Whether full packets have to be cut outside the tunnel, since IPv6 may not have less inside. Pure."""
    fixed = profile.mtu
    return known is not None and known.path is not None and known.room < LEAST and fixed is None and _has_ipv6(profile)


def targets(profile: Profile, allowed: Collection[IPNetwork]) -> list[tuple[IPAddress, IPAddress]]:
    """Between which addresses inside echoes may go: ours and one that the far end may have, the likeliest first. Pure.

    Our own gateways answer at their addresses; others mostly at the resolver that they give, or at the first address of the
    network. `allowed`: what may come from there.
    """
    own = {one.version: one for one in reversed([interface.ip for interface in profile.addresses])}
    likely = [ip for ip in _likely(profile) if ip.version in own and ip != own[ip.version]]
    there = [ip for ip in dict.fromkeys(likely) if any(ip.version == net.version and ip in net for net in allowed)]
    return [(own[ip.version], ip) for ip in there[:ASKED]]


def _likely(profile: Profile) -> Iterator[IPAddress]:
    if profile.enrolment is not None:
        yield from profile.enrolment.inside
    yield from (ip for ip in profile.dns.servers if not ip.is_global)
    for interface in profile.addresses:
        length = min(interface.network.prefixlen, 24 if interface.version == 4 else 64)
        network = ip_network((interface.ip, length), strict=False)
        yield network.network_address + 1
    yield from (ip for ip in profile.dns.servers if ip.is_global)


def _allowed(profile: Profile, gateway: bytes) -> tuple[IPNetwork, ...]:
    """An enrolment's gateways all have what its one peer has."""
    peers = profile.peers
    return next((peer.allowed_ips for peer in peers if b64decode(peer.public_key) == gateway), peers[0].allowed_ips)


def _room(found: PathFound) -> int:
    return LEAST if found.mtu is None else found.mtu - (OVERHEAD6 if found.over6 else OVERHEAD4)


def _padded(size: int) -> int:
    return -(-size // _PADDED) * _PADDED


def _has_ipv6(profile: Profile) -> bool:
    return any(interface.version == 6 for interface in profile.addresses)
