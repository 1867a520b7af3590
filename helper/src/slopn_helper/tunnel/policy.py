"""The kill switch, whole: which firewall policy each state demands. Total; nothing else decides."""

from __future__ import annotations

from typing import assert_never

from slopn_helper.host.firewall.policy import Blocked, FirewallPolicy, Inside, Open, Tunnelled
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
    """The policy that must be in force in `state`: the table of docs/security.md.

    A profile that demands a post-quantum key has the kill switch on whenever it is wanted, whatever the setting says: the
    routes of a tunnel whose key is gone would lead traffic into it.
    """
    mode, lan = settings.kill_switch, settings.allow_lan
    beside, only = settings.exclude, settings.include
    apis = ctx.errand.apis
    resolvers = ctx.resolvers if ctx.errand.names else ()
    if mode is KillSwitchMode.OFF and not demands(state, ctx):
        return Open()
    match state:
        case Disconnected():
            closed_too = Blocked(lan, resolvers=resolvers, excluded=beside, only=only, apis=apis)
            return closed_too if mode is KillSwitchMode.ALWAYS else Open()
        case Connecting(profile=profile, endpoints=endpoints, step=step, interface=interface):
            asked = ctx.resolvers if step is Step.RESOLVING else resolvers
            portal = ctx.portal if failing(state) else ()
            facts, inside = _facts(ctx, profile), _inside(ctx, profile, interface)
            return Blocked(lan, endpoints, asked, facts.addresses, beside, only, portal, apis, inside)
        case Connected(profile=profile, endpoints=endpoints, interface=interface):
            facts = _facts(ctx, profile)
            if unprotected(state, ctx):
                inside = _inside(ctx, profile, interface)
                return Blocked(lan, endpoints, resolvers, facts.addresses, beside, only, (), apis, inside)
            return Tunnelled(lan, endpoints, interface, facts.addresses, facts.dns, beside, only, resolvers, apis)
        case Disconnecting(profile=profile) | ErrorState(profile=profile):
            addresses = _facts(ctx, profile).addresses
            return Blocked(lan, (), resolvers, addresses, beside, only, apis=apis)
        case _:
            assert_never(state)


def failing(state: TunnelState) -> bool:
    """Whether an attempt has failed although the host has a network: as behind a captive portal."""
    return isinstance(state, Connecting) and state.attempt > 0 and state.cause in _UNREACHABLE


def demands(state: TunnelState, ctx: Context) -> bool:
    """Whether the profile that is wanted lets nothing pass without a post-quantum key."""
    return not isinstance(state, Disconnected) and bool(_facts(ctx, state.profile).demands)


def unprotected(state: TunnelState, ctx: Context) -> bool:
    """Whether the key that the profile demands is not there."""
    return demands(state, ctx) and not ctx.protected


def closed(policy: FirewallPolicy | None) -> bool:
    """Whether `policy` keeps traffic from leaving beside the tunnel. An unknown one does not count."""
    return isinstance(policy, Blocked | Tunnelled)


def _inside(ctx: Context, profile: str, interface: str | None) -> Inside | None:
    addresses = _facts(ctx, profile).demands
    return Inside(interface, addresses) if addresses and interface is not None else None


def _facts(ctx: Context, profile: str) -> ProfileFacts:
    return ctx.profiles.get(profile) or ProfileFacts()
