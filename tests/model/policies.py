"""Every closed policy that the core can ask for, each once: all states, settings and circumstances that make a difference."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from itertools import product

from model.packets import INTERFACE
from slopn_helper.host.firewall import Blocked, Tunnelled
from slopn_helper.tunnel.context import Context, Errand, ProfileFacts
from slopn_helper.tunnel.policy import policy_for
from slopn_wire.profile import Endpoint
from slopn_wire.settings import KillSwitchMode, Settings
from slopn_wire.state import (
    AfterDisconnect,
    Connected,
    Connecting,
    Disconnected,
    Disconnecting,
    ErrorCause,
    ErrorState,
    Step,
    TunnelState,
)

_ENDPOINTS = (Endpoint("203.0.113.10", 51820), Endpoint("2001:db8:9::10", 443))
_APIS = (Endpoint("203.0.113.10", 443), Endpoint("2001:db8:203::10", 8443))
_RESOLVERS = (ip_address("192.0.2.53"), ip_address("192.168.1.1"), ip_address("2001:db8::53"))
_PORTAL = (ip_address("192.0.2.80"), ip_address("2001:db8::80"))
_EXCLUDED = tuple(map(ip_network, ("192.168.7.0/24", "10.20.0.0/16", "198.51.100.0/25", "2001:db8:77::/48")))
_ONLY = tuple(map(ip_network, ("10.8.0.0/16", "198.51.100.0/24", "fd08::/32")))
_OWN, _DNS = (ip_address("10.9.0.2"), ip_address("fd09::2")), (ip_address("10.9.0.1"), ip_address("fd09::1"))
_PROFILES = {
    "a": ProfileFacts(_OWN, _DNS),
    "b": ProfileFacts(_OWN[:1]),
    "q": ProfileFacts(_OWN, _DNS, demands=_DNS),
}


def closed_policies() -> tuple[Blocked | Tunnelled, ...]:
    """In an order that is always the same."""
    made: dict[Blocked | Tunnelled, None] = {}
    for state, settings, ctx in product(_states(), _settings(), _contexts()):
        policy = policy_for(state, settings, ctx)
        if isinstance(policy, Blocked | Tunnelled):
            made[policy] = None
    return tuple(made)


def _settings() -> Iterator[Settings]:
    ways = product((KillSwitchMode.ON, KillSwitchMode.ALWAYS), (False, True), ((), _EXCLUDED), ((), _ONLY))
    for mode, lan, exclude, include in ways:
        yield Settings(kill_switch=mode, allow_lan=lan, exclude=exclude, include=include)


def _contexts() -> Iterator[Context]:
    for errand, protected in product((Errand(), Errand(names=True), Errand(apis=_APIS)), (False, True)):
        yield Context(profiles=_PROFILES, resolvers=_RESOLVERS, portal=_PORTAL, protected=protected, errand=errand)


def _states() -> Iterator[TunnelState]:
    yield Disconnected()
    for name in _PROFILES:
        yield Connecting(name, 0, Step.RESOLVING)
        yield Connecting(name, 1, Step.RESOLVING, cause=ErrorCause.HANDSHAKE)
        yield Connecting(name, 0, Step.PROTECTING, _ENDPOINTS, INTERFACE)
        yield Connected(name, _ENDPOINTS, INTERFACE)
        yield Disconnecting(name, AfterDisconnect.NOTHING)
        yield ErrorState(ErrorCause.HANDSHAKE, name)
