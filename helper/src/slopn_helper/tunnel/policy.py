"""The kill switch, whole: which firewall policy each state demands. Total; nothing else decides."""

from __future__ import annotations

from typing import assert_never

from slopn_helper.host.firewall.policy import Blocked, FirewallPolicy, Open, Tunnelled
from slopn_helper.tunnel.context import Context, ProfileFacts
from slopn_wire.settings import KillSwitchMode, Settings
from slopn_wire.state import (
    Connected,
    Connecting,
    Disconnected,
    Disconnecting,
    ErrorCause,
    ErrorState,
    Step,
    TunnelState,
)

_UNREACHABLE = frozenset({ErrorCause.RESOLVE, ErrorCause.HANDSHAKE, ErrorCause.STALE})


def policy_for(state: TunnelState, settings: Settings, ctx: Context) -> FirewallPolicy:
    """The policy that must be in force in `state`: the table of docs/security.md."""
    mode, lan = settings.kill_switch, settings.allow_lan
    beside, only = settings.exclude, settings.include
    if mode is KillSwitchMode.OFF:
        return Open()
    match state:
        case Disconnected():
            return Blocked(lan, excluded=beside, only=only) if mode is KillSwitchMode.ALWAYS else Open()
        case Connecting(profile=profile, endpoints=endpoints, step=step):
            resolvers = ctx.resolvers if step is Step.RESOLVING else ()
            portal = ctx.portal if failing(state) else ()
            return Blocked(lan, endpoints, resolvers, _facts(ctx, profile).addresses, beside, only, portal)
        case Connected(profile=profile, endpoints=endpoints, interface=interface):
            facts = _facts(ctx, profile)
            return Tunnelled(lan, endpoints, interface, facts.addresses, facts.dns, beside, only)
        case Disconnecting(profile=profile) | ErrorState(profile=profile):
            return Blocked(lan, addresses=_facts(ctx, profile).addresses, excluded=beside, only=only)
        case _:
            assert_never(state)


def failing(state: TunnelState) -> bool:
    """Whether an attempt has failed although the host has a network: as behind a captive portal."""
    return isinstance(state, Connecting) and state.attempt > 0 and state.cause in _UNREACHABLE


def closed(policy: FirewallPolicy | None) -> bool:
    """Whether `policy` keeps traffic from leaving beside the tunnel. An unknown one does not count."""
    return isinstance(policy, Blocked | Tunnelled)


def _facts(ctx: Context, profile: str) -> ProfileFacts:
    return ctx.profiles.get(profile) or ProfileFacts()
