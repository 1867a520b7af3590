"""What a running gateway says of itself, put together of what its parts know. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from slopn_helper.engine import Counters, PeerCounters
from slopn_helper.gateway import pools as pool_rules
from slopn_helper.gateway.peers import Roster
from slopn_helper.gateway.status import PeerStatus, PoolStatus, Trouble
from slopn_helper.gateway.types import Pool
from slopn_wire.profile import Endpoint

CLOCK_BEHIND = 300.0
"""Seconds by which the registry may be ahead of this host's clock: gateways' clocks differ."""
POOL_SHORT = 0.95
"""Part of a pool that may be lent before somebody should know."""


def peers(roster: Roster, counters: Counters, protected: Callable[[bytes], bool], now: float) -> tuple[PeerStatus, ...]:
    """All devices that may connect at `now`; one that changes its key counts with both."""
    by_key = {each.public_key: each for each in counters.peers}
    return tuple(
        PeerStatus(
            device=each.device.id,
            name=each.device.name,
            addresses=tuple(lease.address for lease in each.leases),
            endpoint=None if last is None or last.endpoint is None else Endpoint(*last.endpoint),
            last_handshake=None if last is None else last.last_handshake,
            rx_bytes=sum(peer.rx_bytes for peer in seen),
            tx_bytes=sum(peer.tx_bytes for peer in seen),
            post_quantum=protected(roster.owner(each.device)),
        )
        for each in roster.admitted(now)
        for seen in [[by_key[key] for key in (each.device.public_key, each.device.next_key) if key in by_key]]
        for last in [_last(seen)]
    )


def pools(lent: Mapping[str, int], known: Sequence[Pool]) -> tuple[PoolStatus, ...]:
    """How far each pool is used. `lent`: how many of each, by name."""
    return tuple(PoolStatus(pool.name, lent.get(pool.name, 0), _size(pool)) for pool in known)


def pool_troubles(found: Sequence[PoolStatus]) -> Iterator[Trouble]:
    """Pools that are nearly all lent."""
    for each in found:
        if each.lent >= POOL_SHORT * each.size:
            yield Trouble(
                "pool",
                f"Of the pool {each.name} {each.lent} of {each.size} addresses are lent: add a network to the settings, or "
                "revoke devices.",
            )


def clock_trouble(roster: Roster, now: float) -> Iterator[Trouble]:
    """A clock that is behind what the registry holds: devices would stay in for too long."""
    newest = roster.newest()
    if newest is not None and newest > now + CLOCK_BEHIND:
        yield Trouble("clock", f"This host's clock is {newest - now:.0f} seconds or more behind: set it.")


def _last(seen: Sequence[PeerCounters]) -> PeerCounters | None:
    return max(seen, key=lambda peer: peer.last_handshake or 0.0, default=None)


def _size(pool: Pool) -> int:
    first, last = pool_rules.usable(pool.network)
    return max(0, last - first + 1 - sum(first <= int(each) <= last for each in set(pool.reserved)))
